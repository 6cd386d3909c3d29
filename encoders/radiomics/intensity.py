"""Intensity statistics, grey-level histogram and local peaks of a region (IBSI families "stat", "ih" and "loc").

What this module does not know: units, grey-level textures.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import convolve

PEAK_RADIUS_MM = (3 / (4 * np.pi)) ** (1 / 3) * 10
"""Radius of the sphere of 1 mL, 6.2 mm (Wahl et al., J Nucl Med 2009, 10.2967/jnumed.108.057307)."""


def statistics(values: NDArray[np.floating]) -> dict[str, float]:
    """IBSI statistics of the intensities (V,); what has no value (skewness of a constant) is NaN.

    Variance and its kin divide by V; kurtosis is excess kurtosis; percentiles are interpolated linearly.
    """
    x = values.astype(np.float64)
    p10, p25, median, p75, p90 = (float(p) for p in np.percentile(x, [10, 25, 50, 75, 90]))
    mean, variance = float(x.mean()), float(x.var())
    inner = x[(x >= p10) & (x <= p90)]
    constant = bool(x.min() == x.max())
    return {
        "stat_mean": mean,
        "stat_var": variance,
        "stat_skew": np.nan if constant else float(((x - mean) ** 3).mean() / variance**1.5),
        "stat_kurt": np.nan if constant else float(((x - mean) ** 4).mean() / variance**2 - 3),
        "stat_median": median,
        "stat_min": float(x.min()),
        "stat_p10": p10,
        "stat_p90": p90,
        "stat_max": float(x.max()),
        "stat_iqr": p75 - p25,
        "stat_range": float(x.max() - x.min()),
        "stat_mad": float(np.abs(x - mean).mean()),
        "stat_rmad": float(np.abs(inner - inner.mean()).mean()) if inner.size else np.nan,
        "stat_medad": float(np.abs(x - median).mean()),
        "stat_cov": float(np.sqrt(variance) / mean) if mean else np.nan,
        "stat_qcod": (p75 - p25) / (p75 + p25) if p75 + p25 else np.nan,
        "stat_energy": float((x**2).sum()),
        "stat_rms": float(np.sqrt((x**2).mean())),
    }


def histogram(levels: NDArray[np.int32]) -> dict[str, float]:
    """Entropy (bits), uniformity and mode of the grey levels (V,); of several modes the one nearest the mean level."""
    count = np.bincount(levels)
    p = count[count > 0] / len(levels)
    modes = np.flatnonzero(count == count.max())
    return {
        "ih_mode": float(modes[np.abs(modes - levels.mean()).argmin()]),
        "ih_entropy": float(-(p * np.log2(p)).sum()) + 0.0,  # + 0.0: a single level has entropy 0, not -0
        "ih_uniformity": float((p**2).sum()),
    }


def local_means(
    volume: NDArray[np.floating], spacing_mm: tuple[float, float, float], radius_mm: float = PEAK_RADIUS_MM
) -> NDArray[np.float64]:
    """Mean of the voxels whose centres lie within ``radius_mm`` of each voxel's centre, image borders cut off."""
    reach = [int(radius_mm / s) for s in spacing_mm]
    offsets = np.meshgrid(*(np.arange(-r, r + 1) * s for r, s in zip(reach, spacing_mm, strict=True)), indexing="ij")
    sphere = (sum(o**2 for o in offsets) <= radius_mm**2).astype(np.float64)
    total = convolve(volume.astype(np.float64), sphere, mode="constant")
    return total / convolve(np.ones(volume.shape), sphere, mode="constant")


def peaks(
    volume: NDArray[np.floating], mask: NDArray[np.bool_], spacing_mm: tuple[float, float, float]
) -> dict[str, float]:
    """Local peak (1 mL sphere at the hottest voxel; the highest of several) and global peak (the highest 1 mL sphere).

    The sphere's centre lies in the region, its voxels may lie outside: give an image that goes on around the region.
    """
    around = local_means(volume, spacing_mm)[mask]
    inside = volume[mask]
    return {
        "loc_peak_loc": float(around[inside == inside.max()].max()),
        "loc_peak_glob": float(around.max()),
    }
