"""Attention rollout of the 3D vision transformer, plain and weighed by the gradient of a target.

Plain rollout is attention, not attribution: it says from which tokens information could reach the class token, and is
the same for every target. Weighed by the gradient it has a target. Both have the resolution of a token (8 mm).

What this module does not know: what the target means, the CNN (which has no attention).
"""

from __future__ import annotations

import torch
from torch import Tensor

from encoders.errors import SettingsError
from encoders.explain.crop_map import CropEncoder, Target, scale_to_peak, to_crop_size
from encoders.registry import FUSION_OF
from encoders.vit import GRID, ViTEncoder

RESIDUAL_SHARE = 0.5
"""Share of the identity in plain rollout's mix: the residual connection carries a token past the attention."""
EVEN = 1e-4
"""Rows whose values differ by less than this share of the largest are taken for even."""


def attention_rollout(encoder: CropEncoder, crops: Tensor) -> Tensor:
    """Attention of the class token followed through all blocks: mean over heads, half identity, multiplied.

    Parameters
    ----------
    crops : (N, 1, 32, 32, 32)

    Returns
    -------
    (N, 32, 32, 32) float in [0, 1]: the class token's row, from its smallest value (0) to its largest (1), which is how
    the maps are shown in the literature; the row's floor carries no place. All 0 where attention is even.

    Raises
    ------
    SettingsError: the encoder has no attention.

    References
    ----------
    Abnar & Zuidema, ACL 2020, 10.18653/v1/2020.acl-main.385.
    """
    vit = _with_attention(encoder, "rollout")
    with torch.no_grad():
        blocks = vit.attention(vit.stem(crops))
        same = torch.eye(blocks[0].shape[-1])
        flow = same.expand(len(crops), -1, -1)
        for share in blocks:
            flow = (RESIDUAL_SHARE * same + (1 - RESIDUAL_SHARE) * share.mean(1)) @ flow
    row = flow[:, 0, 1:]
    floor, top = row.amin(1, keepdim=True), row.amax(1, keepdim=True)
    even = top - floor <= EVEN * top  # rounding alone would else be stretched to a map
    return _on_crop(torch.where(even, torch.zeros_like(row), row - floor))


def gradient_rollout(encoder: CropEncoder, crops: Tensor, kind: Tensor, target: Target) -> Tensor:
    """Rollout of the attention that raises a target: relevance grows by mean_heads(relu(gradient * attention)).

    Parameters
    ----------
    crops : (N, 1, 32, 32, 32), all series of one patient; kind : (N,) int

    Returns
    -------
    (N, 32, 32, 32) float in [0, 1], each divided by its own maximum; all 0 where no attention raises the target

    Raises
    ------
    SettingsError: the encoder has no attention.

    References
    ----------
    Chefer, Gur & Wolf, ICCV 2021, arXiv 2103.15679 (self-attention rule), which simplifies theirs of CVPR 2021,
    arXiv 2012.09838, by taking the attention itself for its layer-wise relevance.
    """
    vit = _with_attention(encoder, "grad_rollout")
    with torch.enable_grad():
        activations = vit.stem(crops).detach().requires_grad_()
        rows, blocks = vit.trunk_with_attention(activations, kind)
        gradients = torch.autograd.grad(target(rows), blocks)
    relevance = torch.eye(blocks[0].shape[-1]).expand(len(crops), -1, -1)
    for share, gradient in zip(blocks, gradients, strict=True):
        relevance = relevance + torch.relu(gradient * share.detach()).mean(1) @ relevance
    return _on_crop(relevance[:, 0, 1:])


def _with_attention(encoder: CropEncoder, name: str) -> ViTEncoder:
    if not isinstance(encoder, ViTEncoder):
        raise SettingsError(
            f"{name} reads the attention of a vision transformer, and {type(encoder).__name__} has none; use the model "
            f"{FUSION_OF['vit3d']!r}, or another method."
        )
    return encoder


def _on_crop(row: Tensor) -> Tensor:
    """(N, 512), at least 0 -> (N, 32, 32, 32), each divided by its maximum."""
    return scale_to_peak(to_crop_size(row.view(-1, GRID, GRID, GRID)))
