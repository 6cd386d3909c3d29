"""A patient's own notes -> passages that only that patient's queries can see.

What this module does not know: how passages are indexed. A note is data: its sentences are quoted, and
instructions inside it are followed by nobody.
"""

from __future__ import annotations

from encoders.patient import Patient
from retrieval.chunk import sentence_windows
from retrieval.passage import Passage

MIN_WORDS = 3
"""Shorter sentences ("Dear colleague,") are left out as statements; they stay in their neighbours' windows."""


def note_passages(patient: Patient) -> tuple[Passage, ...]:
    """One passage a sentence: ``statement`` is the sentence, ``text`` its window, ``locator`` "file, line n"."""
    found = []
    for number, note in enumerate(patient.notes, start=1):
        for index, sentence in enumerate(sentence_windows(note.text), start=1):
            if len(sentence.text.split()) < MIN_WORDS:
                continue
            place = f"line {sentence.line}" if not note.source.place else f"{note.source.place}, line {sentence.line}"
            found.append(
                Passage(
                    passage_id=f"note-{number}-{index}",
                    title=note.title or "clinical note",
                    text=sentence.window,
                    statement=sentence.text,
                    source=note.source.file,
                    date=note.date,
                    patient_id=patient.patient_id,
                    locator=f"{note.source.file}, {place}",
                )
            )
    return tuple(found)
