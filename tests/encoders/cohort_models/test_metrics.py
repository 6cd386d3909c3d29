"""Figures of held-out predictions: by hand, and on a cohort cut off at one common time."""

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from encoders.cohort_models.metrics import (
    area_under_curve,
    brier_times,
    concordance,
    integrated_brier,
    interval_coverage,
    mean_over_folds,
)


def test_concordance_of_three_patients_by_hand():
    months, event = np.array([1.0, 2.0, 3.0]), np.array([True, True, False])
    assert concordance(months, event, np.array([3.0, 2.0, 1.0])) == 1
    assert concordance(months, event, np.array([3.0, 1.0, 2.0])) == pytest.approx(2 / 3)
    assert np.isnan(concordance(months, np.zeros(3, bool), np.arange(3.0)))


def test_one_class_has_no_area():
    assert np.isnan(area_under_curve(np.ones(3, bool), np.arange(3.0)))
    assert area_under_curve(np.array([False, True, True]), np.array([0.0, 1.0, 0.5])) == 1


def test_area_under_curve_is_scikit_learns_with_ties_too():
    rng = np.random.default_rng(0)
    for levels in (3, 1000):
        label, score = rng.random(80) < 0.3, rng.integers(0, levels, 80).astype(float)
        assert area_under_curve(label, score) == pytest.approx(roc_auc_score(label, score), abs=1e-12)


def test_draws_without_a_figure_are_left_out_of_the_interval():
    label = np.array([True, False])  # half of the draws have one class alone
    mean, (low, high) = mean_over_folds([np.arange(2)], lambda i: area_under_curve(label[i], np.array([1.0, 0.0])[i]))
    assert (mean, low, high) == (1.0, 1.0, 1.0)


def test_followup_cut_off_at_one_time_gives_a_brier_score():
    rng = np.random.default_rng(0)
    months = np.minimum(rng.exponential(40, 120), 60.0)
    event = months < 60
    fitted, held = (months[:80], event[:80]), (months[80:], event[80:])
    times = brier_times(fitted[0], held[0])
    share = np.exp(-np.outer(np.ones(40), times) / 40)
    ours, flat = integrated_brier(fitted, held, times, share)
    assert 0 < ours < 0.3
    assert abs(ours - flat) < 0.05


def test_coverage_counts_censored_patients_by_their_chance():
    event = np.array([True, True, False, False])
    at = np.array([0.5, 0.99, 0.5, 0.02])  # inside; outside; (.5 - .05) / .5 inside; 0
    assert interval_coverage(at, event) == pytest.approx((1 + 0 + 0.9 + 0) / 4)


def test_the_mean_over_folds_lies_in_its_interval():
    value = np.random.default_rng(1).normal(size=60)
    folds = [np.arange(30), np.arange(30, 60)]
    mean, (low, high) = mean_over_folds(folds, lambda i: float(value[i].mean()), repeats=200)
    assert low < mean < high
    assert mean == pytest.approx(value.mean())
