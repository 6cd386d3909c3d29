"""Held-out predictions of a cohort, fold by fold, by the default model and by the baselines beside it.

Given splits are honoured; without any, folds are made by patient and event. Every fold is fitted on its training
patients alone, columns and scaling included. What this module does not know: files, tables for people.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.model_selection import StratifiedKFold

from encoders.cohort_models import metrics
from encoders.cohort_models.baselines import BASELINES
from encoders.cohort_models.design import Design
from encoders.cohort_models.kernels import Array
from encoders.cohort_models.multi_kernel import Blocks, fit_label
from encoders.cohort_models.survival_model import fit_calibrated
from encoders.cohorts.cohort import Cohort, Split
from encoders.errors import InputError

DEFAULT_MODEL = "multi-kernel"
SURVIVAL = "survival"
"""Task name that stands for the cohort's main endpoint: OS where there is one, else its first."""
N_FOLDS = 5
Progress = Callable[[str], None]


@dataclass(frozen=True)
class Task:
    """What is predicted: an endpoint's survival, or whether a label has one of the words that count as positive.

    name : endpoint ("OS") or column of the cohort's labels ("IDH"); positive : () for survival
    """

    name: str
    positive: tuple[str, ...] = ()

    @property
    def is_survival(self) -> bool:
        """Survival, not a label."""
        return not self.positive


def read_task(text: str) -> Task:
    """ "OS" -> survival by that endpoint; "IDH=mutated" or "stage=III|IV" -> a label and its positive words.

    Raises
    ------
    InputError: a label without words.
    """
    name, equals, words = text.partition("=")
    positive = tuple(word.strip() for word in words.split("|") if word.strip())
    if not name.strip() or (equals and not positive):
        raise InputError(f"task {text!r}; give an endpoint (OS), or a label and its positive words (IDH=mutated).")
    return Task(name.strip(), positive)


@dataclass(frozen=True)
class Outcome:
    """patient_ids (N,); survival: months and event (N,); label: positive (N,) in ``event``, months NaN."""

    patient_ids: tuple[str, ...]
    months: Array
    event: NDArray[np.bool_]


@dataclass(frozen=True)
class FoldRun:
    """Predictions of one fold.

    table : patient_id, fold, model, score, and for the default model lower, upper, survival_at_last_time
    figures : of the default model on this fold ("integrated_brier", "integrated_brier_kaplan_meier", "slope" ...)
    weights : effect -> variance, of the default model
    """

    fold: str
    table: pd.DataFrame
    figures: Mapping[str, float] = field(default_factory=dict)
    weights: Mapping[str, float] = field(default_factory=dict)


def outcome_of(cohort: Cohort, task: Task) -> Outcome:
    """The patients that have the outcome.

    Raises
    ------
    InputError: no such endpoint or label, or words that no patient has.
    """
    if task.is_survival:
        if task.name == SURVIVAL and cohort.endpoints:
            task = Task("OS" if "OS" in cohort.endpoints else next(iter(cohort.endpoints)))
        if task.name not in cohort.endpoints:
            raise InputError(
                f"cohort {cohort.name} has no endpoint {task.name!r}; it has {', '.join(cohort.endpoints) or 'none'}."
            )
        end = cohort.endpoints[task.name]
        return Outcome(end.patient_ids, end.followup_months, end.event)
    if task.name not in cohort.labels:
        known = ", ".join(str(c) for c in cohort.labels) or "none"
        raise InputError(f"cohort {cohort.name} has no label {task.name!r}; it has {known}.")
    label = cohort.labels[task.name].dropna().astype(str)
    strange = set(task.positive) - set(label)
    if strange:
        found = ", ".join(sorted(set(label)))
        raise InputError(f"no patient of {cohort.name} has {task.name} {', '.join(sorted(strange))}; found: {found}.")
    positive = label.isin(task.positive).to_numpy(bool)
    return Outcome(tuple(label.index), np.full(len(label), np.nan), positive)


def folds_of(cohort: Cohort, task: Task, *, repeats: int = 1, seed: int = 0) -> tuple[Split, ...]:
    """The cohort's own folds where it has some, else five folds by patient and event, made ``repeats`` times.

    Raises
    ------
    InputError: fewer events, or fewer patients without, than folds.
    """
    if cohort.splits:
        return next(iter(cohort.splits.values()))
    outcome = outcome_of(cohort, task)
    fewest = int(min(outcome.event.sum(), (~outcome.event).sum()))
    if fewest < N_FOLDS:
        raise InputError(
            f"{task.name} of cohort {cohort.name} has {fewest} patients in its smaller group; {N_FOLDS} folds need as "
            "many. Give splits with the cohort, or more patients."
        )
    return tuple(split for repeat in range(repeats) for split in _made_folds(outcome, repeat, seed + repeat))


def _made_folds(outcome: Outcome, repeat: int, seed: int) -> Iterator[Split]:
    ids = np.array(outcome.patient_ids)
    folds = StratifiedKFold(N_FOLDS, shuffle=True, random_state=seed).split(ids, outcome.event)
    for k, (fit, held) in enumerate(folds):
        parts = {str(i): "train" for i in ids[fit]} | {str(i): "test" for i in ids[held]}
        yield Split(f"{repeat}.{k}", parts)


def parts_of(split: Split, outcome: Outcome) -> tuple[list[str], list[str]]:
    """(fitted, held-out) patients of a split that have the outcome; held out is "test", else "validation".

    Raises
    ------
    InputError: the split leaves no patient on one side.
    """
    have = set(outcome.patient_ids)
    held_part = "test" if "test" in split.parts.values() else "validation"
    fitted = [p for p in split.ids("train") if p in have]
    held = [p for p in split.ids(held_part) if p in have]
    if not fitted or not held:
        raise InputError(
            f"fold {split.fold} has {len(fitted)} training and {len(held)} held-out patients with the outcome; "
            "both sides need some."
        )
    return fitted, held


def run_fold(
    cohort: Cohort,
    task: Task,
    split: Split,
    *,
    blocks: Sequence[str] | None = None,
    models: Sequence[str] = (DEFAULT_MODEL,),
    progress: Progress | None = None,
) -> FoldRun:
    """Fit each of ``models`` on a fold's training patients and predict its held-out ones.

    Raises
    ------
    InputError: a model that is not known, or one that is for survival asked of a label.
    """
    outcome = outcome_of(cohort, task)
    fitted, held = parts_of(split, outcome)
    design = Design.fit(cohort, fitted, blocks)
    train, new = design.values(cohort, fitted), design.values(cohort, held)
    place = {p: i for i, p in enumerate(outcome.patient_ids)}
    a, b = (np.array([place[p] for p in ids]) for ids in (fitted, held))
    known = {name: f for name, f in BASELINES.items() if task.is_survival}
    tables, figures, weights = [], {}, {}
    for name in models:
        if progress is not None:
            progress(f"fold {split.fold}: {name} on {len(fitted)} patients")
        if name == DEFAULT_MODEL:
            table, figures, weights = _default(task, outcome, (a, b), train, new)
        elif name in known:
            score = known[name](train, outcome.months[a], outcome.event[a], new)
            table = pd.DataFrame({"score": score})
        else:
            raise InputError(f"no model {name!r} for this task; allowed: {', '.join((DEFAULT_MODEL, *known))}.")
        tables.append(table.assign(patient_id=held, fold=split.fold, model=name))
    return FoldRun(split.fold, pd.concat(tables, ignore_index=True), figures, weights)


def _default(
    task: Task, outcome: Outcome, index: tuple[NDArray[np.intp], NDArray[np.intp]], train: Blocks, new: Blocks
) -> tuple[pd.DataFrame, dict[str, float], Mapping[str, float]]:
    a, b = index
    if not task.is_survival:
        model = fit_label(train, outcome.event[a])
        return pd.DataFrame({"score": model.score(new)}), {}, model.weights
    months, event = outcome.months, outcome.event
    fit = fit_calibrated(train, months[a], event[a])
    score = fit.risk_score(new)
    low, high = fit.interval(new)
    times = metrics.brier_times(months[a], months[b])
    hazard = np.exp(score)
    curves = np.exp(-np.outer(hazard, np.interp(times, fit.months, fit.cumulative_hazard)))
    last = np.exp(-hazard * np.interp(months[b], fit.months, fit.cumulative_hazard))
    brier, flat = metrics.integrated_brier((months[a], event[a]), (months[b], event[b]), times, curves)
    figures = {
        "integrated_brier": brier,
        "integrated_brier_kaplan_meier": flat,
        "slope": fit.slope,
        "out_of_distribution_share": float((fit.out_of_distribution(new) > fit.ood_limit).mean()),
    }
    table = pd.DataFrame({"score": score, "lower": low, "upper": high, "survival_at_last_time": last})
    return table, figures, fit.model.weights
