"""Figures of held-out predictions: concordance, integrated Brier score, coverage, AUC, and paired differences.

What this module does not know: how the predictions were made.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata
from sksurv.metrics import concordance_index_censored, integrated_brier_score
from sksurv.nonparametric import kaplan_meier_estimator
from sksurv.util import Surv

Array = NDArray[np.float64]
BRIER_TIMES = 30
BRIER_SPAN = (0.1, 0.8)
"""The integrated Brier score runs between these quantiles of the held-out follow-up times."""


def concordance(months: Array, event: NDArray[np.bool_], risk_score: Array) -> float:
    """Harrell's C of risk scores (higher = earlier event); NaN when no pair can be compared.

    References
    ----------
    Harrell et al., Stat Med 1996, 10.1002/(SICI)1097-0258(19960229)15:4<361::AID-SIM168>3.0.CO;2-4.
    """
    if not event.any() or not (months > months[event].min()).any():
        return float("nan")
    return float(concordance_index_censored(event, months, risk_score)[0])


def area_under_curve(label: NDArray[np.bool_], score: Array) -> float:
    """Area under the ROC curve, NaN when one class is missing: the Mann-Whitney statistic, ties one half.

    By ranks, since a bootstrap asks for it many thousand times and scikit-learn's checks take most of the time.

    References
    ----------
    Hanley & McNeil, Radiology 1982, 10.1148/radiology.143.1.7063747.
    """
    label = np.asarray(label, bool)
    yes, no = int(label.sum()), int((~label).sum())
    if not yes or not no:
        return float("nan")
    return float((rankdata(score)[label].sum() - yes * (yes + 1) / 2) / (yes * no))


def brier_times(fitted_months: Array, months: Array) -> Array:
    """(T,) months over which the Brier score is integrated: inside both the fitted and the held-out follow-up."""
    inside = months[months < fitted_months.max()]  # the others have no weight in the score
    low, high = np.quantile(inside, BRIER_SPAN)
    return np.linspace(low, min(high, 0.99 * float(inside.max())), BRIER_TIMES)


def integrated_brier(
    fitted: tuple[Array, NDArray[np.bool_]],
    held: tuple[Array, NDArray[np.bool_]],
    times: Array,
    survival_probability: Array,
) -> tuple[float, float]:
    """(integrated Brier score, Kaplan-Meier's on the same patients), weighed by the censoring of the fitted patients.

    fitted, held : (months, event); survival_probability : (N, T) of the held-out patients at ``times``
    Held-out patients followed longer than any fitted one have no weight and are left out of both.

    References
    ----------
    Graf et al., Stat Med 1999, 10.1002/(SICI)1097-0258(19990915/30)18:17/18<2529::AID-SIM274>3.0.CO;2-5.
    """
    inside = held[0] < fitted[0].max()
    known = Surv.from_arrays(fitted[1], fitted[0])
    new = Surv.from_arrays(held[1][inside], held[0][inside])
    when, share = kaplan_meier_estimator(fitted[1], fitted[0])
    everyone = np.interp(times, np.concatenate([[0.0], when]), np.concatenate([[1.0], share]))
    flat = np.tile(everyone, (int(inside.sum()), 1))
    return (
        float(integrated_brier_score(known, new, survival_probability[inside], times)),
        float(integrated_brier_score(known, new, flat, times)),
    )


def interval_coverage(at_last_time: Array, event: NDArray[np.bool_], coverage: float = 0.9) -> float:
    """Share of events that fall inside the central interval of the predicted survival curves.

    at_last_time : (N,) predicted survival probability at each patient's event or censoring time
    A censored patient counts with the chance that the event still falls inside, given that it comes later.

    References
    ----------
    Haider et al., JMLR 2020, 21(85):1-63 (D-calibration, the same handling of censoring).
    """
    low, high = (1 - coverage) / 2, (1 + coverage) / 2
    inside = (at_last_time >= low) & (at_last_time <= high)
    chance = np.clip(np.minimum(at_last_time, high) - low, 0.0, None) / np.maximum(at_last_time, 1e-12)
    return float(np.where(event, inside, chance).mean())


def mean_over_folds(
    folds: Sequence[NDArray[np.intp]], figure: Callable[[NDArray[np.intp]], float], *, seed: int = 0, repeats: int = 500
) -> tuple[float, tuple[float, float]]:
    """Mean of ``figure`` over folds and its 95 % bootstrap interval, patients drawn anew within each fold.

    A drawn fold without a comparable pair keeps the mean of the others; a draw without any is left out.
    """
    rng = np.random.default_rng(seed)
    centre = float(np.nanmean([figure(fold) for fold in folds]))
    drawn = np.array([[figure(rng.choice(fold, len(fold))) for fold in folds] for _ in range(repeats)])
    told = np.isfinite(drawn).any(axis=1)
    low, high = np.quantile(np.nanmean(drawn[told], axis=1), [0.025, 0.975])
    return centre, (float(low), float(high))
