"""The shipped vectors are those of the shipped passages, and are used for nothing else."""

from __future__ import annotations

import numpy as np
import pytest

from retrieval import builtin_vectors as module
from retrieval.builtin_vectors import builtin_vectors, vectors_key
from retrieval.corpus.builtin import load_passages
from retrieval.embed import load_embedding
from retrieval.index import embedded_text


class NoEmbedding:
    """Answers with its own vectors when asked to embed; ``asked`` counts the texts."""

    def __init__(self, weights_sha256: str) -> None:
        self.weights_sha256 = weights_sha256
        self.asked = 0

    def encode(self, texts: list[str]) -> np.ndarray:
        self.asked += len(texts)
        return np.zeros((len(texts), 2), np.float32)


def test_a_first_start_embeds_nothing_and_the_vectors_are_the_texts_own() -> None:
    embedding = NoEmbedding(load_embedding().weights_sha256)
    vectors, said = builtin_vectors(embedding)
    assert (embedding.asked, said) == (0, ()), "run python -m retrieval.builtin_vectors and commit the file"
    chosen = [0, len(vectors) // 2, -1]
    texts = [embedded_text(load_passages()[i]) for i in chosen]
    np.testing.assert_allclose(vectors[chosen], load_embedding().encode(texts), atol=1e-4)


def test_another_embedder_and_other_texts_make_their_own(monkeypatch: pytest.MonkeyPatch) -> None:
    other = NoEmbedding("0" * 64)
    builtin_vectors(other)
    assert other.asked == len(load_passages())
    key = vectors_key("a")
    monkeypatch.setattr(module, "load_passages", lambda: load_passages()[1:])
    assert vectors_key("a") != key
