"""Added passages among the ones found: a place for the best of them, and the sentence that fits the question.

Not known here: searching (retrieval/search.py); a passage below the relevance floor never gets here.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from retrieval.document_split import quotable_sentences
from retrieval.knowledge_store import Loaded
from retrieval.passage import Hit

ADDED_PLACES = (1, 3)
"""Where the best added passages stand (0 = first) when fewer of them are among the best: a person added them to be
read, and the built-in ones are always there to outnumber them. The best built-in passage stays first."""


def is_added(hit: Hit) -> bool:
    """Whether a hit is of a document that somebody added."""
    return hit.passage.document_id is not None


def with_added(best: Sequence[Hit], added: Sequence[Hit], *, limit: int) -> tuple[Hit, ...]:
    """The best hits with at least ``len(ADDED_PLACES)`` added ones among the first, where there are as many.

    best, added : best first; added ones may stand in both. At most ``limit`` come back, each once.
    """
    front = [h.passage.passage_id for h in best[: max(ADDED_PLACES) + 1] if is_added(h)]
    wanted = [h for h in added if h.passage.passage_id not in front][: max(0, len(ADDED_PLACES) - len(front))]
    moved = {h.passage.passage_id for h in wanted}
    order = [h for h in best if h.passage.passage_id not in moved]
    for place, hit in zip(ADDED_PLACES[len(ADDED_PLACES) - len(wanted) :], wanted, strict=True):
        order.insert(place, hit)
    return tuple(order[:limit])


def quoting_for(hit: Hit, question: NDArray[np.float32], encode: Callable[[Sequence[str]], NDArray[np.float32]]) -> Hit:
    """The hit with the sentence nearest to the question (D,) as its statement; built-in and notes stay as they are."""
    passage = hit.passage
    if passage.document_id is None or passage.patient_id is not None:
        return hit
    sentences = quotable_sentences(passage.text)
    if len(sentences) < 2:
        return hit
    nearest = int(np.argmax(encode(sentences) @ question))
    return replace(hit, passage=replace(passage, statement=sentences[nearest]))


def of_unquoted_documents(
    loaded: Loaded, found: Sequence[Hit], questions: NDArray[np.float32], *, limit: int
) -> tuple[tuple[Hit, ...], int]:
    """The passage nearest to any question (Q, D) of each document that nothing was found of, and how many are left.

    A letter added for a patient is about that patient whatever the floor says; at most ``limit`` are taken so.
    """
    seen = {h.passage.document_id for h in found}
    nearest = (loaded.vectors @ questions.T).max(axis=1) if loaded.passages else np.zeros(0)
    best: dict[str | None, int] = {}
    for place, passage in enumerate(loaded.passages):
        if passage.document_id not in seen:
            other = best.setdefault(passage.document_id, place)
            best[passage.document_id] = place if nearest[place] > nearest[other] else other
    order = sorted(best.values(), key=lambda place: -float(nearest[place]))
    hits = tuple(Hit(loaded.passages[place], float(nearest[place]), {}) for place in order[:limit])
    return hits, len(order) - len(hits)
