"""The survival of a group of patients: Kaplan-Meier curve, its interval, numbers at risk, median.

One implementation for every group that is shown: the neighbours of a patient and the cohort beside them. The
estimate itself is scikit-survival's. What this module does not know: who is in the group, and why.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sksurv.nonparametric import kaplan_meier_estimator

from encoders.errors import InputError

Array = NDArray[np.float64]

LEAST_CASES = 10
"""Smallest group whose curve is shown; a caller that shows one asks for it, ``fit_kaplan_meier`` does not."""

LEAST_AT_RISK = 3
LEAST_SHARE_AT_RISK = 0.1
"""A survival share is told where at least this many patients, and this part of the group, are still followed.

References: Pocock, Clayton & Altman, Lancet 2002, doi:10.1016/S0140-6736(02)08594-X, who advise to end a curve where
10 to 20 % are at risk.
"""

_ROUNDING = 1e-9
"""A product such as 5/6 * 4/5 * 3/4 misses its exact value, 0.5, by about 1e-16."""


@dataclass(frozen=True)
class SurvivalShare:
    """Share of a group without the event by ``month``; lower, upper : 95 % interval; at_risk : still followed then."""

    month: float
    share: float
    lower: float
    upper: float
    at_risk: int


@dataclass(frozen=True)
class KaplanMeier:
    """The curve of one group.

    months (T,) : times of events and last visits, rising; survival_probability, lower, upper (T,) : from that time on,
        with the pointwise 95 % interval (Greenwood's variance on the log-log scale)
    followup_months (N,) : of every patient, rising
    """

    months: Array
    survival_probability: Array
    lower: Array
    upper: Array
    followup_months: Array
    events: int

    @property
    def n(self) -> int:
        """Patients in the group."""
        return len(self.followup_months)

    def number_at_risk(self, month: float) -> int:
        """Patients followed for at least ``month`` months; one whose event falls on it is still at risk."""
        return int((self.followup_months >= month).sum())

    def probability_at(self, month: float) -> float:
        """Survival probability at ``month``; after the last visit the last value, which is then a guess."""
        return _level(self.months, self.survival_probability, month)

    def share_at(self, month: float) -> SurvivalShare | None:
        """The share with its interval, or None where too few are at risk (``LEAST_AT_RISK``) to tell one."""
        at_risk = self.number_at_risk(month)
        if at_risk < max(LEAST_AT_RISK, LEAST_SHARE_AT_RISK * self.n):
            return None
        share, lower, upper = (_level(self.months, v, month) for v in self._lines())
        return SurvivalShare(float(month), share, lower, upper, at_risk)

    @property
    def median_months(self) -> float | None:
        """First time by which half or more had the event; None = not reached within the follow-up."""
        return _first_at_half(self.months, self.survival_probability)

    @property
    def median_interval_months(self) -> tuple[float | None, float | None]:
        """95 % interval of the median: where the band's ends cross a half; None = that end is not reached.

        References: Brookmeyer & Crowley, Biometrics 1982, doi:10.2307/2530286 (with the log-log band).
        """
        return _first_at_half(self.months, self.lower), _first_at_half(self.months, self.upper)

    def to_dict(
        self, horizon_months: float, share_months: tuple[float, ...], risk_months: tuple[float, ...]
    ) -> dict[str, Any]:
        """The curve as plain JSON values, steps up to ``horizon_months``."""
        keep = self.months <= horizon_months
        shares: list[Mapping[str, Any]] = [vars(s) for m in share_months if (s := self.share_at(m)) is not None]
        names = ("survival_probability", "lower", "upper")
        return {
            "n": self.n,
            "events": self.events,
            "median_months": _rounded(self.median_months),
            "median_interval_months": [_rounded(v) for v in self.median_interval_months],
            "shares": [{k: v if isinstance(v, int) else _rounded(v) for k, v in s.items()} for s in shares],
            "months": [_rounded(m) for m in self.months[keep]],
            **{k: [_rounded(v) for v in line[keep]] for k, line in zip(names, self._lines(), strict=True)},
            "at_risk": [{"month": m, "n": self.number_at_risk(m)} for m in risk_months if m <= horizon_months],
            "followed_months": _rounded(float(self.followup_months[-1])),
        }

    def _lines(self) -> tuple[Array, Array, Array]:
        return self.survival_probability, self.lower, self.upper


def fit_kaplan_meier(followup_months: NDArray[np.floating], event: NDArray[np.bool_]) -> KaplanMeier:
    """The Kaplan-Meier estimate of one group.

    Parameters
    ----------
    followup_months : (N,) months to the event or the last visit, >= 0, N >= 1
    event : (N,) True = happened; a last visit in the month of an event counts as after it

    Raises
    ------
    InputError: no patient, arrays of unequal length, or times that are negative or not finite.

    Notes
    -----
    Not checked: that censoring is independent of the risk.

    References
    ----------
    Kaplan & Meier, J Am Stat Assoc 1958, doi:10.1080/01621459.1958.10501452 (estimate); Kalbfleisch & Prentice, The
    Statistical Analysis of Failure Time Data, 2002, section 1.4 (interval on the log-log scale).
    """
    months, happened = np.asarray(followup_months, np.float64), np.asarray(event, bool)
    if months.ndim != 1 or months.shape != happened.shape or not len(months):
        raise InputError(
            f"follow-up {months.shape} and events {happened.shape}; give one of each for 1 patient or more."
        )
    if not np.isfinite(months).all() or (months < 0).any():
        bad = months[~np.isfinite(months) | (months < 0)]
        raise InputError(f"follow-up of {bad[0]} months; allowed: 0 or more. Leave out patients without follow-up.")
    times, probability, band = kaplan_meier_estimator(happened, months, conf_level=0.95, conf_type="log-log")
    return KaplanMeier(times, probability, band[0], band[1], np.sort(months), int(happened.sum()))


def _level(months: Array, values: Array, month: float) -> float:
    """Value of the steps at ``month``, the drop at that month included; 1 before the first."""
    place = int(np.searchsorted(months, month, side="right")) - 1
    return 1.0 if place < 0 else float(values[place])


def _first_at_half(months: Array, values: Array) -> float | None:
    below = values <= 0.5 + _ROUNDING
    return float(months[np.argmax(below)]) if below.any() else None


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(float(value), 4)
