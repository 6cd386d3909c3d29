"""Figures of held-out predictions where a task is several labels or a graded response: its own, named in metrics.json.

Several labels: AUC of each label on the patients in which it is known, and their mean. Response: concordance of the
grade (of pairs of patients of different grade, the share in which the better one scores higher; a tie counts half), and
the AUC of objective response (PR or CR). What this module does not know: how predictions were made.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from encoders.cohort_models import metrics
from encoders.cohort_models.kernels import Array
from encoders.cohort_runs.models import DEFAULT_MODEL
from encoders.cohort_runs.tasks import LabelsTask, Outcome, Task, TaskKind
from encoders.errors import ContractError

MEAN_AUC, GRADE_CONCORDANCE = "mean AUC of the labels", "concordance of the response grade"
OBJECTIVE_AUC = "AUC of objective response"


def grade_concordance(grade: NDArray[np.integer], score: Array) -> float:
    """Share of pairs of different grade (N,) whose better one has the higher score (N,); NaN without such a pair.

    References
    ----------
    Harrell et al., Stat Med 1996, 10.1002/(SICI)1097-0258(19960229)15:4<361::AID-SIM168>3.0.CO;2-4 (C for an ordinal
    response).
    """
    better = grade[:, None] > grade[None]
    if not better.any():
        return float("nan")
    gap = (score[:, None] - score[None])[better]
    return float((gap > 0).mean() + 0.5 * (gap == 0).mean())


def summarise_task(outcome: Outcome, table: pd.DataFrame, task: Task, *, seed: int = 0) -> dict[str, Any]:
    """Figures of each model over the folds in ``table`` (as ``FoldRun.table``, folds one after another).

    Every figure: mean over folds, 95 % bootstrap interval with patients drawn anew within folds, values by fold; for
    models beside the default the paired difference of the task's main figure. A fold in which a figure does not exist
    (one class alone) is left out of its mean and counted in ``folds_without``.

    Raises
    ------
    ContractError: a survival or single-label task, which is summarised elsewhere.
    """
    place = {p: i for i, p in enumerate(outcome.patient_ids)}
    if isinstance(task, LabelsTask):
        wide, figures = _of_labels(outcome, table, task, place)
        main = MEAN_AUC
    elif task.kind is TaskKind.RESPONSE:
        wide, figures = _of_response(outcome, table, place)
        main = GRADE_CONCORDANCE
    else:
        raise ContractError(f"task {task.name} is of kind {task.kind.value}; this summary is of labels and response.")
    folds = list(dict.fromkeys(table["fold"]))
    members = [np.flatnonzero(wide["fold"].to_numpy() == fold) for fold in folds]
    names = list(dict.fromkeys(table["model"]))
    found: dict[str, Any] = {"figure": main, "task": task.kind.value, "folds": len(folds), "models": {}}
    if outcome.left_out:
        found["patients_left_out"] = {"response not evaluable": outcome.left_out}
    for name in names:
        said = {f: _figure(members, lambda i, n=name, g=of: g(n, i), seed) for f, of in figures.items()}
        others = {f: value for f, value in said.items() if f != main}
        found["models"][name] = {**said[main], "figures": others}
        if name != DEFAULT_MODEL and DEFAULT_MODEL in names:
            gap = _figure(members, lambda i, n=name: figures[main](DEFAULT_MODEL, i) - figures[main](n, i), seed)
            found["models"][name] |= {"default_minus_this": gap["mean"], "default_minus_this_interval": gap["interval"]}
    return found


OfModel = Callable[[str, NDArray[np.intp]], float]
"""(model, rows of the wide table) -> figure."""


def _of_labels(
    outcome: Outcome, table: pd.DataFrame, task: LabelsTask, place: Mapping[str, int]
) -> tuple[pd.DataFrame, dict[str, OfModel]]:
    wide = table.pivot(index=["fold", "patient_id"], columns=["model", "label"], values="score").reset_index()
    truth = outcome.labels[wide["patient_id"].map(place).to_numpy()]
    scores = {key: wide[key].to_numpy(np.float64) for key in wide.columns if key[1]}

    def area(model: str, index: NDArray[np.intp], label: int) -> float:
        known = index[np.isfinite(truth[index, label])]
        return metrics.area_under_curve(truth[known, label] == 1, scores[model, task.labels[label].name][known])

    def mean(model: str, index: NDArray[np.intp]) -> float:
        values = np.array([area(model, index, i) for i in range(len(task.labels))])
        return float(np.nanmean(values)) if np.isfinite(values).any() else float("nan")

    each = {
        f"AUC of {one.name}": (lambda model, index, i=i: area(model, index, i)) for i, one in enumerate(task.labels)
    }
    return wide, {MEAN_AUC: mean, **each}


def _of_response(
    outcome: Outcome, table: pd.DataFrame, place: Mapping[str, int]
) -> tuple[pd.DataFrame, dict[str, OfModel]]:
    wide = table.pivot(index=["fold", "patient_id"], columns="model", values="score").reset_index()
    row = wide["patient_id"].map(place).to_numpy()
    grade, objective = outcome.grade[row], outcome.event[row]
    return wide, {
        GRADE_CONCORDANCE: lambda model, i: grade_concordance(grade[i], wide[model].to_numpy()[i]),
        OBJECTIVE_AUC: lambda model, i: metrics.area_under_curve(objective[i], wide[model].to_numpy()[i]),
    }


def _figure(members: Sequence[NDArray[np.intp]], of: Callable[[NDArray[np.intp]], float], seed: int) -> dict[str, Any]:
    """Mean, interval and values by fold; all null where no fold has the figure."""
    values = [of(m) for m in members]
    absent = int(np.isnan(values).sum())
    said: dict[str, Any] = {"mean": None, "interval": None, "by_fold": [None if np.isnan(v) else v for v in values]}
    if absent < len(values):
        there = [m for m, v in zip(members, values, strict=True) if not np.isnan(v)]
        said["mean"], said["interval"] = metrics.mean_over_folds(there, of, seed=seed)
    return said | ({"folds_without": absent} if absent else {})
