"""Hits that say the same thing twice: the better one stays and names the others.

Two texts are near-duplicates when at least nine tenths of their words are common and they agree in every number and
every negation: "80 mg" and "160 mg", or "recommended" and "not recommended", are never one.
What this module does not know: meaning; a paraphrase stays.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from retrieval.bm25 import TOKEN, words
from retrieval.passage import Hit

COMMON_WORDS = 0.9
NEGATIONS = frozenset(("no", "not", "nor", "never", "neither", "none", "without", "cannot", "against"))
Signature = tuple[frozenset[str], tuple[str, ...]]


def signature(text: str) -> Signature:
    """The words of a text, and its numbers and negations in alphabetical order."""
    decisive = [t for t in TOKEN.findall(text.lower()) if t in NEGATIONS or any(c.isdigit() for c in t)]
    return frozenset(words(text)), tuple(sorted(decisive))


def near_duplicates(one: Signature, other: Signature) -> bool:
    """Whether two signatures are of texts that say the same."""
    together = len(one[0] | other[0])
    return one[1] == other[1] and together > 0 and len(one[0] & other[0]) >= COMMON_WORDS * together


def without_near_duplicates(hits: Sequence[Hit]) -> tuple[Hit, ...]:
    """The hits in their order, each near-duplicate of an earlier one left out and named in that one.

    Passages of different patients, or of a patient and a guideline, are never taken together.
    """
    kept: list[Hit] = []
    signatures: list[Signature] = []
    for hit in hits:
        own = signature(hit.passage.text)
        same = next(
            (
                i
                for i, other in enumerate(signatures)
                if kept[i].passage.patient_id == hit.passage.patient_id and near_duplicates(own, other)
            ),
            None,
        )
        if same is None:
            kept.append(hit)
            signatures.append(own)
        else:
            named = (*kept[same].near_duplicates, hit.passage.passage_id)
            kept[same] = replace(kept[same], near_duplicates=named)
    return tuple(kept)
