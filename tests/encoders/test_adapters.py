"""Adapters keep their shape contract, ignore row order and padding, and name wrong shapes."""

from __future__ import annotations

import pytest
import torch

from encoders.adapters import AdapterConfig, MLPAdapter, PerceiverResampler
from encoders.errors import ContractError

CONFIG = AdapterConfig(embedding_width=6, hidden_size=10, n_tokens=3, inner_width=8, n_heads=2)
BOTH = pytest.mark.parametrize("kind", [MLPAdapter, PerceiverResampler])


@BOTH
def test_shape_is_batch_tokens_hidden(kind):
    torch.manual_seed(0)
    assert kind(CONFIG)(torch.randn(4, 2, 6)).shape == (4, 3, 10)


@BOTH
def test_row_order_and_padding_do_not_matter_but_content_does(kind):
    torch.manual_seed(0)
    adapter = kind(CONFIG).eval()
    rows = torch.randn(1, 3, 6)
    expected = adapter(rows)
    torch.testing.assert_close(adapter(rows[:, [2, 0, 1]]), expected)
    padded = torch.cat([rows, torch.full((1, 1, 6), 99.0)], 1)
    torch.testing.assert_close(adapter(padded, torch.tensor([[True, True, True, False]])), expected)
    assert not torch.allclose(adapter(rows + torch.randn(1, 3, 6)), expected, atol=1e-3)


@BOTH
def test_gradients_reach_every_parameter(kind):
    torch.manual_seed(0)
    adapter = kind(CONFIG)
    (adapter(torch.randn(2, 2, 6)) * torch.randn(2, 3, 10)).sum().backward()
    assert all(p.grad is not None and bool(p.grad.abs().sum() >= 0) for p in adapter.parameters())


@BOTH
def test_wrong_width_and_empty_rows_are_refused(kind):
    adapter = kind(CONFIG)
    with pytest.raises(ContractError, match=r"\(B, K, 6\)"):
        adapter(torch.randn(4, 2, 7))
    with pytest.raises(ContractError, match="no real embedding"):
        adapter(torch.randn(1, 2, 6), torch.tensor([[False, False]]))
    with pytest.raises(ContractError, match="mask has shape"):
        adapter(torch.randn(1, 2, 6), torch.tensor([[True]]))


def test_config_names_the_wrong_size():
    with pytest.raises(ContractError, match="n_tokens"):
        AdapterConfig(embedding_width=6, hidden_size=10, n_tokens=0)
    with pytest.raises(ContractError, match="multiple of n_heads"):
        AdapterConfig(embedding_width=6, hidden_size=10, inner_width=9, n_heads=2)


@BOTH
def test_scaling_the_output_scales_every_token(kind):
    torch.manual_seed(0)
    adapter, rows = kind(CONFIG).eval(), torch.randn(2, 3, 6)
    expected = 0.25 * adapter(rows)
    adapter.scale_output(0.25)
    torch.testing.assert_close(adapter(rows), expected)
