"""De-identification: a folder that names its patient everywhere, checked and cleaned; then the real files."""

from __future__ import annotations

import base64
import gzip
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from pydicom import Dataset, FileDataset, dcmread
from pydicom.dataset import FileMetaDataset
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian

from app.deidentify import check_folder, deidentify_folder, deidentify_in_place
from app.deidentify_dicom import Options, Pseudonyms
from app.deidentify_nifti import clear_header
from app.deidentify_text import Identities, Masker
from encoders.errors import InputError

OPEN_DATA = Path(__file__).parents[2].parent / "shared/data/open"
SECRETS = ("ROSALIND", "Rosalind", "rosalind", "EXAMPLEWOMAN", "Examplewoman", "PAT-77123", "19610704", "1961-07-04",
           "St. Nowhere", "Sampleton", "ACC-991", "+44 20 7946 0000", "Haberdasher")  # fmt: skip
NOTE = """Clinic letter
Patient name: Rosalind Examplewoman
DOB: 04/07/1961   MRN: 8877665
Mrs Examplewoman (PAT-77123), born 4 July 1961, has lung adenocarcinoma. EGFR p.L858R.
Call her at tel. +44 20 7946 0000 or r.examplewoman@example.org. CT of 2024-03-02: stable.
"""


def ct(number: int) -> FileDataset:
    """One slice of an imaginary patient that says everything it should not."""
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID, meta.TransferSyntaxUID = CTImageStorage, ExplicitVRLittleEndian
    meta.MediaStorageSOPInstanceUID = f"1.2.826.0.1.3680043.10.999.7.{number}"
    meta.SourceApplicationEntityTitle = "NOWHERECT"
    made = FileDataset("", {}, file_meta=meta, preamble=b"II*\0" + bytes(124))
    made.SOPClassUID, made.SOPInstanceUID = CTImageStorage, meta.MediaStorageSOPInstanceUID
    made.StudyInstanceUID, made.SeriesInstanceUID = "1.2.826.0.1.3680043.10.999.5", "1.2.826.0.1.3680043.10.999.6"
    made.FrameOfReferenceUID = "1.2.826.0.1.3680043.10.999.8"
    made.Modality, made.PatientName, made.PatientID = "CT", "EXAMPLEWOMAN^ROSALIND", "PAT-77123"
    made.PatientBirthDate, made.PatientSex, made.PatientAge, made.PatientWeight = "19610704", "F", "062Y", 61
    made.StudyDate = made.SeriesDate = "20240302"
    made.StudyTime, made.AccessionNumber, made.StudyID = "101500", "ACC-991", "1"
    made.InstitutionName, made.ReferringPhysicianName = "St. Nowhere", "Haberdasher^Ann"
    made.SeriesDescription, made.ImageComments = "Chest Rosalind", "seen by Haberdasher"
    item = Dataset()
    item.ReferencedSOPClassUID, item.ReferencedSOPInstanceUID = CTImageStorage, "1.2.826.0.1.3680043.10.999.7.1"
    made.ReferencedImageSequence = [item]
    private = made.private_block(0x0011, "NOWHERE", create=True)
    private.add_new(1, "LO", "Rosalind Examplewoman")
    made.Rows = made.Columns = 4
    made.BitsAllocated = made.BitsStored = 16
    made.HighBit, made.PixelRepresentation, made.SamplesPerPixel = 15, 0, 1
    made.PhotometricInterpretation = "MONOCHROME2"
    made.PixelData = np.full((4, 4), number, np.uint16).tobytes()
    return made


BUNDLE = {
    "resourceType": "Bundle",
    "entry": [
        {
            "resource": {
                "resourceType": "Patient", "id": "77", "birthDate": "1961-07-04", "gender": "female",
                "identifier": [{"value": "PAT-77123"}],
                "name": [{"family": "Examplewoman", "given": ["Rosalind"]}],
                "address": [{"city": "Sampleton"}], "telecom": [{"value": "+44 20 7946 0000"}],
                "text": {"status": "generated", "div": "<div>Rosalind</div>"},
            }
        },
        {
            "resource": {
                "resourceType": "Condition", "subject": {"reference": "Patient/77", "display": "Rosalind E."},
                "note": [{"text": "Mrs Examplewoman is well."}], "code": {"text": "Lung adenocarcinoma"},
            }
        },
        {
            "resource": {
                "resourceType": "DocumentReference",
                "content": [{"attachment": {"contentType": "text/plain",
                                            "data": base64.b64encode(NOTE.encode()).decode()}}],
            }
        },
    ],
}  # fmt: skip


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "patient"
    (made / "ct").mkdir(parents=True)
    for number in (1, 2):
        ct(number).save_as(made / "ct" / f"Examplewoman-{number}.dcm", enforce_file_format=True)
    (made / "record.fhir.json").write_text(json.dumps(BUNDLE), encoding="utf-8")
    (made / "letter.txt").write_text(NOTE, encoding="utf-8")
    columns = ("Hugo_Symbol", "Tumor_Sample_Barcode", "HGVSp_Short", "Variant_Classification")
    maf = "\t".join(columns) + "\nEGFR\tPAT-77123-T\tp.L858R\tMissense_Mutation\n"
    (made / "somatic.maf.gz").write_bytes(gzip.compress(maf.encode()))
    (made / "scan.pdf").write_bytes(b"%PDF-1.4 Rosalind Examplewoman")
    return made


def everything(folder: Path) -> str:
    """Every byte of a folder and every name in it, unzipped and undone from base64."""
    parts = []
    for path in sorted(folder.rglob("*")):
        parts.append(str(path.relative_to(folder)))
        if path.is_file():
            data = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
            parts.append(data.decode("latin-1"))
            if path.suffix == ".json":
                found = json.loads(data)
                for entry in found["entry"]:
                    for content in entry["resource"].get("content", ()):
                        parts.append(base64.b64decode(content["attachment"]["data"]).decode())
    return "\n".join(parts)


def test_nothing_that_names_the_patient_is_left(folder: Path, tmp_path: Path) -> None:
    done = deidentify_folder(folder, tmp_path / "out")
    held = everything(tmp_path / "out")
    assert [s for s in SECRETS if s in held] == []
    assert done.files == 5 and done.left_out == {"scan.pdf": "a file of kind PDF cannot be cleaned"}


def test_what_a_report_needs_is_left(folder: Path, tmp_path: Path) -> None:
    deidentify_folder(folder, tmp_path / "out")
    note = (tmp_path / "out" / "letter.txt").read_text(encoding="utf-8")
    assert "has lung adenocarcinoma. EGFR p.L858R." in note and "CT of 2024-03-02: stable." in note
    bundle = json.loads((tmp_path / "out" / "record.fhir.json").read_text(encoding="utf-8"))
    patient, condition = (e["resource"] for e in bundle["entry"][:2])
    assert patient["birthDate"] == "1961" and patient["gender"] == "female"
    assert condition["subject"] == {"reference": f"Patient/{patient['id']}"}
    table = gzip.decompress((tmp_path / "out" / "somatic.maf.gz").read_bytes()).decode()
    assert "EGFR" in table and "p.L858R" in table


def test_one_patient_stays_one_patient(folder: Path, tmp_path: Path) -> None:
    deidentify_folder(folder, tmp_path / "out")
    first, second = (dcmread(p) for p in sorted((tmp_path / "out" / "ct").iterdir()))
    pseudonym = first.PatientID
    assert pseudonym.startswith("ANON-") and second.PatientID == pseudonym and str(first.PatientName) == pseudonym
    bundle = (tmp_path / "out" / "record.fhir.json").read_text(encoding="utf-8")
    table = gzip.decompress((tmp_path / "out" / "somatic.maf.gz").read_bytes()).decode()
    assert pseudonym in bundle and f"{pseudonym}-T" in table


def test_uids_are_replaced_alike_and_point_to_each_other(folder: Path, tmp_path: Path) -> None:
    deidentify_folder(folder, tmp_path / "out")
    slices = [dcmread(p) for p in sorted((tmp_path / "out" / "ct").iterdir())]
    first = next(s for s in slices if s.pixel_array[0, 0] == 1)
    for made in slices:
        assert made.StudyInstanceUID == first.StudyInstanceUID != "1.2.826.0.1.3680043.10.999.5"
        assert made.ReferencedImageSequence[0].ReferencedSOPInstanceUID == first.SOPInstanceUID
        assert made.file_meta.MediaStorageSOPInstanceUID == made.SOPInstanceUID
        assert made.SOPClassUID == CTImageStorage
    assert slices[0].SOPInstanceUID != slices[1].SOPInstanceUID


def test_the_header_follows_the_basic_profile_and_says_so(folder: Path, tmp_path: Path) -> None:
    deidentify_folder(folder, tmp_path / "out")
    made = dcmread(next((tmp_path / "out" / "ct").iterdir()))
    for removed in (
        "PatientAge",
        "PatientWeight",
        "SeriesDescription",
        "ImageComments",
        "InstitutionName",
        "SeriesDate",
    ):
        assert removed not in made
    for emptied in ("StudyDate", "PatientBirthDate", "PatientSex", "AccessionNumber", "ReferringPhysicianName"):
        assert emptied in made and not made[emptied].value
    assert not [e for e in made if e.tag.is_private] and made.preamble == bytes(128)
    assert made.PatientIdentityRemoved == "YES" and made.LongitudinalTemporalInformationModified == "REMOVED"
    assert [c.CodeValue for c in made.DeidentificationMethodCodeSequence] == ["113100"]
    assert made.pixel_array.shape == (4, 4)


def test_options_keep_what_they_say_and_the_birth_date_never(folder: Path, tmp_path: Path) -> None:
    deidentify_folder(folder, tmp_path / "out", Options(keep_dates=True, keep_characteristics=True))
    made = dcmread(next((tmp_path / "out" / "ct").iterdir()))
    assert (made.StudyDate, made.SeriesDate, made.PatientSex, made.PatientWeight) == ("20240302", "20240302", "F", 61)
    assert not made.PatientBirthDate
    assert [c.CodeValue for c in made.DeidentificationMethodCodeSequence] == ["113100", "113106", "113108"]


def test_the_check_counts_and_never_shows(folder: Path) -> None:
    before = everything(folder)
    found = check_folder(folder).to_dict()
    lines = {line["file"]: line for line in found["files"]}
    assert lines["ct/"]["n_files"] == 2 and lines["ct/"]["names"] == 2 and lines["ct/"]["private"] == 2
    assert lines["ct/"]["identifying"] == 5  # id, birth date, accession, study id, institution
    assert lines["letter.txt"]["names"] >= 2 and lines["letter.txt"]["births"] == 2
    assert lines["letter.txt"]["contacts"] == 2
    assert lines["scan.pdf"]["warning"] == "not looked into"
    assert found["identified_files"] == 4
    said = json.dumps({**found, "files": [{k: v for k, v in li.items() if k != "file"} for li in found["files"]]})
    assert [s for s in SECRETS if s in said] == []
    assert everything(folder) == before


def test_a_clean_folder_is_said_to_be_clean(folder: Path, tmp_path: Path) -> None:
    deidentify_folder(folder, tmp_path / "out")
    found = check_folder(tmp_path / "out").to_dict()
    assert {line["file"]: line.get("births", 0) + line.get("contacts", 0) for line in found["files"]} == dict.fromkeys(
        ("ct/", "letter.txt", "record.fhir.json", "somatic.maf.gz"), 0
    )


def test_in_place_leaves_only_the_clean_files(folder: Path) -> None:
    found = deidentify_in_place(folder)
    assert found["deidentified"]["files"] == 5 and len(found["deidentified"]["not_done"]) == 5
    assert not list(folder.parent.glob("*.named")) and not (folder / "scan.pdf").exists()


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"BurnedInAnnotation": "YES"}, "says that text is burned in"),
        ({"SOPClassUID": "1.2.840.10008.5.1.4.1.1.7.1"}, "secondary capture"),
        ({"Modality": "US"}, "US images often show"),
        ({"ConversionType": "SD"}, "digitised"),
    ],
)
def test_pixels_that_may_hold_a_name_are_warned_of(tmp_path: Path, change: dict[str, str], why: str) -> None:
    made = ct(1)
    for keyword, value in change.items():
        setattr(made, keyword, value)
    made.save_as(tmp_path / "a.dcm", enforce_file_format=True)
    found = check_folder(tmp_path)
    assert found.burned_in == 1 and why in found.files[0].warning


def test_a_structured_report_is_left_out(folder: Path, tmp_path: Path) -> None:
    made = ct(3)
    made.Modality = "SR"
    made.save_as(folder / "sr.dcm", enforce_file_format=True)
    assert deidentify_folder(folder, tmp_path / "out").left_out["sr.dcm"] == "structured text cannot be cleaned"


def test_an_out_folder_that_holds_files_or_lies_inside_is_refused(folder: Path) -> None:
    with pytest.raises(InputError, match="holds files already"):
        deidentify_folder(folder, folder / "ct")
    with pytest.raises(InputError, match="lies inside"):
        deidentify_folder(folder, folder / "new")


@pytest.mark.parametrize(
    "written",
    ["1961-07-04", "04.07.1961", "4/7/1961", "07/04/1961", "4 July 1961", "July 4, 1961", "4 Jul 1961", "19610704"],
)
def test_a_date_of_birth_is_found_as_people_write_it(written: str) -> None:
    known = Identities()
    known.add_birth("19610704")
    masked, counts = Masker(known, str).mask(f"seen {written}, and again on 2024-03-02")
    assert masked == "seen [date of birth], and again on 2024-03-02" and counts["births"] == 1


def test_a_name_is_found_in_any_case_and_without_its_accents_and_never_inside_a_word() -> None:
    known = Identities()
    known.add_name("MÜLLER^EVA^^Dr")
    masked, counts = Masker(known, str).mask("Frau Muller, müller, EVA; evaluation of Müllerian ducts, Dr X")
    assert masked == "Frau [name], [name], [name]; evaluation of Müllerian ducts, Dr X" and counts["names"] == 3


def test_pseudonyms_need_the_secret_and_ignore_case() -> None:
    one, other = Pseudonyms("a"), Pseudonyms("b")
    assert one.patient("PAT-1 ") == one.patient("pat-1") != other.patient("PAT-1")
    assert one.uid("1.2.3") == one.uid("1.2.3") != other.uid("1.2.3") and one.uid(CTImageStorage) == CTImageStorage


def test_the_real_images_are_cleaned_and_still_read(tmp_path: Path) -> None:
    if not OPEN_DATA.is_dir():
        pytest.skip("the shared real data are not beside this repository")
    paths = sorted((OPEN_DATA / "radiology").rglob("*.dcm"))[::25][:15]
    source = tmp_path / "in"
    source.mkdir()
    for number, path in enumerate(paths):
        (source / f"{number}.dcm").write_bytes(path.read_bytes())
    done = deidentify_folder(source, tmp_path / "out")
    assert done.files >= 8, done.left_out
    for path in (tmp_path / "out").glob("*.dcm"):
        before, after = (dcmread(p, force=True) for p in (source / path.name, path))
        assert after.get("PixelData") == before.get("PixelData")
        left = {e.keyword for e in after.iterall() if e.VR == "PN" and str(e.value)} - {"PatientName"}
        assert not left and str(after.PatientName) == after.PatientID
        assert not [e for e in after.iterall() if e.tag.is_private]
        assert not [e for e in after.iterall() if e.VR in ("DA", "TM", "DT") and str(e.value or "")]


@pytest.fixture
def nifti() -> Callable[[bytes], bytes]:
    """A NIfTI-1 file with this description."""

    def make(description: bytes, extension: bool = False) -> bytes:
        header = bytearray(348)
        header[0:4] = (348).to_bytes(4, "little")
        header[148 : 148 + len(description)] = description
        header[344:348] = b"n+1\0"
        return bytes(header) + (b"\1\0\0\0" if extension else bytes(4)) + b"voxels"

    return make


def test_a_nifti_header_loses_its_texts_and_keeps_its_voxels(tmp_path: Path, nifti) -> None:
    (tmp_path / "a.nii.gz").write_bytes(gzip.compress(nifti(b"Rosalind")))
    (tmp_path / "b.nii").write_bytes(nifti(b"x", True))
    assert clear_header(tmp_path / "a.nii.gz", tmp_path / "clean.nii.gz") == ""
    cleaned = gzip.decompress((tmp_path / "clean.nii.gz").read_bytes())
    assert b"Rosalind" not in cleaned and cleaned.endswith(b"voxels") and len(cleaned) == len(nifti(b""))
    assert "extensions" in clear_header(tmp_path / "b.nii", tmp_path / "c.nii")
