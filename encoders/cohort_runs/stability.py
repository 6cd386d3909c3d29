"""How alike the folds' explanations are: rank correlation, overlap of the top, how often a feature is on top.

What this module does not know: how importance was measured. Folds share training patients (four fifths of them in each
pair of five folds), so they agree more than independent cohorts would.

References
----------
Kalousis, Prados & Hilario, Knowl Inf Syst 2007, 10.1007/s10115-006-0040-8 (stability of feature rankings).
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.stats import rankdata

TOP = 50


@dataclass(frozen=True)
class Stability:
    """spearman, jaccard : means over all pairs of folds, None with one fold; top : how many features count as the top.

    table : index feature; mean_importance over folds, share_of_folds_in_top; most important first
    """

    spearman: float | None
    jaccard: float | None
    top: int
    table: pd.DataFrame


def stability_over_folds(folds: Sequence[pd.Series], top: int = TOP) -> Stability:
    """From the importance (index feature, 0 or more) of every fold; a feature that a fold lacks has 0 there.

    A feature of importance 0 is never in the top. Where there are fewer than ``2 * top`` features the top is the upper
    half, so that it can tell anything.
    """
    table = pd.concat(folds, axis=1).fillna(0.0)
    values = table.to_numpy(np.float64)
    top = min(top, max(1, len(table) // 2))
    ranks = np.argsort(np.argsort(-values, axis=0, kind="stable"), axis=0, kind="stable")
    inside = (ranks < top) & (values > 0)
    pairs = list(itertools.combinations(range(values.shape[1]), 2))
    order = [rankdata(column) for column in values.T]
    rho = [_correlation(order[a], order[b]) for a, b in pairs]
    overlap = [_jaccard(inside[:, a], inside[:, b]) for a, b in pairs]
    out = pd.DataFrame(
        {"mean_importance": values.mean(axis=1), "share_of_folds_in_top": inside.mean(axis=1)}, index=table.index
    )
    return Stability(
        _mean(rho), _mean(overlap), top, out.sort_values("mean_importance", ascending=False, kind="stable")
    )


def _correlation(left: np.ndarray, right: np.ndarray) -> float:
    if left.std() == 0 or right.std() == 0:
        return float("nan")
    return float(np.corrcoef(left, right)[0, 1])


def _jaccard(left: np.ndarray, right: np.ndarray) -> float:
    either = int((left | right).sum())
    return int((left & right).sum()) / either if either else float("nan")


def _mean(values: Sequence[float]) -> float | None:
    told = [value for value in values if np.isfinite(value)]
    return float(np.mean(told)) if told else None
