"""A run: MIRAGE's rules kept, resumed after a kill with the same figures, other settings refused."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from assistant.llm.chat_model import ChatRequest, TextPart
from encoders.errors import InputError, LLMUnreachableError, SettingsError
from eval.suites.ask import System
from eval.suites.compare import compare_runs, comparison_markdown
from eval.suites.item import Item, Kind, Problem, Suite
from eval.suites.run import ITEMS, METRICS, RunConfig, run_suite
from eval.suites.scripted import Scripted
from retrieval.passage import Hit, Passage, Query


def suite(count: int = 6, **more: object) -> Suite:
    items = tuple(
        Item(
            "x" if i % 2 else "y", str(i), f"Is {i} even?", Kind.CHOICE, {"A": "yes", "B": "no"}, ("AB"[i % 2],), **more
        )
        for i in range(count)
    )
    return Suite("mirage", items, (Problem("x/bad", "has no question text"),), "hash")


def config(**changes: object) -> RunConfig:
    return RunConfig(**{"suite": "mirage", "data": "d.json", "data_sha256": "hash", "system": System.LLM,
                        "llm": "scripted", **changes})  # fmt: skip


class Asked:
    """Answers "A" and keeps what it was asked."""

    def __init__(self, answer: str = "A") -> None:
        self.requests: list[ChatRequest] = []
        self.answer = answer

    def __call__(self, item: Item, request: ChatRequest) -> str:
        self.requests.append(request)
        return self.answer


def text_of(request: ChatRequest) -> str:
    return "\n".join(p.text for m in request.messages for p in m.parts if isinstance(p, TextPart))


def metrics_of(out: Path) -> dict:
    return json.loads((out / METRICS).read_text())


def test_a_perfect_and_a_constant_backend_score_what_arithmetic_says(tmp_path: Path) -> None:
    perfect = run_suite(config(), suite(), Scripted("scripted"), tmp_path / "p", versions={})
    constant = run_suite(config(llm="scripted:A"), suite(), Scripted("scripted:A"), tmp_path / "c", versions={})
    assert perfect["all_items"]["accuracy"] == 1.0
    assert {k: f["accuracy"] for k, f in constant["sets"].items()} == {"x": 0.0, "y": 1.0}
    page = (tmp_path / "c/run.html").read_text()
    assert "Research use only" in page and "x/bad" in page and "<script" not in page
    assert "| x | 3 | 0 |" in (tmp_path / "c/summary.md").read_text()


def test_retrieval_sees_the_question_and_never_the_options_or_the_answer(tmp_path: Path) -> None:
    queries: list[Query] = []

    def search(query: Query) -> tuple[Hit, ...]:
        queries.append(query)
        return (Hit(Passage("p1", "Parity", "Two is even.", "Two is even.", "a book"), 1.0, {"bm25": 1}),)

    asked = Asked()
    run_suite(config(system=System.RAG), suite(2), asked, tmp_path, versions={}, search=search)
    assert [q.text for q in queries] == ["Is 0 even?", "Is 1 even?"]
    assert all(q.patient_id is None for q in queries)
    assert "Two is even." in text_of(asked.requests[0])
    assert all(len(r.messages) == 2 for r in asked.requests)  # nothing is carried over


def test_the_assistants_claims_are_checked_and_counted(tmp_path: Path) -> None:
    def search(query: Query) -> tuple[Hit, ...]:
        text = "Osimertinib is preferred over erlotinib in EGFR-mutated disease."
        return (Hit(Passage("p1", "Guideline", text, text, "a book"), 1.0, {"bm25": 1}),)

    said = json.dumps({"answer_choice": "A", "confidence": 0.8, "claims": [
        {"text": "Osimertinib is preferred over erlotinib in EGFR-mutated disease.", "citations": ["G1"]},
        {"text": "Erlotinib is preferred over osimertinib in EGFR-mutated disease.", "citations": ["G1"]},
        {"text": "Warfarin cures cancer.", "citations": ["G9"]}]})  # fmt: skip
    found = run_suite(config(system=System.ASSISTANT), suite(1), Asked(said), tmp_path, versions={}, search=search)
    whole = found["all_items"]
    assert (whole["claims"], whole["claims_supported"], whole["citations"]) == (3, 1, 3)
    assert whole["calibration"]["n"] == 1


@pytest.mark.parametrize("parallel", [1, 4])
def test_a_stopped_run_goes_on_and_ends_with_the_same_figures(tmp_path: Path, parallel: int) -> None:
    whole = run_suite(config(), suite(40), Asked(), tmp_path / "whole", versions={})
    calls = 0

    def stops(item: Item, request: ChatRequest) -> str:
        nonlocal calls
        calls += 1
        if calls % 7 == 0:
            raise LLMUnreachableError("the server is gone")
        return "A"

    out = tmp_path / "broken"
    for _ in range(60):
        try:
            again = run_suite(config(), suite(40), stops, out, versions={}, parallel=parallel)
            break
        except LLMUnreachableError:
            with (out / ITEMS).open("a") as stream:
                stream.write('{"key": "half a li')  # as a kill in the middle of a line leaves it
    lines = [json.loads(line)["key"] for line in (out / ITEMS).read_text().splitlines()]
    assert len(lines) == len(set(lines)) == 40
    assert {k: again[k] for k in ("sets", "all_items")} == {k: whole[k] for k in ("sets", "all_items")}


KILLED = """
import sys, time, pathlib
sys.path.insert(0, {tests!r})
from tests.eval.suites.test_run import config, suite
from eval.suites.run import run_suite
def slow(item, request):
    time.sleep(0.002)
    return "A"
run_suite(config(), suite(300), slow, pathlib.Path({out!r}), versions={{}})
"""


def test_a_run_killed_at_any_moment_ends_with_the_same_figures_and_no_item_twice(tmp_path: Path) -> None:
    root = Path(__file__).resolve().parents[3]
    code = KILLED.format(tests=str(root), out=str(tmp_path / "killed"))
    for _ in range(2):
        process = subprocess.Popen([sys.executable, "-c", code], cwd=root)
        for _ in range(600):
            time.sleep(0.05)
            items = tmp_path / "killed" / ITEMS
            if process.poll() is not None or (items.exists() and items.stat().st_size > 2000):
                break
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
    again = run_suite(config(), suite(300), Asked(), tmp_path / "killed", versions={})
    whole = run_suite(config(), suite(300), Asked(), tmp_path / "whole", versions={})
    lines = [json.loads(line)["key"] for line in (tmp_path / "killed" / ITEMS).read_text().splitlines()]
    assert len(lines) == len(set(lines)) == 300
    assert again["all_items"] == whole["all_items"]


def test_a_folder_of_another_run_is_refused_by_the_settings_that_differ(tmp_path: Path) -> None:
    run_suite(config(), suite(), Asked(), tmp_path, versions={})
    with pytest.raises(SettingsError, match="seed 0 there, 1 now"):
        run_suite(config(seed=1), suite(), Asked(), tmp_path, versions={})
    with pytest.raises(SettingsError, match="needs a search"):
        run_suite(config(system=System.RAG), suite(), Asked(), tmp_path / "r", versions={})


def test_two_runs_are_compared_item_by_item(tmp_path: Path) -> None:
    run_suite(config(), suite(8, case="one"), Asked("A"), tmp_path / "a", versions={})
    run_suite(config(llm="scripted:B"), suite(8, case="one"), Asked("B"), tmp_path / "b", versions={})
    found = compare_runs(tmp_path / "a", tmp_path / "b")
    assert found["differ"] == {"llm": ["scripted", "scripted:B"]}
    assert (found["sets"]["x"]["difference"], found["sets"]["y"]["difference"]) == (1.0, -1.0)
    assert (found["all_items"]["better"], found["all_items"]["worse"]) == (4, 4)
    assert len(found["flips"]) == 8 and "8 items changed" in comparison_markdown(found)
    with pytest.raises(InputError, match="is no run folder"):
        compare_runs(tmp_path, tmp_path / "b")
