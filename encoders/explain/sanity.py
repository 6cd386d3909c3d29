"""Sanity tests of an image explanation: does it depend on the weights, and does deleting what it marks matter?

What this module does not know: what the target means. Passing both does not make a map right; failing one means it
should not be believed.
"""

from __future__ import annotations

import copy

import numpy as np
import torch
from scipy.stats import spearmanr
from torch import Tensor, nn

from encoders.explain.grad_cam import Target, grad_cam
from encoders.radiology import CROP_VOXELS, ImageEncoder

MAX_RANK_CORRELATION = 0.5
"""A map of random weights that correlates more than this with the real one fails the test."""
DELETED_FRACTIONS: tuple[float, ...] = (0.02, 0.05, 0.1, 0.2)
_CELL = 4


def randomised_copy(encoder: ImageEncoder, *, seed: int) -> ImageEncoder:
    """A copy of the encoder with every convolution and linear layer drawn anew."""
    other = copy.deepcopy(encoder)
    generator = torch.Generator().manual_seed(seed)
    for module in other.modules():
        if isinstance(module, nn.Conv3d | nn.Linear):
            fan_in = module.weight[0].numel()
            with torch.no_grad():
                module.weight.copy_(torch.randn(module.weight.shape, generator=generator) * (2 / fan_in) ** 0.5)
    return other.eval()


def weight_randomisation(
    encoder: ImageEncoder, crops: Tensor, kind: Tensor, target: Target, cam: Tensor, *, seed: int = 0
) -> list[tuple[bool, float]]:
    """Per series: (map changed, rank correlation of the map with that of random weights).

    cam : (N, 32, 32, 32), the map under test; a flat one fails. Correlation is 0 when either map is flat.

    References
    ----------
    Adebayo et al., NeurIPS 2018. Deviation: all layers at once, not cascading.
    """
    random_cam = grad_cam(randomised_copy(encoder, seed=seed), crops, kind, target)
    out = []
    for a, b in zip(cam, random_cam, strict=True):
        left, right = (x[::_CELL, ::_CELL, ::_CELL].flatten().numpy() for x in (a, b))
        flat = bool(np.ptp(left) == 0 or np.ptp(right) == 0)
        rho = 0.0 if flat else float(spearmanr(left, right).statistic)
        out.append((bool(np.ptp(left) > 0) and abs(rho) <= MAX_RANK_CORRELATION, rho))
    return out


@torch.no_grad()
def deletion_curve(
    encoder: ImageEncoder, crops: Tensor, kind: Tensor, target: Target, cam: Tensor, *, seed: int = 0
) -> list[tuple[bool, float]]:
    """Per series: (passed, figure): figure = mean drop of the target when the marked voxels are deleted first, minus
    the mean drop when cells are deleted at random; passed when it is above 0.

    Deleted voxels take the median of the crop's six faces (the surroundings), for ``DELETED_FRACTIONS`` of the crop.
    A map that is 0 everywhere fails with figure 0.

    References
    ----------
    Petsiuk et al., RISE, BMVC 2018 (deletion metric). Deviation: against random cells of 8 mm, two draws.
    """
    full = float(target(encoder(crops, kind)))
    generator = torch.Generator().manual_seed(seed)
    side = CROP_VOXELS // _CELL
    results = []
    for n in range(len(crops)):
        if float(cam[n].max()) <= 0:
            results.append((False, 0.0))
            continue
        orders = [cam[n]]
        for _ in range(2):
            cells = torch.rand(1, 1, side, side, side, generator=generator)
            orders.append(torch.nn.functional.interpolate(cells, scale_factor=_CELL)[0, 0])
        drops = [full - _mean_after_deletion(encoder, crops, kind, target, n, order) for order in orders]
        figure = drops[0] - (drops[1] + drops[2]) / 2
        results.append((figure > 0, figure))
    return results


def _mean_after_deletion(
    encoder: ImageEncoder, crops: Tensor, kind: Tensor, target: Target, n: int, order: Tensor
) -> float:
    image = crops[n, 0]
    faces = torch.cat([image[i].flatten() for i in (0, -1)] + [image[:, i].flatten() for i in (0, -1)])
    surroundings = faces.median()
    rank = order.flatten().argsort(descending=True)
    values = []
    for fraction in DELETED_FRACTIONS:
        deleted = crops.clone()
        view = deleted[n, 0].flatten()
        view[rank[: int(fraction * rank.numel())]] = surroundings
        deleted[n, 0] = view.view_as(image)
        values.append(float(target(encoder(deleted, kind))))
    return sum(values) / len(values)
