"""Questions are read in the published form, and no answer is told from a wrong one."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from encoders.errors import InputError
from eval.questions import extract_answer, load_questions

OPTIONS = {"A": "yes", "B": "no", "C": "maybe"}
MIRAGE = Path(__file__).resolve().parents[3] / "shared/data/open/qa/mirage/benchmark.json"


@pytest.mark.parametrize(
    ("text", "letter"),
    [
        ('{"answer_choice": "B"}', "B"),
        ('```json\n{"step_by_step_thinking": "A is wrong", "answer_choice": "C"}\n```', "C"),
        ("The answer is (A).", "A"),
        ("Answer: b", "B"),
        ("First I thought the answer is A. No: the answer is B", "B"),
        ("B", "B"),
        ("B. no", "B"),
        ("maybe", "C"),
        ("No.", "B"),
    ],
)
def test_a_settled_answer_is_found(text: str, letter: str) -> None:
    assert extract_answer(text, OPTIONS) == letter


@pytest.mark.parametrize(
    "text",
    [
        "",
        "I cannot say.",
        "A patient with cancer should be seen.",
        "answer: E",
        "yes and no",
        "The answer is uncertain",
        "A or B",
        '{"answer_choice": "Z"}',
        "Answer: Both",
        "I'd say an answer is a matter of taste",
    ],
)
def test_no_settled_answer_is_none(text: str) -> None:
    assert extract_answer(text, OPTIONS) is None


def test_a_repeated_option_text_is_ambiguous() -> None:
    assert extract_answer("same", {"A": "same", "B": "same"}) is None


def write(path: Path, content: object) -> Path:
    path.write_text(json.dumps(content), encoding="utf-8")
    return path


def test_questions_come_in_file_order_and_limited_to_datasets(tmp_path: Path) -> None:
    item = {"question": "q", "options": OPTIONS, "answer": "A"}
    path = write(tmp_path / "b.json", {"x": {"2": item, "1": item}, "y": {"3": item}})
    assert [q.id for q in load_questions(path)] == ["2", "1", "3"]
    assert [q.id for q in load_questions(path, datasets=("y",))] == ["3"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"x": {"1": {"question": "q", "options": OPTIONS, "answer": "D"}}}, "answer 'D' must be one of"),
        ({"x": {"1": {"question": "q", "answer": "A"}}}, "needs question, options and answer"),
        ([1], "another JSON shape"),
        ({"x": {}}, "holds no question"),
    ],
)
def test_a_file_of_another_form_is_refused(tmp_path: Path, content: object, message: str) -> None:
    with pytest.raises(InputError, match=message):
        load_questions(write(tmp_path / "b.json", content))


def test_an_unknown_dataset_names_those_there_are(tmp_path: Path) -> None:
    path = write(tmp_path / "b.json", {"x": {"1": {"question": "q", "options": OPTIONS, "answer": "A"}}})
    with pytest.raises(InputError, match=r"no dataset \['z'\]; it holds x"):
        load_questions(path, datasets=("z",))


@pytest.mark.skipif(not MIRAGE.exists(), reason="the shared real data (qa/mirage) is not beside the project")
def test_the_published_file_loads_whole() -> None:
    questions = load_questions(MIRAGE)
    assert len(questions) == 5106
    assert {q.dataset for q in questions} == {"medqa", "medmcqa", "pubmedqa", "bioasq", "mmlu"}
    for q in questions:  # each gold answer, said in each accepted form, is read back
        assert extract_answer(f'{{"answer_choice": "{q.answer}"}}', q.options) == q.answer
