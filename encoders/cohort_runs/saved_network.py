"""A cohort network on disk: its state, the columns it reads, and a card, through encoders/checkpoints.py.

What this module does not know: how a model was validated. A stack (late, hybrid) holds the outcomes and out-of-fold
scores of its training patients, which its card says.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from encoders.checkpoints import load_checkpoint, save_checkpoint
from encoders.cohort_models.design import Design
from encoders.cohort_networks.fit import network_from_state
from encoders.cohort_networks.fitted import FittedNetwork
from encoders.cohort_runs.cross_validation import readable, weighted_outcome
from encoders.cohort_runs.models import FitOptions
from encoders.cohort_runs.network_fits import Lesson, fit_named, losses_table
from encoders.cohort_runs.tasks import Task
from encoders.cohorts.cohort import Cohort
from encoders.errors import UnavailableError

ARCHITECTURE = "cohort network"
STACK_DATA = "holds the outcomes and out-of-fold scores of the training patients: keep it like the cohort itself"
NETWORK_DATA = "holds no patient's features or outcome; means and spreads of the columns only"


def fit_to_all(
    name: str,
    cohort: Cohort,
    task: Task,
    *,
    blocks: tuple[str, ...] | None = None,
    options: FitOptions | None = None,
    checkpoints: Path | None = None,
    progress: Callable[[str], None] | None = None,
) -> tuple[FittedNetwork, Design]:
    """Fit the named network to every patient with the outcome; with ``checkpoints`` it goes on where it stopped.

    Raises
    ------
    InputError, SettingsError, UnavailableError: as ``fit_network``.
    """
    options = options or FitOptions()
    outcome, cohort = weighted_outcome(cohort, task, options), readable(cohort, options)
    design = Design.fit(cohort, outcome.patient_ids, blocks)
    lesson = Lesson(task, outcome, design.values(cohort, outcome.patient_ids), design.blocks)
    return fit_named(name, lesson, options, folder=checkpoints, progress=progress), design


def write_network(folder: Path, name: str, model: FittedNetwork, design: Design, card: Mapping[str, Any]) -> str:
    """Write model.safetensors and card.json into ``folder``; returns the SHA-256 of the weights.

    card : must say id, training, metrics, limits; the last epoch's losses are added by name
    """
    tensors, described = model.state()
    inputs = {**design.to_inputs(), "fitted_blocks": list(model.block_names)}
    last = losses_table(model).groupby(["member", "network"]).tail(1).drop(columns=["member", "network"])
    losses = {str(loss): float(value) for loss, value in last.mean().items() if loss != "epoch"}
    return save_checkpoint(
        folder,
        tensors,
        {
            **card,
            "architecture": ARCHITECTURE,
            "network": {"name": name, **described},
            "inputs": inputs,
            "last_losses": losses,
            "patient_data": NETWORK_DATA if model.stack is None else STACK_DATA,
        },
    )


def read_network(folder: Path) -> tuple[FittedNetwork, Design, Mapping[str, Any]]:
    """The network, the columns it reads, and its card; scores are those of the model that was written.

    Raises
    ------
    UnavailableError: files missing, the hash differs from the card's, or the card is of another kind of model.
    """
    checkpoint = load_checkpoint(folder)
    if checkpoint.card["architecture"] != ARCHITECTURE:
        raise UnavailableError(
            f"{folder} holds a {checkpoint.card['architecture']!r} model, not a {ARCHITECTURE}; give a run whose first "
            "--model is a network."
        )
    design = Design.from_inputs(checkpoint.card["inputs"])
    return network_from_state(checkpoint.tensors, checkpoint.card["network"]), design, checkpoint.card
