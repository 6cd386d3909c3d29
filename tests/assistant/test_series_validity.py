"""A series that is refused, doubtful or not chosen: what the prediction, the evidence and report.json say of it."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pydicom
import pytest

from assistant.claim import Verdict
from assistant.collect import collect_evidence
from assistant.llm.scripted import ScriptedModel
from assistant.pipeline import CaseContext, run
from assistant.report import write_report_json
from encoders.patient import ImagingModality, Patient
from encoders.predict import predict
from encoders.read.folder import read_patient
from encoders.synthetic.cohort import sample_case, write_case
from retrieval.passage import Retrieved

REFUSED = "refused: every voxel holds -1024: an empty image"
NOTHING_FOUND = Retrieved((), (), ())


def context_of(patient: Patient) -> CaseContext:
    prediction = predict(patient, explain=False)
    return CaseContext(patient, prediction, NOTHING_FOUND, collect_evidence(patient, prediction, NOTHING_FOUND))


def series_texts(context: CaseContext) -> dict[str, str]:
    """Series UID -> its evidence text."""
    return {e.source.series_uid: e.text for e in context.ledger if e.type in ("series", "series_verdict")}


@pytest.fixture(scope="module")
def patient(tmp_path_factory: pytest.TempPathFactory) -> Patient:
    """A synthetic lung patient whose CT files were emptied."""
    folder = tmp_path_factory.mktemp("refused") / "case"
    write_case(sample_case(7, seed=11, oncotree="LUAD"), folder)
    for path in (folder / "imaging").rglob("*.dcm"):
        dataset = pydicom.dcmread(path)
        if dataset.Modality == "CT":
            dataset.PixelData = bytes(len(dataset.PixelData))
            dataset.save_as(path)
    return read_patient(folder)


def test_a_refused_series_reaches_the_prediction_and_report_json(patient: Patient, tmp_path: Path):
    context = context_of(patient)
    assert context.prediction.not_predicted["series:CT chest"] == REFUSED
    assert context.prediction.embeddings.modality["imaging"].shape[0] == 1  # the PET alone
    uid = {s.modality: s.series_uid for s in patient.imaging}
    assert {c.series_uid: c.chosen for c in context.prediction.series_choices} == {
        uid[ImagingModality.CT]: False,
        uid[ImagingModality.PT]: True,
    }

    def honest(request) -> str:
        return json.dumps({"claims": [{"text": context.ledger[i].text, "citations": [i]} for i in request.allowed_ids]})

    report = run(context, ScriptedModel([honest], repeat_last=True))
    written = json.loads(write_report_json(report, tmp_path).read_text(encoding="utf-8"))
    (told,) = (e["text"] for e in written["evidence"] if e["source"].get("series_uid") == uid[ImagingModality.CT]
               and e["type"] == "series_verdict")  # fmt: skip
    assert told.endswith(f"Not read by the networks: {REFUSED}.")
    assert f"not predicted: series:CT chest ({REFUSED})" in written["warnings"]
    printed = {c["text"]: c["verdict"] for s in written["sections"] for c in s["claims"]}
    assert printed[told] == Verdict.SUPPORTED.value


def test_a_doubtful_series_is_read_and_its_evidence_says_why_not_to_trust_it(patient: Patient, tmp_path: Path):
    write_case(sample_case(7, seed=11, oncotree="DIFG"), tmp_path / "case")
    for path in (tmp_path / "case/imaging").rglob("slice_*.dcm"):
        dataset = pydicom.dcmread(path)
        dataset.BodyPartExamined = "KNEE"
        dataset.save_as(path)
    glioma = read_patient(tmp_path / "case")
    context = context_of(glioma)
    assert context.prediction.embeddings.modality["imaging"].shape[0] == len(glioma.imaging)
    for text in series_texts(context).values():
        assert (
            "Doubtful: it shows the limb (by BodyPartExamined); the primary of Diffuse Glioma lies in the head" in text
        )


def test_a_series_not_chosen_and_the_one_chosen_over_it_say_so():
    made = sample_case(7, seed=11, oncotree="CCRCC").patient
    (ct,) = made.imaging
    thin = replace(ct, series_uid="1.2.3", spacing_mm=(1.0, *ct.spacing_mm[1:]))
    texts = series_texts(context_of(replace(made, imaging=(ct, thin))))
    assert texts["1.2.3"].endswith(
        "Read by the networks: chosen over 1 other series of the abdomen that show the same."
    )
    assert "Not read by the networks: CT abdomen (40 slices of 1.0 mm) shows the same" in texts[ct.series_uid]
    assert texts[ct.series_uid].endswith("thicker slices (3.0 against 1.0 mm).")


def test_a_series_about_which_there_is_nothing_to_say_keeps_its_plain_sentence():
    made = sample_case(7, seed=11, oncotree="CCRCC").patient
    (text,) = series_texts(context_of(made)).values()
    assert text.endswith("40 slices, spacing 3.0 x 2.6 x 2.6 mm.")
