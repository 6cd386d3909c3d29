"""What the fusion benchmark's groups share: reading a real cohort, a cross-validated run kept on disk, intervals.

A finished run is read again instead of made again, so that a stopped benchmark goes on; a run of another commit is
used too, and every row that rests on one says so. Not known here: which runs a group wants, or their bars.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.stats import t as student

from encoders.atomic_write import write_atomically
from encoders.cohort_models import metrics
from encoders.cohort_models.baselines import BASELINES
from encoders.cohort_runs.cross_validation import DEFAULT_MODEL, Outcome, Task, outcome_of
from encoders.cohort_runs.run_folder import RunSettings, train_on_cohort
from encoders.cohorts.cohort import Cohort
from encoders.cohorts.import_cohort import ImportSettings, import_cohort
from encoders.errors import InputError
from eval.benchmark import Progress, Row, commit
from eval.intervals import Interval

CANCERS: tuple[str, ...] = ("blca", "brca", "coadread", "gbmlgg", "kirc", "lihc", "paad", "skcm", "ucec")
"""The nine cancers of the PORPOISE tables."""

DEATH = Task("OS")
NO_BAR = 0.0
"""Bar of a row that is reported without one; its note says so."""


@dataclass(frozen=True)
class FusionBench:
    """Where the data are, where runs are kept, and which cancers are measured.

    data : folder that holds omics_survival/ and radiogenomics/
    runs : one run folder per cohort and choice of blocks
    """

    data: Path
    runs: Path
    seed: int = 0
    progress: Progress = None
    cancers: tuple[str, ...] = CANCERS

    def say(self, text: str) -> None:
        """Tell the progress, where somebody listens."""
        if self.progress:
            self.progress(text)

    def porpoise(self, cancer: str) -> Cohort:
        """The PORPOISE table of a cancer with its official folds."""
        return _read(self.data / "omics_survival", f"porpoise-{cancer}")

    def cohort(self, folder: str, mapping: str) -> Cohort:
        """A cohort of ``folder`` through a shipped mapping."""
        return _read(self.data / folder, mapping)

    def subset(self, wanted: Sequence[str]) -> tuple[str, ...]:
        """Those of ``wanted`` that are measured here."""
        return tuple(c for c in wanted if c in self.cancers)


@lru_cache(maxsize=3)
def _read(source: Path, mapping: str) -> Cohort:
    return import_cohort(source, ImportSettings(mapping=mapping))


@dataclass(frozen=True)
class FinishedRun:
    """A cross-validated run.

    figures : what metrics.json holds; predictions : patient_id, fold, model, score, ...
    by_fold : fold -> figures of the default model ("integrated_brier" ...); weights : fold -> effect -> variance
    seconds : wall time it took to make (of the call that finished it)
    note : what a reader must know of how it was made; "" = nothing
    """

    outcome: Outcome
    task: Task
    figures: Mapping[str, Any]
    predictions: pd.DataFrame
    by_fold: Mapping[str, Mapping[str, float]]
    weights: Mapping[str, Mapping[str, float]]
    seconds: float
    note: str = ""

    def mean(self, model: str = DEFAULT_MODEL) -> float:
        """Mean C-index or AUC over the folds."""
        return float(self.figures["models"][model]["mean"])

    def interval(self, model: str = DEFAULT_MODEL) -> Interval:
        """95 % bootstrap interval of ``mean``, patients drawn anew within folds."""
        low, high = self.figures["models"][model]["interval"]
        return float(low), float(high)

    def fold_values(self, model: str = DEFAULT_MODEL) -> NDArray[np.float64]:
        """(K,) C-index or AUC of each fold, in the order of the folds."""
        return np.array(self.figures["models"][model]["by_fold"], np.float64)

    def scores(self, model: str = DEFAULT_MODEL) -> pd.Series:
        """Score by (fold, patient_id)."""
        table = self.predictions[self.predictions["model"] == model]
        return table.set_index(["fold", "patient_id"])["score"]

    @property
    def n(self) -> int:
        """Patients with a held-out prediction."""
        return int(self.predictions["patient_id"].nunique())


def finished_run(
    bench: FusionBench,
    cohort: Cohort,
    task: Task,
    name: str,
    *,
    blocks: tuple[str, ...] | None = None,
    models: tuple[str, ...] = (DEFAULT_MODEL,),
    repeats: int = 1,
) -> FinishedRun:
    """The run kept under ``name``, made now (or gone on with) where it is not finished.

    Raises
    ------
    SettingsError: the folder holds a run of another configuration.
    InputError: what the cohort lacks for the task.
    """
    settings = RunSettings(task, models=models, blocks=blocks, repeats=repeats, seed=bench.seed)
    out, marker = bench.runs / name, bench.runs / f"{name}.finished.json"
    said = json.loads(marker.read_text(encoding="utf-8")) if marker.is_file() else {}
    if said.get("settings") != repr(settings) or said.get("patients") != len(cohort.patient_ids):
        already = len(list((out / "folds").glob("*.json")))
        start = time.monotonic()
        train_on_cohort(cohort, settings, out, progress=lambda text: bench.say(f"{name}: {text}"))
        said = {
            "settings": repr(settings),
            "patients": len(cohort.patient_ids),
            "seconds": time.monotonic() - start,
            "folds_read": already,
            "commit": commit(),
        }
        write_atomically(marker, json.dumps(said) + "\n")
    folds = {path.stem: json.loads(path.read_text(encoding="utf-8")) for path in sorted((out / "folds").glob("*.json"))}
    return FinishedRun(
        outcome=outcome_of(cohort, task),
        task=task,
        figures=json.loads((out / "metrics.json").read_text(encoding="utf-8")),
        predictions=pd.read_csv(out / "predictions.csv", dtype={"patient_id": str, "fold": str}),
        by_fold={fold: found["figures"] for fold, found in folds.items()},
        weights={fold: found["weights"] for fold, found in folds.items()},
        seconds=said["seconds"],
        note=_run_note(said),
    )


def _run_note(said: Mapping[str, Any]) -> str:
    parts = []
    if said["folds_read"]:
        parts.append(f"{said['folds_read']} folds stood from an earlier call, their seconds are not counted")
    if said["commit"] != commit():
        parts.append(f"run made at commit {said['commit']}")
    return "; ".join(parts)


def porpoise_run(bench: FusionBench, cancer: str) -> FinishedRun:
    """The official five folds of a cancer: the default model with the three baselines beside it."""
    models = (DEFAULT_MODEL, *BASELINES)
    return finished_run(bench, bench.porpoise(cancer), DEATH, f"porpoise-{cancer}", models=models)


def joined(*parts: str) -> str:
    """The parts of a note that say something, joined; each once."""
    return "; ".join(dict.fromkeys(part for part in parts if part))


@dataclass(frozen=True)
class Difference:
    """Mean over folds of left less right; interval : patients drawn anew within folds; unpaired : left out, counted."""

    mean: float
    interval: Interval
    by_fold: NDArray[np.float64]
    n: int
    unpaired: int = 0


def paired_difference(left: FinishedRun, right: FinishedRun, *, seed: int) -> Difference:
    """C-index or AUC of ``left`` less that of ``right``, on the patients both have in the same fold.

    Raises
    ------
    InputError: no patient is in the same fold of both.
    """
    a, b = left.scores(), right.scores()
    both = pd.concat({"left": a, "right": b}, axis=1, join="inner").reset_index()
    if both.empty:
        raise InputError("the two runs have no held-out patient of the same fold in common; compare runs of one split.")
    row = pd.Index(left.outcome.patient_ids).get_indexer(both["patient_id"])
    months, event = left.outcome.months[row], left.outcome.event[row]

    def gap(index: NDArray[np.intp]) -> float:
        values = []
        for side in ("left", "right"):
            score = both[side].to_numpy()[index]
            if left.task.is_survival:
                values.append(metrics.concordance(months[index], event[index], score))
            else:
                values.append(metrics.area_under_curve(event[index], score))
        return values[0] - values[1]

    members = [np.flatnonzero(both["fold"].to_numpy() == fold) for fold in sorted(set(both["fold"]))]
    mean, interval = metrics.mean_over_folds(members, gap, seed=seed)
    return Difference(
        mean,
        interval,
        np.array([gap(m) for m in members]),
        int(both["patient_id"].nunique()),
        len(a) + len(b) - 2 * len(both),
    )


def mean_of_independent(values: Sequence[float], intervals: Sequence[Interval]) -> tuple[float, Interval]:
    """Mean of independent figures with its 95 % interval, recovered from theirs (method of variance estimates).

    Raises
    ------
    InputError: nothing to take the mean of.

    References
    ----------
    Zou & Donner, Stat Med 2008, 10.1002/sim.3095.
    """
    if not values:
        raise InputError("the mean of no figure does not exist; give at least one.")
    value, ends = np.asarray(values, np.float64), np.asarray(intervals, np.float64)
    below, above = np.sqrt(((value - ends[:, 0]) ** 2).sum()), np.sqrt(((ends[:, 1] - value) ** 2).sum())
    mean = float(value.mean())
    return mean, (mean - float(below) / len(value), mean + float(above) / len(value))


def student_interval(values: NDArray[np.float64]) -> Interval:
    """95 % interval of the mean of values (K,) by Student's t; taken as independent, which folds nearly are not.

    Raises
    ------
    InputError: fewer than two finite values.
    """
    value = values[np.isfinite(values)]
    if len(value) < 2:
        raise InputError(f"{len(value)} finite values; an interval of their mean needs at least 2.")
    half = float(student.ppf(0.975, len(value) - 1) * value.std(ddof=1) / np.sqrt(len(value)))
    return float(value.mean()) - half, float(value.mean()) + half


@dataclass
class Rows:
    """Rows of one group as they come; ids get the group's name in front."""

    group: str
    rows: list[Row] = field(default_factory=list)

    def add(self, row: Row) -> None:
        """Append a row whose id is told without the group."""
        self.rows.append(replace(row, id=f"fusion.{self.group}.{row.id}"))
