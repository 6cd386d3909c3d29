"""Another vector store is a setting: the same answers from LlamaIndex' own store, and what may not be set."""

from __future__ import annotations

import numpy as np
import pytest
from llama_index.core.vector_stores.simple import SimpleVectorStore

from encoders.errors import ContractError, SettingsError, UnavailableError
from retrieval.index import PassageIndex, scope
from retrieval.passage import Passage
from retrieval.similar_cases import unit_rows
from retrieval.vector_store import check_address, guideline_passage_index, node_id

CODES = ((), ("LUAD",), ("NSCLC",), ("DIFG",))


def passages(n: int) -> list[Passage]:
    return [Passage(f"p{i}", "Title", f"text {i}", "", "source", oncotree=CODES[i % 4]) for i in range(n)]


def test_another_store_gives_the_same_answers_inside_the_same_scope() -> None:
    rng = np.random.default_rng(0)
    vectors = unit_rows(rng.normal(size=(40, 8)).astype(np.float32))
    other = guideline_passage_index(passages(40), vectors, "hash", spec="memory")
    ours = PassageIndex(passages(40), vectors)
    for code in (None, "LUAD", "DIFG"):
        wanted = scope(patient_id=None, oncotree_code=code)
        for query in unit_rows(rng.normal(size=(5, 8)).astype(np.float32)):
            assert (
                other.search("text", query, wanted, k=7).by_vector == ours.search("text", query, wanted, k=7).by_vector
            )


def test_nodes_that_others_put_into_the_store_are_left_out() -> None:
    vectors = np.eye(3, dtype=np.float32)
    known = {node_id("set", p): i for i, p in enumerate(passages(2))}
    filled = guideline_passage_index(passages(3), vectors, "hash", spec="memory")._store
    assert isinstance(filled, SimpleVectorStore)
    index = PassageIndex(passages(2), vectors[:2], store=filled, node_ids=known)
    assert index.search("", vectors[0], scope(patient_id=None, oncotree_code=None), k=3).by_vector == ()


def test_a_patients_scope_is_never_asked_of_another_store() -> None:
    index = guideline_passage_index(passages(3), np.eye(3, dtype=np.float32), "hash", spec="memory")
    with pytest.raises(ContractError, match="a patient's scope was asked of it"):
        index.search("text", np.eye(3, dtype=np.float32)[0], scope(patient_id="A", oncotree_code=None), k=3)


def test_a_patients_passage_never_goes_to_another_store() -> None:
    note = Passage("n", "Note", "text", "text", "source", patient_id="A")
    with pytest.raises(SettingsError, match="never go to another vector store"):
        guideline_passage_index([note], np.eye(1, dtype=np.float32), "hash", spec="memory")


@pytest.mark.parametrize("spec", ["qdrant", "elastic:http://127.0.0.1#a", "qdrant:http://127.0.0.1:1#a-b", "qdrant:#a"])
def test_settings_that_are_not_understood(spec: str) -> None:
    with pytest.raises(SettingsError, match="write one of faiss, memory"):
        guideline_passage_index(passages(1), np.eye(1, dtype=np.float32), "hash", spec=spec)


def test_questions_do_not_leave_the_network() -> None:
    check_address("http://127.0.0.1:6333")
    check_address("http://10.0.0.5:6333")
    for address in ("http://93.184.216.34:6333", "http://0.0.0.0:6333"):
        with pytest.raises(SettingsError, match="neither loopback nor private"):
            check_address(address)
    with pytest.raises(SettingsError, match="names no host"):
        check_address("collection")


def test_a_store_whose_package_is_absent_names_it(monkeypatch: pytest.MonkeyPatch) -> None:
    def absent(name: str) -> None:
        raise ImportError(name)

    monkeypatch.setattr("retrieval.vector_store.importlib.import_module", absent)
    with pytest.raises(UnavailableError, match="pip install llama-index-vector-stores-qdrant"):
        guideline_passage_index(
            passages(1), np.eye(1, dtype=np.float32), "hash", spec="qdrant:http://127.0.0.1:6333#radomica"
        )
