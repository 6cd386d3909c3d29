"""Attention rollout: by hand on made-up attention, towards what the class token attends to, and refused on the CNN."""

from __future__ import annotations

import pytest
import torch

from encoders.errors import SettingsError
from encoders.explain.methods import METHODS, chosen_methods
from encoders.explain.rollout import attention_rollout, gradient_rollout
from encoders.radiology import ImageEncoder
from encoders.vit import ViTEncoder

CROPS = torch.zeros(1, 1, 32, 32, 32)
KIND = torch.zeros(1, dtype=torch.long)


class GivenAttention(ViTEncoder):
    """A transformer whose attention is set by hand: two blocks of one head, and an embedding made from both."""

    def __init__(self, first, second):
        super().__init__(8, hidden=8, depth=1, heads=1)
        self.shares = (first, second)

    def trunk_with_attention(self, activations, kind):
        """The embedding is linear in the attention that the class token pays, so gradients are known."""
        blocks = [share.clone().requires_grad_()[None, None] for share in self.shares]
        pays = blocks[1][0, 0, 0]  # (T,)
        unused = 0 * blocks[0].sum()
        return torch.stack([pays[1], pays[5] + unused])[None], blocks


def even_but(row: int, column: int) -> torch.Tensor:
    """(513, 513): each token attends to itself alone, but ``row`` attends to ``column`` alone."""
    share = torch.eye(513)
    share[row] = 0
    share[row, column] = 1
    return share


def test_rollout_multiplies_the_blocks_half_mixed_with_identity():
    """The class token attends to token 2 in the last block, which attended to token 1 in the first: 1/4 and 1/4."""
    vit = GivenAttention(even_but(2, 1), even_but(0, 2))
    found = attention_rollout(vit, CROPS)[0]
    assert float(found[0, 0, 0]) == pytest.approx(1.0)  # token 1 is the cell at z, y, x = 0
    assert float(found[0, 0, 4]) == pytest.approx(1.0)  # token 2, the next cell along x
    assert float(found[0, 0, 8]) == 0.0
    assert float(found[4, 4, 0]) == 0.0


def test_even_attention_marks_nothing():
    share = torch.full((513, 513), 1 / 513)
    assert float(attention_rollout(GivenAttention(share, share), CROPS).max()) == 0.0


def test_gradient_rollout_keeps_attention_that_raises_the_target_alone():
    """Paid to token 1 and token 5 alike; the target wants the first and not the second."""
    last = torch.eye(513)
    last[0] = 0
    last[0, 1] = last[0, 5] = 0.5
    vit = GivenAttention(torch.eye(513), last)
    found = gradient_rollout(vit, CROPS, KIND, lambda rows: rows[0, 0] - rows[0, 1])[0]
    assert float(found[0, 0, 0]) == 1.0 and float(found[0, 0, 16]) == 0.0
    other = gradient_rollout(vit, CROPS, KIND, lambda rows: rows[0, 1] - rows[0, 0])[0]
    assert float(other[0, 0, 0]) == 0.0 and float(other[0, 0, 16]) == 1.0


def test_plain_rollout_is_the_same_for_every_target_and_the_weighed_one_is_not():
    torch.manual_seed(0)
    vit, crops = ViTEncoder(16, hidden=8, depth=2, heads=2).eval(), torch.randn(1, 1, 32, 32, 32)
    targets = [lambda rows, i=i: rows[0, i] for i in (0, 1)]
    plain = METHODS["rollout"].compute(vit, crops, KIND, targets)
    weighed = METHODS["grad_rollout"].compute(vit, crops, KIND, targets)
    assert torch.equal(plain[0].values, plain[1].values)
    assert not torch.allclose(weighed[0].values, weighed[1].values, atol=0.01)
    assert all(float(m.values.min()) >= 0 and float(m.values.max()) == pytest.approx(1) for m in plain + weighed)


def test_the_attention_that_is_asked_for_is_the_one_that_was_used():
    """Embeddings computed with the attention laid open are those of the plain forward pass."""
    torch.manual_seed(1)
    vit, crops = ViTEncoder(16, hidden=8, depth=2, heads=2).eval(), torch.randn(2, 1, 32, 32, 32)
    kind = torch.tensor([0, 1])
    rows, blocks = vit.trunk_with_attention(vit.stem(crops), kind)
    assert torch.allclose(rows, vit(crops, kind), atol=1e-5)
    assert all(torch.allclose(share.sum(-1), torch.ones(2, 2, 513), atol=1e-5) for share in blocks)


@pytest.mark.parametrize("name", ["rollout", "grad_rollout"])
def test_asked_on_the_cnn_the_model_to_use_is_named(name):
    cnn = ImageEncoder(8, planes=(4, 4, 4, 8)).eval()
    with pytest.raises(SettingsError, match="fusion-vit3d"):
        METHODS[name].compute(cnn, CROPS, KIND, [lambda rows: rows[0, 0]])


def test_all_means_what_the_encoder_can_answer():
    cnn, vit = ImageEncoder(8, planes=(4, 4, 4, 8)), ViTEncoder(8, hidden=8, depth=1, heads=1)
    assert {m.name for m in chosen_methods("all", vit)} == set(METHODS)
    assert {m.name for m in chosen_methods("all", cnn)} == set(METHODS) - {"rollout", "grad_rollout"}
