"""Molecular data: expression and alterations of a patient -> arrays -> embeddings.

Expression of any known unit is mapped to log2(TPM + 1) and the mapping is recorded; panel genes that are absent are
masked and counted. Alterations are one row of flags per driver gene (variant class, copy number, fusion).

What this module does not know or check: tumour purity, batch effects beyond one offset per sample, whether a variant
is pathogenic, whether a gene symbol is outdated (readers normalise symbols).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from encoders.errors import ContractError
from encoders.pathways import MIN_PANEL_GENES, PANEL, PATHWAYS, REFERENCE_GENES, gene_pathway_mask
from encoders.patient import Expression, Patient, Variant
from encoders.synthetic.genes import DRIVERS

GENOME_WIDE_GENES = 10_000
"""A file with at least this many genes is taken as genome-wide: its sums are library sizes."""


@dataclass(frozen=True)
class ExpressionInput:
    """values (G,) on ``PANEL``: log2(TPM + 1), or z-scores when ``is_z``; present (G,) bool; offset genes beside."""

    values: NDArray[np.float32]
    present: NDArray[np.bool_]
    reference_values: NDArray[np.float32]
    reference_present: NDArray[np.bool_]
    is_z: bool
    mapping: str


_Z_UNITS = frozenset({"z", "zscore", "zscores"})
_COUNT_UNITS = frozenset({"count", "counts", "rawcounts", "readcounts", "unstranded"})


def _unit_key(unit: str) -> str:
    return "".join(ch for ch in unit.lower() if ch.isalnum())


def _to_log2(expression: Expression) -> tuple[NDArray[np.float32], bool, str] | str:
    """(values, is_z, mapping), or the reason the unit cannot be mapped."""
    values = expression.values.astype(np.float64)
    key = _unit_key(expression.unit)
    if key in _Z_UNITS:
        return np.clip(values, -6, 6).astype(np.float32), True, "z-scores used as they are, clipped to +-6"
    if key.startswith("log2"):
        return values.astype(np.float32), False, f"{expression.unit} used as log2(TPM + 1)"
    if np.nanmin(values) < 0:
        return f"expression unit {expression.unit!r} has negative values; log2 and z-score units may, no other"
    linear = _to_tpm(values, key)
    if linear is None:
        return f"expression unit {expression.unit!r} is not known; known: TPM, FPKM, RPKM, counts, log2 ..., z-score"
    return np.log2(linear[0] + 1).astype(np.float32), False, linear[1]


def _to_tpm(values: NDArray[np.float64], key: str) -> tuple[NDArray[np.float64], str] | None:
    """Values in TPM (or the nearest thing) and how they came to be so; None for an unknown unit."""
    total = float(np.nansum(values))
    if key.startswith("tpm"):
        return values, "log2(TPM + 1)"
    if total <= 0:
        return None
    if key.startswith(("fpkm", "rpkm")):
        if len(values) < GENOME_WIDE_GENES:
            return values, "log2(FPKM + 1): too few genes to turn FPKM into TPM"
        return values / total * 1e6, "FPKM / sum x 1e6 = TPM, then log2(TPM + 1)"
    if key in _COUNT_UNITS:
        return values / total * 1e6, "counts per million (no gene lengths), then log2(+ 1)"
    return None


def read_expression(expression: Expression | None) -> ExpressionInput | str:
    """Put a profile on the panel, or say why it is not encoded.

    Returns
    -------
    ExpressionInput, or the reason (absent, unknown unit, fewer than ``MIN_PANEL_GENES`` panel genes)
    """
    if expression is None:
        return "no gene expression"
    mapped = _to_log2(expression)
    if isinstance(mapped, str):
        return mapped
    values, is_z, mapping = mapped
    row = {gene: i for i, gene in enumerate(expression.genes)}
    panel, present = _on_genes(PANEL, row, values)
    if present.sum() < MIN_PANEL_GENES:
        return (
            f"only {int(present.sum())} of {len(PANEL)} panel genes are in the expression file; "
            f"at least {MIN_PANEL_GENES} needed"
        )
    reference, reference_present = _on_genes(REFERENCE_GENES, row, values)
    return ExpressionInput(
        panel,
        present,
        reference,
        reference_present,
        is_z,
        f"{mapping}; {int(present.sum())} of {len(PANEL)} panel genes",
    )


def _on_genes(
    genes: tuple[str, ...], row: dict[str, int], values: NDArray[np.float32]
) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    out = np.zeros(len(genes), np.float32)
    present = np.zeros(len(genes), bool)
    for i, gene in enumerate(genes):
        at = row.get(gene)
        if at is not None and np.isfinite(values[at]):
            out[i], present[i] = values[at], True
    return out, present


@dataclass(frozen=True)
class ExpressionScale:
    """Reference cohort's mean and SD of log2(TPM + 1): panel (G,), and mean of the offset genes (R,)."""

    mean: NDArray[np.float32]
    sd: NDArray[np.float32]
    reference_mean: NDArray[np.float32]

    def standardise(self, profile: ExpressionInput) -> NDArray[np.float32]:
        """(G,) z-scores; absent genes 0. The sample's median shift on the offset genes is taken away first."""
        if profile.is_z:
            return np.where(profile.present, profile.values, 0).astype(np.float32)
        offset = 0.0
        if profile.reference_present.sum() >= 20:
            shift = profile.reference_values - self.reference_mean
            offset = float(np.median(shift[profile.reference_present]))
        z = (profile.values - offset - self.mean) / self.sd
        return np.where(profile.present, np.clip(z, -6, 6), 0).astype(np.float32)


class ExpressionEncoder(nn.Module):
    """Genes -> pathway nodes through a sparse mask -> (B, D).

    References
    ----------
    Elmarakeby et al., Nature 2021, DOI 10.1038/s41586-021-03922-4 (P-NET). Deviation: one pathway layer with
    ``channels`` nodes per pathway, programs instead of Reactome.
    """

    mask: Tensor

    def __init__(self, width: int, channels: int = 4) -> None:
        super().__init__()
        mask = gene_pathway_mask().repeat_interleave(channels, dim=0)  # (P*c, G)
        self.register_buffer("mask", mask.float(), persistent=False)
        self.weight = nn.Parameter(torch.randn(mask.shape) * 0.1)
        self.bias = nn.Parameter(torch.zeros(mask.shape[0]))
        self.dropout = nn.Dropout(0.2)
        self.out = nn.Sequential(
            nn.Linear(mask.shape[0], width),
            nn.GELU(),
            nn.Linear(width, width),
            nn.LayerNorm(width, elementwise_affine=False),
        )

    def pathway_scores(self, z: Tensor, present: Tensor) -> Tensor:
        """z and present (B, G) -> pathway nodes (B, P * channels); a pathway's sum is rescaled for absent genes."""
        if z.shape[-1] != len(PANEL):
            raise ContractError(f"expression has {z.shape[-1]} genes; the rule is the panel's {len(PANEL)}.")
        shown = present.to(z.dtype)
        scale = self.mask.sum(1) / (shown @ self.mask.T).clamp(min=1)  # (B, P*c)
        sums = (z * shown) @ (self.weight * self.mask).T
        return torch.nn.functional.gelu(sums * scale + self.bias)

    def forward(self, z: Tensor, present: Tensor) -> Tensor:
        """z-scores (B, G), present (B, G) bool -> (B, D)."""
        return self.out(self.dropout(self.pathway_scores(z, present)))


PATHWAY_NAMES: tuple[str, ...] = tuple(PATHWAYS)

_TRUNCATING = ("frame_shift", "frameshift", "nonsense", "stop_gained", "splice_site", "splice_donor", "splice_acceptor")
_MISSENSE = ("missense",)
_IN_FRAME = ("in_frame", "inframe")
_SILENT = ("silent", "synonymous", "intron", "utr", "igr", "intergenic", "flank", "rna", "upstream", "downstream")

ALTERATION_CHANNELS: tuple[str, ...] = (
    "truncating", "missense", "in_frame", "other_variant", "amplification", "gain", "loss", "deep_deletion", "fusion",
)  # fmt: skip
"""Flags per driver gene."""
ALTERATION_FEATURES = len(DRIVERS) * len(ALTERATION_CHANNELS) + 4
"""Length of the alterations vector: flags, then sequenced, copy number known, fusions known, log2(1 + variants) / 8."""


def variant_class(variant: Variant) -> str | None:
    """Channel of a variant's consequence (MAF or Sequence Ontology word); None for silent and non-coding ones."""
    word = variant.consequence.lower().replace(" ", "_")
    if any(w in word for w in _TRUNCATING):
        return "truncating"
    if any(w in word for w in _MISSENSE):
        return "missense"
    if any(w in word for w in _IN_FRAME):
        return "in_frame"
    if any(w in word for w in _SILENT):
        return None
    return "other_variant"


def _channel_of_call(call: str) -> str | None:
    word = call.lower().replace(" ", "_")
    return word if word in {"amplification", "gain", "loss", "deep_deletion"} else None


def read_alterations(patient: Patient) -> NDArray[np.float32] | str:
    """Alterations vector (F,) float32, or the reason there is none. Germline variants are left out."""
    if patient.variants is None and patient.copy_number is None and patient.fusions is None:
        return "no variants, copy number or fusions"
    gene_row = {gene: i for i, gene in enumerate(DRIVERS)}
    flags = np.zeros((len(DRIVERS), len(ALTERATION_CHANNELS)), np.float32)

    def mark(gene: str, channel: str | None) -> None:
        if channel is not None and gene in gene_row:
            flags[gene_row[gene], ALTERATION_CHANNELS.index(channel)] = 1

    somatic = [v for v in patient.variants or () if not v.germline]
    for variant in somatic:
        mark(variant.gene, variant_class(variant))
    for state in patient.copy_number or ():
        mark(state.gene, _channel_of_call(state.call))
    for fusion in patient.fusions or ():
        mark(fusion.gene5, "fusion")
        mark(fusion.gene3, "fusion")
    known = [float(x is not None) for x in (patient.variants, patient.copy_number, patient.fusions)]
    return np.concatenate([flags.ravel(), [*known, np.log2(1 + len(somatic)) / 8]]).astype(np.float32)


class AlterationsEncoder(nn.Module):
    """Alterations vector (B, F) -> (B, D)."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.net = nn.Sequential(
            nn.Dropout(0.1), nn.Linear(ALTERATION_FEATURES, width), nn.GELU(), nn.Dropout(0.2), nn.Linear(width, width),
            nn.LayerNorm(width, elementwise_affine=False),
        )  # fmt: skip

    def forward(self, flags: Tensor) -> Tensor:
        """Flags (B, F) float -> embeddings (B, D)."""
        return self.net(flags)
