"""Adapters: patient embeddings -> soft tokens of a language model's hidden size.

Two shapes of the same contract, (B, K, D) embeddings -> (B, n, H) soft tokens: an MLP on the mean over K, and a
Perceiver resampler that lets n learned queries read the K rows. Both accept a mask of real rows, both are
invariant to the order of the rows.

What this module does not know: which language model reads the tokens, how it was trained (assistant/), nor what
a row of the embeddings means.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from encoders.errors import ContractError


@dataclass(frozen=True)
class AdapterConfig:
    """Sizes of one adapter; saved as JSON beside its weights.

    embedding_width : D, width of the encoder's embeddings
    hidden_size : H, hidden size of the language model
    n_tokens : n, soft tokens per modality
    inner_width : width inside the adapter
    n_layers, n_heads : of the Perceiver resampler (the MLP ignores them)
    dropout : in training only
    """

    embedding_width: int
    hidden_size: int
    n_tokens: int = 4
    inner_width: int = 256
    n_layers: int = 2
    n_heads: int = 4
    dropout: float = 0.0

    def __post_init__(self) -> None:
        sizes = {
            "embedding_width": self.embedding_width,
            "hidden_size": self.hidden_size,
            "n_tokens": self.n_tokens,
            "inner_width": self.inner_width,
            "n_layers": self.n_layers,
            "n_heads": self.n_heads,
        }
        wrong = {name: value for name, value in sizes.items() if value < 1}
        if wrong:
            raise ContractError(f"AdapterConfig has {wrong}; each size must be at least 1.")
        if self.inner_width % self.n_heads:
            raise ContractError(f"inner_width {self.inner_width} is not a multiple of n_heads {self.n_heads}.")


def _check_rows(embeddings: Tensor, mask: Tensor | None, width: int) -> Tensor:
    """Return the (B, K) bool mask of real rows, or say what is wrong with the shapes."""
    if embeddings.ndim != 3 or embeddings.shape[2] != width:
        raise ContractError(
            f"adapter input has shape {tuple(embeddings.shape)}; the rule is (B, K, {width}). "
            "Use the embeddings of the encoder this adapter was trained with."
        )
    if mask is None:
        return torch.ones(embeddings.shape[:2], dtype=torch.bool, device=embeddings.device)
    if mask.shape != embeddings.shape[:2]:
        raise ContractError(f"adapter mask has shape {tuple(mask.shape)}; the rule is {tuple(embeddings.shape[:2])}.")
    mask = mask.bool()
    if not bool(mask.any(dim=1).all()):
        raise ContractError("an adapter row has no real embedding; leave the absent modality out of the message.")
    return mask


@torch.no_grad()
def _scale(linear: nn.Module, factor: float) -> None:
    for parameter in linear.parameters():
        parameter.mul_(factor)


class MLPAdapter(nn.Module):
    """Mean over the K rows, then a two-layer MLP writes n tokens at once."""

    def __init__(self, config: AdapterConfig) -> None:
        super().__init__()
        self.config = config
        self.net = nn.Sequential(
            nn.LayerNorm(config.embedding_width),
            nn.Linear(config.embedding_width, config.inner_width),
            nn.GELU(),
            nn.Dropout(config.dropout),
            nn.Linear(config.inner_width, config.n_tokens * config.hidden_size),
        )

    def forward(self, embeddings: Tensor, mask: Tensor | None = None) -> Tensor:
        """Map embeddings to soft tokens.

        Parameters
        ----------
        embeddings : (B, K, D) float
        mask : (B, K) bool, True = a real row; None = all real

        Returns
        -------
        (B, n, H) float
        """
        weight = _check_rows(embeddings, mask, self.config.embedding_width).to(embeddings.dtype).unsqueeze(-1)
        mean = (embeddings * weight).sum(1) / weight.sum(1)  # (B, D)
        return self.net(mean).view(-1, self.config.n_tokens, self.config.hidden_size)

    def scale_output(self, factor: float) -> None:
        """Make the soft tokens ``factor`` times as large, for a new adapter to start at its LLM's scale."""
        _scale(self.net[-1], factor)


class _ResamplerBlock(nn.Module):
    """Queries read the rows (cross-attention), then each query is refined alone."""

    def __init__(self, config: AdapterConfig) -> None:
        super().__init__()
        width = config.inner_width
        self.norm_queries = nn.LayerNorm(width)
        self.norm_rows = nn.LayerNorm(width)
        self.attention = nn.MultiheadAttention(width, config.n_heads, dropout=config.dropout, batch_first=True)
        self.refine = nn.Sequential(
            nn.LayerNorm(width), nn.Linear(width, 2 * width), nn.GELU(), nn.Linear(2 * width, width)
        )

    def forward(self, queries: Tensor, rows: Tensor, mask: Tensor) -> Tensor:
        q, kv = self.norm_queries(queries), self.norm_rows(rows)
        read, _ = self.attention(q, kv, kv, key_padding_mask=~mask, need_weights=False)
        queries = queries + read
        return queries + self.refine(queries)


class PerceiverResampler(nn.Module):
    """n learned queries cross-attend to the K rows.

    References
    ----------
    Alayrac et al., Flamingo, NeurIPS 2022 (arXiv 2204.14198). Deviation: the queries do not attend to each other.
    """

    def __init__(self, config: AdapterConfig) -> None:
        super().__init__()
        self.config = config
        self.queries = nn.Parameter(torch.randn(config.n_tokens, config.inner_width) * 0.5)
        self.rows_in = nn.Linear(config.embedding_width, config.inner_width)
        self.blocks = nn.ModuleList(_ResamplerBlock(config) for _ in range(config.n_layers))
        self.out = nn.Sequential(nn.LayerNorm(config.inner_width), nn.Linear(config.inner_width, config.hidden_size))

    def forward(self, embeddings: Tensor, mask: Tensor | None = None) -> Tensor:
        """Map embeddings (B, K, D) and mask (B, K) to soft tokens (B, n, H), as ``MLPAdapter.forward``."""
        real = _check_rows(embeddings, mask, self.config.embedding_width)
        rows = self.rows_in(embeddings)  # (B, K, W)
        queries = self.queries.expand(len(rows), -1, -1)  # (B, n, W)
        for block in self.blocks:
            queries = block(queries, rows, real)
        return self.out(queries)

    def scale_output(self, factor: float) -> None:
        """As ``MLPAdapter.scale_output``."""
        _scale(self.out[-1], factor)
