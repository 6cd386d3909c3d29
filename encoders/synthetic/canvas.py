"""A voxel grid in LPS millimetres to paint soft shapes on. Knows geometry only: no anatomy, no intensities' meaning."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

Array = NDArray[np.float32]
Point = tuple[float, float, float]
"""(x, y, z) in millimetres: left, posterior, superior of the grid's centre."""


@dataclass(frozen=True)
class Grid:
    """Axial grid centred on ``origin_lps``. shape (Z, Y, X); spacing_mm (z, y, x)."""

    shape: tuple[int, int, int]
    spacing_mm: tuple[float, float, float]
    origin_lps: Point = (0.0, 0.0, 0.0)

    def axes(self) -> tuple[Array, Array, Array]:
        """Open x (1, 1, X), y (1, Y, 1), z (Z, 1, 1) coordinates in mm from the grid's centre."""
        z, y, x = (
            ((np.arange(n) - (n - 1) / 2) * s).astype(np.float32)
            for n, s in zip(self.shape, self.spacing_mm, strict=True)
        )
        return x[None, None, :], y[None, :, None], z[:, None, None]

    def affine_lps(self) -> NDArray[np.float64]:
        """(4, 4) voxel index (x, y, z, 1) -> LPS mm."""
        affine = np.eye(4)
        for axis, (n, s) in enumerate(zip(self.shape[::-1], self.spacing_mm[::-1], strict=True)):
            affine[axis, axis] = s
            affine[axis, 3] = self.origin_lps[axis] - s * (n - 1) / 2
        return affine

    def box(self, centre: Point, reach_mm: float | Point) -> tuple[slice, slice, slice]:
        """Index box (z, y, x) of everything within ``reach_mm`` of ``centre``, clipped to the grid (may be empty)."""
        reach = (reach_mm,) * 3 if isinstance(reach_mm, int | float) else reach_mm
        box = []
        for n, s, c, r in zip(self.shape, self.spacing_mm, centre[::-1], reach[::-1], strict=True):
            middle = c / s + (n - 1) / 2
            low, high = int(np.floor(middle - r / s)) - 1, int(np.ceil(middle + r / s)) + 2
            box.append(slice(min(max(low, 0), n), max(min(high, n), 0)))
        return box[0], box[1], box[2]


def ellipsoid(grid: Grid, box: tuple[slice, ...], centre: Point, radii: Point, edge_mm: float = 2.0) -> Array:
    """Soft ellipsoid in ``box``: 1 inside, 0 outside, a ramp of ``edge_mm`` between."""
    x, y, z = (a for a in grid.axes())
    x, y, z = x[:, :, box[2]], y[:, box[1]], z[box[0]]
    rho = np.sqrt(
        ((x - centre[0]) / radii[0]) ** 2 + ((y - centre[1]) / radii[1]) ** 2 + ((z - centre[2]) / radii[2]) ** 2
    )
    return np.clip((1 - rho) * (min(radii) / edge_mm) + 0.5, 0, 1).astype(np.float32)


def paint(grid: Grid, volume: Array, centre: Point, radii: Point, value: float, edge_mm: float = 3.0) -> None:
    """Blend ``value`` into ``volume`` inside a soft ellipsoid, in place."""
    box = grid.box(centre, tuple(r + edge_mm for r in radii))
    soft = ellipsoid(grid, box, centre, radii, edge_mm)
    volume[box] += soft * (value - volume[box])


def smooth_noise(shape: tuple[int, ...], sigma: float | tuple[float, ...], rng: Generator) -> Array:
    """Gaussian-filtered white noise of unit variance."""
    noise = gaussian_filter(rng.standard_normal(shape, dtype=np.float32), sigma, mode="wrap")
    return noise / max(float(noise.std()), 1e-6)
