"""The embedder's pin, its cache, and what is said when the cache cannot be used. A toy model stands in for MiniLM."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pytest

from encoders.errors import UnavailableError
from retrieval.embed import cached_vectors, check_weights, home_folder, load_embedding, minilm_folder, texts_sha256


class CountingEmbedding:
    """Length-1 vectors from a text's length; counts its calls."""

    weights_sha256 = "f" * 64

    def __init__(self) -> None:
        self.calls = 0

    def encode(self, texts: list[str]) -> np.ndarray:
        self.calls += 1
        return np.asarray([[np.cos(len(t)), np.sin(len(t))] for t in texts], np.float32)


@pytest.fixture(autouse=True)
def own_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("RADOMICA_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


def test_the_pinned_weights_are_installed() -> None:
    path = minilm_folder() / "model.safetensors"
    check_weights(path, hashlib.sha256(path.read_bytes()).hexdigest())
    with pytest.raises(UnavailableError, match="the pinned one is 000000000000"):
        check_weights(path, "0" * 64)
    assert hashlib.sha256(path.read_bytes()).hexdigest().startswith("53aa5117")


def test_vectors_are_made_once_and_read_back_the_same(own_home: Path) -> None:
    model = CountingEmbedding()
    first, said = cached_vectors(["a", "bb"], model)
    again, said_again = cached_vectors(["a", "bb"], model)
    assert model.calls == 1
    assert said == said_again == ()
    np.testing.assert_array_equal(first, again)
    cached_vectors(["a", "bbb"], model)
    assert model.calls == 2
    assert [p.suffix for p in (own_home / "passage_vectors").iterdir()] == [".npy", ".npy"]


def test_a_damaged_cache_is_said_and_made_again(own_home: Path) -> None:
    model = CountingEmbedding()
    cached_vectors(["a"], model)
    path = next((own_home / "passage_vectors").iterdir())
    path.write_bytes(b"half a fi")
    vectors, said = cached_vectors(["a"], model)
    assert "cannot be read" in said[0]
    assert vectors.shape == (1, 2)
    assert cached_vectors(["a"], model)[1] == ()


def test_a_home_that_cannot_be_written_works_and_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a_file").write_text("not a folder")
    monkeypatch.setenv("RADOMICA_HOME", str(tmp_path / "a_file"))
    vectors, said = cached_vectors(["a"], CountingEmbedding())
    assert vectors.shape == (1, 2)
    assert "not stored under RADOMICA_HOME" in said[0]


def test_home_is_the_setting() -> None:
    assert home_folder().name == "home"


def test_lists_that_join_alike_hash_apart() -> None:
    assert texts_sha256(["ab", "c"]) != texts_sha256(["a", "bc"])


def test_an_unknown_embedder_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("RADOMICA_OFFLINE", "1")
    monkeypatch.setenv("RADOMICA_EMBEDDER", str(tmp_path / "no-such-model"))
    with pytest.raises(UnavailableError, match=r"no-such-model.*cannot be loaded"):
        load_embedding()
