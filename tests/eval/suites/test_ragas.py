"""RAGAS's fields written from a run, its scores read back: matched by item, NaN counted and never dropped."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from assistant.llm.chat_model import ChatRequest
from encoders.errors import InputError
from eval.suites.ask import System
from eval.suites.folder import RunConfig
from eval.suites.item import Item, Kind, Suite
from eval.suites.ragas import export_ragas, import_ragas
from eval.suites.run import run_suite
from retrieval.passage import Hit, Passage, Query


def search(query: Query) -> tuple[Hit, ...]:
    return (Hit(Passage("p1", "Title", "What was found.", "What was found.", "a book"), 1.0, {"bm25": 1}),)


def answer(item: Item, request: ChatRequest) -> str:
    return '{"answer_choice": "B"}'


@pytest.fixture
def run(tmp_path: Path) -> Path:
    items = tuple(
        Item("s", str(i), "The same?", Kind.CHOICE, {"A": "yes", "B": "no"}, ("B",), contexts=("gold",) if i else ())
        for i in range(3)
    )
    config = RunConfig("cases", "d", "hash", System.RAG, "scripted")
    run_suite(config, Suite("cases", items, (), "hash"), answer, tmp_path / "run", search=search)
    return tmp_path / "run"


def exported(run: Path) -> list[dict]:
    counts = export_ragas(run, run.parent / "ragas.jsonl")
    assert counts == {"items": 3, "without_contexts": 0, "without_reference": 0, "without_response": 0}
    return [json.loads(line) for line in (run.parent / "ragas.jsonl").read_text().splitlines()]


def test_every_field_is_written_and_the_texts_that_were_retrieved_are_in_it(run: Path) -> None:
    first, second, _ = exported(run)
    assert first == {
        "key": "s/0", "user_input": "The same?\nA. yes\nB. no", "response": '{"answer_choice": "B"}',
        "retrieved_contexts": ["What was found."], "reference": "B. no",
    }  # fmt: skip
    assert second["reference_contexts"] == ["gold"]


def test_scores_are_read_by_key_and_nan_is_counted(run: Path) -> None:
    rows = exported(run)
    scores = [{"faithfulness": 1.0}, {"faithfulness": float("nan")}, {"faithfulness": 0.5}]
    table = run.parent / "scored.jsonl"
    table.write_text("\n".join(json.dumps(r | s | {"remark": "x"}) for r, s in zip(rows, scores, strict=True)))
    found = import_ragas(run, table)
    f = found["metrics"]["faithfulness"]
    assert (f["n"], f["nan"], f["missing"], f["mean"]) == (2, 1, 0, pytest.approx(0.75, abs=1e-9))
    assert found["columns_without_a_score"] == ["remark"]
    assert "| faithfulness | 2 | 1 | 0 | 0.750 |" in (run / "summary.md").read_text()
    assert json.loads((run / "metrics.json").read_text())["ragas"]["metrics"]["faithfulness"]["nan"] == 1


def test_a_csv_without_keys_is_matched_by_question_and_answer_and_a_stranger_is_counted(run: Path) -> None:
    row = exported(run)[0]
    quoted = ",".join('"' + row[k].replace('"', '""') + '"' for k in ("user_input", "response"))
    lines = ["user_input,response,faithfulness,context_recall", f"{quoted},0.2,", f"{quoted},0.4,nan", "other,x,1,1"]
    (run.parent / "scored.csv").write_text("\n".join(lines))
    found = import_ragas(run, run.parent / "scored.csv")
    assert found["unmatched_rows"] == 1
    f = found["metrics"]["faithfulness"]
    assert (f["n"], f["missing"], f["mean"]) == (2, 1, pytest.approx(0.3, abs=1e-9))
    assert (found["metrics"]["context_recall"]["n"], found["metrics"]["context_recall"]["nan"]) == (0, 2)


def test_a_table_of_no_use_is_refused(run: Path, tmp_path: Path) -> None:
    table = tmp_path / "t.jsonl"
    for text, said in (
        ('{"key": "s/9", "faithfulness": 1}', "none of its 1 rows"),
        ('{"key": "s/0", "remark": "good"}', "no column of scores"),
        ('{"key": "s/0", "f": 1}\n{"key": "s/0", "f": 1}', "names item s/0 twice"),
        ('{"key": "s/0", "f": 1}\n{"key": "s/1", "f": "good"}', "f of s/1 is 'good'"),
        ("{", "neither CSV, JSON nor JSON lines"),
    ):
        table.write_text(text)
        with pytest.raises(InputError, match=said):
            import_ragas(run, table)
    with pytest.raises(InputError, match="no finished run folder"):
        export_ragas(tmp_path, tmp_path / "x")
