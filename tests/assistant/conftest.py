"""The hand-made lung case as fixtures, and its ledger."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest

from assistant.collect import collect_evidence
from assistant.evidence import Ledger


def _load_toy() -> ModuleType:
    path = Path(__file__).with_name("toy_case.py")
    spec = importlib.util.spec_from_file_location("toy_case", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["toy_case"] = module
    spec.loader.exec_module(module)
    return module


TOY = _load_toy()


@pytest.fixture(scope="session")
def toy() -> ModuleType:
    """toy_patient(), toy_prediction(), toy_retrieved()."""
    return TOY


@pytest.fixture(scope="session")
def toy_ledger() -> Ledger:
    return collect_evidence(TOY.toy_patient(), TOY.toy_prediction(), TOY.toy_retrieved())
