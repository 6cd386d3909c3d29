"""An optional second opinion on the first hits: a cross-encoder that reads question and passage together.

RADOMICA_RERANKER names a sentence-transformers cross-encoder (hub id or folder); unset, hits keep their order.
What this module does not know: the relevance floor (already applied: a cross-encoder's scores have a scale of their
own), passages that were not found.

References
----------
Nogueira & Cho, 2019, DOI 10.48550/arXiv.1901.04085.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from encoders.errors import SettingsError, UnavailableError
from retrieval.embed import is_offline
from retrieval.index import embedded_text
from retrieval.passage import Hit

if TYPE_CHECKING:
    from sentence_transformers import CrossEncoder

RERANKED = 20
"""Hits read again; those behind keep their places."""


def rerank(text: str, hits: Sequence[Hit]) -> tuple[Hit, ...]:
    """The first RERANKED hits in the cross-encoder's order, or all as they are where none is set.

    ``ranks["cross-encoder"]`` is added; ``score`` stays what the search gave.

    Raises
    ------
    UnavailableError: the model named cannot be loaded; SettingsError: it gives more than one score for a pair.
    """
    name = os.environ.get("RADOMICA_RERANKER", "").strip()
    if not name or not hits:
        return tuple(hits)
    first, rest = hits[:RERANKED], hits[RERANKED:]
    scores = np.asarray(_load(name).predict([(text, embedded_text(h.passage)) for h in first]), np.float32)
    if scores.shape != (len(first),):
        raise SettingsError(f"RADOMICA_RERANKER {name!r} gives {scores.shape[-1]} scores for a pair; one is needed.")
    order = np.argsort(-scores, kind="stable")
    read = [replace(first[i], ranks={**first[i].ranks, "cross-encoder": r}) for r, i in enumerate(order, start=1)]
    return (*read, *rest)


@lru_cache(maxsize=1)
def _load(name: str) -> CrossEncoder:
    from sentence_transformers import CrossEncoder  # noqa: PLC0415  (seconds to import)

    try:
        return CrossEncoder(name, local_files_only=is_offline())
    except (OSError, ValueError) as error:
        raise UnavailableError(
            f"the cross-encoder {name!r} cannot be loaded: {str(error).splitlines()[0]} "
            "Correct RADOMICA_RERANKER (a hub id or folder), or unset it."
        ) from error
