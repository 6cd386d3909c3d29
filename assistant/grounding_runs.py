"""Where a claim follows the wording of evidence, and what it changed there.

Both texts become sequences of symbols (articles and punctuation left out, words of one direction equal). For every
place in the claim and every place in the evidence the length of the equal run before and after is known; a short
stretch that differs between two equal runs is a ``Change``. Runs are measured in words that carry meaning: a neutral
word counts a half, a common start or end of a sentence counts one.

What this module does not know: which changes matter (grounding_quotes.py).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from assistant.grounding_evidence import NEUTRAL_KEYS, pole_of
from assistant.grounding_words import KEYED_GROUPS
from assistant.normalise import Token, TokenKind, tokenise, word_key

MAX_CHANGE = 3
"""Longest stretch, in symbols on either side, that is looked at as one change."""

_MIN_SIDE, _MIN_RUN = 1.0, 3.0
_NEUTRAL_WEIGHT = 0.5
_VERBATIM_RUN, _VERBATIM_SIDE = 5.0, 1.0
_SENTENCE_ENDS = frozenset(".;:!?")
_DROPPED = frozenset(["a", "an", "the"])
_SAME = {
    **dict.fromkeys(("be", "is", "are", "was", "were", "been", "being"), "be"),
    **dict.fromkeys(("may", "might", "could"), "may"),
    **dict.fromkeys(("over", "versu", "versus", "vs", "than"), "versus"),
    **dict.fromkeys(("tumour", "cancer", "disease"), "tumour"),
}
_REFUSED = ("offer", 1)  # "excluded" and "not eligible" differ in no strength
_COMPARED = word_key("compared")


@dataclass(frozen=True)
class Words:
    """symbols and surfaces of one text; places : index of each symbol's token; weights : (n,) float;
    opens : (n + 1,) bool, True where a sentence starts (or the text ends) before symbol i."""

    symbols: tuple[str, ...]
    surfaces: tuple[str, ...]
    places: tuple[int, ...]
    weights: NDArray[np.float64]
    opens: NDArray[np.bool_]


@dataclass(frozen=True)
class Change:
    """said : symbols of the claim from ``start``; held : what the evidence has there; run : equal words around.

    reach : the claim's symbols from the first of the run before to the last of the run after, as a range
    at_edge : one side of it is only the start or end of both sentences; wording : both sides as written
    """

    start: int
    said: tuple[str, ...]
    held: tuple[str, ...]
    run: float
    reach: range
    at_edge: bool
    wording: tuple[str, str]


def symbol(token: Token) -> str | None:
    """The symbol of one token; None for what is left out."""
    if token.kind is TokenKind.BREAK or token.key in _DROPPED or token.surface.lower() in _DROPPED:
        return None
    pole = pole_of(token)
    if pole is not None and (pole[0] not in KEYED_GROUPS or pole == _REFUSED):
        return f"pole:{pole[0]}:{pole[1]}"
    return _SAME.get(token.key, token.key) if token.kind is TokenKind.WORD else token.key


def sequence(tokens: Sequence[Token], *, edges: bool = True) -> Words:
    """The symbols of ``tokens``; "compared with" is one symbol, as "over" is. Without ``edges`` no sentence starts."""
    symbols: list[str] = []
    places: list[int] = []
    opens: list[bool] = []
    opening = True
    for i, token in enumerate(tokens):
        if token.kind is TokenKind.BREAK:
            opening = opening or token.key in _SENTENCE_ENDS
            continue
        found = symbol(token)
        if found is None:
            continue
        if found in ("with", "to") and symbols and symbols[-1] == _COMPARED:
            symbols[-1] = "versus"
            continue
        symbols.append(found)
        places.append(i)
        opens.append(opening)
        opening = False
    weights = np.array([_NEUTRAL_WEIGHT if s in NEUTRAL_KEYS or s == "be" else 1.0 for s in symbols])
    surfaces = tuple(tokens[i].surface for i in places)
    return Words(tuple(symbols), surfaces, tuple(places), weights, np.array([*opens, True]) & edges)


@lru_cache(maxsize=4096)
def text_sequence(text: str, *, edges: bool = True) -> Words:
    """``sequence`` of an evidence text, kept."""
    return sequence(tokenise(text), edges=edges)


@dataclass(frozen=True)
class Runs:
    """Equal runs between a claim (n symbols) and a text (m symbols).

    equal : (n, m) bool; before : (n + 1, m + 1) float, weight of the equal run that ends just before (i, j);
    after : (n + 1, m + 1) float, weight of the equal run that starts at (i, j)
    edge : (n + 1, m + 1) bool, a sentence of both starts or ends there
    """

    claim: Words
    text: Words
    equal: NDArray[np.bool_]
    before: NDArray[np.float64]
    after: NDArray[np.float64]
    edge: NDArray[np.bool_]


def runs(claim: Words, text: Words) -> Runs:
    """All equal runs of two sequences; O(n m)."""
    n, m = len(claim.symbols), len(text.symbols)
    names = {s: k for k, s in enumerate(dict.fromkeys((*claim.symbols, *text.symbols)))}
    first = np.array([names[s] for s in claim.symbols], dtype=np.int64)
    second = np.array([names[s] for s in text.symbols], dtype=np.int64)
    equal = first[:, None] == second[None, :]
    edge = claim.opens[:, None] & text.opens[None, :]
    shared = edge.astype(np.float64)  # a common edge of a sentence counts one
    before, after = shared.copy(), shared.copy()
    for i in range(n):
        before[i + 1, 1:] = np.where(equal[i], before[i, :-1] + claim.weights[i], shared[i + 1, 1:])
    for i in range(n - 1, -1, -1):
        after[i, :-1] = np.where(equal[i], after[i + 1, 1:] + claim.weights[i], shared[i, :-1])
    assert before.shape == (n + 1, m + 1)
    return Runs(claim, text, equal, before, after, edge)


def verbatim_places(found: Runs) -> frozenset[int]:
    """Token indices of the claim that stand inside a long equal run, not at its very edge."""
    n, m = found.equal.shape
    if not n or not m:
        return frozenset()
    inside = (
        found.equal
        & (found.before[:-1, :-1] + found.after[1:, 1:] >= _VERBATIM_RUN)
        & (np.minimum(found.before[:-1, :-1], found.after[1:, 1:]) >= _VERBATIM_SIDE)
    )
    return frozenset(found.claim.places[i] for i in np.nonzero(inside.any(axis=1))[0])


def longest_run(found: Runs, place: int) -> float:
    """Weight of the longest equal run that holds the claim's token at ``place``; 0.0 where none does."""
    if place not in found.claim.places:
        return 0.0
    i = found.claim.places.index(place)
    through = found.before[i, :-1] + found.claim.weights[i] + found.after[i + 1, 1:]
    return float(np.where(found.equal[i], through, 0.0).max(initial=0.0))


def changes(found: Runs, licences: Sequence[Runs]) -> Iterator[Change]:
    """Short stretches that differ between equal runs, unless a text of ``licences`` holds them as they are.

    A stretch is held as it is when some text has the same words there with at least as long an equal run around.
    """
    n, m = found.equal.shape
    for p in range(MAX_CHANGE + 1):
        if p > n:
            break
        licence: NDArray[np.float64] | None = None
        for q in range(MAX_CHANGE + 1):
            if p + q == 0 or q > m:
                continue
            left = found.before[: n + 1 - p, : m + 1 - q]
            right = found.after[p:, q:]
            run = left + right
            hit = run >= _MIN_RUN + max(p, q)
            if not hit.any():
                continue
            hit &= np.minimum(left, right) >= _MIN_SIDE
            if licence is None:
                licence = _licence(p, licences)
            hit &= run > licence[:, None]
            for i, j in zip(*np.nonzero(hit), strict=True):
                said, held = found.claim.symbols[i : i + p], found.text.symbols[j : j + q]
                shares_end = bool(said and held) and (said[0] == held[0] or said[-1] == held[-1])
                shifted = i > 0 and not held and said[-1] == found.claim.symbols[i - 1]
                if not shares_end and not shifted:  # a shorter stretch, or one a word earlier, says the same
                    at_edge = bool(found.edge[i, j] or found.edge[i + p, j + q])
                    wording = (" ".join(found.claim.surfaces[i : i + p]), " ".join(found.text.surfaces[j : j + q]))
                    yield Change(int(i), said, held, float(run[i, j]), _reach(found, i, p, j, q), at_edge, wording)


def _reach(found: Runs, i: int, p: int, j: int, q: int) -> range:
    n, m = found.equal.shape
    first, last = int(i), int(i + p)
    while first > 0 and j - (i - first) > 0 and found.equal[first - 1, j - (i - first) - 1]:
        first -= 1
    while last < n and j + q + (last - i - p) < m and found.equal[last, j + q + (last - i - p)]:
        last += 1
    return range(first, last)


def whole_texts(claim: Words, texts: Sequence[Words]) -> NDArray[np.bool_]:
    """(n,) True where a claim's symbol stands in a complete copy of one of ``texts``."""
    inside = np.zeros(len(claim.symbols), dtype=bool)
    for text in texts:
        size = len(text.symbols)
        for i in range(len(claim.symbols) - size + 1) if size else ():
            if claim.symbols[i : i + size] == text.symbols:
                inside[i : i + size] = True
    return inside


def _licence(p: int, licences: Sequence[Runs]) -> NDArray[np.float64]:
    """(n + 1 - p,) longest equal run around claim symbols i .. i + p - 1 where a text holds just these."""
    n = licences[0].equal.shape[0]
    best = np.full(n + 1 - p, -1.0)
    for found in licences:
        m = found.equal.shape[1]
        if p > m:
            continue
        left, right = found.before[: n + 1 - p, : m + 1 - p], found.after[p:, p:]
        same = np.ones_like(left, dtype=bool)
        for k in range(p):
            same &= found.equal[k : n + 1 - p + k, k : m + 1 - p + k]
        if p == 0:
            same &= (left > 0) & (right > 0)
        best = np.maximum(best, np.where(same, left + right, -1.0).max(axis=1))
    return best
