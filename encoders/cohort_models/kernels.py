"""A table of features -> standardised values -> kernels between patients.

Columns are standardised on the fitted patients, clipped, and a missing value counts as the mean. A patient without the
whole block has zeros in the block's kernels: the block then says nothing about that patient.

What this module does not know: outcomes, what the columns mean.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.distance import cdist

from encoders.errors import InputError

Array = NDArray[np.float64]
CLIP_SD = 3.0
"""Standardised values beyond this many standard deviations are drawn in; a mutation seen in few patients stays told
apart from none, a wild measurement does not rule the kernel."""
LINEAR, GAUSSIAN = "linear", "gaussian"
KERNELS: tuple[str, ...] = (LINEAR, GAUSSIAN)


@dataclass(frozen=True)
class BlockScaler:
    """Standardisation of one block, fitted once. keep, mean, sd : (P,) of the block's columns; keep = not constant."""

    keep: NDArray[np.bool_]
    mean: Array
    sd: Array

    @classmethod
    def fit(cls, values: NDArray[np.floating]) -> BlockScaler:
        """From values (N, P), NaN = absent; a column that is constant, or known in no patient, is left out."""
        values = np.asarray(values, np.float64)
        known = np.isfinite(values)
        count = np.maximum(known.sum(0), 1)
        filled = np.where(known, values, 0.0)
        mean = filled.sum(0) / count
        sd = np.sqrt(np.where(known, (filled - mean) ** 2, 0.0).sum(0) / count)
        return cls(sd > 1e-9 * np.maximum(np.abs(mean), 1.0), mean, sd)

    def transform(self, values: NDArray[np.floating]) -> Array:
        """(M, P) -> (M, kept) standardised; NaN -> 0 (the mean); a row that is all NaN stays all NaN.

        Raises
        ------
        InputError: another number of columns than were fitted.
        """
        values = np.asarray(values, np.float64)
        if values.shape[1] != len(self.keep):
            raise InputError(f"{values.shape[1]} columns given, {len(self.keep)} were fitted; give the same columns.")
        absent = ~np.isfinite(values).any(axis=1)
        scaled = (values[:, self.keep] - self.mean[self.keep]) / self.sd[self.keep]
        scaled = np.clip(np.where(np.isfinite(scaled), scaled, 0.0), -CLIP_SD, CLIP_SD)
        scaled[absent] = np.nan
        return scaled


@dataclass(frozen=True)
class Kernel:
    """One kernel of one block, in the units of the fitted patients.

    rows : (N, P) their standardised values, NaN rows for patients without the block
    scale : linear -> mean squared length of a row; gaussian -> the squared distance at which it falls to 1 / e
    """

    block: str
    form: str
    rows: Array
    scale: float

    @classmethod
    def fit(cls, block: str, form: str, rows: Array) -> Kernel:
        """Scale such that the mean diagonal is 1 (linear) or by the median squared distance (gaussian)."""
        have = rows[np.isfinite(rows).all(axis=1)]
        if form == LINEAR:
            scale = float((have**2).sum(axis=1).mean()) if len(have) else 1.0
        else:
            sample = have[:: max(1, len(have) // 1000)]
            distance = cdist(sample, sample, "sqeuclidean")
            scale = float(np.median(distance[distance > 0])) if (distance > 0).any() else 1.0
        return cls(block, form, rows, max(scale, 1e-12))

    def across(self, new: Array, among: Array | None = None) -> Array:
        """(M, N) between standardised ``new`` (M, P) and the fitted patients (or ``among``); 0 where one is absent."""
        other = self.rows if among is None else among
        left, right = np.nan_to_num(new), np.nan_to_num(other)
        if self.form == LINEAR:
            return left @ right.T / self.scale  # absent rows are 0 already
        value = np.exp(-cdist(left, right, "sqeuclidean") / self.scale)
        return value * np.isfinite(new).all(axis=1)[:, None] * np.isfinite(other).all(axis=1)[None, :]

    def diagonal(self, new: Array) -> Array:
        """(M,) of each new patient with itself."""
        if self.form == LINEAR:
            return (np.nan_to_num(new) ** 2).sum(axis=1) / self.scale
        return np.isfinite(new).all(axis=1).astype(np.float64)
