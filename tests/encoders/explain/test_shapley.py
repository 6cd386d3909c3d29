"""Shapley values: an additive and an interacting game by hand, sums, absent players."""

from __future__ import annotations

import pytest
import torch

from encoders.explain.shapley import shapley_values, subset_masks


def test_additive_game_gives_each_its_own_weight():
    weight = torch.tensor([1.0, -2.0, 0.5, 4.0])
    values, full, none = shapley_values(lambda m: m.float() @ weight + 3, [True, True, False, True])
    assert values.tolist() == pytest.approx([1.0, -2.0, 0.0, 4.0])
    assert (full, none) == (6.0, 3.0)


def test_glove_game_by_hand():
    """One left glove (0), two right gloves (1, 2); a pair is worth 1: Shapley (2/3, 1/6, 1/6)."""

    def worth(masks):
        return (masks[:, 0] & (masks[:, 1] | masks[:, 2])).float()

    values, full, none = shapley_values(worth, [True, True, True])
    assert values.tolist() == pytest.approx([2 / 3, 1 / 6, 1 / 6])
    assert float(values.sum()) == pytest.approx(full - none)


def test_subsets_never_show_an_absent_modality():
    masks = subset_masks([True, False, True, True])
    assert len(masks) == 8
    assert not bool(masks[:, 1].any())


def test_sum_property_of_a_random_game():
    torch.manual_seed(3)
    net = torch.nn.Sequential(torch.nn.Linear(4, 8), torch.nn.Tanh(), torch.nn.Linear(8, 1))
    with torch.no_grad():
        values, full, none = shapley_values(lambda m: net(m.float())[:, 0], [True] * 4)
    assert float(values.sum()) == pytest.approx(full - none, abs=1e-5)
