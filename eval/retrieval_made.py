"""Made documents and a small embedder for the store's benchmarks: fast, deterministic, no model.

Not measured with them: how good the search is.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

DIMENSIONS, PLACES = 128, 4
SUBJECTS = ("The resection margin", "The lymph node", "Adjuvant treatment", "The primary tumour", "Follow-up imaging")
FINDINGS = ("was discussed by the board", "showed no change", "was repeated", "was smaller than before", "is pending")


class WordEmbedder:
    """Words hashed into PLACES of DIMENSIONS each, length 1: texts that share words are near each other."""

    model_name = "hashed words"
    weights_sha256 = hashlib.sha256(b"hashed words, 128").hexdigest()

    def encode(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """(K, DIMENSIONS) float32, each row of length 1."""
        vectors = np.zeros((len(texts), DIMENSIONS), np.float32)
        for row, text in zip(vectors, texts, strict=True):
            for word in text.lower().split():
                digest = hashlib.blake2b(word.encode(), digest_size=PLACES + 1).digest()
                for bit, place in enumerate(digest[1:]):
                    row[place % DIMENSIONS] += 1.0 if digest[0] >> bit & 1 else -1.0
        vectors[:, 0] += 1e-3  # a text without words has a direction too
        return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def made_text(name: str, version: int, *, paragraphs: int = 6) -> str:
    """Markdown about nothing: sections of sentences that name the document and its version; half of them are shared."""
    lines = [f"# Document {name}"]
    for number in range(paragraphs):
        mark = version if number % 2 else 0
        lines += [f"\n## Part {number}\n"]
        for at in range(4):
            subject, finding = SUBJECTS[(number + at) % 5], FINDINGS[(number + 2 * at) % 5]
            lines.append(f"{subject} of {name} {finding} at visit {number}-{at} in edition {mark}.")
    return "\n".join(lines) + "\n"
