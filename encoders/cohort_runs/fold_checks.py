"""What is asked of every fold's default model beyond its scores, kept on disk so that a stopped run goes on.

    OUT/checks/FOLD.csv             held-out patients: survival probability at 12, 36, 60 months as far as the fitted
                                    follow-up goes; or of a label: log odds, probability, conformal p-values, flag
    OUT/explanations/FOLD.json      sums and method, written last; FOLD.features.csv, FOLD.pathways.csv (mean
                                    |attribution|) and FOLD.shapley.csv (a row a patient) beside it

What this module does not know: how the figures are summed up (trust.py, explanations.py).
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from encoders.atomic_write import write_atomically
from encoders.cohort_runs.cross_validation import DEFAULT_MODEL, FoldRun, Outcome, Progress, Task
from encoders.cohort_runs.explanations import FoldExplanation, explain_fold
from encoders.cohort_runs.fold_model import FoldModel, fold_model, survival_at
from encoders.cohorts.cohort import Cohort, Split

HORIZONS_MONTHS: tuple[int, ...] = (12, 36, 60)


def horizon_column(months: float) -> str:
    """Name of the column with the survival probability at a time."""
    return f"survival_probability_{months:g}_months"


@dataclass(frozen=True)
class FoldChecks:
    """table : patient_id, fold and what was asked; explanation : None where none was asked for."""

    table: pd.DataFrame
    explanation: FoldExplanation | None


@dataclass(frozen=True)
class CheckedRun:
    """What the checks of every fold of a run have in common."""

    out: Path
    cohort: Cohort
    task: Task
    outcome: Outcome
    blocks: Sequence[str] | None
    explain: bool
    progress: Progress


def check_fold(run: CheckedRun, split: Split, fold: FoldRun) -> FoldChecks:
    """Read the checks of a fold, or make and write them.

    Raises
    ------
    ContractError: the model cannot be made again as the fold had it.
    """
    table_file = run.out / "checks" / f"{split.fold}.csv"
    explained = run.out / "explanations" / f"{split.fold}.json"
    model: FoldModel | None = None
    if not table_file.is_file() or (run.explain and not explained.is_file()):
        run.progress(f"fold {split.fold}: checking the model")
        model = fold_model(run.cohort, run.task, run.outcome, split, fold, run.blocks)
    if model is not None and not table_file.is_file():
        write_atomically(table_file, _asked(run, model, fold).to_csv(index=False))
    table = pd.read_csv(table_file, dtype={"patient_id": str, "fold": str})
    if not run.explain:
        return FoldChecks(table, None)
    if model is not None and not explained.is_file():
        run.progress(f"fold {split.fold}: explaining {len(model.held_ids)} patients")
        _write_explanation(explained, explain_fold(model, run.cohort, _slope(model, fold)))
    return FoldChecks(table, _read_explanation(explained))


def _slope(model: FoldModel, fold: FoldRun) -> float:
    return model.label.slope if model.label is not None else fold.figures["slope"]


def _asked(run: CheckedRun, model: FoldModel, fold: FoldRun) -> pd.DataFrame:
    table = pd.DataFrame({"patient_id": model.held_ids, "fold": model.fold})
    if model.label is not None:
        label, p = model.label, model.label.p_values(model.held)
        return table.assign(
            log_odds=label.log_odds(model.held),
            probability=label.probability(model.held),
            p_no=p[:, 0],
            p_yes=p[:, 1],
            out_of_distribution=(label.out_of_distribution(model.held) > label.ood_limit).astype(np.float64),
        )
    own = fold.table[fold.table["model"] == DEFAULT_MODEL].set_index("patient_id")["score"]
    score = own.reindex(list(model.held_ids)).to_numpy(np.float64)
    curves = survival_at(model, run.outcome, fold.figures["slope"], score, np.array(HORIZONS_MONTHS, np.float64))
    followed = float(run.outcome.months[model.fitted].max())
    for i, months in enumerate(HORIZONS_MONTHS):
        table[horizon_column(months)] = curves[:, i] if months <= followed else np.nan
    return table


def _write_explanation(path: Path, found: FoldExplanation) -> None:
    for name in ("features", "pathways"):
        series = getattr(found, name).rename("mean_importance").rename_axis("name")
        write_atomically(path.with_suffix(f".{name}.csv"), series.to_csv())
    write_atomically(path.with_suffix(".shapley.csv"), found.shapley.rename_axis("patient_id").to_csv())
    write_atomically(path, json.dumps({"sums": found.sums, "method": found.method}) + "\n")


def _read_explanation(path: Path) -> FoldExplanation:
    said = json.loads(path.read_text(encoding="utf-8"))
    features, pathways = (
        pd.read_csv(path.with_suffix(f".{name}.csv"), dtype={"name": str}, keep_default_na=False, index_col="name")[
            "mean_importance"
        ].astype(np.float64)
        for name in ("features", "pathways")
    )
    shapley = pd.read_csv(path.with_suffix(".shapley.csv"), dtype={"patient_id": str}).set_index("patient_id")
    return FoldExplanation(features, pathways, shapley, said["sums"], said["method"])
