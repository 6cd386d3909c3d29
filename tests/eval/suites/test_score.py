"""Scores against hand-counted cases and reference libraries."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import brier_score_loss

from encoders.errors import InputError
from eval.intervals import wilson
from eval.suites.item import Criterion, Item, Kind
from eval.suites.score import (
    NO_ANSWER,
    NOT_SCORED,
    PARTLY,
    RIGHT,
    WRONG,
    Scored,
    accuracy_interval,
    calibration,
    cluster_bootstrap,
    figures,
    list_f_measure,
    plain,
    rubric_score,
    score_answer,
    summarise,
)

CHOICE = Item("s", "1", "q", Kind.CHOICE, {"A": "a", "B": "b"}, ("B",))
SHORT = Item("s", "2", "q", Kind.SHORT, gold=("PD-L1 status", "PDL1"))


def scored(index: int, score: float | None, *, case: str | None = None, confidence: float | None = None) -> Scored:
    outcome = NOT_SCORED if score is None else RIGHT if score == 1 else WRONG if score == 0 else PARTLY
    return Scored(index, "s", str(index), case, outcome, score, ("A",), confidence)


def test_no_answer_is_told_from_wrong() -> None:
    assert score_answer(CHOICE, ("B",)) == (RIGHT, 1.0)
    assert score_answer(CHOICE, ("A",)) == (WRONG, 0.0)
    assert score_answer(CHOICE, ()) == (NO_ANSWER, 0.0)


@pytest.mark.parametrize("said", ["PD-L1 status", "the pd-l1 status.", "PDL1"])
def test_any_accepted_answer_counts_whatever_its_case_and_articles(said: str) -> None:
    assert score_answer(SHORT, (said,)) == (RIGHT, 1.0)


def test_a_word_of_nothing_but_an_article_matches_no_other() -> None:
    assert plain("A") == "a" and plain("the α-chain") == "α chain"
    assert score_answer(SHORT, ("A",)) == (WRONG, 0.0)


def test_the_f_measure_of_a_list_is_counted_by_hand() -> None:
    gold = ("inflammation", "hypoxia | low oxygen", "injury")
    assert list_f_measure(gold, ("Hypoxia", "inflammation", "fever")) == pytest.approx(2 / 3)
    assert list_f_measure(gold, ("low oxygen", "hypoxia")) == pytest.approx(2 * 1 * (1 / 3) / (1 + 1 / 3))
    assert list_f_measure(gold, ("fever",)) == 0.0
    assert score_answer(Item("s", "3", "q", Kind.LIST, gold=gold), ("injury",))[0] == PARTLY


def test_a_rubric_takes_points_off_and_is_cut_to_one() -> None:
    rubric = (Criterion("a", 5), Criterion("b", 3), Criterion("harm", -8))
    assert rubric_score(rubric, (True, False, False)) == pytest.approx(5 / 8)
    assert rubric_score(rubric, (True, True, True)) == 0.0
    assert rubric_score(rubric, (True, True, False)) == 1.0
    with pytest.raises(InputError, match="2 judgements for 3 criteria"):
        rubric_score(rubric, (True, False))
    assert score_answer(Item("s", "4", "q", Kind.RUBRIC, rubric=rubric), ("text",)) == (NOT_SCORED, None)


def test_what_is_not_scored_is_counted_and_never_dropped() -> None:
    found = figures([scored(0, 1.0), scored(1, 0.0), scored(2, None)], seed=0)
    assert (found["n"], found["right"], found["wrong"], found["not_scored"]) == (3, 1, 1, 1)
    assert found["accuracy"] == 0.5
    nothing = figures([scored(0, None)], seed=0)
    assert nothing["accuracy"] is None and nothing["interval"] is None


def test_items_that_stand_alone_have_wilsons_interval_and_cases_a_wider_one() -> None:
    alone = [scored(i, float(i % 4 == 0)) for i in range(80)]
    assert accuracy_interval(alone, seed=0) == wilson(20, 80)
    cases = [scored(i, float(i // 8 % 4 == 0), case=str(i // 8)) for i in range(80)]  # a case is right or wrong as one
    low, high = accuracy_interval(cases, seed=0)
    assert high - low > 1.5 * (wilson(24, 80)[1] - wilson(24, 80)[0])


def test_a_bootstrap_of_single_items_agrees_with_the_normal_interval() -> None:
    values = np.random.default_rng(0).random(400)
    low, high = cluster_bootstrap(values, [str(i) for i in range(400)], seed=0)
    half = 1.96 * values.std() / 20
    assert (low, high) == pytest.approx((values.mean() - half, values.mean() + half), abs=0.006)


def test_calibration_agrees_with_hand_counts_and_scikit_learn() -> None:
    confidence = [0.95, 0.95, 0.95, 0.95, 0.35, 0.35]
    right = [1.0, 1.0, 1.0, 0.0, 0.0, 1.0]
    items = [scored(i, r, confidence=c) for i, (r, c) in enumerate(zip(right, confidence, strict=True))]
    found = calibration([*items, scored(6, 1.0)])
    assert (found["n"], found["without_confidence"]) == (6, 1)
    assert found["expected_calibration_error"] == pytest.approx((4 * 0.2 + 2 * 0.15) / 6)
    assert found["brier"] == pytest.approx(brier_score_loss(right, confidence), abs=1e-12)
    assert found["selective_accuracy"] == {"50%": 1.0, "80%": pytest.approx(3 / 5), "100%": pytest.approx(4 / 6)}


def test_the_mean_over_sets_weighs_every_set_alike() -> None:
    many = [Scored(i, "big", str(i), None, RIGHT, 1.0, ("A",)) for i in range(9)]
    few = [Scored(9, "small", "9", None, WRONG, 0.0, ("A",))]
    found = summarise([*few, *many], seed=0)
    assert found["mean_over_sets"] == 0.5 and found["all_items"]["accuracy"] == 0.9
    with pytest.raises(InputError, match="no item was answered"):
        summarise([], seed=0)
