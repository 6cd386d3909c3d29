"""Fusion: a transformer over modality tokens with learned missing tokens, and the model with all its heads.

Tokens: one per encoded imaging series, one each for expression, alterations and clinical fields, and one that reads
them all. Nothing tells the order of series apart. An absent modality is its learned missing token.

What this module does not know: patients, words for classes, calibration, explanations.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from encoders.clinical import ClinicalEncoder
from encoders.errors import ContractError, SettingsError
from encoders.inputs import CANCER_CODES, MODALITIES, Batch
from encoders.omics import AlterationsEncoder, ExpressionEncoder
from encoders.radiology import SERIES_KINDS, ImageEncoder
from encoders.survival import SurvivalHead
from encoders.vit import ViTEncoder
from encoders.vocabulary import APPEARANCE, EXPRESSION_PROFILES, MOLECULAR_LABELS

IMAGE_TASKS: tuple[str, ...] = (
    *(f"appearance:{name}" for name in APPEARANCE),
    *(f"molecular:{gene}" for gene in MOLECULAR_LABELS),
)
"""Binary tasks read from the image alone (axis of the image heads' logits)."""
EXPRESSION_TASKS: tuple[str, ...] = tuple(f"expression:{name}" for name in EXPRESSION_PROFILES)
"""Binary tasks read from gene expression alone."""


IMAGE_ENCODERS: tuple[str, ...] = ("cnn3d", "vit3d")
"""Image encoders a fusion model can be trained with: the 3D ResNet (radiology.py), the 3D ViT (vit.py)."""


@dataclass(frozen=True)
class FusionConfig:
    """Architecture of the fusion model; saved in the model card.

    image_encoder : one of ``IMAGE_ENCODERS``; planes and local_contrast are the CNN's alone
    """

    width: int = 128
    image_encoder: str = "cnn3d"
    planes: tuple[int, ...] = (16, 32, 64, 128)
    local_contrast: bool = True
    pathway_channels: int = 4
    n_layers: int = 2
    n_heads: int = 4
    dropout: float = 0.15


@dataclass(frozen=True)
class Tokens:
    """Embeddings of B patients: imaging (B, K, D) with real (B, K) bool; the others (B, D); present (B, 4) bool."""

    imaging: Tensor
    real: Tensor
    expression: Tensor
    alterations: Tensor
    clinical: Tensor
    present: Tensor

    def row(self, modality: str) -> Tensor:
        """(B, D) of one modality; imaging as the mean over its series."""
        if modality != "imaging":
            return getattr(self, modality)
        weight = self.real.to(self.imaging.dtype).unsqueeze(-1)
        return (self.imaging * weight).sum(1) / weight.sum(1).clamp(min=1)


class FusionTransformer(nn.Module):
    """Modality tokens -> fused (B, D).

    References
    ----------
    Vaswani et al., NeurIPS 2017; modality dropout as Neverova et al., IEEE TPAMI 2016 (ModDrop). Deviation: a
    dropped modality becomes a learned token, not zeros.
    """

    def __init__(self, config: FusionConfig) -> None:
        super().__init__()
        width = config.width
        self.modality = nn.Parameter(torch.randn(len(MODALITIES), width) * 0.3)
        self.missing = nn.Parameter(torch.randn(len(MODALITIES), width) * 0.3)
        self.reader = nn.Parameter(torch.randn(width) * 0.3)
        layer = nn.TransformerEncoderLayer(
            width, config.n_heads, 2 * width, config.dropout, activation="gelu", batch_first=True, norm_first=True
        )
        self.encoder = nn.TransformerEncoder(layer, config.n_layers, enable_nested_tensor=False)
        self.norm = nn.LayerNorm(width, elementwise_affine=False)

    def forward(self, tokens: Tokens, present: Tensor) -> Tensor:
        """Fuse the modalities that are ``present`` (B, 4) bool; the others are replaced by their missing token."""
        batch = len(present)
        rows, padding = [self.reader.expand(batch, 1, -1)], [torch.zeros(batch, 1, dtype=torch.bool)]
        shown = present[:, 0]
        real = tokens.real & shown.unsqueeze(1)
        stand_in = ~shown
        rows += [tokens.imaging + self.modality[0], (self.missing[0] + self.modality[0]).expand(batch, 1, -1)]
        padding += [~real, ~stand_in.unsqueeze(1)]
        for i, name in enumerate(MODALITIES[1:], start=1):
            row = torch.where(present[:, i : i + 1], tokens.row(name), self.missing[i]) + self.modality[i]
            rows.append(row.unsqueeze(1))
            padding.append(torch.zeros(batch, 1, dtype=torch.bool))
        out = self.encoder(torch.cat(rows, 1), src_key_padding_mask=torch.cat(padding, 1))
        return self.norm(out[:, 0])


class ImageHeads(nn.Module):
    """Binary logits from imaging embeddings alone: each task weighs the series kinds, then reads linearly.

    logit = sum_k softmax_k(score[task, kind_k]) * (w_task . e_k + c_task), over the patient's real series.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.linear = nn.Linear(width, len(IMAGE_TASKS))
        self.score = nn.Embedding(len(SERIES_KINDS), len(IMAGE_TASKS))
        nn.init.zeros_(self.score.weight)

    def forward(self, imaging: Tensor, real: Tensor, kind: Tensor) -> Tensor:
        """imaging (B, K, D), real (B, K) bool, kind (B, K) int -> logits (B, tasks); 0 where nothing is real."""
        score = self.score(kind).masked_fill(~real.unsqueeze(-1), -1e4)
        weight = torch.softmax(score, dim=1) * real.unsqueeze(-1)
        return (weight * self.linear(imaging)).sum(1)


def _image_encoder(config: FusionConfig) -> ImageEncoder | ViTEncoder:
    if config.image_encoder not in IMAGE_ENCODERS:
        raise SettingsError(f"image encoder {config.image_encoder!r}; allowed: {', '.join(IMAGE_ENCODERS)}.")
    if config.image_encoder == "vit3d":
        return ViTEncoder(config.width)
    return ImageEncoder(config.width, config.planes, local_contrast=config.local_contrast)


class FusionModel(nn.Module):
    """Encoders, fusion and heads in one module; ``encode`` first, then the heads on its tokens."""

    def __init__(self, config: FusionConfig) -> None:
        super().__init__()
        self.config = config
        width = config.width
        self.image = _image_encoder(config)
        self.expression = ExpressionEncoder(width, config.pathway_channels)
        self.alterations = AlterationsEncoder(width)
        self.clinical = ClinicalEncoder(width)
        self.fusion = FusionTransformer(config)
        self.survival = SurvivalHead(width, len(CANCER_CODES))
        self.unimodal = nn.ModuleDict({name: SurvivalHead(width, len(CANCER_CODES)) for name in MODALITIES})
        self.image_heads = ImageHeads(width)
        self.expression_heads = nn.Linear(width, len(EXPRESSION_TASKS))
        self.cancer_type = nn.Linear(width, len(CANCER_CODES))

    def encode(self, batch: Batch) -> Tokens:
        """Embed every modality of a batch."""
        rows = self.image(batch.crops, batch.kind) if len(batch.crops) else torch.zeros(0, self.config.width)
        return self.tokens_from(rows, batch)

    def tokens_from(self, image_rows: Tensor, batch: Batch) -> Tokens:
        """Tokens from image embeddings (N, D) computed before, and the rest of the batch."""
        imaging, real = place(image_rows, batch)
        return Tokens(
            imaging=imaging,
            real=real,
            expression=self.expression(batch.z, batch.z_present),
            alterations=self.alterations(batch.alterations),
            clinical=self.clinical(batch.clinical),
            present=batch.present,
        )

    def fuse(self, tokens: Tokens, present: Tensor | None = None) -> Tensor:
        """Fused (B, D); ``present`` (B, 4) hides modalities, and cannot show one that is absent."""
        if present is None:
            present = tokens.present
        elif bool((present & ~tokens.present).any()):
            raise ContractError("fuse was asked to show a modality that the patient does not have.")
        return self.fusion(tokens, present)

    def cancer_logits(self, tokens: Tokens) -> Tensor:
        """Cancer type (B, C) from imaging, expression and alterations: the clinical token is hidden."""
        without_clinical = tokens.present & torch.tensor([name != "clinical" for name in MODALITIES])
        return self.cancer_type(self.fusion(tokens, without_clinical))


def place(rows: Tensor, batch: Batch) -> tuple[Tensor, Tensor]:
    """Rows (N, D) of all series -> (B, K, D) by patient and (B, K) bool of the places that hold one."""
    size = (len(batch.present), batch.n_slots)
    real = torch.zeros(size, dtype=torch.bool, device=rows.device)
    real[batch.slot[:, 0], batch.slot[:, 1]] = True
    flat = batch.slot[:, 0] * batch.n_slots + batch.slot[:, 1]
    out = rows.new_zeros(size[0] * size[1], rows.shape[1]).index_copy(0, flat, rows)
    return out.view(*size, -1), real


def place_kind(batch: Batch) -> Tensor:
    """Series kind by patient (B, K) int; 0 where there is no series."""
    kind = torch.zeros(len(batch.present), batch.n_slots, dtype=torch.long, device=batch.kind.device)
    kind[batch.slot[:, 0], batch.slot[:, 1]] = batch.kind
    return kind
