"""From an image and a mask to grey levels: resampling, outliers, discretisation, and the padded grid textures read.

What this module does not know: features, what the mask outlines.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import map_coordinates

from encoders.errors import ContractError, InputError, SettingsError
from encoders.radiomics.settings import MAX_LEVELS, RadiomicsSettings

Spacing = tuple[float, float, float]

HALF_SPHERE: tuple[tuple[int, int, int], ...] = tuple(d for d in product((-1, 0, 1), repeat=3) if d > (0, 0, 0))
"""The 13 directions (z, y, x) of neighbours at Chebyshev distance 1, one of each opposite pair."""

BIN_EDGE_TOLERANCE = 1e-9
"""In bins: a value this little below an edge belongs above it (it is there but for rounding)."""


@dataclass(frozen=True)
class LevelGrid:
    """Grey levels of a region in a grid padded by one voxel of 0 on each side, flattened.

    flat : (N,) int32, 0 outside the region, else 1..n_levels
    index : (V,) positions of the region's voxels in ``flat``
    strides : steps in ``flat`` of one voxel along z, y, x
    n_levels : highest grey level the discretisation allows in this region
    """

    flat: NDArray[np.int32]
    index: NDArray[np.intp]
    strides: tuple[int, int, int]
    n_levels: int

    @property
    def levels(self) -> NDArray[np.int32]:
        """(V,) grey level of each voxel."""
        return self.flat[self.index]

    def steps(self, *, planar: bool) -> list[int]:
        """Steps in ``flat`` of the 13 directions, or of the 4 that stay in a slice."""
        return [int(np.dot(d, self.strides)) for d in HALF_SPHERE if d[0] == 0 or not planar]


def check_region(volume: NDArray[np.floating], mask: NDArray[np.bool_], spacing_mm: Spacing) -> None:
    """Raise ContractError on shapes or spacing that do not fit, InputError on an empty mask or non-finite voxels."""
    if volume.ndim != 3 or mask.shape != volume.shape:
        raise ContractError(f"volume {volume.shape} and mask {mask.shape}; both must be the same (Z, Y, X).")
    if mask.dtype != np.bool_:
        raise ContractError(f"mask has dtype {mask.dtype}; it must be bool (compare with the label first).")
    if len(spacing_mm) != 3 or not all(s > 0 for s in spacing_mm):
        raise ContractError(f"spacing_mm = {spacing_mm}; the rule is three values (z, y, x) above 0.")
    if not mask.any():
        raise InputError("the mask is empty; radiomics needs at least one voxel.")
    bad = int((~np.isfinite(volume[mask])).sum())
    if bad:
        raise InputError(f"{bad} voxels of the region are not finite; repair or mask them first.")


def crop(
    volume: NDArray[np.floating], mask: NDArray[np.bool_], margin: int
) -> tuple[NDArray[np.floating], NDArray[np.bool_]]:
    """Both arrays cut to the bounding box of the mask, ``margin`` voxels wider where the image goes on."""
    box = []
    for axis in range(3):
        hit = np.flatnonzero(mask.any(axis=tuple(a for a in range(3) if a != axis)))
        box.append(slice(max(0, int(hit[0]) - margin), int(hit[-1]) + 1 + margin))
    return volume[tuple(box)], mask[tuple(box)]


def resample(
    volume: NDArray[np.floating], mask: NDArray[np.bool_], spacing_mm: Spacing, edge_mm: float
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Both arrays on isotropic voxels of ``edge_mm``: trilinear, the mask at one half, grids aligned by their centres.

    Deviations from IBSI: the centres are those of the arrays given (``radiomics`` gives the surroundings of the region,
    IBSI the whole image), and intensities in HU are not rounded afterwards.

    Raises
    ------
    InputError: no voxel centre of the new grid lies in the region.
    """
    old = np.array(spacing_mm)
    shape = np.ceil(np.array(volume.shape) * old / edge_mm).astype(int)
    axes = [
        (np.arange(n) - (n - 1) / 2) * edge_mm / s + (m - 1) / 2
        for n, m, s in zip(shape, volume.shape, old, strict=True)
    ]
    where = np.meshgrid(*axes, indexing="ij")
    image = map_coordinates(volume.astype(np.float64), where, order=1, mode="nearest")
    inside = map_coordinates(mask.astype(np.float64), where, order=1, mode="constant") >= 0.5
    if not inside.any():
        raise InputError(f"no voxel is left after resampling to {edge_mm} mm; the region is smaller; use a finer grid.")
    return image, inside


def without_outliers(
    volume: NDArray[np.floating], mask: NDArray[np.bool_], outlier_sd: float | None
) -> NDArray[np.bool_]:
    """The intensity mask: ``mask`` less the voxels beyond ``outlier_sd`` population standard deviations of its mean."""
    if outlier_sd is None:
        return mask
    inside = volume[mask].astype(np.float64)
    return mask & (np.abs(volume - inside.mean()) <= outlier_sd * inside.std())


def discretise(values: NDArray[np.floating], settings: RadiomicsSettings) -> tuple[NDArray[np.int32], int]:
    """Grey levels 1..n of intensities (V,) and n.

    Raises
    ------
    InputError: a value lies below ``bin_origin``.
    SettingsError: more than ``MAX_LEVELS`` grey levels.

    References
    ----------
    IBSI 1 reference manual, fixed bin size and fixed bin number (Zwanenburg et al. 2020).
    """
    x = values.astype(np.float64)
    low = float(x.min())
    if settings.bin_count is not None:
        spread = float(x.max()) - low
        if spread == 0:
            return np.ones(len(x), np.int32), 1
        level = np.floor(settings.bin_count * (x - low) / spread + BIN_EDGE_TOLERANCE).astype(np.int64) + 1
        return np.minimum(level, settings.bin_count).astype(np.int32), settings.bin_count
    width = float(settings.bin_width or 0)
    origin = np.floor(low / width + BIN_EDGE_TOLERANCE) * width if settings.bin_origin is None else settings.bin_origin
    if low < origin - BIN_EDGE_TOLERANCE * width:
        raise InputError(f"the region's minimum {low:g} is below bin_origin = {origin:g}; lower it or leave it out.")
    level = np.floor((x - origin) / width + BIN_EDGE_TOLERANCE) + 1
    highest = int(level.max())
    if highest > MAX_LEVELS:
        raise SettingsError(
            f"bin_width = {width:g} gives {highest} grey levels; at most {MAX_LEVELS}: use a wider bin or bin_count."
        )
    return level.astype(np.int32), highest


def level_grid(levels: NDArray[np.int32], mask: NDArray[np.bool_], n_levels: int) -> LevelGrid:
    """Put the grey levels (V,) of the voxels of ``mask`` (in C order) into a padded grid."""
    grid = np.zeros(tuple(n + 2 for n in mask.shape), np.int32)
    grid[1:-1, 1:-1, 1:-1][mask] = levels
    _, rows, columns = grid.shape
    flat = grid.ravel()
    return LevelGrid(flat, np.flatnonzero(flat), (rows * columns, columns, 1), n_levels)
