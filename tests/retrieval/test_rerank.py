"""The cross-encoder setting, with a tiny random BERT: order, places behind, and what is refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from sentence_transformers import CrossEncoder
from transformers import BertConfig, BertForSequenceClassification, BertTokenizerFast

from encoders.errors import SettingsError, UnavailableError
from retrieval import rerank as rerank_module
from retrieval.index import embedded_text
from retrieval.passage import Hit, Passage
from retrieval.rerank import RERANKED, rerank

WORDS = ("lung", "glioma", "kidney", "breast", "osimertinib", "survival")


def tiny_model(folder: Path, labels: int = 1) -> str:
    folder.mkdir()
    (folder / "vocab.txt").write_text("\n".join(("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", ".", *WORDS)))
    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=12, hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=16,
        num_labels=labels, initializer_range=1.0,
    )  # fmt: skip
    BertForSequenceClassification(config).save_pretrained(folder)
    BertTokenizerFast(str(folder / "vocab.txt")).save_pretrained(folder)
    return str(folder)


def hits(n: int) -> list[Hit]:
    rng = np.random.default_rng(0)
    texts = [" ".join(rng.choice(WORDS, 4)) for _ in range(n)]
    return [Hit(Passage(f"p{i}", "", t, t, "s"), 1 - i / 100, {"vector": i + 1}) for i, t in enumerate(texts)]


@pytest.fixture(autouse=True)
def forget_models() -> None:
    rerank_module._load.cache_clear()


def test_unset_changes_nothing() -> None:
    given = hits(5)
    assert rerank("lung", given) == tuple(given)


def test_the_models_order_is_kept_and_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    name = tiny_model(tmp_path / "model")
    monkeypatch.setenv("RADOMICA_RERANKER", name)
    given = hits(RERANKED + 3)
    read = rerank("lung survival", given)
    pairs = [("lung survival", embedded_text(h.passage)) for h in given[:RERANKED]]
    wanted = np.argsort(-CrossEncoder(name).predict(pairs), kind="stable")
    assert [h.passage.passage_id for h in read[:RERANKED]] == [f"p{i}" for i in wanted]
    assert list(wanted) != sorted(wanted)
    assert [h.ranks["cross-encoder"] for h in read[:RERANKED]] == list(range(1, RERANKED + 1))
    assert read[RERANKED:] == tuple(given[RERANKED:])
    assert rerank("lung survival", []) == ()


def test_a_model_that_is_not_there_or_gives_two_scores_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RADOMICA_OFFLINE", "1")
    monkeypatch.setenv("RADOMICA_RERANKER", str(tmp_path / "absent"))
    with pytest.raises(UnavailableError, match="Correct RADOMICA_RERANKER"):
        rerank("lung", hits(2))
    monkeypatch.setenv("RADOMICA_RERANKER", tiny_model(tmp_path / "two", labels=2))
    with pytest.raises(SettingsError, match="gives 2 scores"):
        rerank("lung", hits(3))
