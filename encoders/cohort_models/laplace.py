"""Evidence of a sum of kernels under a likelihood, by Laplace's approximation, and the kernel weights that maximise it.

Scores f ~ N(0, sum_m v_m K_m). The weight v_m of a kernel that explains nothing goes to 0 by itself, so a weak modality
costs little. What this module does not know: what a kernel was made of.

References
----------
Ripatti & Palmgren, Biometrics 2000, 10.1111/j.0006-341X.2000.01016.x (Laplace for Cox models with random effects);
Rasmussen & Williams, Gaussian Processes for Machine Learning, MIT Press 2006, chapter 3. Deviation: the gradient leaves
out how the mode moves with the weights, which a line search on the evidence itself makes up for.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import lu_factor, lu_solve
from scipy.optimize import minimize

from encoders.cohort_models.likelihoods import Array, Likelihood

NEWTON_STEPS = 30
NEWTON_TOLERANCE = 1e-6
LOG_WEIGHT_BOUNDS = (-9.0, 2.5)
"""A kernel of mean diagonal 1 may explain a variance of exp(-9), which is none, to about 12 in log hazard or odds."""
START_WEIGHT = 0.1
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
    """Kernel weights of the highest evidence.

    Parameters
    ----------
    kernels : M arrays (N, N), each positive semi-definite; scaled to a mean diagonal of 1 they share ``START_WEIGHT``
    """
    size = len(kernels[0])
    jitter = JITTER * np.eye(size)
    last: Mode | None = None

    def negative_evidence(log_weights: Array) -> tuple[float, Array]:
        nonlocal last
        weights = np.exp(log_weights)
        kernel = sum(w * k for w, k in zip(weights, kernels, strict=True)) + jitter
        last = find_mode(kernel, likelihood, None if last is None else last.alpha)
        factor = lu_factor(np.eye(size) + last.negative_hessian @ kernel)
        inner = lu_solve(factor, last.negative_hessian)
        slope = [0.5 * (last.alpha @ k @ last.alpha - np.sum(inner * k)) for k in kernels]
        return -last.evidence, -np.array(slope) * weights

    start = np.full(len(kernels), np.log(START_WEIGHT))
    found = minimize(
        negative_evidence,
        start,
        jac=True,
        method="L-BFGS-B",
        bounds=[LOG_WEIGHT_BOUNDS] * len(kernels),
        options={"maxiter": max_iterations, "ftol": 1e-5},
    )
    return fit_at(np.exp(found.x), kernels, likelihood, None if last is None else last.alpha)


def fit_at(weights: Array, kernels: Sequence[Array], likelihood: Likelihood, start: Array | None = None) -> DenseFit:
    """The fit at given weights (M,), such as those of a saved model."""
    kernel = sum(w * k for w, k in zip(weights, kernels, strict=True)) + JITTER * np.eye(len(kernels[0]))
    return DenseFit(weights, find_mode(kernel, likelihood, start), kernel)
