"""Labels: the right word for the right cancer, NaN where a question does not apply or cannot be seen."""

from __future__ import annotations

import math

import pytest
import torch

from encoders.fusion import EXPRESSION_TASKS, IMAGE_TASKS
from encoders.inputs import CANCER_CODES, PatientInputs
from encoders.labels import Labels, make_targets, masked_bce, task_words, unreadable_reason
from encoders.radiology import SERIES_KINDS, LesionCrop

CT, PT, FLAIR = (SERIES_KINDS.index(k) for k in ("CT", "PT", "MR FLAIR"))


def patient(*kinds):
    return PatientInputs(tuple(LesionCrop(None, None, k, str(k), "Lesion") for k in kinds), None, None, None, 0)


def test_words():
    assert task_words("appearance:margin", "DIFG") == ("circumscribed", "infiltrative")
    assert task_words("appearance:uptake", "DIFG") is None
    assert task_words("molecular:EGFR", "LUAD") == ("not mutated", "mutated")
    assert task_words("molecular:EGFR", "BRCA") is None


@pytest.mark.parametrize(
    ("task", "kinds", "reason"),
    [
        ("appearance:uptake", {CT}, "no FDG-PET"),
        ("appearance:uptake", {PT}, None),
        ("appearance:margin", {PT}, "no CT or MR"),
        ("appearance:enhancement", {FLAIR}, "no post-contrast"),
        ("molecular:IDH1", {FLAIR}, None),
        ("appearance:margin", set(), "no lesion segment"),
    ],
)
def test_what_can_be_seen(task, kinds, reason):
    got = unreadable_reason(task, kinds)
    assert (got is None) if reason is None else (reason in got)


def test_targets_by_hand():
    known = Labels(
        "LUAD", {"margin": "spiculated", "uptake": "high"}, {"EGFR": True}, {"proliferation": "low"}, 12.0, True
    )
    targets = make_targets([patient(CT), patient(CT, PT), patient()], [known] * 3)
    column = {task: i for i, task in enumerate(IMAGE_TASKS)}
    assert targets.image[:, column["appearance:margin"]].tolist()[:2] == [1, 1]
    assert math.isnan(targets.image[0, column["appearance:uptake"]])
    assert targets.image[1, column["appearance:uptake"]] == 1
    assert targets.image[:2, column["molecular:EGFR"]].tolist() == [1, 1]
    assert bool(targets.image[2].isnan().all())
    assert bool(targets.image[:, column["molecular:BAP1"]].isnan().all())
    assert targets.expression[0, EXPRESSION_TASKS.index("expression:proliferation")] == 0
    assert math.isnan(targets.expression[0, EXPRESSION_TASKS.index("expression:immune_infiltration")])
    assert targets.cancer.tolist() == [CANCER_CODES.index("LUAD")] * 3


def test_masked_loss_ignores_unknown_entries():
    logits = torch.tensor([[0.0, 5.0]], requires_grad=True)
    loss = masked_bce(logits, torch.tensor([[1.0, torch.nan]]))
    assert loss.item() == pytest.approx(math.log(2))
    loss.backward()
    assert logits.grad.tolist() == [[-0.5, 0.0]]
    assert masked_bce(logits, torch.full((1, 2), torch.nan)).item() == 0
