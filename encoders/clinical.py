"""Clinical fields of a patient -> a vector with missing flags -> an embedding.

Age, sex, stage, grade and ECOG. The cancer type is not among them: it chooses the survival baseline and nothing else.
What this module does not know or check: the TNM edition behind a stage, the grading system behind a grade.
"""

from __future__ import annotations

import re

import numpy as np
from numpy.typing import NDArray
from torch import Tensor, nn

from encoders.patient import Patient

CLINICAL_FIELDS: tuple[str, ...] = ("age_years", "sex", "stage", "grade", "ecog")
"""Fields read; each gives a value and a known flag, in this order (sex: +1 female, -1 male)."""
CLINICAL_FEATURES = 2 * len(CLINICAL_FIELDS)

_STAGE = re.compile(r"^(?:stage\s*)?(IV|III|II|I|0)(?:\s*([ABC])\d?)?", re.IGNORECASE)
_STAGE_LEVEL = {"0": 0.0, "I": 1.0, "II": 2.0, "III": 3.0, "IV": 4.0}
_SUBSTAGE = {"A": -0.25, "B": 0.0, "C": 0.25, "": 0.0}
_GRADE = re.compile(r"([1-4])|\b(IV|III|II|I)\b", re.IGNORECASE)


def stage_level(stage: str | None) -> float | None:
    """ "IIIA" -> 2.75 (I..IV = 1..4, A/B/C = -1/4, 0, +1/4); None when absent or not a stage group."""
    found = _STAGE.match(stage.strip()) if stage else None
    if found is None:
        return None
    return _STAGE_LEVEL[found[1].upper()] + _SUBSTAGE[(found[2] or "").upper()]


def grade_level(grade: str | None) -> float | None:
    """ "G3", "WHO grade 4", "IV" -> 1..4; None when absent or without a number."""
    found = _GRADE.search(grade) if grade else None
    if found is None:
        return None
    return float(found[1]) if found[1] else _STAGE_LEVEL[found[2].upper()]


def read_clinical(patient: Patient) -> NDArray[np.float32] | str:
    """Clinical vector (F,) float32 of (value, known) pairs, or the reason when no field is known."""
    stage, grade = stage_level(patient.diagnosis.stage), grade_level(patient.diagnosis.grade)
    sex = {"female": 1.0, "male": -1.0}.get(patient.sex or "")
    scaled = (
        None if patient.age_years is None else (patient.age_years - 60.0) / 15.0,
        sex,
        None if stage is None else stage - 2.5,
        None if grade is None else grade - 2.5,
        None if patient.ecog is None else patient.ecog - 1.0,
    )
    if all(value is None for value in scaled):
        return "no age, sex, stage, grade or ECOG in the record"
    pairs = [(0.0, 0.0) if value is None else (value, 1.0) for value in scaled]
    return np.asarray(pairs, np.float32).ravel()


class ClinicalEncoder(nn.Module):
    """Clinical vector (B, F) -> (B, D)."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.net = nn.Sequential(
            nn.Linear(CLINICAL_FEATURES, 64), nn.GELU(), nn.Dropout(0.1), nn.Linear(64, width),
            nn.LayerNorm(width, elementwise_affine=False),
        )  # fmt: skip

    def forward(self, fields: Tensor) -> Tensor:
        """Fields (B, F) float -> embeddings (B, D)."""
        return self.net(fields)
