"""Every choice of a cohort network, saved as JSON with the model. What is not here is not chosen by anyone.

What this module does not know: data, networks.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from types import MappingProxyType
from typing import Any

from encoders.errors import SettingsError

LINEAR, MLP, SNN, VAE = "linear", "mlp", "snn", "vae"
PATHWAY, GRAPH, PATHWAY_TRANSFORMER = "pathway", "graph", "pathway transformer"
ENCODERS: tuple[str, ...] = (LINEAR, MLP, SNN, VAE, PATHWAY, GRAPH, PATHWAY_TRANSFORMER)
GENE_ENCODERS: tuple[str, ...] = (PATHWAY, GRAPH, PATHWAY_TRANSFORMER)
"""Encoders that need to know which gene a column is."""
EARLY, ATTENTION, GATED, LATE, HYBRID = "early", "attention", "gated", "late", "hybrid"
FUSIONS: tuple[str, ...] = (EARLY, ATTENTION, GATED, LATE, HYBRID)
TASK, RECONSTRUCTION, KL, CONTRASTIVE = "task", "reconstruction", "kl", "contrastive"
LOSSES: tuple[str, ...] = (TASK, RECONSTRUCTION, KL, CONTRASTIVE)


@dataclass(frozen=True)
class TrainingSettings:
    """How one network is trained.

    batch_size : patients a step; None = all of them (best for the Cox loss, whose risk sets are those of the batch)
    modality_dropout : chance that a block of a patient is hidden in a step; at least one stays
    validation_share : part of the patients that stops training early; another part for each seed
    seeds : networks averaged (deep ensemble); in stacks every fold's network is kept instead
    folds : of the out-of-fold scores that stacks (late, hybrid) learn from
    checkpoint_every : epochs between two checkpoints, where a folder is given
    """

    epochs: int = 100
    patience: int = 15
    learning_rate: float = 2e-3
    weight_decay: float = 0.02
    batch_size: int | None = None
    modality_dropout: float = 0.2
    validation_share: float = 0.2
    seeds: int = 6
    folds: int = 4
    seed: int = 0
    checkpoint_every: int = 10
    device: str | None = None

    def __post_init__(self) -> None:
        for name in ("epochs", "patience", "seeds", "checkpoint_every"):
            if getattr(self, name) < 1:
                raise SettingsError(f"{name} is {getattr(self, name)}; allowed: 1 or more.")
        if self.folds < 2:
            raise SettingsError(f"folds is {self.folds}; out-of-fold scores need 2 or more.")
        if not 0 <= self.modality_dropout < 1:
            raise SettingsError(f"modality_dropout is {self.modality_dropout:g}; allowed: 0 to below 1.")
        if not 0 < self.validation_share < 0.5:
            raise SettingsError(f"validation_share is {self.validation_share:g}; allowed: above 0, below 0.5.")
        if self.learning_rate <= 0 or self.weight_decay < 0 or (self.batch_size or 2) < 2:
            raise SettingsError("learning_rate must be above 0, weight_decay 0 or more, batch_size 2 or more.")


@dataclass(frozen=True)
class NetworkSettings:
    """Architecture and training of a cohort network.

    encoder : of blocks wider than ``wide`` columns; narrow ones get ``narrow_encoder``
    width : D of the embeddings; hidden : of the layer before; channels : units a pathway, features a graph node
    neighbours : edges kept a gene where the gene network comes from shared pathways
    align : two blocks whose embeddings are aligned by a contrastive loss (attention, gated, hybrid)
    loss_weights : of every loss the network can have, by name; "task" is the outcome's own loss
    """

    encoder: str = SNN
    narrow_encoder: str = LINEAR
    fusion: str = ATTENTION
    wide: int = 40
    width: int = 16
    hidden: int = 48
    channels: int = 4
    heads: int = 2
    dropout: float = 0.3
    neighbours: int = 5
    align: tuple[str, str] | None = None
    loss_weights: Mapping[str, float] = field(
        default_factory=lambda: MappingProxyType({TASK: 1.0, RECONSTRUCTION: 0.2, KL: 0.2, CONTRASTIVE: 0.1})
    )
    training: TrainingSettings = field(default_factory=TrainingSettings)

    def __post_init__(self) -> None:
        for name, value, allowed in (
            ("encoder", self.encoder, ENCODERS),
            ("narrow_encoder", self.narrow_encoder, (LINEAR, MLP, SNN, VAE)),
            ("fusion", self.fusion, FUSIONS),
        ):
            if value not in allowed:
                raise SettingsError(f"{name} is {value!r}; allowed: {', '.join(allowed)}.")
        if set(self.loss_weights) != set(LOSSES) or min(self.loss_weights.values()) < 0:
            raise SettingsError(
                f"loss_weights {dict(self.loss_weights)}; state each of {', '.join(LOSSES)}, 0 or more."
            )
        if self.width % self.heads or self.width < 1:
            raise SettingsError(f"width is {self.width}, heads {self.heads}; width must be a multiple of heads.")
        if not 0 <= self.dropout < 1:
            raise SettingsError(f"dropout is {self.dropout:g}; allowed: 0 to below 1.")
        if self.align is not None and (len(set(self.align)) != 2 or self.fusion in (EARLY, LATE)):
            raise SettingsError(
                f"align is {self.align} with fusion {self.fusion}; allowed: two different blocks, with "
                f"{ATTENTION}, {GATED} or {HYBRID} (the others have no embeddings of two blocks side by side)."
            )

    def as_json(self) -> dict[str, Any]:
        """For a model card; ``from_json`` reads it back."""
        return asdict(replace(self, loss_weights=dict(self.loss_weights)))  # a mapping proxy cannot be copied

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> NetworkSettings:
        """Settings from a model card."""
        align = tuple(data["align"]) if data["align"] is not None else None
        return cls(**{**data, "align": align, "training": TrainingSettings(**data["training"])})
