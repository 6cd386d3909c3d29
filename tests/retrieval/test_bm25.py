"""Words, and BM25 against the formula."""

from __future__ import annotations

import math

import numpy as np
import pytest

from retrieval.bm25 import WordIndex, best, words

ALL = np.ones(3, bool)


def test_compounds_are_searched_whole_and_in_parts_but_short_parts_never_alone() -> None:
    assert words("IDH-mutant") == ["idh-mut", "idh", "mutant"] or words("IDH-mutant")[1:] == ["idh", "mutant"]
    assert words("PD-L1") == ["pd-l1"]
    assert words("1p/19q") == ["1p/19q"]
    assert words("What is the role of EGFR?") == ["role", "egfr"]


def test_scores_are_the_formulas() -> None:
    """Lucene's BM25 (Kamphuis et al. 2020), k1 = 1.5, b = 0.75, over the sum of the words' weights."""
    index = WordIndex(("lung tumour", "lung lung glioma", "kidney"))
    mean_length, k1, b = 2.0, 1.5, 0.75

    def weight(held_in: int) -> float:
        return math.log(1 + (3 - held_in + 0.5) / (held_in + 0.5))

    def part(times: int, length: int) -> float:
        return times / (times + k1 * (1 - b + b * length / mean_length))

    lung, glioma, unknown = weight(2), weight(1), weight(0)
    most = lung + glioma + unknown
    wanted = [lung * part(1, 2) / most, (lung * part(2, 3) + glioma * part(1, 3)) / most, 0.0]
    np.testing.assert_allclose(index.scores("lung glioma sarcoma"), wanted, rtol=1e-5)


def test_coverage_and_rarity_are_shares_of_the_words_weights() -> None:
    index = WordIndex(("lung tumour", "lung lung glioma", "kidney"))

    def weight(held_in: int) -> float:
        return math.log(1 + (3 - held_in + 0.5) / (held_in + 0.5))

    most = weight(2) + weight(1) + weight(0)
    held = index.covered("lung lung glioma sarcoma", np.array([0, 1, 2]))
    np.testing.assert_allclose(held, [weight(2) / most, (weight(2) + weight(1)) / most, 0], rtol=1e-5)
    assert index.rarity("lung glioma sarcoma") == pytest.approx(most / (3 * weight(0)))
    assert index.rarity("sarcoma") == 1
    assert index.rarity("?!") == 0
    assert index.covered("?!", np.array([0, 1])).tolist() == [0, 0]


@pytest.mark.parametrize("text", ["", "the", "?!", "unheard"])
def test_a_query_without_a_known_word_scores_nothing(text: str) -> None:
    assert not WordIndex(("lung tumour", "glioma", "kidney")).scores(text).any()


def test_an_index_of_no_texts_and_one_of_no_words() -> None:
    assert WordIndex(()).scores("lung").shape == (0,)
    assert WordIndex(("?!", "the", "")).scores("lung").tolist() == [0, 0, 0]


def test_best_keeps_to_the_mask_and_breaks_ties_by_position() -> None:
    scores = np.asarray([0.5, 0.5, 0.0, 0.7], np.float32)
    assert best(scores, 3, np.ones(4, bool)).tolist() == [3, 0, 1]
    assert best(scores, 2, np.ones(4, bool)).tolist() == [3, 0]
    assert best(scores, 3, np.asarray([False, True, True, False])).tolist() == [1]
