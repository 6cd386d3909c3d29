"""What notes say against every other source, and two notes against each other where the record is silent.

Found by narrow patterns over clauses (assistant/contradictions_scope.py): a sentence that doubts, asks, plans, quotes
family history or speaks of the past is left alone, so a contradiction may be missed rather than invented. Where a thing
can change and the note is older than the fact, or of another time than the scan, nothing is reported.

Not known here: which side is right.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from assistant.contradictions_genes import find_gene_state, find_variant
from assistant.contradictions_lesions import find_image_side, find_measurable, find_number, find_size
from assistant.contradictions_markers import find_biomarkers
from assistant.contradictions_person import find_age, find_sex, find_side
from assistant.contradictions_scope import Case, Clause, Disagreement, clauses, placed
from assistant.contradictions_treatment import find_treatment
from assistant.contradictions_tumour import (
    decides_histology,
    find_histology,
    find_stage,
    histologies_agree,
    stated_histologies,
)
from encoders.patient import Note, SourceLocator

Find = Callable[[Case, Clause, Note], Iterator[Disagreement]]

FINDERS: tuple[Find, ...] = (
    find_stage, find_treatment, find_histology, find_variant, find_gene_state, find_biomarkers, find_side,
    find_image_side, find_number, find_size, find_measurable, find_sex, find_age,
)  # fmt: skip
"""Every check of one clause, most consequential first."""


def note_name(note: Note) -> str:
    """ "the note of 2024-05-06", or the note by its file."""
    return f"the note of {note.date}" if note.date else "the note"


def note_place(note: Note, clause: Clause) -> SourceLocator:
    """The file and line of a clause."""
    line = f"line {clause.line}"
    return SourceLocator(note.source.file, f"{note.source.place}, {line}" if note.source.place else line)


def note_disagreements(case: Case) -> Iterator[tuple[Note, Clause, Disagreement]]:
    """Every disagreement of the patient's notes with another source, by kind of check, each statement once."""
    read = [(note, list(clauses(note.text))) for note in case.patient.notes]
    seen: set[tuple[str, str]] = set()
    for find in FINDERS:
        for note, parts in read:
            for clause in parts:
                for found in find(case, clause, note):
                    if (found.kind, found.said) not in seen:
                        seen.add((found.kind, found.said))
                        yield note, clause, found
    if not decides_histology(case.patient):
        yield from _two_notes(case, read)


def _two_notes(case: Case, read: list[tuple[Note, list[Clause]]]) -> Iterator[tuple[Note, Clause, Disagreement]]:
    """The first pair of notes that name two histologies the record does not choose between."""
    stated = [
        (note, clause, words, codes)
        for note, parts in read
        for clause in parts
        for words, codes in stated_histologies(case.patient, clause)
    ]
    for i, (note, clause, words, codes) in enumerate(stated):
        for other_note, other_clause, other_words, other_codes in stated[i + 1 :]:
            if other_note is not note and not histologies_agree(codes, other_codes):
                source = note_place(other_note, other_clause)
                other = f"{placed(note_name(other_note), source)} says {other_words}"
                yield note, clause, Disagreement("histology", "the histology", words, other, source, "another note")
                return
