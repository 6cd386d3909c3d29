"""Small made-up patient files, written on the spot; nothing here is a real person's."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, PositronEmissionTomographyImageStorage, generate_uid

from encoders.patient import ImagingSeries
from encoders.read.dicom import ImagingReading, read_header, read_imaging

OPEN_DATA = Path(__file__).parents[3].parent / "shared/data/open"


@pytest.fixture
def open_data() -> Path:
    """The folder of shared real data; tests that need it skip where it is absent."""
    if not OPEN_DATA.is_dir():
        pytest.skip("the shared real data are not beside this repository")
    return OPEN_DATA


@pytest.fixture
def read_folder() -> Callable[[Path], ImagingReading]:
    """Read every DICOM file of a folder."""

    def read(folder: Path) -> ImagingReading:
        files = [read_header(p, p.name) for p in sorted(folder.rglob("*")) if p.is_file()]
        return read_imaging([f for f in files if f is not None])

    return read


@pytest.fixture
def one_series(read_folder: Callable[[Path], ImagingReading]) -> Callable[[Path], ImagingSeries]:
    """The one series of a folder."""

    def read(folder: Path) -> ImagingSeries:
        (series,) = read_folder(folder).series
        return series

    return read


def _slice(number: int, z: float, *, series: str, patient: str, modality: str) -> FileDataset:
    """One 4 x 5 slice whose stored value is its number; HU (or Bq/ml) = 2 * stored - 10."""
    meta = FileMetaDataset()
    pet = modality == "PT"
    meta.MediaStorageSOPClassUID = PositronEmissionTomographyImageStorage if pet else CTImageStorage
    meta.MediaStorageSOPInstanceUID = generate_uid(entropy_srcs=[series, str(number)])
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    made = FileDataset(None, {}, file_meta=meta, preamble=b"\0" * 128)
    made.SOPClassUID, made.SOPInstanceUID = meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID
    made.StudyInstanceUID, made.SeriesInstanceUID = generate_uid(entropy_srcs=["study"]), series
    made.PatientID, made.Modality, made.InstanceNumber = patient, modality, number
    made.SeriesDate, made.SeriesTime, made.BodyPartExamined = "20240301", "100000", "CHEST"
    made.Rows, made.Columns, made.SamplesPerPixel = 4, 5, 1
    made.PhotometricInterpretation = "MONOCHROME2"
    made.BitsAllocated = made.BitsStored = 16
    made.HighBit, made.PixelRepresentation = 15, 0
    made.PixelSpacing, made.SliceThickness = [0.5, 0.75], 2.0
    made.ImageOrientationPatient, made.ImagePositionPatient = [1, 0, 0, 0, 1, 0], [-10.0, -20.0, z]
    made.RescaleSlope, made.RescaleIntercept = 2, -10
    made.PixelData = np.full((4, 5), number, dtype=np.uint16).tobytes()
    return made


@pytest.fixture
def write_series() -> Callable[..., list[Path]]:
    """Write slices at the given z positions; ``change(dataset, number)`` may alter each before it is saved."""

    def write(
        folder: Path,
        positions: tuple[float, ...] = (0.0, 2.0, 4.0),
        *,
        patient: str = "P-001",
        modality: str = "CT",
        series: str = "1.2.3.4",
        change: Callable[[Dataset, int], None] | None = None,
    ) -> list[Path]:
        folder.mkdir(parents=True, exist_ok=True)
        paths = []
        for number, z in enumerate(positions, start=1):
            made = _slice(number, z, series=series, patient=patient, modality=modality)
            if change:
                change(made, number)
            path = folder / f"{modality}-{series}-{number:03d}.dcm"
            made.save_as(path, enforce_file_format=True)
            paths.append(path)
        return paths

    return write


@pytest.fixture
def write_text() -> Callable[[Path, str], Path]:
    """Write a text file, making its folder."""

    def write(path: Path, text: str) -> Path:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        return path

    return write


@pytest.fixture
def write_json(write_text: Callable[[Path, str], Path]) -> Callable[[Path, object], Path]:
    """Write a JSON file."""
    return lambda path, content: write_text(path, json.dumps(content))


@pytest.fixture
def bundle() -> Callable[..., dict]:
    """A small mCODE bundle: patient, primary lung cancer, stage, ECOG, PD-L1, EGFR variant, two medicines."""

    def make(patient: str = "P-001") -> dict:
        return {"resourceType": "Bundle", "type": "collection", "entry": [{"resource": r} for r in _resources(patient)]}

    return make


def _concept(code: str, display: str, system: str = "http://loinc.org") -> dict:
    return {"coding": [{"system": system, "code": code, "display": display}]}


def _resources(patient: str) -> list[dict]:
    subject = {"reference": f"Patient/{patient}"}
    snomed = "http://snomed.info/sct"
    mcode = "http://hl7.org/fhir/us/mcode/StructureDefinition/"
    gene = _concept("HGNC:3236", "EGFR", "http://www.genenames.org/geneId")
    change = _concept("p.Leu858Arg", "p.Leu858Arg", "http://varnomen.hgvs.org")
    return [
        {"resourceType": "Patient", "id": patient, "gender": "female", "birthDate": "1960-06-15"},
        {
            "resourceType": "Condition",
            "id": "c1",
            "meta": {"profile": [mcode + "mcode-primary-cancer-condition"]},
            "code": _concept("254626006", "Adenocarcinoma of lung (disorder)", snomed),
            "onsetDateTime": "2024-02-01",
            "subject": subject,
        },
        {
            "resourceType": "Observation",
            "id": "stage",
            "status": "final",
            "code": _concept("21908-9", "Stage group.clinical Cancer"),
            "valueCodeableConcept": _concept("3A", "IIIA", "http://cancerstaging.org"),
            "method": _concept("C146985", "AJCC Cancer Staging Manual 8th Edition"),
            "subject": subject,
        },
        {
            "resourceType": "Observation",
            "id": "ecog",
            "status": "final",
            "code": _concept("89247-1", "ECOG Performance Status score"),
            "valueInteger": 1,
            "subject": subject,
        },
        {
            "resourceType": "Observation",
            "id": "pdl1",
            "status": "final",
            "code": {"text": "PD-L1 tumour proportion score"},
            "valueQuantity": {"value": 60, "unit": "%"},
            "effectiveDateTime": "2024-02-10",
            "subject": subject,
        },
        {
            "resourceType": "Observation",
            "id": "hb",
            "status": "final",
            "category": [_concept("laboratory", "Laboratory")],
            "code": _concept("718-7", "Hemoglobin [Mass/volume] in Blood"),
            "valueQuantity": {"value": 12.5, "unit": "g/dL"},
            "subject": subject,
        },
        {
            "resourceType": "Observation",
            "id": "egfr",
            "status": "final",
            "code": _concept("69548-6", "Genetic variant assessment"),
            "valueCodeableConcept": _concept("LA9633-4", "Present"),
            "component": [
                {"code": _concept("48018-6", "Gene studied [ID]"), "valueCodeableConcept": gene},
                {"code": _concept("48005-3", "Amino acid change (pHGVS)"), "valueCodeableConcept": change},
            ],
            "subject": subject,
        },
        {
            "resourceType": "MedicationRequest",
            "id": "m1",
            "status": "active",
            "medicationCodeableConcept": {"text": "Osimertinib 80 MG Oral Tablet"},
            "authoredOn": "2024-03-01",
            "subject": subject,
        },
        {
            "resourceType": "MedicationRequest",
            "id": "m2",
            "status": "active",
            "medicationCodeableConcept": {"text": "Warfarin 5 MG Oral Tablet"},
            "subject": subject,
        },
    ]


STAR_COUNTS = """# gene-model: GENCODE v36
gene_id\tgene_name\tgene_type\tunstranded\tstranded_first\tstranded_second\ttpm_unstranded\tfpkm_unstranded\tfpkm_uq_unstranded
N_unmapped\t\t\t100\t100\t100\t\t\t
N_multimapping\t\t\t10\t10\t10\t\t\t
N_noFeature\t\t\t5\t5\t5\t\t\t
N_ambiguous\t\t\t2\t2\t2\t\t\t
ENSG1.1\tEGFR\tprotein_coding\t300\t150\t150\t30.5\t20.0\t21.0
ENSG2.1\tTP53\tprotein_coding\t40\t20\t20\t4.0\t3.0\t3.1
ENSG3.1\tEGFR\tprotein_coding\t5\t2\t3\t0.5\t0.1\t0.1
"""

MAF = """#version 2.4
Hugo_Symbol\tNCBI_Build\tChromosome\tStart_Position\tVariant_Classification\tReference_Allele\tTumor_Seq_Allele1\tTumor_Seq_Allele2\tTumor_Sample_Barcode\tHGVSp_Short\tt_alt_count\tt_ref_count\tFILTER
EGFR\tGRCh38\tchr7\t55191822\tMissense_Mutation\tT\tT\tG\tP-001-T\tp.L858R\t30\t70\tPASS
TP53\tGRCh38\tchr17\t7674220\tSilent\tC\tC\tT\tP-001-T\tp.R248R\t10\t90\tPASS
KRAS\tGRCh38\tchr12\t25245350\tMissense_Mutation\tC\tC\tA\tP-001-T\tp.G12V\t3\t97\tpanel_of_normals
TERT\tGRCh38\tchr5\t1295113\t5'Flank\tG\tG\tA\tP-001-T\t\t20\t80\tPASS
"""

COPY_NUMBER = "gene\tcall\nERBB2\t2\nCDKN2A\tdeep deletion\nTP53\t0\n"


@pytest.fixture
def star_counts() -> str:
    """GDC STAR counts: four counter rows, EGFR twice (30.5 + 0.5 TPM), TP53 once."""
    return STAR_COUNTS


@pytest.fixture
def maf() -> str:
    """A MAF of sample P-001-T: one kept missense, one silent, one filtered, one TERT promoter variant."""
    return MAF


@pytest.fixture
def copy_number() -> str:
    """Calls as a GISTIC number and as words."""
    return COPY_NUMBER
