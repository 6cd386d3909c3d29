"""After the folds of a run: what its default model can be trusted with, and why it says what it says.

What this module does not know: how a fold is fitted, how a page looks (run_page.py). Several labels at once and graded
responses have no calibration or explanation of the default model yet; it is said, not passed over.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pandas as pd

from encoders.cohort_runs.cross_validation import DEFAULT_MODEL, FoldRun
from encoders.cohort_runs.explanations import summarise_explanations
from encoders.cohort_runs.fold_checks import CheckedRun, check_fold
from encoders.cohort_runs.subgroups import groupings_of
from encoders.cohort_runs.trust import trust_of
from encoders.cohorts.cohort import Cohort, Split


def report_on(
    run: CheckedRun, splits: Sequence[Split], folds: Sequence[FoldRun], *, subgroups: Sequence[str] = (), seed: int = 0
) -> tuple[pd.DataFrame, dict[str, Any]]:
    """(every prediction with what was asked beside it, plain JSON values for metrics.json).

    subgroups : columns to group by beside those found by name

    Raises
    ------
    SettingsError: a subgroup column that is not there.
    ContractError: a fold's model cannot be made again as the run had it.
    """
    table = pd.concat([fold.table for fold in folds], ignore_index=True)
    groupings, passed = groupings_of(run.cohort, subgroups)
    said: dict[str, Any] = {"import": import_counts(run.cohort), "effects": mean_weights(folds)}
    if not (run.task.is_survival or run.task.positive) or DEFAULT_MODEL not in set(table["model"]):
        return table, said | {"not_made": "calibration, subgroups and explanations are made for survival and one label"}
    checks = [check_fold(run, split, fold) for split, fold in zip(splits, folds, strict=True)]
    asked = pd.concat([check.table for check in checks], ignore_index=True).assign(model=DEFAULT_MODEL)
    table = table.merge(asked, how="left", on=["patient_id", "fold", "model"], validate="one_to_one")
    said |= trust_of(table, run.outcome, run.task, groupings, seed=seed)
    said["subgroup_columns_passed_over"] = list(passed)
    told = [check.explanation for check in checks if check.explanation is not None]
    if told:
        said["default_explanations"] = summarise_explanations(told, run.cohort)
    return table, said


def mean_weights(folds: Sequence[FoldRun]) -> dict[str, float]:
    """Effect -> its variance, the mean over the folds that have it."""
    found = pd.DataFrame([dict(fold.weights) for fold in folds]).mean()
    return {str(name): float(value) for name, value in found.items()}


def import_counts(cohort: Cohort) -> list[dict[str, Any]]:
    """What was skipped, renamed, reduced, defaulted or doubtful when the cohort was read, in words."""
    return [{"kind": note.kind, "count": note.count, "text": note.text()} for note in cohort.notes]
