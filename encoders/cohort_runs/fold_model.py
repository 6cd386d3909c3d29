"""The default model of one fold of a run, made again from its kernel weights, with that fold's patients.

Making it again skips the search for the weights, which is nearly all of the time. What this module does not know: what
is asked of the model.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from encoders.cohort_models.design import Design
from encoders.cohort_models.label_model import CalibratedLabel, calibrate_label
from encoders.cohort_models.likelihoods import BernoulliLikelihood, CoxLikelihood
from encoders.cohort_models.multi_kernel import Blocks, MultiKernelModel, assemble, standardise
from encoders.cohort_runs.cross_validation import DEFAULT_MODEL, FoldRun, Outcome, Task, parts_of
from encoders.cohorts.cohort import Cohort, Split
from encoders.errors import ContractError

TOLERANCE = 0.02
"""A score made again may differ from the one kept by this much; the optimiser stops at a tolerance, not at a point."""
Array = np.ndarray


@dataclass(frozen=True)
class FoldModel:
    """held : block -> values of the held-out patients ``held_ids``, of the blocks that were fitted.

    train : block -> values of the fitted patients, of every block read
    fitted, held_rows : rows into the outcome; label : calibration of a label model, None for survival
    """

    fold: str
    model: MultiKernelModel
    design: Design
    train: Blocks
    held: Blocks
    held_ids: tuple[str, ...]
    fitted: Array
    held_rows: Array
    label: CalibratedLabel | None = None


def fold_model(
    cohort: Cohort, task: Task, outcome: Outcome, split: Split, run: FoldRun, blocks: Sequence[str] | None = None
) -> FoldModel:
    """The default model that ``run`` fitted on ``split``, reading the named blocks (None = all).

    Raises
    ------
    ContractError: the run has no weights, or other effects or scores than the cohort gives now.
    """
    fitted, held = parts_of(split, outcome)
    place = {p: i for i, p in enumerate(outcome.patient_ids)}
    a, b = (np.array([place[p] for p in ids]) for ids in (fitted, held))
    design = Design.fit(cohort, fitted, blocks)
    train, new = design.values(cohort, fitted), design.values(cohort, held)
    scalers, rows = standardise(train)
    event = outcome.event[a]
    likelihood = CoxLikelihood(outcome.months[a], event) if task.is_survival else BernoulliLikelihood(event)
    ignored = frozenset(train) - frozenset(scalers)
    model = assemble(scalers, rows, likelihood, run.weights, ignored=ignored, probation=design.on_probation)
    known = {name: values for name, values in new.items() if name in scalers}
    _check_scores(run, held, model.score(known) * run.figures.get("slope", 1.0))
    label = None if task.is_survival else calibrate_label(model, event)
    return FoldModel(split.fold, model, design, train, known, tuple(held), a, b, label)


def _check_scores(run: FoldRun, held: list[str], score: Array) -> None:
    kept = run.table[run.table["model"] == DEFAULT_MODEL].set_index("patient_id")["score"].reindex(held).to_numpy()
    away = float(np.nanmax(np.abs(kept - score)))
    if not np.isfinite(kept).all() or away > TOLERANCE * max(1.0, float(np.abs(kept).max())):
        raise ContractError(
            f"fold {run.fold}: scores made again differ from those kept by up to {away:.3f}; the cohort or the code "
            "changed since. Remove the run folder and run it again."
        )


def survival_at(fold: FoldModel, outcome: Outcome, slope: float, score: Array, months: Array) -> Array:
    """(M, T) survival probability of held-out patients of calibrated ``score`` (M,) at ``months`` (T,)."""
    event = outcome.event[fold.fitted]
    scores = slope * fold.model.fitted.out_of_fold()
    hazard = CoxLikelihood(outcome.months[fold.fitted], event).baseline(scores, np.asarray(months, np.float64))
    return np.exp(-np.outer(np.exp(score), hazard))
