"""One linear model of all blocks together on few components: heavily shrunk, and told nothing of blocks.

It stands beside the stack (stacking.py), which has to divide shares among blocks: with few events that division is
uncertain, and there a plain ridge does better (UCEC of PORPOISE). Narrow blocks enter as they are, the wide ones
together as their first principal components; the penalty is the one whose fits order left-out patients best.

What this module does not know: kernels, how its score is mixed with others. Components are found in all fitted
patients, left-out ones included; they see no outcome.

References
----------
Hoerl & Kennard, Technometrics 1970, 10.1080/00401706.1970.10488634; Simon et al., J Stat Softw 2011,
10.18637/jss.v039.i05 (ridge Cox).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sklearn.decomposition import PCA

from encoders.cohort_models.likelihoods import Array, Likelihood

COMPONENTS = 30
"""Principal components that stand for the wide blocks."""
WIDE = 40
"""A block of more columns than this is wide."""
PENALTIES: tuple[float, ...] = (1.0, 10.0, 100.0, 1000.0)
NEWTON_STEPS, HALVINGS, TOLERANCE = 50, 20, 1e-8


@dataclass(frozen=True)
class RidgeFit:
    """coefficients : block -> (P,) of its standardised columns; middle : block -> (P,) their means.

    penalty : half of it is paid for each squared coefficient of a component
    projections : block -> (P, C) from standardised columns to components; covariance : (C, C) of their coefficients
    left_out : (N,) scores of the fitted patients by fits without them, at the same penalty
    """

    coefficients: Mapping[str, Array]
    middle: Mapping[str, Array]
    penalty: float
    projections: Mapping[str, Array]
    covariance: Array
    left_out: Array

    def part(self, block: str, rows: Array) -> Array:
        """(M,) what a block's standardised rows (M, P) give to the score; a row of NaN gives 0, the mean."""
        return np.nan_to_num(rows - self.middle[block]) @ self.coefficients[block]

    def variance(self, rows: Mapping[str, Array]) -> Array:
        """(M,) posterior variance of the score."""
        x = _components(rows, self.middle, self.projections)
        return np.einsum("mc,cd,md->m", x, self.covariance, x)


def fit_ridge(
    rows: Mapping[str, Array],
    likelihood: Likelihood,
    divisions: Sequence[NDArray[np.intp]],
    penalty: float | None = None,
) -> RidgeFit:
    """Fit to standardised rows, block -> (N, P), NaN rows for patients without the block.

    divisions : each (N,) fold of every patient; left-out scores are the mean over them
    penalty : a saved model's; None = the one of ``PENALTIES`` that orders left-out patients best, the higher of equals
    """
    middle = {name: np.nan_to_num(row[np.isfinite(row).all(axis=1)].mean(axis=0)) for name, row in rows.items()}
    projections = component_projections({name: np.nan_to_num(row - middle[name]) for name, row in rows.items()})
    x = _components(rows, middle, projections)
    tried = (penalty,) if penalty is not None else PENALTIES[::-1]
    fits = {p: _newton(x, likelihood, p) for p in tried}
    left_out = {p: _left_out(x, likelihood, p, divisions, fits[p]) for p in tried}
    best = max(tried, key=lambda p: likelihood.discrimination(left_out[p]))
    _, gram = likelihood.information(x @ fits[best], x)
    return RidgeFit(
        coefficients={block: projection @ fits[best] for block, projection in projections.items()},
        middle=middle,
        penalty=best,
        projections=projections,
        covariance=np.linalg.inv(gram + best * np.eye(len(gram))),
        left_out=left_out[best],
    )


def _components(rows: Mapping[str, Array], middle: Mapping[str, Array], projections: Mapping[str, Array]) -> Array:
    return np.sum([np.nan_to_num(rows[name] - middle[name]) @ p for name, p in projections.items()], axis=0)


def component_projections(rows: Mapping[str, Array]) -> dict[str, Array]:
    """Block -> (P, C) onto C shared components: one a column of a narrow block, then those of the wide blocks.

    rows : block -> (N, P) centred, 0 for patients without the block

    Principal components are in units of the first one's standard deviation, so the first counts like a column.
    """
    narrow = {name: row.shape[1] for name, row in rows.items() if row.shape[1] <= WIDE}
    wide = [name for name in rows if name not in narrow]
    loadings = np.zeros((0, 0))
    if wide:
        together = np.hstack([rows[name] for name in wide])
        found = PCA(min(COMPONENTS, len(together) - 1, together.shape[1]), random_state=0).fit(together)
        loadings = found.components_.T / np.sqrt(found.explained_variance_[0])
    count = sum(narrow.values())
    total, at, row_at = count + loadings.shape[1], 0, 0
    projections = {}
    for name, row in rows.items():
        size = row.shape[1]
        projections[name] = np.zeros((size, total))
        if name in narrow:
            projections[name][:, at : at + size] = np.eye(size)
            at += size
        else:
            projections[name][:, count:] = loadings[row_at : row_at + size]
            row_at += size
    return projections


def _left_out(
    x: Array, likelihood: Likelihood, penalty: float, divisions: Sequence[NDArray[np.intp]], start: Array
) -> Array:
    total = np.zeros(len(x))
    for fold in divisions:
        for k in range(int(fold.max()) + 1):
            rest, held = np.flatnonzero(fold != k), np.flatnonzero(fold == k)
            total[held] += x[held] @ _newton(x[rest], likelihood.subset(rest), penalty, start) / len(divisions)
    return total


def _newton(x: Array, likelihood: Likelihood, penalty: float, start: Array | None = None) -> Array:
    """(C,) coefficients of the highest log likelihood less penalty / 2 times their squared length."""
    found = np.zeros(x.shape[1]) if start is None else start

    def height(coefficients: Array) -> float:
        return likelihood.value(x @ coefficients) - 0.5 * penalty * float(coefficients @ coefficients)

    now = height(found)
    for _ in range(NEWTON_STEPS):
        gradient, gram = likelihood.information(x @ found, x)
        slope = x.T @ gradient - penalty * found
        step = np.linalg.solve(gram + penalty * np.eye(len(gram)), slope)
        for halving in range(HALVINGS):
            tried = found + step / 2**halving
            reached = height(tried)
            if reached >= now:
                break
        else:
            return found  # no better point along the step: the top, as far as numbers tell
        found, now = tried, reached
        if np.abs(step).max() < TOLERANCE:
            break
    return found
