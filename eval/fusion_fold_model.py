"""The default model of one fold of a finished run, made again from its kernel weights, with that fold's outcomes.

Not known here: how it is made (encoders/cohort_runs/fold_model.py), what is asked of it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from encoders.cohort_models.multi_kernel import Blocks, MultiKernelModel
from encoders.cohort_runs import fold_model as runs
from encoders.cohort_runs.cross_validation import FoldRun
from encoders.cohorts.cohort import Cohort, Split
from eval.fusion_runs import FinishedRun


@dataclass(frozen=True)
class FoldModel:
    """train, held : block -> values; months, event : (of the fitted, of the held-out patients)."""

    model: MultiKernelModel
    train: Blocks
    held: Blocks
    months: tuple[NDArray[np.float64], NDArray[np.float64]]
    event: tuple[NDArray[np.bool_], NDArray[np.bool_]]


def fold_model(cohort: Cohort, run: FinishedRun, split: Split) -> FoldModel:
    """The survival model that ``run`` fitted in a fold, and its patients.

    Raises
    ------
    ContractError: the run has no weights of that fold, or other effects or scores than the cohort gives now; remove
        its folder and run it again.
    """
    table = run.predictions[run.predictions["fold"] == split.fold]
    kept = FoldRun(split.fold, table, run.by_fold.get(split.fold, {}), run.weights.get(split.fold, {}))
    found = runs.fold_model(cohort, run.task, run.outcome, split, kept)
    months, event = run.outcome.months, run.outcome.event
    sides = found.fitted, found.held_rows
    return FoldModel(
        found.model,
        found.train,
        found.held,
        tuple(months[rows] for rows in sides),
        tuple(event[rows] for rows in sides),
    )
