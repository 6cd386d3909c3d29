"""Explanations of the image that need no hook into the network: occlusion, and integrated gradients on the crop.

Both answer in the crop's own grid; ``paste_into_series`` (grad_cam.py) takes a map back to the series.
What this module does not know: what the target means. Surroundings (the median of a crop's six faces) stand for
"nothing there"; another baseline gives another map.
"""

from __future__ import annotations

import torch
from torch import Tensor

from encoders.errors import ContractError
from encoders.explain.grad_cam import Target
from encoders.explain.integrated_gradients import integrated_gradients
from encoders.radiology import CROP_VOXELS, ImageEncoder

CELL = 8
"""Side of an occluded cube, voxels (16 mm); its map is interpolated."""
STRIDE = 4
_BATCH = 32


def surroundings(crops: Tensor) -> Tensor:
    """Median of the six faces of each crop: (N, 1, 32, 32, 32) -> (N,)."""
    faces = [crops.select(axis, i).flatten(1) for axis in (2, 3, 4) for i in (0, -1)]
    return torch.cat(faces, 1).median(1).values


@torch.no_grad()
def occlusion_map(encoder: ImageEncoder, crops: Tensor, kind: Tensor, target: Target) -> Tensor:
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
    rows = encoder(crops, kind)
    full = float(target(rows))
    fill = surroundings(crops)
    starts = range(0, CROP_VOXELS - CELL + 1, STRIDE)
    places = [(z, y, x) for z in starts for y in starts for x in starts]
    out = torch.zeros(len(crops), *[CROP_VOXELS] * 3)
    for n in range(len(crops)):
        falls, covered = torch.zeros(CROP_VOXELS, CROP_VOXELS, CROP_VOXELS), torch.zeros([CROP_VOXELS] * 3)
        for first in range(0, len(places), _BATCH):
            part = places[first : first + _BATCH]
            tried = crops[n : n + 1].repeat(len(part), 1, 1, 1, 1)
            for i, (z, y, x) in enumerate(part):
                tried[i, 0, z : z + CELL, y : y + CELL, x : x + CELL] = fill[n]
            for (z, y, x), row in zip(part, encoder(tried, kind[n].expand(len(part))), strict=True):
                changed = rows.clone()
                changed[n] = row
                cube = (slice(z, z + CELL), slice(y, y + CELL), slice(x, x + CELL))
                falls[cube] += full - float(target(changed))
                covered[cube] += 1
        out[n] = falls / covered
    return out


def image_gradients(
    encoder: ImageEncoder, crops: Tensor, kind: Tensor, target: Target, *, steps: int = 32
) -> tuple[Tensor, float]:
    """Integrated gradients of the target on the voxels of all series of one patient.

    Returns
    -------
    (N, 32, 32, 32) attributions in the target's unit; completeness error |sum - (target - target(surroundings))|

    Raises
    ------
    ContractError: no series.

    References
    ----------
    Sundararajan, Taly & Yan, ICML 2017.
    """
    if not len(crops):
        raise ContractError("integrated gradients on an image got no series; the rule is at least one crop.")
    shape = crops.shape

    def of_flat(flat: Tensor) -> Tensor:
        return torch.stack([target(encoder(one.view(shape), kind)) for one in flat])

    baseline = surroundings(crops).view(-1, 1, 1, 1, 1).expand(shape).reshape(1, -1)
    values, error = integrated_gradients(of_flat, crops.reshape(1, -1), baseline=baseline, steps=steps)
    return values.view(shape)[:, 0], error
