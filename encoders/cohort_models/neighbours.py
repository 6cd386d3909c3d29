"""The patients of a fitted cohort that lie nearest to a new one, in the space the cohort's own model sees.

The model's score is a sum of random effects, so two patients are alike as far as the weighted sum of its kernels says
so: k(x, y) = sum of weight * kernel, each weight times its block's share squared. A block that told nothing of the
outcome has no share and makes nobody alike. Squared distance: k(x, x) + k(y, y) - 2 k(x, y). Small cohorts are compared
pair by pair; large ones through explicit features of k over the model's landmarks, in an exact FAISS index.

What this module does not know: files, words of a report. Not checked: that patients alike in k are alike biologically.

References
----------
Gönen & Alpaydin, JMLR 2011 (sum of kernels); Schölkopf, NIPS 2000 (a kernel as a distance); Williams & Seeger,
NeurIPS 2000 (features over landmarks).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import faiss
import numpy as np
from numpy.typing import NDArray

from encoders.cohort_models.kernels import Array
from encoders.cohort_models.landmarks import inverse_root
from encoders.cohort_models.multi_kernel import MOST_DENSE, Blocks, MultiKernelModel
from encoders.errors import InputError
from encoders.kaplan_meier import LEAST_CASES, KaplanMeier, fit_kaplan_meier

DEFAULT_K = 30
NONE = -1
"""Index where a patient has fewer candidates than neighbours were asked for."""


@dataclass(frozen=True)
class Neighbours:
    """For M new patients, nearest first.

    index : (M, k) rows of the fitted cohort, ``NONE`` where there is no further candidate
    distance : (M, k) in the units of the model's score (its prior standard deviation), inf where there is none
    similarity : (M, k) cosine in the same space, -1 to 1, NaN where there is none
    candidates : (M,) fitted patients that could be compared: they have every block the new patient has, and another id
    """

    index: NDArray[np.intp]
    distance: Array
    similarity: Array
    candidates: NDArray[np.intp]


def nearest(
    model: MultiKernelModel,
    blocks: Blocks,
    k: int = DEFAULT_K,
    *,
    ids: Sequence[str],
    new_ids: Sequence[str],
    through_features: bool | None = None,
) -> Neighbours:
    """The ``k`` nearest fitted patients of each new one, by the blocks that one has.

    Parameters
    ----------
    model : fitted on the patients ``ids`` (N,), in their order
    blocks : block -> (M, P) values of the patients ``new_ids`` (M,)
    through_features : FAISS over features of the landmarks instead of all pairs; by default for cohorts too large to
        be fitted over all pairs, where distances are then those within the span of the landmarks

    Raises
    ------
    InputError: ids that do not fit the patients, k < 1, or a patient without any fitted block.

    Notes
    -----
    A fitted patient of the same id is never returned. Not checked: the same person under two ids.
    """
    size = len(next(iter(model.training.values())))
    count = len(next(iter(blocks.values())))
    if len(ids) != size or len(new_ids) != count or k < 1:
        raise InputError(
            f"{len(ids)} ids for {size} fitted patients, {len(new_ids)} for {count} new ones, k {k}; "
            "give one id each, in the order of the rows, and k of 1 or more."
        )
    if through_features is None:
        through_features = size > MOST_DENSE
    search = _by_features if through_features else _by_pairs
    fitted_ids, asked_ids = np.asarray(ids, object), np.asarray(new_ids, object)
    found = Neighbours(
        index=np.full((count, k), NONE, np.intp),
        distance=np.full((count, k), np.inf),
        similarity=np.full((count, k), np.nan),
        candidates=np.zeros(count, np.intp),
    )
    for part, members, rows in model.by_pattern(blocks):
        complete = _complete(part)
        same = asked_ids[members, None] == fitted_ids[complete][None, :]  # (members, candidates) the patient himself
        found.candidates[members] = len(complete) - same.sum(axis=1)
        place, squared, cosine = search(part, rows, complete, same, k)
        wide = place.shape[1]
        real = np.isfinite(squared)
        found.index[members, :wide] = np.where(real, complete[place], NONE)
        found.distance[members, :wide] = np.sqrt(np.maximum(squared, 0.0))
        found.similarity[members, :wide] = np.where(real, cosine, np.nan)
    return found


def outcome_of_neighbours(
    neighbours: Neighbours, months: NDArray[np.floating], event: NDArray[np.bool_], *, least: int = LEAST_CASES
) -> tuple[KaplanMeier | None, ...]:
    """The Kaplan-Meier curve of each new patient's neighbours; None where fewer than ``least`` were found.

    months, event : (N,) of the fitted patients, as for ``fit_kaplan_meier``
    """
    months, event = np.asarray(months, np.float64), np.asarray(event, bool)
    chosen = [row[row != NONE] for row in neighbours.index]
    return tuple(fit_kaplan_meier(months[c], event[c]) if len(c) >= least else None for c in chosen)


def _complete(model: MultiKernelModel) -> NDArray[np.intp]:
    """Fitted patients that have every block of ``model``; one who lacks a block cannot be near or far in it."""
    have = [np.isfinite(model.training[name]).all(axis=1) for name in {k.block for k in model.kernels}]
    return np.flatnonzero(np.logical_and.reduce(have))


def _by_pairs(
    model: MultiKernelModel, rows: Mapping[str, Array], complete: NDArray[np.intp], same: NDArray[np.bool_], k: int
) -> tuple[NDArray[np.intp], Array, Array]:
    """(M, k) places among ``complete``, squared distances (inf = none), cosines."""
    fitted = {name: values[complete] for name, values in model.training.items()}
    weighted = list(zip(model.fitted.weights, model.kernels, strict=True))
    across = sum(w * kernel.across(rows[kernel.block], fitted[kernel.block]) for w, kernel in weighted)  # (M, N)
    own = sum(w * kernel.diagonal(rows[kernel.block]) for w, kernel in weighted)  # (M,)
    theirs = sum(w * kernel.diagonal(fitted[kernel.block]) for w, kernel in weighted)  # (N,)
    squared = np.where(same, np.inf, own[:, None] + theirs[None, :] - 2 * across)
    place = np.argsort(squared, axis=1, kind="stable")[:, :k]
    cosine = across / np.sqrt(np.maximum(np.outer(own, theirs), np.finfo(np.float64).tiny))
    return place, np.take_along_axis(squared, place, 1), np.take_along_axis(cosine, place, 1)


def _by_features(
    model: MultiKernelModel, rows: Mapping[str, Array], complete: NDArray[np.intp], same: NDArray[np.bool_], k: int
) -> tuple[NDArray[np.intp], Array, Array]:
    """As ``_by_pairs``, with an exact index over features whose inner products are k within the landmarks' span."""
    weighted = list(zip(model.fitted.weights, model.kernels, strict=True))
    root = inverse_root(sum(w * kernel.across(kernel.rows) for w, kernel in weighted))  # (L, q)

    def features(of: Mapping[str, Array]) -> NDArray[np.float32]:
        between = sum(w * kernel.across(of[kernel.block]) for w, kernel in weighted)  # (M, L)
        return np.ascontiguousarray(between @ root, np.float32)

    fitted, asked = features({n: v[complete] for n, v in model.training.items()}), features(rows)
    index = faiss.IndexFlatL2(fitted.shape[1])
    index.add(fitted)
    wide = min(k + int(same.sum(axis=1).max(initial=0)), len(complete))  # room for the patient himself
    if wide == 0:
        empty = np.empty((len(asked), 0))
        return empty.astype(np.intp), empty, empty
    squared, place = index.search(asked, wide)
    squared = np.where(np.take_along_axis(same, place, 1), np.inf, squared.astype(np.float64))
    order = np.argsort(squared, axis=1, kind="stable")[:, :k]
    place, squared = np.take_along_axis(place, order, 1), np.take_along_axis(squared, order, 1)
    lengths = np.linalg.norm(asked, axis=1)[:, None] * np.linalg.norm(fitted, axis=1)[place]
    products = np.einsum("md,mkd->mk", asked, fitted[place])
    return place, squared, products / np.maximum(lengths, np.finfo(np.float32).tiny)
