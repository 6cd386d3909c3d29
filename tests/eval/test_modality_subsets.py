"""Removing modalities: all subsets, each absence with its reason, the patient himself untouched."""

from __future__ import annotations

import numpy as np

from encoders.patient import Expression, ModalityName, Note, Patient, SourceLocator
from eval.modality_subsets import REMOVED, every_subset, present, without

HERE = SourceLocator("f")
ABSENT = {m.value: "not in the folder" for m in ModalityName if m not in {ModalityName.EXPRESSION, ModalityName.NOTES}}
PATIENT = Patient(
    "P1",
    expression=Expression(("EGFR",), np.ones(1, np.float32), "TPM", HERE),
    notes=(Note("seen", HERE),),
    missing=ABSENT,
)


def test_every_non_empty_subset_comes_once() -> None:
    assert present(PATIENT) == ("expression", "notes")
    assert [removed for removed, _ in every_subset(PATIENT)] == [("expression",), ("notes",), ("expression", "notes")]


def test_what_is_removed_is_absent_with_its_reason_and_the_rest_stays() -> None:
    lacking = without(PATIENT, ("notes",))
    assert lacking.notes == () and lacking.missing["notes"] == REMOVED
    assert lacking.missing["imaging"] == "not in the folder"
    assert lacking.expression is PATIENT.expression and PATIENT.notes
