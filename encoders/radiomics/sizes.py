"""Features of runs, zones and dependences: each is a list of (grey level, size), summed up by the same formulas.

IBSI families "rlm" (Galloway, Comput Graph Image Process 1975, 10.1016/S0146-664X(75)80008-6), "szm" (Thibault et al.,
IEEE Trans Biomed Eng 2014, 10.1109/TBME.2013.2284600) and "ngl" (Sun & Wee, Comput Vis Graph Image Process 1983,
10.1016/0734-189X(83)90032-4). What this module does not know: intensities, shapes.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from encoders.radiomics.region import LevelGrid
from encoders.radiomics.settings import Aggregation

Items = tuple[NDArray[np.int32], NDArray[np.int64]]

_COMMON = "glnu glnu_norm {size}nu {size}nu_norm {percent}_perc gl_var {size}_var {size}_entr"
RUN_FEATURES = f"sre lre lgre hgre srlge srhge lrlge lrhge {_COMMON.format(size='rl', percent='r')}".split()
ZONE_FEATURES = f"sze lze lgze hgze szlge szhge lzlge lzhge {_COMMON.format(size='zs', percent='z')}".split()
DEPENDENCE_FEATURES = (
    f"lde hde lgce hgce ldlge ldhge hdlge hdhge {_COMMON.format(size='dc', percent='dc')} dc_energy".split()
)


def run_lengths(grid: LevelGrid, aggregation: Aggregation) -> dict[str, float]:
    """The 16 run length features over the directions of the aggregation."""
    runs = [_runs(grid, step) for step in grid.steps(planar=aggregation.planar)]
    voxels = len(grid.index)
    if aggregation.merged:
        voxels *= len(runs)
        runs = [(np.concatenate([r[0] for r in runs]), np.concatenate([r[1] for r in runs]))]
    tables = np.array([_figures(*r, voxels)[: len(RUN_FEATURES)] for r in runs])
    return _named("rlm", RUN_FEATURES, tables.mean(axis=0))


def zone_sizes(grid: LevelGrid, aggregation: Aggregation) -> dict[str, float]:
    """The 16 size zone features; zones are voxels of one grey level joined by faces, edges or corners."""
    pairs = [_equal_pairs(grid, step) for step in grid.steps(planar=aggregation.planar)]
    first, second = np.concatenate([p[0] for p in pairs]), np.concatenate([p[1] for p in pairs])
    n = len(grid.index)
    graph = coo_array((np.ones(len(first), np.int8), (first, second)), shape=(n, n))
    count, zone = connected_components(graph, directed=False)
    level = np.zeros(count, np.int32)
    level[zone] = grid.levels
    figures = _figures(level, np.bincount(zone, minlength=count), n)
    return _named("szm", ZONE_FEATURES, figures[: len(ZONE_FEATURES)])


def dependences(grid: LevelGrid, aggregation: Aggregation, alpha: int) -> dict[str, float]:
    """The 17 dependence features: for each voxel, itself and its neighbours within ``alpha`` grey levels."""
    own = grid.levels
    size = np.ones(len(own), np.int64)
    for step in grid.steps(planar=aggregation.planar):
        for other in (grid.flat[grid.index + step], grid.flat[grid.index - step]):
            size += (other > 0) & (np.abs(other - own) <= alpha)
    return _named("ngl", DEPENDENCE_FEATURES, _figures(own, size, len(own)))


def _runs(grid: LevelGrid, step: int) -> Items:
    """Level and length of every longest line of equal voxels along ``step``."""
    own = grid.levels
    begins = grid.flat[grid.index - step] != own
    level, at = own[begins], grid.index[begins]
    length = np.ones(len(level), np.int64)
    going = np.arange(len(level))
    while going.size:
        at = at + step
        on = grid.flat[at] == level[going]
        going, at = going[on], at[on]
        length[going] += 1
    return level, length


def _equal_pairs(grid: LevelGrid, step: int) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Numbers (0..V-1) of the voxels that equal their neighbour one ``step`` on, and of those neighbours."""
    equal = np.flatnonzero(grid.flat[grid.index + step] == grid.levels)
    return equal, np.searchsorted(grid.index, grid.index[equal] + step)


def _figures(level: NDArray[np.int32], size: NDArray[np.int64], voxels: int) -> NDArray[np.float64]:
    """The figures of items with a level and a size, in the order of DEPENDENCE_FEATURES."""
    i, j, n = level.astype(np.float64), size.astype(np.float64), len(level)
    per_level, per_size = np.bincount(level) / n, np.bincount(size) / n
    joint = np.unique(level.astype(np.int64) * (int(size.max()) + 1) + size, return_counts=True)[1] / n
    means = [j**-2, j**2, i**-2, i**2, (i * j) ** -2, (i / j) ** 2, (j / i) ** 2, (i * j) ** 2]
    level_spread, size_spread = float((per_level**2).sum()), float((per_size**2).sum())
    return np.array(
        [
            *(float(m.mean()) for m in means),
            level_spread * n,
            level_spread,
            size_spread * n,
            size_spread,
            n / voxels,
            float(i.var()),
            float(j.var()),
            float(-(joint * np.log2(joint)).sum()) + 0.0,
            float((joint**2).sum()),
        ]
    )


def _named(family: str, names: list[str], values: NDArray[np.float64]) -> dict[str, float]:
    return {f"{family}_{name}": float(value) for name, value in zip(names, values, strict=True)}
