"""Chat events become the text a reader sees: sentences with their citations, steps as a note, refusals counted."""

from __future__ import annotations

from app.chat_events import AnswerText, event_to_dict
from assistant.chat_events import ChatEvent
from assistant.claim import Verdict


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


def test_an_event_is_json_with_plain_words() -> None:
    found = event_to_dict(ChatEvent("claim", "Yes.", ("M1",), Verdict.SUPPORTED, "held by M1"))
    assert found == {
        "kind": "claim",
        "text": "Yes.",
        "citations": ["M1"],
        "verdict": "SUPPORTED",
        "reason": "held by M1",
    }
