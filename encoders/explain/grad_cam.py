"""3D Grad-CAM of a scalar target on lesion crops, and its way back to the series' own grid.

What this module does not know: what the target means. The map has the resolution of the second stage (8 mm); voxels
outside the 64 mm crop are 0 because the network never saw them.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.ndimage import map_coordinates
from torch import Tensor

from encoders.radiology import CROP_VOXELS, ImageEncoder, LesionCrop

Target = Callable[[Tensor], Tensor]
"""Image embeddings (N, D) of all the patient's series -> a scalar; a larger value = more of the target."""


class CamWeights(StrEnum):
    """How an activation is weighed by the gradient.

    LAYER : each by its own positive gradient (LayerCAM); the default, it keeps to the lesion best
    MEAN : each channel by its mean gradient (the first Grad-CAM), which on this encoder often peaks beside the lesion
    PLUS_PLUS : each channel by its positive gradients, those of few strong voxels more (Grad-CAM++)
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


def grad_cam(
    encoder: ImageEncoder, crops: Tensor, kind: Tensor, target: Target, *, form: CamWeights = CamWeights.LAYER
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
    weight = _weights(form, gradient, activations.detach())
    cam = torch.relu((weight * activations.detach()).sum(1, keepdim=True))
    cam = torch.nn.functional.interpolate(cam, size=[CROP_VOXELS] * 3, mode="trilinear", align_corners=False)[:, 0]
    peak = cam.amax(dim=(1, 2, 3), keepdim=True)
    return torch.where(peak > 0, cam / peak.clamp(min=1e-12), torch.zeros_like(cam))


def paste_into_series(
    cam: NDArray[np.float32], crop: LesionCrop, affine_lps: NDArray[np.float64], shape: tuple[int, int, int]
) -> NDArray[np.float32]:
    """Put a crop map (32, 32, 32) back on the grid of its series (Z, Y, X); 0 outside the crop.

    affine_lps : (4, 4), series index (x, y, z, 1) -> LPS mm
    """
    out = np.zeros(shape, np.float32)
    corners = np.array([[x, y, z, 1.0] for x in (0, 1) for y in (0, 1) for z in (0, 1)])
    corners[:, :3] *= CROP_VOXELS - 1
    in_series = corners @ crop.crop_to_lps.T @ np.linalg.inv(affine_lps).T  # (8, 4): x, y, z, 1
    low = np.maximum(np.floor(in_series[:, 2::-1].min(0)).astype(int), 0)
    high = np.minimum(np.ceil(in_series[:, 2::-1].max(0)).astype(int) + 1, shape)
    if np.any(high <= low):
        return out
    z, y, x = np.meshgrid(*(np.arange(a, b, dtype=np.float64) for a, b in zip(low, high, strict=True)), indexing="ij")
    to_crop = np.linalg.inv(crop.crop_to_lps) @ affine_lps
    xyz = np.tensordot(to_crop[:3, :3], np.stack([x, y, z]), axes=1) + to_crop[:3, 3][:, None, None, None]
    values = map_coordinates(cam, xyz[::-1], order=1, mode="constant", cval=0.0, output=np.float32)
    out[low[0] : high[0], low[1] : high[1], low[2] : high[2]] = np.clip(values, 0, 1)
    return out
