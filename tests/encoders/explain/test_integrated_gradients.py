"""Integrated gradients: exact on a linear toy, complete on a curved one, on voxels from the surroundings."""

from __future__ import annotations

import pytest
import torch

from encoders.errors import ContractError
from encoders.explain.integrated_gradients import image_integrated_gradients, integrated_gradients


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


class Brightness(torch.nn.Module):
    """Embedding = mean of a crop's positive part."""

    def forward(self, crops, kind):
        return torch.relu(crops).mean(dim=(2, 3, 4))


KIND = torch.zeros(1, dtype=torch.long)


def bright_corner(surroundings: float) -> torch.Tensor:
    crops = torch.full((1, 1, 32, 32, 32), surroundings)
    crops[0, 0, 0:8, 24:32, 8:16] = 2.0
    return crops


def test_on_voxels_the_sum_is_the_difference_from_the_surroundings():
    """From 0.5 everywhere to the corner of 2: linear there, so every voxel of the corner gets 1.5 / 32^3."""
    values, error, difference = image_integrated_gradients(Brightness(), bright_corner(0.5), KIND, lambda r: r[0, 0])
    assert difference == pytest.approx(1.5 * 8**3 / 32**3, rel=1e-5)
    assert error < 1e-5 * difference + 1e-7
    assert float(values[0, 3, 28, 10]) == pytest.approx(1.5 / 32**3, rel=1e-4)
    assert float(values[0, 20:].abs().max()) == 0.0


def test_on_voxels_a_kink_on_the_path_leaves_an_error_that_is_told():
    """From -1 to 2 the positive part bends at 1/3 of the way, between two points of the quadrature."""
    values, error, difference = image_integrated_gradients(Brightness(), bright_corner(-1.0), KIND, lambda r: r[0, 0])
    assert error == pytest.approx(abs(float(values.sum()) - difference), abs=1e-6)
    assert 0 < error < 0.02 * difference


def test_a_path_walked_in_parts_gives_the_same():
    function = lambda x: (x**3).sum(1)  # noqa: E731
    x = torch.randn(1, 5, generator=torch.Generator().manual_seed(0))
    whole, _ = integrated_gradients(function, x)
    parts, _ = integrated_gradients(function, x, at_once=8)
    assert torch.allclose(whole, parts, atol=1e-5)


def test_no_series_is_refused():
    with pytest.raises(ContractError, match="no series"):
        image_integrated_gradients(Brightness(), torch.zeros(0, 1, 32, 32, 32), KIND[:0], lambda r: r[0, 0])
