"""Contradictions as "conflict" evidence: both sides in words, each with its source and place.

Not known here: how they are found (assistant/contradictions.py), which side is right.
"""

from __future__ import annotations

from collections.abc import Iterator

from assistant.collect_draft import Draft, located, neutralise, word
from assistant.contradictions import Contradiction, find_contradictions
from assistant.evidence import EvidenceSource
from encoders.patient import Patient, SourceLocator
from encoders.prediction import PatientPrediction

STATEMENT_CHARACTERS = 600
"""Room for both sides with their files."""


def conflict_statement(found: Contradiction) -> str:
    """The statement as the ledger holds it."""
    return neutralise(found.statement, limit=STATEMENT_CHARACTERS)


def draft_conflicts(patient: Patient, prediction: PatientPrediction) -> Iterator[Draft]:
    """One draft per contradiction; its source is the first side's place, followed by the other's."""
    for found in find_contradictions(patient, prediction):
        fields = {
            "statement": word(conflict_statement(found)),
            "first": word(neutralise(found.first)),
            "second": word(neutralise(found.second)),
        }
        yield Draft("conflict", fields["statement"].display, fields, _source(found), rank=95, label=found.kind)


def _source(found: Contradiction) -> EvidenceSource:
    held = [s for s in found.sources if s is not None]
    if len(held) < 2:
        return located(held[0] if held else None)
    first, second = held
    against = f"against {second.file} {second.place}".strip()
    return located(SourceLocator(first.file, f"{first.place}; {against}" if first.place else against))
