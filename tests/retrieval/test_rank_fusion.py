"""Reciprocal rank fusion by hand."""

from __future__ import annotations

import pytest

from retrieval.rank_fusion import reciprocal_rank_fusion


def test_scores_counted_by_hand() -> None:
    fused = reciprocal_rank_fusion({"vector": ("a", "b", "c"), "word": ("b", "d")})
    assert [f.id for f in fused] == ["b", "a", "d", "c"]
    assert fused[0].score == pytest.approx(1 / 62 + 1 / 61)
    assert fused[1].score == pytest.approx(1 / 61)
    assert dict(fused[0].ranks) == {"vector": 2, "word": 1}
    assert dict(fused[3].ranks) == {"vector": 3}


def test_ties_are_ordered_by_id() -> None:
    fused = reciprocal_rank_fusion({"one": ("z", "a"), "two": ("a", "z")})
    assert [f.id for f in fused] == ["a", "z"]
    assert fused[0].score == fused[1].score


def test_nothing_fuses_to_nothing() -> None:
    assert reciprocal_rank_fusion({"one": (), "two": ()}) == ()


def test_bad_input_is_refused() -> None:
    with pytest.raises(ValueError, match="holds an id twice"):
        reciprocal_rank_fusion({"one": ("a", "a")})
    with pytest.raises(ValueError, match="k above 0"):
        reciprocal_rank_fusion({"one": ("a",)}, k=0)
