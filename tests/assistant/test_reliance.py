"""Reliance counts the statements that change with the image, and says when there is nothing to count."""

from __future__ import annotations

from dataclasses import replace

import pytest

from assistant.llm.scripted import ScriptedModel
from assistant.pipeline import CaseContext
from assistant.reliance import Variant, compare, donors_for, measure_reliance
from encoders.patient import Patient
from encoders.synthetic.cohort import sample_case

LABELS = {"molecular:EGFR": "mutated"}


def variant(margin: str, stated: str | None, probability: float = 0.9) -> Variant:
    said = {} if stated is None else {"margin": stated}
    return Variant({"molecular:EGFR": probability}, {"margin": margin}, said)


def test_a_statement_that_changes_with_the_image_is_counted() -> None:
    own, blank = variant("smooth", "smooth"), variant("smooth", None, 0.5)
    others = [
        variant("spiculated", "spiculated", 0.1),
        variant("spiculated", "smooth", 0.3),
        variant("smooth", "smooth"),
    ]
    found = compare(own, blank, others, LABELS, "LUAD")
    assert (found.followed, found.due) == (1, 2)
    assert found.to_dict()["score"] == 0.5
    (row,) = found.rows
    assert (row["own"], row["blank"], row["exchanged"]) == (0.9, 0.5, pytest.approx(0.433, abs=1e-3))
    assert found.statements[0] == {
        "finding": "margin", "own": "smooth", "blank": None, "exchanged": ["spiculated", "smooth", "smooth"],
    }  # fmt: skip


def test_no_score_is_invented_where_no_image_reads_otherwise() -> None:
    same = variant("smooth", "smooth")
    assert compare(same, same, [same], LABELS, "LUAD").to_dict()["score"] is None
    assert "no other patient's image" in compare(same, same, [], LABELS, "THYM").reason


def test_a_patient_without_images_says_so() -> None:
    from assistant.collect import collect_evidence  # noqa: PLC0415
    from encoders.predict import predict  # noqa: PLC0415
    from retrieval.passage import Retrieved  # noqa: PLC0415

    patient = replace(sample_case(0, 515, "LUAD", imaging=False).patient, imaging=())
    prediction, retrieved = predict(patient, explain=False), Retrieved((), (), ())
    context = CaseContext(patient, prediction, retrieved, collect_evidence(patient, prediction, retrieved))
    found = measure_reliance(context, ScriptedModel(()))
    assert "no prediction of this case rests on an image alone" in found.reason
    assert found.to_dict()["score"] is None


def test_donors_have_the_same_cancer_and_an_image() -> None:
    donors = donors_for(Patient("p", oncotree_code="GBM"))  # a glioma by its parent code
    assert donors
    assert all(d.imaging and d.oncotree_code and d.synthetic for d in donors)
    assert donors_for(Patient("p", oncotree_code="THYM")) == ()
