"""A map on lesion crops: its scale, its size, and its way back to the series' own grid. Shared by every method.

What this module does not know: how a map is made.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.ndimage import map_coordinates
from torch import Tensor

from encoders.radiology import CROP_VOXELS, ImageEncoder, LesionCrop
from encoders.vit import ViTEncoder

CropEncoder = ImageEncoder | ViTEncoder
"""An encoder of crops in two parts: ``stem`` to (N, C, 8, 8, 8), ``trunk`` to embeddings (N, D)."""

Target = Callable[[Tensor], Tensor]
"""Image embeddings (N, D) of all the patient's series -> a scalar; a larger value = more of the target."""


def scale_to_peak(raw: Tensor) -> Tensor:
    """The positive part of maps (N, 32, 32, 32), each divided by its own maximum; all 0 where nothing is positive."""
    kept = torch.relu(raw)
    peak = kept.amax(dim=(1, 2, 3), keepdim=True)
    return torch.where(peak > 0, kept / peak.clamp(min=1e-12), torch.zeros_like(kept))


def to_crop_size(coarse: Tensor) -> Tensor:
    """(N, 8, 8, 8) -> (N, 32, 32, 32) by linear interpolation between the cells' centres.

    Cell j of either stem looks at the crop around voxel 4 j (its strided convolutions are padded evenly), so that the
    last three voxels, past the last centre, take its value.
    """
    step = CROP_VOXELS // coarse.shape[-1]
    size = [CROP_VOXELS - step + 1] * 3
    fine = torch.nn.functional.interpolate(coarse.unsqueeze(1), size=size, mode="trilinear", align_corners=True)
    return torch.nn.functional.pad(fine, (0, step - 1) * 3, mode="replicate")[:, 0]


def paste_into_series(
    cam: NDArray[np.float32], crop: LesionCrop, affine_lps: NDArray[np.float64], shape: tuple[int, int, int]
) -> NDArray[np.float32]:
    """Put a crop map (32, 32, 32) back on the grid of its series (Z, Y, X); 0 outside the crop.

    The crop ends half a voxel past the centres of its outer voxels.

    affine_lps : (4, 4), series index (x, y, z, 1) -> LPS mm
    """
    out = np.zeros(shape, np.float32)
    corners = np.array([[x, y, z, 1.0] for x in (0, 1) for y in (0, 1) for z in (0, 1)])
    corners[:, :3] = corners[:, :3] * CROP_VOXELS - 0.5
    in_series = corners @ crop.crop_to_lps.T @ np.linalg.inv(affine_lps).T  # (8, 4): x, y, z, 1
    low = np.maximum(np.floor(in_series[:, 2::-1].min(0)).astype(int), 0)
    high = np.minimum(np.ceil(in_series[:, 2::-1].max(0)).astype(int) + 1, shape)
    if np.any(high <= low):
        return out
    z, y, x = np.meshgrid(*(np.arange(a, b, dtype=np.float64) for a, b in zip(low, high, strict=True)), indexing="ij")
    to_crop = np.linalg.inv(crop.crop_to_lps) @ affine_lps
    xyz = np.tensordot(to_crop[:3, :3], np.stack([x, y, z]), axes=1) + to_crop[:3, 3][:, None, None, None]
    values = map_coordinates(cam, xyz[::-1], order=1, mode="nearest", output=np.float32)
    values[((xyz < -0.5) | (xyz > CROP_VOXELS - 0.5)).any(0)] = 0
    out[low[0] : high[0], low[1] : high[1], low[2] : high[2]] = np.clip(values, 0, 1)
    return out
