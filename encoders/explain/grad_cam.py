"""3D Grad-CAM of a scalar target on lesion crops, and its way back to the series' own grid.

What this module does not know: what the target means. The map has the resolution of the second stage (8 mm); voxels
outside the 64 mm crop are 0 because the network never saw them.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.ndimage import map_coordinates
from torch import Tensor

from encoders.radiology import CROP_VOXELS, ImageEncoder, LesionCrop

Target = Callable[[Tensor], Tensor]
"""Image embeddings (N, D) of all the patient's series -> a scalar; a larger value = more of the target."""


def grad_cam(
    encoder: ImageEncoder, crops: Tensor, kind: Tensor, target: Target, *, elementwise: bool = True
) -> Tensor:
    """Grad-CAM maps of every series for one scalar target.

    Parameters
    ----------
    crops : (N, 1, 32, 32, 32); kind : (N,) int
    elementwise : True weighs each activation by its own positive gradient (LayerCAM); False weighs each channel by its
        mean gradient, the first form, which on this encoder often peaks beside the lesion

    Returns
    -------
    (N, 32, 32, 32) float in [0, 1], each divided by its own maximum; all 0 where nothing raises the target

    References
    ----------
    Selvaraju et al., ICCV 2017. LayerCAM: Jiang et al., IEEE Trans Image Process 2021, 10.1109/TIP.2021.3089943.
    """
    with torch.enable_grad():
        activations = encoder.stem(crops).detach().requires_grad_()
        (gradient,) = torch.autograd.grad(target(encoder.trunk(activations, kind)), activations)
    # (N, C, 8, 8, 8) or (N, C, 1, 1, 1)
    weight = torch.relu(gradient) if elementwise else gradient.mean(dim=(2, 3, 4), keepdim=True)
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
