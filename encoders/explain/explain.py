"""Every explanation of one patient: genes on the risk, and Grad-CAM maps for the risk and the molecular label.

What this module does not know: words of the report, which explanation is worth showing.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from encoders.explain.grad_cam import Target, grad_cam, paste_into_series
from encoders.explain.integrated_gradients import integrated_gradients
from encoders.explain.sanity import deletion_curve, weight_randomisation
from encoders.fusion import IMAGE_TASKS, Tokens, place, place_kind
from encoders.inputs import CANCER_CODES, POOLED, Batch, PatientInputs
from encoders.labels import task_words
from encoders.models import Models
from encoders.pathways import PANEL
from encoders.patient import ImagingModality, ImagingSeries, Patient
from encoders.prediction import Attribution


def explain_patient(patient: Patient, inputs: PatientInputs, batch: Batch, models: Models) -> tuple[Attribution, ...]:
    """All attributions that the patient's modalities allow."""
    with torch.no_grad():
        tokens = models.model.encode(batch)
    out: list[Attribution] = []
    if inputs.expression is not None:
        out.append(explain_genes(inputs, batch, tokens, models))
    if inputs.crops:
        for task, target in image_targets(inputs, batch, tokens, models).items():
            out += explain_images(patient, inputs, batch, models, task=task, target=target)
    return tuple(out)


def explain_genes(inputs: PatientInputs, batch: Batch, tokens: Tokens, models: Models) -> Attribution:
    """Integrated gradients of the risk score on the expression z-scores; one value per panel gene present."""
    model = models.model

    def risk(z: Tensor) -> Tensor:
        count = len(z)
        wide = Tokens(
            imaging=tokens.imaging.expand(count, -1, -1),
            real=tokens.real.expand(count, -1),
            expression=model.expression(z, batch.z_present.expand(count, -1)),
            alterations=tokens.alterations.expand(count, -1),
            clinical=tokens.clinical.expand(count, -1),
            present=tokens.present.expand(count, -1),
        )
        return model.survival.risk(model.fuse(wide))

    values, error = integrated_gradients(risk, batch.z)
    present = batch.z_present[0].tolist()
    return Attribution(
        task="survival",
        method="integrated gradients",
        baseline="mean expression of the reference cohort",
        values={gene: float(v) for gene, v, p in zip(PANEL, values, present, strict=True) if p},
        completeness_error=error,
    )


def image_targets(inputs: PatientInputs, batch: Batch, tokens: Tokens, models: Models) -> Mapping[str, Target]:
    """Task -> scalar of the image embeddings: the risk, and the molecular label of the patient's cancer."""
    model = models.model

    def risk(rows: Tensor) -> Tensor:
        return model.survival.risk(model.fuse(replace(tokens, imaging=place(rows, batch)[0]))).sum()

    targets: dict[str, Target] = {"survival": risk}
    if inputs.cancer == POOLED:
        return targets
    code = CANCER_CODES[inputs.cancer]
    for i, task in enumerate(IMAGE_TASKS):
        if task.startswith("molecular:") and task_words(task, code) is not None:

            def logit(rows: Tensor, i: int = i) -> Tensor:
                imaging, real = place(rows, batch)
                return model.image_heads(imaging, real, place_kind(batch))[0, i]

            with torch.no_grad():
                positive = float(logit(tokens.imaging[0][tokens.real[0]])) > 0
            targets[task] = logit if positive else (lambda rows, f=logit: -f(rows))
    return targets


def in_series(
    patient: Patient, inputs: PatientInputs, task: str, maps: Tensor
) -> Iterator[tuple[int, ImagingSeries, NDArray[np.float32]]]:
    """(place among the crops, series, map (Z, Y, X) in its grid) of crop maps (N, 32, 32, 32).

    PET is left out for molecular labels, which are read from CT and MR alone.
    """
    series_of = {s.series_uid: s for s in patient.imaging}
    for i, (crop, cam) in enumerate(zip(inputs.crops, maps.numpy(), strict=True)):
        series = series_of[crop.series_uid]
        if task == "survival" or series.modality is not ImagingModality.PT:
            yield i, series, paste_into_series(cam, crop, series.affine_lps, series.volume.shape)


def explain_images(
    patient: Patient, inputs: PatientInputs, batch: Batch, models: Models, *, task: str, target: Target
) -> list[Attribution]:
    """Grad-CAM of one target for each series, in the series' own grid, with both sanity tests."""
    encoder = models.model.image
    cam = grad_cam(encoder, batch.crops, batch.kind, target)
    random = weight_randomisation(encoder, batch.crops, batch.kind, target, cam)
    deleted = deletion_curve(encoder, batch.crops, batch.kind, target, cam)
    out = []
    for i, series, values in in_series(patient, inputs, task, cam):
        out.append(
            Attribution(
                task=task,
                method="Grad-CAM (LayerCAM)",
                baseline="none (relative map: 1 = the voxel that most raises the "
                + ("risk score)" if task == "survival" else "predicted label's logit)"),
                values={},
                map=values,
                series_uid=series.series_uid,
                sanity={"weight_randomisation": random[i], "deletion_curve": deleted[i]},
            )
        )
    return out
