"""The index with hand-made vectors: scope inside the calls, and agreement with brute force."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from encoders.errors import ContractError
from retrieval.index import PassageIndex, scope
from retrieval.passage import Passage
from retrieval.similar_cases import unit_rows

WORDS = ("tumour", "lung", "glioma", "kidney", "breast", "osimertinib", "survival", "mutation")


def passage(name: str, text: str, *, patient_id: str | None = None, oncotree: tuple[str, ...] = ()) -> Passage:
    return Passage(name, "Title", text, text, "source", patient_id=patient_id, oncotree=oncotree)


def random_index(owners: list[str | None], seed: int = 0) -> tuple[PassageIndex, np.ndarray]:
    rng = np.random.default_rng(seed)
    codes = ((), ("LUAD",), ("NSCLC",), ("DIFG",))
    passages = [
        passage(f"p{i}", " ".join(rng.choice(WORDS, 4)), patient_id=owner, oncotree=codes[i % 4])
        for i, owner in enumerate(owners)
    ]
    vectors = unit_rows(rng.normal(size=(len(owners), 8)).astype(np.float32))
    return PassageIndex(passages, vectors), vectors


@settings(max_examples=60, deadline=None)
@given(
    owners=st.lists(st.sampled_from([None, "A", "B", "C"]), min_size=1, max_size=30),
    asked=st.sampled_from([None, "A", "B", "nobody"]),
    words=st.lists(st.sampled_from(WORDS), max_size=5),
    k=st.integers(1, 40),
)
def test_a_query_never_leaves_its_scope(owners: list[str | None], asked: str | None, words: list[str], k: int) -> None:
    """Even in one index that mixes owners: asked for A, only A; asked for guidelines, no note."""
    index, _ = random_index(owners)
    query = np.eye(8, dtype=np.float32)[0]
    found = index.search(" ".join(words), query, scope(patient_id=asked, oncotree_code=None), k=k)
    returned = {*found.by_vector, *found.by_word}
    assert {index.passages[i].patient_id for i in returned} <= {asked}
    allowed = [i for i, p in index.passages.items() if p.patient_id == asked]
    assert len(found.by_vector) == min(k, len(allowed))  # the limit does not eat the answers


def test_faiss_agrees_with_brute_force_inside_the_scope() -> None:
    index, vectors = random_index([None, "A"] * 50)
    rng = np.random.default_rng(1)
    for query in unit_rows(rng.normal(size=(20, 8)).astype(np.float32)):
        found = index.search("", query, scope(patient_id="A", oncotree_code=None), k=7)
        own = [i for i in range(100) if i % 2]
        wanted = sorted(own, key=lambda i: -float(vectors[i] @ query))[:7]
        assert found.by_vector == tuple(f"p{i}" for i in wanted)
        assert found.cosine[found.by_vector[0]] == pytest.approx(float(vectors[wanted[0]] @ query), abs=1e-5)


def test_disease_filter_lets_through_the_broader_and_the_general() -> None:
    index, _ = random_index([None] * 8)
    found = index.search("", np.eye(8, dtype=np.float32)[0], scope(patient_id=None, oncotree_code="LUAD"), k=8)
    assert {index.passages[i].oncotree for i in found.by_vector} == {(), ("LUAD",), ("NSCLC",)}
    broad = index.search("", np.eye(8, dtype=np.float32)[0], scope(patient_id=None, oncotree_code="NSCLC"), k=8)
    assert {index.passages[i].oncotree for i in broad.by_vector} == {(), ("NSCLC",)}


def test_words_of_oncology_stay_whole_and_no_shared_word_is_no_hit() -> None:
    texts = ("PD-L1 high tumours", "L1 retrotransposon", "1p/19q codeleted glioma")
    passages = [passage(f"p{i}", t) for i, t in enumerate(texts)]
    index = PassageIndex(passages, np.eye(3, dtype=np.float32))
    everything = scope(patient_id=None, oncotree_code=None)
    assert index.search("PD-L1", np.eye(3, dtype=np.float32)[0], everything, k=3).by_word == ("p0",)
    assert index.search("1p/19q", np.eye(3, dtype=np.float32)[0], everything, k=3).by_word == ("p2",)
    assert index.search("bread", np.eye(3, dtype=np.float32)[0], everything, k=3).by_word == ()


def test_an_index_refuses_what_does_not_fit() -> None:
    one = passage("a", "text")
    with pytest.raises(ContractError, match="the rule is"):
        PassageIndex([one], np.zeros((2, 3), np.float32))
    with pytest.raises(ContractError, match="share an id"):
        PassageIndex([one, one], np.zeros((2, 3), np.float32))
