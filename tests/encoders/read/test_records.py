"""Records, notes, NIfTI and archives: FHIR facts by hand, real mCODE patients, and refusals."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

import nibabel
import numpy as np
import pypdf
import pytest

from encoders.errors import InputError
from encoders.patient import ImagingModality, IntensityUnit
from encoders.read.archive import extract_archive
from encoders.read.cancer_codes import antineoplastic, refine
from encoders.read.fhir import age_at, load_resources, read_fhir
from encoders.read.fhir_conditions import stage_group
from encoders.read.nifti import read_nifti
from encoders.read.notes import note_patient_id, read_note, read_pdf
from encoders.read.record import read_record


@pytest.fixture
def facts(tmp_path, write_json, bundle):
    """The small bundle's facts."""
    return read_fhir(load_resources(write_json(tmp_path / "b.json", bundle()), "b.json"))


def test_a_small_bundle_is_read_by_hand(facts):
    assert facts.ids == ("P-001",)
    assert (facts.oncotree_code, facts.diagnosis.histology) == ("LUAD", "Adenocarcinoma of lung")
    assert (facts.age_years, facts.diagnosis.date) == (63.0, "2024-02-01")
    assert [(b.name, b.value, b.unit, b.date) for b in facts.biomarkers] == [("PD-L1", 60.0, "%", "2024-02-10")]
    assert [(lab.name, lab.value, lab.unit) for lab in facts.labs] == [
        ("Hemoglobin [Mass/volume] in Blood", 12.5, "g/dL")
    ]
    assert [(v.gene, v.protein) for v in facts.variants] == [("EGFR", "p.L858R")]


def test_a_cancer_medicine_is_treatment_and_another_is_not(facts):
    assert [(t.drug, t.start, t.line) for t in facts.treatments] == [("osimertinib", "2024-03-01", None)]
    assert [m.drug for m in facts.medications] == ["Warfarin 5 MG Oral Tablet"]


def test_a_withdrawn_observation_is_not_read(tmp_path, write_json, bundle):
    changed = bundle()
    for entry in changed["entry"]:
        if entry["resource"]["id"] == "ecog":
            entry["resource"]["status"] = "entered-in-error"
    assert read_fhir(load_resources(write_json(tmp_path / "b", changed), "b")).ecog is None


@pytest.mark.parametrize(
    ("answer", "value"),
    [
        ({"valueCodeableConcept": {"coding": [{"system": "http://loinc.org", "code": "LA15173-0"}]}}, "pregnant"),
        ({"valueCodeableConcept": {"coding": [{"code": "60001007", "display": "Not pregnant"}]}}, "not pregnant"),
        ({"valueString": "Unknown"}, "unknown"),
        ({"valueString": "see letter"}, None),
    ],
)
def test_a_pregnancy_status_is_read_with_its_date(tmp_path, write_json, bundle, answer, value):
    asked = bundle()
    status = {"resourceType": "Observation", "id": "preg", "status": "final", "effectiveDateTime": "2024-02-20",
              "code": {"coding": [{"system": "http://loinc.org", "code": "82810-3"}]},
              "subject": asked["entry"][1]["resource"]["subject"], **answer}  # fmt: skip
    asked["entry"].append({"resource": status})
    read = read_fhir(load_resources(write_json(tmp_path / "b", asked), "b"))
    found = [(b.value, b.date) for b in read.biomarkers if b.name == "pregnancy status"]
    assert found == ([(value, "2024-02-20")] if value else [])
    assert any("Observation(s) not used" in line for line in read.skipped) is (value is None)


def test_a_plain_record_holds_a_pregnancy_status_of_three_words(tmp_path, write_json):
    read = read_record(write_json(tmp_path / "r", {"patient_id": "P", "pregnancy_status": "not pregnant"}), "r")
    assert [(b.name, b.value, b.source.place) for b in read.biomarkers] == [
        ("pregnancy status", "not pregnant", "pregnancy_status")
    ]
    with pytest.raises(InputError, match="pregnancy_status is 'maybe'; allowed are not pregnant, pregnant, unknown"):
        read_record(write_json(tmp_path / "r", {"patient_id": "P", "pregnancy_status": "maybe"}), "r")


def test_ndjson_and_a_list_of_resources_are_the_same_as_a_bundle(tmp_path, write_text, bundle, facts):
    resources = [e["resource"] for e in bundle()["entry"]]
    lines = write_text(tmp_path / "x.ndjson", "\n".join(json.dumps(r) for r in resources))
    listed = write_text(tmp_path / "y.json", json.dumps(resources))
    for path in (lines, listed):
        again = read_fhir(load_resources(path, "b.json"))
        assert (again.oncotree_code, again.ecog, again.diagnosis) == (facts.oncotree_code, facts.ecog, facts.diagnosis)


def test_a_bundle_of_two_patients_is_refused(tmp_path, write_json, bundle):
    both = bundle()
    both["entry"] += bundle("P-002")["entry"]
    with pytest.raises(InputError, match=r"holds 2 patients \(ids P-001, P-002"):
        load_resources(write_json(tmp_path / "b", both), "b")


def test_a_latest_pathologic_stage_goes_before_a_clinical_one(tmp_path, write_json, bundle):
    changed = bundle()
    stage = next(e["resource"] for e in changed["entry"] if e["resource"]["id"] == "stage")
    pathologic = json.loads(json.dumps(stage).replace("21908-9", "21902-2").replace("IIIA", "IIB"))
    changed["entry"].append({"resource": {**pathologic, "id": "p"}})
    assert read_fhir(load_resources(write_json(tmp_path / "b", changed), "b")).diagnosis.stage == "IIB"


@pytest.mark.parametrize(
    ("text", "stage"),
    [("Stage IIIC", "IIIC"), ("3C", "IIIC"), ("4", "IV"), ("3A (qualifier value)", "IIIA"), ("IA2", "IA2"), ("", None)],
)
def test_stage_groups_get_one_spelling(text, stage):
    assert stage_group(text) == stage


def test_age_counts_whole_years():
    assert age_at("1960-06-15", "2024-06-14") == 63
    assert age_at("1960-06-15", "2024-06-15") == 64
    assert age_at("1960", "2024-02") == 64


def test_an_organ_is_narrowed_only_by_a_morphology_inside_it():
    assert refine("LUNG", "8140/3") == "LUAD"
    assert refine("NSCLC", "35917007") == "LUAD"
    assert refine("BREAST", "8140/3") == "BREAST"
    assert refine("LUSC", "8140/3") == "LUSC"


def test_antineoplastic_names_are_whole_words():
    assert antineoplastic("10 ML Doxorubicin Hydrochloride 2 MG/ML Injection") == "doxorubicin"
    assert antineoplastic("fam-trastuzumab deruxtecan-nxki 100 MG") == "trastuzumab deruxtecan"
    assert antineoplastic("denosumab 60 MG") is None


@pytest.mark.parametrize(
    ("file", "code", "stage", "drugs"),
    [
        ("Maureen", "BRCA", "I", {"trastuzumab", "tamoxifen"}),
        ("T0_patient", "BRCA", "IIIA", {"doxorubicin", "tamoxifen"}),
        ("TrialMatching_Patient01", "IDC", "IV", {"leuprolide", "fulvestrant", "abemaciclib", "ribociclib"}),
    ],
)
def test_the_real_mcode_patients_are_read(open_data: Path, file, code, stage, drugs):
    path = open_data / f"clinical/fhir_mcode_patients/{file}.json"
    read = read_fhir(load_resources(path, path.name))
    assert (read.oncotree_code, read.diagnosis.stage, read.sex) == (code, stage, "female")
    assert {t.drug for t in read.treatments} == drugs
    assert {"ER", "PR", "HER2 IHC"} <= {b.name for b in read.biomarkers}


def test_single_mcode_resources_in_a_folder_are_one_record(open_data: Path):
    files = sorted((open_data / "clinical/hl7_mcode_examples_2020").glob("*.json"))
    read = read_fhir([r for f in files for r in load_resources(f, f.name)])
    assert (read.oncotree_code, read.diagnosis.stage, read.ecog) == ("LUAD", "IIIC", 0)
    assert read.age_years is not None
    assert [(v.gene, v.germline) for v in read.variants] == [("BRCA1", True)]


# The plain record


def test_a_plain_record_is_read_and_unknown_keys_are_listed(tmp_path, write_json):
    content = {
        "patient_id": "P-1",
        "oncotree_code": "LUAD",
        "age_years": 61,
        "diagnosis": {"stage": "IIIA", "colour": "red"},
        "treatments": ["cisplatin", {"drug": "osimertinib", "line": 2}],
        "shoe_size": 43,
    }
    read = read_record(write_json(tmp_path / "r", content), "r")
    assert (read.ids, read.oncotree_code, read.age_years, read.diagnosis.stage) == (("P-1",), "LUAD", 61.0, "IIIA")
    assert [(t.drug, t.line, t.source.place) for t in read.treatments] == [
        ("cisplatin", None, "treatments[0]"),
        ("osimertinib", 2, "treatments[1]"),
    ]
    assert len(read.skipped) == 2
    assert any("'shoe_size'" in s for s in read.skipped)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"ecog": 7}, r"ecog is 7; a number from 0 to 5"),
        ({"ecog": "fit"}, r"ecog is 'fit'"),
        ({"age_years": -3}, r"age_years is -3; a number from 0 to 120"),
        ({"sex": "F"}, r"sex is 'F'; allowed are 'female' and 'male'"),
        ({"patient_id": ""}, r"patient_id is ''"),
        ({"diagnosis": {"stage": 3}}, r"diagnosis\.stage is 3; str is needed"),
        ({"treatments": [{"line": 1}]}, r"treatments\[0\]: a key is missing"),
        ({"labs": {"a": 1}}, r"labs is dict; a list"),
    ],
)
def test_a_wrong_value_in_a_record_is_refused(tmp_path, write_json, content, message):
    with pytest.raises(InputError, match=message):
        read_record(write_json(tmp_path / "r", content), "r")


# Notes


@pytest.mark.parametrize(
    ("line", "date"),
    [
        ("Date: 2024-03-05", "2024-03-05"),
        ("**Date:** 5 March 2024", "2024-03-05"),
        ("Date of visit: 2024-03-05 10:30", "2024-03-05"),
        ("Date: 03/05/2024", None),
        ("Seen on 2024-03-05", None),
    ],
)
def test_a_note_is_dated_by_its_date_line_alone(tmp_path, write_text, line, date):
    assert read_note(write_text(tmp_path / "n", f"Clinic letter\n{line}\n\nText.\n"), "n").date == date


def test_a_notes_patient_id_line_is_found(tmp_path, write_text):
    assert note_patient_id(read_note(write_text(tmp_path / "n", "Patient ID: P-7\nText"), "n")) == "P-7"
    assert note_patient_id(read_note(write_text(tmp_path / "m", "The patient is well."), "m")) is None


def test_a_pdf_without_text_says_so(tmp_path):
    writer = pypdf.PdfWriter()
    writer.add_blank_page(100, 100)
    writer.write(tmp_path / "scan.pdf")
    assert "a PDF without text" in read_pdf(tmp_path / "scan.pdf", "scan.pdf")


# NIfTI


def _nifti(folder: Path, name: str = "scan.nii.gz") -> Path:
    data = np.arange(24, dtype=np.float32).reshape(2, 3, 4)  # x, y, z
    image = nibabel.Nifti1Image(data, np.array([[2, 0, 0, 5], [0, 3, 0, 6], [0, 0, 4, 7], [0, 0, 0, 1]], float))
    nibabel.save(image, folder / name)
    return folder / name


def test_nifti_goes_to_lps_with_axes_z_y_x(tmp_path, write_json):
    path = _nifti(tmp_path)
    write_json(tmp_path / "scan.json", {"Modality": "CT", "Units": "HU"})
    series = read_nifti(path, "scan.nii.gz")
    assert series.volume.shape == (4, 3, 2)
    assert series.volume[3, 2, 1] == 23
    assert (series.modality, series.unit) == (ImagingModality.CT, IntensityUnit.HU)
    assert series.spacing_mm == (4.0, 3.0, 2.0)
    assert (series.affine_lps @ np.array([1, 0, 0, 1])).tolist() == [-7.0, -6.0, 7.0, 1.0]


def test_a_nifti_of_unknown_modality_is_never_guessed(tmp_path):
    assert "does not say its modality" in read_nifti(_nifti(tmp_path, "ct_chest.nii.gz"), "ct_chest.nii.gz")


def test_a_cut_nifti_is_refused(tmp_path, write_json):
    path = _nifti(tmp_path, "scan.nii")
    write_json(tmp_path / "scan.json", {"Modality": "MR"})
    path.write_bytes(path.read_bytes()[:-40])
    with pytest.raises(InputError, match=r"scan\.nii: NIfTI file is truncated"):
        read_nifti(path, "scan.nii")


# Archives


@pytest.mark.parametrize("member", ["../outside.txt", "/etc/outside.txt", "a/../../outside.txt", "..\\outside.txt"])
def test_an_archive_cannot_write_outside_its_folder(tmp_path, member):
    with zipfile.ZipFile(tmp_path / "x.zip", "w") as out:
        out.writestr(member, "x")
    (tmp_path / "in").mkdir()
    with pytest.raises(InputError, match=r"x\.zip: member .* would leave the folder"):
        extract_archive(tmp_path / "x.zip", tmp_path / "in")
    assert not (tmp_path / "outside.txt").exists()


def test_an_archive_is_capped_in_size_and_files(tmp_path):
    with zipfile.ZipFile(tmp_path / "x.zip", "w", zipfile.ZIP_DEFLATED) as out:
        out.writestr("a", "0" * 10_000)
        out.writestr("b", "1")
    (tmp_path / "in").mkdir()
    with pytest.raises(InputError, match="at most"):
        extract_archive(tmp_path / "x.zip", tmp_path / "in", max_bytes=1000)
    with pytest.raises(InputError, match="holds 2 files; at most 1"):
        extract_archive(tmp_path / "x.zip", tmp_path / "in", max_files=1)


def test_a_file_that_is_no_zip_is_refused(tmp_path):
    (tmp_path / "x.zip").write_text("not a zip")
    with pytest.raises(InputError, match=r"x\.zip: not a readable zip file"):
        extract_archive(tmp_path / "x.zip", tmp_path)
