"""Every kind of index against brute force, with and without a mask; what does not fit is refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from encoders.errors import ContractError, UnavailableError
from retrieval import vector_index
from retrieval.similar_cases import unit_rows
from retrieval.vector_index import IndexKind, VectorIndex, choose_kind, list_count

N, D, K = 4000, 32, 10


@pytest.fixture(scope="module")
def vectors() -> np.ndarray:
    """Unit vectors crowded around 40 centres, as texts crowd around subjects."""
    rng = np.random.default_rng(0)
    centres = rng.normal(size=(40, D))
    return unit_rows((centres[rng.integers(40, size=N)] + 0.5 * rng.normal(size=(N, D))).astype(np.float32))


def brute_force(vectors: np.ndarray, query: np.ndarray, allowed: np.ndarray | None) -> set[int]:
    product = vectors @ query
    if allowed is not None:
        product = np.where(allowed, product, -np.inf)
    return set(np.argsort(-product)[:K].tolist())


@pytest.mark.parametrize(("kind", "least"), [("flat", 1.0), ("hnsw", 0.98), ("ivf_sq", 0.9), ("ivf_pq", 0.9)])
@pytest.mark.parametrize("share", [None, 0.5, 0.02])
def test_recall_against_brute_force(
    vectors: np.ndarray, kind: str, least: float, share: float | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(vector_index, "ONE_BY_ONE", 200)  # the half goes through FAISS, the fiftieth one by one
    index = VectorIndex.build(vectors, kind=IndexKind(kind))
    rng = np.random.default_rng(1)
    allowed = None if share is None else rng.random(N) < share
    recalls = []
    for query in unit_rows(vectors[rng.choice(N, 40)] + 0.1 * rng.normal(size=(40, D)).astype(np.float32)):
        positions, products = index.search(query, K, allowed)
        assert len(set(positions.tolist())) == K
        assert list(products) == sorted(products, reverse=True)
        assert allowed is None or allowed[positions].all()
        recalls.append(len(brute_force(vectors, query, allowed) & set(positions.tolist())) / K)
    assert np.mean(recalls) >= (0.98 if share == 0.02 else least)


def test_a_mask_that_leaves_three_gives_three_and_one_that_leaves_none_none(vectors: np.ndarray) -> None:
    index = VectorIndex.build(vectors)
    allowed = np.zeros(N, bool)
    assert len(index.search(vectors[0], K, allowed)[0]) == 0
    allowed[[5, 7, 9]] = True
    assert set(index.search(vectors[0], K, allowed)[0].tolist()) == {5, 7, 9}


def test_the_kind_follows_the_number() -> None:
    assert [choose_kind(n) for n in (1, 50_000, 50_001, 200_001, 4_000_001)] == [
        IndexKind.FLAT, IndexKind.FLAT, IndexKind.HNSW, IndexKind.IVF_SQ, IndexKind.IVF_PQ,
    ]  # fmt: skip
    assert list_count(1_000_000) == 4096
    assert list_count(30_000_000) == 16_384


@pytest.mark.parametrize("kind", list(IndexKind))
def test_what_was_saved_answers_the_same(vectors: np.ndarray, kind: IndexKind, tmp_path: Path) -> None:
    index = VectorIndex.build(vectors, kind=kind)
    index.save(tmp_path / "a.faiss")
    again = VectorIndex.load(tmp_path / "a.faiss", kind, stored=vectors)
    assert [p.name for p in tmp_path.iterdir()] == ["a.faiss"]
    for query in vectors[:5]:
        np.testing.assert_array_equal(index.search(query, K)[0], again.search(query, K)[0])


def test_vectors_read_back_are_those_added(vectors: np.ndarray) -> None:
    positions = np.array([3, 1, 3999])
    for kind in IndexKind:
        read = VectorIndex.build(vectors, kind=kind).vectors(positions)
        np.testing.assert_allclose(read, vectors[positions], atol=0.01)


def test_what_does_not_fit_is_refused(vectors: np.ndarray, tmp_path: Path) -> None:
    index = VectorIndex.build(vectors[:10])
    with pytest.raises(ContractError, match=r"the rule is \(32,\)"):
        index.search(vectors[0][:5], 1)
    with pytest.raises(ContractError, match="the index holds 10 vectors"):
        index.search(vectors[0], 1, np.ones(11, bool))
    with pytest.raises(ContractError, match="vector 2 of a block has length 2"):
        VectorIndex.build(vectors[:3] * np.array([[1], [1], [2]], np.float32))
    with pytest.raises(ContractError, match="length nan"):
        VectorIndex.build(np.full((1, 4), np.nan, np.float32))
    with pytest.raises(ContractError, match="10 vectors, 11 were announced"):
        VectorIndex.from_blocks([vectors[:10]], 11, sample=vectors)
    with pytest.raises(ContractError, match="needs its vectors stored"):
        VectorIndex.from_blocks([vectors], N, sample=vectors, kind=IndexKind.IVF_PQ)
    (tmp_path / "bad.faiss").write_bytes(b"not an index")
    with pytest.raises(UnavailableError, match="build it again"):
        VectorIndex.load(tmp_path / "bad.faiss", IndexKind.FLAT)
