"""Why the default model says what it says, over the held-out patients of a fold: features, pathways, blocks.

Features by integrated gradients, pathways as the sum over their genes, blocks by Shapley values; all in the unit of the
calibrated score (log relative hazard, or log odds). What this module does not know: folders, pages. Not checked:
causation; a gene may stand for others it goes with.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from encoders.cohort_models.attribution import FeatureAttribution, integrated_gradients
from encoders.cohort_models.kernels import Array
from encoders.cohort_models.shapley import EMPTY, MOST_EXACT, block_shapley
from encoders.cohort_runs.fold_model import FoldModel
from encoders.cohort_runs.stability import Stability, stability_over_folds
from encoders.cohorts.cohort import GENE_KINDS, Cohort
from encoders.pathways import PATHWAYS

BETWEEN = ": "
"""Stands between block and feature in the name of a feature: "expression: TP53"."""
TOP_SHOWN = 30


@dataclass(frozen=True)
class FoldExplanation:
    """Of one fold's held-out patients.

    features, pathways : mean |attribution| of each; shapley : index patient_id, a column a block
    sums : "error", "explained" (sums of absolute values over patients), "largest_error", "genes", "genes_in_pathways"
    method : how the Shapley values were made
    """

    features: pd.Series
    pathways: pd.Series
    shapley: pd.DataFrame
    sums: Mapping[str, float]
    method: str


def explain_fold(fold: FoldModel, cohort: Cohort, slope: float) -> FoldExplanation:
    """Attributions of every held-out patient of a fold; ``slope`` turns the model's score into the calibrated one."""
    found = integrated_gradients(fold.model, fold.held)
    columns = feature_names(fold.design.blocks, found.values)
    importance = np.concatenate([np.abs(value).mean(axis=0) for value in found.values.values()]) * slope
    pathways, genes, inside = pathway_attributions(found, fold.design.blocks, cohort)
    shapley = block_shapley(fold.model, fold.held)
    return FoldExplanation(
        pd.Series(importance, index=columns),
        pd.Series({name: float(np.abs(value).mean()) * slope for name, value in pathways.items()}, dtype=np.float64),
        pd.DataFrame({n: slope * v for n, v in shapley.values.items()}, index=pd.Index(fold.held_ids)),
        {
            "error": float(found.completeness_error.sum()) * slope,
            "explained": float(np.abs(found.explained).sum()) * slope,
            "largest_error": float(found.completeness_error.max()) * slope,
            "genes": genes,
            "genes_in_pathways": inside,
        },
        shapley.method,
    )


def feature_names(blocks: Mapping[str, Sequence[str]], wanted: Sequence[str] | Mapping[str, Any]) -> list[str]:
    """ "block: feature" of every column of the blocks ``wanted``, in their order."""
    return [f"{name}{BETWEEN}{feature}" for name in wanted for feature in blocks[name]]


def pathway_attributions(
    found: FeatureAttribution, blocks: Mapping[str, Sequence[str]], cohort: Cohort
) -> tuple[dict[str, Array], int, int]:
    """Pathway -> (M,) sum over its genes in all gene blocks; the number of different genes, and of those in a pathway.

    A gene of several pathways counts in each. A pathway none of whose genes is in the cohort is left out.
    """
    gene_blocks = [n for n in found.values if n in cohort.blocks and cohort.blocks[n].kind in GENE_KINDS]
    genes = {gene for name in gene_blocks for gene in blocks[name]}
    out: dict[str, Array] = {}
    for pathway, members in PATHWAYS.items():
        wanted = genes & set(members)
        if wanted:
            out[pathway] = sum(
                found.values[name][:, [gene in wanted for gene in blocks[name]]].sum(axis=1) for name in gene_blocks
            )
    return out, len(genes), len(genes & {gene for members in PATHWAYS.values() for gene in members})


def summarise_explanations(folds: Sequence[FoldExplanation], cohort: Cohort) -> dict[str, Any]:
    """Importance over folds with its stability, completeness error, and mean |Shapley value| of every block."""
    gene_blocks = {name for name, block in cohort.blocks.items() if block.kind in GENE_KINDS}
    features = [fold.features for fold in folds]
    of_genes = [s[[f.partition(BETWEEN)[0] in gene_blocks for f in s.index]] for s in features]
    others = [s[[f.partition(BETWEEN)[0] not in gene_blocks for f in s.index]] for s in features]
    blocks = pd.concat([fold.shapley for fold in folds])
    total = {key: sum(fold.sums[key] for fold in folds) for key in ("error", "explained")}
    return {
        "genes": _told(of_genes),
        "other_features": _told(others),
        "pathways": _told([fold.pathways for fold in folds])
        | {"genes": folds[0].sums["genes"], "genes_in_pathways": folds[0].sums["genes_in_pathways"]},
        "completeness_error": total["error"] / total["explained"] if total["explained"] else None,
        "largest_completeness_error": max(fold.sums["largest_error"] for fold in folds),
        "baseline": "the mean patient of the fold's training patients, with the same blocks",
        "shapley": {
            "mean_absolute": {str(name): float(blocks[name].abs().mean()) for name in blocks},
            "empty_set": EMPTY,
            "method": " / ".join(sorted({fold.method for fold in folds})),
            "most_exact_blocks": MOST_EXACT,
            "patients": len(blocks),
        },
    }


def _told(folds: Sequence[pd.Series]) -> dict[str, Any]:
    if not any(len(fold) for fold in folds):
        return {"features": 0, "top": []}
    found: Stability = stability_over_folds(folds)
    rows = found.table[found.table["mean_importance"] > 0].head(TOP_SHOWN)
    return {
        "features": len(found.table),
        "top_counts": found.top,
        "spearman": found.spearman,
        "jaccard": found.jaccard,
        "top": [{"name": str(name), **{k: float(v) for k, v in row.items()}} for name, row in rows.iterrows()],
    }
