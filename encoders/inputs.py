"""Patient -> the arrays the networks read, and patients -> one padded batch.

Every modality that cannot be encoded leaves its reason in ``reasons``. The cancer index comes from the record's
OncoTree code or the nearest broader code the models were trained on. Labels and outcomes are not read here.

What this module does not know: weights, predictions.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from encoders import oncotree
from encoders.clinical import CLINICAL_FEATURES, read_clinical
from encoders.omics import ALTERATION_FEATURES, ExpressionInput, ExpressionScale, read_alterations, read_expression
from encoders.pathways import PANEL
from encoders.patient import Patient, SeriesVerdict
from encoders.radiology import CROP_VOXELS, LesionCrop, crop_series, to_crop_tensor
from encoders.series_choice import SeriesChoice
from encoders.vocabulary import CANCERS

MODALITIES: tuple[str, ...] = ("imaging", "expression", "alterations", "clinical")
"""Modalities of the fusion, in token order."""
CANCER_CODES: tuple[str, ...] = tuple(CANCERS)
POOLED = len(CANCER_CODES)
"""Index of the pooled survival baseline, for cancers the models were not trained on."""


def cancer_index(code: str | None) -> tuple[int, str | None]:
    """(index into ``CANCER_CODES`` or ``POOLED``, reason when pooled), by the code or its nearest trained parent."""
    if code is None:
        return POOLED, "the record names no OncoTree code"
    nodes, at = oncotree.table(), code
    for _ in range(10):
        if at in CANCERS:
            return CANCER_CODES.index(at), None
        node = nodes.get(at)
        if node is None or node.parent is None:
            break
        at = node.parent
    return POOLED, f"cancer type {code} is not one the models were trained on ({', '.join(CANCER_CODES)})"


@dataclass(frozen=True)
class PatientInputs:
    """What the networks read of one patient; absent = empty or None, with a line in ``reasons``.

    cancer : index into ``CANCER_CODES``, or ``POOLED``; cancer_reason says why it is pooled
    series_choices : which series were encoded, and why the others were not; in the patient's order
    """

    crops: tuple[LesionCrop, ...]
    expression: ExpressionInput | None
    alterations: NDArray[np.float32] | None
    clinical: NDArray[np.float32] | None
    cancer: int
    cancer_reason: str | None = None
    reasons: Mapping[str, str] = field(default_factory=dict)
    series_choices: tuple[SeriesChoice, ...] = ()

    @property
    def present(self) -> tuple[bool, bool, bool, bool]:
        """Which of ``MODALITIES`` can be encoded."""
        return (
            bool(self.crops),
            self.expression is not None,
            self.alterations is not None,
            self.clinical is not None,
        )


def read_inputs(patient: Patient) -> PatientInputs:
    """Cut, map and vectorise everything of ``patient`` that can be encoded."""
    crops, choices = crop_series(patient)
    expression = read_expression(patient.expression)
    alterations = read_alterations(patient)
    clinical = read_clinical(patient)
    reasons: dict[str, str] = {}
    if not crops:
        reasons["imaging"] = _no_crop(patient)
    for name, read in (("expression", expression), ("alterations", alterations), ("clinical", clinical)):
        if isinstance(read, str):
            reasons[name] = patient.missing.get(name, read) if read.startswith("no ") else read
    index, why = cancer_index(patient.oncotree_code)
    return PatientInputs(
        crops=crops,
        expression=None if isinstance(expression, str) else expression,
        alterations=None if isinstance(alterations, str) else alterations,
        clinical=None if isinstance(clinical, str) else clinical,
        cancer=index,
        cancer_reason=why,
        reasons=reasons,
        series_choices=choices,
    )


def _no_crop(patient: Patient) -> str:
    """Why no series can be encoded."""
    if not patient.imaging:
        return patient.missing.get("imaging", "no imaging")
    refused = [s for s in patient.imaging if s.validity.verdict is SeriesVerdict.REFUSED]
    if not refused:
        return "no lesion segment"
    told = f"{refused[0].role or refused[0].modality.value}: {refused[0].validity.reasons[0]}"
    if len(refused) == len(patient.imaging):
        return f"every image series was refused ({told})"
    return f"no lesion segment in a series that can be read; {len(refused)} refused ({told})"


@dataclass(frozen=True)
class Batch:
    """Tensors of B patients.

    crops (N, 1, 32, 32, 32) of all their series; kind (N,); slot (N, 2) = (patient, place among its series);
    z, z_present (B, G); alterations (B, F); clinical (B, C); present (B, 4) in the order of ``MODALITIES``;
    cancer (B,) int; n_slots = K, the most series one patient has (at least 1)
    """

    crops: Tensor
    kind: Tensor
    slot: Tensor
    z: Tensor
    z_present: Tensor
    alterations: Tensor
    clinical: Tensor
    present: Tensor
    cancer: Tensor
    n_slots: int

    def to(self, device: torch.device | str) -> Batch:
        """The same batch with its tensors on ``device``."""
        moved = {name: v.to(device) if isinstance(v, Tensor) else v for name, v in self.__dict__.items()}
        return Batch(**moved)


def make_batch(inputs: Sequence[PatientInputs], scale: ExpressionScale) -> Batch:
    """Stack patients; absent modalities are zeros with ``present`` False."""
    count = len(inputs)
    crops = [c for p in inputs for c in p.crops]
    slots = [(b, k) for b, p in enumerate(inputs) for k in range(len(p.crops))]
    z, z_present = np.zeros((count, len(PANEL)), np.float32), np.zeros((count, len(PANEL)), bool)
    alterations = np.zeros((count, ALTERATION_FEATURES), np.float32)
    clinical = np.zeros((count, CLINICAL_FEATURES), np.float32)
    for b, p in enumerate(inputs):
        if p.expression is not None:
            z[b], z_present[b] = scale.standardise(p.expression), p.expression.present
        if p.alterations is not None:
            alterations[b] = p.alterations
        if p.clinical is not None:
            clinical[b] = p.clinical
    images = np.stack([c.image for c in crops]) if crops else np.zeros((0, *[CROP_VOXELS] * 3), np.float32)
    return Batch(
        crops=to_crop_tensor(images),
        kind=torch.tensor([c.kind for c in crops], dtype=torch.long),
        slot=torch.tensor(slots, dtype=torch.long).reshape(-1, 2),
        z=torch.from_numpy(z),
        z_present=torch.from_numpy(z_present),
        alterations=torch.from_numpy(alterations),
        clinical=torch.from_numpy(clinical),
        present=torch.tensor([p.present for p in inputs], dtype=torch.bool).reshape(count, len(MODALITIES)),
        cancer=torch.tensor([p.cancer for p in inputs], dtype=torch.long),
        n_slots=max([len(p.crops) for p in inputs] + [1]),
    )
