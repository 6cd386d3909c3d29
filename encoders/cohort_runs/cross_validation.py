"""Held-out predictions of a cohort, fold by fold, by the default model, the baselines and the networks asked for.

Given splits are honoured; without any, folds are made by patient and event. Every fold is fitted on its training
patients alone, columns and scaling included. What this module does not know: tables for people, figures over folds.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.model_selection import StratifiedKFold

from encoders.atomic_write import write_atomically
from encoders.cohort_models import metrics
from encoders.cohort_models.baselines import BASELINES
from encoders.cohort_models.design import Design
from encoders.cohort_models.label_baselines import LABEL_BASELINES
from encoders.cohort_models.multi_kernel import Blocks, fit_label
from encoders.cohort_models.survival_model import fit_calibrated
from encoders.cohort_networks.explanations import described, explain
from encoders.cohort_networks.fitted import FittedNetwork
from encoders.cohort_networks.networks import NETWORKS
from encoders.cohort_networks.train_network import one_thread
from encoders.cohort_runs.binary_fits import BinaryFit, labels_scores, response_score
from encoders.cohort_runs.models import DEFAULT_MODEL, FitOptions, check_options, choose_models, own_model
from encoders.cohort_runs.network_fits import Lesson, fit_named, folder_name, labels_table, score_table
from encoders.cohort_runs.tasks import (
    LabelsTask,
    Outcome,
    Task,
    TaskKind,
    outcome_of,
    read_task,  # noqa: F401 - read here by those who run folds
    with_weights,
    without_column,
)
from encoders.cohorts.cohort import GENE_KINDS, Cohort, Split
from encoders.errors import InputError

N_FOLDS = 5
EXPLANATIONS_FILE = "explanations.json"
Progress = Callable[[str], None]


@dataclass(frozen=True)
class FoldRun:
    """Predictions of one fold.

    table : patient_id, fold, model, score, and for the default survival model lower, upper, survival_at_last_time; for
        several labels also label, one row a patient and label
    figures : of the default model on this fold ("integrated_brier", "integrated_brier_kaplan_meier", "slope" ...)
    weights : effect -> variance, of the default model
    notes : what a model of this fold left out or replaced, in words
    """

    fold: str
    table: pd.DataFrame
    figures: Mapping[str, float] = field(default_factory=dict)
    weights: Mapping[str, float] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class _Fold:
    """What the models of one fold are given: what they learn from, the held-out blocks (M, P) and outcomes.

    probation : blocks the default lets in only where they add to the rest
    """

    lesson: Lesson
    new: Blocks
    held: Outcome
    gene_blocks: tuple[str, ...]
    probation: frozenset[str]


@dataclass(frozen=True)
class _Predicted:
    """Predictions of one model, patients in the order of the held-out ones; the rest as in ``FoldRun``."""

    table: pd.DataFrame
    figures: Mapping[str, float] = field(default_factory=dict)
    weights: Mapping[str, float] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


def folds_of(cohort: Cohort, task: Task, *, repeats: int = 1, seed: int = 0) -> tuple[Split, ...]:
    """The cohort's own folds where it has some, else five folds by patient and outcome, made ``repeats`` times.

    Raises
    ------
    InputError: fewer events, or fewer patients without, than folds.
    """
    if cohort.splits:
        return next(iter(cohort.splits.values()))
    outcome = outcome_of(cohort, task)
    fewest = outcome.smallest_group()
    if fewest < N_FOLDS:
        raise InputError(
            f"{task.name} of cohort {cohort.name} has {fewest} patients in its smaller group; {N_FOLDS} folds need as "
            "many. Give splits with the cohort, or more patients."
        )
    return tuple(split for repeat in range(repeats) for split in _made_folds(outcome, repeat, seed + repeat))


def _made_folds(outcome: Outcome, repeat: int, seed: int) -> Iterator[Split]:
    ids = np.array(outcome.patient_ids)
    folds = StratifiedKFold(N_FOLDS, shuffle=True, random_state=seed).split(ids, outcome.strata())
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


def readable(cohort: Cohort, options: FitOptions) -> Cohort:
    """The cohort as models read it: without the column of sample weights."""
    return cohort if options.weight_column is None else without_column(cohort, options.weight_column)


def weighted_outcome(cohort: Cohort, task: Task, options: FitOptions) -> Outcome:
    """The outcome, with the sample weights where a column of them was named.

    Raises
    ------
    InputError: as ``outcome_of`` and ``with_weights``.
    """
    outcome = outcome_of(cohort, task)
    return outcome if options.weight_column is None else with_weights(outcome, cohort, options.weight_column)


def run_fold(
    cohort: Cohort,
    task: Task,
    split: Split,
    *,
    blocks: Sequence[str] | None = None,
    models: Sequence[str] = (DEFAULT_MODEL,),
    options: FitOptions | None = None,
    folder: Path | None = None,
    progress: Progress | None = None,
) -> FoldRun:
    """Fit each of ``models`` on a fold's training patients and predict its held-out ones.

    folder : networks go on from their checkpoints there, and leave losses.csv; the run's own network, the first of
        ``models``, explanations.json too

    Raises
    ------
    InputError, SettingsError: a model or option that is not known or not for this task.
    """
    options = options or FitOptions()
    choose_models(models, task.kind, baselines=False)  # refuses unknown names
    check_options(models, task.kind, options)
    say = progress or (lambda _: None)
    fold, held = _prepare(cohort, task, split, blocks, options)
    found: dict[str, _Predicted] = {}
    for name in models:
        say(f"fold {split.fold}: {name} on {len(fold.lesson.outcome.patient_ids)} patients")
        if name in NETWORKS:
            place = None if folder is None else folder / folder_name(name)
            told = _prefixed(say, f"fold {split.fold}: {name}: ")
            model = fit_named(name, fold.lesson, options, folder=place, progress=told)
            found[name] = _Predicted(score_table(model, task, fold.new), notes=model.notes)
            if place is not None and options.explain and name == own_model(models):
                told("explaining the held-out patients")
                _write_explanations(model, fold, task, place, options.seed)
        else:
            found[name] = _plain(name, fold)
    tables = [
        p.table.assign(patient_id=np.resize(held, len(p.table)), fold=split.fold, model=name)
        for name, p in found.items()
    ]
    default = found.get(DEFAULT_MODEL, _Predicted(pd.DataFrame()))
    notes = tuple(f"{name}: {note}" for name, p in found.items() for note in p.notes)
    return FoldRun(split.fold, pd.concat(tables, ignore_index=True), default.figures, default.weights, notes)


def _prefixed(say: Progress, before: str) -> Progress:
    return lambda text: say(before + text)


def _prepare(
    cohort: Cohort, task: Task, split: Split, blocks: Sequence[str] | None, options: FitOptions
) -> tuple[_Fold, list[str]]:
    outcome = weighted_outcome(cohort, task, options)
    cohort = readable(cohort, options)
    fitted, held = parts_of(split, outcome)
    design = Design.fit(cohort, fitted, blocks)
    place = {p: i for i, p in enumerate(outcome.patient_ids)}
    a, b = (outcome.take(np.array([place[p] for p in ids])) for ids in (fitted, held))
    if options.align is not None and not set(options.align) <= set(design.blocks):
        raise InputError(f"align names {', '.join(options.align)}; the blocks are {', '.join(design.blocks)}.")
    genes = tuple(n for n in design.blocks if n in cohort.blocks and cohort.blocks[n].kind in GENE_KINDS)
    lesson = Lesson(task, a, design.values(cohort, fitted), design.blocks)
    return _Fold(lesson, design.values(cohort, held), b, genes, design.on_probation), held


def _plain(name: str, fold: _Fold) -> _Predicted:
    """The default or a baseline."""
    task, outcome, train = fold.lesson.task, fold.lesson.outcome, fold.lesson.blocks
    unweighted = () if outcome.weight is None or name in LABEL_BASELINES else ("sample weights are not used",)
    if task.kind is TaskKind.SURVIVAL:
        if name == DEFAULT_MODEL:
            return _default_survival(fold, unweighted)
        score = BASELINES[name](train, outcome.months, outcome.event, fold.new)
        return _Predicted(pd.DataFrame({"score": score}), notes=unweighted)
    if task.kind is TaskKind.LABEL and name == DEFAULT_MODEL:
        model = fit_label(train, outcome.event, probation=fold.probation)
        return _Predicted(pd.DataFrame({"score": model.score(fold.new)}), {}, model.weights, unweighted)
    fit: BinaryFit = LABEL_BASELINES.get(name, partial(_default_label, probation=fold.probation))
    if task.kind is TaskKind.LABEL:
        score = fit(train, outcome.event, fold.new, outcome.weight)
        return _Predicted(pd.DataFrame({"score": score}), notes=unweighted)
    if isinstance(task, LabelsTask):
        labels = {one.name: outcome.labels[:, i] for i, one in enumerate(task.labels)}
        table = labels_table(labels_scores(fit, train, labels, fold.new, outcome.weight))
        return _Predicted(table, notes=unweighted)
    score, left_out = response_score(fit, train, outcome.grade, fold.new, outcome.weight)
    notes = tuple(f"threshold {text} has too few training patients and is left out" for text in left_out)
    return _Predicted(pd.DataFrame({"score": score}), notes=(*unweighted, *notes))


def _default_label(
    train: Blocks,
    label: NDArray[np.bool_],
    new: Blocks,
    _weight: NDArray[np.float64] | None,
    *,
    probation: frozenset[str],
) -> NDArray[np.float64]:
    return fit_label(train, label, probation=probation).score(new)


def _default_survival(fold: _Fold, notes: tuple[str, ...]) -> _Predicted:
    a, b, new = fold.lesson.outcome, fold.held, fold.new
    fit = fit_calibrated(fold.lesson.blocks, a.months, a.event, probation=fold.probation)
    score = fit.risk_score(new)
    low, high = fit.interval(new)
    times = metrics.brier_times(a.months, b.months)
    last = np.exp(-np.exp(score) * fit.hazard_at(b.months))
    brier, flat = metrics.integrated_brier((a.months, a.event), (b.months, b.event), times, fit.curves(score, times))
    figures = {
        "integrated_brier": brier,
        "integrated_brier_kaplan_meier": flat,
        "slope": fit.slope,
        "out_of_distribution_share": float((fit.out_of_distribution(new) > fit.ood_limit).mean()),
    }
    table = pd.DataFrame({"score": score, "lower": low, "upper": high, "survival_at_last_time": last})
    return _Predicted(table, figures, fit.model.weights, notes)


def _write_explanations(model: FittedNetwork, fold: _Fold, task: Task, folder: Path, seed: int) -> None:
    """Explain the held-out patients; columns of gene blocks are deleted, of all blocks where there are none."""
    names = [n for n in fold.gene_blocks if n in model.block_names] or list(model.block_names)
    outputs = {one.name: i for i, one in enumerate(task.labels)} if isinstance(task, LabelsTask) else {task.name: None}
    new, features = {n: fold.new[n] for n in model.block_names}, fold.lesson.features
    rows = []
    with one_thread():
        for label, output in outputs.items():
            for found in explain(model, new, features, output=output):
                tested = found.test(model, new, names, output=output, seed=seed)
                rows.append({"of": label, "patients": len(tested.before), **described(found, features, tested)})
    write_atomically(folder / EXPLANATIONS_FILE, json.dumps(rows, indent=1) + "\n")
