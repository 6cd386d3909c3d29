"""Tasks: bins, offsets that start at the cohort's own frequencies, scores and probabilities, refusals."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from encoders.cohort_networks.outcomes import (
    ClassOutcome,
    LabelsOutcome,
    Offset,
    ResponseOutcome,
    SurvivalOutcome,
    task_of,
)
from encoders.errors import InputError, SettingsError

MONTHS = np.array([1.0, 2, 3, 4, 5, 6, 7, 8])
EVENT = np.array([True, False, True, True, False, True, True, False])


def test_bins_end_at_quantiles_of_the_event_times() -> None:
    task, target = task_of(SurvivalOutcome(MONTHS, EVENT, "discrete hazard", time_bins=2))
    assert task.edges_months == (0.0, 4.0, 7.0)  # events at 1, 3, 4, 6, 7: median 4, last 7
    assert target["within"].sum(0).tolist() == [3, 2]


def test_risk_of_the_hazard_task_is_the_months_lost() -> None:
    task, _ = task_of(SurvivalOutcome(MONTHS, EVENT, "discrete hazard", time_bins=2))
    outputs = torch.logit(torch.tensor([[0.5, 0.5], [0.1, 0.1]]))
    assert task.probability(outputs).tolist() == [pytest.approx([0.5, 0.25]), pytest.approx([0.9, 0.81])]
    assert task.score(outputs).tolist() == pytest.approx([7 - (4 * 0.5 + 3 * 0.25), 7 - (4 * 0.9 + 3 * 0.81)])


def test_a_score_of_zero_gives_the_frequencies_of_the_fitted_patients() -> None:
    task, _ = task_of(ClassOutcome(np.array([0, 0, 0, 1])))
    assert task.probability(Offset(task)(torch.zeros(1, 1)))[0].tolist() == pytest.approx([0.75, 0.25])
    task, _ = task_of(ClassOutcome(np.array([0, 1, 1, 2]), ("a", "b", "c")))
    assert task.probability(Offset(task)(torch.zeros(1, 3)))[0].tolist() == pytest.approx([0.25, 0.5, 0.25])
    task, _ = task_of(LabelsOutcome(np.array([[1, 0], [0, math.nan], [0, 1.0]]), ("x", "y")))
    assert task.probability(Offset(task)(torch.zeros(1, 2)))[0].tolist() == pytest.approx([1 / 3, 0.5])
    task, _ = task_of(ResponseOutcome(np.array([0, 0, 1, 2, 3, 3])))
    share = task.probability(Offset(task)(torch.zeros(1, 1)))[0]
    assert share.tolist() == pytest.approx([2.5 / 8, 1.5 / 8, 1.5 / 8, 2.5 / 8], abs=1e-6)


def test_a_higher_response_score_is_a_better_response() -> None:
    task, _ = task_of(ResponseOutcome(np.array([0, 1, 2, 3])))
    outputs = Offset(task)(torch.tensor([[-3.0], [3.0]]))
    assert task.score(outputs)[0] < task.score(outputs)[1]
    assert task.probability(outputs).argmax(1).tolist() == [0, 3]


def test_a_cox_task_has_no_probability() -> None:
    task, _ = task_of(SurvivalOutcome(MONTHS, EVENT))
    with pytest.raises(InputError, match="risk scores alone"):
        task.probability(torch.zeros(2, 1))


@pytest.mark.parametrize(
    ("outcome", "error", "says"),
    [
        (SurvivalOutcome(MONTHS, np.zeros(8, bool)), InputError, "0 events"),
        (SurvivalOutcome(-MONTHS, EVENT), InputError, "negative"),
        (SurvivalOutcome(MONTHS, EVENT, "hinge"), SettingsError, "allowed: cox, discrete hazard"),
        (SurvivalOutcome(MONTHS, EVENT, weight=np.ones(3)), InputError, "sample weights"),
        (SurvivalOutcome(MONTHS, EVENT, weight=-np.ones(8)), InputError, "0 or more"),
        (ClassOutcome(np.array([0, 0])), InputError, "no patient of class yes"),
        (ClassOutcome(np.array([0, 2])), InputError, "0..1"),
        (LabelsOutcome(np.array([[1.0], [1.0]]), ("x",)), InputError, "labels x have one value"),
        (LabelsOutcome(np.array([[1.0], [2.0]]), ("x",)), InputError, "0, 1 or NaN"),
        (ResponseOutcome(np.array([1, 1])), InputError, "two different"),
        (ResponseOutcome(np.array([1, 4])), InputError, "PD, SD, PR, CR"),
    ],
    ids=lambda value: getattr(value, "__name__", None),
)
def test_an_outcome_nothing_can_be_learned_from_is_refused(outcome, error, says) -> None:
    with pytest.raises(error, match=says):
        task_of(outcome)
