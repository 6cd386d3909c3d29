"""Fusion: absent modalities change nothing they should not, order of series does not matter, gradients stay apart."""

from __future__ import annotations

import pytest
import torch

from encoders.errors import ContractError
from encoders.fusion import IMAGE_TASKS, FusionConfig, FusionModel, ImageHeads, Tokens, place, place_kind
from encoders.inputs import CANCER_CODES, MODALITIES, POOLED, cancer_index, make_batch, read_inputs


@pytest.fixture
def batch_and_model(cases, tiny_models):
    batch = make_batch([read_inputs(c.patient) for c in cases.values()], tiny_models.scale)
    return batch, tiny_models.model


def test_fused_shape_and_place(batch_and_model):
    batch, model = batch_and_model
    tokens = model.encode(batch)
    assert tokens.imaging.shape == (4, 2, 16)
    assert tokens.real.tolist() == [[True, True], [True, True], [True, False], [True, False]]
    assert model.fuse(tokens).shape == (4, 16)
    assert place_kind(batch).tolist() == [[0, 1], [2, 3], [0, 0], [2, 0]]


def test_a_patient_fuses_the_same_alone_and_in_a_batch(batch_and_model, cases, tiny_models):
    batch, model = batch_and_model
    together = model.fuse(model.encode(batch))
    for row, case in zip(together, cases.values(), strict=True):
        alone = make_batch([read_inputs(case.patient)], tiny_models.scale)
        torch.testing.assert_close(model.fuse(model.encode(alone))[0], row, atol=1e-4, rtol=1e-4)


def test_hidden_modality_has_no_influence(batch_and_model):
    batch, model = batch_and_model
    tokens = model.encode(batch)
    for i, name in enumerate(MODALITIES):
        shown = torch.ones(4, 4, dtype=torch.bool)
        shown[:, i] = False
        field = "imaging" if name == "imaging" else name
        changed = Tokens(**{**tokens.__dict__, field: getattr(tokens, field).flip(-1)})
        torch.testing.assert_close(model.fuse(changed, shown), model.fuse(tokens, shown))
        assert not torch.allclose(model.fuse(changed), model.fuse(tokens), atol=1e-3)


def test_absent_modality_cannot_be_shown(batch_and_model):
    batch, model = batch_and_model
    tokens = model.encode(batch)
    without = Tokens(**{**tokens.__dict__, "present": torch.zeros(4, 4, dtype=torch.bool)})
    with pytest.raises(ContractError, match="does not have"):
        model.fuse(without, torch.ones(4, 4, dtype=torch.bool))


def test_cancer_type_does_not_read_the_clinical_token(batch_and_model):
    batch, model = batch_and_model
    tokens = model.encode(batch)
    changed = Tokens(**{**tokens.__dict__, "clinical": tokens.clinical + 5})
    torch.testing.assert_close(model.cancer_logits(changed), model.cancer_logits(tokens))


def test_image_heads_by_hand():
    heads = ImageHeads(2)
    with torch.no_grad():
        heads.linear.weight.zero_()
        heads.linear.bias.zero_()
        heads.linear.weight[0] = torch.tensor([1.0, 0.0])
        heads.score.weight[:, 0] = torch.tensor([0.0, 1.0, 0, 0, 0]).log1p()  # PT weighs twice CT
    rows = torch.tensor([[[3.0, 0.0], [9.0, 0.0], [50.0, 0.0]]])
    real = torch.tensor([[True, True, False]])
    logits = heads(rows, real, torch.tensor([[0, 1, 0]]))
    assert logits.shape == (1, len(IMAGE_TASKS))
    assert logits[0, 0].item() == pytest.approx((3 + 2 * 9) / 3)
    assert heads(rows, torch.zeros(1, 3, dtype=torch.bool), torch.zeros(1, 3, dtype=torch.long))[0, 0].item() == 0


def test_place_keeps_every_row_of_its_own_patient(batch_and_model):
    batch, _ = batch_and_model
    rows = torch.arange(6.0).unsqueeze(1)
    placed, real = place(rows, batch)
    assert placed[real][:, 0].tolist() == [0, 1, 2, 3, 4, 5]
    assert placed[~real].abs().sum() == 0


def test_cancer_index_takes_the_nearest_trained_parent():
    assert cancer_index("LUAD") == (0, None)
    assert cancer_index("GB") == (CANCER_CODES.index("DIFG"), None)
    assert cancer_index("IDC") == (CANCER_CODES.index("BRCA"), None)
    index, why = cancer_index("PAAD")
    assert index == POOLED
    assert "PAAD is not one the models were trained on" in why
    assert cancer_index(None) == (POOLED, "the record names no OncoTree code")


def test_gradient_of_the_risk_reaches_every_part(cases, tiny_models):
    torch.manual_seed(0)
    model = FusionModel(FusionConfig(width=16, planes=(4, 4, 8, 16), n_heads=2))
    torch.nn.init.normal_(model.survival.weight.weight)
    batch = make_batch([read_inputs(cases["LUAD"].patient)] * 2, tiny_models.scale)
    model.survival.risk(model.fuse(model.encode(batch))).square().sum().backward()
    for name in ("image", "expression", "alterations", "clinical", "fusion"):
        parts = model.get_submodule(name).parameters()
        assert any(p.grad is not None and bool(p.grad.abs().sum() > 0) for p in parts), name
