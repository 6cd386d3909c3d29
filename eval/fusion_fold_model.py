"""The default model of one fold of a finished run, made again from its kernel weights, with that fold's patients.

Making it again skips the search for the weights, which is nearly all of the time. Not known here: what is asked of it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from encoders.cohort_models.design import Design
from encoders.cohort_models.likelihoods import CoxLikelihood
from encoders.cohort_models.multi_kernel import Blocks, MultiKernelModel, assemble, standardise
from encoders.cohort_runs.cross_validation import parts_of
from encoders.cohorts.cohort import Cohort, Split
from eval.fusion_runs import FinishedRun


@dataclass(frozen=True)
class FoldModel:
    """train, held : block -> values; months, event : (of the fitted, of the held-out patients)."""

    model: MultiKernelModel
    design: Design
    train: Blocks
    held: Blocks
    months: tuple[NDArray[np.float64], NDArray[np.float64]]
    event: tuple[NDArray[np.bool_], NDArray[np.bool_]]


def fold_model(cohort: Cohort, run: FinishedRun, split: Split) -> FoldModel:
    """The survival model that ``run`` fitted in a fold, and its patients.

    Raises
    ------
    ContractError: the run has no weights of that fold, or of other effects than the cohort's blocks give; remove its
        folder and run it again.
    """
    fitted, held = parts_of(split, run.outcome)
    place = {p: i for i, p in enumerate(run.outcome.patient_ids)}
    a, b = (np.array([place[p] for p in ids]) for ids in (fitted, held))
    months, event = run.outcome.months, run.outcome.event
    design = Design.fit(cohort, fitted)
    train, new = design.values(cohort, fitted), design.values(cohort, held)
    scalers, rows = standardise(train)
    ignored = frozenset(train) - frozenset(scalers)
    model = assemble(
        scalers, rows, CoxLikelihood(months[a], event[a]), run.weights.get(split.fold, {}), ignored=ignored
    )
    return FoldModel(model, design, train, new, (months[a], months[b]), (event[a], event[b]))
