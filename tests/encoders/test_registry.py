"""The registry names shipped models and refuses doubles."""

from __future__ import annotations

import pytest

from encoders.errors import ContractError, SettingsError
from encoders.registry import REGISTRY, ModelEntry, build_registry, entry


def test_entries_are_shipped():
    for name, item in REGISTRY.items():
        assert item.name == name
        assert (item.folder / "card.json").is_file()


def test_double_and_unknown_names_are_refused(tmp_path):
    one = ModelEntry("a", tmp_path, "", "")
    with pytest.raises(ContractError, match="registered twice"):
        build_registry(one, one)
    with pytest.raises(SettingsError, match="known: fusion"):
        entry("nothing")
