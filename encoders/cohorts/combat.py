"""ComBat: take the batch out of features, keeping named covariates; fitted on training rows, applied to any rows.

Location and scale of each batch are shrunk towards the batch's mean over features (parametric empirical Bayes). A
batch that was not in the training rows cannot be corrected and is refused. Own code because the kept libraries either
cannot be applied to new rows with covariates or bring a plotting stack; its numbers agree with neuroCombat 0.2.12
(tests). What this module does not know: whether batch and outcome are confounded beyond the covariates given.

References
----------
Johnson W.E., Li C., Rabinovic A., Biostatistics 2007;8:118-127, DOI 10.1093/biostatistics/kxj037.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from encoders.errors import InputError

TOLERANCE = 1e-4
"""Relative change at which the empirical-Bayes iteration stops (the value of the original code)."""

MAX_STEPS = 1000

ROUNDING = 1e-8
"""A residual SD below this share of the feature's largest value is rounding, not variation."""


@dataclass(frozen=True)
class ComBat:
    """Fitted batch effects. batches: names in the order of the rows of gamma and delta.

    grand_mean (G,), coefficients (C, G) of the covariates, sd (G,) pooled; gamma, delta (B, G) location and scale
    """

    reference: str
    features: tuple[str, ...]
    batches: tuple[str, ...]
    grand_mean: NDArray[np.float64]
    coefficients: NDArray[np.float64]
    sd: NDArray[np.float64]
    gamma: NDArray[np.float64]
    delta: NDArray[np.float64]

    def apply(
        self, values: NDArray[np.floating], batch: Sequence[str], covariates: NDArray[np.floating] | None = None
    ) -> NDArray[np.float32]:
        """Corrected values (P, G); NaN stays NaN.

        Raises
        ------
        InputError: a batch that was not fitted, or covariates of another number.
        """
        rows = _rows_of(batch, self.batches)
        design = _covariates(covariates, len(values))
        if design.shape[1] != len(self.coefficients):
            raise InputError(
                f"ComBat was fitted with {len(self.coefficients)} covariates, {design.shape[1]} are given."
            )
        kept = self.grand_mean + design @ self.coefficients
        z = (np.asarray(values, dtype=np.float64) - kept) / self.sd
        return ((z - self.gamma[rows]) / np.sqrt(self.delta[rows]) * self.sd + kept).astype(np.float32)

    def to_card(self) -> dict[str, object]:
        """JSON-able form for a model card."""
        arrays = {k: getattr(self, k).tolist() for k in ("grand_mean", "coefficients", "sd", "gamma", "delta")}
        names = {"features": list(self.features), "batches": list(self.batches)}
        return {"method": "ComBat (parametric)", "reference": self.reference, **names, **arrays}

    @classmethod
    def from_card(cls, card: Mapping[str, object]) -> ComBat:
        """The inverse of ``to_card``."""
        names = ("grand_mean", "coefficients", "sd", "gamma", "delta")
        arrays = {k: np.asarray(card[k], dtype=np.float64) for k in names}
        arrays["coefficients"] = arrays["coefficients"].reshape(-1, len(card["features"]))  # none = an empty list
        return cls(str(card["reference"]), tuple(card["features"]), tuple(card["batches"]), **arrays)


def fit_combat(
    values: NDArray[np.floating],
    features: Sequence[str],
    batch: Sequence[str],
    reference: str,
    covariates: NDArray[np.floating] | None = None,
) -> ComBat:
    """Fit on training rows (P, G) without missing values; covariates (P, C) are kept in the data.

    Raises
    ------
    InputError: missing values, fewer than two batches, a batch with one row, a constant feature, or covariates that
        cannot be told from the batches.
    """
    x = np.asarray(values, dtype=np.float64)
    if np.isnan(x).any():
        raise InputError(f"{int(np.isnan(x).sum())} values are missing; ComBat is fitted on complete rows.")
    names = tuple(sorted(set(batch)))
    rows = _rows_of(batch, names)
    size = np.bincount(rows, minlength=len(names))
    if len(names) < 2 or size.min() < 2:
        small = names[int(size.argmin())]
        raise InputError(f"ComBat needs two batches or more with two rows each; {small!r} has {size.min()}.")
    indicator = np.eye(len(names))[rows]
    kept = _covariates(covariates, len(x))
    design = np.hstack([indicator, kept])
    if np.linalg.matrix_rank(design) < design.shape[1]:
        raise InputError("the covariates cannot be told from the batches (confounded); leave one out.")
    beta = np.linalg.lstsq(design, x, rcond=None)[0]
    grand_mean = size / len(x) @ beta[: len(names)]
    sd = np.sqrt(((x - design @ beta) ** 2).mean(axis=0))
    flat = [f for f, s, top in zip(features, sd, np.abs(x).max(axis=0), strict=True) if s <= ROUNDING * top]
    if flat:
        raise InputError(
            f"{len(flat)} features do not vary beyond batch and covariates ({', '.join(flat[:3])}); leave them out."
        )
    z = (x - grand_mean - kept @ beta[len(names) :]) / sd
    gamma, delta = _shrunk(z, rows, len(names))
    return ComBat(reference, tuple(features), names, grand_mean, beta[len(names) :], sd, gamma, delta)


def _rows_of(batch: Sequence[str], names: Sequence[str]) -> NDArray[np.int64]:
    place = {name: i for i, name in enumerate(names)}
    foreign = sorted(set(batch) - set(place))
    if foreign:
        raise InputError(f"batch {foreign[0]!r} was not among the fitted ones ({', '.join(names)}); fit with it.")
    return np.array([place[b] for b in batch])


def _covariates(covariates: NDArray[np.floating] | None, n: int) -> NDArray[np.float64]:
    found = np.zeros((n, 0)) if covariates is None else np.asarray(covariates, dtype=np.float64).reshape(n, -1)
    if not np.isfinite(found).all():
        raise InputError("a covariate is missing or infinite; ComBat needs it of every row.")
    return found


def _shrunk(z: NDArray[np.float64], rows: NDArray[np.int64], n_batches: int) -> tuple[np.ndarray, np.ndarray]:
    """Posterior location and scale of each batch (Johnson 2007, section 3.2), by their iteration."""
    gammas, deltas = [], []
    for b in range(n_batches):
        own = z[rows == b]
        mean, variance = own.mean(axis=0), own.var(axis=0, ddof=1)
        prior_mean, prior_variance = mean.mean(), mean.var(ddof=1) if mean.size > 1 else 0.0
        shape, scale = _inverse_gamma(variance)
        gamma, delta = mean.copy(), variance.copy()
        for _ in range(MAX_STEPS):
            new_gamma = (prior_variance * len(own) * mean + delta * prior_mean) / (prior_variance * len(own) + delta)
            squares = ((own - new_gamma) ** 2).sum(axis=0)
            new_delta = (0.5 * squares + scale) / (len(own) / 2 + shape - 1)
            change = max(np.max(np.abs(new_gamma - gamma) / np.abs(gamma)), np.max(np.abs(new_delta - delta) / delta))
            gamma, delta = new_gamma, new_delta
            if change <= TOLERANCE:
                break
        gammas.append(gamma)
        deltas.append(delta)
    return np.array(gammas), np.array(deltas)


def _inverse_gamma(variance: NDArray[np.float64]) -> tuple[float, float]:
    """Shape and scale of the inverse-gamma prior by the method of moments.

    Raises
    ------
    InputError: all features vary alike, so that there is nothing to estimate a prior from.
    """
    mean, spread = variance.mean(), variance.var(ddof=1) if variance.size > 1 else 0.0
    if spread <= 0:
        raise InputError("ComBat needs several features whose variances differ.")
    return (2 * spread + mean**2) / spread, (mean * spread + mean**3) / spread
