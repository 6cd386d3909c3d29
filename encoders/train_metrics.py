"""Held-out figures of a trained fusion model, for its card: C-index, AUC, accuracy, with the image blanked too.

C-index is computed within each cancer and averaged, so that telling cancers apart earns nothing.
What this module does not know: confidence intervals and bars (eval/), where the patients come from.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.metrics import roc_auc_score
from sksurv.metrics import concordance_index_censored
from torch import Tensor

from encoders.calibration import Calibration
from encoders.fusion import EXPRESSION_TASKS, IMAGE_TASKS, FusionModel, place_kind
from encoders.inputs import CANCER_CODES, MODALITIES
from encoders.labels import Targets
from encoders.omics import ExpressionScale
from encoders.train_stages import prepare
from encoders.training_cohort import TrainingCohort


def within_cancer_c_index(risk: NDArray[np.float32], targets: Targets) -> float:
    """Mean over cancers of Harrell's C of ``risk`` (B,), higher = earlier event; NaN when no cancer has a pair."""
    values = []
    for c in range(len(CANCER_CODES)):
        pick = (targets.cancer == c).numpy()
        event, months = targets.event.numpy()[pick], targets.months.numpy()[pick]
        if event.sum() >= 2:
            values.append(concordance_index_censored(event, months, risk[pick])[0])
    return float(np.mean(values)) if values else float("nan")


def _binary(logits: Tensor, target: Tensor, tasks: tuple[str, ...]) -> dict[str, float]:
    out = {}
    for i, task in enumerate(tasks):
        known = ~torch.isnan(target[:, i])
        y, x = target[known, i].numpy(), logits[known, i].numpy()
        if len(y) == 0 or len(set(y.tolist())) < 2:
            continue
        auc = task.startswith("molecular:")
        figure = roc_auc_score(y, x) if auc else float(((x > 0) == (y > 0.5)).mean())
        out[f"{task} {'AUC' if auc else 'accuracy'}"] = round(float(figure), 4)
    return out


def _blank(cohort: TrainingCohort) -> TrainingCohort:
    blank = tuple(
        replace(p, crops=tuple(replace(c, image=np.zeros_like(c.image)) for c in p.crops)) for p in cohort.inputs
    )
    return replace(cohort, inputs=blank)


@torch.no_grad()
def held_out_metrics(
    model: FusionModel, calibration: Calibration, cohort: TrainingCohort, scale: ExpressionScale
) -> dict[str, Any]:
    """Figures on ``cohort``: accuracies, AUCs, within-cancer C-index fused and per modality, share flagged OOD."""
    model.eval()
    data = prepare(model, cohort, scale)
    every = torch.arange(len(data.real))
    tokens = data.tokens(model, every, 0, data.batch.present, torch.ones_like(data.batch.z_present))
    fused = model.fuse(tokens)
    kind = place_kind(data.batch)
    logits = model.image_heads(tokens.imaging, tokens.real, kind)
    logits = logits * calibration.platt_image[:, 0] + calibration.platt_image[:, 1]
    expression = model.expression_heads(tokens.expression)
    expression = expression * calibration.platt_expression[:, 0] + calibration.platt_expression[:, 1]
    c_index = {"fused": within_cancer_c_index(model.survival.risk(fused).numpy(), data.targets)}
    for name in MODALITIES:
        c_index[name] = within_cancer_c_index(model.unimodal[name].risk(tokens.row(name)).numpy(), data.targets)
    blank = prepare(model, _blank(cohort), scale)
    blank_logits = model.image_heads(blank.views[0], blank.real, kind)
    cancer = model.cancer_logits(tokens).argmax(1)
    rows = {name: tokens.row(name) for name in MODALITIES}
    outside = calibration.ood_score(rows, data.batch.present) > calibration.ood_limit
    return {
        "n": len(cohort),
        "c_index_within_cancer": {name: round(value, 4) for name, value in c_index.items()},
        "image": _binary(logits, data.targets.image, IMAGE_TASKS),
        "image_blank": _binary(blank_logits, data.targets.image, IMAGE_TASKS),
        "expression": _binary(expression, data.targets.expression, EXPRESSION_TASKS),
        "cancer_type accuracy": round(float((cancer == data.targets.cancer).float().mean()), 4),
        "flagged out of distribution": round(float(outside.float().mean()), 4),
    }
