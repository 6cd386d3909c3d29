"""3D Grad-CAM of a scalar target on lesion crops, read between the stem and the trunk of either image encoder.

What this module does not know: what the target means. The map has the resolution of the stem (8 mm); voxels outside
the 64 mm crop are 0 because the network never saw them.
"""

from __future__ import annotations

from enum import StrEnum

import torch
from torch import Tensor

from encoders.explain.crop_map import CropEncoder, Target, scale_to_peak, to_crop_size


class CamWeights(StrEnum):
    """How an activation is weighed by the gradient.

    LAYER : each by its own positive gradient (LayerCAM); the default. Its peak keeps to the lesion in the middle of the
        crop, and on the CNN stays near the middle when the crop is moved off the lesion (eval/imaging_explain.py)
    MEAN : each channel by its mean gradient (the first Grad-CAM), which on these encoders often peaks beside the lesion
    PLUS_PLUS : each channel by its positive gradients, those of few strong voxels more (Grad-CAM++); on the CNN it
        follows a lesion that is not in the middle, and its map is wider
    """

    LAYER = "LayerCAM"
    MEAN = "Grad-CAM"
    PLUS_PLUS = "Grad-CAM++"


def _weights(form: CamWeights, gradient: Tensor, activations: Tensor) -> Tensor:
    """(N, C, 8, 8, 8), or (N, C, 1, 1, 1) for the forms that weigh whole channels."""
    if form is CamWeights.LAYER:
        return torch.relu(gradient)
    if form is CamWeights.MEAN:
        return gradient.mean(dim=(2, 3, 4), keepdim=True)
    power = gradient**2
    below = 2 * power + activations.sum(dim=(2, 3, 4), keepdim=True) * gradient**3
    alpha = power / torch.where(below.abs() > 1e-12, below, torch.ones_like(below))
    return (alpha * torch.relu(gradient)).sum(dim=(2, 3, 4), keepdim=True)


def cam_of(form: CamWeights, gradient: Tensor, activations: Tensor) -> Tensor:
    """Map (N, g, g, g), 0 or more, of activations (N, C, g, g, g) and the target's gradient on them."""
    return torch.relu((_weights(form, gradient, activations) * activations).sum(1))


def grad_cam(
    encoder: CropEncoder, crops: Tensor, kind: Tensor, target: Target, *, form: CamWeights = CamWeights.LAYER
) -> Tensor:
    """Grad-CAM maps of every series for one scalar target.

    Parameters
    ----------
    crops : (N, 1, 32, 32, 32); kind : (N,) int
    form : how activations are weighed

    Returns
    -------
    (N, 32, 32, 32) float in [0, 1], each divided by its own maximum; all 0 where nothing raises the target

    References
    ----------
    Selvaraju et al., ICCV 2017. Grad-CAM++: Chattopadhyay et al., WACV 2018, 10.1109/WACV.2018.00097.
    LayerCAM: Jiang et al., IEEE Trans Image Process 2021, 10.1109/TIP.2021.3089943.
    """
    with torch.enable_grad():
        activations = encoder.stem(crops).detach().requires_grad_()
        (gradient,) = torch.autograd.grad(target(encoder.trunk(activations, kind)), activations)
    return scale_to_peak(to_crop_size(cam_of(form, gradient, activations.detach())))
