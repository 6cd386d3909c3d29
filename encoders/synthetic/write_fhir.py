"""Write the clinical record as a FHIR R4 Bundle in the shape of mCODE.

Codes are given only where they are sure (LOINC, ICD-10, OncoTree); elsewhere a concept is text alone. The outcome is
never written here. Does NOT know images or omics tables.

References
----------
HL7 mCODE implementation guide (hl7.org/fhir/us/mcode); LOINC 21908-9, 89247-1, 33732-9, 94076-7, 81695-9, 85337-4,
85339-0, 85319-2, 2160-0, 718-7, 1742-6.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from encoders.patient import Biomarker, Lab, Patient

MCODE = "http://hl7.org/fhir/us/mcode/StructureDefinition/"
LOINC, ICD10, ONCOTREE = "http://loinc.org", "http://hl7.org/fhir/sid/icd-10", "http://oncotree.mskcc.org"
TAG = {"system": "http://terminology.hl7.org/CodeSystem/v3-ActReason", "code": "HTEST", "display": "SYNTHETIC record"}
ICD10_OF: Mapping[str, tuple[str, str]] = {
    "LUAD": ("C34.9", "Malignant neoplasm of bronchus or lung, unspecified"),
    "DIFG": ("C71.9", "Malignant neoplasm of brain, unspecified"),
    "CCRCC": ("C64", "Malignant neoplasm of kidney, except renal pelvis"),
    "BRCA": ("C50.9", "Malignant neoplasm of breast, unspecified"),
}
BIOMARKER_LOINC: Mapping[str, str] = {
    "TMB": "94076-7", "MSI": "81695-9", "ER": "85337-4", "PR": "85339-0", "HER2 IHC": "85319-2",
}  # fmt: skip
BIOMARKER_TEXT: Mapping[str, str] = {
    "TMB": "TMB (tumor mutational burden)",
    "MSI": "MSI (microsatellite instability)",
    "PD-L1": "PD-L1 tumor proportion score",
    "ER": "Estrogen receptor (ER)",
    "PR": "Progesterone receptor (PR)",
    "HER2 IHC": "HER2 IHC (immunohistochemistry)",
}
LAB_LOINC: Mapping[str, str] = {"creatinine": "2160-0", "haemoglobin": "718-7", "ALT": "1742-6"}

Json = dict[str, Any]


def bundle(patient: Patient, birth_date: str) -> str:
    """The record as JSON text (a Bundle of type collection), without name, address or outcome."""
    resources = [
        _patient(patient, birth_date),
        _condition(patient),
        *_staging(patient),
        *(_biomarker(patient, i, b) for i, b in enumerate(patient.biomarkers, start=1)),
        *(_lab(patient, i, lab) for i, lab in enumerate(patient.labs, start=1)),
        *_medicines(patient),
    ]
    for resource in resources:
        resource["meta"] = {**resource.get("meta", {}), "tag": [TAG]}
    entries = [{"fullUrl": f"urn:radomica:{r['resourceType']}:{r['id']}", "resource": r} for r in resources]
    whole = {"resourceType": "Bundle", "id": f"{patient.patient_id}-record", "meta": {"tag": [TAG]}}
    return json.dumps({**whole, "type": "collection", "entry": entries}, indent=1, ensure_ascii=False) + "\n"


def _coding(system: str, code: str, display: str | None = None) -> Json:
    return {"system": system, "code": code} | ({"display": display} if display else {})


def _subject(patient: Patient) -> Json:
    return {"reference": f"Patient/{patient.patient_id}"}


def _patient(patient: Patient, birth_date: str) -> Json:
    return {
        "resourceType": "Patient",
        "id": patient.patient_id,
        "meta": {"profile": [MCODE + "mcode-cancer-patient"]},
        "identifier": [{"system": "urn:radomica:synthetic", "value": patient.patient_id}],
        "gender": patient.sex,
        "birthDate": birth_date,
    }


def _condition(patient: Patient) -> Json:
    code, name = ICD10_OF[patient.oncotree_code or ""]
    status = "http://terminology.hl7.org/CodeSystem/condition-"
    diagnosis = patient.diagnosis
    return {
        "resourceType": "Condition",
        "id": "primary",
        "meta": {"profile": [MCODE + "mcode-primary-cancer-condition"]},
        "extension": [
            {
                "url": MCODE + "mcode-histology-morphology-behavior",
                "valueCodeableConcept": {"text": diagnosis.histology},
            }
        ],
        "clinicalStatus": {"coding": [_coding(status + "clinical", "active")]},
        "verificationStatus": {"coding": [_coding(status + "ver-status", "confirmed")]},
        "code": {
            "coding": [_coding(ONCOTREE, patient.oncotree_code or ""), _coding(ICD10, code, name)],
            "text": diagnosis.histology,
        },
        "bodySite": [{"text": diagnosis.site}],
        "subject": _subject(patient),
        "onsetDateTime": diagnosis.date,
    }


def _observation(patient: Patient, name: str, category: str, concept: Json, when: str | None) -> Json:
    system = "http://terminology.hl7.org/CodeSystem/observation-category"
    return {
        "resourceType": "Observation",
        "id": name,
        "status": "final",
        "category": [{"coding": [_coding(system, category)]}],
        "code": concept,
        "subject": _subject(patient),
        "effectiveDateTime": when,
    }


def _staging(patient: Patient) -> list[Json]:
    diagnosis, rows = patient.diagnosis, []
    if diagnosis.stage:
        concept = {"coding": [_coding(LOINC, "21908-9", "Stage group.clinical Cancer")]}
        row = _observation(patient, "stage", "survey", concept, diagnosis.date)
        row["meta"] = {"profile": [MCODE + "mcode-tnm-stage-group"]}
        row["valueCodeableConcept"] = {"text": diagnosis.stage}
        row["method"] = {"text": "AJCC Cancer Staging Manual 8th Edition"}
        rows.append(row)
    if diagnosis.grade:
        concept = {"coding": [_coding(LOINC, "33732-9", "Histology grade [Identifier] in Cancer specimen")]}
        row = _observation(patient, "grade", "laboratory", concept, diagnosis.date)
        rows.append(row | {"valueCodeableConcept": {"text": diagnosis.grade}})
    if patient.ecog is not None:
        concept = {"coding": [_coding(LOINC, "89247-1", "ECOG Performance Status score")]}
        row = _observation(patient, "ecog", "survey", concept, diagnosis.date)
        row["meta"] = {"profile": [MCODE + "mcode-ecog-performance-status"]}
        rows.append(row | {"valueInteger": patient.ecog})
    return rows


def _biomarker(patient: Patient, number: int, marker: Biomarker) -> Json:
    concept: Json = {"text": BIOMARKER_TEXT[marker.name]}
    if marker.name in BIOMARKER_LOINC:
        concept["coding"] = [_coding(LOINC, BIOMARKER_LOINC[marker.name])]
    row = _observation(patient, f"biomarker-{number}", "laboratory", concept, marker.date)
    row["meta"] = {"profile": [MCODE + "mcode-tumor-marker-test"]}
    if isinstance(marker.value, str):
        return row | {"valueCodeableConcept": {"text": marker.value}}
    return row | {"valueQuantity": {"value": marker.value, "unit": marker.unit}}


def _lab(patient: Patient, number: int, lab: Lab) -> Json:
    concept = {"coding": [_coding(LOINC, LAB_LOINC[lab.name])], "text": lab.name}
    row = _observation(patient, f"lab-{number}", "laboratory", concept, lab.date)
    unit = {"unit": lab.unit, "system": "http://unitsofmeasure.org", "code": lab.unit}
    return row | {"valueQuantity": {"value": lab.value, **unit}}


def _medicines(patient: Patient) -> list[Json]:
    rows: list[Json] = []
    for i, given in enumerate(patient.treatments, start=1):
        rows.append(
            {
                "resourceType": "MedicationAdministration",
                "id": f"treatment-{i}",
                "meta": {"profile": [MCODE + "mcode-cancer-related-medication-administration"]},
                "extension": [
                    {"url": "urn:radomica:line-of-therapy", "valueInteger": given.line},
                    {"url": "urn:radomica:treatment-response", "valueString": given.response},
                ],
                "status": "completed",
                "medicationCodeableConcept": {"text": given.drug},
                "subject": _subject(patient),
                "effectivePeriod": {"start": given.start, "end": given.end},
            }
        )
    for i, taken in enumerate(patient.medications, start=1):
        rows.append(
            {
                "resourceType": "MedicationStatement",
                "id": f"medication-{i}",
                "status": "active",
                "medicationCodeableConcept": {"text": taken.drug},
                "subject": _subject(patient),
                "dateAsserted": patient.diagnosis.date,
            }
        )
    return rows
