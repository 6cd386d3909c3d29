"""Intermediate fusion: embeddings of the blocks (B, M, D) and which are shown (B, M) -> one embedding (B, D).

A hidden or absent block is replaced by a learned missing token. What this module does not know: what the blocks are,
outcomes. Early fusion has one block and needs none of this; late fusion and the hybrid are stacks (stack.py).
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from encoders.cohort_networks.settings import NetworkSettings


class _MissingTokens(nn.Module):
    """Learned token of each block, put where the block is not shown."""

    def __init__(self, blocks: int, width: int) -> None:
        super().__init__()
        self.missing = nn.Parameter(torch.randn(blocks, width) * 0.1)

    def forward(self, tokens: Tensor, shown: Tensor) -> Tensor:
        return torch.where(shown.unsqueeze(2), tokens, self.missing)


class AttentionFusion(nn.Module):
    """Self-attention among block tokens, then a learned query reads them; its attention (B, M) is returned.

    Normalisation is applied where attention is computed, not on what is passed on: how large an embedding is may be
    the signal. Missing tokens take part, so that absence itself can be told.

    References
    ----------
    Vaswani et al., NeurIPS 2017, arXiv 1706.03762; learned missing tokens and modality dropout after Neverova et al.,
    IEEE TPAMI 2016, 10.1109/TPAMI.2015.2461544 (ModDrop).
    """

    def __init__(self, blocks: int, settings: NetworkSettings) -> None:
        super().__init__()
        width = settings.width
        self.fill = _MissingTokens(blocks, width)
        self.which = nn.Parameter(torch.randn(blocks, width) * 0.3)
        self.norm, self.read_norm = nn.LayerNorm(width), nn.LayerNorm(width)
        self.mix = nn.MultiheadAttention(width, settings.heads, dropout=settings.dropout, batch_first=True)
        self.query = nn.Parameter(torch.randn(width) * 0.3)
        self.read = nn.MultiheadAttention(width, settings.heads, batch_first=True)

    def forward(self, tokens: Tensor, shown: Tensor) -> tuple[Tensor, Tensor]:
        """-> fused (B, D), attention (B, M) averaged over heads, sum 1."""
        tokens = self.fill(tokens, shown)
        place = self.norm(tokens) + self.which
        tokens = tokens + self.mix(place, place, tokens, need_weights=False)[0]
        query = self.query.expand(len(tokens), 1, -1)
        fused, attention = self.read(query, self.read_norm(tokens) + self.which, tokens)
        return fused.squeeze(1), attention.squeeze(1)


class GatedFusion(nn.Module):
    """Sum of the blocks' embeddings, each through a sigmoid gate that sees all of them; gates (B, M) are returned.

    References
    ----------
    Arevalo et al., arXiv 1702.01992 (gated multimodal units). Deviation: one gate a block, not one a dimension.
    """

    def __init__(self, blocks: int, settings: NetworkSettings) -> None:
        super().__init__()
        width = settings.width
        self.fill = _MissingTokens(blocks, width)
        self.gate = nn.Linear(blocks * width, blocks)
        self.value = nn.ModuleList(nn.Linear(width, width) for _ in range(blocks))

    def forward(self, tokens: Tensor, shown: Tensor) -> tuple[Tensor, Tensor]:
        """-> fused (B, D), gates (B, M) in (0, 1), each on its own."""
        tokens = self.fill(tokens, shown)
        gate = torch.sigmoid(self.gate(tokens.flatten(1)))
        values = torch.stack([layer(tokens[:, i]) for i, layer in enumerate(self.value)], 1)
        return (gate.unsqueeze(2) * values).sum(1), gate
