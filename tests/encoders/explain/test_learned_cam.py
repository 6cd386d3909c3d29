"""The report's heat map shows what the trained weights add to what random weights mark."""

from __future__ import annotations

import pytest
import torch

from encoders.explain import learned_cam as module
from encoders.explain.learned_cam import FIRST_SEED, RANDOM_ENCODERS, learned_cam
from encoders.explain.sanity import randomised_copy
from encoders.radiology import ImageEncoder
from encoders.vit import ViTEncoder

CROPS = torch.randn(2, 1, 32, 32, 32, generator=torch.Generator().manual_seed(0))
KIND = torch.zeros(2, dtype=torch.long)


def first(rows):
    return rows[:, 0].sum()


def second(rows):
    return rows[:, 1].sum()


@pytest.fixture(scope="module", params=[ImageEncoder, ViTEncoder])
def encoder(request):
    torch.manual_seed(1)
    return request.param(16).eval()


def test_one_map_a_target_in_the_unit_range_and_the_same_each_time(encoder):
    maps = learned_cam(encoder, CROPS, KIND, [first, second])
    assert [tuple(m.shape) for m in maps] == [(2, 32, 32, 32)] * 2
    assert all(float(m.min()) >= 0 and float(m.max()) <= 1 for m in maps)
    assert not torch.equal(*maps)
    torch.testing.assert_close(learned_cam(encoder, CROPS, KIND, [second])[0], maps[1])


def test_nothing_is_left_of_an_encoder_that_is_itself_the_random_one(encoder, monkeypatch):
    monkeypatch.setattr(module, "randomised_copy", lambda same, *, seed: same)
    for values in learned_cam(encoder, CROPS, KIND, [first, second]):
        assert not values.any()


def test_a_place_that_every_random_encoder_marks_is_taken_off(encoder, monkeypatch):
    marks = {}

    def stages(of, crops, kind, targets):
        values = torch.zeros(len(targets), len(crops), 32, 32, 32)
        values[..., 4, 4, 4] = 1.0  # the picture's own spot, marked by all
        if of is encoder:
            values[..., 20, 20, 20] = 0.6
        marks.setdefault(of is encoder, []).append(of)
        return values

    monkeypatch.setattr(module, "_stages_multiplied", stages)
    (values,) = learned_cam(encoder, CROPS, KIND, [first])
    assert float(values[0, 4, 4, 4]) == 0
    assert float(values[0, 20, 20, 20]) == 1
    assert len(marks[False]) == RANDOM_ENCODERS


def test_the_weights_taken_off_are_none_that_the_sanity_test_draws(encoder):
    drawn = [randomised_copy(encoder, seed=FIRST_SEED + k).kind.weight for k in range(RANDOM_ENCODERS)]
    assert all(not torch.equal(a, b) for i, a in enumerate(drawn) for b in drawn[:i])
    assert not torch.equal(randomised_copy(encoder, seed=0).kind.weight, drawn[0])
