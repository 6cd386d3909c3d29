"""Which vector store searches the guidelines: RADOMICA_VECTOR_STORE, FAISS in this process unless set.

=================================  ================================================================
faiss                              the default; kind by size (retrieval/vector_index.py)
memory                             LlamaIndex' SimpleVectorStore, every vector compared; for trials
qdrant:http://HOST:6333#NAME       package llama-index-vector-stores-qdrant
milvus:http://HOST:19530#NAME      package llama-index-vector-stores-milvus
pgvector:postgresql://...#NAME     package llama-index-vector-stores-postgres
=================================  ================================================================

NAME is the start of the collection's name; a hash of embedder and passages follows, so that a collection is never
searched with other passages than it was filled with. A patient's notes and documents never go there: they stay in
FAISS in this process. A query's vector does go there, so that a host that is neither loopback nor private is refused.
What this module does not know: the server's access rights, or how long it keeps old collections.
Tried by hand against Qdrant's own in-process mode (qdrant-client 1.20: same answers as FAISS, filled once); NOT tried
against running Qdrant, Milvus or PostgreSQL servers, whose filters are LlamaIndex' own.
"""

from __future__ import annotations

import importlib
import ipaddress
import os
import socket
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import numpy as np
from llama_index.core.schema import TextNode
from llama_index.core.vector_stores.simple import SimpleVectorStore
from llama_index.core.vector_stores.types import (
    BasePydanticVectorStore,
    FilterCondition,
    FilterOperator,
    MetadataFilter,
    MetadataFilters,
    VectorStoreQuery,
)
from numpy.typing import NDArray

from encoders.errors import ContractError, SettingsError, UnavailableError
from retrieval.embed import texts_sha256
from retrieval.index import ANY_DISEASE, GUIDELINES, PassageIndex, embedded_text
from retrieval.passage import Passage

BATCH = 512
YES = "yes"
FORMS = "faiss, memory, qdrant:URL#NAME, milvus:URL#NAME, pgvector:URL#NAME"


@dataclass(frozen=True)
class _Server:
    package: str
    module: str
    make: Callable[[Any, str, str, int], BasePydanticVectorStore]  # module, address, collection, dimensions
    is_there: Callable[[Any, str], bool] = lambda store, collection: True  # the others make a collection when opened


def _postgres(module: Any, address: str, collection: str, dimensions: int) -> BasePydanticVectorStore:
    parts = urlsplit(address)
    return module.PGVectorStore.from_params(
        host=parts.hostname, port=str(parts.port or 5432), database=parts.path.lstrip("/") or "postgres",
        user=parts.username, password=parts.password, table_name=collection, embed_dim=dimensions,
    )  # fmt: skip


SERVERS: dict[str, _Server] = {
    "qdrant": _Server(
        "llama-index-vector-stores-qdrant",
        "llama_index.vector_stores.qdrant",
        lambda module, address, name, _: module.QdrantVectorStore(url=address, collection_name=name),
        lambda store, name: bool(store.client.collection_exists(name)),
    ),
    "milvus": _Server(
        "llama-index-vector-stores-milvus",
        "llama_index.vector_stores.milvus",
        lambda module, address, name, dimensions: module.MilvusVectorStore(
            uri=address, collection_name=name, dim=dimensions, similarity_metric="IP"
        ),
    ),
    "pgvector": _Server("llama-index-vector-stores-postgres", "llama_index.vector_stores.postgres", _postgres),
}


def guideline_passage_index(
    passages: Sequence[Passage], vectors: NDArray[np.float32], weights_sha256: str, *, spec: str | None = None
) -> PassageIndex:
    """An index of guideline passages in the store that ``spec`` (default: RADOMICA_VECTOR_STORE) names.

    Raises
    ------
    SettingsError: another form of setting, a passage of a patient, or a host that is neither loopback nor private.
    UnavailableError: the store's package is not installed, or its host does not resolve.
    """
    asked = (spec or os.environ.get("RADOMICA_VECTOR_STORE", "").strip() or "faiss").strip()
    if asked == "faiss" or not passages:
        return PassageIndex(passages, vectors)
    if any(p.patient_id is not None for p in passages):
        raise SettingsError("a patient's passages never go to another vector store; index them with PassageIndex.")
    content = texts_sha256([weights_sha256, *(f"{p.passage_id}:{embedded_text(p)}" for p in passages)])
    node_ids = {node_id(content, p): i for i, p in enumerate(passages)}
    if asked == "memory":
        store, there = SimpleVectorStore(), False
    else:
        store, there = _server_store(asked, content[:16], vectors.shape[1])
    if not there or not _is_filled(store, list(node_ids), vectors):
        for start in range(0, len(passages), BATCH):
            rows = range(start, min(start + BATCH, len(passages)))
            store.add([_node(passages[i], node_id(content, passages[i]), vectors[i]) for i in rows])
    return PassageIndex(passages, vectors, store=store, node_ids=node_ids, translate=portable_filters)


def portable_filters(filters: MetadataFilters) -> MetadataFilters:
    """A guideline scope as "any of these keys is yes", which every store can answer (Qdrant has no ANY of a list).

    Raises
    ------
    ContractError: the scope of a patient, whose passages are never in such a store.
    """
    by_key = {f.key: f.value for f in filters.filters}
    if by_key.get("patient_id") != GUIDELINES:
        raise ContractError("another vector store holds guidelines alone; a patient's scope was asked of it.")
    codes = by_key.get("oncotree") or []
    keys = [f"oncotree_{code}" for code in codes] or ["guideline"]
    wanted = [MetadataFilter(key=key, value=YES, operator=FilterOperator.EQ) for key in keys]
    return MetadataFilters(filters=wanted, condition=FilterCondition.OR)


def _node(passage: Passage, name: str, vector: NDArray[np.float32]) -> TextNode:
    keys = ["guideline", *(f"oncotree_{code}" for code in passage.oncotree or (ANY_DISEASE,))]
    return TextNode(id_=name, text=embedded_text(passage), embedding=vector.tolist(), metadata=dict.fromkeys(keys, YES))


def node_id(content: str, passage: Passage) -> str:
    """A UUID (Qdrant takes no other name), the same for the same passage of the same set."""
    return str(uuid.uuid5(uuid.NAMESPACE_OID, f"{content}:{passage.passage_id}"))


def _is_filled(store: BasePydanticVectorStore, names: Sequence[str], vectors: NDArray[np.float32]) -> bool:
    """Whether an earlier process filled the collection to its end: it finds its first node and its last."""
    for place in (0, len(names) - 1):
        query = VectorStoreQuery(query_embedding=vectors[place].tolist(), similarity_top_k=5)
        result = store.query(query)
        ids = result.ids if result.ids is not None else [n.node_id for n in result.nodes or ()]
        if names[place] not in ids:
            return False
    return True


def _server_store(spec: str, content: str, dimensions: int) -> tuple[BasePydanticVectorStore, bool]:
    """The store of a setting, and whether its collection is there already."""
    kind, _, rest = spec.partition(":")
    address, _, name = rest.rpartition("#")
    if kind not in SERVERS or not address or not name.isidentifier():
        raise SettingsError(f"RADOMICA_VECTOR_STORE {kind!r} is not understood; write one of {FORMS}.")
    check_address(address)
    server = SERVERS[kind]
    try:
        module = importlib.import_module(server.module)
    except ImportError as error:
        raise UnavailableError(
            f"the vector store {kind!r} needs the package {server.package}. Install it (pip install {server.package}), "
            "or unset RADOMICA_VECTOR_STORE."
        ) from error
    collection = f"{name}_{content}"
    store = server.make(module, address, collection, dimensions)
    return store, server.is_there(store, collection)


def check_address(address: str) -> None:
    """Raise SettingsError unless every address of the host is loopback or private."""
    host = urlsplit(address).hostname
    if not host:
        raise SettingsError("RADOMICA_VECTOR_STORE names no host; write e.g. qdrant:http://127.0.0.1:6333#radomica.")
    try:
        found = {ipaddress.ip_address(str(i[4][0]).split("%", maxsplit=1)[0]) for i in socket.getaddrinfo(host, None)}
    except (socket.gaierror, UnicodeError) as error:
        raise UnavailableError(f"the vector store's host {host!r} does not resolve; check the address.") from error
    if not all(ip.is_loopback or (ip.is_private and not ip.is_unspecified) for ip in found):
        raise SettingsError(
            f"the vector store's host {host} is neither loopback nor private, so what is asked about a patient would "
            "leave this network. Use a local server."
        )
