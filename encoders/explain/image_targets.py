"""What an image explanation explains: scalars of the image embeddings, and the way of a crop map to its series.

What this module does not know: methods, sanity tests, words of the report.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from encoders.explain.crop_map import Target, paste_into_series
from encoders.fusion import IMAGE_TASKS, Tokens, place, place_kind
from encoders.inputs import CANCER_CODES, POOLED, Batch, PatientInputs
from encoders.labels import task_words
from encoders.models import Models
from encoders.patient import ImagingModality, ImagingSeries, Patient


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
