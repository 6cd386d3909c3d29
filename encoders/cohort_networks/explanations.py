"""Every explanation a cohort network can give, in one form, with the error it admits and the test it has to pass.

Attributions are of columns (integrated gradients, graph nodes) or of units made of columns: gene sets, blocks. For the
deletion test a unit's value is divided evenly among its columns and a column takes its largest. Attention is given too,
always under a name that says that it is no explanation; the same test shows what it is worth.

What this module does not know: cohorts on disk, what a score means. Not checked: causes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from encoders.cohort_models.deletion import Deletion, deletion_test
from encoders.cohort_models.kernels import Array
from encoders.cohort_models.multi_kernel import Blocks
from encoders.cohort_networks.explain_network import graph_node_importance, integrated_gradients
from encoders.cohort_networks.fitted import FittedNetwork
from encoders.cohort_networks.gene_sets import GeneSets, lay_out
from encoders.cohort_networks.plan import ALL
from encoders.cohort_networks.settings import GRAPH
from encoders.pathways import PATHWAYS

NOT_AN_EXPLANATION = "attention, not an explanation"
Members = Mapping[str, NDArray[np.intp]]
"""Block -> indices of its columns."""


@dataclass(frozen=True)
class Explanation:
    """One way of telling where a score came from.

    columns : block -> (M, P), ranks the columns of each patient
    unit_names, units (M, U) : gene sets or blocks, where the explanation is of those
    completeness_error : sum over patients of |sum of attributions - score explained| over that of |score explained|;
        None where the method promises no sum
    """

    name: str
    columns: Mapping[str, Array]
    unit_names: tuple[str, ...] = ()
    units: Array | None = None
    completeness_error: float | None = None

    def test(
        self, model: FittedNetwork, blocks: Blocks, names: Sequence[str], *, output: int | None, seed: int
    ) -> Deletion:
        """Deletion test on the columns of ``names``, against columns at random (encoders/cohort_models/deletion.py)."""

        def score(given: Blocks) -> Array:
            found = model.score(given)
            return found if output is None else found[:, output]

        return deletion_test(score, blocks, self.columns, model.scalers, names=names, seed=seed)


def explain(
    model: FittedNetwork,
    blocks: Blocks,
    features: Mapping[str, Sequence[str]],
    *,
    gene_sets: GeneSets = PATHWAYS,
    output: int | None = None,
) -> tuple[Explanation, ...]:
    """Every explanation of M patients' scores that this network can give.

    features : block -> names of its columns; output : which label, where the model has several

    Raises
    ------
    InputError: as ``integrated_gradients``.
    """
    gradients = integrated_gradients(model, blocks, output=output)
    error = float(gradients.completeness_error.sum() / max(np.abs(gradients.explained).sum(), 1e-12))
    found = [Explanation("integrated gradients, columns", gradients.values, completeness_error=error)]
    names, members = set_members({n: features[n] for n in model.block_names}, gene_sets)
    if names:
        units = by_set(gradients.values, members)
        found.append(_of_units("integrated gradients, pathways", names, units, members, model, error))
    if any(encoder.encoder == GRAPH for encoder in model.plan.encoders):
        found.append(Explanation("gradient x activation, graph nodes", _graph_columns(model, blocks)))
    return (*found, *attention_explanations(model, blocks))


def attention_explanations(model: FittedNetwork, blocks: Blocks) -> tuple[Explanation, ...]:
    """Attention to pathways, attention to blocks and gates, as far as the network has them; none is an explanation."""
    looked, found = model.attention(blocks), []
    for name, (sets, values) in looked.pathways.items():
        plan = next(encoder for encoder in model.plan.encoders if encoder.name == name)
        members = [_columns_of(model, name, np.array(columns)) for _, columns in plan.sets]
        found.append(_of_units(f"pathways of {name} ({NOT_AN_EXPLANATION})", sets, values, members, model))
    whole = [{name: np.flatnonzero(model.scalers[name].keep)} for name in model.block_names]
    for what, values in (("blocks", looked.blocks), ("gates of blocks", looked.gates)):
        if values is not None:
            found.append(_of_units(f"{what} ({NOT_AN_EXPLANATION})", model.block_names, values, whole, model))
    return tuple(found)


def set_members(features: Mapping[str, Sequence[str]], gene_sets: GeneSets) -> tuple[tuple[str, ...], list[Members]]:
    """Gene sets over the columns of all blocks together: names, and each one's columns; columns in none make one more,
    in every block that has genes of sets. No names where no block has any."""
    found: dict[str, dict[str, NDArray[np.intp]]] = {}
    for block, names in features.items():
        layout = lay_out(names, gene_sets)
        if layout.in_sets:
            for set_name, columns in zip(layout.names, layout.members, strict=True):
                found.setdefault(set_name, {})[block] = np.array(columns, np.intp)
    return tuple(found), list(found.values())


def by_set(values: Mapping[str, Array], members: Sequence[Members]) -> Array:
    """(M, U) sums of attributions; a column in several sets is divided evenly among them, so that sums stay sums."""
    shared = {name: np.zeros(found.shape[1]) for name, found in values.items()}
    for one in members:
        for name, columns in one.items():
            shared[name][columns] += 1
    return np.stack(
        [sum((values[n][:, c] / shared[n][c]).sum(axis=1) for n, c in one.items()) for one in members], axis=1
    )


def spread(units: Array, members: Sequence[Members], widths: Mapping[str, int]) -> dict[str, Array]:
    """Units (M, U) -> block -> (M, P): the largest |value| / number of columns of the units a column is in."""
    columns = {name: np.zeros((len(units), width)) for name, width in widths.items()}
    for u, one in enumerate(members):
        share = np.abs(units[:, u : u + 1]) / sum(map(len, one.values()))
        for name, at in one.items():
            columns[name][:, at] = np.maximum(columns[name][:, at], share)
    return columns


def _of_units(
    name: str,
    unit_names: Sequence[str],
    units: Array,
    members: Sequence[Members],
    model: FittedNetwork,
    error: float | None = None,
) -> Explanation:
    widths = {n: len(scaler.keep) for n, scaler in model.scalers.items()}
    return Explanation(name, spread(units, members, widths), tuple(unit_names), units, error)


def _columns_of(model: FittedNetwork, encoder: str, kept: NDArray[np.intp]) -> Members:
    """Columns of an encoder, numbered as it reads them -> columns of the blocks as given."""
    found, at = {}, 0
    for name in model.block_names if encoder == ALL else (encoder,):
        columns = np.flatnonzero(model.scalers[name].keep)
        inside = kept[(kept >= at) & (kept < at + len(columns))] - at
        if len(inside):
            found[name] = columns[inside]
        at += len(columns)
    return found


def _graph_columns(model: FittedNetwork, blocks: Blocks) -> dict[str, Array]:
    """Node importance of each block as given; 0 for blocks that no graph reads."""
    size = len(next(iter(blocks.values())))
    columns = {name: np.zeros((size, len(scaler.keep))) for name, scaler in model.scalers.items()}
    for encoder, values in graph_node_importance(model, blocks).items():
        at = 0
        for name in model.block_names if encoder == ALL else (encoder,):
            columns[name] = values[:, at : at + columns[name].shape[1]]
            at += columns[name].shape[1]
    return columns


def described(
    explanation: Explanation, features: Mapping[str, Sequence[str]], deletion: Deletion, *, most: int = 20
) -> dict[str, Any]:
    """For a run folder: the test's figures, and the columns and units that were named most (mean absolute value)."""
    mean = {name: np.abs(values).mean(axis=0) for name, values in explanation.columns.items()}
    flat = [(name, features[name][i], float(v)) for name, values in mean.items() for i, v in enumerate(values) if v > 0]
    units = []
    if explanation.units is not None:
        size = np.abs(explanation.units).mean(axis=0)
        units = [[explanation.unit_names[i], float(size[i])] for i in np.argsort(-size, kind="stable")[:most]]
    ratio = deletion.ratio
    return {
        "explanation": explanation.name,
        "top_over_random": ratio if np.isfinite(ratio) else None,
        "moved_by_top": float(deletion.moved_by_top.mean()),
        "moved_by_random": float(deletion.moved_by_random.mean()),
        "completeness_error": explanation.completeness_error,
        "columns": [list(row) for row in sorted(flat, key=lambda row: -row[2])[:most]],
        "units": units,
    }
