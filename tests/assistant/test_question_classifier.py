"""The classifier of topics: trained on today's tables, and the same again when trained again."""

from __future__ import annotations

import json
from importlib.resources import files
from pathlib import Path

import numpy as np
import pytest

from assistant.lm_questions import OTHER, TOPICS
from assistant.question_classifier import CARD_FILE, SHIPPED, load_classifier, phrasings, tables_hash, train_classifier

CARD = json.loads((files("assistant") / SHIPPED / CARD_FILE).read_text(encoding="utf-8"))


def test_the_shipped_weights_were_trained_on_the_tables_that_are_here() -> None:
    assert CARD["tables_sha256"] == tables_hash(), "prompts/ changed since; run `radomica train routing`"
    assert set(CARD["topics"]) == {*TOPICS, OTHER}


def test_no_phrasing_stands_for_two_topics() -> None:
    topics: dict[str, set[str]] = {}
    for phrasing in phrasings():
        topics.setdefault(phrasing.question, set()).add(phrasing.topic)
    assert {q: t for q, t in topics.items() if len(t) > 1} == {}


def test_training_again_gives_the_same_weights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """On every tenth phrasing: the whole table takes half a minute."""
    monkeypatch.setattr("assistant.question_classifier.phrasings", lambda: phrasings()[::10])
    cards = [train_classifier(tmp_path / name) for name in ("first", "second")]
    assert cards[0] == cards[1]
    assert (tmp_path / "first" / "topics.safetensors").read_bytes() == (
        tmp_path / "second" / "topics.safetensors"
    ).read_bytes()


def test_a_taught_phrasing_finds_its_own_topic() -> None:
    """The weights are stored rows first: laid out otherwise, they once put nearly every question under "other"."""
    asked = phrasings()[::25]
    found = [load_classifier().probabilities(p.question)[0][0] == p.topic for p in asked]
    assert np.mean(found) > 0.95


def test_probabilities_sum_to_one_and_fall() -> None:
    shares = [share for _, share in load_classifier().probabilities("how large is the mass")]
    assert sum(shares) == pytest.approx(1.0, abs=1e-5) and shares == sorted(shares, reverse=True)
