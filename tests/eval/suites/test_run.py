"""A run: MIRAGE's rules kept, resumed after a kill with the same figures, other settings refused."""

from __future__ import annotations

import json
import math
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from assistant.llm.chat_model import ChatRequest, TextPart
from assistant.llm.openai import OpenAIModel
from encoders.errors import ContractError, InputError, LLMUnreachableError, SettingsError
from eval.grounding_servers import hostile_server
from eval.paced_server import paced_server
from eval.suites.ask import System
from eval.suites.compare import compare_runs, comparison_markdown
from eval.suites.item import Item, Kind, Problem, Suite
from eval.suites.run import ITEMS, METRICS, RunConfig, run_suite
from eval.suites.scripted import Scripted
from eval.suites.tokens import Counted
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
    perfect = run_suite(config(), suite(), Scripted("scripted"), tmp_path / "p")
    constant = run_suite(config(llm="scripted:A"), suite(), Scripted("scripted:A"), tmp_path / "c")
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
    run_suite(config(system=System.RAG), suite(2), asked, tmp_path, search=search)
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
    found = run_suite(config(system=System.ASSISTANT), suite(1), Asked(said), tmp_path, search=search)
    whole = found["all_items"]
    assert (whole["claims"], whole["claims_supported"], whole["citations"]) == (3, 1, 3)
    assert whole["calibration"]["n"] == 1


@pytest.mark.parametrize("parallel", [1, 4])
def test_a_stopped_run_goes_on_and_ends_with_the_same_figures(tmp_path: Path, parallel: int) -> None:
    whole = run_suite(config(), suite(40), Asked(), tmp_path / "whole")
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
            again = run_suite(config(), suite(40), stops, out, parallel=parallel)
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
run_suite(config(), suite(300), slow, pathlib.Path({out!r}))
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
    again = run_suite(config(), suite(300), Asked(), tmp_path / "killed")
    whole = run_suite(config(), suite(300), Asked(), tmp_path / "whole")
    lines = [json.loads(line)["key"] for line in (tmp_path / "killed" / ITEMS).read_text().splitlines()]
    assert len(lines) == len(set(lines)) == 300
    assert again["all_items"] == whole["all_items"]


def test_a_folder_of_another_run_is_refused_by_the_settings_that_differ(tmp_path: Path) -> None:
    run_suite(config(), suite(), Asked(), tmp_path)
    with pytest.raises(SettingsError, match="seed 0 there, 1 now"):
        run_suite(config(seed=1), suite(), Asked(), tmp_path)
    with pytest.raises(SettingsError, match="needs a search"):
        run_suite(config(system=System.RAG), suite(), Asked(), tmp_path / "r")


def test_two_runs_are_compared_item_by_item(tmp_path: Path) -> None:
    run_suite(config(), suite(8, case="one"), Asked("A"), tmp_path / "a")
    run_suite(config(llm="scripted:B"), suite(8, case="one"), Asked("B"), tmp_path / "b")
    found = compare_runs(tmp_path / "a", tmp_path / "b")
    assert found["differ"] == {"llm": ["scripted", "scripted:B"]}
    assert (found["sets"]["x"]["difference"], found["sets"]["y"]["difference"]) == (1.0, -1.0)
    assert (found["all_items"]["better"], found["all_items"]["worse"]) == (4, 4)
    assert len(found["flips"]) == 8 and "8 items changed" in comparison_markdown(found)
    with pytest.raises(InputError, match="is no run folder"):
        compare_runs(tmp_path, tmp_path / "b")


def test_a_server_that_stops_half_way_ends_the_run_with_what_to_do_and_the_rest_is_asked_later(tmp_path: Path) -> None:
    with paced_server(tokens_per_s=1e6) as address, hostile_server("status_500", ()) as broken:
        well = Counted(OpenAIModel(f"{address}/v1#paced-1b", timeout_s=5, retries=0))
        gone = Counted(OpenAIModel(broken, timeout_s=5, retries=0))
        asked = 0

        def reply(item: Item, request: ChatRequest) -> str:
            nonlocal asked
            asked += 1
            return (well if asked < 4 else gone)(item, request)

        with pytest.raises(LLMUnreachableError, match="does not answer") as stopped:
            run_suite(config(), suite(6), reply, tmp_path)
    said = " ".join(stopped.value.__notes__)
    assert "It stopped at item x/3." in said and "3 of 6 items are answered and kept" in said
    again = run_suite(config(), suite(6), Asked(), tmp_path)
    assert again["all_items"]["n"] == 6 and again["all_items"]["no_answer"] == 3  # the server's claims answer nothing


def test_an_item_the_backend_cannot_take_is_counted_and_the_others_go_on(tmp_path: Path) -> None:
    def reply(item: Item, request: ChatRequest) -> str:
        if item.id == "2":
            raise ContractError("the prompt has 9000 tokens, toy reads 512")
        return "A"

    found = run_suite(config(), suite(4), reply, tmp_path)
    assert (found["items_refused_by_the_backend"], found["all_items"]["no_answer"]) == (1, 1)
    held = {line["key"]: line for line in map(json.loads, (tmp_path / ITEMS).read_text().splitlines())}
    assert "9000 tokens" in held["y/2"]["refused"]
    assert "1 items could not be given to this backend" in (tmp_path / "summary.md").read_text()


def test_found_texts_documents_and_tokens_stand_in_each_items_line(tmp_path: Path) -> None:
    def search(query: Query) -> tuple[Hit, ...]:
        return (Hit(Passage("p1", "Parity", "Two is even.", "Two is even.", "a book", pmid="7"), 1.0, {"bm25": 1}),)

    found = run_suite(config(system=System.RAG), suite(2, documents=("7", "8")), Asked(), tmp_path, search=search)
    line = json.loads((tmp_path / ITEMS).read_text().splitlines()[0])
    assert line["passages"] == [{"id": "p1", "title": "Parity", "text": "Two is even."}]
    assert line["retrieval"] == pytest.approx(
        {"recall_at_1": 1.0, "recall_at_5": 0.5, "ndcg_at_5": 1 / (1 + 1 / math.log2(3)), "reciprocal_rank": 1.0}
    )
    assert line["tokens"] == {"prompt": 0, "completion": 0, "uncounted": 1}
    assert found["retrieval"]["recall_at_5"]["mean"] == 0.5 and found["cost"]["answers_without_a_count"] == 2
    assert "Retrieval" in (tmp_path / "run.html").read_text()


def test_a_long_case_reaches_the_assistant_whole(tmp_path: Path) -> None:
    asked = Asked()
    told = " ".join(f"finding{i}" for i in range(900))
    run_suite(config(system=System.ASSISTANT), suite(1, given=told), asked, tmp_path, search=lambda _: ())
    assert all(f"finding{i}" in text_of(asked.requests[0]) for i in range(900))
