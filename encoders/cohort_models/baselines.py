"""Linear and tree models of scikit-survival that are always reported beside the project's own.

All see the same columns: every block side by side, standardised on the training patients, missing values at the mean.
What this module does not know: cohorts, splits, figures.

References
----------
Simon et al., J Stat Softw 2011, 10.18637/jss.v039.i05 (Coxnet); Ishwaran et al., Ann Appl Stat 2008,
10.1214/08-AOAS169 (random survival forest); Pölsterl, JMLR 2020 (scikit-survival).
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray
from sklearn.decomposition import PCA
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import StratifiedKFold
from sksurv.ensemble import RandomSurvivalForest
from sksurv.linear_model import CoxnetSurvivalAnalysis, CoxPHSurvivalAnalysis
from sksurv.metrics import concordance_index_censored
from sksurv.util import Surv

from encoders.cohort_models.components_ridge import COMPONENTS, PENALTIES, WIDE
from encoders.cohort_models.kernels import BlockScaler
from encoders.cohort_models.multi_kernel import Blocks

Array = NDArray[np.float64]
INNER_FOLDS = 5


def side_by_side(train: Blocks, new: Blocks) -> tuple[Array, Array]:
    """(N, P), (M, P) of all blocks, standardised on ``train``."""
    left, right = [], []
    for name, values in train.items():
        scaler = BlockScaler.fit(values)
        left.append(np.nan_to_num(scaler.transform(values)))
        right.append(np.nan_to_num(scaler.transform(new[name])))
    return np.hstack(left), np.hstack(right)


def components(train: Blocks, new: Blocks) -> tuple[Array, Array]:
    """Narrow blocks as they are; the wide ones together as their first ``COMPONENTS`` principal components."""
    narrow = {name: values for name, values in train.items() if values.shape[1] <= WIDE}
    wide = {name: values for name, values in train.items() if values.shape[1] > WIDE}
    left, right = [], []
    if narrow:
        for part, out in zip(side_by_side(narrow, new), (left, right), strict=True):
            out.append(part)
    if wide:
        a, b = side_by_side(wide, new)
        reduced = PCA(min(COMPONENTS, len(a) - 1, a.shape[1]), random_state=0).fit(a)
        spread = reduced.transform(a).std(axis=0)[0]
        left.append(reduced.transform(a) / spread)
        right.append(reduced.transform(b) / spread)
    return np.hstack(left), np.hstack(right)


def inner_folds(event: NDArray[np.bool_]) -> list[tuple[NDArray[np.intp], NDArray[np.intp]]]:
    folds = StratifiedKFold(INNER_FOLDS, shuffle=True, random_state=0)
    return list(folds.split(np.zeros(len(event)), event))


def ridge_cox(train: Blocks, months: Array, event: NDArray[np.bool_], new: Blocks) -> Array:
    """Risk scores (M,) of ridge Cox on narrow blocks and principal components; penalty by inner cross-validation."""
    x, y = components(train, new)
    outcome = Surv.from_arrays(event, months)

    def quality(penalty: float) -> float:
        values = []
        for fit, held in inner_folds(event):
            model = CoxPHSurvivalAnalysis(alpha=penalty).fit(x[fit], outcome[fit])
            values.append(concordance_index_censored(event[held], months[held], model.predict(x[held]))[0])
        return float(np.mean(values))

    best = max(PENALTIES, key=quality)
    return CoxPHSurvivalAnalysis(alpha=best).fit(x, outcome).predict(y)


def coxnet(train: Blocks, months: Array, event: NDArray[np.bool_], new: Blocks) -> Array:
    """Risk scores (M,) of an elastic-net Cox model (half lasso) on all columns; penalty by inner cross-validation."""
    x, y = side_by_side(train, new)
    outcome = Surv.from_arrays(event, months)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        path = CoxnetSurvivalAnalysis(l1_ratio=0.5, n_alphas=30, alpha_min_ratio=0.05, max_iter=2000).fit(x, outcome)
        quality = np.zeros(len(path.alphas_))
        for fit, held in inner_folds(event):
            part = CoxnetSurvivalAnalysis(l1_ratio=0.5, alphas=path.alphas_, max_iter=2000).fit(x[fit], outcome[fit])
            for i, penalty in enumerate(part.alphas_):
                risk = part.predict(x[held], alpha=penalty)
                quality[i] += concordance_index_censored(event[held], months[held], risk)[0]
    return path.predict(y, alpha=path.alphas_[int(quality.argmax())])


def random_survival_forest(train: Blocks, months: Array, event: NDArray[np.bool_], new: Blocks) -> Array:
    """Risk scores (M,) of a random survival forest of 300 trees on all columns."""
    x, y = side_by_side(train, new)
    forest = RandomSurvivalForest(300, min_samples_leaf=8, max_features="sqrt", n_jobs=-1, random_state=0)
    return forest.fit(x.astype(np.float32), Surv.from_arrays(event, months)).predict(y.astype(np.float32))


BASELINES: Mapping[str, Callable[[Blocks, Array, NDArray[np.bool_], Blocks], Array]] = {
    "ridge Cox": ridge_cox,
    "Coxnet": coxnet,
    "random survival forest": random_survival_forest,
}
"""Name -> (training blocks, months, event, new blocks) -> risk scores of the new patients (higher = earlier event)."""
