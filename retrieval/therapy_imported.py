"""Rows a user imported, matched against a patient beside the built-in ones and never merged with them.

Built-in rows are matched alone: no import changes what becomes of them. A statement that names the same drugs,
alteration and disease as a shown row stands as a linked sentence on that row, with its own source and level; every
other matching row of a source is a row of its own, labelled with its source. Rows of another disease (off-label) are
not taken from imports. Not known here: which source is right; where sources are stored (retrieval/therapy_store.py).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from encoders.patient import Patient
from retrieval.passage import TherapyMatch
from retrieval.therapy_links import Link, link_rows, names_same
from retrieval.therapy_rows import level_rank, match_rows
from retrieval.therapy_store import StoredSource

MAX_IMPORTED = 8
"""Rows of imports shown of their own; how many more match is said."""

MAX_LINKS = 4
"""Linked sentences on one row, disagreeing ones first; how many more there are is said."""


def with_imported(
    patient: Patient, built_in: Sequence[TherapyMatch], sources: Sequence[StoredSource]
) -> tuple[tuple[TherapyMatch, ...], tuple[str, ...]]:
    """The built-in matches with their links, then the imported rows; and what was left out, in words.

    Returns
    -------
    Matches: the built-in ones in their order, each with ``links``; then at most MAX_IMPORTED rows that only an import
    has, offered ones first, the strongest level of its own system first. () of imports without sources.
    """
    if not sources:
        return tuple(built_in), ()
    own, said = _own_rows(patient, built_in, sources)
    shown = (*built_in, *own)
    found = link_rows([m.row for m in shown], [s.imported for s in sources])
    linked = tuple(replace(m, links=link_sentences(m, found.get(m.row.row_id, ()))) for m in shown)
    return linked, said


def _own_rows(
    patient: Patient, built_in: Sequence[TherapyMatch], sources: Sequence[StoredSource]
) -> tuple[list[TherapyMatch], tuple[str, ...]]:
    """Matches of imported rows that say something no shown row says: of the same drugs, alteration and disease the
    strongest stands for all, and the others are linked to it, whichever way they point."""
    own: list[TherapyMatch] = []
    said = []
    for source in sources:
        matches = [
            m for m in match_rows(patient, source.imported.positive_rows()) if m.disease_match != "other_disease"
        ]
        matches.sort(key=lambda m: (bool(m.excluded), level_rank(m.row)))
        held = list(built_in)
        new: list[TherapyMatch] = []
        for match in matches:
            if not any(names_same(match.row, other.row) for other in (*held, *own, *new)):
                new.append(match)
        room = max(0, MAX_IMPORTED - len(own))
        own += new[:room]
        if len(new) > room:
            said.append(f"therapy rows of {source.label}: {len(new) - room} more match and are not shown")
    return own, tuple(said)


def link_sentences(match: TherapyMatch, links: Sequence[Link]) -> tuple[str, ...]:
    """What other sources say of the same thing: disagreements first, then by level; at most MAX_LINKS and a count."""
    others = [link for link in links if link.statement.row.row_id != match.row.row_id]
    ordered = sorted(others, key=lambda link: (link.agrees, level_rank(link.statement.row)))
    sentences = [link.sentence() for link in ordered[:MAX_LINKS]]
    if len(ordered) > MAX_LINKS:
        rest = ordered[MAX_LINKS:]
        agreeing = sum(link.agrees for link in rest)
        sentences.append(f"{len(rest)} more linked statements: {agreeing} agree, {len(rest) - agreeing} disagree.")
    return tuple(sentences)
