"""Word search: BM25 (bm25s), each score given as a share of the most that the query could reach.

What this module does not know: vectors, patients, filters (a mask says which passages may be returned); a passage
without any word of the query is never returned.

References
----------
Robertson & Zaragoza, Foundations and Trends in Information Retrieval 2009, DOI 10.1561/1500000019; Kamphuis et al.,
ECIR 2020, DOI 10.1007/978-3-030-45442-5_4 (the variant, "lucene"); Lu, bm25s, 2024, DOI 10.48550/arXiv.2407.03618.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache

import bm25s
import numpy as np
import Stemmer
from bm25s.stopwords import STOPWORDS_EN
from bm25s.tokenization import Tokenized
from numpy.typing import NDArray

TOKEN = re.compile(r"\b\w[\w./+-]*\w\b|\b\w\b")
""" "PD-L1", "1p/19q", "p.L858R" and one-letter words ("ER 3 %") stay words."""

PART = re.compile(r"[^\W\d_]{3,}")
"""Of "IDH-mutant" also "idh" and "mutant" are searched; of "PD-L1" no part stands for itself."""

QUESTION_WORDS = frozenset(
    (
        "can",
        "could",
        "did",
        "do",
        "does",
        "has",
        "have",
        "how",
        "should",
        "what",
        "when",
        "where",
        "which",
        "who",
        "why",
    )
)
_LEFT_OUT = frozenset(STOPWORDS_EN) | QUESTION_WORDS
_stemmer = Stemmer.Stemmer("english")


@lru_cache(maxsize=200_000)
def _stem(word: str) -> str:
    return _stemmer.stemWord(word)


def words(text: str) -> list[str]:
    """The words searched for: lower case, stemmed, without stop words; parts of compounds beside the whole."""
    found: list[str] = []
    for token in TOKEN.findall(text.lower()):
        parts = PART.findall(token)
        found += [token, *parts] if parts and parts != [token] else [token]
    return [_stem(word) for word in found if word not in _LEFT_OUT]


class WordIndex:
    """BM25 over texts; positions are those of ``texts``."""

    def __init__(self, texts: Sequence[str]) -> None:
        vocabulary: dict[str, int] = {}
        ids = [[vocabulary.setdefault(word, len(vocabulary)) for word in words(text)] for text in texts]
        self._n = len(texts)
        self._bm25 = bm25s.BM25(method="lucene", backend="numpy")
        if vocabulary:
            self._bm25.index(Tokenized(ids=ids, vocab=vocabulary), show_progress=False, create_empty_token=False)
        self._vocabulary = vocabulary
        held_in = np.diff(self._bm25.scores["indptr"]) if vocabulary else np.empty(0)  # passages that hold a word
        self._weight = np.log(1 + (self._n - held_in + 0.5) / (held_in + 0.5))
        self._weight_unknown = float(np.log(1 + (self._n + 0.5) / 0.5))

    def scores(self, text: str) -> NDArray[np.float32]:
        """(n,) BM25 of ``text`` with every passage, divided by the sum of its words' weights: 0 to below 1.

        A word that no passage holds counts in that sum as the rarest one would.
        """
        asked = words(text)
        known = [self._vocabulary[word] for word in asked if word in self._vocabulary]
        if not known:
            return np.zeros(self._n, np.float32)
        most = float(self._weight[known].sum()) + self._weight_unknown * (len(asked) - len(known))
        return np.asarray(self._bm25.get_scores(known), np.float32) / np.float32(most)

    def covered(self, text: str, positions: NDArray[np.int64]) -> NDArray[np.float32]:
        """(K,) share of the weight of the text's different words that each of these passages holds, 0 to 1."""
        asked = dict.fromkeys(words(text))
        held = np.zeros(len(positions), np.float32)
        most = 0.0
        for word in asked:
            place = self._vocabulary.get(word)
            most += self._weight_unknown if place is None else float(self._weight[place])
            if place is not None:
                start, end = self._bm25.scores["indptr"][place : place + 2]
                held += self._weight[place] * np.isin(positions, self._bm25.scores["indices"][start:end])
        return held / np.float32(most) if most else held

    def rarity(self, text: str) -> float:
        """Mean weight of the text's different words beside that of a word no passage holds: 0 (common) to 1."""
        places = [self._vocabulary.get(word) for word in dict.fromkeys(words(text))]
        weights = [self._weight_unknown if p is None else float(self._weight[p]) for p in places]
        return sum(weights) / (len(weights) * self._weight_unknown) if weights else 0.0


def best(scores: NDArray[np.float32], k: int, allowed: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Positions of the ``k`` highest scores above 0 among the allowed, best first; equal scores by position."""
    open_to = np.flatnonzero(allowed & (scores > 0))
    if len(open_to) > k:
        edge = np.partition(scores[open_to], len(open_to) - k)[len(open_to) - k]
        open_to = open_to[scores[open_to] >= edge]
    return open_to[np.argsort(-scores[open_to], kind="stable")][:k].astype(np.int64)
