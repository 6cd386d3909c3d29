"""Reliability counted by hand, and in agreement with scikit-learn, scikit-survival and Wilson's formula."""

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sksurv.linear_model import CoxPHSurvivalAnalysis
from sksurv.util import Surv

from encoders.cohort_runs.reliability import (
    label_reliability,
    label_slope_intercept,
    observed_over_expected,
    survival_reliability,
    survival_slope,
)


def test_two_bins_of_a_label_counted_by_hand():
    """20 patients at 0.2 of whom 5 have it, 20 at 0.9 of whom 17 have it: error (0.05 + 0.05) / 2."""
    probability = np.repeat([0.2, 0.9], 20)
    label = np.concatenate([np.arange(20) < 5, np.arange(20) < 17])
    found = label_reliability(probability, label)
    assert [(b.n, b.predicted, b.observed) for b in found.bins] == [
        (20, pytest.approx(0.2), 0.25),
        (20, pytest.approx(0.9), 0.85),
    ]
    assert found.expected_calibration_error == pytest.approx(0.05)
    # Wilson for 5 of 20: centre (0.25 + z2/40) / (1 + z2/20), half width by the formula
    z2 = 1.959963984540054**2
    centre, half = (0.25 + z2 / 40) / (1 + z2 / 20), np.sqrt(z2 * (0.25 * 0.75 / 20 + z2 / 1600)) / (1 + z2 / 20)
    assert (found.bins[0].lower, found.bins[0].upper) == pytest.approx((centre - half, centre + half))


def test_survival_bins_are_kaplan_meier_counted_by_hand():
    """Bin of 0.5: 20 patients, 4 die at 5 months, 4 are censored at 6, 6 of the 12 left die at 8: 0.8 * 0.5 = 0.4."""
    months = np.array([5.0] * 4 + [6.0] * 4 + [8.0] * 6 + [20.0] * 6 + [20.0] * 20)
    event = np.array([True] * 4 + [False] * 4 + [True] * 6 + [False] * 26)
    found = survival_reliability(np.repeat([0.5, 0.9], 20), months, event, 12)
    assert [b.observed for b in found.bins] == pytest.approx([0.4, 1.0])
    assert found.expected_calibration_error == pytest.approx((0.1 + 0.1) / 2)
    assert found.bins[0].lower < 0.4 < found.bins[0].upper


def test_a_bin_nobody_of_which_is_followed_that_long_is_not_told_and_counted():
    months = np.array([6.0] * 20 + [20.0] * 20)
    event = np.zeros(40, bool)
    event[0] = True
    found = survival_reliability(np.repeat([0.5, 0.9], 20), months, event, 12)
    assert found.bins[0].observed is None
    assert found.n_not_estimated == 20
    assert found.expected_calibration_error == pytest.approx(0.1)  # of the other bin alone
    assert survival_reliability(np.repeat([0.5, 0.9], 20), months, event, 24) is None


def test_slope_and_intercept_agree_with_scikit_learn():
    rng = np.random.default_rng(0)
    odds = rng.normal(size=400)
    label = rng.random(400) < 1 / (1 + np.exp(-(0.6 * odds + 0.4)))
    slope, intercept = label_slope_intercept(odds, label)
    reference = LogisticRegression(C=1e10, tol=1e-8).fit(odds[:, None], label)
    assert slope.value == pytest.approx(reference.coef_[0, 0], abs=1e-4)
    assert slope.lower < 0.6 < slope.upper
    # at slope 1 the mean of the shifted probabilities is the share observed
    assert (1 / (1 + np.exp(-(odds + intercept.value)))).mean() == pytest.approx(label.mean())


def test_classes_parted_wholly_have_no_slope():
    assert label_slope_intercept(np.linspace(-3, 3, 40), np.arange(40) >= 20) is None


def test_the_cox_slope_agrees_with_scikit_survival():
    rng = np.random.default_rng(1)
    score = rng.normal(size=300)
    months, censored = rng.exponential(20 * np.exp(-0.7 * score)), rng.exponential(40, 300)
    event = months <= censored
    found = survival_slope(score, np.minimum(months, censored), event)
    reference = CoxPHSurvivalAnalysis(ties="breslow").fit(
        score[:, None], Surv.from_arrays(event, np.minimum(months, censored))
    )
    assert found.value == pytest.approx(float(reference.coef_[0]), abs=1e-4)


def test_observed_over_expected_counted_by_hand():
    found = observed_over_expected(np.array([True, True, True, True, False]), np.array([0.5, 0.5, 0.5, 0.25, 0.25]))
    assert found.value == 2.0  # 4 events, 2 expected
    assert found.upper == pytest.approx(2 * np.exp(1.959963984540054 / 2))
    assert observed_over_expected(np.zeros(3, bool), np.ones(3)) is None
