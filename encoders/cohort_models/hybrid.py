"""Hybrid fusion of kernels: a fit of all of them together, averaged with the sum of every block's own fit.

The joint fit (intermediate fusion) sees what blocks repeat of each other; the sum of own fits (late fusion) does not,
but cannot let one block rule by chance. Their average orders patients at least as well as the better of the two on most
cohorts; that it counts shared findings twice is taken back by the calibration slope. Both are sums over the same
kernels, so the average is one too, and stays as easy to attribute.

What this module does not know: what a kernel was made of, outcomes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from encoders.cohort_models.landmarks import LandmarkFit, fit_landmarks_at, fit_weights_by_landmarks
from encoders.cohort_models.laplace import DenseFit, fit_at, fit_weights
from encoders.cohort_models.likelihoods import Array, Likelihood

Fit = DenseFit | LandmarkFit


@dataclass(frozen=True)
class KernelMatrices:
    """The kernels of a fit. owners (M,): each one's block; across: M of (N, N), or (N, L) from patients to landmarks;
    among: M of (L, L) between the landmarks, None = all pairs of patients."""

    owners: tuple[str, ...]
    across: tuple[Array, ...]
    among: tuple[Array, ...] | None

    def fit(self, likelihood: Likelihood, *, weights: Array | None = None, start: Array | None = None) -> Fit:
        """At the weights given (a saved model's), else at the most probable ones, searched for from ``start``."""
        if self.among is None:
            if weights is None:
                return fit_weights(self.across, likelihood, start=start)
            return fit_at(weights, self.across, likelihood)
        if weights is None:
            return fit_weights_by_landmarks(self.across, self.among, likelihood, start=start)
        return fit_landmarks_at(weights, self.across, self.among, likelihood)

    def of(self, names: frozenset[str]) -> KernelMatrices:
        """The kernels of some blocks."""
        keep = [i for i, owner in enumerate(self.owners) if owner in names]
        among = None if self.among is None else tuple(self.among[i] for i in keep)
        return KernelMatrices(tuple(self.owners[i] for i in keep), tuple(self.across[i] for i in keep), among)


@dataclass(frozen=True)
class HybridFit:
    """joint : of all kernels; alone : block -> fit of its own kernels, empty where there is one block."""

    owners: tuple[str, ...]
    joint: Fit
    alone: Mapping[str, Fit]

    @property
    def weights(self) -> Array:
        """(M,) variances of the joint fit."""
        return self.joint.weights

    def coefficients(self, index: int) -> Array:
        """With which kernel ``index`` from new patients to the fitted ones (or landmarks) gives its effect."""
        together = self.joint.coefficients(index)
        if not self.alone:
            return together
        owner = self.owners[index]
        return 0.5 * (together + self.alone[owner].coefficients(index - self.owners.index(owner)))

    def variance(self, across: Sequence[Array], prior: Sequence[Array]) -> Array:
        """Posterior variance (K,) of new patients' scores: an upper bound, as if both halves erred together."""
        together = self.joint.variance(across, prior)
        if not self.alone:
            return together
        apart = np.zeros_like(together)
        for block, fit in self.alone.items():
            own = [i for i, owner in enumerate(self.owners) if owner == block]
            apart += fit.variance([across[i] for i in own], [prior[i] for i in own])
        return (0.5 * (np.sqrt(together) + np.sqrt(apart))) ** 2

    def held_out_scores(self, likelihood: Likelihood, fit: NDArray[np.intp], held: NDArray[np.intp]) -> Array:
        """Scores of the patients ``held`` when only ``fit`` are used, at the same weights."""
        together = self.joint.held_out_scores(likelihood, fit, held)
        if not self.alone:
            return together
        return 0.5 * (together + sum(part.held_out_scores(likelihood, fit, held) for part in self.alone.values()))


def fit_hybrid(
    kernels: KernelMatrices,
    likelihood: Likelihood,
    *,
    joint: Array | None = None,
    alone: Mapping[str, Array] | None = None,
) -> HybridFit:
    """Both halves at their most probable weights, or at those given (a saved model's)."""
    blocks = tuple(dict.fromkeys(kernels.owners))
    if len(blocks) == 1:
        return HybridFit(kernels.owners, kernels.fit(likelihood, weights=joint), {})
    own = {
        name: kernels.of(frozenset({name})).fit(likelihood, weights=None if alone is None else alone[name])
        for name in blocks
    }
    return HybridFit(kernels.owners, kernels.fit(likelihood, weights=joint), own)


def restrict(fitted: HybridFit, kernels: KernelMatrices, names: frozenset[str], likelihood: Likelihood) -> HybridFit:
    """``fitted`` with the blocks ``names`` alone: their own fits stay, the joint one is found anew from its weights."""
    part = kernels.of(names)
    if len(names) == 1 and fitted.alone:
        return HybridFit(part.owners, fitted.alone[next(iter(names))], {})
    start = np.array([w for w, owner in zip(fitted.weights, fitted.owners, strict=True) if owner in names])
    own = {name: fit for name, fit in fitted.alone.items() if name in names}
    return HybridFit(part.owners, part.fit(likelihood, start=start), own)
