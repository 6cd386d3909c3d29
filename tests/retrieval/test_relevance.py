"""The order and the floor by hand, and what the floor does to a search."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from retrieval import search as search_module
from retrieval.index import Found
from retrieval.passage import Query
from retrieval.relevance import MODELS, RelevanceModel
from retrieval.search import fuse, search

MODEL = RelevanceModel(word_per_cosine=0.5, intercept=-6.0, cosine=8.0, word=4.0, covered=2.0, rarity=1.0, floor=0.5)


def test_score_and_probability_by_hand() -> None:
    assert MODEL.score(0.6, 0.3) == pytest.approx((0.6 + 0.15) / 1.5)
    log_odds = -6 + 8 * 0.6 + 4 * 0.3 + 2 * 0.9 + 0.5
    assert MODEL.probability(0.6, 0.3, 0.9, 0.5) == pytest.approx(1 / (1 + math.exp(-log_odds)))


@given(st.floats(-1, 1), st.floats(0, 1), st.floats(0, 1), st.floats(0, 1))
def test_a_probability_is_one(cosine: float, word: float, covered: float, rarity: float) -> None:
    assert 0 <= MODEL.probability(cosine, word, covered, rarity) <= 1
    assert 0 <= replace(MODEL, intercept=-5000.0).probability(cosine, word, covered, rarity) <= 1


def test_both_rankings_are_joined_by_the_sum_of_their_scores() -> None:
    cosine, word = {"a": 0.6, "b": 0.5, "c": 0.1}, {"a": 0.0, "b": 0.4, "c": 0.5}
    found = Found(("a", "b"), ("c", "b"), cosine, word, word, 0.5)
    order = fuse(found, MODEL)
    assert [(f.id, dict(f.ranks)) for f in order] == [
        ("b", {"vector": 2, "word": 2}), ("a", {"vector": 1}), ("c", {"word": 1}),
    ]  # fmt: skip
    assert [f.score for f in order] == pytest.approx([0.7 / 1.5, 0.6 / 1.5, 0.35 / 1.5])
    assert [f.id for f in fuse(found, None)] == ["b", "a", "c"]  # reciprocal ranks


def test_a_search_below_the_floor_returns_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    query = Query("osimertinib in EGFR-mutated lung adenocarcinoma", oncotree_code="LUAD")
    assert search(query)
    for floor, found in ((0.0, True), (1.1, False)):
        model = replace(MODEL, floor=floor)
        monkeypatch.setattr(search_module, "relevance_model", lambda _, model=model: model)
        assert bool(search(query)) is found


def test_the_shipped_models_are_probabilities_floors() -> None:
    for sha256, model in MODELS.items():
        assert len(sha256) == 64
        assert 0 < model.floor < 1
        assert min(model.word_per_cosine, model.cosine, model.word, model.covered) > 0
