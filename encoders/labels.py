"""Training labels of a cohort: which answer each head should give, NaN where a task does not apply.

Also the one place that says when a task can be read from the series at hand (uptake needs a PET, ...), used in
training and at prediction alike. What this module does not know: networks, patients' files.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from encoders.fusion import EXPRESSION_TASKS, IMAGE_TASKS
from encoders.inputs import CANCER_CODES, PatientInputs
from encoders.radiology import SERIES_KINDS
from encoders.vocabulary import APPEARANCE, EXPRESSION_PROFILES, MOLECULAR_LABELS

_PET = SERIES_KINDS.index("PT")
_FLAIR = SERIES_KINDS.index("MR FLAIR")


def task_words(task: str, code: str) -> tuple[str, str] | None:
    """(word of class 0, word of class 1) of a binary task in a trained cancer; None when it does not apply there."""
    family, name = task.split(":", 1)
    if family == "appearance":
        return APPEARANCE[name].get(code)
    if family == "expression":
        return EXPRESSION_PROFILES[name]
    cancer, positive = MOLECULAR_LABELS[name]
    return (f"not {positive}", positive) if cancer == code else None


def unreadable_reason(task: str, kinds: Collection[int]) -> str | None:
    """Why an image task cannot be read from series of these kinds (``SERIES_KINDS`` indices); None when it can."""
    if not kinds:
        return "no lesion segment"
    if task == "appearance:uptake":
        return None if _PET in kinds else "no FDG-PET series with a lesion segment"
    anatomical = [k for k in kinds if k != _PET]
    if not anatomical:
        return "no CT or MR series with a lesion segment"
    if task == "appearance:enhancement" and all(k == _FLAIR for k in anatomical):
        return "no post-contrast series with a lesion segment"
    return None


@dataclass(frozen=True)
class Labels:
    """What is known of one training patient. Words as in encoders/vocabulary.py; absent keys are not trained on."""

    oncotree_code: str
    appearance: Mapping[str, str]
    molecular: Mapping[str, bool]
    expression: Mapping[str, str]
    followup_months: float
    event: bool
    case_id: str = ""
    features: Mapping[str, str] | None = None


def _binary(task: str, labels: Labels, kinds: Collection[int]) -> float:
    family, name = task.split(":", 1)
    words = task_words(task, labels.oncotree_code)
    if words is None:
        return math.nan
    if family == "molecular":
        return float(labels.molecular[name]) if name in labels.molecular and kinds else math.nan
    known = labels.appearance if family == "appearance" else labels.expression
    if name not in known or (family == "appearance" and unreadable_reason(task, kinds) is not None):
        return math.nan
    return float(words.index(known[name]))


@dataclass(frozen=True)
class Targets:
    """image (B, image tasks) and expression (B, 2): 0, 1 or NaN; cancer (B,) int; months, event (B,)."""

    image: Tensor
    expression: Tensor
    cancer: Tensor
    months: Tensor
    event: Tensor

    def rows(self, index: Tensor) -> Targets:
        """The targets of some patients."""
        return Targets(*(t[index] for t in (self.image, self.expression, self.cancer, self.months, self.event)))

    def to(self, device: torch.device | str) -> Targets:
        """The same targets on ``device``."""
        return Targets(*(t.to(device) for t in (self.image, self.expression, self.cancer, self.months, self.event)))


def make_targets(inputs: Sequence[PatientInputs], labels: Sequence[Labels]) -> Targets:
    """Stack the labels of patients whose inputs are given in the same order."""
    image, expression = [], []
    for patient, known in zip(inputs, labels, strict=True):
        kinds = {c.kind for c in patient.crops}
        image.append([_binary(task, known, kinds) for task in IMAGE_TASKS])
        expression.append([_binary(task, known, kinds) for task in EXPRESSION_TASKS])
    return Targets(
        image=torch.tensor(np.asarray(image, np.float32)),
        expression=torch.tensor(np.asarray(expression, np.float32)),
        cancer=torch.tensor([CANCER_CODES.index(k.oncotree_code) for k in labels]),
        months=torch.tensor([k.followup_months for k in labels], dtype=torch.float32),
        event=torch.tensor([k.event for k in labels]),
    )


def masked_bce(logits: Tensor, target: Tensor) -> Tensor:
    """Mean binary cross-entropy over the entries of ``target`` that are not NaN; 0 when all are."""
    known = ~torch.isnan(target)
    if not bool(known.any()):
        return logits.sum() * 0
    return torch.nn.functional.binary_cross_entropy_with_logits(logits[known], target[known])
