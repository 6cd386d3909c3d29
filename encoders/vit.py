"""A 3D vision transformer on lesion crops: the other built-in image encoder, beside the CNN of radiology.py.

A convolutional stem makes 8^3 tokens of 8 mm, a class token reads them through MONAI transformer blocks. The attention
of every block can be asked for, which is what attention rollout (explain/rollout.py) needs.

What this module does not know: patients, tasks, training.
"""

from __future__ import annotations

import torch
from monai.networks.blocks.transformerblock import TransformerBlock
from torch import Tensor, nn

from encoders.radiology import CROP_VOXELS, SERIES_KINDS, check_crops, contrast_channels

GRID = 8
"""Tokens along each side of the crop; one spans 8 mm."""


class ViTEncoder(nn.Module):
    """Vision transformer on a lesion crop plus an embedding of what the series shows -> (N, D).

    References
    ----------
    Dosovitskiy et al., ICLR 2021, arXiv 2010.11929 (ViT); Xiao et al., NeurIPS 2021, arXiv 2106.14881 (convolutional
    stem). Deviation: 3D, a stem of two convolutions of stride 2 on the CNN's three input channels, three blocks.
    """

    def __init__(self, width: int, *, hidden: int = 64, depth: int = 3, heads: int = 2) -> None:
        super().__init__()
        self.conv_stem = nn.Sequential(
            nn.Conv3d(3, 32, 5, stride=2, padding=2, bias=False),
            nn.BatchNorm3d(32),
            nn.ReLU(),
            nn.Conv3d(32, 64, 3, stride=2, padding=1, bias=False),
            nn.BatchNorm3d(64),
            nn.ReLU(),
        )
        self.embed = nn.Linear(64, hidden)
        self.position = nn.Parameter(torch.randn(1, GRID**3, hidden) * 0.02)
        self.class_token = nn.Parameter(torch.zeros(1, 1, hidden))
        blocks = [
            TransformerBlock(hidden, 2 * hidden, heads, qkv_bias=True, use_flash_attention=True) for _ in range(depth)
        ]
        self.blocks = nn.ModuleList(blocks)
        self.hidden_norm = nn.LayerNorm(hidden)
        self.project = nn.Linear(hidden, width)
        self.kind = nn.Embedding(len(SERIES_KINDS), width)
        self.norm = nn.LayerNorm(width, elementwise_affine=False)
        self.dropout = nn.Dropout(0.1)

    def stem(self, crops: Tensor) -> Tensor:
        """Crops (N, 1, 32, 32, 32) -> activations of the stem (N, 64, 8, 8, 8): the map Grad-CAM reads."""
        check_crops(crops)
        return self.conv_stem(contrast_channels(crops))

    def trunk(self, activations: Tensor, kind: Tensor) -> Tensor:
        """Stem activations and series kind (N,) -> embeddings (N, D)."""
        tokens = self._tokens(activations)
        for block in self.blocks:
            tokens = block(tokens)
        return self._pooled(tokens, kind)

    def forward(self, crops: Tensor, kind: Tensor) -> Tensor:
        """Crops (N, 1, 32, 32, 32) and kind (N,) int -> embeddings (N, D), each of mean 0 and variance 1."""
        return self.trunk(self.stem(crops), kind)

    def trunk_with_attention(self, activations: Tensor, kind: Tensor) -> tuple[Tensor, list[Tensor]]:
        """``trunk`` with the attention of every block, first to last, each (N, heads, T, T), rows summing to 1.

        T = 1 + 8^3; token 0 is the class token, the others follow the grid (z, y, x). The embeddings are computed from
        these very tensors, so that a target of the embeddings has a gradient in each.
        """
        found, tokens = [], self._tokens(activations)
        for block in self.blocks:
            attn, normed = block.attn, block.norm1(tokens)
            query, key, value = attn.input_rearrange(attn.qkv(normed))
            share = torch.softmax(torch.einsum("nhxd,nhyd->nhxy", query, key) * attn.scale, dim=-1)
            found.append(share)
            tokens = tokens + attn.out_proj(attn.out_rearrange(torch.einsum("nhxy,nhyd->nhxd", share, value)))
            tokens = tokens + block.mlp(block.norm2(tokens))
        return self._pooled(tokens, kind), found

    def attention(self, activations: Tensor) -> list[Tensor]:
        """The attention of ``trunk_with_attention`` alone; it does not depend on the series kind."""
        return self.trunk_with_attention(activations, torch.zeros(len(activations), dtype=torch.long))[1]

    def _pooled(self, tokens: Tensor, kind: Tensor) -> Tensor:
        """Tokens after the last block (N, T, hidden) -> embeddings (N, D), read from the class token."""
        pooled = self.hidden_norm(tokens[:, 0])
        return self.norm(self.project(self.dropout(pooled)) + self.kind(kind))

    def _tokens(self, activations: Tensor) -> Tensor:
        """(N, 64, 8, 8, 8) -> (N, 1 + 512, hidden)."""
        flat = self.embed(activations.flatten(2).transpose(1, 2)) + self.position
        return torch.cat([self.class_token.expand(len(flat), -1, -1), flat], 1)


assert CROP_VOXELS == 4 * GRID  # the stem's two strides of 2
