"""The held-out questions stay as frozen, and only a sentence that cites and says what was asked is an answer."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from assistant.chat_events import ChatEvent
from assistant.claim import Verdict
from assistant.evidence import Evidence, EvidenceKind, EvidenceSource, Field
from assistant.lm_questions import TOPICS, UNKNOWNS
from encoders.errors import ContractError
from eval.llm_questions import (
    FIRST,
    SECOND,
    THIRD,
    HeldOutQuestion,
    Wanted,
    judge_answer,
    load_held_out_questions,
    unheld,
)


def lesion(evidence_id: str, diameter: str, volume: str = "4.9 mL") -> Evidence:
    fields = {"series": Field("CT", "CT"), "longest_diameter": Field(1, diameter), "volume": Field(1, volume)}
    return Evidence(evidence_id, EvidenceKind.IMAGE, "lesion", "text", fields, EvidenceSource())


SIZE = HeldOutQuestion(FIRST, 0, "finding", "How wide?", (Wanted("lesion", {}, ("longest_diameter",)),))
UNASKABLE = HeldOutQuestion(FIRST, 0, "unanswerable", "Does she sing?", ())


def said(text: str, *citations: str, kind: str = "claim", verdict: Verdict = Verdict.SUPPORTED) -> ChatEvent:
    return ChatEvent(kind, text, citations, verdict)


def test_the_rounds_have_their_questions_and_training_saw_none() -> None:
    questions = load_held_out_questions()
    counts = Counter((q.round, bool(q.wanted)) for q in questions)
    sizes = {FIRST: (200, 60), SECOND: (60, 29), THIRD: (100, 45)}
    assert counts == {(name, can): n[not can] for name, n in sizes.items() for can in (True, False)}
    taught = {q for t in TOPICS.values() for q in t.questions} | {q for u in UNKNOWNS for q in u.questions}
    assert not {q.question.lower().strip(" ?.") for q in questions} & taught
    rounds = Counter(words for name in sizes for words in {q.question.lower() for q in questions if q.round == name})
    assert max(rounds.values()) == 1


def test_an_answer_cites_what_answers_and_says_the_value() -> None:
    held = [lesion("I1", "24 mm"), lesion("I2", "15 mm")]
    assert judge_answer(SIZE, [said("It measures 24 mm.", "I1")], held).ok
    assert judge_answer(SIZE, [said("Aged 66.", "F1"), said("It measures 15 mm.", "I2")], held).ok


@pytest.mark.parametrize(
    "event",
    [
        said("The volume is 4.9 mL.", "I1"),  # true, but not what was asked
        said("It measures 24 mm.", "F1"),  # the value without its evidence
        said("It measures 15 mm.", "I1"),  # of the other lesion
        said("It measures 124 mm.", "I1"),
        said("It measures 24 mm.", "I1", kind="withheld", verdict=Verdict.UNSUPPORTED),
        said("No evidence; a scan would.", kind="abstain"),
    ],
)
def test_anything_else_is_no_answer(event: ChatEvent) -> None:
    assert not judge_answer(SIZE, [event], [lesion("I1", "24 mm"), lesion("I2", "15 mm")]).ok


def test_a_condition_on_a_field_chooses_the_evidence() -> None:
    of_pet = Wanted("lesion", {"series": "PET"}, ("longest_diameter",))
    question = HeldOutQuestion(FIRST, 0, "finding", "On PET?", (of_pet,))
    assert not judge_answer(question, [said("It measures 24 mm.", "I1")], [lesion("I1", "24 mm")]).ok
    assert unheld(question, [lesion("I1", "24 mm")]) and not unheld(SIZE, [lesion("I1", "24 mm")])


def test_refusing_means_printing_nothing() -> None:
    assert judge_answer(UNASKABLE, [said("A note would.", kind="abstain")], []).ok
    assert not judge_answer(UNASKABLE, [said("It measures 24 mm.", "I1")], [lesion("I1", "24 mm")]).ok


def test_evidence_a_tool_added_can_answer() -> None:
    added = ChatEvent("evidence", "text", ("I9",), evidence=lesion("I9", "31 mm"))
    assert judge_answer(SIZE, [added, said("It measures 31 mm.", "I9")], []).ok


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("first\t0\tfinding\tHow wide?", "parted by tabs"),
        ("fourth\t0\tfinding\tHow wide?\t-", "parted by tabs"),
        ("first\t0\tfinding\tHow wide?\tlesions:volume", "types:"),
        ("first\t0\tfinding\tHow wide?\tlesion:weight", "no field"),
        ("first\t0\tfinding\tHow wide?\t-\nfirst\t0\tfinding\tHow wide?\t-", "stand twice"),
    ],
)
def test_a_table_that_cannot_be_judged_is_refused(line: str, message: str, tmp_path: Path) -> None:
    table = tmp_path / "questions.tsv"
    table.write_text(line + "\n", encoding="utf-8")
    with pytest.raises(ContractError, match=message):
        load_held_out_questions(table)
