"""A fitted cohort network: members (networks averaged, or stacked), scaling, and every way to read a patient with it.

What this module does not know: how it was trained (fit.py), what a score means to a report.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from encoders.cohort_models.kernels import Array, BlockScaler
from encoders.cohort_models.multi_kernel import Blocks
from encoders.cohort_networks.network import CohortNetwork, Forward
from encoders.cohort_networks.outcomes import Task
from encoders.cohort_networks.plan import Plan
from encoders.cohort_networks.settings import GATED, NetworkSettings
from encoders.cohort_networks.stack import Stack
from encoders.errors import InputError

AT_ONCE = 256
"""Patients read in one pass when predicting."""


@dataclass(frozen=True)
class Member:
    """Networks of the same blocks, averaged.

    centres : (networks, K) mean score of each on the patients it learned from
    logs : one tuple of rows of named losses a network
    """

    name: str
    networks: tuple[CohortNetwork, ...]
    centres: Tensor
    logs: tuple[tuple[Mapping[str, float], ...], ...]

    @property
    def blocks(self) -> tuple[str, ...]:
        """Blocks it reads."""
        return tuple(name for name, _ in self.networks[0].plan.blocks)

    def forwards(self, rows: Mapping[str, Tensor], present: Tensor, order: tuple[str, ...]) -> list[Forward]:
        """Every network's forward pass; present (B, M) is over ``order``."""
        mine = present[:, [order.index(name) for name in self.blocks]]
        return [network({name: rows[name] for name in self.blocks}, mine) for network in self.networks]


@dataclass(frozen=True)
class Attention:
    """Where a network looked. It is attention, not attribution: it does not add up to the score, nor tell a direction.

    blocks : (M, blocks) attention of the fusion, sum 1 (None: gated, early, or no fusion)
    gates : (M, blocks) gates of gated fusion in (0, 1) (None elsewhere)
    pathways : block -> (names, (M, P) attention, sum 1)
    """

    block_names: tuple[str, ...]
    blocks: Array | None
    gates: Array | None
    pathways: Mapping[str, tuple[tuple[str, ...], Array]]


@dataclass(frozen=True)
class FittedNetwork:
    """A fitted network; ``fit_network`` makes it.

    scalers : of every block read; notes : what was left out or replaced while planning, in words
    """

    settings: NetworkSettings
    task: Task
    plan: Plan
    scalers: Mapping[str, BlockScaler]
    members: tuple[Member, ...]
    stack: Stack | None
    notes: tuple[str, ...]

    def score(self, blocks: Blocks) -> Array:
        """(M,) risk score (higher = earlier event), log odds or response score; (M, K) logits of several classes.

        Raises
        ------
        InputError: a block or column count that was not fitted, or a patient without any fitted block.
        """
        return self._read(blocks, lambda rows, present: self.task.score(self.outputs_from(rows, present)))

    def probability(self, blocks: Blocks) -> Array:
        """Survival to the end of each time bin (M, T); classes or grades (M, C); labels (M, L). As ``score`` raises."""
        return self._read(blocks, lambda rows, present: self.task.probability(self.outputs_from(rows, present)))

    def embed(self, blocks: Blocks) -> Array:
        """(M, networks x D) fused embeddings of all networks side by side; 0 for those whose blocks are absent."""
        return self._read(blocks, lambda rows, present: torch.cat([f.fused for f in self._forwards(rows, present)], 1))

    def embed_blocks(self, blocks: Blocks) -> Mapping[str, Array]:
        """Block -> (M, networks x D) its own embeddings before fusion; early fusion has one, of all blocks."""
        found: dict[str, list[Array]] = {}
        for member in self.members:
            for i, encoder in enumerate(member.networks[0].plan.encoders):
                found.setdefault(encoder.name, []).append(self._read(blocks, self._token(member, i)))
        return {name: np.hstack(parts) for name, parts in found.items()}

    def _token(self, member: Member, i: int) -> Callable[[dict[str, Tensor], Tensor], Tensor]:
        return lambda rows, present: torch.cat(
            [f.tokens[:, i] for f in member.forwards(rows, present, self.block_names)], 1
        )

    def attention(self, blocks: Blocks) -> Attention:
        """Attention (or gates) of the fusion and of pathway encoders, averaged over networks."""
        rows, present = self.rows_of(blocks)
        with torch.no_grad():
            forwards = self._forwards(rows, present)
        looked = [f.block_attention for f in forwards if f.block_attention is not None]
        mean = torch.stack(looked).mean(0).numpy() if looked else None
        gated = self.settings.fusion == GATED
        pathways: dict[str, tuple[tuple[str, ...], Array]] = {}
        for encoder in self.plan.encoders:
            found = [f.pathway_attention[encoder.name] for f in forwards if encoder.name in f.pathway_attention]
            if found:
                pathways[encoder.name] = (tuple(n for n, _ in encoder.sets), torch.stack(found).mean(0).numpy())
        return Attention(self.block_names, None if gated else mean, mean if gated else None, pathways)

    @property
    def block_names(self) -> tuple[str, ...]:
        """Blocks read, in the order of ``present``."""
        return tuple(name for name, _ in self.plan.blocks)

    def rows_of(self, blocks: Blocks) -> tuple[dict[str, Tensor], Tensor]:
        """Standardised rows, block -> (M, kept columns) with 0 where absent, and present (M, blocks) bool."""
        sizes = {len(values) for values in blocks.values()}
        unknown = sorted(set(blocks) - set(self.scalers) - set(self._ignored()))
        if len(sizes) != 1 or unknown:
            raise InputError(
                f"blocks {sorted(blocks)} with {sorted(sizes)} patients; allowed blocks: "
                f"{', '.join(self.block_names)}, all of the same number of patients."
            )
        rows, present, size = {}, [], sizes.pop()
        for name in self.block_names:
            scaler = self.scalers[name]
            given = blocks.get(name)
            values = np.full((size, int(scaler.keep.sum())), np.nan) if given is None else scaler.transform(given)
            present.append(np.isfinite(values).all(axis=1))
            rows[name] = torch.tensor(np.nan_to_num(values), dtype=torch.float32)
        have = np.stack(present, 1)
        if not have.any(1).all():
            lacking = int((~have.any(1)).sum())
            raise InputError(f"{lacking} patients have none of the blocks {', '.join(self.block_names)}; drop them.")
        return rows, torch.tensor(have)

    def _ignored(self) -> tuple[str, ...]:
        """Blocks given when fitting in which nothing varied."""
        return tuple(note.split(":")[0] for note in self.notes)

    def outputs_from(self, rows: Mapping[str, Tensor], present: Tensor) -> Tensor:
        """Outputs of the task from standardised rows, differentiable in the rows (for attributions)."""
        if self.stack is None:
            forwards = self.members[0].forwards(rows, present, self.block_names)
            return torch.stack([f.outputs for f in forwards]).mean(0)
        scores, available = [], []
        for member in self.members:
            scores.append(member_scores(member, rows, present, self.block_names))
            available.append(available_to(member, present, self.block_names).numpy())
        return self.stack.outputs(torch.stack(scores, 1), np.stack(available, 1))

    def _forwards(self, rows: Mapping[str, Tensor], present: Tensor) -> list[Forward]:
        return [f for member in self.members for f in member.forwards(rows, present, self.block_names)]

    @torch.no_grad()
    def _read(self, blocks: Blocks, of: Callable[[dict[str, Tensor], Tensor], Tensor]) -> Array:
        rows, present = self.rows_of(blocks)
        parts = [
            of({name: values[i : i + AT_ONCE] for name, values in rows.items()}, present[i : i + AT_ONCE])
            for i in range(0, len(present), AT_ONCE)
        ]
        return torch.cat(parts).double().numpy()

    def state(self) -> tuple[dict[str, Tensor], dict[str, Any]]:
        """Tensors by name and a JSON description that ``network_from_state`` turns back into this model.

        A stack's state holds the training patients' out-of-fold scores and outcomes (no ids, no features).
        """
        tensors: dict[str, Tensor] = {}
        for name, scaler in self.scalers.items():
            for part in ("keep", "mean", "sd"):
                tensors[f"scaler.{name}.{part}"] = torch.from_numpy(getattr(scaler, part))
        for member in self.members:
            tensors[f"member.{member.name}.centres"] = member.centres
            for i, network in enumerate(member.networks):
                tensors |= {f"member.{member.name}.{i}.{n}": v for n, v in network.state_dict().items()}
        if self.stack is not None:
            tensors |= {"stack.scores": self.stack.scores, "stack.scale": self.stack.scale}
            tensors |= {f"stack.target.{n}": v for n, v in self.stack.target.items()}
        described = {
            "settings": self.settings.as_json(),
            "task": self.task.as_json(),
            "plan": self.plan.as_json(),
            "members": [
                {"name": m.name, "plan": m.networks[0].plan.as_json(), "fusion": m.networks[0].settings.fusion,
                 "logs": [[dict(row) for row in log] for log in m.logs]} for m in self.members
            ],
            "notes": list(self.notes),
        }  # fmt: skip
        return tensors, described


def available_to(member: Member, present: Tensor, order: tuple[str, ...]) -> Tensor:
    """(B,) bool: the patient has a block the member reads."""
    return present[:, [order.index(name) for name in member.blocks]].any(1)


def member_scores(member: Member, rows: Mapping[str, Tensor], present: Tensor, order: tuple[str, ...]) -> Tensor:
    """(B, K) mean over the member's networks of their centred scores."""
    found = member.forwards(rows, present, order)
    return torch.stack([f.scores - centre for f, centre in zip(found, member.centres, strict=True)]).mean(0)
