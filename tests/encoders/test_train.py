"""Training end to end on a handful of patients: written, loaded, predicted with; bad requests refused."""

from __future__ import annotations

import json

import numpy as np
import pytest
from safetensors.numpy import load_file

from encoders.errors import InputError, SettingsError
from encoders.inputs import read_inputs
from encoders.models import read_models
from encoders.predict import predict
from encoders.synthetic.cohort import sample_case, write_cohort
from encoders.train import fit, train_fusion, write_trained
from encoders.train_stages import TrainConfig
from encoders.training_cohort import TrainingCohort, _sample_chunk, fit_scale, read_cohort

CONFIG = TrainConfig(image_epochs=1, fusion_epochs=2, views=1)


@pytest.fixture(scope="module")
def cohort():
    inputs, labels = zip(*_sample_chunk((0, 24, 41)), strict=True)
    return TrainingCohort(inputs, labels, "toy")


def test_trained_folder_predicts(cohort, tmp_path, cases):
    lines = []
    trained, held = fit(cohort, cohort, cohort, config=CONFIG, seed=3, progress=lines.append)
    digest = write_trained(tmp_path, trained, held, (cohort,) * 3, config=CONFIG, seed=3, seconds=1.0)
    models = read_models(tmp_path)
    assert models.sha256 == digest
    rows = json.loads((tmp_path / "reference_cohort.json").read_text())
    assert load_file(tmp_path / "reference_cohort.safetensors")["fused"].shape == (len(rows), 128)
    assert {r["case_id"] for r in rows} == {k.case_id for k in cohort.labels}
    got = predict(cases["LUAD"].patient, models=models, explain=False)
    survival = got.predictions[0]
    assert survival.weight_hash == got.embeddings.encoder_hash == digest
    assert survival.n_reference == 6
    assert any("image encoder, epoch 1 of 1" in line for line in lines)
    card = json.loads((tmp_path / "card.json").read_text())
    assert card["training"]["seed"] == 3
    assert "synthetic" in card["limits"]


def test_scale_is_the_mean_and_sd_of_the_cohort(cohort):
    scale = fit_scale(cohort)
    values = np.stack([p.expression.values for p in cohort.inputs])
    np.testing.assert_allclose(scale.mean, values.mean(0), rtol=1e-4)
    np.testing.assert_allclose(scale.sd, np.maximum(values.std(0), 0.3), rtol=1e-3)


def test_written_cohort_reads_back_with_its_labels(tmp_path):
    write_cohort(2, tmp_path / "cohort", 42)
    got = read_cohort(tmp_path / "cohort")
    for i, (inputs, labels) in enumerate(zip(got.inputs, got.labels, strict=True)):
        case = sample_case(i, 42)
        truth = case.truth
        assert labels.oncotree_code == truth.oncotree_code
        assert dict(labels.appearance) == dict(truth.appearance)
        assert dict(labels.molecular) == dict(truth.molecular)
        assert dict(labels.expression) == dict(truth.expression)
        assert (labels.followup_months, labels.event) == (pytest.approx(truth.followup_months), truth.event)
        sampled = read_inputs(case.patient)
        assert inputs.present == sampled.present == (True,) * 4
        by_kind = {c.kind: c.image for c in sampled.crops}
        for crop in inputs.crops:
            assert np.abs(crop.image.astype(np.float32) - by_kind[crop.kind]).mean() < 0.02


def test_too_few_patients_and_no_cohort_are_refused(tmp_path):
    with pytest.raises(SettingsError, match="at least 80"):
        train_fusion(n=5, seed=0, out=tmp_path)
    with pytest.raises(InputError, match=r"no cohort\.csv"):
        read_cohort(tmp_path)
    (tmp_path / "cohort.csv").write_text("patient_id,event\nA,1\n")
    with pytest.raises(InputError, match="no column followup_months, oncotree_code"):
        read_cohort(tmp_path)
    (tmp_path / "cohort.csv").write_text("patient_id,oncotree_code,followup_months,event\nA,LUAD,3,1\n")
    with pytest.raises(InputError, match="names A"):
        read_cohort(tmp_path)
