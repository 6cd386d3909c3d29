"""A MIRAGE run: rules kept, outcomes told apart, files whole."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from assistant.llm.chat_model import ChatRequest, PromptStyle, TextPart
from encoders.errors import InputError
from eval.mirage import MirageConfig, System, run_mirage
from retrieval.passage import Hit, Passage, Query


class Queue:
    """A chat model that says what it was told to, in order, and keeps what it was asked."""

    spec = "queue"
    style = PromptStyle.INSTRUCT
    takes_soft_tokens = False

    def __init__(self, *answers: str) -> None:
        self.answers, self.asked = list(answers), []

    def generate(self, request: ChatRequest) -> str:
        self.asked.append(request)
        return self.answers.pop(0)

    def stream(self, request: ChatRequest) -> Iterator[str]:
        yield self.generate(request)

    def versions(self) -> dict[str, str]:
        return {"model": "queue"}

    def soft_tokens(self, embeddings: Any) -> tuple[()]:
        return ()


def text_of(request: ChatRequest) -> str:
    return "\n".join(p.text for m in request.messages for p in m.parts if isinstance(p, TextPart))


@pytest.fixture
def data(tmp_path: Path) -> Path:
    item = {"question": "Is the sky blue?", "options": {"A": "certainly", "B": "never"}, "answer": "A"}
    path = tmp_path / "benchmark.json"
    path.write_text(json.dumps({"x": {"1": item, "2": item, "3": item}, "y": {"4": item}}), encoding="utf-8")
    return path


def test_right_wrong_and_no_answer_are_told_apart(data: Path, tmp_path: Path) -> None:
    llm = Queue('{"answer_choice": "A"}', "B", "I do not know", "A")
    metrics = run_mirage(MirageConfig(str(data), System.LLM, "queue"), llm, tmp_path / "out")
    x = metrics["datasets"]["x"]
    assert (x["right"], x["wrong"], x["no_answer"]) == (1, 1, 1)
    assert x["accuracy"] == pytest.approx(1 / 3)
    assert x["accuracy_of_answered"] == pytest.approx(1 / 2)
    assert metrics["mean_over_datasets"] == pytest.approx((1 / 3 + 1) / 2)
    items = [json.loads(line) for line in (tmp_path / "out/items.jsonl").read_text().splitlines()]
    assert [i["outcome"] for i in items] == ["right", "wrong", "no answer", "right"]
    assert json.loads((tmp_path / "out/metrics.json").read_text())["all_items"]["n"] == 4
    assert "| x | 3 | 1 | 1 | 1 | 0.333 |" in (tmp_path / "out/summary.md").read_text()


def test_retrieval_sees_the_question_and_never_the_options(data: Path, tmp_path: Path) -> None:
    queries: list[Query] = []

    def search(query: Query) -> tuple[Hit, ...]:
        queries.append(query)
        return (Hit(Passage("p1", "Skies", "The sky is blue by day.", "The sky is blue.", "a book"), 1.0, {"bm25": 1}),)

    llm = Queue(*"AAAA")
    run_mirage(MirageConfig(str(data), System.RAG, "queue"), llm, tmp_path / "out", search=search)
    assert {q.text for q in queries} == {"Is the sky blue?"}
    assert all(q.patient_id is None for q in queries)
    assert "The sky is blue by day." in text_of(llm.asked[0])


def test_the_gold_answer_is_never_shown_and_nothing_is_carried_over(data: Path, tmp_path: Path) -> None:
    llm = Queue(*"AAAA")
    run_mirage(MirageConfig(str(data), System.LLM, "queue"), llm, tmp_path / "out")
    assert len({text_of(r) for r in llm.asked}) == 1  # equal questions get equal requests, whatever came before
    assert all(len(r.messages) == 2 for r in llm.asked)
    assert "answer: A" not in text_of(llm.asked[0])


def test_rag_without_a_search_is_refused(data: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="needs a search"):
        run_mirage(MirageConfig(str(data), System.RAG, "queue"), Queue(), tmp_path / "out")


def test_a_limit_counts_per_dataset(data: Path, tmp_path: Path) -> None:
    metrics = run_mirage(MirageConfig(str(data), System.LLM, "queue", limit=1), Queue("A", "B"), tmp_path / "out")
    assert {k: v["n"] for k, v in metrics["datasets"].items()} == {"x": 1, "y": 1}
    with pytest.raises(InputError, match="limit is 0"):
        run_mirage(MirageConfig(str(data), System.LLM, "queue", limit=0), Queue(), tmp_path / "out")
