"""Likelihoods: values by hand, derivatives by finite differences, agreement with scikit-survival."""

import numpy as np
import pytest
from sksurv.linear_model import CoxPHSurvivalAnalysis
from sksurv.util import Surv

from encoders.cohort_models.likelihoods import BernoulliLikelihood, CoxLikelihood
from encoders.errors import InputError

MONTHS = np.array([5.0, 3.0, 3.0, 8.0, 1.0, 9.0])
EVENT = np.array([True, True, True, False, True, False])


def test_the_partial_likelihood_of_four_patients_by_hand():
    # deaths at 1 (risk set all), 2 (three left); censored at 3 and 4
    cox = CoxLikelihood(np.array([1.0, 2.0, 3.0, 4.0]), np.array([True, True, False, False]))
    score = np.array([0.5, -1.0, 0.2, 0.0])
    weight = np.exp(score)
    by_hand = (0.5 - np.log(weight.sum())) + (-1.0 - np.log(weight[1:].sum()))
    assert cox.value(score) == pytest.approx(by_hand, abs=1e-12)


def test_tied_deaths_share_one_risk_set():
    cox = CoxLikelihood(np.array([2.0, 2.0, 3.0]), np.array([True, True, False]))
    assert cox.value(np.zeros(3)) == pytest.approx(-2 * np.log(3))


def test_a_shift_of_all_scores_changes_nothing():
    cox, score = CoxLikelihood(MONTHS, EVENT), np.random.default_rng(0).normal(size=6)
    assert cox.value(score + 700) == pytest.approx(cox.value(score))


@pytest.mark.parametrize("likelihood", [CoxLikelihood(MONTHS, EVENT), BernoulliLikelihood(EVENT)])
def test_derivatives_are_those_of_the_value(likelihood):
    rng, step = np.random.default_rng(1), 1e-5
    score = rng.normal(size=6)
    gradient, curvature = likelihood.derivatives(score)
    unit = np.eye(6) * step
    numeric = [(likelihood.value(score + u) - likelihood.value(score - u)) / (2 * step) for u in unit]
    np.testing.assert_allclose(gradient, numeric, atol=1e-8)
    second = [-(likelihood.derivatives(score + u)[0] - likelihood.derivatives(score - u)[0]) / (2 * step) for u in unit]
    np.testing.assert_allclose(curvature, second, atol=1e-8)
    features = rng.normal(size=(6, 3))
    again, gram = likelihood.information(score, features)
    np.testing.assert_allclose(again, gradient, atol=1e-12)
    np.testing.assert_allclose(gram, features.T @ curvature @ features, atol=1e-10)


def test_the_order_of_patients_does_not_matter():
    order = np.random.default_rng(2).permutation(6)
    score = np.linspace(-1, 1, 6)
    here, there = CoxLikelihood(MONTHS, EVENT), CoxLikelihood(MONTHS[order], EVENT[order])
    assert here.value(score) == pytest.approx(there.value(score[order]))
    np.testing.assert_allclose(here.derivatives(score)[0][order], there.derivatives(score[order])[0])


def test_the_baseline_hazard_is_breslows():
    rng = np.random.default_rng(3)
    x, months, event = rng.normal(size=(60, 2)), rng.exponential(10, 60).round(1) + 0.1, rng.random(60) < 0.6
    reference = CoxPHSurvivalAnalysis(ties="breslow").fit(x, Surv.from_arrays(event, months))
    at = np.array([1.0, 5.0, 12.0])
    expected = np.interp(at, reference.cum_baseline_hazard_.x, reference.cum_baseline_hazard_.y)
    step = [float(reference.cum_baseline_hazard_(t)) for t in at]
    found = CoxLikelihood(months, event).baseline(x @ reference.coef_, at)
    np.testing.assert_allclose(found, step, rtol=1e-6)
    assert expected.shape == found.shape


def test_subset_is_the_likelihood_of_those_patients():
    index = np.array([0, 2, 3, 4])
    small = CoxLikelihood(MONTHS, EVENT).subset(index)
    assert small.value(np.arange(4.0)) == pytest.approx(
        CoxLikelihood(MONTHS[index], EVENT[index]).value(np.arange(4.0))
    )


@pytest.mark.parametrize(
    ("months", "event", "says"),
    [
        ([1.0, 2.0, 3.0], [True, False, False], "1 events among 3 patients"),
        ([1.0, -2.0, 3.0], [True, True, False], "1 follow-up times are negative or not finite"),
        ([1.0, np.nan, 3.0], [True, True, False], "1 follow-up times are negative or not finite"),
    ],
)
def test_outcomes_that_cannot_be_learned_are_refused(months, event, says):
    with pytest.raises(InputError, match=says):
        CoxLikelihood(np.array(months), np.array(event))


def test_one_class_alone_is_refused():
    with pytest.raises(InputError, match="all 3 labels are True"):
        BernoulliLikelihood(np.array([True, True, True]))
