"""Vectors of the built-in passages, shipped with them, so that a first start embeds nothing but the question.

``python -m retrieval.builtin_vectors`` makes them again after retrieval/knowledge/passages.jsonl changed; a test fails
until it was run. Vectors of other texts, or of another embedder, are never used: both are part of the key.
What this module does not know: added documents, notes; they have vectors of their own.
"""

from __future__ import annotations

import io
from importlib.resources import files
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from encoders.atomic_write import write_atomically
from retrieval.corpus.builtin import load_passages
from retrieval.embed import PassageEmbedding, cached_vectors, load_embedding, texts_sha256
from retrieval.index import embedded_text

FILE = "passage_vectors.npz"


def vectors_key(weights_sha256: str) -> str:
    """Names the embedder and the exact texts."""
    return f"{weights_sha256}-{texts_sha256([embedded_text(p) for p in load_passages()])}"


def builtin_vectors(embedding: PassageEmbedding) -> tuple[NDArray[np.float32], tuple[str, ...]]:
    """Vectors (K, D) of ``load_passages()`` and what a user should know: the shipped ones, else the cache's, else made.

    Raises
    ------
    OSError, ValueError: the shipped file is there and cannot be read (reinstall).
    """
    shipped = files("retrieval").joinpath("knowledge", FILE)
    if shipped.is_file():
        with np.load(io.BytesIO(shipped.read_bytes()), allow_pickle=False) as held:
            if str(held["key"]) == vectors_key(embedding.weights_sha256):
                return np.ascontiguousarray(held["vectors"], np.float32), ()
    return cached_vectors([embedded_text(p) for p in load_passages()], embedding)


def write_builtin_vectors(path: Path, embedding: PassageEmbedding) -> int:
    """Embed the built-in passages and write their vectors; returns how many."""
    vectors = embedding.encode([embedded_text(p) for p in load_passages()])
    raw = io.BytesIO()
    np.savez(raw, key=np.str_(vectors_key(embedding.weights_sha256)), vectors=vectors)
    write_atomically(path, raw.getvalue())
    return len(vectors)


if __name__ == "__main__":
    write_builtin_vectors(Path(__file__).parent / "knowledge" / FILE, load_embedding())
