"""Which features made a patient's score: integrated gradients of a multi-kernel model, exact for its linear part.

The baseline is the mean patient of the training cohort (standardised value 0 everywhere). What this module does not
know: feature names, what a score means.

References
----------
Sundararajan, Taly & Yan, ICML 2017, arXiv 1703.01365.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from encoders.cohort_models.kernels import LINEAR, Array, Kernel
from encoders.cohort_models.multi_kernel import Blocks, MultiKernelModel

PATH_POINTS = 24
"""Gauss-Legendre points on the straight path from the mean patient; the Gaussian kernel is smooth along it."""


@dataclass(frozen=True)
class FeatureAttribution:
    """values : block -> (M, P) in the unit of the score, 0 for columns the model left out or the patient lacks.

    explained : (M,) score less the score of the mean patient with the same blocks
    completeness_error : (M,) |sum of a patient's values - explained|
    """

    values: Mapping[str, Array]
    completeness_error: Array
    explained: Array


def integrated_gradients(model: MultiKernelModel, blocks: Blocks) -> FeatureAttribution:
    """Attributions of M patients' scores to every column of every block."""
    size = len(next(iter(blocks.values())))
    values = {name: np.zeros((size, len(scaler.keep))) for name, scaler in model.scalers.items()}
    explained = np.zeros(size)
    for part, members, rows in model.by_pattern(blocks):
        start = {name: np.zeros_like(row) for name, row in rows.items()}
        explained[members] = part.score_of(rows) - part.score_of(start)
        for i, kernel in enumerate(part.kernels):
            columns = np.flatnonzero(model.scalers[kernel.block].keep)
            values[kernel.block][np.ix_(members, columns)] += _of_kernel(
                kernel, part.fitted.coefficients(i), rows[kernel.block]
            )
        ridge = part.fitted.ridge
        for name, slope in ({} if ridge is None else ridge.coefficients).items():
            columns = np.flatnonzero(model.scalers[name].keep)
            values[name][np.ix_(members, columns)] += part.fitted.ridge_share * slope * np.nan_to_num(rows[name])
    total = sum(found.sum(axis=1) for found in values.values())
    return FeatureAttribution(values, np.abs(total - explained), explained)


def _of_kernel(kernel: Kernel, coefficient: Array, new: Array) -> Array:
    """(M, P) attribution of one kernel's effect for patients that have the block."""
    fitted = np.nan_to_num(kernel.rows)
    if kernel.form == LINEAR:
        return new * (coefficient @ fitted) / kernel.scale
    point, share = np.polynomial.legendre.leggauss(PATH_POINTS)
    gradient = np.zeros_like(new)
    for s, w in zip((point + 1) / 2, share / 2, strict=True):
        pull = kernel.across(s * new) * coefficient  # (M, N); fitted patients without the block count 0
        gradient += w * (-2 / kernel.scale) * (s * new * pull.sum(axis=1, keepdims=True) - pull @ fitted)
    return new * gradient
