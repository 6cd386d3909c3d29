"""The same fit for cohorts too large for all pairs of patients: kernels through landmarks, time linear in patients.

Each kernel K (N, N) is replaced by Z Z' with Z = K_NL K_LL^(-1/2) over L landmark patients. What this module does not
know: how landmarks are chosen.

References
----------
Williams & Seeger, NeurIPS 2000 (Nystroem method); Quinonero-Candela & Rasmussen, JMLR 2005 (deterministic training
conditional, whose predictive variance is used). Deviation: the slope of the evidence leaves out how the mode moves with
the weights, which costs all pairs of patients; a line search on the evidence itself makes up for most of it.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import cho_factor, cho_solve, eigh
from scipy.optimize import minimize

from encoders.cohort_models.laplace import NEWTON_STEPS, NEWTON_TOLERANCE
from encoders.cohort_models.likelihoods import Array, Likelihood
from encoders.cohort_models.weight_prior import BOUNDS, TYPICAL_WEIGHT, negative_log_prior

RANK_TOLERANCE = 1e-7
"""Directions of K_LL below this share of its largest eigenvalue are left out."""


def inverse_root(kernel: Array) -> Array:
    """R (L, q) with R' K R = 1 for K (L, L), q its numerical rank."""
    value, vector = eigh(kernel)
    keep = value > RANK_TOLERANCE * value[-1]
    return vector[:, keep] / np.sqrt(value[keep])


@dataclass(frozen=True)
class _Mode:
    beta: Array
    inner: Array  # Phi' W Phi + 1
    evidence: float


def _find_mode(features: Array, likelihood: Likelihood, start: Array | None = None) -> _Mode:
    """Mode of beta ~ N(0, 1) with scores features @ beta, by Newton's method with step halving."""
    beta = np.zeros(features.shape[1])
    height = likelihood.value(features @ beta)
    if start is not None and (h := likelihood.value(features @ start) - 0.5 * start @ start) > height:
        beta, height = start, h
    inner = np.eye(len(beta))
    for _ in range(NEWTON_STEPS):
        gradient, gram = likelihood.information(features @ beta, features)
        inner = gram + np.eye(len(beta))
        move = cho_solve(cho_factor(inner), features.T @ gradient - beta)
        step, gained = 1.0, -np.inf
        while step > 1e-3:
            tried = beta + step * move
            gained = likelihood.value(features @ tried) - 0.5 * tried @ tried - height
            if gained >= 0:
                break
            step /= 2
        if gained < 0:
            break
        beta, height = tried, height + gained
        if gained < NEWTON_TOLERANCE * (1 + abs(height)):
            break
    _, gram = likelihood.information(features @ beta, features)
    inner = gram + np.eye(len(beta))
    return _Mode(beta, inner, float(height - 0.5 * np.linalg.slogdet(inner)[1]))


@dataclass(frozen=True)
class LandmarkFit:
    """weights (M,); roots : inverse root (L, q) of each kernel among its landmarks; features (N, Q) at weight 1."""

    weights: Array
    roots: tuple[Array, ...]
    features: tuple[Array, ...]
    mode: _Mode

    def coefficients(self, index: int) -> Array:
        """(L,) with which kernel ``index`` from new patients to its landmarks gives that kernel's effect."""
        ends = np.cumsum([0, *(r.shape[1] for r in self.roots)])
        part = self.mode.beta[ends[index] : ends[index + 1]]
        return np.sqrt(self.weights[index]) * self.roots[index] @ part

    def variance(self, across: Sequence[Array], prior: Sequence[Array]) -> Array:
        """Posterior variance (K,) of new patients' scores from each kernel's (K, L) across and (K,) own value."""
        parts = [np.sqrt(w) * a @ r for w, a, r in zip(self.weights, across, self.roots, strict=True)]
        phi = np.hstack(parts)
        own = sum(w * p for w, p in zip(self.weights, prior, strict=True))
        told = (phi**2).sum(axis=1)
        return np.maximum(own - told, 0.0) + np.einsum("kq,qk->k", phi, np.linalg.solve(self.mode.inner, phi.T))

    def held_out_scores(self, likelihood: Likelihood, fit: NDArray[np.intp], held: NDArray[np.intp]) -> Array:
        """Scores of the patients ``held`` when only ``fit`` are used, at the same weights and landmarks."""
        phi = _weighted(self.features, self.weights)
        return phi[held] @ _find_mode(phi[fit], likelihood.subset(fit)).beta


def _weighted(features: Sequence[Array], weights: Array) -> Array:
    return np.hstack([np.sqrt(w) * z for w, z in zip(weights, features, strict=True)])


def fit_weights_by_landmarks(
    across: Sequence[Array], among: Sequence[Array], likelihood: Likelihood, *, max_iterations: int = 40
) -> LandmarkFit:
    """The most probable kernel weights, as ``laplace.fit_weights`` finds them.

    Parameters
    ----------
    across : M arrays (N, L) from patients to the landmarks; among : M arrays (L, L) between the landmarks
    """
    _, features = _features(across, among)
    last: _Mode | None = None
    ends = np.cumsum([0, *(z.shape[1] for z in features)])

    def objective(log_weights: Array) -> tuple[float, Array]:
        nonlocal last
        weights = np.exp(log_weights)
        phi = _weighted(features, weights)
        last = _find_mode(phi, likelihood, None if last is None else last.beta)
        gram = last.inner - np.eye(len(last.beta))
        shrink = cho_solve(cho_factor(last.inner), gram)  # 1 - inner^-1
        slope = []
        for a, b in itertools.pairwise(ends):
            # d evidence / d log v_m = (|beta_m|^2 - tr of (gram inner^-1) on block m) / 2, at the mode
            slope.append(0.5 * (last.beta[a:b] @ last.beta[a:b] - np.trace(shrink[a:b, a:b])))
        prior, prior_slope = negative_log_prior(log_weights)
        return prior - last.evidence, prior_slope - np.array(slope)

    found = minimize(
        objective,
        np.full(len(across), np.log(TYPICAL_WEIGHT)),
        jac=True,
        method="L-BFGS-B",
        bounds=[BOUNDS] * len(across),
        options={"maxiter": max_iterations, "ftol": 1e-5},
    )
    return fit_landmarks_at(np.exp(found.x), across, among, likelihood)


def fit_landmarks_at(
    weights: Array, across: Sequence[Array], among: Sequence[Array], likelihood: Likelihood
) -> LandmarkFit:
    """The fit at given weights (M,), such as those of a saved model."""
    roots, features = _features(across, among)
    return LandmarkFit(weights, roots, features, _find_mode(_weighted(features, weights), likelihood))


def _features(across: Sequence[Array], among: Sequence[Array]) -> tuple[tuple[Array, ...], tuple[Array, ...]]:
    roots = tuple(inverse_root(k) for k in among)
    return roots, tuple(a @ r for a, r in zip(across, roots, strict=True))
