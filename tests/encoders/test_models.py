"""Weights of another version are refused with the tensor's name, not with a torch traceback."""

from __future__ import annotations

from dataclasses import asdict

import pytest
import torch

from encoders.calibration import Calibration
from encoders.checkpoints import save_checkpoint
from encoders.errors import UnavailableError
from encoders.models import read_models


def saved(tiny_models, folder, change):
    tensors = {f"model.{n}": t for n, t in tiny_models.model.state_dict().items()}
    tensors |= {f"calibration.{n}": t for n, t in Calibration(16).state_dict().items()}
    tensors |= {f"scale.{n}": torch.from_numpy(v) for n, v in asdict(tiny_models.scale).items()}
    card = {"id": "tiny", "architecture": asdict(tiny_models.model.config), "inputs": {}, "training": {}, "metrics": {}}
    save_checkpoint(folder, change(tensors), {**card, "limits": ""})
    return folder


def test_weights_come_back_equal(tiny_models, tmp_path):
    back = read_models(saved(tiny_models, tmp_path, lambda t: t))
    for name, tensor in tiny_models.model.state_dict().items():
        assert torch.equal(back.model.state_dict()[name], tensor)
    assert back.reference_risk == {}


@pytest.mark.parametrize(
    "change",
    [
        lambda t: {**t, "model.survival.weight.weight": torch.zeros(1, 7)},
        lambda t: {n: v for n, v in t.items() if n != "model.survival.weight.weight"},
        lambda t: {**t, "model.survival.extra": torch.zeros(1)},
    ],
)
def test_other_shapes_and_names_are_refused(tiny_models, tmp_path, change):
    with pytest.raises(UnavailableError, match=r"do not fit this version: 1 tensors differ, first 'survival\."):
        read_models(saved(tiny_models, tmp_path, change))
