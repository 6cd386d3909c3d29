"""One network: block encoders, fusion and head in one module. Rows in, scores and everything beside them out.

What this module does not know: training, scaling, ensembles, stacks.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from encoders.cohort_networks.block_encoders import BlockEncoder, plain_encoder
from encoders.cohort_networks.fusion_modes import AttentionFusion, GatedFusion
from encoders.cohort_networks.gene_encoders import GeneGraphEncoder, PathwaySparseEncoder, PathwayTransformerEncoder
from encoders.cohort_networks.losses import contrastive_loss
from encoders.cohort_networks.outcomes import Offset, Target, Task
from encoders.cohort_networks.plan import BlockPlan, Plan
from encoders.cohort_networks.settings import CONTRASTIVE, EARLY, GATED, GRAPH, PATHWAY, TASK, NetworkSettings
from encoders.cohort_networks.settings import PATHWAY_TRANSFORMER as TRANSFORMER


@dataclass(frozen=True)
class Forward:
    """scores (B, K) before the offset; outputs after it; fused (B, D); tokens (B, M, D); losses beside the task's.

    block_attention : (B, M) of attention fusion, gates of gated fusion, None else
    pathway_attention : block -> (B, P), where its encoder attends to pathways
    """

    scores: Tensor
    outputs: Tensor
    fused: Tensor
    tokens: Tensor
    losses: dict[str, Tensor]
    block_attention: Tensor | None
    pathway_attention: dict[str, Tensor]


class CohortNetwork(nn.Module):
    """Blocks of B patients -> scores. Blocks are in the order of ``plan.blocks``."""

    def __init__(self, plan: Plan, settings: NetworkSettings, task: Task) -> None:
        super().__init__()
        self.plan, self.settings, self.task = plan, settings, task
        self.encoders = nn.ModuleList(_encoder(block, settings) for block in plan.encoders)
        width, count = settings.width, len(plan.encoders)
        self.early_missing = nn.Linear(len(plan.blocks), width) if settings.fusion == EARLY else None
        self.fusion: AttentionFusion | GatedFusion | None = None
        if settings.fusion != EARLY and count > 1:
            self.fusion = (GatedFusion if settings.fusion == GATED else AttentionFusion)(count, settings)
        self.align = nn.ModuleList(nn.Linear(width, width) for _ in range(2)) if settings.align else None
        self.log_temperature = nn.Parameter(torch.tensor(0.2).log()) if settings.align else None
        self.head = nn.Linear(width, task.n_scores, bias=False)
        nn.init.normal_(self.head.weight, std=0.1 * width**-0.5)
        self.offset = Offset(task)

    def forward(self, rows: Mapping[str, Tensor], shown: Tensor) -> Forward:
        """Rows: block -> (B, kept columns), 0 where absent; shown (B, M) bool, which blocks may be read."""
        order = [name for name, _ in self.plan.blocks]
        if self.early_missing is not None:
            hidden = [torch.where(shown[:, i : i + 1], rows[name], 0.0) for i, name in enumerate(order)]
            encoded = [self.encoders[0](torch.cat(hidden, 1), shown.any(1))]
        else:
            encoded = [self.encoders[i](rows[name], shown[:, i]) for i, name in enumerate(order)]
        tokens = torch.stack([e.embedding for e in encoded], 1)  # (B, M, D)
        attention = None
        if self.fusion is not None:
            fused, attention = self.fusion(tokens, shown)
        else:
            fused = tokens[:, 0]
            if self.early_missing is not None:
                fused = fused + self.early_missing((~shown).to(fused.dtype))
        losses: dict[str, Tensor] = {}
        for e in encoded:
            for name, value in e.losses.items():
                losses[name] = losses.get(name, 0.0) + value / len(encoded)
        if self.align is not None and self.training:
            losses[CONTRASTIVE] = self.alignment_loss(tokens, shown)
        scores = self.head(fused)
        looked = {
            p.name: e.attention for p, e in zip(self.plan.encoders, encoded, strict=True) if e.attention is not None
        }
        return Forward(scores, self.offset(scores), fused, tokens, losses, attention, looked)

    def alignment_loss(self, tokens: Tensor, shown: Tensor) -> Tensor:
        """InfoNCE of the two aligned blocks' projected embeddings over the patients shown with both."""
        names = [name for name, _ in self.plan.blocks]
        left, right = (names.index(name) for name in self.settings.align)
        both = shown[:, left] & shown[:, right]
        projected = [layer(tokens[both, i]) for layer, i in zip(self.align, (left, right), strict=True)]
        return contrastive_loss(*projected, self.log_temperature)

    def losses(self, rows: Mapping[str, Tensor], shown: Tensor, target: Target) -> dict[str, Tensor]:
        """Every loss by name: "task" and, in training, those of encoders and of the alignment."""
        found = self(rows, shown)
        return {TASK: self.task.loss(found.outputs, target), **found.losses}


def _encoder(block: BlockPlan, settings: NetworkSettings) -> BlockEncoder:
    if block.encoder == GRAPH:
        return GeneGraphEncoder(block.columns, settings, torch.tensor(block.edges).T)
    if block.encoder in (PATHWAY, TRANSFORMER):
        mask = torch.zeros(len(block.sets), block.columns, dtype=torch.bool)
        for row, (_, members) in enumerate(block.sets):
            mask[row, list(members)] = True
        kind = PathwaySparseEncoder if block.encoder == PATHWAY else PathwayTransformerEncoder
        return kind(block.columns, settings, mask)
    return plain_encoder(block.encoder, block.columns, settings)


def single_block_plan(plan: Plan, name: str) -> Plan:
    """The plan of a network that reads one block alone (late fusion's members)."""
    encoders = tuple(b for b in plan.encoders if b.name == name)
    return Plan(tuple(b for b in plan.blocks if b[0] == name), encoders)
