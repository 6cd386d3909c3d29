"""Fit a network to a cohort, and bring one back from its saved state: the entry of this package.

    model = fit_network(blocks, SurvivalOutcome(months, event), NETWORKS["pathway, attention"], knowledge=knowledge)
    model.score(new_blocks)

What this module does not know: cohorts on disk, splits, figures. Each row of a block is one patient, so the inner
validation part is by patient. Not checked: proportional hazards.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from sklearn.model_selection import KFold, StratifiedKFold
from torch import Tensor

from encoders.cohort_models.kernels import BlockScaler
from encoders.cohort_models.multi_kernel import Blocks
from encoders.cohort_networks.fitted import FittedNetwork, Member
from encoders.cohort_networks.network import CohortNetwork, single_block_plan
from encoders.cohort_networks.outcomes import Outcome, Task, strata, task_of
from encoders.cohort_networks.plan import ALL, GeneKnowledge, Plan, fit_scalers, make_plan, plan_from_json
from encoders.cohort_networks.settings import ATTENTION, HYBRID, LATE, NetworkSettings
from encoders.cohort_networks.stack import Stack, make_stack
from encoders.cohort_networks.train_network import Patients, Progress, Trained, train_network
from encoders.errors import InputError

MIN_PATIENTS = 10


def fit_network(
    blocks: Blocks,
    outcome: Outcome,
    settings: NetworkSettings | None = None,
    *,
    knowledge: GeneKnowledge | None = None,
    folder: Path | None = None,
    progress: Progress = None,
) -> FittedNetwork:
    """Fit a network to blocks (N, P) and an outcome of the same N patients.

    Parameters
    ----------
    blocks : name -> (N, P), NaN = absent, a patient without a block has a row of NaN
    knowledge : names of the columns, gene sets, gene network; needed by gene encoders
    folder : where checkpoints are left and training goes on from; None = none
    progress : called after every epoch with which network of how many it is, the epoch and the named losses

    Raises
    ------
    InputError: nothing to learn from, unequal lengths, fewer than ``MIN_PATIENTS`` patients, a patient without a block.
    SettingsError, UnavailableError: see settings.py, plan.py and train_network.py.
    """
    settings, knowledge = settings or NetworkSettings(), knowledge or GeneKnowledge()
    task, target = task_of(outcome)
    scalers, notes = fit_scalers(blocks)
    size, expected = len(next(iter(blocks.values()))), len(target["weight"])
    if size != expected or size < MIN_PATIENTS:
        raise InputError(
            f"blocks of {size} patients, outcomes of {expected}; the same {MIN_PATIENTS} or more are needed."
        )
    rows = {name: scaler.transform(blocks[name]) for name, scaler in scalers.items()}
    plan = make_plan(rows, _kept_names(scalers, knowledge), settings, knowledge)
    present = np.stack([np.isfinite(values).all(axis=1) for values in rows.values()], 1)
    if not present.any(1).all():
        raise InputError(f"{int((~present.any(1)).sum())} patients have none of the blocks; drop them.")
    tensors = {name: torch.tensor(np.nan_to_num(values), dtype=torch.float32) for name, values in rows.items()}
    patients = Patients(tensors, torch.tensor(present), target)
    if settings.fusion in (LATE, HYBRID):
        members, stack = _fit_stack(plan, settings, task, patients, folder=folder, progress=progress)
    else:
        seeds = range(settings.training.seed, settings.training.seed + settings.training.seeds)
        trained = [
            train_network(
                plan, settings, task, patients,
                seed=s, folder=_part(folder, f"seed_{s}"), progress=_numbered(progress, i, len(seeds)),
            )
            for i, s in enumerate(seeds)
        ]  # fmt: skip
        members, stack = (_member(ALL, trained, [patients] * len(trained)),), None
    return FittedNetwork(settings, task, plan, scalers, members, stack, (*notes, *plan.notes))


def _numbered(progress: Progress, i: int, count: int) -> Progress:
    return None if progress is None else lambda text: progress(f"network {i + 1} of {count}, {text}")


def _kept_names(scalers: Mapping[str, BlockScaler], knowledge: GeneKnowledge) -> dict[str, tuple[str, ...]]:
    """Names of the columns that were kept, of every block whose names are known."""
    found = {}
    for name, scaler in scalers.items():
        names = knowledge.features.get(name)
        if names is None:
            continue
        if len(names) != len(scaler.keep):
            raise InputError(f"block {name} has {len(scaler.keep)} columns and {len(names)} names; give one for each.")
        found[name] = tuple(n for n, keep in zip(names, scaler.keep, strict=True) if keep)
    return found


def _part(folder: Path | None, name: str) -> Path | None:
    return None if folder is None else folder / name.replace("/", "_")


def _member(name: str, trained: list[Trained], learned_from: list[Patients]) -> Member:
    with torch.no_grad():
        centres = [t.network(p.rows, p.present).scores.mean(0) for t, p in zip(trained, learned_from, strict=True)]
    return Member(name, tuple(t.network for t in trained), torch.stack(centres), tuple(t.log for t in trained))


def _fit_stack(
    plan: Plan, settings: NetworkSettings, task: Task, patients: Patients, *, folder: Path | None, progress: Progress
) -> tuple[tuple[Member, ...], Stack]:
    """Members trained fold by fold, each patient scored by networks that did not see the patient; then the weights.

    A member keeps the network of every fold and averages them, so what is stacked is what is used.
    """
    single = replace(settings, fusion=ATTENTION, align=None)
    wanted = [(name, single_block_plan(plan, name), single) for name, _ in plan.blocks]
    if settings.fusion == HYBRID:
        wanted.append((ALL, plan, replace(settings, fusion=ATTENTION)))
    members, scores, available = [], [], []
    for i, (name, part, chosen) in enumerate(wanted):
        first, count = i * settings.training.folds, len(wanted) * settings.training.folds
        have = torch.ones(len(patients.present), dtype=torch.bool)
        mine = patients
        if name != ALL:
            have = patients.present[:, list(patients.rows).index(name)]
            mine = patients.only(name)
        member, out = _cross_fit(
            name, part, chosen, task, mine,
            folder=folder, progress=[_numbered(progress, first + k, count) for k in range(settings.training.folds)],
        )  # fmt: skip
        spread = torch.zeros(len(have), task.n_scores)
        spread[have] = out
        members.append(member)
        scores.append(spread)
        available.append(have)
    return tuple(members), make_stack(task, torch.stack(scores, 1), torch.stack(available, 1), patients.target)


def _cross_fit(
    name: str, plan: Plan, settings: NetworkSettings, task: Task, patients: Patients, *, folder: Path | None,
    progress: Sequence[Progress],
) -> tuple[Member, Tensor]:  # fmt: skip
    """A member of one network a fold, and the centred out-of-fold scores (N, K) of its patients; progress a fold."""
    training = settings.training
    groups = strata(patients.target)
    enough = np.bincount(groups)[np.unique(groups)].min() >= training.folds
    folds = (StratifiedKFold if enough else KFold)(training.folds, shuffle=True, random_state=training.seed)
    out = torch.zeros(len(groups), task.n_scores)
    trained, learned_from, helds = [], [], []
    for k, (fit, held) in enumerate(folds.split(groups, groups)):
        part = patients.take(fit)
        place = _part(folder, f"{name}_fold_{k}")
        trained.append(
            train_network(plan, settings, task, part, seed=training.seed + k, folder=place, progress=progress[k])
        )
        learned_from.append(part)
        helds.append(held)
    member = _member(name, trained, learned_from)
    with torch.no_grad():
        for network, centre, held in zip(member.networks, member.centres, helds, strict=True):
            part = patients.take(held)
            out[held] = network(part.rows, part.present).scores - centre
    return member, out


def network_from_state(tensors: Mapping[str, Tensor], described: Mapping[str, Any]) -> FittedNetwork:
    """The model whose ``state()`` this is; scores are the same, bit for bit, on the same machine."""
    settings = NetworkSettings.from_json(described["settings"])
    task = _task_from_json(described["task"])
    plan = plan_from_json(described["plan"])
    scalers = {
        name: BlockScaler(*(tensors[f"scaler.{name}.{part}"].numpy() for part in ("keep", "mean", "sd")))
        for name, _ in plan.blocks
    }
    members = []
    for data in described["members"]:
        prefix = f"member.{data['name']}."
        centres = tensors[f"{prefix}centres"]
        member_plan = plan_from_json(data["plan"])
        align = settings.align if len(member_plan.blocks) > 1 else None
        chosen = replace(settings, fusion=data["fusion"], align=align)
        networks = []
        for i in range(len(centres)):
            network = CohortNetwork(member_plan, chosen, task).eval()
            own = f"{prefix}{i}."
            network.load_state_dict({n.removeprefix(own): v for n, v in tensors.items() if n.startswith(own)})
            networks.append(network)
        logs = tuple(tuple(log) for log in data["logs"])
        members.append(Member(data["name"], tuple(networks), centres, logs))
    stack = None
    if "stack.scores" in tensors:
        target = {n.removeprefix("stack.target."): v for n, v in tensors.items() if n.startswith("stack.target.")}
        stack = Stack(task, tensors["stack.scores"], target, tensors["stack.scale"])
    return FittedNetwork(settings, task, plan, scalers, tuple(members), stack, tuple(described["notes"]))


def _task_from_json(data: Mapping[str, Any]) -> Task:
    return Task(data["kind"], tuple(data["names"]), tuple(data["edges_months"]), tuple(data["start"]))
