"""Losses against values worked out by hand, finite differences and the reference likelihood."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from encoders.cohort_models.likelihoods import CoxLikelihood
from encoders.cohort_networks import losses
from encoders.errors import ContractError, SettingsError


def t(*values: float) -> torch.Tensor:
    return torch.tensor(values, dtype=torch.float64)


ONES = torch.ones(4, dtype=torch.float64)


def test_cox_of_three_patients_by_hand() -> None:
    # Deaths at 1 (risk set: all three, hazards 1, 2, 3) and at 2 (hazards 2, 3); the third is censored at 3.
    risk = t(0.0, math.log(2), math.log(3))
    event = torch.tensor([True, True, False])
    expected = (math.log(6 / 1) + math.log(5 / 2)) / 2
    assert losses.cox_loss(risk, t(1, 2, 3), event, ONES[:3]).item() == pytest.approx(expected)


def test_cox_ties_share_one_risk_set() -> None:
    risk = t(0.0, 0.0, math.log(2))
    event = torch.tensor([True, True, False])
    expected = 2 * math.log(4) / 2  # both deaths at month 5 see the hazards 1, 1 and 2
    assert losses.cox_loss(risk, t(5, 5, 9), event, ONES[:3]).item() == pytest.approx(expected)


def test_a_cox_weight_of_two_is_the_patient_twice_and_of_zero_is_no_patient() -> None:
    risk, months, event = t(0.3, -0.2, 0.9), t(1, 4, 6), torch.tensor([True, True, False])
    twice = losses.cox_loss(risk[[0, 1, 1, 2]], months[[0, 1, 1, 2]], event[[0, 1, 1, 2]], ONES)
    assert losses.cox_loss(risk, months, event, t(1, 2, 1)).item() == pytest.approx(twice.item())
    without = losses.cox_loss(risk[1:], months[1:], event[1:], ONES[:2])
    assert losses.cox_loss(risk, months, event, t(0, 1, 1)).item() == pytest.approx(without.item())


@given(st.integers(0, 10_000))
def test_cox_is_the_negative_reference_likelihood_per_event_in_any_order_of_patients(seed: int) -> None:
    rng = np.random.default_rng(seed)
    size = int(rng.integers(4, 30))
    months = rng.integers(1, 12, size).astype(float)  # many ties
    event = rng.random(size) < 0.6
    event[:2] = True
    risk = rng.normal(size=size)
    expected = -CoxLikelihood(months, event).value(risk) / event.sum()
    turn = rng.permutation(size)
    for order in (np.arange(size), turn):
        found = losses.cox_loss(*(torch.tensor(x[order]) for x in (risk, months, event)), torch.ones(size))
        assert found.item() == pytest.approx(expected, abs=1e-9)


def test_cox_without_an_event_is_zero_and_has_a_gradient_of_zero() -> None:
    risk = t(0.5, 0.1).requires_grad_()
    loss = losses.cox_loss(risk, t(1, 2), torch.tensor([False, False]), ONES[:2])
    loss.backward()
    assert loss.item() == 0
    assert risk.grad.abs().sum() == 0


def test_hazard_targets_by_hand() -> None:
    # Bins (0, 2], (2, 4], (4, 8]. Event at 3; censored at 3.5 (past the middle of bin 2), at 2.5 (not); event at 9.
    edges = torch.tensor([0.0, 2.0, 4.0, 8.0])
    event = torch.tensor([True, False, False, True, True])
    lived, within = losses.hazard_targets(torch.tensor([3.0, 3.5, 2.5, 9.0, 0.0]), event, edges)
    assert lived.tolist() == [[1, 0, 0], [1, 1, 0], [1, 0, 0], [1, 1, 1], [0, 0, 0]]
    assert within.tolist() == [[0, 1, 0], [0, 0, 0], [0, 0, 0], [0, 0, 0], [1, 0, 0]]


def test_discrete_hazard_by_hand() -> None:
    # Hazards 1/4 and 1/2: the first patient lives through bin 1 and dies in bin 2, the second dies in bin 1.
    logits = torch.logit(t(0.25, 0.5)).repeat(2, 1)
    lived, within = t(1, 0, 0, 0).view(2, 2), t(0, 1, 1, 0).view(2, 2)
    first, second = -math.log(0.75 * 0.5), -math.log(0.25)
    assert losses.discrete_hazard_loss(logits, lived, within, t(1, 1)).item() == pytest.approx((first + second) / 2)
    assert losses.discrete_hazard_loss(logits, lived, within, t(3, 1)).item() == pytest.approx((3 * first + second) / 4)


def test_multi_label_counts_known_labels_alone() -> None:
    logits = torch.logit(t(0.8, 0.3, 0.6, 0.5)).view(2, 2)
    labels = t(1, math.nan, math.nan, 0).view(2, 2)
    expected = -(math.log(0.8) + math.log(0.5)) / 2
    assert losses.multi_label_loss(logits, labels, t(1, 1)).item() == pytest.approx(expected)


def test_binary_and_class_losses_by_hand() -> None:
    assert losses.binary_loss(torch.logit(t(0.9, 0.2)), t(1, 0), t(1, 3)).item() == pytest.approx(
        -(math.log(0.9) + 3 * math.log(0.8)) / 4
    )
    logits = torch.log(t(0.5, 0.3, 0.2)).unsqueeze(0)
    assert losses.class_loss(logits, torch.tensor([2]), t(1)).item() == pytest.approx(-math.log(0.2))


def test_ordinal_by_hand_and_its_probabilities_sum_to_one() -> None:
    cumulative = torch.logit(t(0.9, 0.6, 0.1)).unsqueeze(0)  # P(>PD), P(>SD), P(>PR)
    share = losses.ordinal_log_probability(cumulative).exp()[0]
    assert share.tolist() == pytest.approx([0.1, 0.3, 0.5, 0.1])
    assert losses.ordinal_loss(cumulative, torch.tensor([2]), t(1)).item() == pytest.approx(-math.log(0.5))
    far = losses.ordinal_log_probability(t(60, -40, -80).unsqueeze(0))
    assert torch.isfinite(far).all()


def test_contrastive_by_hand() -> None:
    # Orthogonal pairs at temperature 1: each row's softmax is e / (e + 1).
    found = losses.contrastive_loss(torch.eye(2), 5 * torch.eye(2), torch.tensor(0.0))
    assert found.item() == pytest.approx(-math.log(math.e / (math.e + 1)), abs=1e-6)
    assert losses.contrastive_loss(torch.ones(1, 3), torch.ones(1, 3), torch.tensor(0.0)).item() == 0


def test_kl_of_a_gaussian_by_hand() -> None:
    found = losses.gaussian_kl(t(1, 0).unsqueeze(0), t(0, math.log(4)).unsqueeze(0))
    assert found.item() == pytest.approx(0.5 + 0.5 * (4 - 1 - math.log(4)))


def test_every_gradient_agrees_with_finite_differences() -> None:
    torch.manual_seed(0)
    months, event = t(3, 1, 3, 7), torch.tensor([True, True, True, False])
    weight = t(1, 2, 0.5, 1)
    lived, within = losses.hazard_targets(months, event, t(0, 2, 5, 9))
    labels = t(1, 0, math.nan, 1).view(4, 1).repeat(1, 3)
    wide = torch.randn(4, 3, dtype=torch.float64, requires_grad=True)
    falling = (torch.tensor([2.0, 0.0, -2.0]) + 0.1 * wide.detach()).requires_grad_()
    temperature = torch.tensor(0.1, dtype=torch.float64, requires_grad=True)
    grade = torch.tensor([0, 1, 2, 3])
    check = torch.autograd.gradcheck
    assert check(lambda x: losses.cox_loss(x[:, 0], months, event, weight), wide)
    assert check(lambda x: losses.discrete_hazard_loss(x, lived, within, weight), wide)
    assert check(lambda x: losses.binary_loss(x[:, 0], event, weight), wide)
    assert check(lambda x: losses.class_loss(x, grade.clamp(max=2), weight), wide)
    assert check(lambda x: losses.multi_label_loss(x, labels, weight), wide)
    assert check(lambda x: losses.ordinal_loss(x, grade, weight), falling)
    assert check(lambda x, s: losses.contrastive_loss(x, falling.detach(), s), (wide, temperature))
    assert check(lambda x: losses.gaussian_kl(x, x).sum(), wide)


def test_losses_are_summed_with_stated_weights_alone() -> None:
    found = losses.combine({"task": t(2).sum(), "kl": t(10).sum()}, {"task": 1.0, "kl": 0.1})
    assert found.item() == pytest.approx(3)
    with pytest.raises(SettingsError, match="kl have no weight"):
        losses.combine({"task": t(2).sum(), "kl": t(1).sum()}, {"task": 1.0})
    with pytest.raises(ContractError, match="no loss"):
        losses.combine({}, {})
