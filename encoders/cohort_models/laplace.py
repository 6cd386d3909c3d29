"""Evidence of a sum of kernels under a likelihood, by Laplace's approximation, and the kernel weights that maximise it.

Scores f ~ N(0, sum_m v_m K_m). The weight v_m of a kernel that explains nothing goes to 0 by itself, so a weak modality
costs little. What this module does not know: what a kernel was made of.

References
----------
Ripatti & Palmgren, Biometrics 2000, 10.1111/j.0006-341X.2000.01016.x (Laplace for Cox models with random effects);
Rasmussen & Williams, Gaussian Processes for Machine Learning, MIT Press 2006, chapters 3 and 5 (the gradient).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import lu_factor, lu_solve
from scipy.optimize import minimize

from encoders.cohort_models.likelihoods import Array, Likelihood
from encoders.cohort_models.weight_prior import BOUNDS, TYPICAL_WEIGHT, negative_log_prior

NEWTON_STEPS = 30
NEWTON_TOLERANCE = 1e-6
JITTER = 1e-8
"""Added to the diagonal of every kernel."""


@dataclass(frozen=True)
class Mode:
    """The most probable scores. alpha (N,): f = K alpha; W (N, N) there; evidence: log p(outcome), approximately."""

    alpha: Array
    score: Array
    negative_hessian: Array
    evidence: float


def find_mode(kernel: Array, likelihood: Likelihood, start: Array | None = None) -> Mode:
    """Newton's method with step halving for the mode of f under N(0, kernel) (N, N) and the likelihood."""
    size = len(kernel)
    alpha, score = np.zeros(size), np.zeros(size)
    height = likelihood.value(score)
    if start is not None:  # a mode of other weights may be far off under these
        started = kernel @ start
        reached = likelihood.value(started) - 0.5 * start @ started
        if reached > height:
            alpha, score, height = start, started, reached
    for _ in range(NEWTON_STEPS):
        gradient, curvature = likelihood.derivatives(score)
        target = np.linalg.solve(np.eye(size) + curvature @ kernel, curvature @ score + gradient)
        step, gained = 1.0, -np.inf
        while step > 1e-3:
            tried = alpha + step * (target - alpha)
            tried_score = kernel @ tried
            gained = likelihood.value(tried_score) - 0.5 * tried @ tried_score - height
            if gained >= 0:
                break
            step /= 2
        if gained < 0:
            break
        alpha, score, height = tried, tried_score, height + gained
        if gained < NEWTON_TOLERANCE * (1 + abs(height)):
            break
    _, curvature = likelihood.derivatives(score)
    _, log_det = np.linalg.slogdet(np.eye(size) + curvature @ kernel)
    return Mode(alpha, score, curvature, float(height - 0.5 * log_det))


@dataclass(frozen=True)
class DenseFit:
    """A fit over all pairs of patients. weights (M,); the mode under the weighted sum of kernels; that sum (N, N)."""

    weights: Array
    mode: Mode
    kernel: Array

    def coefficients(self, index: int) -> Array:
        """(N,) with which kernel ``index`` across to new patients gives that kernel's effect."""
        return self.weights[index] * self.mode.alpha

    def variance(self, across: Sequence[Array], prior: Sequence[Array]) -> Array:
        """Posterior variance (K,) of new patients' scores from each kernel's (K, N) across and (K,) own value."""
        joint = sum(w * a for w, a in zip(self.weights, across, strict=True))
        own = sum(w * p for w, p in zip(self.weights, prior, strict=True))
        curvature = self.mode.negative_hessian
        inner = np.linalg.solve(np.eye(len(self.kernel)) + curvature @ self.kernel, curvature)
        return np.maximum(own - np.einsum("kn,nm,km->k", joint, inner, joint, optimize=True), 0.0)

    def held_out_scores(self, likelihood: Likelihood, fit: NDArray[np.intp], held: NDArray[np.intp]) -> Array:
        """Scores of the patients ``held`` when only ``fit`` are used, at the same weights."""
        mode = find_mode(self.kernel[np.ix_(fit, fit)], likelihood.subset(fit))
        return self.kernel[np.ix_(held, fit)] @ mode.alpha


def fit_weights(kernels: Sequence[Array], likelihood: Likelihood, *, max_iterations: int = 40) -> DenseFit:
    """The most probable kernel weights: the evidence of the data times the prior of weight_prior.py.

    Parameters
    ----------
    kernels : M arrays (N, N), each positive semi-definite, scaled to a mean diagonal of 1
    """
    last: Mode | None = None

    def objective(log_weights: Array) -> tuple[float, Array]:
        nonlocal last
        last, slope = evidence_slope(np.exp(log_weights), kernels, likelihood, last)
        prior, prior_slope = negative_log_prior(log_weights)
        return prior - last.evidence, prior_slope - slope

    found = minimize(
        objective,
        np.full(len(kernels), np.log(TYPICAL_WEIGHT)),
        jac=True,
        method="L-BFGS-B",
        bounds=[BOUNDS] * len(kernels),
        options={"maxiter": max_iterations, "ftol": 1e-5},
    )
    return fit_at(np.exp(found.x), kernels, likelihood, None if last is None else last.alpha)


def evidence_slope(
    weights: Array, kernels: Sequence[Array], likelihood: Likelihood, near: Mode | None = None
) -> tuple[Mode, Array]:
    """The mode at kernel weights (M,), and the exact slope (M,) of its evidence by their logarithms.

    near : the mode at other weights, to start the search from
    """
    size = len(kernels[0])
    kernel = sum(w * k for w, k in zip(weights, kernels, strict=True)) + JITTER * np.eye(size)
    mode = find_mode(kernel, likelihood, None if near is None else near.alpha)
    factor = lu_factor(np.eye(size) + mode.negative_hessian @ kernel)
    inner = lu_solve(factor, mode.negative_hessian)
    covariance = kernel - kernel @ inner @ kernel
    # the mode moves with the weights, and the Hessian's determinant with the mode
    pull = -0.5 * likelihood.hessian_slope(mode.score, covariance)
    pull -= inner @ (kernel @ pull)
    slope = [0.5 * (mode.alpha @ k @ mode.alpha - np.sum(inner * k)) + pull @ (k @ mode.alpha) for k in kernels]
    return mode, np.array(slope) * weights


def fit_at(weights: Array, kernels: Sequence[Array], likelihood: Likelihood, start: Array | None = None) -> DenseFit:
    """The fit at given weights (M,), such as those of a saved model."""
    kernel = sum(w * k for w, k in zip(weights, kernels, strict=True)) + JITTER * np.eye(len(kernels[0]))
    return DenseFit(weights, find_mode(kernel, likelihood, start), kernel)
