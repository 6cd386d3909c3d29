"""A cohort's label model with what a report needs: probabilities, prediction sets, out-of-distribution score.

``fit_calibrated_label`` fits the multi-kernel model, then fits it again without each of five inner folds of the same
patients at the same kernel weights. The left-out scores give slope and intercept of the log odds, and with the inner
models they give cross-conformal prediction sets. Held-out patients are never touched.

What this module does not know: cohorts on disk, words of a label. Not checked: that patients to come are drawn as the
fitted ones were (exchangeable), on which the sets rest; that the prevalence stays.

References
----------
Platt, Advances in Large Margin Classifiers, 1999 (slope and intercept); Romano, Sesia & Candès, NeurIPS 2020,
arXiv 2006.02544, and Barber et al., Ann Stat 2021, 10.1214/20-AOS1965 (CV+); Vovk, Gammerman & Shafer, Algorithmic
Learning in a Random World, 2005 (label-conditional sets). Deviation: kernel weights, shares and scaling are those of
all fitted patients, so that the inner models are not wholly blind to the fold they leave out.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.special import expit
from scipy.stats import norm
from sklearn.model_selection import StratifiedKFold

from encoders.calibration import fit_platt
from encoders.cohort_models.kernels import Array
from encoders.cohort_models.likelihoods import BernoulliLikelihood
from encoders.cohort_models.multi_kernel import Blocks, MultiKernelModel, assemble, fit_label, largest_mean_square
from encoders.errors import InputError

FOLDS = 5
LEAST_PATIENTS = 20
"""Fewer fitted patients than this carry no slope and intercept (``fit_platt``)."""
OOD_SHARE = 0.01
"""Share of the fitted patients that lie beyond the out-of-distribution limit."""


@dataclass(frozen=True)
class CalibratedLabel:
    """A label model with its calibration.

    slope, intercept : log odds = slope * score + intercept, fitted to ``out_of_fold``
    out_of_fold (N,), fold_of (N,), label (N,) : of the fitted patients, scored by the inner model without their fold
    inner : one model for every inner fold, fitted without it
    ood_limit : out-of-distribution score above which a patient is flagged
    """

    model: MultiKernelModel
    slope: float
    intercept: float
    out_of_fold: Array
    fold_of: NDArray[np.int64]
    label: NDArray[np.bool_]
    inner: tuple[MultiKernelModel, ...]
    ood_limit: float

    def log_odds(self, blocks: Blocks) -> Array:
        """(M,) calibrated log odds of the label."""
        return self.slope * self.model.score(blocks) + self.intercept

    def probability(self, blocks: Blocks) -> Array:
        """(M,) calibrated probability of the label."""
        return expit(self.log_odds(blocks))

    def interval(self, blocks: Blocks, coverage: float = 0.9) -> tuple[Array, Array]:
        """Lower and upper (M,) of the probability by the score's posterior variance."""
        half = norm.ppf(0.5 + coverage / 2) * self.slope * np.sqrt(self.model.score_variance(blocks))
        centre = self.log_odds(blocks)
        return expit(centre - half), expit(centre + half)

    def p_values(self, blocks: Blocks) -> Array:
        """(M, 2) cross-conformal p-values of "no" and "yes", each among the fitted patients of that label.

        A patient's blocks that are absent say nothing here (their kernels are 0), as for the fitted patients.
        """
        rows = self.model.standardised(blocks)
        new = np.stack([model.score_of(rows) for model in self.inner])  # (folds, M)
        return cross_conformal_p_values(self.out_of_fold, self.label, self.fold_of, new)

    def out_of_distribution(self, blocks: Blocks) -> Array:
        """(M,) ``MultiKernelModel.novelty``; above ``ood_limit`` = flagged."""
        return self.model.novelty(blocks)


def cross_conformal_p_values(
    out_of_fold: Array, label: NDArray[np.bool_], fold_of: NDArray[np.int64], new: Array
) -> Array:
    """(M, 2) p-values of "no" and "yes": (1 + fitted patients of that label that fit it no better) / (n + 1).

    Parameters
    ----------
    out_of_fold (N,), label (N,), fold_of (N,) : of the fitted patients
    new : (folds, M) scores of new patients by each inner model; a fitted patient is compared within its own model

    Notes
    -----
    A label is in the set at coverage 1 - a where its p-value is above a: the CV+ set of Romano, Sesia & Candès with the
    score itself as conformity score, taken label by label. Guaranteed coverage is 1 - 2 a, usual coverage about 1 - a.
    """
    found = np.zeros((new.shape[1], 2))
    for column, (wanted, sign) in enumerate(((False, -1.0), (True, 1.0))):
        mine = label == wanted
        no_better = sign * out_of_fold[mine][:, None] <= sign * new[fold_of[mine]]  # (n, M)
        found[:, column] = (1 + no_better.sum(axis=0)) / (mine.sum() + 1)
    return found


def fit_calibrated_label(
    blocks: Blocks, label: NDArray[np.bool_], *, seed: int = 0, probation: frozenset[str] = frozenset()
) -> CalibratedLabel:
    """Fit and calibrate on the same training patients (N,).

    Raises
    ------
    InputError: fewer than ``LEAST_PATIENTS`` patients or 2 of one class, or what ``fit_label`` refuses.
    """
    return calibrate_label(fit_label(blocks, label, probation=probation), label, seed=seed)


def calibrate_label(model: MultiKernelModel, label: NDArray[np.bool_], *, seed: int = 0) -> CalibratedLabel:
    """Slope, intercept, inner models and limit of a fitted label model and its own patients' labels (N,).

    Raises
    ------
    InputError: fewer than ``LEAST_PATIENTS`` patients, or 2 of one class.
    """
    label = np.asarray(label, bool)
    fewest = int(min(label.sum(), (~label).sum()))
    if len(label) < LEAST_PATIENTS or fewest < 2:
        raise InputError(
            f"{len(label)} patients, {fewest} of the rarer class; probabilities need {LEAST_PATIENTS} or more and 2 of "
            "each class. Give more patients."
        )
    fold_of = np.zeros(len(label), np.int64)
    folds = StratifiedKFold(min(FOLDS, fewest), shuffle=True, random_state=seed)
    for k, (_, held) in enumerate(folds.split(fold_of, label)):
        fold_of[held] = k
    inner = models_without_folds(model, fold_of)
    scores = np.zeros(len(label))
    for k, one in enumerate(inner):
        held = fold_of == k
        scores[held] = one.score_of({n: row[held] for n, row in model.training.items()})
    odds = scores + BernoulliLikelihood(label).offset
    platt = fit_platt(torch.tensor(odds[:, None]).float(), torch.tensor(label[:, None]).float())[0].double().numpy()
    slope, intercept = float(platt[0]), float(platt[0] * (odds - scores)[0] + platt[1])
    return CalibratedLabel(
        model,
        slope,
        intercept,
        scores,
        fold_of,
        label,
        inner,
        float(np.quantile(largest_mean_square(model.training), 1 - OOD_SHARE)),
    )


def models_without_folds(model: MultiKernelModel, fold_of: NDArray[np.int64]) -> tuple[MultiKernelModel, ...]:
    """``model`` fitted again without each fold (0, 1, ...) of its own patients; kernel weights kept."""
    return tuple(
        assemble(
            model.scalers,
            {name: row[fold_of != k] for name, row in model.training.items()},
            model.likelihood.subset(np.flatnonzero(fold_of != k)),
            model.weights,
            ignored=model.ignored,
            probation=model.fitted.probation,
        )
        for k in range(int(fold_of.max()) + 1)
    )
