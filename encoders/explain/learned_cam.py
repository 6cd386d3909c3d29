"""The report's heat map: Grad-CAM++ of two stages, less the map that encoders with random weights make of the picture.

Any network of convolutions points at what stands out in a picture, so a map says more of the picture than of what was
learned (Adebayo et al., NeurIPS 2018). What random weights mark is therefore taken off: marked is what the trained
weights add, relative to what random ones mark there. On random weights themselves little is left, which the
weight-randomisation test asks.

What this module does not know: what the target means, the series' grid.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from encoders.explain.crop_map import CropEncoder, Target, scale_to_peak, to_crop_size
from encoders.explain.grad_cam import CamWeights, cam_of
from encoders.explain.sanity import randomised_copy
from encoders.radiology import ImageEncoder

RANDOM_ENCODERS = 8
"""Encoders with random weights whose mean map is taken off."""
FIRST_SEED = 1_000_000
"""Their seeds, far from those the sanity tests draw, so that no test asks of the weights that were taken off."""

LEAST_ADDED = 1e-3
"""What exceeds the random map by no more than this, of a peak of 1, is rounding and counts as nothing."""
SOFTENING = 0.2
"""What is added counts relative to the random map there, raised by this much of a peak of 1. Settled on synthetic
patients of seeds 5 and 77: trained weights keep their peak in the lesion, random ones lose it more often."""


def learned_cam(encoder: CropEncoder, crops: Tensor, kind: Tensor, targets: Sequence[Target]) -> list[Tensor]:
    """Maps (N, 32, 32, 32) in [0, 1] of each target, each divided by its own maximum; 0 where nothing was added.

    References
    ----------
    Grad-CAM++: Chattopadhyay et al., WACV 2018, 10.1109/WACV.2018.00097; stages multiplied after Jiang et al., IEEE
    Trans Image Process 2021, 10.1109/TIP.2021.3089943. Taking off the mean map of random weights is our own.
    """
    drawn = [randomised_copy(encoder, seed=FIRST_SEED + k) for k in range(RANDOM_ENCODERS)]
    own = _stages_multiplied(encoder, crops, kind, targets)
    random = torch.stack([_stages_multiplied(other, crops, kind, targets) for other in drawn]).mean(dim=0)
    added = torch.where(own - random > LEAST_ADDED, (own - random) / (random + SOFTENING), 0.0)
    return list(scale_to_peak(added.flatten(0, 1)).view_as(added))


def _stages_multiplied(encoder: CropEncoder, crops: Tensor, kind: Tensor, targets: Sequence[Target]) -> Tensor:
    """(targets, N, 32, 32, 32) Grad-CAM++ of the stem times that of the next stage (a ViT has none), peak 1."""
    with torch.enable_grad():
        shallow = encoder.stem(crops).detach().requires_grad_()
        if isinstance(encoder, ImageEncoder):
            deep = encoder.deepen(shallow)
            activations = (shallow, deep)
            embeddings = encoder.top(deep, kind)
        else:
            activations, embeddings = (shallow,), encoder.trunk(shallow, kind)
        gradients = [torch.autograd.grad(target(embeddings), activations, retain_graph=True) for target in targets]
    found = []
    for of_target in gradients:
        product = torch.ones(())
        for activation, gradient in zip(activations, of_target, strict=True):
            coarse = cam_of(CamWeights.PLUS_PLUS, gradient, activation.detach())
            product = product * scale_to_peak(to_crop_size(coarse))
        found.append(scale_to_peak(product))
    return torch.stack(found)
