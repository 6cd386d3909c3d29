"""Do predicted probabilities come true: reliability bins, expected calibration error, calibration slope and intercept.

What this module does not know: models, folds, how a diagram is drawn. Not checked: that censoring is independent of the
risk, on which Kaplan-Meier in each bin rests.

References
----------
Cox, Biometrika 1958, 10.1093/biomet/45.3-4.562 (slope and intercept of log odds); Crowson, Atkinson & Therneau, Stat
Methods Med Res 2016, 10.1177/0962280213497434 (of a survival model: Cox coefficient of the score, and observed over
expected events); Guo et al., ICML 2017, arXiv 1706.04599 (expected calibration error, here over bins of equal counts).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit
from scipy.stats import binomtest

from encoders.cohort_models.kernels import Array
from encoders.cohort_models.likelihoods import CoxLikelihood
from encoders.kaplan_meier import fit_kaplan_meier

SURVIVAL_BINS, LABEL_BINS = 5, 10
LEAST_IN_BIN = 20
"""Fewer bins are made where bins would hold fewer patients than this."""
Z95 = 1.959963984540054
STEPS = 50
SEPARATED = 15.0
"""Log odds, or slope, beyond which a fit is running off: the two classes are parted wholly."""


@dataclass(frozen=True)
class Bin:
    """n patients, their mean predicted probability, the share observed with its 95 % interval; None = not told."""

    n: int
    predicted: float
    observed: float | None
    lower: float | None
    upper: float | None


@dataclass(frozen=True)
class Reliability:
    """bins by rising prediction; expected_calibration_error : mean |observed - predicted|, weighed by patients.

    n_not_estimated : patients in bins whose observed share cannot be told, left out of the error
    """

    bins: tuple[Bin, ...]
    expected_calibration_error: float | None
    n_not_estimated: int

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values."""
        return asdict(self)


@dataclass(frozen=True)
class Estimate:
    """A figure with its 95 % interval."""

    value: float
    lower: float
    upper: float


def label_reliability(probability: Array, label: NDArray[np.bool_]) -> Reliability:
    """Predicted probability (N,) of a label against its share in each bin, with Wilson's interval.

    References: Wilson, J Am Stat Assoc 1927, 10.1080/01621459.1927.10502953.
    """

    def share(index: NDArray[np.intp]) -> tuple[float, float, float]:
        count = int(label[index].sum())
        found = binomtest(count, len(index)).proportion_ci(0.95, method="wilson")
        return count / len(index), float(found.low), float(found.high)

    return _binned(probability, LABEL_BINS, share)


def survival_reliability(
    probability: Array, months: Array, event: NDArray[np.bool_], at_months: float
) -> Reliability | None:
    """Predicted survival probability (N,) at a time against Kaplan-Meier's in each bin.

    None where the follow-up is too short: fewer than a tenth of all patients are still followed then
    (``KaplanMeier.share_at``). A bin of which nobody is followed that long is told only if all had the event.
    """
    if fit_kaplan_meier(months, event).share_at(at_months) is None:
        return None

    def share(index: NDArray[np.intp]) -> tuple[float, float, float] | None:
        curve = fit_kaplan_meier(months[index], event[index])
        level = curve.probability_at(at_months)
        if level == 0.0:
            return 0.0, 0.0, 0.0  # all had the event: Greenwood's variance is not defined
        if curve.number_at_risk(at_months) == 0:
            return None
        step = int(np.searchsorted(curve.months, at_months, side="right")) - 1
        if level == 1.0 or step < 0:
            return 1.0, 1.0, 1.0
        return level, float(curve.lower[step]), float(curve.upper[step])

    return _binned(probability, SURVIVAL_BINS, share)


def _binned(
    probability: Array, most: int, share: Callable[[NDArray[np.intp]], tuple[float, float, float] | None]
) -> Reliability:
    count = max(1, min(most, len(probability) // LEAST_IN_BIN))
    bins, gap, told = [], 0.0, 0
    for index in np.array_split(np.argsort(probability, kind="stable"), count):
        predicted, found = float(probability[index].mean()), share(index)
        if found is None:
            bins.append(Bin(len(index), predicted, None, None, None))
            continue
        bins.append(Bin(len(index), predicted, *found))
        gap, told = gap + len(index) * abs(found[0] - predicted), told + len(index)
    return Reliability(tuple(bins), gap / told if told else None, len(probability) - told)


def survival_slope(score: Array, months: Array, event: NDArray[np.bool_]) -> Estimate | None:
    """Cox coefficient of the risk score: 1 = as wide as it should be, below 1 = too sure. None: no maximum found."""
    likelihood, slope = CoxLikelihood(months, event), 0.0
    centred = score - score.mean()
    for _ in range(STEPS):
        gradient, curvature = likelihood.information(slope * centred, centred[:, None])
        second = float(curvature[0, 0])
        if second <= 0 or abs(slope) > SEPARATED:
            return None
        step = float(gradient @ centred) / second
        slope += float(np.clip(step, -1.0, 1.0))
        if abs(step) < 1e-8:
            half = Z95 / np.sqrt(second)
            return Estimate(slope, slope - half, slope + half)
    return None


def observed_over_expected(event: NDArray[np.bool_], expected: Array) -> Estimate | None:
    """Events over the sum of predicted cumulative hazards (survival) or probabilities, Poisson interval of the log.

    None where no event happened or none was expected.
    """
    observed, awaited = int(event.sum()), float(expected.sum())
    if not observed or awaited <= 0:
        return None
    ratio, half = observed / awaited, Z95 / np.sqrt(observed)
    return Estimate(ratio, ratio * np.exp(-half), ratio * np.exp(half))


def label_slope_intercept(log_odds: Array, label: NDArray[np.bool_]) -> tuple[Estimate, Estimate] | None:
    """(slope, intercept at slope 1) of the label's log odds on the predicted ones; None where the classes are parted.

    The intercept is calibration in the large: 0 = the mean is right, above 0 = the label is commoner than predicted.
    """
    both = np.stack([np.ones_like(log_odds), log_odds], axis=1)
    full = _logistic(both, np.zeros_like(log_odds), label)
    large = _logistic(both[:, :1], log_odds, label)
    if full is None or large is None:
        return None
    return full[1], large[0]


def _logistic(design: Array, offset: Array, label: NDArray[np.bool_]) -> list[Estimate] | None:
    beta = np.zeros(design.shape[1])
    for _ in range(STEPS):
        share = expit(design @ beta + offset)
        gradient = design.T @ (label - share)
        curvature = (design * (share * (1 - share))[:, None]).T @ design
        if np.linalg.cond(curvature) > 1e12 or np.abs(beta).max() > SEPARATED:
            return None
        step = np.linalg.solve(curvature, gradient)
        beta = beta + np.clip(step, -2.0, 2.0)
        if np.abs(step).max() < 1e-8:
            half = Z95 * np.sqrt(np.diag(np.linalg.inv(curvature)))
            return [Estimate(float(b), float(b - h), float(b + h)) for b, h in zip(beta, half, strict=True)]
    return None
