"""Grey level co-occurrence features, IBSI family "cm".

What this module does not know: intensities, shapes. Distance is 1 voxel (Chebyshev), matrices are symmetric.

References
----------
Haralick et al., IEEE Trans Syst Man Cybern 1973, 10.1109/TSMC.1973.4309314.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from encoders.radiomics.region import LevelGrid
from encoders.radiomics.settings import Aggregation

FEATURES = [
    "joint_max",
    "joint_avg",
    "joint_var",
    "joint_entr",
    "diff_avg",
    "diff_var",
    "diff_entr",
    "sum_avg",
    "sum_var",
    "sum_entr",
    "energy",
    "contrast",
    "dissimilarity",
    "inv_diff",
    "inv_diff_norm",
    "inv_diff_mom",
    "inv_diff_mom_norm",
    "inv_var",
    "corr",
    "auto_corr",
    "clust_tend",
    "clust_shade",
    "clust_prom",
    "info_corr1",
    "info_corr2",
]


def cooccurrence(grid: LevelGrid, aggregation: Aggregation) -> dict[str, float]:
    """The 25 features; directions without a pair of voxels are left out, all NaN where no direction has one."""
    matrices = [_matrix(grid, step) for step in grid.steps(planar=aggregation.planar)]
    if aggregation.merged:
        matrices = [np.sum(matrices, axis=0)]
    rows = [_features(m / m.sum()) for m in matrices if m.any()]
    if not rows:
        return {f"cm_{name}": np.nan for name in FEATURES}
    return {f"cm_{name}": float(np.mean([row[name] for row in rows])) for name in FEATURES}


def _matrix(grid: LevelGrid, step: int) -> NDArray[np.float64]:
    """(N, N) counts of level pairs one ``step`` apart, both ways round."""
    n = grid.n_levels
    first, second = grid.levels, grid.flat[grid.index + step]
    both = second > 0
    pair = (first[both].astype(np.int64) - 1) * n + second[both] - 1
    counts = np.bincount(pair, minlength=n * n).reshape(n, n).astype(np.float64)
    return counts + counts.T


def _entropy(p: NDArray[np.float64]) -> float:
    p = p[p > 0]
    return float(-(p * np.log2(p)).sum()) + 0.0


def _features(p: NDArray[np.float64]) -> dict[str, float]:
    """Features of one symmetric matrix (N, N) that sums to 1."""
    n = len(p)
    level = np.arange(1, n + 1)
    marginal = p.sum(axis=0)
    mean = float(level @ marginal)
    variance = float((level - mean) ** 2 @ marginal)
    difference = np.bincount(np.abs(level[:, None] - level).ravel(), weights=p.ravel())  # |i - j| = 0..N-1
    total = np.bincount((level[:, None] + level).ravel(), weights=p.ravel())  # i + j = 0..2N
    k, s = np.arange(n), np.arange(2 * n + 1)
    auto = float(level @ p @ level)
    dissimilarity = float(k @ difference)
    joint, single = _entropy(p), _entropy(marginal)
    return {
        "joint_max": float(p.max()),
        "joint_avg": mean,
        "joint_var": variance,
        "joint_entr": joint,
        "diff_avg": dissimilarity,
        "diff_var": float((k - dissimilarity) ** 2 @ difference),
        "diff_entr": _entropy(difference),
        "sum_avg": float(s @ total),
        "sum_var": float((s - 2 * mean) ** 2 @ total),
        "sum_entr": _entropy(total),
        "energy": float((p**2).sum()),
        "contrast": float(k**2 @ difference),
        "dissimilarity": dissimilarity,
        "inv_diff": float((difference / (1 + k)).sum()),
        "inv_diff_norm": float((difference / (1 + k / n)).sum()),
        "inv_diff_mom": float((difference / (1 + k**2)).sum()),
        "inv_diff_mom_norm": float((difference / (1 + (k / n) ** 2)).sum()),
        "inv_var": float((difference[1:] / k[1:] ** 2).sum()),
        "corr": (auto - mean**2) / variance if variance > 0 else np.nan,
        "auto_corr": auto,
        "clust_tend": float((s - 2 * mean) ** 2 @ total),
        "clust_shade": float((s - 2 * mean) ** 3 @ total),
        "clust_prom": float((s - 2 * mean) ** 4 @ total),
        # HXY1 and HXY2 of the manual are both 2 HX, since the matrix is symmetric
        "info_corr1": (joint - 2 * single) / single if single > 0 else np.nan,
        "info_corr2": float(np.sqrt(max(0.0, 1 - np.exp(-2 * (2 * single - joint))))),
    }
