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
from retrieval.similar_cases import ReferenceCohort, load_reference, neighbour_survival, similar_cases

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


def larger_cohort(count: int) -> ReferenceCohort:
    """Cases on a quarter circle, C0 nearest to (1, 0); case i is followed for i + 1 months, every second one died."""
    angle = np.linspace(0.02, np.pi / 2, count)
    cases = tuple(
        {"case_id": f"C{i}", "oncotree_code": "LUAD", "followup_months": i + 1.0, "event": i % 2 == 1}
        for i in range(count)
    )
    fused = np.column_stack([np.cos(angle), np.sin(angle)]).astype(np.float32)
    return ReferenceCohort(fused, cases, "toy cohort", synthetic=True)


def test_the_survival_of_the_nearest_cases_by_hand() -> None:
    found = neighbour_survival(LUAD, prediction([1, 0]), k=10, reference=larger_cohort(40))
    near, everyone = found.neighbours, found.reference
    assert near is not None and everyone is not None
    assert near.followup_months.tolist() == list(range(1, 11)) and near.events == 5
    # deaths at 2, 4, 6, 8, 10 months among 9, 7, 5, 3, 1 still followed
    assert near.probability_at(6) == pytest.approx(8 / 9 * 6 / 7 * 4 / 5)
    assert (everyone.n, everyone.events, found.synthetic, found.reason) == (40, 20, True, "")


def test_the_patient_is_in_neither_curve() -> None:
    stored = larger_cohort(40)
    found = neighbour_survival(Patient("C0", oncotree_code="LUAD"), prediction([1, 0]), k=10, reference=stored)
    twin = neighbour_survival(LUAD, prediction(stored.fused[0].tolist()), k=10, reference=stored)
    for one in (found, twin):
        assert one.neighbours is not None and one.reference is not None
        assert one.neighbours.followup_months.tolist() == list(range(2, 12))
        assert one.reference.n == 39


def test_neighbours_are_at_most_half_of_the_cases_and_too_few_give_a_reason() -> None:
    half = neighbour_survival(LUAD, prediction([1, 0]), reference=larger_cohort(24)).neighbours
    assert half is not None and half.n == 12
    few = neighbour_survival(LUAD, prediction([1, 0]), reference=larger_cohort(19))
    assert few.neighbours is None and few.reason.startswith("9 neighbours of 19 comparable reference cases")
    none = neighbour_survival(Patient("p", oncotree_code="BRCA"), prediction([1, 0]), reference=larger_cohort(40))
    assert (none.neighbours, none.reference) == (None, None) and none.reason.startswith("0 neighbours of 0")


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
