"""Figures of a ranking by hand and against scikit-learn; the fit on cases with a known answer; made vectors."""

from __future__ import annotations

import math

import numpy as np
import pytest
from sklearn.metrics import ndcg_score

from encoders.errors import InputError
from eval.retrieval_fit import Candidates, Searched, fit, fit_order, ranked, recall_lost, returns_nothing, search_part
from eval.retrieval_labelled import LabelledSet, Question, passage_name
from eval.retrieval_metrics import ndcg_at, recall_at
from eval.retrieval_scale import K, exact_answers, made_block, made_blocks, make_base
from retrieval.index import PassageIndex
from retrieval.passage import Passage
from retrieval.similar_cases import unit_rows


def test_recall_and_gain_by_hand() -> None:
    assert recall_at([3, 1, 2], {1, 9}, 2) == 0.5
    assert recall_at([3, 1, 2], {1, 2, 3, 4, 5}, 2) == 1.0  # two places can hold no more than two
    assert ndcg_at([3, 1, 2], {1}, 3) == pytest.approx(1 / math.log2(3))
    assert ndcg_at([1, 2], {1, 2}, 10) == 1.0
    for figure in (recall_at, ndcg_at):
        with pytest.raises(InputError, match="leave it out"):
            figure([1], (), 3)


def test_gain_agrees_with_scikit_learn() -> None:
    rng = np.random.default_rng(0)
    for _ in range(20):
        labels, scores = rng.random(30) < 0.2, rng.random(30)
        if labels.any():
            wanted = ndcg_score([labels.astype(int)], [scores], k=10)
            assert ndcg_at(np.argsort(-scores).tolist(), set(np.flatnonzero(labels)), 10) == pytest.approx(wanted)


def simulated(n: int, seed: int) -> Searched:
    """Questions whose labelled passage is drawn with log-odds 8 x cosine + 4 x words among 20; then without it."""
    rng = np.random.default_rng(seed)
    whole, removed = [], []
    for _ in range(n):
        scores = rng.random((20, 3))
        sums = scores[:, :2] @ np.array([8.0, 4.0])
        gold = int(rng.choice(20, p=np.exp(sums) / np.exp(sums).sum()))
        question = Question("q", "train", frozenset((gold,)), frozenset((gold,)))
        rest = np.arange(20) != gold
        whole.append(Candidates(question, np.arange(20), scores, 0.5))
        removed.append(Candidates(question, np.arange(20)[rest], scores[rest], 0.5))
    return Searched((), tuple(whole), tuple(removed))


def test_the_order_recovers_the_weights_that_drew_the_labels() -> None:
    assert fit_order(simulated(3000, 0).candidates) == pytest.approx([8.0, 4.0], rel=0.1)


def test_the_floor_keeps_its_promise_on_what_it_was_fitted_on() -> None:
    part = simulated(400, 1)
    model = fit(part, part)
    before, after = recall_lost(part.candidates, model)
    assert np.mean(before) - np.mean(after) <= 0.02 + 1e-9
    assert np.mean(before) > 0.9
    assert returns_nothing(part.removed, model) == [ranked(c, model)[1] < model.floor for c in part.removed]


def test_a_removed_passage_is_looked_for_deeper_than_the_candidates_reach() -> None:
    """Two labelled passages fill the first two places; without them the next ones come up, not an empty list."""
    texts = ("lung tumour one", "lung tumour two", "lung tumour", "lung", "kidney")
    passages = [Passage(passage_name(i), "", t, t, "s") for i, t in enumerate(texts)]
    vectors = unit_rows(np.array([[5, 0], [5, 1], [5, 2], [5, 3], [0, 5]], np.float32))
    gone = frozenset((0, 1))
    question = Question("lung tumour", "test", gone, gone)
    labelled = LabelledSet("toy", PassageIndex(passages, vectors), (question,), vectors[:1])
    seen = search_part(labelled, "test", k=2)
    assert seen.found[0].by_vector == ("p000000", "p000001")
    assert set(seen.candidates[0].positions) == {0, 1, 2}  # by word, the shorter third comes before the second
    assert set(seen.removed[0].positions) == {2, 3}


def test_made_vectors_are_unit_repeatable_and_exactly_searched() -> None:
    rng = np.random.default_rng(0)
    real = unit_rows(rng.normal(size=(200, 16)).astype(np.float32))
    base = make_base(real, real[:5])
    assert not (base.neighbours == np.arange(200)[:, None]).any()
    np.testing.assert_array_equal(made_block(base, 50, 7), made_block(base, 50, 7))
    whole = np.concatenate(list(made_blocks(base, 45_000, 0)))
    np.testing.assert_allclose(np.linalg.norm(whole, axis=1), 1, atol=1e-5)
    wanted = [set(np.argsort(-(whole @ q))[:K].tolist()) for q in base.queries]
    assert [set(row.tolist()) for row in exact_answers(base, 45_000, 0)] == wanted
