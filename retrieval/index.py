"""One searchable set of passages: a LlamaIndex vector store (FAISS by default) and BM25, filtered inside both calls.

What this module does not know: which patients exist, how queries are written; it holds what it is given.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from llama_index.core.schema import BaseNode
from llama_index.core.vector_stores.types import (
    BasePydanticVectorStore,
    FilterOperator,
    MetadataFilter,
    MetadataFilters,
    VectorStoreQuery,
    VectorStoreQueryResult,
)
from numpy.typing import NDArray
from pydantic import PrivateAttr

from encoders import oncotree
from encoders.errors import ContractError
from retrieval.bm25 import WordIndex, best
from retrieval.metadata_columns import MetadataColumns
from retrieval.passage import Passage
from retrieval.vector_index import VectorIndex

ANY_DISEASE = "ANY"
GUIDELINES = ""  # the patient_id of what belongs to no patient


class ScopedFaissStore(BasePydanticVectorStore):
    """FAISS behind LlamaIndex' interface; filters become a mask given to FAISS: what is out is not looked at."""

    stores_text: bool = False
    _index: VectorIndex = PrivateAttr()
    _columns: MetadataColumns = PrivateAttr()

    def __init__(self, index: VectorIndex, columns: MetadataColumns) -> None:
        super().__init__()
        self._index, self._columns = index, columns

    @classmethod
    def class_name(cls) -> str:
        """The name LlamaIndex stores."""
        return "ScopedFaissStore"

    @property
    def client(self) -> Any:
        """The FAISS index."""
        return self._index.faiss_index

    def add(self, nodes: Sequence[BaseNode], **kwargs: Any) -> list[str]:
        """Refused: an index is made whole from vectors and metadata."""
        raise ContractError(f"{len(nodes)} nodes were added to a finished index; make a new PassageIndex instead.")

    def delete(self, ref_doc_id: str, **delete_kwargs: Any) -> None:
        """Refused, as ``add``."""
        raise ContractError(f"{ref_doc_id!r} was to leave a finished index; make a new PassageIndex instead.")

    def query(self, query: VectorStoreQuery, **kwargs: Any) -> VectorStoreQueryResult:
        """The nearest nodes that pass ``query.filters``, among ``query.node_ids`` where given; ids are positions."""
        vector = np.asarray(query.query_embedding, np.float32)  # (D,)
        allowed = self._columns.mask(query.filters)
        if query.node_ids is not None:
            named = np.zeros(len(allowed), bool)
            named[[int(i) for i in query.node_ids]] = True
            allowed = allowed & named
        place, product = self._index.search(vector, query.similarity_top_k, allowed)
        return VectorStoreQueryResult(similarities=[float(p) for p in product], ids=[str(i) for i in place])


@dataclass(frozen=True)
class Found:
    """What one index says to one query: passage ids, best first, by vector and by word, and the scores of both.

    cosine : of query and passage, -1 to 1; word : BM25 as a share of the query's most, 0 to below 1
    covered : share of the query's words, by their weight, that the passage holds; rarity : mean weight of these words
        in this index, 0 to 1
    """

    by_vector: tuple[str, ...]
    by_word: tuple[str, ...]
    cosine: Mapping[str, float]
    word: Mapping[str, float]
    covered: Mapping[str, float]
    rarity: float


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
    if passage.patient_id is not None:
        return passage.statement
    return f"{passage.title}. {passage.text}" if passage.title else passage.text


def passage_metadata(passage: Passage) -> dict[str, Any]:
    """What filters see of a passage."""
    return {"patient_id": passage.patient_id or GUIDELINES, "oncotree": list(passage.oncotree) or [ANY_DISEASE]}


class PassageIndex:
    """Passages with their vectors (K, D), rows of length 1.

    store : where vectors are searched instead of FAISS; it must hold nodes whose ids are the keys of ``node_ids``
    node_ids : id of a node in ``store`` -> position of its passage
    translate : our filters in the form that ``store`` was given metadata in
    """

    def __init__(
        self,
        passages: Sequence[Passage],
        vectors: NDArray[np.float32],
        *,
        store: BasePydanticVectorStore | None = None,
        node_ids: Mapping[str, int] | None = None,
        translate: Callable[[MetadataFilters], MetadataFilters] = lambda filters: filters,
    ) -> None:
        if vectors.ndim != 2 or len(vectors) != len(passages):
            raise ContractError(
                f"{len(passages)} passages came with vectors of shape {vectors.shape}; the rule is (K, D)."
            )
        self.passages = {p.passage_id: p for p in passages}
        if len(self.passages) != len(passages):
            raise ContractError("two passages share an id; ids are unique within an index.")
        self._ids = tuple(self.passages)
        self._vectors = vectors
        self._columns = MetadataColumns([passage_metadata(p) for p in passages])
        self._words = WordIndex([embedded_text(p) for p in passages])
        self._store = store or ScopedFaissStore(VectorIndex.build(vectors), self._columns) if passages else None
        self._node_ids, self._translate = node_ids, translate

    def __len__(self) -> int:
        return len(self._ids)

    @property
    def vectors(self) -> NDArray[np.float32]:
        """(K, D) in the order of ``passages``."""
        return self._vectors

    def search(self, text: str, vector: NDArray[np.float32], filters: MetadataFilters, *, k: int) -> Found:
        """The ``k`` nearest passages by vector (D,) and the ``k`` best by word, among those that pass ``filters``."""
        if self._store is None:
            return Found((), (), {}, {}, {}, 0.0)
        near = self._nearest(vector, filters, k)
        word = self._words.scores(text)  # (K,)
        shared = best(word, k, self._columns.mask(filters))
        both = np.unique(np.concatenate([near, shared]))
        cosine = np.asarray(self._vectors[both], np.float32) @ vector
        covered = self._words.covered(text, both)
        ids = self._ids
        return Found(
            by_vector=tuple(ids[i] for i in near),
            by_word=tuple(ids[i] for i in shared),
            cosine={ids[i]: float(c) for i, c in zip(both, cosine, strict=True)},
            word={ids[i]: float(word[i]) for i in both},
            covered={ids[i]: float(c) for i, c in zip(both, covered, strict=True)},
            rarity=self._words.rarity(text),
        )

    def _nearest(self, vector: NDArray[np.float32], filters: MetadataFilters, k: int) -> NDArray[np.int64]:
        """Positions of the ``k`` nearest; a node that another store holds beside ours is left out."""
        filters = self._translate(filters)
        wanted = VectorStoreQuery(query_embedding=vector.tolist(), similarity_top_k=k, filters=filters)
        result = self._store.query(wanted)
        names = result.ids if result.ids is not None else [n.node_id for n in result.nodes or ()]
        known = self._node_ids
        places = [int(name) if known is None else known.get(name, -1) for name in names]
        return np.asarray([p for p in dict.fromkeys(places) if p >= 0], np.int64)
