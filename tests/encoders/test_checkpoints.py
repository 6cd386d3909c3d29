"""Weights come back as they were, and a byte changed is refused."""

from __future__ import annotations

import json

import pytest
import torch

from encoders.checkpoints import CARD_FILE, WEIGHTS_FILE, load_checkpoint, save_checkpoint
from encoders.errors import UnavailableError

CARD = {"id": "toy", "architecture": {}, "inputs": {}, "training": {}, "metrics": {}, "limits": "toy"}


def test_round_trip(tmp_path):
    tensors = {"a": torch.arange(6.0).view(2, 3), "b": torch.tensor(1.5)}
    digest = save_checkpoint(tmp_path, tensors, CARD)
    back = load_checkpoint(tmp_path)
    assert back.sha256 == digest == back.card["sha256"]
    assert all(torch.equal(back.tensors[k], v) for k, v in tensors.items())
    assert {p.name for p in tmp_path.iterdir()} == {"model.safetensors", "card.json"}  # nothing half-written is left


def test_changed_weights_are_refused(tmp_path):
    save_checkpoint(tmp_path, {"a": torch.zeros(4)}, CARD)
    data = bytearray((tmp_path / WEIGHTS_FILE).read_bytes())
    data[-1] ^= 1
    (tmp_path / WEIGHTS_FILE).write_bytes(bytes(data))
    with pytest.raises(UnavailableError, match="the weights are refused"):
        load_checkpoint(tmp_path)


def test_missing_files_and_fields_are_named(tmp_path):
    with pytest.raises(UnavailableError, match=r"model\.safetensors is not in"):
        load_checkpoint(tmp_path)
    save_checkpoint(tmp_path, {"a": torch.zeros(4)}, CARD)
    card = json.loads((tmp_path / CARD_FILE).read_text())
    del card["limits"]
    (tmp_path / CARD_FILE).write_text(json.dumps(card))
    with pytest.raises(UnavailableError, match="lacks limits"):
        load_checkpoint(tmp_path)
    (tmp_path / CARD_FILE).write_text("{")
    with pytest.raises(UnavailableError, match="is not JSON"):
        load_checkpoint(tmp_path)
