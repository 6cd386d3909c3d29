"""Gene panel and gene -> pathway wiring of the expression encoder.

Built from the gene programs the synthetic cohort is made of (encoders/synthetic/genes.py), the lineage markers of each
cancer and the driver genes. What this module does not know: expression values, patients, published gene sets.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from encoders.synthetic.genes import DRIVERS, HOUSEKEEPING, LINEAGE, PROGRAMS

PATHWAYS: Mapping[str, tuple[str, ...]] = {
    **PROGRAMS,
    **{f"lineage_{code.lower()}": genes for code, genes in LINEAGE.items()},
    "drivers": DRIVERS,
}
"""Pathway -> its genes (axis P, in this order)."""

PANEL: tuple[str, ...] = tuple(sorted({gene for genes in PATHWAYS.values() for gene in genes}))
"""Genes the expression encoder reads (axis G), sorted."""

REFERENCE_GENES: tuple[str, ...] = tuple(sorted(set(HOUSEKEEPING) - set(PANEL)))
"""Genes whose shift against the reference cohort estimates a sample's overall offset."""

MIN_PANEL_GENES = 150
"""A profile with fewer panel genes than this is not encoded."""


def gene_pathway_mask() -> Tensor:
    """(P, G) bool, True where the gene belongs to the pathway."""
    column = {gene: i for i, gene in enumerate(PANEL)}
    mask = torch.zeros(len(PATHWAYS), len(PANEL), dtype=torch.bool)
    for row, genes in enumerate(PATHWAYS.values()):
        mask[row, [column[gene] for gene in genes]] = True
    return mask
