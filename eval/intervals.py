"""Intervals for proportions and means. Every figure Radomica prints comes with one of these.

Not known here: what is being measured.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from encoders.errors import InputError

Interval = tuple[float, float]
Z95 = 1.959963984540054
"""97.5 % point of the standard normal distribution."""


def wilson(successes: int, n: int) -> Interval:
    """95 % Wilson score interval of a proportion.

    Raises
    ------
    InputError: n = 0 (the proportion of nothing is not 0), or successes outside 0..n.

    References
    ----------
    Wilson, J Am Stat Assoc 1927, 10.1080/01621459.1927.10502953.
    """
    if n <= 0:
        raise InputError(f"a proportion of n = {n} items does not exist; give at least one item.")
    if not 0 <= successes <= n:
        raise InputError(f"successes = {successes} is outside 0..{n}.")
    p = successes / n
    centre = (p + Z95**2 / (2 * n)) / (1 + Z95**2 / n)
    half = Z95 * math.sqrt(p * (1 - p) / n + Z95**2 / (4 * n * n)) / (1 + Z95**2 / n)
    # the exact limits at the ends are 0 and 1; rounding must not leave them a hair inside
    return (0.0 if successes == 0 else centre - half, 1.0 if successes == n else centre + half)


def bootstrap(
    statistic: Callable[[NDArray[np.intp]], float],
    n: int,
    *,
    seed: int,
    repeats: int = 1000,
    strata: Sequence[object] | None = None,
) -> Interval:
    """95 % percentile bootstrap interval of ``statistic(indices)``.

    statistic : takes indices (n,) drawn with replacement from 0..n-1
    strata : one label per item; when given, each stratum is resampled within itself
    A resample on which the statistic is not finite (no comparable pair) is drawn again, up to 10 times ``repeats``.

    References
    ----------
    Efron, Ann Stat 1979, 10.1214/aos/1176344552.
    """
    if n <= 1:
        raise InputError(f"a bootstrap needs at least 2 items, found {n}.")
    rng = np.random.default_rng(seed)
    groups = [np.arange(n)] if strata is None else _groups(strata)
    values: list[float] = []
    for _ in range(repeats * 10):
        sample = np.concatenate([rng.choice(g, size=len(g), replace=True) for g in groups])
        value = statistic(sample)
        if math.isfinite(value):
            values.append(value)
        if len(values) == repeats:
            break
    if len(values) < repeats:
        raise InputError(f"only {len(values)} of {repeats * 10} resamples gave a finite figure; the set is too small.")
    low, high = np.quantile(values, [0.025, 0.975])
    return float(low), float(high)


def _groups(strata: Sequence[object]) -> list[NDArray[np.intp]]:
    labels = np.asarray([str(s) for s in strata])
    return [np.flatnonzero(labels == label) for label in np.unique(labels)]
