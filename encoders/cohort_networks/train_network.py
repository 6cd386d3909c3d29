"""Train one cohort network: AdamW, named losses, early stopping on a validation part, checkpoints to go on from.

The random state of an epoch comes from the seed and the epoch's number alone, so a run that was cut off and resumed
ends with the same weights, bit for bit, on the same machine.

What this module does not know: scaling, ensembles, files other than its own checkpoint.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import load, save
from sklearn.model_selection import train_test_split
from torch import Tensor

from encoders.atomic_write import write_atomically
from encoders.cohort_networks.losses import combine
from encoders.cohort_networks.network import CohortNetwork
from encoders.cohort_networks.outcomes import Target, Task, strata
from encoders.cohort_networks.plan import Plan
from encoders.cohort_networks.settings import TASK, NetworkSettings
from encoders.compute import training_device
from encoders.errors import UnavailableError

Progress = Callable[[str], None] | None
STATE_FILE = "state.json"
CLIP_GRADIENT = 1.0


@dataclass(frozen=True)
class Patients:
    """Standardised rows of N patients: block -> (N, P), 0 where absent; present (N, M) bool; their targets."""

    rows: Mapping[str, Tensor]
    present: Tensor
    target: Target

    def take(self, index: NDArray[np.intp] | Tensor) -> Patients:
        """Some of the patients."""
        i = torch.as_tensor(index, device=self.present.device)
        return Patients(
            {n: v[i] for n, v in self.rows.items()}, self.present[i], {n: v[i] for n, v in self.target.items()}
        )

    def only(self, block: str) -> Patients:
        """The patients that have a block, with that block alone."""
        i = list(self.rows).index(block)
        have = self.present[:, i]
        part = self.take(have.nonzero().squeeze(1))
        return Patients({block: part.rows[block]}, part.present[:, i : i + 1], part.target)

    def to(self, device: str) -> Patients:
        """On another device."""
        return Patients(
            {n: v.to(device) for n, v in self.rows.items()},
            self.present.to(device),
            {n: v.to(device) for n, v in self.target.items()},
        )


@dataclass
class _Run:
    """What changes while training, and is in a checkpoint."""

    network: CohortNetwork
    optimizer: torch.optim.Optimizer
    epoch: int = 0
    best_loss: float = float("inf")
    best_epoch: int = 0
    best: dict[str, Tensor] = field(default_factory=dict)
    log: list[dict[str, float]] = field(default_factory=list)


@dataclass(frozen=True)
class Trained:
    """A trained network (evaluation mode, CPU, best epoch) and one row of named losses an epoch."""

    network: CohortNetwork
    log: tuple[Mapping[str, float], ...]
    best_epoch: int


def train_network(
    plan: Plan, settings: NetworkSettings, task: Task, patients: Patients, *, seed: int,
    folder: Path | None = None, progress: Progress = None,
) -> Trained:  # fmt: skip
    """Train one network; with ``folder``, go on from the checkpoint there, and leave one.

    Raises
    ------
    UnavailableError: the folder's checkpoint is of other settings or data, or damaged.
    SettingsError: a device that is not there.
    """
    training = settings.training
    device = training_device(training.device)
    fit, held = _inner_split(patients, training.validation_share, seed)
    fit, held = patients.take(fit).to(device), patients.take(held).to(device)
    with one_thread(), torch.random.fork_rng(devices=[0] if device == "cuda" else []):
        torch.manual_seed(seed)
        network = CohortNetwork(plan, settings, task).to(device)
        optimizer = torch.optim.AdamW(
            network.parameters(), lr=training.learning_rate, weight_decay=training.weight_decay
        )
        run = _Run(network, optimizer)
        fingerprint = _fingerprint(plan, settings, task, patients, seed)
        if folder is not None:
            _resume(run, folder, fingerprint)
        while run.epoch < training.epochs and run.epoch - run.best_epoch < training.patience:
            torch.manual_seed(seed * 1_000_003 + run.epoch + 1)
            _train_epoch(run, fit, held)
            if progress is not None:
                progress(_told(run))
            if folder is not None and run.epoch % training.checkpoint_every == 0:
                _write(run, folder, fingerprint)
        if folder is not None:
            _write(run, folder, fingerprint)
    network.load_state_dict(run.best)
    return Trained(network.cpu().eval(), tuple(run.log), run.best_epoch)


@contextmanager
def one_thread() -> Iterator[None]:
    """One thread on the CPU: steps this small wait longer for each other than they gain, most of all on a busy machine,
    and sums then do not depend on the number of cores."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _inner_split(patients: Patients, share: float, seed: int) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Patients to fit and to stop on, stratified where every stratum has two."""
    groups = strata(patients.target)
    layers = groups if np.bincount(groups)[np.unique(groups)].min() >= 2 else None
    every = np.arange(len(groups))
    size = max(round(share * len(every)), len(np.unique(groups)))
    return tuple(train_test_split(every, test_size=size, stratify=layers, random_state=seed))


def _train_epoch(run: _Run, fit: Patients, held: Patients) -> None:
    """One pass over the patients, then the validation loss; the best weights are kept."""
    settings = run.network.settings
    training, count = settings.training, len(fit.present)
    order = torch.randperm(count, device=fit.present.device)
    batches = order.split(training.batch_size) if training.batch_size else (torch.arange(count),)
    run.network.train()
    sums: dict[str, float] = {}
    for batch in batches:
        part = fit.take(batch)
        shown = hide_blocks(part.present, training.modality_dropout)
        losses = run.network.losses(part.rows, shown, part.target)
        total = combine(losses, settings.loss_weights)
        run.optimizer.zero_grad()
        total.backward()
        torch.nn.utils.clip_grad_norm_(run.network.parameters(), CLIP_GRADIENT)
        run.optimizer.step()
        for name, value in losses.items():
            sums[name] = sums.get(name, 0.0) + float(value.detach()) * len(batch) / count
    run.network.eval()
    with torch.no_grad():
        validation = float(run.network.losses(held.rows, held.present, held.target)[TASK])
    run.epoch += 1
    run.log.append({"epoch": float(run.epoch), **sums, "validation task": validation})
    if validation < run.best_loss or not run.best:
        run.best_loss, run.best_epoch = validation, run.epoch
        run.best = {name: value.detach().clone() for name, value in run.network.state_dict().items()}


def hide_blocks(present: Tensor, chance: float) -> Tensor:
    """Modality dropout: each present block (B, M) hidden with ``chance``; a patient keeps at least one."""
    draw = torch.rand(present.shape, device=present.device)
    shown = present & (draw >= chance)
    stays = torch.where(present, draw, -1.0).argmax(1)
    lost = ~shown.any(1) & present.any(1)
    shown[lost, stays[lost]] = True
    return shown


def _told(run: _Run) -> str:
    losses = ", ".join(f"{name} {value:.4f}" for name, value in run.log[-1].items() if name != "epoch")
    return f"epoch {run.epoch} of {run.network.settings.training.epochs}: {losses}"


def _fingerprint(plan: Plan, settings: NetworkSettings, task: Task, patients: Patients, seed: int) -> str:
    """SHA-256 (hex) of everything that decides the weights; a checkpoint of anything else is refused."""
    described = json.dumps([plan.as_json(), settings.as_json(), task.as_json(), seed], sort_keys=True)
    digest = hashlib.sha256(described.encode())
    for values in (*patients.rows.values(), patients.present, *patients.target.values()):
        digest.update(values.numpy().tobytes())
    return digest.hexdigest()


def _write(run: _Run, folder: Path, fingerprint: str) -> None:
    """Weights, best weights and the optimizer's state; the JSON names the tensors' file and is replaced last."""
    tensors = {f"now.{n}": v for n, v in run.network.state_dict().items()} | {
        f"best.{n}": v for n, v in run.best.items()
    }
    for i, state in run.optimizer.state_dict()["state"].items():
        tensors |= {f"adamw.{i}.{name}": value for name, value in state.items()}
    data = save({name: value.detach().cpu().contiguous() for name, value in tensors.items()})
    name = f"epoch_{run.epoch:05d}.safetensors"
    write_atomically(folder / name, data)
    state = {
        "fingerprint": fingerprint, "tensors": name, "sha256": hashlib.sha256(data).hexdigest(), "epoch": run.epoch,
        "best_loss": run.best_loss, "best_epoch": run.best_epoch, "log": run.log,
    }  # fmt: skip
    write_atomically(folder / STATE_FILE, json.dumps(state))
    for old in folder.glob("epoch_*.safetensors"):
        if old.name != name:
            old.unlink()


def _resume(run: _Run, folder: Path, fingerprint: str) -> None:
    """Take up the checkpoint in ``folder``, if there is one."""
    if not (folder / STATE_FILE).is_file():
        return
    state = json.loads((folder / STATE_FILE).read_text(encoding="utf-8"))
    if state["fingerprint"] != fingerprint:
        raise UnavailableError(f"{folder} holds a checkpoint of other settings, data or seed; give another folder.")
    path = folder / state["tensors"]
    data = path.read_bytes() if path.is_file() else b""
    if hashlib.sha256(data).hexdigest() != state["sha256"]:
        raise UnavailableError(f"{path} is missing or not what {STATE_FILE} says; delete {folder} and train anew.")
    tensors = load(data)

    def part(prefix: str) -> dict[str, Tensor]:
        return {n.removeprefix(prefix): v for n, v in tensors.items() if n.startswith(prefix)}

    run.network.load_state_dict(part("now."))
    run.best = part("best.")
    moments: dict[int, dict[str, Tensor]] = {}
    for name, value in part("adamw.").items():
        index, _, what = name.partition(".")
        moments.setdefault(int(index), {})[what] = value
    run.optimizer.load_state_dict({**run.optimizer.state_dict(), "state": moments})
    run.epoch, run.best_loss = state["epoch"], state["best_loss"]
    run.best_epoch, run.log = state["best_epoch"], state["log"]
