"""Every test starts from a clean environment: no Radomica settings, no network for models, one thread."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")
os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")


@pytest.fixture(scope="session")
def shared_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One RADOMICA_HOME for the whole run, so that indexes are built once."""
    return tmp_path_factory.mktemp("radomica-home")


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch, shared_home: Path) -> None:
    for name in list(os.environ):
        if name.startswith("RADOMICA_") and name != "RADOMICA_VLLM_PYTHON":
            monkeypatch.delenv(name)
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    monkeypatch.setenv("RADOMICA_HOME", str(shared_home))
