"""Retrieval figures, subgroup gaps, tokens and seconds: hand counts, and scikit-learn where it has the figure."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
from sklearn.metrics import ndcg_score

from assistant.llm.chat_model import ChatRequest, Message, TextPart
from eval.suites.groups import LEAST, age_band, group_figures, groups_of, stated_person
from eval.suites.item import Item, Kind
from eval.suites.retrieval import document_ranking, mean_figures, retrieval_figures
from eval.suites.score import RIGHT, WRONG, Scored
from eval.suites.tokens import Counted, Tokens, cost_figures
from retrieval.passage import Hit, Passage

ITEM = Item("s", "1", "q", Kind.CHOICE, {"A": "a", "B": "b"}, ("A",))


def hit(passage_id: str, pmid: str | None = None, document: str | None = None) -> Hit:
    return Hit(Passage(passage_id, "t", "x", "x", "s", pmid=pmid, document_id=document), 1.0, {})


def test_passages_of_one_document_count_once_at_the_first_place() -> None:
    hits = (hit("a#1", document="a"), hit("a#2", document="a"), hit("b", pmid="77"), hit("c"))
    assert document_ranking(hits, ("77", "c")) == ["a", "77", "c"]
    assert document_ranking(hits, ("a#2",)) == ["a", "a#2", "77", "c"]  # labelled by its own id


def test_retrieval_figures_are_counted_by_hand() -> None:
    found = retrieval_figures(["x", "d1", "y", "d2"], ("d1", "d2", "d3"), 3)
    assert found["recall_at_1"] == 0.0 and found["recall_at_3"] == pytest.approx(1 / 3, abs=1e-9)
    assert found["reciprocal_rank"] == pytest.approx(1 / 2, abs=1e-9)
    assert retrieval_figures(["x"], ("d1",), 3)["reciprocal_rank"] == 0.0


def test_discounted_gain_is_scikit_learns() -> None:
    rng = np.random.default_rng(1)
    for _ in range(20):
        names = [str(i) for i in range(12)]
        gold = [n for n in names if rng.random() < 0.4] or ["3"]
        order = rng.permutation(12)
        truth = [[float(n in gold) for n in names]]
        score = [[float(-np.flatnonzero(order == i)[0]) for i in range(12)]]
        mine = retrieval_figures([names[i] for i in order], gold, 5)["ndcg_at_5"]
        assert mine == pytest.approx(ndcg_score(truth, score, k=5), abs=1e-9)


def scored(i: int, right: bool, *, retrieval: dict | None = None, **groups: str) -> Scored:
    outcome, score = (RIGHT, 1.0) if right else (WRONG, 0.0)
    return Scored(i, "s", str(i), None, outcome, score, ("A",), groups=groups, retrieval=retrieval)


def test_items_without_labels_are_counted_beside_the_mean() -> None:
    items = [scored(0, right=True, retrieval={"recall_at_1": 1.0}), scored(1, right=True, retrieval={"recall_at_1": 0}),
             scored(2, right=True)]  # fmt: skip
    found = mean_figures(items, seed=0)
    assert (found["n"], found["without_labels"], found["recall_at_1"]["mean"]) == (2, 1, 0.5)
    assert mean_figures(items[2:], seed=0) is None


def test_a_gap_is_between_groups_large_enough_and_small_ones_are_counted() -> None:
    men = [scored(i, right=i % 2 == 0, sex="male") for i in range(2 * LEAST)]
    women = [scored(100 + i, right=i % 4 == 0, sex="female") for i in range(2 * LEAST)]
    few = [scored(200 + i, right=True, sex="not told") for i in range(LEAST - 1)]
    found = group_figures([*men, *women, *few, scored(300, right=True)], seed=0)["sex"]
    assert list(found["groups"]) == ["female", "male"]
    gap = found["gap"]
    assert (gap["best"], gap["worst"], gap["difference"]) == ("male", "female", pytest.approx(0.25, abs=1e-9))
    assert gap["interval"][0] < 0.25 < gap["interval"][1]
    assert (found["groups_too_small"], found["of"] - found["carried_by"]) == (1, 1)


def test_sex_and_age_are_read_where_the_question_states_one_person() -> None:
    assert stated_person("A 45-year-old otherwise healthy woman comes in.") == {"sex": "female", "age": "40 to 64"}
    assert stated_person("A 7 year old boy and his 35-year-old father, a man.") == {"sex": "male", "age": "under 18"}
    assert stated_person("A 30-year-old man and a 60-year-old woman differ.") == {}
    assert stated_person("How old is a man?") == {}
    assert [age_band(a) for a in (17, 18, 39.9, 40, 64, 65)] == [
        "under 18", "18 to 39", "18 to 39", "40 to 64", "40 to 64", "65 and over",
    ]  # fmt: skip
    stated = Item("s", "1", "A 30-year-old man.", Kind.SHORT, groups={"sex": "female", "specialty": "Surgery"})
    assert groups_of(stated) == {"sex": "female", "age": "18 to 39", "specialty": "Surgery"}  # the file goes first


def request(text: str) -> ChatRequest:
    return ChatRequest((Message("user", (TextPart(text),)),))


def test_a_local_model_is_counted_with_its_own_tokenizer() -> None:
    def tokenizer(text: str, *, add_special_tokens: bool) -> dict:
        assert not add_special_tokens
        return {"input_ids": text.split()}

    counted = Counted(SimpleNamespace(generate=lambda _: "two words", tokenizer=tokenizer))
    assert counted(ITEM, request("one two three")) == "two words"
    assert counted.tokens() == Tokens(3, 2, 0)


def test_a_servers_own_count_is_taken_from_where_it_stood_and_no_count_is_said() -> None:
    server = SimpleNamespace(tokens=Tokens(100, 10, 1))

    def generate(_: ChatRequest) -> str:
        server.tokens = server.tokens + Tokens(7, 3)
        return "x"

    server.generate = generate
    counted = Counted(server)
    counted(ITEM, request("a"))
    assert counted.tokens() == Tokens(7, 3, 0)
    bare = Counted(SimpleNamespace(generate=lambda _: "x"))
    bare(ITEM, request("a"))
    assert bare.tokens() == Tokens(0, 0, 1)


def test_seconds_and_tokens_an_item() -> None:
    found = cost_figures([1.0, 2.0, 3.0, 10.0], Tokens(8, 4, 0))
    assert (found["p50_s"], found["p95_s"]) == (2.5, pytest.approx(np.quantile([1, 2, 3, 10], 0.95), abs=1e-9))
    assert (found["prompt_tokens_per_item"], found["completion_tokens_per_item"]) == (2.0, 1.0)
    assert cost_figures([], Tokens())["p50_s"] is None
