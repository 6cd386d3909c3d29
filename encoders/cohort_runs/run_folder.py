"""Train on a cohort into a run folder: cross-validated figures first, then the model of all patients.

    OUT/config.json        cohort, task, blocks, models, seed: a run of another configuration is refused
    OUT/folds/FOLD.csv     predictions of one fold; FOLD.json its figures: a stopped run goes on where it was
    OUT/checks/, OUT/explanations/   what fold_checks.py asks of each fold's model, where a report is wanted
    OUT/predictions.csv    every held-out prediction: patient_id, fold, model, score, lower, upper ...
    OUT/metrics.json       figures of every model, with intervals and paired differences
    OUT/model/             weights and card of the model of all patients (survival, one label, a network)
    OUT/run.md, run.html   the same for people

What this module does not know: formats of cohorts, how a figure is drawn.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from encoders.atomic_write import write_atomically
from encoders.cohort_models import metrics
from encoders.cohort_models.design import Design
from encoders.cohort_models.label_model import fit_calibrated_label
from encoders.cohort_models.saved_model import save_label, save_survival
from encoders.cohort_models.survival_model import fit_calibrated
from encoders.cohort_networks.networks import NETWORKS
from encoders.cohort_runs.adapt_cohort import clinical_units
from encoders.cohort_runs.cross_validation import (
    DEFAULT_MODEL,
    EXPLANATIONS_FILE,
    FoldRun,
    Outcome,
    Progress,
    Task,
    folds_of,
    outcome_of,
    readable,
    run_fold,
)
from encoders.cohort_runs.explained_folds import explanations_over_folds
from encoders.cohort_runs.fold_checks import CheckedRun
from encoders.cohort_runs.models import FitOptions, own_model
from encoders.cohort_runs.network_fits import clear_checkpoints, folder_name
from encoders.cohort_runs.run_page import write_run_page
from encoders.cohort_runs.run_report import report_on
from encoders.cohort_runs.saved_network import fit_to_all, write_network
from encoders.cohort_runs.task_figures import summarise_task
from encoders.cohort_runs.tasks import TaskKind
from encoders.cohorts.cohort import Cohort
from encoders.errors import SettingsError


@dataclass(frozen=True)
class RunSettings:
    """What a run does. blocks : None = all; repeats : of self-made folds (given folds are run once).

    report : also check and explain the default model over the folds, and write run.md and run.html
    subgroups : columns to group by in the report, beside those found by name
    """

    task: Task
    models: tuple[str, ...] = (DEFAULT_MODEL,)
    blocks: tuple[str, ...] | None = None
    repeats: int = 1
    seed: int = 0
    options: FitOptions = field(default_factory=FitOptions)
    report: bool = field(default=False, repr=False)
    subgroups: tuple[str, ...] = field(default=(), repr=False)

    @property
    def fit_options(self) -> FitOptions:
        """Options of the networks, with the run's seed."""
        return replace(self.options, seed=self.seed)


def train_on_cohort(
    cohort: Cohort, settings: RunSettings, out: Path, *, progress: Progress | None = None
) -> dict[str, Any]:
    """Cross-validate, fit on everyone, write the run folder; returns what metrics.json holds.

    Raises
    ------
    SettingsError: ``out`` holds a run of another configuration.
    InputError: what the cohort lacks for the task, or too few events.
    """
    say = progress or (lambda _: None)
    config = _config(cohort, settings)
    _claim(out, config)
    splits = folds_of(cohort, settings.task, repeats=settings.repeats, seed=settings.seed)
    folds = [_run_or_read(out, cohort, settings, split, say) for split in splits]
    table = pd.concat([fold.table for fold in folds], ignore_index=True)
    figures = summarise(outcome_of(cohort, settings.task), folds, settings.task, seed=settings.seed)
    own = own_model(settings.models)
    figures |= _told(out, folds, own)
    if settings.report:
        read, outcome = readable(cohort, settings.options), outcome_of(cohort, settings.task)
        asked = CheckedRun(out, read, settings.task, outcome, settings.blocks, True, say)
        table, said = report_on(asked, splits, folds, subgroups=settings.subgroups, seed=settings.seed)
        figures |= said
    write_atomically(out / "predictions.csv", table.to_csv(index=False))
    write_atomically(out / "metrics.json", json.dumps(figures, indent=1) + "\n")
    if own in NETWORKS:
        say(f"fitting {own} to all patients")
        place = out / "folds" / "all"
        model, design = fit_to_all(
            own, cohort, settings.task,
            blocks=settings.blocks, options=settings.fit_options, checkpoints=place / folder_name(own), progress=say,
        )  # fmt: skip
        card = _card(cohort, settings, config, figures)
        ids = outcome_of(cohort, settings.task).patient_ids
        card["training"] |= {"patient_ids": list(ids), "clinical_units": clinical_units(cohort)}
        write_network(out / "model", own, model, design, card)
        clear_checkpoints(place)
    elif settings.task.is_survival or settings.task.positive:
        say("fitting the model of all patients")
        _write_model(out / "model", readable(cohort, settings.options), settings, config, figures)
    if settings.report:
        write_run_page(out)
    return figures


def _told(out: Path, folds: Sequence[FoldRun], own: str) -> dict[str, Any]:
    """Notes of the models with the number of folds each is of, and the explanations of the run's own network."""
    notes = dict(Counter(note for fold in folds for note in fold.notes))
    files = [out / "folds" / fold.fold / folder_name(own) / EXPLANATIONS_FILE for fold in folds]
    explained = explanations_over_folds(files) if own in NETWORKS else []
    return {name: value for name, value in (("notes", notes), ("network_explanations", explained)) if value}


def _config(cohort: Cohort, settings: RunSettings) -> dict[str, Any]:
    return {
        "cohort": cohort.name,
        "patients": len(cohort.patient_ids),
        "cohort_sha256": content_hash(cohort),
        "task": settings.task.name,
        "positive": list(settings.task.positive),
        "models": list(settings.models),
        "blocks": None if settings.blocks is None else list(settings.blocks),
        "repeats": settings.repeats,
        "seed": settings.seed,
        **({} if len(settings.task.positive) or settings.task.is_survival else {"kind": settings.task.kind.value}),
        **settings.options.changed(),
    }


def content_hash(cohort: Cohort) -> str:
    """SHA-256 of all that training reads: ids, blocks, units, clinical columns, endpoints, labels, batches."""
    found = hashlib.sha256("\n".join(cohort.patient_ids).encode())
    for name, block in cohort.blocks.items():
        said = (name, block.kind.value, block.unit, block.features, block.patient_ids, cohort.batch_columns.get(name))
        found.update(repr(said).encode())
        found.update(np.ascontiguousarray(block.values).tobytes())
    for name, end in cohort.endpoints.items():
        found.update(repr((name, end.patient_ids)).encode() + end.followup_months.tobytes() + end.event.tobytes())
    for table in (cohort.clinical, cohort.labels):
        found.update(table.to_csv().encode())
    return found.hexdigest()


def _claim(out: Path, config: Mapping[str, Any]) -> None:
    path = out / "config.json"
    if path.is_file() and (before := json.loads(path.read_text(encoding="utf-8"))) != config:
        changed = sorted(k for k in {*config, *before} if before.get(k) != config.get(k))
        raise SettingsError(
            f"{out} holds a run with another {', '.join(changed)}; give another --out, or remove that folder."
        )
    if not path.is_file() and out.is_dir() and any(out.iterdir()):
        raise SettingsError(f"{out} is not empty and holds no run; give another --out.")
    write_atomically(path, json.dumps(config, indent=1) + "\n")


def _run_or_read(out: Path, cohort: Cohort, settings: RunSettings, split: Any, say: Progress) -> FoldRun:
    table, figures = out / "folds" / f"{split.fold}.csv", out / "folds" / f"{split.fold}.json"
    if table.is_file() and figures.is_file():
        say(f"fold {split.fold}: read from {out.name}")
        said = json.loads(figures.read_text(encoding="utf-8"))
        read = pd.read_csv(table, dtype={"patient_id": str, "fold": str})
        return FoldRun(split.fold, read, said["figures"], said["weights"], tuple(said.get("notes", ())))
    place = out / "folds" / split.fold
    run = run_fold(
        cohort, settings.task, split,
        blocks=settings.blocks, models=settings.models, options=settings.fit_options, folder=place, progress=say,
    )  # fmt: skip
    write_atomically(table, run.table.to_csv(index=False))
    said = {"figures": run.figures, "weights": run.weights, "notes": run.notes}
    write_atomically(figures, json.dumps(said, indent=1) + "\n")
    clear_checkpoints(place)
    return run


def summarise(outcome: Outcome, folds: Sequence[FoldRun], task: Task, *, seed: int = 0) -> dict[str, Any]:
    """Figures of each model over the folds, and the default's paired difference to each other one.

    Concordance (survival) or AUC (label): mean over folds, 95 % bootstrap interval with patients drawn anew within
    folds, and the same for the paired difference. For the default survival model also the mean integrated Brier score
    beside Kaplan-Meier's and the coverage of its 90 % intervals of the event time.
    """
    table = pd.concat([fold.table for fold in folds], ignore_index=True)
    if task.kind in (TaskKind.LABELS, TaskKind.RESPONSE):
        return summarise_task(outcome, table, task, seed=seed)
    place = {p: i for i, p in enumerate(outcome.patient_ids)}
    wide = table.pivot(index=["fold", "patient_id"], columns="model", values="score").reset_index()
    row = wide["patient_id"].map(place).to_numpy()
    months, event = outcome.months[row], outcome.event[row]
    members = [np.flatnonzero(wide["fold"].to_numpy() == fold.fold) for fold in folds]
    names = [name for name in wide.columns if name not in ("fold", "patient_id")]

    def figure(name: str, index: NDArray[np.intp]) -> float:
        score = wide[name].to_numpy()[index]
        if task.is_survival:
            return metrics.concordance(months[index], event[index], score)
        return metrics.area_under_curve(event[index], score)

    found: dict[str, Any] = {"figure": "C-index" if task.is_survival else "AUC", "folds": len(folds), "models": {}}
    for name in names:
        mean, interval = metrics.mean_over_folds(members, lambda i, n=name: figure(n, i), seed=seed)
        found["models"][name] = {"mean": mean, "interval": interval, "by_fold": [figure(name, m) for m in members]}
        if name != DEFAULT_MODEL and DEFAULT_MODEL in names:
            gap, between = metrics.mean_over_folds(
                members, lambda i, n=name: figure(DEFAULT_MODEL, i) - figure(n, i), seed=seed
            )
            found["models"][name] |= {"default_minus_this": gap, "default_minus_this_interval": between}
    if task.is_survival and DEFAULT_MODEL in names:
        found["trust"] = _trust(table, folds, outcome, place)
    return found


def _trust(
    table: pd.DataFrame, folds: Sequence[FoldRun], outcome: Outcome, place: Mapping[str, int]
) -> dict[str, float]:
    mean = {name: float(np.mean([f.figures[name] for f in folds])) for name in folds[0].figures}
    own = table[table["model"] == DEFAULT_MODEL]
    event = outcome.event[own["patient_id"].map(place).to_numpy()]
    return {**mean, "coverage_of_90": metrics.interval_coverage(own["survival_at_last_time"].to_numpy(), event)}


def _write_model(
    folder: Path, cohort: Cohort, settings: RunSettings, config: Mapping[str, Any], figures: Mapping[str, Any]
) -> None:
    outcome = outcome_of(cohort, settings.task)
    design = Design.fit(cohort, outcome.patient_ids, settings.blocks)
    values = design.values(cohort, outcome.patient_ids)
    card = _card(cohort, settings, config, figures)
    card["training"] |= {"patient_ids": list(outcome.patient_ids), "clinical_units": clinical_units(cohort)}
    if settings.task.is_survival:
        survival = fit_calibrated(values, outcome.months, outcome.event, probation=design.on_probation)
        card["effects"] = dict(survival.model.weights)
        save_survival(folder, survival, design, (outcome.months, outcome.event), card)
    else:
        label = fit_calibrated_label(values, outcome.event, seed=settings.seed, probation=design.on_probation)
        card["effects"] = dict(label.model.weights)
        save_label(folder, label, design, card)


def _card(
    cohort: Cohort, settings: RunSettings, config: Mapping[str, Any], figures: Mapping[str, Any]
) -> dict[str, Any]:
    """What every model's card says."""
    return {
        "id": f"radomica-cohort-{cohort.name}-{settings.task.name}",
        "training": {**config, "source": cohort.source, "licence": cohort.licence, "citation": cohort.citation},
        "metrics": figures,
        "limits": "Research use only. Figures are cross-validated on this cohort alone.",
    }
