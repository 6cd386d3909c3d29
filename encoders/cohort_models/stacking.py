"""Late fusion of kernels by stacking: every block is fitted for itself, and its score gets a share in the sum.

Shares are fitted to scores of patients by fits that left them out, so that a block counts by what it tells of others,
not by how well it can be bent to its own patients. None is negative and each costs ``PENALTY``, so a block that says
nothing gets 0. A block on probation (features cut from images: many, few patients, weak) is let in only where it raises
the concordance of left-out patients by ``ADDED_VALUE`` and by ``STANDARD_ERRORS`` of that rise: beside what is known of
a patient anyway it has to earn its place. By the first measure so has one ridge model of all blocks together
(components_ridge.py), which stands by where shares are uncertain. The sum is one of effects of the same kernels and a
linear score: it stays as easy to attribute as a single fit.

Inside the training patients of one fold of eight PORPOISE cancers this came before a joint fit of all kernels and
before a plain sum of the blocks' scores (mean C-index .685 against .678 of either). Over four divisions of the same
patients it had .684 without the ridge, .688 with it.

What this module does not know: what a kernel was made of, outcomes.

References
----------
Wolpert, Neural Networks 1992, 10.1016/S0893-6080(05)80023-1; Breiman, Machine Learning 1996, 10.1007/BF00117832 (shares
that are not negative). Deviation: kernel weights are kept when a patient is left out, not searched for again.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize

from encoders.cohort_models.components_ridge import RidgeFit, fit_ridge
from encoders.cohort_models.landmarks import LandmarkFit, fit_landmarks_at, fit_weights_by_landmarks
from encoders.cohort_models.laplace import DenseFit, fit_at, fit_weights
from encoders.cohort_models.likelihoods import Array, Likelihood
from encoders.errors import InputError

Fit = DenseFit | LandmarkFit
FOLDS, LEAST_FOLDS = 5, 3
REPEATS = 3
"""Times every patient is left out, with other patients each time; the mean score is used."""
PENALTY = 3.0
"""Log likelihood that a share must earn per standard deviation of its block's part of the sum. Of 1 to 4, all as good
inside training patients, a high one: it keeps blocks of noise out."""
ADDED_VALUE = 0.01
"""Rise of C-index or AUC of left-out patients that lets a block on probation, or the ridge, in."""
STANDARD_ERRORS = 2.0
"""Rise in its own standard errors that lets a block on probation in."""
JACKKNIFE_GROUPS = 20
RIDGE_SHARES: tuple[float, ...] = (0.5, 1.0, 2.0)
"""Spread of the ridge's score over that of the stack's, of which the best is tried. Up to 1 or up to 2 is the same in
the mean inside training patients (.664 each over seven cancers); UCEC had .595 or .604."""


@dataclass(frozen=True)
class KernelMatrices:
    """The kernels of a fit. owners (M,): each one's block; across: M of (N, N), or (N, L) from patients to landmarks;
    among: M of (L, L) between the landmarks, None = all pairs of patients."""

    owners: tuple[str, ...]
    across: tuple[Array, ...]
    among: tuple[Array, ...] | None

    def fit(self, likelihood: Likelihood, weights: Array | None = None) -> Fit:
        """All kernels together, at the weights given (a saved model's), else at the most probable ones."""
        if self.among is None:
            return fit_weights(self.across, likelihood) if weights is None else fit_at(weights, self.across, likelihood)
        if weights is None:
            return fit_weights_by_landmarks(self.across, self.among, likelihood)
        return fit_landmarks_at(weights, self.across, self.among, likelihood)

    def of(self, block: str) -> KernelMatrices:
        """The kernels of one block."""
        keep = [i for i, owner in enumerate(self.owners) if owner == block]
        among = None if self.among is None else tuple(self.among[i] for i in keep)
        return KernelMatrices((block,) * len(keep), tuple(self.across[i] for i in keep), among)


@dataclass(frozen=True)
class SavedWeights:
    """kernels : block -> (2,) weights; share : block -> factor; ridge : its penalty and factor, None = not let in."""

    kernels: Mapping[str, Array]
    share: Mapping[str, float]
    ridge: tuple[float, float] | None


@dataclass(frozen=True)
class StackedFit:
    """owners (M,): each kernel's block; alone: block -> fit of its own kernels; share: block -> factor, 0 or more.

    rows : block -> (N, P) standardised values of the fitted patients
    probation : blocks let in only where they raise the concordance of left-out patients
    ridge, ridge_share : the ridge of all blocks and the factor of its score, where it was let in
    """

    owners: tuple[str, ...]
    alone: Mapping[str, Fit]
    share: Mapping[str, float]
    likelihood: Likelihood
    rows: Mapping[str, Array]
    probation: frozenset[str] = frozenset()
    ridge: RidgeFit | None = None
    ridge_share: float = 0.0
    _left_out: dict[str, Array] = field(default_factory=dict, repr=False, compare=False)

    @property
    def weights(self) -> Array:
        """(M,) variance of each kernel's effect on the sum."""
        at = [index - self.owners.index(owner) for index, owner in enumerate(self.owners)]
        pairs = zip(self.owners, at, strict=True)
        return np.array([self.share[owner] ** 2 * self.alone[owner].weights[i] for owner, i in pairs])

    def coefficients(self, index: int) -> Array:
        """With which kernel ``index`` from new patients to the fitted ones (or landmarks) gives its effect."""
        owner = self.owners[index]
        return self.share[owner] * self.alone[owner].coefficients(index - self.owners.index(owner))

    def ridge_part(self, block: str, rows: Array) -> Array:
        """(K,) what a block's standardised rows (K, P) of new patients give to the score through the ridge."""
        if self.ridge is None or block not in self.ridge.coefficients:
            return np.zeros(len(rows))
        return self.ridge_share * self.ridge.part(block, rows)

    def variance(self, across: Sequence[Array], prior: Sequence[Array], rows: Mapping[str, Array]) -> Array:
        """Posterior variance (K,) of new patients' scores: an upper bound, as if all parts erred together."""
        spread = np.zeros(len(across[0]))
        for block, fit in self.alone.items():
            own = [i for i, owner in enumerate(self.owners) if owner == block]
            spread += self.share[block] * np.sqrt(fit.variance([across[i] for i in own], [prior[i] for i in own]))
        if self.ridge is not None:
            spread += self.ridge_share * np.sqrt(self.ridge.variance(rows))
        return spread**2

    def left_out_scores(self, block: str) -> Array:
        """(N,) scores of the fitted patients by the block's own fit without them, kernel weights kept."""
        if block not in self._left_out:
            self._left_out[block] = left_out_scores(self.alone[block], self.likelihood)
        return self._left_out[block]

    def out_of_fold(self) -> Array:
        """(N,) scores of the fitted patients by models that did not see them: the shares left out, too."""
        stacked = self.stacked_out_of_fold()
        return stacked if self.ridge is None else stacked + self.ridge_share * self.ridge.left_out

    def stacked_out_of_fold(self) -> Array:
        """(N,) ``out_of_fold`` without the ridge."""
        scores = {block: self.left_out_scores(block) for block in self.alone}
        if len(scores) == 1:
            return next(iter(scores.values()))
        out, fold = np.zeros(len(self.likelihood.outcome_order())), folds(self.likelihood)
        scores = {block: score for block, score in scores.items() if self.share[block] > 0} or scores
        for k in range(int(fold.max()) + 1):
            rest, held = np.flatnonzero(fold != k), np.flatnonzero(fold == k)
            share = shares({name: score[rest] for name, score in scores.items()}, self.likelihood.subset(rest))
            out[held] = np.sum([share[name] * scores[name][held] for name in scores], axis=0)
        return out

    def restricted(self, names: frozenset[str]) -> StackedFit:
        """The blocks ``names`` alone: their own fits stay, the shares are fitted anew."""
        alone = {name: fit for name, fit in self.alone.items() if name in names}
        owners = tuple(owner for owner in self.owners if owner in names)
        equal = dict.fromkeys(alone, 1.0)
        rows = {name: self.rows[name] for name in alone}
        part = StackedFit(owners, alone, equal, self.likelihood, rows, self.probation, _left_out=self._left_out)
        return _with_ridge(_with_shares(part))


def fit_stack(
    kernels: KernelMatrices,
    likelihood: Likelihood,
    rows: Mapping[str, Array],
    *,
    saved: SavedWeights | None = None,
    probation: frozenset[str] = frozenset(),
) -> StackedFit:
    """Each block at its most probable kernel weights and the shares fitted, or all at those of a saved model.

    rows : block -> (N, P) standardised values of the fitted patients

    Raises
    ------
    InputError: several blocks and fewer than ``LEAST_FOLDS`` events (or patients of the rarer class).
    """
    blocks = tuple(dict.fromkeys(kernels.owners))
    if saved is None:
        alone = {b: kernels.of(b).fit(likelihood) for b in blocks}
        equal = dict.fromkeys(blocks, 1.0)
        return _with_ridge(_with_shares(StackedFit(kernels.owners, alone, equal, likelihood, rows, probation)))
    alone = {b: kernels.of(b).fit(likelihood, saved.kernels[b]) for b in blocks}
    fitted = StackedFit(kernels.owners, alone, saved.share, likelihood, rows, probation)
    if saved.ridge is None:
        return fitted
    penalty, share = saved.ridge
    return replace(fitted, ridge=_ridge(fitted, penalty), ridge_share=share)


def _with_shares(fitted: StackedFit) -> StackedFit:
    if len(fitted.alone) == 1:
        return fitted
    scores = {block: fitted.left_out_scores(block) for block in fitted.alone}
    kept = let_in(scores, fitted.likelihood, fitted.probation)
    share = dict.fromkeys(scores, 0.0) | shares({block: scores[block] for block in kept}, fitted.likelihood)
    return replace(fitted, share=share)


def _ridge(fitted: StackedFit, penalty: float | None = None) -> RidgeFit:
    """The ridge of the blocks that are in: those kept out of the stack are kept out of it, too."""
    rows = {b: row for b, row in fitted.rows.items() if b not in fitted.probation or fitted.share[b] > 0}
    divisions = [folds(fitted.likelihood, repeat) for repeat in range(REPEATS)]
    return fit_ridge(rows or fitted.rows, fitted.likelihood, divisions, penalty)


def _with_ridge(fitted: StackedFit) -> StackedFit:
    """With the ridge where it raises the concordance of left-out patients by ``ADDED_VALUE``; one block needs none."""
    if len(fitted.alone) == 1:
        return fitted
    ridge, stacked = _ridge(fitted), fitted.stacked_out_of_fold()
    if not ridge.left_out.std() > 0:
        return fitted
    unit = stacked.std() / ridge.left_out.std() if stacked.std() > 0 else 1.0

    def worth(share: float) -> float:
        return fitted.likelihood.discrimination(stacked + share * unit * ridge.left_out)

    best = max(RIDGE_SHARES, key=worth)
    if worth(best) - worth(0.0) < ADDED_VALUE:
        return fitted
    return replace(fitted, ridge=ridge, ridge_share=float(best * unit))


def let_in(
    scores: Mapping[str, NDArray[np.float64]], likelihood: Likelihood, probation: frozenset[str]
) -> tuple[str, ...]:
    """The blocks that stay: those on probation go one by one, the least missed first, while they add too little."""
    kept = list(scores)

    def total(names: Sequence[str]) -> Array:
        chosen = {name: scores[name] for name in names}
        share = shares(chosen, likelihood)
        return np.sum([share[name] * chosen[name] for name in names], axis=0)

    while len(kept) > 1 and probation.intersection(kept):
        without = {name: total([k for k in kept if k != name]) for name in kept if name in probation}
        least = max(without, key=lambda name: likelihood.discrimination(without[name]))
        rise, error = rise_of(total(kept), without[least], likelihood)
        if rise >= ADDED_VALUE and rise >= STANDARD_ERRORS * error:
            break
        kept.remove(least)
    return tuple(kept)


def rise_of(score: Array, other: Array, likelihood: Likelihood) -> tuple[float, float]:
    """Rise of concordance from ``other`` to ``score``, both (N,), and its standard error by the grouped jackknife."""

    def rise(index: NDArray[np.intp]) -> float:
        part = likelihood.subset(index)
        return part.discrimination(score[index]) - part.discrimination(other[index])

    group = folds(likelihood, most=JACKKNIFE_GROUPS)
    count = int(group.max()) + 1
    without = np.array([rise(np.flatnonzero(group != k)) for k in range(count)])
    error = float(np.sqrt((count - 1) * without.var()))
    return likelihood.discrimination(score) - likelihood.discrimination(other), error


def folds(likelihood: Likelihood, repeat: int = 0, *, most: int = FOLDS) -> NDArray[np.intp]:
    """(N,) fold of each patient, drawn along the order of the outcome: each fold holds early and late events alike.

    The order of the patients does not matter where no two outcomes are equal; another ``repeat``, other folds.

    Raises
    ------
    InputError: fewer than ``LEAST_FOLDS`` events (or patients of the rarer class).
    """
    count = min(most, likelihood.fewest)
    if count < LEAST_FOLDS:
        raise InputError(
            f"{likelihood.fewest} events (or patients of the rarer class); leaving patients out needs {LEAST_FOLDS}. "
            "Give more patients, or one block alone."
        )
    order = likelihood.outcome_order()
    rank = np.empty(len(order), np.intp)
    rank[order] = np.arange(len(order))
    return (rank + repeat * (rank // count)) % count


def left_out_scores(fit: Fit, likelihood: Likelihood) -> Array:
    """(N,) score of each patient by fits without the patient's fold, mean of ``REPEATS`` divisions into ``folds``."""
    total = 0.0
    for repeat in range(REPEATS):
        fold = folds(likelihood, repeat)
        score = np.zeros(len(fold))
        for k in range(int(fold.max()) + 1):
            held = np.flatnonzero(fold == k)
            score[held] = fit.held_out_scores(likelihood, np.flatnonzero(fold != k), held)
        total = total + score / REPEATS
    return np.asarray(total)


def shares(scores: Mapping[str, NDArray[np.float64]], likelihood: Likelihood) -> dict[str, float]:
    """Block -> its share, 0 or more, of the highest penalised likelihood. scores : block -> (N,), left out."""
    table = np.stack(list(scores.values()), axis=1)
    cost = PENALTY * table.std(axis=0)

    def negative(share: Array) -> tuple[float, Array]:
        total = table @ share
        gradient, _ = likelihood.information(total, table)
        return cost @ share - likelihood.value(total), cost - table.T @ gradient

    start = np.full(len(scores), 0.5)
    found = minimize(negative, start, jac=True, method="L-BFGS-B", bounds=[(0.0, None)] * len(scores))
    return dict(zip(scores, map(float, found.x), strict=True))
