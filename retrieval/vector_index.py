"""Unit vectors in a FAISS index whose kind follows their number, searched inside a mask of allowed positions.

========  =========================  ============================================================================
kind      chosen up to               what is stored
========  =========================  ============================================================================
flat      50,000 vectors             every float; exact
hnsw      200,000 vectors            every float and a graph
ivf_sq    4,000,000 vectors          one byte a dimension, in lists around centroids
ivf_pq    above                      one bit a dimension; the best are scored again from ``stored`` (on disk)
========  =========================  ============================================================================

Where a mask leaves few positions, these are compared one by one, so that a narrow filter never costs recall.
FAISS on a GPU, where installed, trains the centroids; searches stay on the CPU, because masks are not offered there.
What this module does not know: texts, metadata, who may see what (the mask says so); lengths other than 1 and
0 are refused on build, not on search. Measured figures and the way to 30 million: docs/retrieval_scale.md.

References
----------
Douze et al., The Faiss library, 2024, DOI 10.48550/arXiv.2401.08281; Malkov & Yashunin, IEEE TPAMI 2020,
DOI 10.1109/TPAMI.2018.2889473; Jegou et al., IEEE TPAMI 2011, DOI 10.1109/TPAMI.2010.57.
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

import faiss
import numpy as np
from numpy.typing import NDArray

from encoders.errors import ContractError, UnavailableError


class IndexKind(StrEnum):
    """What FAISS is asked to build."""

    FLAT = "flat"
    HNSW = "hnsw"
    IVF_SQ = "ivf_sq"
    IVF_PQ = "ivf_pq"


FLAT_UP_TO, HNSW_UP_TO, IVF_SQ_UP_TO = 50_000, 200_000, 4_000_000
ONE_BY_ONE = 20_000
"""Allowed positions up to which a masked search compares each of them."""

HNSW_LINKS, HNSW_BUILD, HNSW_SEARCH = 32, 120, 160
PROBES = 96
"""Inverted lists read for one query, of ``list_count(n)``."""

TRAINING_PER_LIST, TRAINING_ROUNDS = 40, 10
RESCORED = 30
"""With ``ivf_pq`` this many times ``k`` are scored again from the stored vectors."""

LENGTH_TOLERANCE = 1e-2


def choose_kind(n: int) -> IndexKind:
    """The kind for ``n`` vectors, as in the table above."""
    for limit, kind in ((FLAT_UP_TO, IndexKind.FLAT), (HNSW_UP_TO, IndexKind.HNSW), (IVF_SQ_UP_TO, IndexKind.IVF_SQ)):
        if n <= limit:
            return kind
    return IndexKind.IVF_PQ


def list_count(n: int) -> int:
    """Inverted lists for ``n`` vectors: the power of two next to four times the root of n (4,096 for a million)."""
    return 2 ** round(math.log2(max(4 * math.sqrt(n), 4)))


def _empty(kind: IndexKind, n: int, dimensions: int) -> Any:
    product = faiss.METRIC_INNER_PRODUCT
    if kind is IndexKind.FLAT:
        return faiss.IndexFlatIP(dimensions)
    if kind is IndexKind.HNSW:
        index = faiss.IndexHNSWFlat(dimensions, HNSW_LINKS, product)
        index.hnsw.efConstruction = HNSW_BUILD
        return index
    # 65,536 centroids and more are themselves found through a graph
    lists = list_count(n)
    quantiser = f"IVF{lists}_HNSW32" if lists > 16_384 else f"IVF{lists}"
    codes = "SQ8" if kind is IndexKind.IVF_SQ else f"PQ{dimensions // 4}x4fs"
    index = faiss.index_factory(dimensions, f"{quantiser},{codes}", product)
    index.cp.min_points_per_centroid, index.cp.max_points_per_centroid = 1, 2 * TRAINING_PER_LIST
    index.cp.niter = TRAINING_ROUNDS
    if faiss.get_num_gpus() > 0:
        index.clustering_index = faiss.index_cpu_to_all_gpus(faiss.IndexFlatIP(dimensions))
    return index


def _checked(block: NDArray[np.floating], dimensions: int) -> NDArray[np.float32]:
    if block.ndim != 2 or block.shape[1] != dimensions:
        raise ContractError(f"a block of vectors has shape {block.shape}; the rule is (K, {dimensions}).")
    rows = np.ascontiguousarray(block, np.float32)
    lengths = np.linalg.norm(rows, axis=1)
    wrong = np.flatnonzero(~((np.abs(lengths - 1) <= LENGTH_TOLERANCE) | (lengths == 0)))
    if len(wrong):
        raise ContractError(
            f"vector {wrong[0]} of a block has length {lengths[wrong[0]]:.3f}; every vector has length 1, or 0 where "
            "nothing is known. Divide each by its length before indexing."
        )
    return rows


@dataclass(frozen=True)
class VectorIndex:
    """``search`` gives positions 0..n-1 in the order in which the vectors were added.

    stored : (n, D) vectors of any float type, a memory map for large sets; needed by ``ivf_pq`` alone
    """

    kind: IndexKind
    faiss_index: Any
    stored: NDArray[np.floating] | None = None

    def __len__(self) -> int:
        return int(self.faiss_index.ntotal)

    @classmethod
    def build(cls, vectors: NDArray[np.floating], *, kind: IndexKind | None = None) -> VectorIndex:
        """Index ``vectors`` (n, D), rows of length 1; the kind follows n unless given.

        Raises
        ------
        ContractError: another shape, or a row of another length.
        """
        if vectors.ndim != 2:
            raise ContractError(f"the vectors have shape {vectors.shape}; the rule is (n, D).")
        n = len(vectors)
        step = 50_000
        blocks = (vectors[i : i + step] for i in range(0, n, step))
        sample = vectors[np.sort(np.random.default_rng(0).choice(n, min(n, TRAINING_PER_LIST * list_count(n)), False))]
        return cls.from_blocks(blocks, n, sample=sample, kind=kind, stored=vectors)

    @classmethod
    def from_blocks(
        cls,
        blocks: Iterable[NDArray[np.floating]],
        n: int,
        *,
        sample: NDArray[np.floating],
        kind: IndexKind | None = None,
        stored: NDArray[np.floating] | None = None,
    ) -> VectorIndex:
        """The same, from blocks that need not be in memory together.

        sample : (m, D) vectors like those of the blocks, m about TRAINING_PER_LIST * list_count(n); trains the lists

        Raises
        ------
        ContractError: a block of another shape or of other lengths, blocks that do not add up to ``n``, or
            ``ivf_pq`` without ``stored`` vectors.
        """
        chosen = kind or choose_kind(n)
        index = _empty(chosen, n, sample.shape[1])
        if not index.is_trained:
            index.train(np.ascontiguousarray(sample, np.float32))
        for block in blocks:
            index.add(_checked(block, sample.shape[1]))
        if index.ntotal != n:
            raise ContractError(f"the blocks hold {index.ntotal} vectors, {n} were announced.")
        return cls._ready(chosen, index, stored)

    @classmethod
    def _ready(cls, kind: IndexKind, index: Any, stored: NDArray[np.floating] | None) -> VectorIndex:
        if kind is IndexKind.IVF_SQ:
            index.make_direct_map()  # position -> list, so that single vectors can be read back
        if kind is IndexKind.IVF_PQ and (stored is None or stored.shape != (index.ntotal, index.d)):
            raise ContractError(
                f"an ivf_pq index needs its vectors stored beside it, of shape ({index.ntotal}, {index.d}); "
                f"found {None if stored is None else stored.shape}."
            )
        return cls(kind, index, stored if kind is IndexKind.IVF_PQ else None)

    def vectors(self, positions: NDArray[np.int64]) -> NDArray[np.float32]:
        """(K, D) float32 at these positions, as exactly as the index holds them."""
        if self.stored is not None:
            return np.asarray(self.stored[positions], np.float32)
        if not len(positions):
            return np.zeros((0, self.faiss_index.d), np.float32)
        return self.faiss_index.reconstruct_batch(np.ascontiguousarray(positions, np.int64))

    def search(
        self, query: NDArray[np.float32], k: int, allowed: NDArray[np.bool_] | None = None
    ) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """Positions and inner products of the ``k`` nearest to ``query`` (D,) among the allowed, nearest first.

        allowed : (n,) True where a position may be returned; None = everywhere

        Raises
        ------
        ContractError: a query or a mask of another shape.
        """
        if query.shape != (self.faiss_index.d,):
            raise ContractError(f"the query has shape {query.shape}; the rule is ({self.faiss_index.d},).")
        if allowed is not None and allowed.shape != (len(self),):
            raise ContractError(f"the mask has shape {allowed.shape}; the index holds {len(self)} vectors.")
        open_to = len(self) if allowed is None else int(np.count_nonzero(allowed))
        k = min(k, open_to)
        if k < 1:
            return np.empty(0, np.int64), np.empty(0, np.float32)
        if allowed is not None and open_to <= max(ONE_BY_ONE, 2 * k):
            return self._nearest(query, np.flatnonzero(allowed), k)
        wanted = np.ascontiguousarray(query, np.float32)[np.newaxis]  # (1, D)
        drawn = k if self.stored is None else min(open_to, RESCORED * k)
        product, place = self.faiss_index.search(wanted, drawn, params=self._parameters(allowed, open_to, drawn))
        found = place[0] >= 0
        if self.stored is not None:
            return self._nearest(query, place[0][found], k)
        return place[0][found], product[0][found]

    def _nearest(
        self, query: NDArray[np.float32], positions: NDArray[np.int64], k: int
    ) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        product = self.vectors(positions) @ query  # (K,)
        best = np.argsort(-product, kind="stable")[:k]
        return positions[best].astype(np.int64), product[best].astype(np.float32)

    def _parameters(self, allowed: NDArray[np.bool_] | None, open_to: int, k: int) -> Any:
        """The narrower the mask, the more of the graph or of the lists is read, so that ``k`` are still found."""
        share = open_to / max(len(self), 1)
        masked = {} if allowed is None else {"sel": _selector(allowed)}
        if self.kind is IndexKind.FLAT:
            return faiss.SearchParameters(**masked) if masked else None
        if self.kind is IndexKind.HNSW:
            return faiss.SearchParametersHNSW(efSearch=math.ceil(max(HNSW_SEARCH, 2 * k) / share), **masked)
        probes = min(int(self.faiss_index.nlist), math.ceil(PROBES / share))
        return faiss.SearchParametersIVF(nprobe=probes, **masked)

    def save(self, path: Path) -> None:
        """Write the index to ``path``, whole or not at all; ``stored`` vectors stay where they are."""
        part = path.with_suffix(path.suffix + ".part")
        faiss.write_index(self.faiss_index, str(part))
        with part.open("rb") as file:
            os.fsync(file.fileno())
        os.replace(part, path)

    @classmethod
    def load(cls, path: Path, kind: IndexKind, *, stored: NDArray[np.floating] | None = None) -> VectorIndex:
        """Read what ``save`` wrote.

        Raises
        ------
        UnavailableError: the file is absent or not a FAISS index; ContractError: ``stored`` does not fit it.
        """
        try:
            index = faiss.read_index(str(path))
        except RuntimeError as error:
            raise UnavailableError(f"the vector index {path.name} cannot be read; build it again.") from error
        return cls._ready(kind, index, stored)


def _selector(allowed: NDArray[np.bool_]) -> Any:
    return faiss.IDSelectorBitmap(np.packbits(allowed, bitorder="little"))
