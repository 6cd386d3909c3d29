"""Short dated notes consistent with the record. They never describe the lesion's look: that is in the images alone."""

from __future__ import annotations

from collections.abc import Mapping

from encoders.patient import Note, SourceLocator
from encoders.synthetic.biology import Biology
from encoders.synthetic.clinical import ClinicalRecord

BANNER = "SYNTHETIC DOCUMENT (generated; not about a real person)"
CONSULT_TITLE = f"Oncology consultation: {BANNER}"
REQUEST_TITLE = f"Imaging request: {BANNER}"

_STUDY: Mapping[str, str] = {
    "LUAD": "CT of the chest and FDG-PET",
    "DIFG": "MRI of the brain (T1 after contrast, FLAIR)",
    "CCRCC": "contrast-enhanced CT of the abdomen",
    "BRCA": "contrast-enhanced MRI of the breasts",
}
_COMPLAINT: Mapping[str, str] = {
    "LUAD": "cough for several weeks",
    "DIFG": "a first seizure and headache",
    "CCRCC": "a renal mass found by ultrasound",
    "BRCA": "a palpable breast lump",
}


def _age(record: ClinicalRecord) -> int:
    return int(record.age_years)


def write_notes(biology: Biology, record: ClinicalRecord, patient_id: str) -> tuple[Note, ...]:
    """An oncology consultation and an imaging request, in order of date."""
    consult = _consult(biology, record, patient_id)
    request = _request(biology, record, patient_id)
    return (
        Note(
            consult,
            SourceLocator("notes/oncology_consult.txt", "line 1"),
            record.diagnosis.date,
            CONSULT_TITLE,
        ),
        Note(request, SourceLocator("notes/imaging_request.txt", "line 1"), record.imaging_date, REQUEST_TITLE),
    )


def _stage_line(record: ClinicalRecord) -> str:
    d = record.diagnosis
    return f"stage {d.stage} ({d.tnm_edition}), {d.grade}" if d.stage else f"{d.grade}"


def _consult(biology: Biology, record: ClinicalRecord, patient_id: str) -> str:
    d = record.diagnosis
    medicines = ", ".join(m.drug for m in record.medications) or "none"
    smoker = "Smoking history was not recorded. " if biology.oncotree_code == "LUAD" else ""
    return "\n".join(
        (
            CONSULT_TITLE,
            f"Patient: {patient_id}",
            f"Date: {d.date}",
            "",
            f"A {_age(record)}-year-old {biology.sex} patient presented with {_COMPLAINT[biology.oncotree_code]}.",
            f"Histology: {d.histology}, {_stage_line(record)}.",
            f"ECOG performance status {biology.ecog}. {smoker}Regular medicines: {medicines}.",
            "Molecular testing of the tumour was requested. Case to be presented at the tumour board.",
            "",
        )
    )


def _request(biology: Biology, record: ClinicalRecord, patient_id: str) -> str:
    if record.treatments:
        first = record.treatments[0]
        drugs = " and ".join(t.drug for t in record.treatments)
        history = (
            f"First-line treatment with {drugs} from {first.start} to {first.end}; best response: {first.response}."
        )
        question = "Please assess the current extent of disease before the next line of treatment."
    else:
        history = "No systemic treatment has been given yet."
        question = "Please assess the extent of disease before treatment is chosen."
    labs = "; ".join(f"{lab.name} {lab.value:g} {lab.unit}" for lab in record.labs)
    return "\n".join(
        (
            REQUEST_TITLE,
            f"Patient: {patient_id}",
            f"Date: {record.imaging_date}",
            "",
            f"Requested study: {_STUDY[biology.oncotree_code]}.",
            f"Known {record.diagnosis.histology}. {history}",
            f"Laboratory values: {labs}.",
            question,
            "",
        )
    )
