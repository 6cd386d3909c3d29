"""Occlusion: hide a cube of the image, see how far a target falls. Needs no hook into the network.

It answers in the crop's own grid; ``paste_into_series`` (crop_map.py) takes a map back to the series.
What this module does not know: what the target means. Surroundings (the median of a crop's six faces) stand for
"nothing there"; another baseline gives another map.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product

import torch
from torch import Tensor

from encoders.explain.crop_map import CropEncoder, Target
from encoders.radiology import CROP_VOXELS

CELL = 8
"""Side of an occluded cube, voxels (16 mm); its map is interpolated."""
STRIDE = 4
_BATCH = 32


def surroundings(crops: Tensor) -> Tensor:
    """Median of the six faces of each crop: (N, 1, 32, 32, 32) -> (N,)."""
    faces = [crops.select(axis, i).flatten(1) for axis in (2, 3, 4) for i in (0, -1)]
    return torch.cat(faces, 1).median(1).values


def occlusion_map(encoder: CropEncoder, crops: Tensor, kind: Tensor, target: Target) -> Tensor:
    """How much the target falls when a cube of the image is replaced by its surroundings.

    Parameters
    ----------
    crops : (N, 1, 32, 32, 32), all series of one patient; kind : (N,) int

    Returns
    -------
    (N, 32, 32, 32) float: mean fall of the target over the cubes that cover a voxel, in the target's unit; negative
    where the image there lowers the target

    References
    ----------
    Zeiler & Fergus, ECCV 2014.
    """
    return occlusion_maps(encoder, crops, kind, (target,))[0]


@torch.no_grad()
def occlusion_maps(encoder: CropEncoder, crops: Tensor, kind: Tensor, targets: Sequence[Target]) -> list[Tensor]:
    """``occlusion_map`` of several targets, for the price of one: each hidden cube is encoded once."""
    rows = encoder(crops, kind)
    full = [float(target(rows)) for target in targets]
    fill = surroundings(crops)
    starts = range(0, CROP_VOXELS - CELL + 1, STRIDE)
    cubes = [tuple(slice(a, a + CELL) for a in place) for place in product(starts, starts, starts)]
    falls = torch.zeros(len(targets), len(crops), *[CROP_VOXELS] * 3)
    covered = torch.zeros([CROP_VOXELS] * 3)
    for cube in cubes:
        covered[cube] += 1
    for n in range(len(crops)):
        for first in range(0, len(cubes), _BATCH):
            part = cubes[first : first + _BATCH]
            tried = crops[n : n + 1].repeat(len(part), 1, 1, 1, 1)
            for i, cube in enumerate(part):
                tried[(i, 0, *cube)] = fill[n]
            for cube, row in zip(part, encoder(tried, kind[n].expand(len(part))), strict=True):
                changed = rows.clone()
                changed[n] = row
                for t, target in enumerate(targets):
                    falls[(t, n, *cube)] += full[t] - float(target(changed))
    return list(falls / covered)
