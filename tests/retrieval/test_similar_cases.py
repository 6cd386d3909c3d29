"""Neighbours in a hand-made cohort: nearest first, the same cancer, never the patient himself."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

from encoders.errors import ContractError, UnavailableError
from encoders.patient import Patient, SourceLocator, Variant
from encoders.prediction import Embeddings, PatientPrediction, Prediction
from retrieval.similar_cases import ReferenceCohort, load_reference, similar_cases

FUSED = np.asarray([[1, 0, 0], [1, 0.1, 0], [0, 1, 0], [1, 0.05, 0], [0.5, 0.5, 0]], np.float32)
CODES = ("LUAD", "LUAD", "LUAD", "DIFG", "LUAD")


def cohort(fused: np.ndarray = FUSED) -> ReferenceCohort:
    cases = tuple(
        {
            "case_id": f"C{i}",
            "oncotree_code": code,
            "followup_months": 10.0 + i,
            "event": i % 2 == 0,
            "features": {"margin": "spiculated", "EGFR": "altered", "sex": "female", "stage": "IV"},
        }
        for i, code in enumerate(CODES)
    )
    return ReferenceCohort(fused, cases, "toy cohort", synthetic=True)


def prediction(fused: list[float] | None, *predictions: Prediction) -> PatientPrediction:
    embeddings = None if fused is None else Embeddings({}, np.asarray(fused, np.float32), "hash")
    return PatientPrediction(embeddings, predictions, (), (), {}, {})


LUAD = Patient("p1", oncotree_code="LUAD")


def test_nearest_first_within_the_cancer_by_hand() -> None:
    found = similar_cases(LUAD, prediction([2.0, 0.4, 0]), k=3, reference=cohort())
    assert [c.case_id for c in found] == ["C1", "C0", "C4"]
    assert found[0].similarity == pytest.approx((2 + 0.04) / (np.hypot(2, 0.4) * np.hypot(1, 0.1)), abs=1e-5)
    assert (found[0].followup_months, found[0].event, found[0].cohort, found[0].synthetic) == (
        11.0,
        False,
        "toy cohort",
        True,
    )


def test_brute_force_agreement() -> None:
    rng = np.random.default_rng(0)
    fused = rng.normal(size=(200, 16)).astype(np.float32)
    cases = tuple(
        {"case_id": f"C{i}", "oncotree_code": "LUAD", "followup_months": 1.0, "event": False} for i in range(200)
    )
    query = rng.normal(size=16)
    cosine = fused @ query / np.linalg.norm(fused, axis=1)
    found = similar_cases(
        LUAD, prediction(query.tolist()), k=10, reference=ReferenceCohort(fused, cases, "c", synthetic=True)
    )
    assert [c.case_id for c in found] == [f"C{i}" for i in np.argsort(-cosine)[:10]]


def test_the_patient_himself_is_left_out_by_id_and_by_embedding() -> None:
    same_id = similar_cases(Patient("C1", oncotree_code="LUAD"), prediction([1, 0.1, 0.2]), reference=cohort())
    assert "C1" not in {c.case_id for c in same_id}
    half = FUSED[1].astype(np.float16).astype(np.float32)
    stored = cohort(FUSED.astype(np.float16).astype(np.float32))
    same_embedding = similar_cases(LUAD, prediction((half * 1.0001).tolist()), reference=stored)
    assert "C1" not in {c.case_id for c in same_embedding}
    assert "C0" in {c.case_id for c in same_embedding}


def test_shared_features_in_words() -> None:
    margin = Prediction("appearance:margin", 0.9, "card", "hash", label="spiculated", probability=0.9)
    egfr = Variant("EGFR", "p.L858R", "Missense_Mutation", SourceLocator("a.maf"))
    patient = Patient("p1", oncotree_code="LUAD", sex="female", variants=(egfr,))
    found = similar_cases(patient, prediction([1, 0, 0.3], margin), k=1, reference=cohort())
    assert found[0].shared == ("EGFR altered", "spiculated margin", "female sex")
    untested = similar_cases(LUAD, prediction([1, 0, 0.3]), k=1, reference=cohort())
    assert untested[0].shared == ()


def test_no_case_of_the_cancer_is_no_neighbour() -> None:
    assert similar_cases(Patient("p", oncotree_code="BRCA"), prediction([1, 0, 0]), reference=cohort()) == ()
    assert len(similar_cases(Patient("p"), prediction([1, 0, 0.3]), k=9, reference=cohort())) == 5


def test_failures_are_named(tmp_path: Path) -> None:
    with pytest.raises(UnavailableError, match="no modality could be encoded"):
        similar_cases(LUAD, prediction(None), reference=cohort())
    with pytest.raises(ContractError, match="two training runs"):
        similar_cases(LUAD, prediction([1, 0]), reference=cohort())
    with pytest.raises(UnavailableError, match="reference cohort in"):
        load_reference(tmp_path)


def test_reading_the_files(tmp_path: Path) -> None:
    save_file({"fused": FUSED.astype(np.float16)}, tmp_path / "reference_cohort.safetensors")
    (tmp_path / "reference_cohort.json").write_text(json.dumps([dict(c) for c in cohort().cases]))
    read = load_reference(tmp_path)
    assert read.fused.shape == (5, 3)
    assert read.synthetic
    other = tmp_path / "other"
    other.mkdir()
    save_file({"fused": FUSED.astype(np.float16)}, other / "reference_cohort.safetensors")
    (other / "reference_cohort.json").write_text("[]")
    with pytest.raises(ContractError, match="0 cases"):
        load_reference(other)
