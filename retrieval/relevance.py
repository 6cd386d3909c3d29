"""Which passages a question asks for, from their cosines and their shares of the question's words.

Two things come of it: the order of hits (one sum of both scores, better than either ranking and than their reciprocal
ranks: ``radomica eval retrieval --only pubmedqa --only bioasq``) and the probability that the first of them is a
passage the question asks for, under whose floor a search returns nothing (``--only floor``). Fitted by
eval/retrieval_fit.py on labelled questions, for MiniLM alone.

What this module does not know: texts; other embedders (their cosines have another scale); whether a passage is true,
or answers the question: it knows only how questions and their labelled passages score.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from retrieval.embed import MINILM_SHA256


@dataclass(frozen=True)
class RelevanceModel:
    """Weights fitted for one embedder.

    word_per_cosine : what a whole share of words counts in the order of hits, beside 1 for the cosine
    intercept, cosine, word, covered, rarity : log-odds that the first hit is asked for, from what ``Found`` says of it
    floor : the least probability of the first hit; below it a search returns nothing
    """

    word_per_cosine: float
    intercept: float
    cosine: float
    word: float
    covered: float
    rarity: float
    floor: float

    def score(self, cosine: float, word: float) -> float:
        """What hits are ordered by: the weighted mean of cosine (-1 to 1) and share of words (0 to 1)."""
        return (cosine + self.word_per_cosine * word) / (1 + self.word_per_cosine)

    def probability(self, cosine: float, word: float, covered: float, rarity: float) -> float:
        """That a first hit with these figures is asked for."""
        log_odds = (
            self.intercept + self.cosine * cosine + self.word * word + self.covered * covered + self.rarity * rarity
        )
        if log_odds < 0:  # the form that cannot overflow
            return math.exp(log_odds) / (1 + math.exp(log_odds))
        return 1 / (1 + math.exp(-log_odds))


MINILM_RELEVANCE = RelevanceModel(
    word_per_cosine=1.001, intercept=-11.369, cosine=9.252, word=6.381, covered=2.526, rarity=4.164, floor=0.134
)

MODELS: dict[str, RelevanceModel] = {MINILM_SHA256: MINILM_RELEVANCE}
"""Hash of an embedder's weights -> its model; an embedder without one is searched by reciprocal ranks."""


def relevance_model(weights_sha256: str) -> RelevanceModel | None:
    """The model fitted for an embedder, or None."""
    return MODELS.get(weights_sha256)
