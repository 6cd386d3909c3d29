"""Likelihoods of an outcome given one latent score a patient: Cox's partial likelihood, and a binary label.

Each gives the log likelihood of scores f (N,), its gradient (N,) and its negative Hessian W (N, N) in the patients' own
order. What this module does not know: where the scores come from.
"""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from encoders.cohort_models.metrics import area_under_curve, concordance
from encoders.errors import InputError

Array = NDArray[np.float64]
TINY = 1e-150
"""A risk set's summed hazard is kept above this; its square is then still a number."""


class Likelihood(Protocol):
    """log p(outcome | f) and its derivatives."""

    @property
    def fewest(self) -> int:
        """Events; patients of the rarer class."""

    def outcome_order(self) -> NDArray[np.intp]:
        """(N,) patients such that neighbours have like outcomes."""

    def discrimination(self, score: Array) -> float:
        """Share of comparable pairs in the right order by scores (N,): C-index, AUC."""

    def value(self, score: Array) -> float:
        """log p(outcome | f)."""

    def derivatives(self, score: Array) -> tuple[Array, Array]:
        """Gradient (N,) and negative Hessian (N, N) at f."""

    def information(self, score: Array, features: Array) -> tuple[Array, Array]:
        """Gradient (N,) and features' negative Hessian (Q, Q) = Z' W Z for features Z (N, Q), without making W."""

    def hessian_slope(self, score: Array, covariance: Array) -> Array:
        """(N,) slope by f of the sum of ``covariance`` (N, N, symmetric) times the negative Hessian, entry by entry."""

    def subset(self, index: NDArray[np.intp]) -> Likelihood:
        """The likelihood of some of the patients."""


class CoxLikelihood:
    """Cox's partial likelihood with Breslow's handling of ties; the score is the log relative hazard.

    Parameters
    ----------
    months : (N,) follow-up, 0 or more
    event : (N,) True = the event happened

    Raises
    ------
    InputError: fewer than two events (nothing can be ordered), or times that are negative or not finite.

    References
    ----------
    Cox, J R Stat Soc B 1972, 10.1111/j.2517-6161.1972.tb00899.x; Breslow, discussion of the same paper.
    """

    def __init__(self, months: NDArray[np.floating], event: NDArray[np.bool_]) -> None:
        months, event = np.asarray(months, np.float64), np.asarray(event, bool)
        if months.shape != event.shape or months.ndim != 1:
            raise InputError(f"months has shape {months.shape}, event {event.shape}; both must be (N,).")
        if not np.isfinite(months).all() or (months < 0).any():
            bad = int((~np.isfinite(months) | (months < 0)).sum())
            raise InputError(f"{bad} follow-up times are negative or not finite; drop or mend those patients first.")
        if int(event.sum()) < 2:
            raise InputError(
                f"{int(event.sum())} events among {len(event)} patients; at least 2 are needed to order any."
            )
        self._months = months
        # Groups of equal time, latest first: the risk set of group g is every patient of groups 0..g.
        _, self._group, size = np.unique(-months, return_inverse=True, return_counts=True)
        self._order = np.argsort(self._group, kind="stable")
        self._last = np.cumsum(size) - 1
        self._event = event.astype(np.float64)
        self._deaths = np.bincount(self._group, weights=self._event)
        self._events_at = np.flatnonzero(self._deaths > 0)

    @property
    def fewest(self) -> int:
        """Number of events."""
        return int(self._event.sum())

    def outcome_order(self) -> NDArray[np.intp]:
        """(N,) censored patients by time, then those with an event by time."""
        return np.lexsort((self._months, self._event))

    def discrimination(self, score: Array) -> float:
        """C-index of scores (N,)."""
        return concordance(self._months, self._event > 0, score)

    def _risk_sums(self, weight: Array) -> Array:
        """(groups,) sum of ``weight`` over each group's risk set."""
        return np.cumsum(weight[self._order])[self._last]

    def value(self, score: Array) -> float:
        """Log partial likelihood at scores (N,)."""
        shifted = score - score.max()
        at = self._events_at
        total = np.maximum(self._risk_sums(np.exp(shifted))[at], TINY)
        return float(self._event @ shifted - self._deaths[at] @ np.log(total))

    def derivatives(self, score: Array) -> tuple[Array, Array]:
        """Gradient (N,): the martingale residuals; and negative Hessian (N, N)."""
        hazard = np.exp(score - score.max())
        total = np.maximum(self._risk_sums(hazard), TINY)
        first = np.cumsum((self._deaths / total)[::-1])[::-1]  # over this group and every earlier time
        second = np.cumsum((self._deaths / total**2)[::-1])[::-1]
        expected = hazard * first[self._group]
        pair = second[np.maximum(self._group[:, None], self._group[None, :])]
        negative_hessian = -pair * np.outer(hazard, hazard)
        negative_hessian[np.diag_indices(len(score))] += expected
        return self._event - expected, negative_hessian

    def information(self, score: Array, features: Array) -> tuple[Array, Array]:
        """Gradient (N,) and Z' W Z (Q, Q) of features Z (N, Q), in O(N Q^2)."""
        hazard = np.exp(score - score.max())
        total = np.maximum(self._risk_sums(hazard), TINY)
        first = np.cumsum((self._deaths / total)[::-1])[::-1]
        expected = hazard * first[self._group]
        at = self._events_at
        mean = np.cumsum((hazard[:, None] * features)[self._order], axis=0)[self._last[at]] / total[at, None]
        gram = (features * expected[:, None]).T @ features - (mean * self._deaths[at, None]).T @ mean
        return self._event - expected, gram

    def hessian_slope(self, score: Array, covariance: Array) -> Array:
        """(N,) slope by the scores of sum(covariance * negative Hessian), in O(N^2)."""
        hazard = np.exp(score - score.max())
        total = np.maximum(self._risk_sums(hazard), TINY)
        order, group = self._order, self._group[self._order]
        own = self.derivatives(score)[1] @ np.diag(covariance)
        # With h_g the hazards of the risk set of group g alone: (C h_g)_j for every patient j and group g
        reach = np.cumsum(covariance[np.ix_(order, order)] * hazard[order], axis=1)[:, self._last]
        reach *= hazard[order, None] * (np.arange(len(total)) >= group[:, None])
        spread = reach.sum(axis=0)  # h_g' C h_g
        pair = 2 * reach @ (self._deaths / total**2)
        share = np.cumsum((spread * self._deaths / total**3)[::-1])[::-1]  # over the groups whose risk set holds j
        pair -= 2 * hazard[order] * share[group]
        slope = np.empty_like(score)
        slope[order] = pair
        return own - slope

    def subset(self, index: NDArray[np.intp]) -> CoxLikelihood:
        """The partial likelihood of some of the patients."""
        return CoxLikelihood(self._months[index], self._event[index] > 0)

    def baseline(self, score: Array, at: NDArray[np.floating]) -> Array:
        """Breslow's cumulative baseline hazard at times ``at`` (T,), for scores (N,) of the fitted patients."""
        hazard = np.exp(score)
        times = -np.unique(-self._months)
        steps = self._deaths / np.maximum(self._risk_sums(hazard), TINY)
        cumulative = np.cumsum(steps[::-1])
        index = np.searchsorted(times[::-1], np.asarray(at, np.float64), side="right")
        return np.concatenate([[0.0], cumulative])[index]


class BernoulliLikelihood:
    """A binary label; the score is its log odds less ``offset``, the log odds of the training prevalence.

    Raises
    ------
    InputError: only one class among the labels.
    """

    def __init__(self, label: NDArray[np.bool_]) -> None:
        self._label = np.asarray(label, np.float64)
        share = float(self._label.mean())
        if share in (0.0, 1.0):
            raise InputError(f"all {len(self._label)} labels are {bool(share)}; both classes are needed.")
        self.offset = float(np.log(share / (1 - share)))

    @property
    def fewest(self) -> int:
        """Patients of the rarer class."""
        return int(min(self._label.sum(), (1 - self._label).sum()))

    def outcome_order(self) -> NDArray[np.intp]:
        """(N,) one class after the other."""
        return np.argsort(self._label, kind="stable")

    def discrimination(self, score: Array) -> float:
        """AUC of scores (N,)."""
        return area_under_curve(self._label > 0.5, score)

    def value(self, score: Array) -> float:
        """Log likelihood at scores (N,)."""
        odds = score + self.offset
        return float(self._label @ odds - np.logaddexp(0, odds).sum())

    def derivatives(self, score: Array) -> tuple[Array, Array]:
        """Gradient (N,) and diagonal negative Hessian (N, N)."""
        share = expit(score + self.offset)
        return self._label - share, np.diag(share * (1 - share))

    def information(self, score: Array, features: Array) -> tuple[Array, Array]:
        """Gradient (N,) and Z' W Z (Q, Q)."""
        share = expit(score + self.offset)
        return self._label - share, (features * (share * (1 - share))[:, None]).T @ features

    def hessian_slope(self, score: Array, covariance: Array) -> Array:
        """(N,) slope by the scores of sum(covariance * negative Hessian)."""
        share = expit(score + self.offset)
        return np.diag(covariance) * share * (1 - share) * (1 - 2 * share)

    def subset(self, index: NDArray[np.intp]) -> BernoulliLikelihood:
        """The likelihood of some of the patients; its offset is that of their prevalence."""
        return BernoulliLikelihood(self._label[index] > 0.5)
