"""Chat events become the text a reader sees: sentences with their citations, steps as a note, refusals counted."""

from __future__ import annotations

import json
from types import SimpleNamespace

import pytest

from app.chat_events import AnswerText, event_to_dict
from app.terminal_chat import open_source
from assistant.chat_events import ChatEvent
from assistant.claim import Verdict
from assistant.evidence import EVIDENCE_FIELDS, Evidence, EvidenceKind, EvidenceSource, Field, Ledger


def test_sentences_carry_their_citations_and_steps_are_only_a_note() -> None:
    text = AnswerText()
    text.add(ChatEvent("step", "searching the evidence"))
    assert (text.shown(), text.note()) == ("", "searching the evidence")
    text.add(ChatEvent("claim", "EGFR p.L858R was found.", ("M1", "G2"), Verdict.SUPPORTED))
    text.add(ChatEvent("claim", "The margin is spiculated.", ("I3",), Verdict.SUPPORTED))
    text.add(ChatEvent("done"))
    assert text.shown() == "EGFR p.L858R was found. [M1] [G2]\nThe margin is spiculated. [I3]"
    assert (text.note(), text.final_note()) == ("", "")


def test_what_was_withheld_is_counted_and_never_shown() -> None:
    text = AnswerText()
    text.add(ChatEvent("withheld", "Give zolcantinib.", ("M1",), Verdict.UNSUPPORTED, "no such drug"))
    text.add(ChatEvent("abstain", "The evidence of this case does not answer that; a PET would."))
    assert text.shown() == "The evidence of this case does not answer that; a PET would."
    assert text.final_note().startswith("1 sentence was withheld")


def supposed(kind: str) -> Evidence:
    fields = {"change": Field("if the stage were IV", "if the stage were IV")}
    letter, source = EVIDENCE_FIELDS[kind][0], EvidenceSource(row_id="row-1")
    return Evidence(f"{letter}9", EvidenceKind(letter), kind, "Hypothetical, if ...", fields, source)


@pytest.mark.parametrize(
    ("kind", "by"),
    [("hypothetical_risk", "survival model predicted again"), ("hypothetical_therapy", "rows were matched again")],
)
def test_added_evidence_says_how_it_was_computed(kind: str, by: str) -> None:
    item = supposed(kind)
    text = AnswerText()
    text.add(ChatEvent("evidence", item.text, (item.id,), evidence=item))
    (added,) = text.added()
    assert by in added["how"] and "changed as supposed (if the stage were IV)" in added["how"]
    assert json.loads(json.dumps(added))["source"] == {"row_id": "row-1"}
    assert event_to_dict(ChatEvent("evidence", item.text, (item.id,), evidence=item))["evidence"] == added
    opened = open_source(SimpleNamespace(ledger=Ledger(())), item.id, {item.id: item})
    assert by in opened


def test_an_event_is_json_with_plain_words() -> None:
    found = event_to_dict(ChatEvent("claim", "Yes.", ("M1",), Verdict.SUPPORTED, "held by M1"))
    assert found == {
        "kind": "claim",
        "text": "Yes.",
        "citations": ["M1"],
        "verdict": "SUPPORTED",
        "reason": "held by M1",
    }
