"""Normalisation whose fitted numbers can be saved: fitted on training rows, applied to any rows, put in a card.

log2(TPM+1) and CPM need no fit. Counts become TPM only with gene lengths given. z-scores and quantiles are against a
NAMED reference, whose mean, SD or quantiles are kept. Batch correction is combat.py. Arrays are (P, G); NaN stays
NaN. What this module does not know: which rows are training rows; the caller passes those to ``fit_``.

References
----------
Li B. & Dewey C.N., BMC Bioinformatics 2011;12:323 (TPM), DOI 10.1186/1471-2105-12-323.
Bolstad B.M. et al., Bioinformatics 2003;19:185 (quantile normalisation), DOI 10.1093/bioinformatics/19.2.185.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from encoders.errors import InputError

MIN_SD = 1e-6
"""A feature that varies less than this in the reference is set to 0, not divided by next to nothing."""


def log2_plus_one(amounts: NDArray[np.floating]) -> NDArray[np.float32]:
    """log2(x + 1) of TPM, FPKM, CPM or counts.

    Raises
    ------
    InputError: a negative amount.
    """
    _check_amounts(amounts)
    return np.log2(np.asarray(amounts, dtype=np.float64) + 1).astype(np.float32)


def counts_per_million(counts: NDArray[np.floating]) -> NDArray[np.float32]:
    """Counts over the row's sum, times a million.

    Raises
    ------
    InputError: a negative count, or a patient whose counts sum to 0.
    """
    _check_amounts(counts)
    return _per_million(np.asarray(counts, dtype=np.float64), "counts")


def counts_to_tpm(counts: NDArray[np.floating], length_kb: NDArray[np.floating]) -> NDArray[np.float32]:
    """Transcripts per million from counts (P, G) and the genes' lengths (G,) in kilobases.

    Raises
    ------
    InputError: a negative count, a length that is not above 0, or other shapes.
    """
    _check_amounts(counts)
    lengths = np.asarray(length_kb, dtype=np.float64)
    if lengths.shape != (counts.shape[1],) or not (lengths > 0).all():
        raise InputError(f"{counts.shape[1]} genes need as many lengths above 0 kb; found shape {lengths.shape}.")
    return _per_million(np.asarray(counts, dtype=np.float64) / lengths, "counts")


def _check_amounts(values: NDArray[np.floating]) -> None:
    low = np.nanmin(values) if np.size(values) and not np.isnan(values).all() else 0.0
    if low < 0:
        raise InputError(f"the lowest value is {low:g}; TPM, FPKM, CPM and counts are not negative. State the unit.")


def _per_million(values: NDArray[np.float64], what: str) -> NDArray[np.float32]:
    total = np.nansum(values, axis=1, keepdims=True)
    if (total <= 0).any():
        raise InputError(f"{int((total <= 0).sum())} patients have {what} that sum to 0; leave them out.")
    return (values / total * 1e6).astype(np.float32)


@dataclass(frozen=True)
class ZScore:
    """Mean and SD of each feature in a named reference; ``apply`` gives (x - mean) / SD.

    reference : what the numbers were fitted on ("porpoise-blca, official fold 0, train")
    """

    reference: str
    features: tuple[str, ...]
    mean: NDArray[np.float32]
    sd: NDArray[np.float32]

    def apply(self, values: NDArray[np.floating], features: Sequence[str]) -> NDArray[np.float32]:
        """z of (P, G) values; a feature that does not vary in the reference is 0, one without reference NaN."""
        _check_features(self.features, features)
        flat = self.sd < MIN_SD
        z = (np.asarray(values, dtype=np.float32) - self.mean) / np.where(flat, 1, self.sd)
        return np.where(flat & ~np.isnan(z), np.float32(0), z).astype(np.float32)

    def to_card(self) -> dict[str, object]:
        """JSON-able form for a model card."""
        return {
            "method": "z-score",
            "reference": self.reference,
            "features": list(self.features),
            "mean": self.mean.tolist(),
            "sd": self.sd.tolist(),
        }

    @classmethod
    def from_card(cls, card: Mapping[str, object]) -> ZScore:
        """The inverse of ``to_card``."""
        numbers = (np.asarray(card[k], dtype=np.float32) for k in ("mean", "sd"))
        return cls(str(card["reference"]), tuple(card["features"]), *numbers)


def fit_z_score(values: NDArray[np.floating], features: Sequence[str], reference: str) -> ZScore:
    """Mean and SD (divisor n - 1) of each feature over the rows given, which must be training rows.

    Raises
    ------
    InputError: no name for the reference, or fewer than two rows.
    """
    if not reference.strip():
        raise InputError("a z-score needs the name of its reference; say which cohort and rows it is fitted on.")
    if len(values) < 2:
        raise InputError(f"{len(values)} rows cannot give a standard deviation; at least 2 are needed.")
    x = np.asarray(values, dtype=np.float64)
    there = ~np.isnan(x)
    n = there.sum(axis=0)
    mean = np.where(n > 0, np.nansum(x, axis=0) / np.maximum(n, 1), np.nan)
    spread = np.nansum(np.where(there, x - mean, 0) ** 2, axis=0)
    sd = np.where(n > 1, np.sqrt(spread / np.maximum(n - 1, 1)), 0.0)
    return ZScore(reference, tuple(features), mean.astype(np.float32), sd.astype(np.float32))


@dataclass(frozen=True)
class QuantileReference:
    """Mean sorted profile of a named reference; ``apply`` gives each patient those values in the order of its own."""

    reference: str
    features: tuple[str, ...]
    quantiles: NDArray[np.float32]  # (G,), ascending

    def apply(self, values: NDArray[np.floating], features: Sequence[str]) -> NDArray[np.float32]:
        """Each row's values replaced by the reference's at the same rank; ties share their mean; NaN stays NaN."""
        _check_features(self.features, features)
        rows = [self._row(np.asarray(row, dtype=np.float64)) for row in values]
        return np.array(rows, dtype=np.float32).reshape(len(values), len(features))

    def _row(self, row: NDArray[np.float64]) -> NDArray[np.float64]:
        there = np.flatnonzero(~np.isnan(row))
        if not there.size:
            return row
        places = np.linspace(0, len(self.quantiles) - 1, there.size) if there.size > 1 else np.array([0.0])
        targets = np.interp(places, np.arange(len(self.quantiles)), self.quantiles)
        _, group = np.unique(row[there], return_inverse=True)
        ordered = np.argsort(group, kind="stable")
        shared = np.bincount(group[ordered], weights=targets) / np.bincount(group)
        out = row.copy()
        out[there] = shared[group]
        return out

    def to_card(self) -> dict[str, object]:
        """JSON-able form for a model card."""
        return {
            "method": "quantile",
            "reference": self.reference,
            "features": list(self.features),
            "quantiles": self.quantiles.tolist(),
        }


def fit_quantiles(values: NDArray[np.floating], features: Sequence[str], reference: str) -> QuantileReference:
    """Mean of the sorted rows (training rows).

    Raises
    ------
    InputError: a missing value (ranks of a row with gaps are not those of a full one), or no name for the reference.
    """
    if not reference.strip() or not len(values):
        raise InputError("quantile normalisation needs rows and the name of its reference.")
    if np.isnan(values).any():
        raise InputError(f"{int(np.isnan(values).sum())} values are missing; fit quantiles on complete rows.")
    profile = np.sort(np.asarray(values, dtype=np.float64), axis=1).mean(axis=0)
    return QuantileReference(reference, tuple(features), profile.astype(np.float32))


def _check_features(fitted: Sequence[str], given: Sequence[str]) -> None:
    if tuple(fitted) != tuple(given):
        gone = [f for f in fitted if f not in set(given)]
        raise InputError(
            f"the normalisation was fitted on {len(fitted)} features in their order, {len(given)} are given "
            f"({len(gone)} missing: {', '.join(gone[:3]) or 'none, the order differs'}); select the same ones."
        )
