"""2D slices through a lesion, for image networks that read pictures: where they lie, and their 8-bit pixels.

Slices lie on the patient's axes whatever the acquisition plane, show ``field_of_view_mm`` around the lesion, and are
oriented as radiologists read them: axial with the patient's left on the right and the back below, coronal with the head
up, sagittal with the head up and the front on the left.

What this module does not know or check: networks, whether the segment is the tumour.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter, map_coordinates

from encoders.image_encoders.card import Cut, Scaling, Window
from encoders.patient import ImagingSeries, Segment
from encoders.radiology import background_value, scale_intensity

PLANES = {
    "axial": (np.array([1.0, 0.0, 0.0]), np.array([0.0, 1.0, 0.0])),
    "coronal": (np.array([1.0, 0.0, 0.0]), np.array([0.0, 0.0, -1.0])),
    "sagittal": (np.array([0.0, 1.0, 0.0]), np.array([0.0, 0.0, -1.0])),
}
"""Plane -> (LPS direction of growing column, LPS direction of growing row)."""


def planes_of(cut: Cut) -> tuple[str, ...]:
    """Names of the planes a cut takes."""
    return ("axial",) if cut is Cut.AXIAL_SLICE else tuple(PLANES)


def key_point(series: ImagingSeries, segment: Segment) -> NDArray[np.float64]:
    """(3,) LPS mm: centroid of the lesion within the axial level that holds most of it.

    A level is as thick as the series' spacing along the axis nearest to the patient's z. Of equal levels the lowest in
    z is taken. The point lies in the lesion's slice even where the lesion's 3D centroid lies outside it.
    """
    index = np.argwhere(segment.mask)[:, ::-1].astype(np.float64)  # (V, 3): x, y, z
    lps = index @ series.affine_lps[:3, :3].T + series.affine_lps[:3, 3]
    axis = int(np.argmax(np.abs(series.affine_lps[2, :3]) / np.array(series.spacing_mm[::-1])))
    height = lps[:, 2] - lps[:, 2].min()
    level = np.floor(height / series.spacing_mm[2 - axis] + 1e-6).astype(int)
    return lps[level == np.bincount(level).argmax()].mean(0)


def sample_plane(
    series: ImagingSeries, centre_lps: NDArray[np.float64], plane: str, field_of_view_mm: float, pixels: int
) -> NDArray[np.float32]:
    """(pixels, pixels) float32 in the series' unit: linear interpolation, smoothed first where voxels are finer.

    Outside the volume stands the series' background (air, no uptake, no signal).
    """
    across, down = PLANES[plane]
    step = field_of_view_mm / pixels
    offset = (np.arange(pixels) - (pixels - 1) / 2) * step
    points = centre_lps + offset[:, None, None] * down + offset[None, :, None] * across  # (rows, columns, 3)
    inverse = np.linalg.inv(series.affine_lps)
    index = (points @ inverse[:3, :3].T + inverse[:3, 3])[..., ::-1]  # z, y, x
    return _interpolated(series, np.moveaxis(index, -1, 0), _smoothing(series, np.cross(across, down), step))


def _smoothing(series: ImagingSeries, normal: NDArray[np.float64], step_mm: float) -> list[float]:
    """Gaussian sigma in voxels per volume axis (z, y, x); none along the axis that leaves the plane."""
    spacing = np.array(series.spacing_mm)
    directions = series.affine_lps[:3, :3][:, ::-1] / spacing  # columns: z, y, x
    in_plane = np.abs(normal @ directions) < 0.5
    return [float(max(step_mm / s - 1.0, 0.0) / 2) if flat else 0.0 for s, flat in zip(spacing, in_plane, strict=True)]


def _interpolated(series: ImagingSeries, index: NDArray[np.float64], sigma: list[float]) -> NDArray[np.float32]:
    low = np.maximum(np.floor(index.min(axis=(1, 2))).astype(int) - 3, 0)
    high = np.minimum(np.ceil(index.max(axis=(1, 2))).astype(int) + 4, series.volume.shape)
    outside = background_value(series)
    if np.any(high <= low):
        return np.full(index.shape[1:], outside, np.float32)
    part = series.volume[low[0] : high[0], low[1] : high[1], low[2] : high[2]].astype(np.float32)
    if max(sigma) > 0.2:
        part = gaussian_filter(part, sigma, mode="nearest")
    local = index - low[:, None, None]
    return map_coordinates(part, local, order=1, mode="constant", cval=outside, output=np.float32)


def to_gray(values: NDArray[np.float32], series: ImagingSeries, window: Window) -> NDArray[np.uint8]:
    """Intensities -> 0..255 by the window: low is black, high is white."""
    low, high = float(window.low or 0.0), float(window.high or 0.0)
    scaled = scale_intensity(values, series) if window.scaling is Scaling.ROBUST_Z else values
    share = (np.clip(scaled, low, high) - low) / (high - low)
    return np.rint(255.0 * share).astype(np.uint8)


def lesion_pictures(
    series: ImagingSeries, segment: Segment, window: Window, planes: tuple[str, ...], view: tuple[float, int]
) -> NDArray[np.uint8]:
    """(planes, pixels, pixels, 3) uint8: the same gray in all three channels; view = (field of view in mm, pixels)."""
    centre = key_point(series, segment)
    gray = [to_gray(sample_plane(series, centre, plane, *view), series, window) for plane in planes]
    return np.repeat(np.stack(gray)[..., None], 3, axis=-1)
