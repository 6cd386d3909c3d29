"""The entry: every subset of modalities, reasons, series order, explanations; untrained weights unless said."""

from __future__ import annotations

from dataclasses import replace
from itertools import product

import numpy as np
import pytest

from encoders.patient import Outcome, Patient
from encoders.predict import predict

FIELDS = {
    "imaging": {"imaging": ()},
    "expression": {"expression": None},
    "alterations": {"variants": None, "copy_number": None, "fusions": None},
    "clinical": {"age_years": None, "sex": None, "ecog": None},
}


def without(patient, *names):
    changes = {k: v for name in names for k, v in FIELDS[name].items()}
    if "clinical" in names:
        changes["diagnosis"] = replace(patient.diagnosis, stage=None, grade=None)
    return replace(patient, **changes)


def by_task(prediction):
    return {p.task: p for p in prediction.predictions}


@pytest.mark.parametrize("code", ["LUAD", "BRCA"])
@pytest.mark.parametrize("kept", list(product([True, False], repeat=4)))
def test_every_subset_of_modalities(kept, code, cases, tiny_models):
    patient = without(cases[code].patient, *(n for n, k in zip(FIELDS, kept, strict=True) if not k))
    got = predict(patient, models=tiny_models, explain=False)
    names = tuple(n for n, k in zip(FIELDS, kept, strict=True) if k)
    tasks = by_task(got)
    if not names:
        assert got.embeddings is None
        assert not got.predictions
        assert "no modality could be encoded" in got.not_predicted["survival"]
        return
    assert set(got.embeddings.modality) == set(names)
    survival = tasks["survival"]
    assert survival.inputs == names
    assert set(survival.contributions) == set(survival.unimodal) == set(names)
    assert ("cancer_type" in tasks) == (names != ("clinical",))
    assert ("appearance:margin" in tasks) == ("imaging" in names)
    assert ("expression:proliferation" in tasks) == ("expression" in names)
    told = set(tasks) | set(got.not_predicted)
    assert {"survival", "cancer_type", "appearance:margin", "expression:proliferation"} <= told
    assert all(reason for reason in got.not_predicted.values())


def test_nothing_is_said_about_questions_of_other_cancers(cases, tiny_models):
    got = predict(cases["DIFG"].patient, models=tiny_models, explain=False)
    told = set(by_task(got)) | set(got.not_predicted)
    assert "molecular:IDH1" in told
    assert not told & {"molecular:EGFR", "molecular:BAP1", "molecular:ERBB2", "appearance:uptake"}


def test_curve_is_a_survival_curve_inside_its_interval(cases, tiny_models):
    for case in cases.values():
        curve = by_task(predict(case.patient, models=tiny_models, explain=False))["survival"].curve
        assert curve.months[0] == 0
        for line in (curve.survival_probability, curve.lower, curve.upper):
            assert line[0] == 1
            assert line.min() >= 0
            assert np.all(np.diff(line) <= 0)
        assert np.all(curve.lower <= curve.survival_probability)
        assert np.all(curve.survival_probability <= curve.upper)


def test_contributions_sum_to_value_minus_all_missing(cases, tiny_models):
    """The all-missing baseline is one constant: every patient must give the same."""
    constants = []
    for case in cases.values():
        survival = by_task(predict(case.patient, models=tiny_models, explain=False))["survival"]
        constants.append(survival.value - sum(survival.contributions.values()))
    assert np.ptp(constants) < 1e-4


def test_order_of_series_changes_nothing(cases, tiny_models):
    patient = cases["LUAD"].patient
    a = by_task(predict(patient, models=tiny_models, explain=False))
    b = by_task(predict(replace(patient, imaging=patient.imaging[::-1]), models=tiny_models, explain=False))
    assert a.keys() == b.keys()
    for task in a:
        assert a[task].value == pytest.approx(b[task].value, abs=1e-4)
        assert a[task].source_series_uid == b[task].source_series_uid


def test_outcome_is_never_read(cases, tiny_models):
    patient = cases["CCRCC"].patient
    a = predict(replace(patient, outcome=None), models=tiny_models, explain=False)
    b = predict(replace(patient, outcome=Outcome(1.0, True)), models=tiny_models, explain=False)
    assert by_task(a)["survival"].value == by_task(b)["survival"].value


def test_unknown_cancer_gets_the_pooled_baseline_and_is_out_of_distribution(cases, tiny_models):
    got = predict(replace(cases["LUAD"].patient, oncotree_code="PAAD"), models=tiny_models, explain=False)
    survival = by_task(got)["survival"]
    assert survival.out_of_distribution
    assert "PAAD" in survival.out_of_distribution_reason
    assert survival.percentile is None
    assert "PAAD" in got.not_predicted["appearance:margin"]
    assert "PAAD" in got.not_predicted["molecular:EGFR"]


def test_series_without_segment_is_told(cases, tiny_models):
    patient = cases["LUAD"].patient
    ct, pet = patient.imaging
    got = predict(replace(patient, imaging=(ct, replace(pet, segments=()))), models=tiny_models, explain=False)
    assert got.embeddings.modality["imaging"].shape == (1, 16)
    assert "no FDG-PET" in got.not_predicted["appearance:uptake"]
    assert "no lesion segment" in got.not_predicted[f"series:{pet.role}"]
    bare = replace(patient, imaging=tuple(replace(s, segments=()) for s in patient.imaging))
    assert predict(bare, models=tiny_models, explain=False).not_predicted["appearance:margin"] == "no lesion segment"


def test_percentile_by_hand(tiny_models):
    """Reference risks -2, -1, 0, 1, 2."""
    assert tiny_models.percentile(0.5, "LUAD") == (60.0, 5)
    assert tiny_models.percentile(1.0, "LUAD") == (70.0, 5)
    assert tiny_models.percentile(-9.0, "LUAD") == (0.0, 5)
    assert tiny_models.percentile(0.0, "BRCA") is None


def test_explanations_name_genes_and_maps_on_the_series_grid(cases, tiny_models):
    patient = cases["LUAD"].patient
    got = predict(patient, models=tiny_models)
    genes = [a for a in got.attributions if a.method == "integrated gradients"]
    maps = [a for a in got.attributions if a.method.startswith("Grad-CAM")]
    assert len(genes) == 1
    assert genes[0].completeness_error < 0.05 * max(1.0, abs(sum(genes[0].values.values())))
    shape = {s.series_uid: s.volume.shape for s in patient.imaging}
    assert {a.task for a in maps} == {"survival", "molecular:EGFR"}
    for a in maps:
        assert a.map.shape == shape[a.series_uid]
        assert 0 <= a.map.min() <= a.map.max() <= 1
        assert set(a.sanity) == {"weight_randomisation", "deletion_curve", "overlap_with_segment"}


def test_no_patient_data_at_all(tiny_models):
    got = predict(Patient("empty"), models=tiny_models)
    assert (got.embeddings, got.predictions, got.attributions, got.measurements) == (None, (), (), ())
    assert "survival" in got.not_predicted
