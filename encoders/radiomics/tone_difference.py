"""Neighbourhood grey tone difference features, IBSI family "ngt" (Amadasun & King, IEEE SMC 1989, 10.1109/21.44046).

What this module does not know: intensities, shapes. Where a formula divides by 0 (one grey level) the IBSI manual sets
a figure by convention; here it is NaN, so that a model cannot take a convention for a measurement.
"""

from __future__ import annotations

import numpy as np

from encoders.radiomics.region import LevelGrid
from encoders.radiomics.settings import Aggregation


def tone_differences(grid: LevelGrid, aggregation: Aggregation) -> dict[str, float]:
    """The 5 features over the voxels that have at least one neighbour in the region."""
    total = np.zeros(len(grid.index))
    neighbours = np.zeros(len(grid.index))
    for step in grid.steps(planar=aggregation.planar):
        for other in (grid.flat[grid.index + step], grid.flat[grid.index - step]):
            total += other
            neighbours += other > 0
    has = neighbours > 0
    level = grid.levels[has]
    n = len(level)
    difference = np.abs(level - total[has] / neighbours[has])
    p = np.bincount(level, minlength=grid.n_levels + 1)[1:] / max(n, 1)
    s = np.bincount(level, weights=difference, minlength=grid.n_levels + 1)[1:]
    i = np.flatnonzero(p) + 1.0
    p, s = p[p > 0], s[p > 0]
    gap, n_present = i[:, None] - i, len(i)
    weighted, spread = float(p @ s), float(s.sum())
    between = float(np.abs((i * p)[:, None] - i * p).sum())
    pairs = float((p[:, None] * p * gap**2).sum())
    several = n_present > 1
    complexity = np.abs(gap) * ((p * s)[:, None] + p * s) / (p[:, None] + p)
    return {
        "ngt_coarseness": 1 / weighted if weighted else np.nan,
        "ngt_contrast": pairs / (n_present * (n_present - 1)) * spread / n if several else np.nan,
        "ngt_busyness": weighted / between if between else np.nan,
        "ngt_complexity": float(complexity.sum()) / n if several else np.nan,
        "ngt_strength": float(((p[:, None] + p) * gap**2).sum()) / spread if spread else np.nan,
    }
