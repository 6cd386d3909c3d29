"""Stages and grades become levels; a missing field is flagged, never read as 0."""

from __future__ import annotations

import pytest

from encoders.clinical import CLINICAL_FEATURES, grade_level, read_clinical, stage_level
from encoders.patient import Diagnosis, Patient


@pytest.mark.parametrize(
    ("stage", "level"),
    [("IIIA", 2.75), ("III", 3.0), ("Stage IV", 4.0), ("IA2", 0.75), ("IIIC", 3.25), ("IVB", 4.0), ("0", 0.0)],
)
def test_stage_levels(stage, level):
    assert stage_level(stage) == level


@pytest.mark.parametrize(("grade", "level"), [("G3", 3), ("WHO grade 4", 4), ("Grade II", 2), ("1", 1)])
def test_grade_levels(grade, level):
    assert grade_level(grade) == level


def test_words_that_are_no_stage_or_grade_are_absent():
    assert stage_level("unknown") is None
    assert stage_level(None) is None
    assert grade_level("high") is None


def test_vector_by_hand():
    patient = Patient("p", sex="female", age_years=75.0, diagnosis=Diagnosis(stage="IV"), ecog=0)
    vector = read_clinical(patient)
    assert vector.tolist() == [1.0, 1.0, 1.0, 1.0, 1.5, 1.0, 0.0, 0.0, -1.0, 1.0]
    assert vector.shape == (CLINICAL_FEATURES,)


def test_cancer_type_is_not_an_input():
    a, b = (read_clinical(Patient("p", oncotree_code=c, age_years=50.0)) for c in ("LUAD", "BRCA"))
    assert a.tolist() == b.tolist()


def test_nothing_known_is_a_reason():
    assert read_clinical(Patient("p")) == "no age, sex, stage, grade or ECOG in the record"
