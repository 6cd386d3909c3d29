"""A stack with a tilted gantry -> the same stack on a right-angled grid.

The reader keeps such a stack as it was scanned, with its exact sheared affine: voxels stay those of the files, and SEG
and RTSTRUCT lie on them. Whatever asks the affine (crops, heat maps, exports, volumes, diameters in a slice) is
right as it is. What takes the axes to be perpendicular (distances in three dimensions, textures) resamples here first.

The slices are parallel and keep their distance, so each is only moved within its plane, by linear interpolation; there
is no interpolation between slices. Masks are moved the same way and cut at one half.

What this module does not know: uneven slices, rotation of the patient.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import map_coordinates

from encoders.patient import ImagingModality, ImagingSeries

SHEARED_MM = 0.1
"""A stack whose last slice is shifted by more than this within its plane is sheared."""
AIR_HU = -1000.0


def slice_shift(series: ImagingSeries) -> NDArray[np.float64]:
    """(x, y) voxels by which each slice lies beside the one before it, within the plane; (0, 0) with right angles."""
    axes = series.affine_lps[:3, :3]
    normal = np.cross(axes[:, 0], axes[:, 1])
    normal /= np.linalg.norm(normal)
    beside = axes[:, 2] - normal * float(axes[:, 2] @ normal)
    return np.linalg.lstsq(axes[:, :2], beside, rcond=None)[0]


def is_sheared(series: ImagingSeries) -> bool:
    """Whether the slices shift by more than ``SHEARED_MM`` within their plane over the whole stack."""
    across = slice_shift(series) * (series.spacing_mm[2], series.spacing_mm[1]) * (series.volume.shape[0] - 1)
    return bool(np.abs(across).max() > SHEARED_MM)


def with_right_angles(series: ImagingSeries) -> ImagingSeries:
    """The series on a right-angled grid of the same spacing that holds every slice whole; itself when not sheared.

    Where no slice reaches, CT holds air and others 0. SOP instance UIDs stay: slice k is still the file of slice k.
    """
    if not is_sheared(series):
        return series
    shift = slice_shift(series)  # (x, y) voxels per slice
    depth, rows, columns = series.volume.shape
    reach = shift * (depth - 1)
    low = np.floor(np.minimum(reach, 0)).astype(int)
    high = np.ceil(np.maximum(reach, 0)).astype(int)
    shape = (depth, rows + int(high[1] - low[1]), columns + int(high[0] - low[0]))
    affine = series.affine_lps.copy()
    affine[:3, 3] += affine[:3, :2] @ low
    affine[:3, 2] -= affine[:3, :2] @ shift
    outside = AIR_HU if series.modality is ImagingModality.CT else 0.0
    volume = _moved(series.volume, shape, shift, low, outside)
    segments = tuple(
        replace(s, mask=_moved(s.mask.astype(np.float32), shape, shift, low, 0.0) >= 0.5) for s in series.segments
    )
    return replace(series, volume=volume, affine_lps=affine, segments=segments)


def _moved(
    volume: NDArray[np.float32],
    shape: tuple[int, int, int],
    shift: NDArray[np.float64],
    low: NDArray[np.int_],
    outside: float,
) -> NDArray[np.float32]:
    """Each slice read at the right-angled grid's places: new (x, y) of slice k lies at old (x, y) + low - k * shift."""
    out = np.empty(shape, dtype=np.float32)
    y, x = np.meshgrid(np.arange(shape[1]), np.arange(shape[2]), indexing="ij")
    for k, plane in enumerate(volume):
        places = (y + low[1] - k * shift[1], x + low[0] - k * shift[0])
        map_coordinates(plane, places, order=1, mode="constant", cval=outside, output=out[k])
    return out
