"""Files of a synthetic patient: valid in other libraries' eyes, and read back as the patient in memory."""

from __future__ import annotations

import csv
import dataclasses
import json
from datetime import datetime
from pathlib import Path

import highdicom as hd
import numpy as np
import pydicom
import pytest
from fhir.resources.R4B.bundle import Bundle

from encoders.errors import InputError
from encoders.read.folder import read_patient
from encoders.synthetic.cohort import SyntheticCase, sample_case, write_case, write_cohort
from encoders.synthetic.write_omics import MAF_HEADER, STAR_HEADER
from encoders.vocabulary import APPEARANCE, CANCERS


def _treated(code: str) -> SyntheticCase:
    """The first case of a cancer with a treatment, a medicine and a variant, so that every writer has work."""
    for index in range(400):
        light = sample_case(index, 41, code, imaging=False).patient
        if light.treatments and light.medications and light.variants:
            return sample_case(index, 41, code)
    raise AssertionError("no case with every kind of row in 400")


@pytest.fixture(scope="module")
def written(tmp_path_factory) -> dict[str, tuple[SyntheticCase, Path]]:
    root = tmp_path_factory.mktemp("cases")
    pairs = {code: (_treated(code), root / code) for code in CANCERS}
    for case, folder in pairs.values():
        write_case(case, folder)
    return pairs


def test_suv_from_the_tags_by_hand(written):
    case, folder = written["LUAD"]
    pet = case.patient.imaging[1]
    k = pet.volume.shape[0] // 2
    ds = pydicom.dcmread(folder / pet.source.file / f"slice_{k + 1:03d}.dcm")
    drug = ds.RadiopharmaceuticalInformationSequence[0]
    clock = "%H%M%S"
    delay = datetime.strptime(ds.SeriesTime, clock) - datetime.strptime(drug.RadiopharmaceuticalStartTime, clock)
    left = drug.RadionuclideTotalDose * 2 ** (-delay.total_seconds() / drug.RadionuclideHalfLife)
    concentration = ds.pixel_array * float(ds.RescaleSlope) + float(ds.RescaleIntercept)
    suv = concentration * float(ds.PatientWeight) * 1000 / left
    np.testing.assert_allclose(suv, pet.volume[k], atol=1e-4)
    assert (ds.Units, ds.DecayCorrection) == ("BQML", "START")


def test_ct_slices_hold_hounsfield_units(written):
    case, folder = written["CCRCC"]
    ct = case.patient.imaging[0]
    uids = set()
    for k in range(ct.volume.shape[0]):
        ds = pydicom.dcmread(folder / ct.source.file / f"slice_{k + 1:03d}.dcm")
        uids.add(ds.SOPInstanceUID)
        assert ds.SOPClassUID == pydicom.uid.CTImageStorage
        assert "SYNTHETIC" in str(ds.PatientName)
        assert "SYNTHETIC" in ds.SeriesDescription
        assert "SYNTHETIC" in ds.ImageComments
        hu = ds.pixel_array * float(ds.RescaleSlope) + float(ds.RescaleIntercept)
        np.testing.assert_array_equal(hu, ct.volume[k])
    assert len(uids) == ct.volume.shape[0]


def test_seg_is_readable_and_equal_to_the_mask(written):
    for case, folder in written.values():
        for series in case.patient.imaging:
            segment = series.segments[0]
            seg = hd.seg.segread(folder / segment.source.file)
            assert seg.get_segment_description(1).segment_label == "Lesion"
            assert seg.SegmentationType == "BINARY"
            assert seg.get_volume(segment_numbers=[1]).array.sum() == segment.mask.sum()


def test_the_bundle_is_valid_fhir_and_hides_the_outcome(written):
    for case, folder in written.values():
        text = (folder / "clinical" / "record.json").read_text(encoding="utf-8")
        bundle = Bundle.model_validate_json(text)
        kinds = {entry.resource.__class__.__name__ for entry in bundle.entry}
        assert {"Patient", "Condition", "Observation", "MedicationAdministration", "MedicationStatement"} <= kinds
        assert "deceased" not in text
        assert all("tag" in e["resource"]["meta"] for e in json.loads(text)["entry"])
        assert case.patient.patient_id in text


def test_star_counts_layout(written):
    _, folder = written["BRCA"]
    lines = (folder / "genomics" / "star_gene_counts.tsv").read_text(encoding="utf-8").splitlines()
    assert lines[0].startswith("#")
    assert tuple(lines[1].split("\t")) == STAR_HEADER
    assert [line.split("\t")[0] for line in lines[2:6]] == [
        "N_unmapped",
        "N_multimapping",
        "N_noFeature",
        "N_ambiguous",
    ]
    assert not any(line.startswith("ENSG") for line in lines)


def test_maf_leaves_unknown_positions_empty(written):
    for _, folder in written.values():
        lines = (folder / "genomics" / "somatic.maf").read_text(encoding="utf-8").splitlines()
        rows = list(csv.DictReader(lines[1:], delimiter="\t"))
        assert tuple(rows[0]) == MAF_HEADER
        for row in rows:
            assert row["NCBI_Build"] == "GRCh38"
            assert bool(row["Start_Position"]) == bool(row["Chromosome"]) == bool(row["Tumor_Seq_Allele2"])


def test_notes_do_not_describe_the_lesion(written):
    words = {w for by in APPEARANCE.values() for pair in by.values() for w in pair} - {
        "absent",
        "present",
        "low",
        "high",
    }
    for case, _ in written.values():
        for note in case.patient.notes:
            assert "SYNTHETIC" in note.text.splitlines()[0]
            assert not any(word in note.text.lower() for word in (*words, "necro", "enhancing", "uptake"))


def _plain(rows: object) -> list[dict[str, object]]:
    return [{k: v for k, v in dataclasses.asdict(row).items() if k != "source"} for row in rows or ()]


@pytest.mark.parametrize("code", CANCERS)
def test_the_reader_returns_the_patient_in_memory(written, code):
    case, folder = written[code]
    mine, read = case.patient, read_patient(folder)
    assert read.synthetic
    for field in ("patient_id", "oncotree_code", "sex", "age_years", "diagnosis", "ecog"):
        assert getattr(read, field) == getattr(mine, field), field
    for field in ("treatments", "medications", "labs", "biomarkers", "variants", "copy_number"):
        assert _plain(getattr(read, field)) == _plain(getattr(mine, field)), field
    for ours in mine.notes:
        theirs = next(n for n in read.notes if n.source.file == ours.source.file)
        assert (theirs.text.strip(), theirs.date) == (ours.text.strip(), ours.date)
    assert read.expression.genes == mine.expression.genes
    assert read.expression.unit == "TPM"
    np.testing.assert_allclose(read.expression.values, mine.expression.values, atol=1e-3)
    assert read.outcome is None


@pytest.mark.parametrize("code", CANCERS)
def test_the_reader_returns_the_images_in_memory(written, code):
    case, folder = written[code]
    by_uid = {s.series_uid: s for s in read_patient(folder).imaging}
    assert len(by_uid) == len(case.patient.imaging)
    for ours in case.patient.imaging:
        theirs = by_uid[ours.series_uid]
        assert (theirs.role, theirs.unit, theirs.date) == (ours.role, ours.unit, ours.date)
        np.testing.assert_allclose(theirs.volume, ours.volume, atol=1e-3)
        np.testing.assert_allclose(theirs.affine_lps, ours.affine_lps, atol=1e-3)
        assert theirs.sop_instance_uids == ours.sop_instance_uids
        np.testing.assert_array_equal(theirs.segments[0].mask, ours.segments[0].mask)
        assert not theirs.segments[0].proposed


def test_a_fusion_is_read_back(tmp_path):
    light = (sample_case(i, 43, "LUAD", imaging=False) for i in range(400))
    case = next(c for c in light if c.patient.fusions)
    write_case(case, tmp_path / "case")
    assert _plain(read_patient(tmp_path / "case").fusions) == _plain(case.patient.fusions)


def test_a_cohort_has_one_folder_per_patient_and_a_table(tmp_path):
    said: list[str] = []
    write_cohort(2, tmp_path / "cohort", seed=9, progress=said.append)
    rows = list(csv.DictReader((tmp_path / "cohort" / "cohort.csv").open(encoding="utf-8")))
    assert [r["patient_id"] for r in rows] == [sample_case(i, 9, imaging=False).patient.patient_id for i in range(2)]
    assert all((tmp_path / "cohort" / r["patient_id"] / "clinical" / "record.json").is_file() for r in rows)
    assert {r["event"] for r in rows} <= {"0", "1"}
    assert "SYNTHETIC" in (tmp_path / "cohort" / "README.txt").read_text(encoding="utf-8")
    assert len(said) == 2
    assert [p.name for p in tmp_path.iterdir()] == ["cohort"]


def test_a_folder_in_use_is_refused_and_left_alone(tmp_path):
    (tmp_path / "kept.txt").write_text("mine")
    with pytest.raises(InputError, match="already exists"):
        write_case(sample_case(0, 0, imaging=False), tmp_path)
    with pytest.raises(InputError, match="already exists"):
        write_cohort(1, tmp_path, seed=0)
    assert [p.name for p in tmp_path.iterdir()] == ["kept.txt"]


def test_a_failure_leaves_no_half_folder(tmp_path, monkeypatch):
    def broken(*_: object) -> str:
        raise OSError("disk full")

    monkeypatch.setattr("encoders.synthetic.write_cohort.bundle", broken)
    with pytest.raises(OSError, match="disk full"):
        write_case(sample_case(0, 0, imaging=False), tmp_path / "case")
    assert list(tmp_path.iterdir()) == []


def test_an_empty_cohort_is_refused(tmp_path):
    with pytest.raises(InputError, match="at least 1"):
        write_cohort(0, tmp_path / "cohort", seed=0)
