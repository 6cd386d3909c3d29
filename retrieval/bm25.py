"""Word search: LlamaIndex' BM25 retriever (bm25s), filtered inside the call.

What this module does not know: vectors, patients; a passage without any word of the query is never returned.

References
----------
Robertson & Zaragoza, Foundations and Trends in Information Retrieval 2009, DOI 10.1561/1500000019.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import bm25s
import Stemmer
from llama_index.core.schema import MetadataMode, TextNode
from llama_index.core.vector_stores.types import MetadataFilters
from llama_index.core.vector_stores.utils import build_metadata_filter_fn, node_to_metadata_dict
from llama_index.retrievers.bm25 import BM25Retriever

TOKEN = r"(?u)\b\w[\w./+-]*\w\b|\b\w\b"
"""Unlike the retriever's default, "PD-L1", "1p/19q", "p.L858R" and one-letter words ("ER 3 %") stay words."""


class WordIndex:
    """BM25 over nodes that exist already; the scope of each search goes into the search itself as a mask."""

    def __init__(self, nodes: Sequence[TextNode]) -> None:
        self._metadata = {node.node_id: node.metadata for node in nodes}
        self._ids = [node.node_id for node in nodes]
        corpus = [node_to_metadata_dict(node) | {"node_id": node.node_id} for node in nodes]
        self._bm25 = bm25s.BM25(corpus=corpus)
        tokens = bm25s.tokenize(
            [node.get_content(metadata_mode=MetadataMode.NONE) for node in nodes],
            stopwords="en",
            stemmer=Stemmer.Stemmer("english"),
            token_pattern=TOKEN,
            show_progress=False,
        )
        self._bm25.index(tokens, show_progress=False)

    def search(self, text: str, filters: MetadataFilters, *, k: int) -> tuple[str, ...]:
        """Node ids that pass ``filters`` and share a word with ``text``, best first, at most ``k``."""
        allowed = build_metadata_filter_fn(self._metadata.__getitem__, filters)
        mask = [int(allowed(i)) for i in self._ids]
        if not any(mask) or not re.search(r"\w", text):
            return ()
        retriever = BM25Retriever(
            existing_bm25=self._bm25,
            similarity_top_k=min(k, len(self._ids)),
            corpus_weight_mask=mask,
            token_pattern=TOKEN,
        )
        found = retriever.retrieve(text)
        return tuple(hit.node.node_id for hit in found if hit.score is not None and hit.score > 0)
