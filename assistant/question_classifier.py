"""Which topic a question is about: a linear classifier over its sentence embedding and its letters.

The nearest phrasing alone (what stood here before) finds the topic of .70 of the phrasings left out of the table, a
linear model of the MiniLM embedding .79, with hashed letter n-grams beside it .81 (five-fold cross-validation, 773
phrasings; `radomica train routing` prints today's figure): the embedding knows what words mean, the letters tell apart
what it takes for the same ("copy number" and "variants", misspellings, abbreviations).

Trained on every phrasing of prompts/topics.txt, unknowns.txt and routing.txt; the weights name the hash of those tables
and a test refuses stale ones. Not known here: any case, or what evidence answers a topic (question_routing.py).
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import load, save

from assistant.lm_questions import OTHER, TOPICS, UNKNOWNS
from encoders.atomic_write import write_atomically
from encoders.errors import ContractError
from retrieval.embed import cached_vectors, load_embedding

WEIGHTS_FILE, CARD_FILE = "topics.safetensors", "card.json"
SHIPPED = "weights/routing"
LETTERS = 8192
"""Hashed n-grams of two to four letters within words."""
_PENALTY = 20.0
_FOLDS = 5


@dataclass(frozen=True)
class Phrasing:
    """One question of the tables and the topic it asks about ("other" = nothing a ledger holds)."""

    topic: str
    question: str


@lru_cache(maxsize=1)
def phrasings() -> tuple[Phrasing, ...]:
    """Every phrasing of the three tables.

    Raises
    ------
    ContractError: a heading of prompts/routing.txt that is no topic.
    """
    found = [Phrasing(name, q) for name, topic in TOPICS.items() for q in topic.questions]
    found += [Phrasing(OTHER, q) for unknown in UNKNOWNS for q in unknown.questions]
    text = (Path(__file__).parent / "prompts" / "routing.txt").read_text(encoding="utf-8")
    for block in text.split("## ")[1:]:
        topic, *questions = (line.strip() for line in block.splitlines() if line.strip())
        if topic not in TOPICS and topic != OTHER:
            raise ContractError(f"prompts/routing.txt: {topic!r} is no topic; allowed: {', '.join(TOPICS)}, {OTHER}.")
        found += [Phrasing(topic, question) for question in questions]
    return tuple(found)


def tables_hash() -> str:
    """SHA-256 of every (topic, phrasing), in order."""
    told = "\n".join(f"{p.topic}\t{p.question}" for p in phrasings())
    return hashlib.sha256(told.encode()).hexdigest()


@dataclass(frozen=True)
class TopicClassifier:
    """topics : names (K,); weights : (K, 384 + LETTERS) float32; bias : (K,) float32."""

    topics: tuple[str, ...]
    weights: NDArray[np.float32]
    bias: NDArray[np.float32]

    def probabilities(self, question: str) -> list[tuple[str, float]]:
        """(topic, probability), the most probable first."""
        scores = _features([question], load_embedding().encode((question,))) @ self.weights.T + self.bias
        shifted = np.exp(scores[0] - scores[0].max())
        shares = shifted / shifted.sum()
        order = np.argsort(-shares, kind="stable")
        return [(self.topics[int(i)], float(shares[i])) for i in order]


@lru_cache(maxsize=1)
def load_classifier() -> TopicClassifier:
    """The shipped classifier."""
    folder = files("assistant") / SHIPPED
    card = json.loads((folder / CARD_FILE).read_text(encoding="utf-8"))
    held = load((folder / WEIGHTS_FILE).read_bytes())
    weights, bias = held["weights"].astype(np.float32), held["bias"].astype(np.float32)
    return TopicClassifier(tuple(card["topics"]), weights, bias)


def train_classifier(out: Path) -> dict[str, Any]:
    """Fit on every phrasing, write weights and card into ``out``, return the card. Nothing in it is random.

    The card's cross-validated shares come from five folds of every fifth phrasing of a topic.
    """
    from sklearn.linear_model import LogisticRegression  # noqa: PLC0415  only to train
    from sklearn.model_selection import StratifiedKFold, cross_val_predict  # noqa: PLC0415

    table = phrasings()
    vectors, _ = cached_vectors([p.question for p in table], load_embedding())
    features = _features([p.question for p in table], vectors)
    topics = np.array([p.topic for p in table])
    model = LogisticRegression(C=_PENALTY, max_iter=500)
    left_out = cross_val_predict(model, features, topics, cv=StratifiedKFold(_FOLDS, shuffle=True, random_state=0))
    model.fit(features, topics)
    known = topics != OTHER
    card = {
        "name": "radomica-routing", "topics": [str(t) for t in model.classes_], "tables_sha256": tables_hash(),
        "command": "radomica train routing", "phrasings": len(table),
        "cross_validated": {
            "topic_found": round(float((left_out == topics)[known].mean()), 4),
            "other_found": round(float((left_out == topics)[~known].mean()), 4),
        },
    }  # fmt: skip
    rows = np.ascontiguousarray(model.coef_, np.float16)  # safetensors writes bytes as they lie, columns first or not
    weights = {"weights": rows, "bias": model.intercept_.astype(np.float32)}
    write_atomically(out / WEIGHTS_FILE, save(weights))
    write_atomically(out / CARD_FILE, json.dumps(card, indent=1) + "\n")
    return card


def _features(texts: list[str], vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    """(N, 384 + LETTERS): unit embedding, unit counts of letter n-grams."""
    from sklearn.feature_extraction.text import HashingVectorizer  # noqa: PLC0415  loads in a second

    letters = HashingVectorizer(
        analyzer="char_wb", ngram_range=(2, 4), n_features=LETTERS, alternate_sign=False, dtype=np.float32
    )
    return np.hstack([vectors, letters.transform(texts).toarray()]).astype(np.float32)
