"""An inline summary as a Patient: unknown stays unknown, and names that nobody knows are refused."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from app.routes.patient_summary import PatientSummary
from encoders.errors import InputError

LUAD = {"oncotree_code": "LUAD", "variants": [{"gene": "EGFR", "protein": "p.L858R"}]}


def test_what_is_left_out_is_unknown_and_an_empty_list_is_tested_with_none_found() -> None:
    assert PatientSummary(oncotree_code="LUAD").to_patient().variants is None
    assert PatientSummary(oncotree_code="LUAD", variants=[]).to_patient().variants == ()


def test_aliases_are_read_as_the_known_names() -> None:
    patient = PatientSummary(
        oncotree_code="LUAD", copy_number=[{"gene": "HER2", "call": "amplification"}], treatments=[{"drug": "Tagrisso"}]
    ).to_patient()
    assert patient.copy_number[0].gene == "ERBB2" and patient.treatments[0].drug == "osimertinib"


@pytest.mark.parametrize(
    ("change", "match"),
    [
        ({"oncotree_code": "XYZ"}, "OncoTree code 'XYZ' is not known"),
        ({"variants": [{"gene": "NOPE1"}]}, "gene 'NOPE1' is not known"),
        ({"treatments": [{"drug": "wonderdrug"}]}, "drug 'wonderdrug' is not known"),
    ],
)
def test_unknown_names_are_refused(change: dict, match: str) -> None:
    with pytest.raises(InputError, match=match):
        PatientSummary(**{**LUAD, **change}).to_patient()


@pytest.mark.parametrize("change", [{"stage": "V"}, {"ecog": 6}, {"mutations": []}, {"sex": "x"}])
def test_values_outside_their_range_and_unknown_fields_are_refused(change: dict) -> None:
    with pytest.raises(ValidationError):
        PatientSummary(**{**LUAD, **change})
