"""Shape features of a mask (IBSI family "morph").

What this module does not know: grey levels, whether the mask is a lesion. Intensities are used for nothing but
the shift between the centre of mass and the geometric centre.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import ConvexHull
from scipy.spatial.distance import pdist

from encoders.radiomics.surface_mesh import area_mm2, triangles, volume_mm3

Spacing = tuple[float, float, float]


def morphology(
    volume: NDArray[np.floating], shape: NDArray[np.bool_], intensity: NDArray[np.bool_], spacing_mm: Spacing
) -> dict[str, float]:
    """Shape features in mm, mm2 and mm3.

    shape, intensity : (Z, Y, X) bool, the morphological and the intensity mask (the second without outliers)
    """
    mesh = triangles(shape, spacing_mm)
    mesh_volume, area = volume_mm3(mesh), area_mm2(mesh)
    sphere = (36 * np.pi * mesh_volume**2) ** (1 / 3)  # area of the sphere of the same volume
    return {
        "morph_volume": mesh_volume,
        "morph_vol_approx": float(shape.sum()) * float(np.prod(spacing_mm)),
        "morph_area_mesh": area,
        "morph_av": area / mesh_volume,
        "morph_comp_1": mesh_volume / (np.sqrt(np.pi) * area**1.5),
        "morph_comp_2": 36 * np.pi * mesh_volume**2 / area**3,
        "morph_sph_dispr": area / sphere,
        "morph_sphericity": sphere / area,
        "morph_asphericity": area / sphere - 1,
        "morph_com": _centre_shift(volume, shape, intensity, spacing_mm),
        "morph_diam": _largest_distance(mesh.reshape(-1, 3)),
        **_principal_axes(np.argwhere(shape) * np.array(spacing_mm)),
    }


def _centre_shift(
    volume: NDArray[np.floating], shape: NDArray[np.bool_], intensity: NDArray[np.bool_], spacing_mm: Spacing
) -> float:
    """Distance between the geometric centre and the intensity-weighted one; NaN where intensities are not all above 0.

    Weights must be positive for a centre of mass; CT in HU has none in general.
    """
    weight = volume[intensity].astype(np.float64)
    if weight.min() < 0 or weight.sum() <= 0:
        return float("nan")
    step = np.array(spacing_mm)
    heavy = (np.argwhere(intensity) * weight[:, None]).sum(axis=0) / weight.sum()
    return float(np.linalg.norm((np.argwhere(shape).mean(axis=0) - heavy) * step))


def _largest_distance(points: NDArray[np.float64]) -> float:
    return float(pdist(points[ConvexHull(points).vertices]).max())


def _principal_axes(points: NDArray[np.float64]) -> dict[str, float]:
    """Axis lengths 4 sqrt(eigenvalue) of the voxel centres' sample covariance (divisor V - 1); ratios by 0 are NaN."""
    centred = points - points.mean(axis=0)
    value = np.linalg.eigvalsh(centred.T @ centred / max(len(points) - 1, 1)).clip(min=0)[::-1]
    value[value < 1e-12 * value[0]] = 0.0  # a flat region's missing axis, 0 but for rounding
    major, minor, least = (float(4 * np.sqrt(v)) for v in value)
    return {
        "morph_pca_maj_axis": major,
        "morph_pca_min_axis": minor,
        "morph_pca_least_axis": least,
        "morph_pca_elongation": minor / major if major else np.nan,
        "morph_pca_flatness": least / major if major else np.nan,
    }
