"""Sanity tests of an image explanation: does it depend on the weights, and does deleting what it marks matter?

Both take any method: weight randomisation asks the same method on an encoder whose weights were drawn anew, the
deletion curve needs the map alone. What this module does not know: what the target means. Passing both does not make
a map right; failing one means it should not be believed.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from scipy.stats import spearmanr
from torch import Tensor

from encoders.explain.crop_map import CropEncoder, Target
from encoders.explain.occlusion import surroundings
from encoders.radiology import CROP_VOXELS, ImageEncoder
from encoders.vit import ViTEncoder

MAX_RANK_CORRELATION = 0.5
"""A map of random weights that correlates more than this with the real one fails the test."""
DELETED_FRACTIONS: tuple[float, ...] = (0.02, 0.05, 0.1, 0.2)
RANDOM_DRAWS = 5
"""Random deletions beside the map's own: a map of chance beats all of them in one case of six."""
_CELL = 4


def layers_from_top(encoder: CropEncoder) -> tuple[tuple[str, tuple[str, ...]], ...]:
    """(name, prefixes of its parameters) of every part of an encoder, output first; together they are all of it."""
    if isinstance(encoder, ImageEncoder):
        stages = tuple((f"stage {i}", (f"backbone.layer{i}.",)) for i in (4, 3, 2, 1))
        first = ("first convolution", ("backbone.conv1.", "backbone.bn1."))
        return (("head", ("project.", "kind.")), *stages, first)
    if isinstance(encoder, ViTEncoder):
        blocks = tuple((f"block {i + 1}", (f"blocks.{i}.",)) for i in reversed(range(len(encoder.blocks))))
        tokens = ("tokens", ("embed.", "position", "class_token"))
        return (("head", ("project.", "kind.", "hidden_norm.")), *blocks, tokens, ("convolutions", ("conv_stem.",)))
    return (("all", ("",)),)


def randomised_copy(encoder: CropEncoder, *, seed: int, layers: int | None = None) -> CropEncoder:
    """A copy of the encoder with every weight drawn anew, as before training; or those of the top ``layers`` alone.

    Convolutions, linear layers and attention, embeddings, normalisations with their running statistics, position and
    class tokens.
    """
    other = copy.deepcopy(encoder)
    prefixes = tuple(p for _, group in layers_from_top(encoder)[:layers] for p in group)
    with torch.random.fork_rng(devices=()), torch.no_grad():
        torch.manual_seed(seed)
        for name, module in other.named_modules():
            if f"{name}.".startswith(prefixes) and hasattr(module, "reset_parameters"):
                module.reset_parameters()
        for name, parameter in other.named_parameters(recurse=False):  # position and class tokens
            if name.startswith(prefixes):
                parameter.normal_(std=max(float(parameter.std()), 0.02))
    return other.eval()


def rank_correlation(one: Tensor, other: Tensor) -> float:
    """Spearman's correlation of two maps (32, 32, 32) over the means of their 8 mm cells; 0 when either is flat."""
    left, right = (torch.nn.functional.avg_pool3d(x[None], _CELL).flatten().numpy() for x in (one, other))
    if np.ptp(left) == 0 or np.ptp(right) == 0:
        return 0.0
    return float(spearmanr(left, right).statistic)


def weight_randomisation(maps: Tensor, random_maps: Tensor) -> list[tuple[bool, float]]:
    """Per series: (the map changed, rank correlation with the same method's map on random weights).

    maps, random_maps : (N, 32, 32, 32); a flat map fails

    References
    ----------
    Adebayo et al., NeurIPS 2018. Deviation: all layers at once; ``cascade`` goes from the top down as they do.
    """
    out = []
    for own, random in zip(maps, random_maps, strict=True):
        rho = rank_correlation(own, random)
        out.append((float(own.max()) > float(own.min()) and abs(rho) <= MAX_RANK_CORRELATION, rho))
    return out


def cascade(encoder: CropEncoder, *, seed: int = 0) -> Iterator[tuple[str, CropEncoder]]:
    """(part, encoder with that part and all above it drawn anew), from the head down (Adebayo et al., 2018)."""
    for count, (name, _) in enumerate(layers_from_top(encoder), start=1):
        yield name, randomised_copy(encoder, seed=seed, layers=count)


@dataclass(frozen=True)
class DeletionCurve:
    """How far the target falls as more of one series is deleted, in the target's unit.

    fractions : shares of the crop deleted
    marked : fall when what the map marks most goes first; random : mean fall when cells of 8 mm go at random
    figure : mean of ``marked`` minus mean of ``random``
    passed : the mean of ``marked`` is above that of every single random draw
    """

    fractions: tuple[float, ...]
    marked: tuple[float, ...]
    random: tuple[float, ...]
    figure: float
    passed: bool


@torch.no_grad()
def deletion_curves(
    encoder: CropEncoder, crops: Tensor, kind: Tensor, target: Target, maps: Tensor, *, seed: int = 0
) -> list[DeletionCurve]:
    """One curve per series. Deleted voxels take the series' surroundings (the median of the crop's six faces).

    A map that is 0 everywhere marks nothing: it falls by 0 and fails.

    References
    ----------
    Petsiuk et al., RISE, BMVC 2018 (deletion metric). Deviation: beside ``RANDOM_DRAWS`` deletions of random cells.
    """
    rows = encoder(crops, kind)
    full, fill = float(target(rows)), surroundings(crops)
    generator = torch.Generator().manual_seed(seed)
    side, count = CROP_VOXELS // _CELL, len(DELETED_FRACTIONS)
    found = []
    for n in range(len(crops)):
        cells = torch.rand(RANDOM_DRAWS, 1, side, side, side, generator=generator)
        orders = [maps[n], *torch.nn.functional.interpolate(cells, scale_factor=_CELL)[:, 0]]
        falls = []
        for row in encoder(_deleted(crops[n], orders, float(fill[n])), kind[n].expand(len(orders) * count)):
            changed = rows.clone()
            changed[n] = row
            falls.append(full - float(target(changed)))
        found.append(_curve(np.array(falls).reshape(len(orders), count), marks=float(maps[n].max()) > 0))
    return found


def _curve(falls: np.ndarray, *, marks: bool) -> DeletionCurve:
    """falls : (1 + draws, fractions), the map's own first."""
    own = falls[0] if marks else np.zeros_like(falls[0])
    random, by_draw = falls[1:].mean(0), falls[1:].mean(1)
    figure = float(own.mean() - by_draw.mean()) if marks else 0.0
    passed = bool(marks and own.mean() > by_draw.max())
    return DeletionCurve(DELETED_FRACTIONS, tuple(map(float, own)), tuple(map(float, random)), figure, passed)


def _deleted(crop: Tensor, orders: Sequence[Tensor], fill: float) -> Tensor:
    """One crop (1, 32, 32, 32) with its first voxels in each order filled: (orders * fractions, 1, 32, 32, 32)."""
    out = []
    for order in orders:
        rank = order.flatten().argsort(descending=True, stable=True)
        for fraction in DELETED_FRACTIONS:
            flat = crop.flatten().clone()
            flat[rank[: int(fraction * rank.numel())]] = fill
            out.append(flat.view_as(crop))
    return torch.stack(out)
