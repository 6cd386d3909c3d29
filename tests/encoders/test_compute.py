"""Where a training runs: what was asked for, or a GPU where there is one; never another device without a word."""

from __future__ import annotations

import pytest
import torch

from encoders.compute import core_count, training_device
from encoders.errors import SettingsError


@pytest.mark.parametrize(("seen", "device"), [(True, "cuda"), (False, "cpu")])
def test_nothing_asked_takes_a_gpu_where_there_is_one(monkeypatch: pytest.MonkeyPatch, seen: bool, device: str) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: seen)
    assert training_device(None) == device
    assert training_device("cpu") == "cpu"


def test_a_gpu_that_is_not_there_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(SettingsError, match="sees no GPU"):
        training_device("cuda")


def test_an_unknown_device_names_the_allowed_ones() -> None:
    with pytest.raises(SettingsError, match="cpu, cuda"):
        training_device("tpu")


def test_at_least_one_core_is_used() -> None:
    assert core_count() >= 1
