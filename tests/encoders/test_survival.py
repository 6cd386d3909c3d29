"""Discrete-time proportional hazards: hand-computed cases, properties, refusals."""

from __future__ import annotations

import math

import pytest
import torch

from encoders.errors import ContractError
from encoders.survival import (
    BIN_EDGES_MONTHS,
    N_BINS,
    SurvivalHead,
    bin_of,
    discrete_hazard_nll,
    hazard,
    survival_curve,
)

BASE = torch.log(torch.tensor([[0.1, 0.2, 0.3]]))  # cumulative hazards of three bins
ZERO = torch.zeros(1)


def test_hazard_is_one_minus_exp_of_minus_cumulative_hazard():
    expected = 1 - torch.exp(torch.tensor([[-0.1, -0.2, -0.3]]))
    torch.testing.assert_close(hazard(BASE, ZERO), expected)
    doubled = 1 - torch.exp(torch.tensor([[-0.2, -0.4, -0.6]]))
    torch.testing.assert_close(hazard(BASE, torch.tensor([math.log(2)])), doubled)


@pytest.mark.parametrize(
    ("index", "event", "expected"),
    [
        (0, True, -math.log(1 - math.exp(-0.1))),
        (2, True, 0.1 + 0.2 - math.log(1 - math.exp(-0.3))),
        (1, False, 0.1 + 0.2),
        (-1, False, 0.0),
    ],
)
def test_nll_by_hand(index, event, expected):
    nll = discrete_hazard_nll(BASE, ZERO, torch.tensor([index]), torch.tensor([event]))
    assert float(nll) == pytest.approx(expected, abs=1e-5)


def test_probabilities_of_all_outcomes_sum_to_one():
    risk = torch.tensor([0.4])
    deaths = [discrete_hazard_nll(BASE, risk, torch.tensor([k]), torch.tensor([True])) for k in range(3)]
    alive = discrete_hazard_nll(BASE, risk, torch.tensor([2]), torch.tensor([False]))
    assert sum(math.exp(-float(x)) for x in (*deaths, alive)) == pytest.approx(1.0, abs=1e-5)


def test_higher_risk_means_earlier_death():
    early = discrete_hazard_nll(
        BASE.repeat(2, 1), torch.tensor([-1.0, 1.0]), torch.tensor([0, 0]), torch.tensor([True, True])
    )
    late = discrete_hazard_nll(
        BASE.repeat(2, 1), torch.tensor([-1.0, 1.0]), torch.tensor([2, 2]), torch.tensor([False, False])
    )
    assert early[1] < early[0]
    assert late[1] > late[0]


def test_index_outside_the_bins_is_refused():
    with pytest.raises(ContractError, match=r"bin_index\[0\] = 3 is outside 0\.\.2 \(T = 3\)"):
        discrete_hazard_nll(BASE, ZERO, torch.tensor([3]), torch.tensor([True]))
    with pytest.raises(ContractError, match=r"outside 0\.\.2"):
        discrete_hazard_nll(BASE, ZERO, torch.tensor([-1]), torch.tensor([True]))


def test_bins_by_hand():
    months = torch.tensor([0.0, 3.0, 3.1, 2.0, 3.0, 10_000.0])
    event = torch.tensor([True, True, True, False, False, True])
    index, happened = bin_of(months, event)
    assert index.tolist() == [0, 0, 1, -1, 0, N_BINS - 1]
    assert happened.tolist() == [True, True, True, False, False, False]
    with pytest.raises(ContractError, match="0 or more"):
        bin_of(torch.tensor([-1.0]), torch.tensor([True]))


def test_curve_stays_in_unit_interval_and_never_rises():
    torch.manual_seed(0)
    curve = survival_curve(torch.randn(20, N_BINS) * 3, torch.randn(20) * 5)
    assert bool((curve >= 0).all() and (curve <= 1).all())
    assert bool((curve[:, 1:] <= curve[:, :-1]).all())


def test_fit_recovers_the_direction_and_the_rate():
    generator = torch.Generator().manual_seed(1)
    x = torch.randn(4000, 1, generator=generator)
    death = -torch.log(torch.rand(4000, generator=generator)) / (0.02 * torch.exp(0.8 * x[:, 0]))
    censor = torch.rand(4000, generator=generator) * 150
    index, event = bin_of(torch.minimum(death, censor), death <= censor)
    head = SurvivalHead(1, 1)
    optimiser = torch.optim.Adam(head.parameters(), lr=0.05)
    cancer = torch.zeros(4000, dtype=torch.long)
    for _ in range(150):
        optimiser.zero_grad()
        discrete_hazard_nll(head.baseline(cancer), head.risk(x), index, event).mean().backward()
        optimiser.step()
    assert head.weight.weight.item() == pytest.approx(0.8, abs=0.1)
    assert math.exp(float(head.log_rate[0, 4])) == pytest.approx(0.02, rel=0.3)


def test_edges_rise():
    assert list(BIN_EDGES_MONTHS) == sorted(set(BIN_EDGES_MONTHS))
