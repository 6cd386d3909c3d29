"""Row group ``scale`` of the retrieval benchmark: a million made vectors, searched on this machine.

A made vector lies between two real ones: a real passage's MiniLM vector x, moved towards one of its 32 nearest real
neighbours by a random share, plus half the difference of two other neighbours, brought back to length 1. So made
vectors crowd where real ones do and differ along the directions in which real neighbours differ. Queries are real
questions, never made. NOT the same as a million real passages: these have subjects that the base does not.

The index is built in this process, written, and searched by a fresh one, whose memory before and after reading the
index is compared; exact answers come from comparing every vector.
"""

from __future__ import annotations

import multiprocessing
import os
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import faiss
import numpy as np
from numpy.typing import NDArray

from encoders.errors import UnavailableError
from eval.benchmark import Better, Progress, Row
from eval.intervals import bootstrap
from eval.retrieval_labelled import load_bioasq, load_pubmedqa
from retrieval.vector_index import TRAINING_PER_LIST, IndexKind, VectorIndex, choose_kind, list_count

PASSAGES = 1_000_000
BLOCK = 20_000
NEIGHBOURS = 32
QUERIES = 500
K = 10
RECALL, P50_MS, P99_MS, MEMORY_GIB, BUILD_PER_S = 0.95, 10.0, 40.0, 1.0, 1000.0


@dataclass(frozen=True)
class Base:
    """Real vectors (N, D), the nearest NEIGHBOURS of each (N, NEIGHBOURS), and real queries (Q, D)."""

    vectors: NDArray[np.float32]
    neighbours: NDArray[np.int64]
    queries: NDArray[np.float32]


def real_base(shared: Path) -> Base:
    """BioASQ snippets and PubMedQA paragraphs; queries are questions of both sets, drawn once."""
    pubmedqa, bioasq = load_pubmedqa(shared), load_bioasq(shared)
    questions = np.concatenate([pubmedqa.question_vectors, bioasq.question_vectors])
    chosen = np.random.default_rng(0).choice(len(questions), min(QUERIES, len(questions)), replace=False)
    return make_base(bioasq.index.vectors, questions[chosen])


def make_base(vectors: NDArray[np.float32], queries: NDArray[np.float32]) -> Base:
    """Find the neighbours of every real vector among the real ones, itself left out."""
    flat = faiss.IndexFlatIP(vectors.shape[1])
    flat.add(np.ascontiguousarray(vectors, np.float32))
    _, near = flat.search(np.ascontiguousarray(vectors, np.float32), NEIGHBOURS + 1)
    return Base(vectors, near[:, 1:], np.ascontiguousarray(queries, np.float32))


def made_block(base: Base, rows: int, seed: int) -> NDArray[np.float32]:
    """``rows`` made vectors (rows, D) of length 1, the same for the same seed."""
    rng = np.random.default_rng(seed)
    start = rng.integers(len(base.vectors), size=rows)
    towards, one, other = (base.neighbours[start, rng.integers(NEIGHBOURS, size=rows)] for _ in range(3))
    x = base.vectors
    share = rng.random((rows, 1), dtype=np.float32)
    made = x[start] + share * (x[towards] - x[start]) + 0.5 * (x[one] - x[other])
    return np.asarray(made / np.linalg.norm(made, axis=1, keepdims=True), np.float32)


def made_blocks(base: Base, n: int, seed: int) -> Iterator[NDArray[np.float32]]:
    """``n`` made vectors in blocks; block i has seed ``seed + i``."""
    for i, start in enumerate(range(0, n, BLOCK)):
        yield made_block(base, min(BLOCK, n - start), seed + i)


def exact_answers(base: Base, n: int, seed: int) -> NDArray[np.int64]:
    """Positions (Q, K) of the nearest of all ``n`` vectors, by comparing each."""
    best = np.full((len(base.queries), K), -np.inf, np.float32)
    place = np.zeros((len(base.queries), K), np.int64)
    for i, block in enumerate(made_blocks(base, n, seed)):
        product = base.queries @ block.T  # (Q, BLOCK)
        joined = np.concatenate([best, product], axis=1)
        joined_place = np.concatenate([place, np.broadcast_to(np.arange(len(block)) + i * BLOCK, product.shape)], 1)
        top = np.argpartition(-joined, K - 1, axis=1)[:, :K]
        best, place = np.take_along_axis(joined, top, 1), np.take_along_axis(joined_place, top, 1)
    return place


@dataclass(frozen=True)
class Searched:
    """What a fresh process saw: positions (Q, K), milliseconds of each query, GiB that reading the index took."""

    positions: NDArray[np.int64]
    milliseconds: NDArray[np.float64]
    memory_gib: float


def resident_gib() -> float:
    """Resident memory of this process; Linux alone tells.

    Raises
    ------
    UnavailableError: another system.
    """
    try:
        pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    except OSError as error:
        raise UnavailableError("resident memory is read from /proc, which this system does not have.") from error
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**30


def search_fresh(path: Path, kind: IndexKind, queries: NDArray[np.float32], stored: Path | None) -> Searched:
    """Read the index and search one query after another, 50 of them first to warm up. Runs in a process of its own."""
    before = resident_gib()
    beside = None if stored is None else np.load(stored, mmap_mode="r")
    index = VectorIndex.load(path, kind, stored=beside)
    memory = resident_gib() - before
    for query in queries[:50]:
        index.search(query, K)
    spent, found = [], []
    for query in queries:
        started = time.perf_counter()
        found.append(index.search(query, K)[0])
        spent.append((time.perf_counter() - started) * 1e3)
    return Searched(np.stack(found), np.asarray(spent), max(memory, resident_gib() - before))


@dataclass(frozen=True)
class Measured:
    """One index over made vectors. ``build_per_s``: vectors a second, training included, making them not."""

    kind: IndexKind
    n: int
    recall: NDArray[np.float64]
    milliseconds: NDArray[np.float64]
    memory_gib: float
    file_gib: float
    build_per_s: float


def measure(base: Base, n: int, seed: int, folder: Path, kind: IndexKind | None = None) -> Measured:
    """Build, write, read in a fresh process and search an index of ``n`` made vectors."""
    chosen = kind or choose_kind(n)
    stored = _store(base, n, seed, folder) if chosen is IndexKind.IVF_PQ else None
    making = 0.0

    def timed() -> Iterator[NDArray[np.float32]]:
        nonlocal making
        blocks = made_blocks(base, n, seed)
        while True:
            started = time.perf_counter()
            block = next(blocks, None)
            making += time.perf_counter() - started
            if block is None:
                return
            yield block

    sample = made_block(base, min(n, TRAINING_PER_LIST * list_count(n)), seed + 10_000_000)
    started = time.perf_counter()
    beside = None if stored is None else np.load(stored, mmap_mode="r")
    index = VectorIndex.from_blocks(timed(), n, sample=sample, kind=chosen, stored=beside)
    building = time.perf_counter() - started - making
    del sample
    path = folder / f"{chosen}.faiss"
    index.save(path)
    del index
    pool = multiprocessing.get_context("spawn").Pool(1)
    with pool:
        seen = pool.apply(search_fresh, (path, chosen, base.queries, stored))
    exact = exact_answers(base, n, seed)
    recall = np.asarray([len(set(a) & set(b)) / K for a, b in zip(exact, seen.positions, strict=True)])
    return Measured(
        chosen, n, recall, seen.milliseconds, seen.memory_gib, path.stat().st_size / 2**30, n / max(building, 1e-9)
    )


def _store(base: Base, n: int, seed: int, folder: Path) -> Path:
    path = folder / "stored.npy"
    rows = np.lib.format.open_memmap(path, mode="w+", dtype=np.float16, shape=(n, base.vectors.shape[1]))
    for i, block in enumerate(made_blocks(base, n, seed)):
        rows[i * BLOCK : i * BLOCK + len(block)] = block
    rows.flush()
    return path


def scale_rows(seed: int, shared: Path, progress: Progress, *, n: int = PASSAGES) -> tuple[Row, ...]:
    """The kind chosen for ``n`` vectors, measured; without the developers' files, a row that says so."""
    started = time.monotonic()
    try:
        base = real_base(shared)
        with tempfile.TemporaryDirectory() as folder:
            seen = measure(base, n, seed, Path(folder))
    except UnavailableError as error:
        return (Row("scale.recall@10", None, RECALL, Better.HIGHER, 0, 0.0, note=str(error)),)
    seconds, queries = time.monotonic() - started, len(seen.recall)
    p50, p99 = (float(np.percentile(seen.milliseconds, q)) for q in (50, 99))
    words = f"{n} vectors, {seen.kind}, {faiss.omp_get_max_threads()} threads, load {os.getloadavg()[0]:.1f}"
    return (
        Row("scale.recall@10", float(seen.recall.mean()), RECALL, Better.HIGHER, queries, seconds,
            bootstrap(lambda i: float(seen.recall[i].mean()), queries, seed=seed), words),
        Row("scale.p50_ms", p50, P50_MS, Better.LOWER, queries, 0.0,
            bootstrap(lambda i: float(np.percentile(seen.milliseconds[i], 50)), queries, seed=seed)),
        Row("scale.p99_ms", p99, P99_MS, Better.LOWER, queries, 0.0,
            bootstrap(lambda i: float(np.percentile(seen.milliseconds[i], 99)), queries, seed=seed)),
        Row("scale.memory_gib", seen.memory_gib, MEMORY_GIB, Better.LOWER, 1, 0.0,
            note=f"resident memory that reading and searching took; the file has {seen.file_gib:.3f} GiB"),
        Row("scale.build_per_s", seen.build_per_s, BUILD_PER_S, Better.HIGHER, n, 0.0,
            note="vectors a second, centroids included"),
    )  # fmt: skip
