"""The sanity tests tell a map of the model from a map of the picture, for every method and both encoders."""

from __future__ import annotations

from itertools import pairwise

import pytest
import torch
from torch import nn

from encoders.explain.methods import METHODS
from encoders.explain.sanity import (
    DELETED_FRACTIONS,
    cascade,
    deletion_curves,
    layers_from_top,
    randomised_copy,
    rank_correlation,
    weight_randomisation,
)
from encoders.radiology import ImageEncoder
from encoders.vit import ViTEncoder

KIND = torch.zeros(1, dtype=torch.long)


class Brightness(nn.Module):
    """Embedding = mean brightness of a crop."""

    def forward(self, crops, kind):
        return crops.mean(dim=(2, 3, 4))


def target(rows):
    return rows[0, 0]


def bright_corner():
    crops = torch.full((1, 1, 32, 32, 32), -1.0)
    crops[0, 0, 0:8, 24:32, 8:16] = 2.0
    return crops


def small_encoders() -> dict[str, nn.Module]:
    torch.manual_seed(0)
    return {
        "cnn": ImageEncoder(8, planes=(4, 4, 4, 8)).eval(),
        "vit": ViTEncoder(8, hidden=8, depth=2, heads=2).eval(),
    }


ENCODERS = small_encoders()


def test_deletion_by_hand():
    """The corner is 512 of 32768 voxels, 3 above its surroundings: 2 % of the crop takes all of it, and no more."""
    crops = bright_corner()
    (curve,) = deletion_curves(Brightness(), crops, KIND, target, (crops[:, 0] > 0).float())
    assert curve.marked == pytest.approx([3 * 512 / 32768] * 4, rel=1e-3)
    assert curve.fractions == DELETED_FRACTIONS
    assert curve.passed
    assert curve.figure == pytest.approx(sum(curve.marked) / 4 - sum(curve.random) / 4)


def test_random_deletion_takes_its_share_of_the_corner():
    """Half of the crop bright: deleting 20 % of it at random takes 20 % of what is there, on average."""
    crops = torch.full((1, 1, 32, 32, 32), -1.0)
    crops[0, 0, 1:31, 1:31, 1:31] = 1.0  # the faces stay dark
    (curve,) = deletion_curves(Brightness(), crops, KIND, target, crops[:, 0])
    assert curve.random[3] == pytest.approx(0.2 * 2 * 30**3 / 32**3, rel=0.1)


def test_a_map_of_the_wrong_place_and_a_flat_one_fail():
    crops = bright_corner()
    (wrong,) = deletion_curves(Brightness(), crops, KIND, target, (crops[:, 0] < 0).float())
    assert not wrong.passed and wrong.figure < 0
    (flat,) = deletion_curves(Brightness(), crops, KIND, target, torch.zeros(1, 32, 32, 32))
    assert (flat.passed, flat.figure, flat.marked) == (False, 0.0, (0.0,) * 4)


def test_deleted_voxels_take_the_median_of_all_six_faces():
    """Regression: four faces were read. Here the two of the last axis are bright, and the median is theirs."""
    crops = torch.full((1, 1, 32, 32, 32), -1.0)
    crops[0, 0, :, :, 0] = crops[0, 0, :, :, -1] = 3.0
    crops[0, 0, 0] = crops[0, 0, -1] = 3.0
    crops[0, 0, 16, 16, 16] = 5.0
    only = torch.zeros(1, 32, 32, 32)
    only[0, 8:24, 8:24, 8:24] = 1.0
    (curve,) = deletion_curves(Brightness(), crops, KIND, target, only)
    assert curve.marked[0] < 0  # dark voxels turned to 3, not to -1


def test_each_series_is_deleted_on_its_own():
    crops = torch.cat([bright_corner(), torch.full((1, 1, 32, 32, 32), -1.0)])
    maps = (bright_corner()[:, 0] > 0).float().expand(2, -1, -1, -1)
    both = deletion_curves(Brightness(), crops, KIND.repeat(2), lambda rows: rows[:, 0].sum(), maps)
    assert both[0].passed and both[0].marked[0] > 0
    assert both[1].marked == pytest.approx([0.0] * 4, abs=1e-6)


@pytest.mark.parametrize("name", ENCODERS)
def test_randomising_leaves_no_learned_number_behind(name: str) -> None:
    """Every entry of every parameter and running statistic was set to 7; none may be 7 after."""
    encoder = small_encoders()[name]
    with torch.no_grad():
        for value in (*encoder.parameters(), *(b for b in encoder.buffers() if b.is_floating_point())):
            value.fill_(7.0)
    drawn = randomised_copy(encoder, seed=0)
    left = [key for key, value in drawn.state_dict().items() if value.is_floating_point() and bool((value == 7).any())]
    assert left == []
    assert float(next(encoder.parameters()).detach().min()) == 7.0  # the encoder itself is untouched


@pytest.mark.parametrize("name", ENCODERS)
def test_the_parts_of_the_cascade_are_the_whole_encoder_once(name: str) -> None:
    encoder = ENCODERS[name]
    parts = [prefixes for _, prefixes in layers_from_top(encoder)]
    for key, _ in encoder.named_parameters():
        assert sum(key.startswith(prefixes) for prefixes in parts) == 1, key


@pytest.mark.parametrize("name", ENCODERS)
def test_the_cascade_goes_down_from_the_head(name: str) -> None:
    """Each step keeps all above it random and changes one part more; the last is the wholly random encoder."""
    encoder, changed = ENCODERS[name], []
    for _, drawn in cascade(encoder, seed=1):
        own, other = dict(encoder.named_parameters()), dict(drawn.named_parameters())
        changed.append({key for key in own if own[key].unique().numel() > 1 and not torch.equal(own[key], other[key])})
    assert all(before < after for before, after in pairwise(changed))
    whole = dict(randomised_copy(encoder, seed=1).named_parameters())
    assert changed[-1] == {
        k for k, v in encoder.named_parameters() if v.unique().numel() > 1 and not torch.equal(v, whole[k])
    }
    assert any(key.startswith("project") for key in changed[0])


def test_randomising_leaves_the_seed_of_the_process_alone():
    torch.manual_seed(3)
    expected = torch.rand(1)
    torch.manual_seed(3)
    randomised_copy(ENCODERS["vit"], seed=0)
    assert torch.equal(torch.rand(1), expected)


def test_rank_correlation_of_a_map_with_itself_its_inverse_and_nothing():
    one = torch.rand(32, 32, 32, generator=torch.Generator().manual_seed(0))
    assert rank_correlation(one, one) == pytest.approx(1.0)
    assert rank_correlation(one, 1 - one) == pytest.approx(-1.0)
    assert rank_correlation(one, torch.zeros(32, 32, 32)) == 0.0


def test_a_map_that_ignores_the_weights_fails_and_so_does_a_flat_one():
    one = torch.rand(1, 32, 32, 32, generator=torch.Generator().manual_seed(0))
    other = torch.rand(1, 32, 32, 32, generator=torch.Generator().manual_seed(1))
    assert weight_randomisation(one, one) == [(False, pytest.approx(1.0))]
    assert weight_randomisation(one, 1 - one) == [(False, pytest.approx(-1.0))]
    assert weight_randomisation(one, other)[0][0]
    assert weight_randomisation(torch.zeros_like(one), other) == [(False, 0.0)]


@pytest.mark.parametrize("method", [name for name in METHODS if name != "occlusion"])  # its own tests: it is slow
def test_every_method_answers_to_the_weights(method: str) -> None:
    """The same method on the same weights gives the same map; on weights drawn anew another one."""
    encoder = ENCODERS["vit" if METHODS[method].needs_attention else "cnn"]
    crops = torch.randn(1, 1, 32, 32, 32, generator=torch.Generator().manual_seed(0))
    (own,) = METHODS[method].compute(encoder, crops, KIND, [target])
    (again,) = METHODS[method].compute(encoder, crops, KIND, [target])
    (drawn,) = METHODS[method].compute(randomised_copy(encoder, seed=0), crops, KIND, [target])
    assert torch.equal(own.values, again.values)
    assert not torch.allclose(own.values, drawn.values, atol=0.01)
    assert weight_randomisation(own.values, again.values)[0][0] is False
