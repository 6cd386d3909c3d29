"""Integrated gradients: exact on a linear toy, complete on a curved one, shape refused."""

from __future__ import annotations

import pytest
import torch

from encoders.errors import ContractError
from encoders.explain.integrated_gradients import integrated_gradients


def test_linear_function_gives_weight_times_input():
    weight = torch.tensor([2.0, -1.0, 0.0])
    values, error = integrated_gradients(lambda x: x @ weight + 5, torch.tensor([[3.0, 4.0, 7.0]]))
    assert values.tolist() == pytest.approx([6.0, -4.0, 0.0])
    assert error < 1e-5


def test_baseline_is_subtracted():
    weight = torch.tensor([2.0, -1.0])
    values, _ = integrated_gradients(
        lambda x: x @ weight, torch.tensor([[3.0, 4.0]]), baseline=torch.tensor([[1.0, 1.0]])
    )
    assert values.tolist() == pytest.approx([4.0, -3.0])


def test_product_is_shared_equally_and_complete():
    values, error = integrated_gradients(lambda x: x[:, 0] * x[:, 1], torch.tensor([[2.0, 3.0]]))
    assert values.tolist() == pytest.approx([3.0, 3.0], abs=1e-4)
    assert error < 1e-4


def test_a_kink_leaves_a_completeness_error_that_is_reported():
    function = lambda x: torch.relu(x[:, 0] - 0.37) * 10  # noqa: E731
    values, error = integrated_gradients(function, torch.tensor([[1.0]]), steps=3)
    assert error == pytest.approx(abs(float(values.sum()) - 6.3), abs=1e-5)
    assert error > 1e-3


def test_more_than_one_row_is_refused():
    with pytest.raises(ContractError, match=r"\(1, G\)"):
        integrated_gradients(lambda x: x[:, 0], torch.zeros(2, 3))
