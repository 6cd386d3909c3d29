"""One searchable set of passages: LlamaIndex nodes in a FAISS store and a BM25 index, filtered inside both calls.

What this module does not know: which patients exist, how queries are written; it holds what it is given.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import faiss
import numpy as np
from llama_index.core.schema import TextNode
from llama_index.core.vector_stores.types import (
    FilterOperator,
    MetadataFilter,
    MetadataFilters,
    VectorStoreQuery,
    VectorStoreQueryResult,
)
from llama_index.core.vector_stores.utils import build_metadata_filter_fn
from llama_index.vector_stores.faiss import FaissVectorStore
from numpy.typing import NDArray

from encoders import oncotree
from encoders.errors import ContractError
from retrieval.bm25 import WordIndex
from retrieval.passage import Passage

ANY_DISEASE = "ANY"
GUIDELINES = ""  # the patient_id of what belongs to no patient


class ScopedFaissStore(FaissVectorStore):
    """LlamaIndex' FAISS store with metadata filters, given to FAISS as an IDSelector: what is out is not looked at."""

    def __init__(self, faiss_index: Any, metadata: Sequence[Mapping[str, Any]]) -> None:
        super().__init__(faiss_index=faiss_index)
        self._metadata = tuple(metadata)

    _metadata: tuple[Mapping[str, Any], ...] = ()

    def query(self, query: VectorStoreQuery, **kwargs: Any) -> VectorStoreQueryResult:
        """The nearest nodes among those that pass ``query.filters``; ids are positions, as in the base class."""
        passes = build_metadata_filter_fn(lambda i: self._metadata[int(i)], query.filters)
        allowed = np.asarray([i for i in range(len(self._metadata)) if passes(str(i))], np.int64)
        if not len(allowed):
            return VectorStoreQueryResult(similarities=[], ids=[])
        wanted = np.asarray(query.query_embedding, np.float32)[np.newaxis, :]  # (1, D)
        scope = faiss.SearchParameters(sel=faiss.IDSelectorBatch(allowed))
        k = min(query.similarity_top_k, len(allowed))
        similarity, place = self.client.search(wanted, k, params=scope)  # (1, k) each
        found = [(float(s), str(i)) for s, i in zip(similarity[0], place[0], strict=True) if i >= 0]
        return VectorStoreQueryResult(similarities=[s for s, _ in found], ids=[i for _, i in found])


@dataclass(frozen=True)
class Found:
    """What one index says to one query: passage ids, best first, by vector and by word, and cosines of both."""

    by_vector: tuple[str, ...]
    by_word: tuple[str, ...]
    cosine: Mapping[str, float]


def scope(*, patient_id: str | None, oncotree_code: str | None) -> MetadataFilters:
    """The filter of a search: guidelines or one patient's notes, and passages of the disease or a broader one.

    A disease code lets through passages about it, about any disease that contains it, and about no disease in
    particular; without a code every disease passes.
    """
    owner = MetadataFilter(key="patient_id", value=patient_id or GUIDELINES, operator=FilterOperator.EQ)
    if oncotree_code is None:
        return MetadataFilters(filters=[owner])
    codes = [ANY_DISEASE, oncotree_code, *oncotree.ancestors(oncotree_code)]
    return MetadataFilters(filters=[owner, MetadataFilter(key="oncotree", value=codes, operator=FilterOperator.ANY)])


def embedded_text(passage: Passage) -> str:
    """What is embedded and searched by word: title and text of a guideline; of a note the sentence alone.

    A note's ``text`` is a window that repeats its neighbours, so that searching it would find them instead.
    """
    return passage.statement if passage.patient_id is not None else f"{passage.title}. {passage.text}"


class PassageIndex:
    """Passages with their vectors (K, D), rows of length 1."""

    def __init__(self, passages: Sequence[Passage], vectors: NDArray[np.float32]) -> None:
        if vectors.ndim != 2 or len(vectors) != len(passages):
            raise ContractError(
                f"{len(passages)} passages came with vectors of shape {vectors.shape}; the rule is (K, D)."
            )
        self.passages = {p.passage_id: p for p in passages}
        if len(self.passages) != len(passages):
            raise ContractError("two passages share an id; ids are unique within an index.")
        self._ids = [p.passage_id for p in passages]
        self._vectors = np.ascontiguousarray(vectors, np.float32)
        nodes = [_node(p, v) for p, v in zip(passages, self._vectors, strict=True)]
        self._store = ScopedFaissStore(faiss.IndexFlatIP(vectors.shape[1]), [node.metadata for node in nodes])
        self._store.add(list(nodes))
        self._words = WordIndex(nodes) if nodes else None

    def __len__(self) -> int:
        return len(self._ids)

    def search(self, text: str, vector: NDArray[np.float32], filters: MetadataFilters, *, k: int) -> Found:
        """The ``k`` nearest passages by vector (D,) and the ``k`` best by word, among those that pass ``filters``."""
        if self._words is None:
            return Found((), (), {})
        query = VectorStoreQuery(query_embedding=vector.tolist(), similarity_top_k=k, filters=filters)
        result = self._store.query(query)
        by_vector = tuple(self._ids[int(i)] for i in result.ids or ())
        by_word = self._words.search(text, filters, k=k)
        row = {name: i for i, name in enumerate(self._ids)}
        cosine = {name: float(self._vectors[row[name]] @ vector) for name in {*by_vector, *by_word}}
        return Found(by_vector, by_word, cosine)


def _node(passage: Passage, vector: NDArray[np.float32]) -> TextNode:
    metadata = {"patient_id": passage.patient_id or GUIDELINES, "oncotree": list(passage.oncotree) or [ANY_DISEASE]}
    return TextNode(id_=passage.passage_id, text=embedded_text(passage), embedding=vector.tolist(), metadata=metadata)
