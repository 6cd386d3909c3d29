"""Linear and tree models of scikit-learn that are always reported beside the project's own on a label.

They see the columns that the survival baselines see. What this module does not know: cohorts, splits, figures.

References
----------
Hoerl & Kennard, Technometrics 1970, 10.1080/00401706.1970.10488634 (ridge); Zou & Hastie, J R Stat Soc B 2005,
10.1111/j.1467-9868.2005.00503.x (elastic net); Breiman, Machine Learning 2001, 10.1023/A:1010933404324 (forest).
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray
from sklearn.ensemble import RandomForestClassifier
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score

from encoders.cohort_models.baselines import components, inner_folds, side_by_side
from encoders.cohort_models.components_ridge import PENALTIES
from encoders.cohort_models.kernels import Array
from encoders.cohort_models.multi_kernel import Blocks
from encoders.errors import InputError

NET_PENALTIES: tuple[float, ...] = (0.2, 0.1, 0.05, 0.02, 0.01)
"""Penalties per patient of the elastic net, the strongest first, so that each fit starts from the one before."""
LEAST_IN_CLASS = 5
"""Patients that each class needs, one for every inner fold."""


def ridge_logistic(train: Blocks, label: NDArray[np.bool_], new: Blocks, weight: Array | None = None) -> Array:
    """Log odds (M,) of ridge logistic regression on narrow blocks and principal components; penalty by inner
    cross-validation."""
    x, y = components(train, new)
    return _best_logistic(x, label, y, weight, [LogisticRegression(C=1 / p, max_iter=2000) for p in PENALTIES])


def elastic_net_logistic(train: Blocks, label: NDArray[np.bool_], new: Blocks, weight: Array | None = None) -> Array:
    """Log odds (M,) of an elastic-net logistic model (half lasso) on all columns; penalty by inner cross-validation."""
    x, y = side_by_side(train, new)
    models = [
        LogisticRegression(C=1 / (p * len(x)), l1_ratio=0.5, solver="saga", max_iter=200, tol=1e-3, random_state=0)
        for p in NET_PENALTIES
    ]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # 200 passes order patients as well as 2000
        return _best_logistic(x, label, y, weight, models)


def random_forest(train: Blocks, label: NDArray[np.bool_], new: Blocks, weight: Array | None = None) -> Array:
    """Log odds (M,) of a random forest of 300 trees on all columns (share of leaf votes, one half vote added to each).

    Nothing is tuned: leaves of 4 patients or more, the square root of the columns at each branch.
    """
    _check(label)
    x, y = side_by_side(train, new)
    forest = RandomForestClassifier(300, min_samples_leaf=4, max_features="sqrt", n_jobs=-1, random_state=0)
    share = forest.fit(x.astype(np.float32), label, sample_weight=weight).predict_proba(y.astype(np.float32))[:, 1]
    share = (share * 300 + 0.5) / 301
    return np.log(share / (1 - share))


def _check(label: NDArray[np.bool_]) -> None:
    fewest = int(min(label.sum(), (~label).sum()))
    if fewest < LEAST_IN_CLASS:
        raise InputError(
            f"{fewest} training patients in the smaller class; the baselines' inner folds need {LEAST_IN_CLASS}. "
            "Leave the baselines out, or give more patients."
        )


def _best_logistic(
    x: Array, label: NDArray[np.bool_], new: Array, weight: Array | None, models: list[LogisticRegression]
) -> Array:
    """Log odds of the model with the best mean AUC over the inner folds, fitted on all."""
    _check(label)
    weight = np.ones(len(label)) if weight is None else weight

    def quality(model: LogisticRegression) -> float:
        values = []
        for fit, held in inner_folds(label):
            score = model.fit(x[fit], label[fit], sample_weight=weight[fit]).decision_function(x[held])
            values.append(roc_auc_score(label[held], score))
        return float(np.mean(values))

    best = max(models, key=quality)
    return best.fit(x, label, sample_weight=weight).decision_function(new)


LABEL_BASELINES: Mapping[str, Callable[[Blocks, NDArray[np.bool_], Blocks, Array | None], Array]] = {
    "ridge logistic": ridge_logistic,
    "elastic-net logistic": elastic_net_logistic,
    "random forest": random_forest,
}
"""Name -> (training blocks, label, new blocks, sample weights) -> log odds of the new patients."""
