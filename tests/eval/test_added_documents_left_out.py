"""A benchmark's figures do not depend on what the user has added."""

from __future__ import annotations

from pathlib import Path

import pytest

from eval import run as run_module
from eval.benchmark import BenchmarkResult, Better, Row
from eval.retrieval_made import WordEmbedder
from retrieval.added_documents import added_documents, knowledge_folder
from retrieval.knowledge_add import add_file
from retrieval.knowledge_record import Details
from retrieval.knowledge_store import KnowledgeStore


def test_a_benchmark_sees_none_of_the_users_documents(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RADOMICA_KNOWLEDGE", str(tmp_path / "knowledge"))
    (tmp_path / "a.md").write_text("The text of a guideline.", encoding="utf-8")
    add_file(KnowledgeStore(knowledge_folder()), tmp_path / "a.md", WordEmbedder(), Details())

    def count(**_: object) -> BenchmarkResult:
        seen = len(added_documents().load(None, WordEmbedder.weights_sha256).passages)
        return BenchmarkResult("count", (Row("seen", seen, 0, Better.LOWER, 1, 0.0),), 0)

    monkeypatch.setitem(run_module.BENCHMARKS, "count", count)
    assert run_module.run_benchmark("count").rows[0].value == 0
    assert len(added_documents().load(None, WordEmbedder.weights_sha256).passages) == 1  # and they are back
