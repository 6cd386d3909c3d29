"""Notes to sentences: where they end, and on which line they start."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from encoders.patient import Note, Patient, SourceLocator
from retrieval.chunk import sentence_windows, split_sentences
from retrieval.notes import note_passages


def test_sentences_and_lines() -> None:
    text = (
        "Seen by Dr. Smith. The mass is 3.2 cm\nacross and stable.\n\n"
        "- Cough better\n- ECOG 1 today\nPlan: osimertinib."
    )
    found = sentence_windows(text)
    assert [(s.text, s.line) for s in found] == [
        ("Seen by Dr. Smith.", 1),
        ("The mass is 3.2 cm across and stable.", 1),
        ("- Cough better", 4),
        ("- ECOG 1 today", 5),
        ("Plan: osimertinib.", 6),
    ]
    assert found[2].window == "The mass is 3.2 cm across and stable. - Cough better - ECOG 1 today"


@given(st.text(alphabet=st.characters(codec="utf-8", exclude_categories=("Cs",)), max_size=200))
def test_no_word_is_lost_or_invented(text: str) -> None:
    assert " ".join(split_sentences(text)).split() == text.split()


def test_note_passages_quote_and_locate() -> None:
    note = Note(
        "Dear all,\nThe tumour has grown since May.", SourceLocator("notes/a.txt"), date="2025-05-01", title="Letter"
    )
    passages = note_passages(Patient("p1", notes=(note,)))
    assert [p.statement for p in passages] == ["Dear all, The tumour has grown since May."]
    assert passages[0].locator == "notes/a.txt, line 1"
    assert (passages[0].patient_id, passages[0].date, passages[0].title) == ("p1", "2025-05-01", "Letter")


def test_an_empty_note_gives_no_passage() -> None:
    assert note_passages(Patient("p1", notes=(Note(" \n ", SourceLocator("a.txt")),))) == ()
