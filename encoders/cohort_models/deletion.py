"""Does an explanation name what a score rests on: delete the columns it names most, beside columns drawn at random.

Works for any scorer and any attribution of columns. Deleting a column sets it to the mean of the training patients, a
patient at a time. What this module does not know: how scores and attributions are made. Not checked: whether a named
column is causal; columns deleted together may stand for each other.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from encoders.cohort_models.kernels import Array, BlockScaler
from encoders.cohort_models.multi_kernel import Blocks
from encoders.errors import InputError

DELETED_SHARE = 0.05
RANDOM_DRAWS = 5
Scorer = Callable[[Blocks], Array]
"""Blocks of M patients -> (M,) scores."""


@dataclass(frozen=True)
class Deletion:
    """before, top (M,) : scores with nothing, with the most attributed columns deleted; random : (draws, M).

    References
    ----------
    Samek et al., IEEE Trans Neural Netw Learn Syst 2017, 10.1109/TNNLS.2016.2599820 (region perturbation). Deviation:
    columns set to the training mean, all at once.
    """

    before: Array
    top: Array
    random: Array

    @property
    def moved_by_top(self) -> Array:
        """(M,) how far a patient's score moves."""
        return np.abs(self.top - self.before)

    @property
    def moved_by_random(self) -> Array:
        """(M,) the same by random columns, mean of the draws."""
        return np.abs(self.random - self.before).mean(axis=0)

    @property
    def ratio(self) -> float:
        """Mean shift by the top columns over that by random ones; NaN where random ones move nothing."""
        by_chance = float(self.moved_by_random.mean())
        return float(self.moved_by_top.mean()) / by_chance if by_chance > 0 else float("nan")


def deletion_test(
    score: Scorer,
    blocks: Blocks,
    attribution: Mapping[str, Array],
    scalers: Mapping[str, BlockScaler],
    *,
    names: Sequence[str],
    seed: int,
) -> Deletion:
    """Delete each patient's ``DELETED_SHARE`` of columns with the largest absolute attribution, and as many at random.

    Parameters
    ----------
    attribution : block -> (M, P), any unit; its size ranks the columns of a patient over all of ``names`` together
    scalers : of the blocks, fitted on the training patients; columns they left out, or a patient lacks, stay
    names : blocks whose columns may be deleted

    Raises
    ------
    InputError: no block to delete from.
    """
    if not names:
        raise InputError(f"no block to delete columns of; the model reads {', '.join(blocks)}.")
    open_ = [np.isfinite(blocks[n]) & scalers[n].keep for n in names]
    rank = np.hstack([np.where(o, np.abs(attribution[n]), -1.0) for n, o in zip(names, open_, strict=True)])
    rng = np.random.default_rng(seed)
    before = score(blocks)
    top = score(_deleted(scalers, blocks, names, rank))
    drawn = [
        score(_deleted(scalers, blocks, names, np.where(rank >= 0, rng.random(rank.shape), -1.0)))
        for _ in range(RANDOM_DRAWS)
    ]
    return Deletion(before, top, np.stack(drawn))


def _deleted(scalers: Mapping[str, BlockScaler], blocks: Blocks, names: Sequence[str], rank: Array) -> Blocks:
    """Blocks with each patient's highest-ranked ``DELETED_SHARE`` of the columns of rank >= 0 at the training mean."""
    chosen: NDArray[np.bool_] = np.zeros(rank.shape, bool)
    for i, row in enumerate(rank):
        count = int(np.ceil(DELETED_SHARE * (row >= 0).sum()))
        chosen[i, np.argsort(-row, kind="stable")[:count]] = True
    out, at = dict(blocks), 0
    for name in names:
        width = blocks[name].shape[1]
        out[name] = np.where(chosen[:, at : at + width], scalers[name].mean, blocks[name])
        at += width
    return out
