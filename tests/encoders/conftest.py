"""Untrained models and one synthetic case per cancer, made once."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from encoders.calibration import Calibration
from encoders.fusion import FusionConfig, FusionModel
from encoders.models import Models
from encoders.omics import ExpressionScale
from encoders.pathways import PANEL, REFERENCE_GENES
from encoders.synthetic.cohort import sample_case
from encoders.vocabulary import CANCERS

torch.set_num_threads(1)


@pytest.fixture(scope="session")
def tiny_models() -> Models:
    """Random weights of a small model, with a random risk direction so that risks differ."""
    torch.manual_seed(0)
    model = FusionModel(FusionConfig(width=16, planes=(4, 4, 8, 16), n_heads=2)).eval()
    for head in (model.survival, *model.unimodal.values()):
        torch.nn.init.normal_(head.weight.weight)
    for parameter in model.parameters():
        parameter.requires_grad_(False)
    scale = ExpressionScale(
        np.full(len(PANEL), 4, np.float32),
        np.full(len(PANEL), 2, np.float32),
        np.full(len(REFERENCE_GENES), 6, np.float32),
    )
    card = {"id": "tiny", "architecture": {}}
    return Models(model, Calibration(16).eval(), scale, card, "0" * 64, "toy cohort", {"LUAD": np.arange(-2.0, 3.0)})


@pytest.fixture(scope="session")
def cases():
    """Cancer code -> SyntheticCase of seed 900."""
    return {code: sample_case(i, 900, code) for i, code in enumerate(CANCERS)}
