"""A cohort's survival model with what a report needs: curves, calibration, intervals, out-of-distribution score.

``fit_calibrated`` fits the multi-kernel model, scores its own patients out of fold (kernel weights kept) and learns
from those scores how far to trust a score (slope) and the baseline hazard. Held-out patients are never touched.

What this module does not know: cohorts on disk, words of a report. Not checked: whether censoring depends on the risk.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import norm

from encoders.cohort_models.kernels import Array
from encoders.cohort_models.likelihoods import CoxLikelihood
from encoders.cohort_models.multi_kernel import Blocks, MultiKernelModel, fit_survival, largest_mean_square
from encoders.errors import InputError

LEAST_EVENTS = 10
"""Fewer events than this carry no slope and baseline."""
GRID_POINTS = 200
OOD_SHARE = 0.01
"""Share of the fitted patients that lie beyond the out-of-distribution limit."""


@dataclass(frozen=True)
class CalibratedSurvival:
    """A survival model with its calibration.

    slope : factor on the score that fits the out-of-fold scores best; below 1 = the model was overconfident
    months (T,), cumulative_hazard (T,) : of a patient of score 0, after the slope
    out_of_fold : (N,) scores of the fitted patients by models that did not see them
    ood_limit : out-of-distribution score above which a patient is flagged
    """

    model: MultiKernelModel
    slope: float
    months: Array
    cumulative_hazard: Array
    out_of_fold: Array
    ood_limit: float

    def risk_score(self, blocks: Blocks) -> Array:
        """(M,) log relative hazard, higher = earlier event, as calibrated."""
        return self.slope * self.model.score(blocks)

    def interval(self, blocks: Blocks, coverage: float = 0.9) -> tuple[Array, Array]:
        """Lower and upper (M,) of the risk score by its posterior variance."""
        half = norm.ppf(0.5 + coverage / 2) * self.slope * np.sqrt(self.model.score_variance(blocks))
        centre = self.risk_score(blocks)
        return centre - half, centre + half

    def survival_probability(self, blocks: Blocks, months: NDArray[np.floating]) -> Array:
        """(M, T) probability of no event by each of ``months`` (T,): exp(-H0(t) exp(risk score))."""
        return self.curves(self.risk_score(blocks), months)

    def hazard_at(self, months: NDArray[np.floating]) -> Array:
        """(T,) cumulative hazard of a patient of score 0 at ``months`` (T,)."""
        return np.interp(np.asarray(months, np.float64), self.months, self.cumulative_hazard)

    def curves(self, risk_score: Array, months: NDArray[np.floating]) -> Array:
        """(M, T) survival probability at ``months`` (T,) of patients of calibrated ``risk_score`` (M,)."""
        return np.exp(-np.outer(np.exp(risk_score), self.hazard_at(months)))

    def event_time_interval(self, blocks: Blocks, coverage: float = 0.9) -> tuple[Array, Array]:
        """Lower and upper (M,) months between which the event falls with probability ``coverage``.

        The upper end is infinite where the curve never falls that low within the follow-up of the cohort.
        """
        curves = self.survival_probability(blocks, self.months)
        tail = (1 - coverage) / 2
        return _crossing(curves, self.months, 1 - tail), _crossing(curves, self.months, tail)

    def out_of_distribution(self, blocks: Blocks) -> Array:
        """(M,) ``MultiKernelModel.novelty``; above ``ood_limit`` = flagged."""
        return self.model.novelty(blocks)


def _crossing(curves: Array, months: Array, level: float) -> Array:
    below = curves <= level
    found = months[np.argmax(below, axis=1)]
    return np.where(below.any(axis=1), found, np.inf)


def fit_calibrated(
    blocks: Blocks,
    months: NDArray[np.floating],
    event: NDArray[np.bool_],
    *,
    probation: frozenset[str] = frozenset(),
) -> CalibratedSurvival:
    """Fit and calibrate on the same training patients (N,); probation : see stacking.py.

    Raises
    ------
    InputError: fewer than ``LEAST_EVENTS`` events, or what ``fit_survival`` refuses.
    """
    months, event = np.asarray(months, np.float64), np.asarray(event, bool)
    if int(event.sum()) < LEAST_EVENTS:
        raise InputError(f"{int(event.sum())} events; calibration needs at least {LEAST_EVENTS}. Give more patients.")
    model = fit_survival(blocks, months, event, probation=probation)
    scores = model.fitted.out_of_fold()
    likelihood = CoxLikelihood(months, event)
    slope = _best_slope(likelihood, scores)
    grid = np.linspace(0.0, float(months.max()), GRID_POINTS)
    hazard = likelihood.baseline(slope * scores, grid)
    limit = float(np.quantile(largest_mean_square(model.training), 1 - OOD_SHARE))
    return CalibratedSurvival(model, slope, grid, hazard, scores, limit)


def _best_slope(likelihood: CoxLikelihood, scores: Array) -> float:
    """Cox coefficient in [0, 1.5] of the out-of-fold score, by Newton's method in one variable."""
    slope = 1.0
    for _ in range(20):
        gradient, curvature = likelihood.information(slope * scores, scores[:, None])
        second = float(curvature[0, 0])
        if second <= 0:
            break
        slope = float(np.clip(slope + (gradient @ scores) / second, 0.0, 1.5))
    return slope
