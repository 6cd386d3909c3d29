"""Networks within a cohort run: a task's outcome for them, a fit that goes on from its checkpoints, scores, losses.

    OUT/folds/FOLD/NAME/...          checkpoints while the fold is not finished; removed after
    OUT/folds/FOLD/NAME/losses.csv   every loss by name, epoch by epoch, of every network of the ensemble

What this module does not know: folds, figures.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from encoders.atomic_write import write_atomically
from encoders.cohort_models.multi_kernel import Blocks
from encoders.cohort_networks import outcomes
from encoders.cohort_networks.fit import fit_network
from encoders.cohort_networks.fitted import FittedNetwork
from encoders.cohort_networks.plan import GeneKnowledge
from encoders.cohort_networks.train_network import STATE_FILE
from encoders.cohort_runs.models import FitOptions, network_settings
from encoders.cohort_runs.tasks import LabelsTask, Outcome, Task, TaskKind

LOSSES_FILE = "losses.csv"
SECONDS_BETWEEN_EPOCHS = 2.0
"""Progress tells an epoch at most this often."""


def folder_name(model: str) -> str:
    """ "pathway, late" -> "pathway_late"."""
    return "_".join(model.replace(",", " ").split())


def network_outcome(task: Task, outcome: Outcome, loss: str) -> outcomes.Outcome:
    """The outcome of a task as networks learn it."""
    if task.kind is TaskKind.SURVIVAL:
        return outcomes.SurvivalOutcome(outcome.months, outcome.event, loss, weight=outcome.weight)
    if isinstance(task, LabelsTask):
        return outcomes.LabelsOutcome(outcome.labels, tuple(one.name for one in task.labels), outcome.weight)
    if task.kind is TaskKind.RESPONSE:
        return outcomes.ResponseOutcome(outcome.grade, outcome.weight)
    return outcomes.ClassOutcome(outcome.event.astype(np.int64), ("no", "yes"), outcome.weight)


@dataclass(frozen=True)
class Lesson:
    """What a model learns from: a task, the outcome of N patients, their blocks (N, P), names of the columns."""

    task: Task
    outcome: Outcome
    blocks: Blocks
    features: Mapping[str, Sequence[str]]


def fit_named(
    name: str,
    lesson: Lesson,
    options: FitOptions,
    *,
    folder: Path | None = None,
    progress: Callable[[str], None] | None = None,
) -> FittedNetwork:
    """Fit a network of ``NETWORKS``; with ``folder`` it goes on where it stopped, and losses.csv is written there.

    Raises
    ------
    InputError, SettingsError, UnavailableError: as ``fit_network``.
    """
    model = fit_network(
        lesson.blocks,
        network_outcome(lesson.task, lesson.outcome, options.loss),
        network_settings(name, options),
        knowledge=GeneKnowledge(lesson.features),
        folder=folder,
        progress=None if progress is None else _paced(progress),
    )
    if folder is not None:
        write_atomically(folder / LOSSES_FILE, losses_table(model).to_csv(index=False))
    return model


def _paced(say: Callable[[str], None]) -> Callable[[str], None]:
    last = 0.0

    def told(text: str) -> None:
        nonlocal last
        if time.monotonic() - last >= SECONDS_BETWEEN_EPOCHS:
            last = time.monotonic()
            say(text)

    return told


def losses_table(model: FittedNetwork) -> pd.DataFrame:
    """Columns member, network, epoch and one a named loss; "validation task" is the one that stops training."""
    rows = [
        {"member": member.name, "network": i, **epoch}
        for member in model.members
        for i, log in enumerate(member.logs)
        for epoch in log
    ]
    return pd.DataFrame(rows)


def score_table(model: FittedNetwork, task: Task, new: Blocks) -> pd.DataFrame:
    """One row a patient with ``score``; several labels: one row a label and patient, labels one after another."""
    score = model.score(new)
    if isinstance(task, LabelsTask):
        return labels_table({one.name: score[:, i] for i, one in enumerate(task.labels)})
    return pd.DataFrame({"score": score})


def labels_table(scores: Mapping[str, np.ndarray]) -> pd.DataFrame:
    """Label -> (M,) as rows ``label``, ``score``, the M patients in order for each label."""
    return pd.concat([pd.DataFrame({"label": name, "score": score}) for name, score in scores.items()])


def clear_checkpoints(folder: Path) -> None:
    """Remove the checkpoints of a finished fold; losses and explanations stay."""
    for state in folder.glob(f"*/*/{STATE_FILE}"):
        for path in (*state.parent.glob("epoch_*.safetensors"), state):
            path.unlink()
        state.parent.rmdir()
