"""Fit the relevance model of retrieval/relevance.py on labelled questions: what ``MODELS`` holds comes from here.

1. The order of hits: the weights of cosine and words under which the labelled passages of BioASQ years 7 and 8 are
   the likeliest of their question's candidates (conditional logit, McFadden 1974).
2. The probability: a logistic regression over the best hit of each training question, once with its labelled
   documents in the pool (is the best hit labelled?) and once with them removed (it never is).
3. The floor: the highest under which every other PubMedQA question loses at most ``RECALL_GIVEN_UP`` of its recall.

Step 2 takes BioASQ years 7 and 8 and every other PubMedQA question, each set with the same weight in all. Step 3 takes
PubMedQA alone, where one abstract a question makes "removed" mean "cannot be found"; in BioASQ passages on the same
subject stay, labelled for nobody.
Not known here: the other halves, on which ``radomica eval retrieval --only floor`` measures.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.special import logsumexp
from sklearn.linear_model import LogisticRegression

from eval.retrieval_labelled import LabelledSet, Question, position_of
from eval.retrieval_metrics import recall_at
from retrieval.index import Found, scope
from retrieval.relevance import RelevanceModel
from retrieval.search import CANDIDATES

EVERYTHING = scope(patient_id=None, oncotree_code=None)
RECALL_GIVEN_UP = 0.02
K = 10


class Candidates(NamedTuple):
    """What the index returned for one question: positions (C,); cosine, word and covered (C, 3); the words' rarity."""

    question: Question
    positions: NDArray[np.int64]
    scores: NDArray[np.float64]
    rarity: float


@dataclass(frozen=True)
class Searched:
    """Both rankings of the shipped index for every question of one part of a set.

    removed : the candidates once every passage of the question's labelled documents is gone from the pool
    """

    found: tuple[Found, ...]
    candidates: tuple[Candidates, ...]
    removed: tuple[Candidates, ...]


def search_part(labelled: LabelledSet, part: str | None, *, k: int = CANDIDATES) -> Searched:
    """Search every question of ``part`` (None = all)."""
    chosen = range(len(labelled.questions)) if part is None else labelled.of(part)
    found, candidates, removed = [], [], []
    for i in chosen:
        question, vector = labelled.questions[i], labelled.question_vectors[i]
        gone = question.same_documents
        deep = labelled.index.search(question.text, vector, EVERYTHING, k=k + len(gone))
        found.append(replace(deep, by_vector=deep.by_vector[:k], by_word=deep.by_word[:k]))
        candidates.append(_candidates(question, deep, frozenset(), k))
        removed.append(_candidates(question, deep, gone, k))
    return Searched(tuple(found), tuple(candidates), tuple(removed))


def _candidates(question: Question, found: Found, gone: frozenset[int], k: int) -> Candidates:
    """The first ``k`` of each ranking, without what is gone."""
    rankings = ([n for n in ranking if position_of(n) not in gone] for ranking in (found.by_vector, found.by_word))
    names = sorted({name for ranking in rankings for name in ranking[:k]})
    scores = [[found.cosine[n], found.word[n], found.covered[n]] for n in names]
    positions = np.asarray([position_of(n) for n in names], np.int64)
    return Candidates(question, positions, np.asarray(scores, float).reshape(-1, 3), found.rarity)


def fit_order(candidates: Sequence[Candidates]) -> NDArray[np.float64]:
    """Weights (2,) of cosine and words; questions with no labelled candidate, or nothing else, say nothing."""
    widest = max(len(c.positions) for c in candidates)
    scores = np.zeros((len(candidates), widest, 2))
    there, labelled = (np.zeros((len(candidates), widest), bool) for _ in range(2))  # (Q, C)
    for i, c in enumerate(candidates):
        scores[i, : len(c.positions)], there[i, : len(c.positions)] = c.scores[:, :2], True
        labelled[i, : len(c.positions)] = np.isin(c.positions, list(c.question.gold))
    told = labelled.any(axis=1) & (labelled != there).any(axis=1)
    scores, there, labelled = scores[told], there[told], labelled[told]

    def loss(weights: NDArray[np.float64]) -> float:
        sums = scores @ weights  # (Q, C)
        return float(np.mean(logsumexp(sums, axis=1, b=there) - logsumexp(sums, axis=1, b=labelled)))

    return np.asarray(minimize(loss, np.array([10.0, 5.0]), method="Nelder-Mead").x)


def in_order(c: Candidates, word_per_cosine: float) -> Candidates:
    """The candidates, best first; equal scores by position."""
    order = np.lexsort((c.positions, -(c.scores[:, :2] @ np.array([1.0, word_per_cosine]))))
    return c._replace(positions=c.positions[order], scores=c.scores[order])


def fit_probability(parts: Sequence[Searched], word_per_cosine: float) -> NDArray[np.float64]:
    """Intercept and four weights; each part weighs the same."""
    features, labels, shares = [], [], []
    for part in parts:
        for pool in (*part.candidates, *part.removed):
            if len(pool.positions):
                ordered = in_order(pool, word_per_cosine)
                features.append([*ordered.scores[0], ordered.rarity])
                labels.append(int(ordered.positions[0]) in pool.question.gold)
                shares.append(1e3 / len(part.candidates))
    curve = LogisticRegression(C=1e6, max_iter=5000).fit(features, labels, sample_weight=shares)
    return np.concatenate([curve.intercept_, curve.coef_[0]])


def ranked(c: Candidates, model: RelevanceModel) -> tuple[list[int], float]:
    """Positions, best first, and the probability of the first (0 where there is none)."""
    ordered = in_order(c, model.word_per_cosine)
    best = model.probability(*ordered.scores[0].tolist(), ordered.rarity) if len(ordered.positions) else 0.0
    return ordered.positions.tolist(), best


def recall_lost(candidates: Sequence[Candidates], model: RelevanceModel) -> tuple[list[float], list[float]]:
    """Recall at 10 of each question without and with the floor."""
    before, after = [], []
    for c in candidates:
        order, best = ranked(c, model)
        recall = recall_at(order, c.question.gold, K)
        before.append(recall)
        after.append(recall if best >= model.floor else 0.0)
    return before, after


def returns_nothing(removed: Sequence[Candidates], model: RelevanceModel) -> list[bool]:
    """Whether each question finds nothing among these candidates."""
    return [ranked(c, model)[1] < model.floor for c in removed]


def fit_floor(part: Sequence[Candidates], model: RelevanceModel) -> float:
    """The highest floor, in thousandths, under which ``part`` loses at most RECALL_GIVEN_UP of its recall."""
    seen = [ranked(c, model) for c in part]
    recalls = np.asarray([recall_at(order, c.question.gold, K) for c, (order, _) in zip(part, seen, strict=True)])
    best = np.asarray([chance for _, chance in seen])
    allowed = [f for f in np.arange(1, 1000) / 1000 if recalls[best < f].sum() <= RECALL_GIVEN_UP * len(part)]
    return float(max(allowed, default=0.0))


def fit(pubmedqa: Searched, bioasq: Searched) -> RelevanceModel:
    """The whole model, from the training part of each set."""
    cosine, word = fit_order(bioasq.candidates)
    word_per_cosine = float(word / cosine)
    intercept, *weights = (float(x) for x in fit_probability((pubmedqa, bioasq), word_per_cosine))
    model = RelevanceModel(word_per_cosine, intercept, *weights, floor=0.0)
    return replace(model, floor=fit_floor(pubmedqa.candidates, model))
