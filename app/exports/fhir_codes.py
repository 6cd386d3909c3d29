"""Codes of the FHIR bundle and the small pieces made of them. A code stands here only where its source was read.

Everything else stays text: PD-L1 (its codes name an antibody clone the record may not have used), stage (the record
does not say clinical or pathological), body sites, drugs.

References
----------
HL7 genomics-reporting STU3 (variant, molecular-biomarker, therapeutic-implication, genomic-report); HL7 mCODE
(ECOG performance status; tumor size 21889-1, 33728-7, 33729-5); LOINC; Sequence Ontology; UCUM; FHIR R4.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Mapping
from typing import Any

Json = dict[str, Any]

LOINC, UCUM, HGVS = "http://loinc.org", "http://unitsofmeasure.org", "http://varnomen.hgvs.org"
SEQUENCE_ONTOLOGY, ONCOTREE = "http://sequenceontology.org", "http://oncotree.mskcc.org"
CATEGORY = "http://terminology.hl7.org/CodeSystem/observation-category"
SERVICE = "http://terminology.hl7.org/CodeSystem/v2-0074"
TBD = "http://hl7.org/fhir/uv/genomics-reporting/CodeSystem/tbd-codes-cs"
GENOMICS = "http://hl7.org/fhir/uv/genomics-reporting/StructureDefinition/"
MCODE = "http://hl7.org/fhir/us/mcode/StructureDefinition/"
RELATED_ARTIFACT = "http://hl7.org/fhir/StructureDefinition/workflow-relatedArtifact"
SYNTHETIC_TAG: Json = {
    "system": "http://terminology.hl7.org/CodeSystem/v3-ActReason",
    "code": "HTEST",
    "display": "synthetic: generated data, not a real person",
}
RESEARCH_TAG: Json = {"system": "urn:radomica:use", "code": "research-use-only", "display": "Research use only"}

NAMESPACE = uuid.uuid5(uuid.NAMESPACE_URL, "urn:radomica:fhir")
UNITS: Mapping[str, str] = {
    "mm": "mm", "mL": "mL", "HU": "[hnsf'U]", "SUVbw": "{SUVbw}g/mL", "%": "%", "mutations/Mb": "1/1000000{Base}",
    "mg/dL": "mg/dL", "g/dL": "g/dL", "U/L": "U/L",
}  # fmt: skip
"""Unit as the report writes it -> UCUM code; other units stay text."""

_DATE = re.compile(r"\d{4}(-\d{2}(-\d{2})?)?")


def make_id(report_id: str, *parts: str) -> str:
    """The same id for the same part of the same report (UUID version 5, RFC 4122)."""
    return str(uuid.uuid5(NAMESPACE, "\0".join((report_id, *parts))))


def coding(system: str, code: str, display: str | None = None) -> Json:
    """One Coding."""
    return {"system": system, "code": code, **({"display": display} if display else {})}


def concept(text: str, *codings: Json) -> Json:
    """A CodeableConcept with its text."""
    return {**({"coding": list(codings)} if codings else {}), "text": text}


def loinc(code: str, display: str, text: str | None = None) -> Json:
    """A CodeableConcept of one LOINC code."""
    return concept(text or display, coding(LOINC, code, display))


def quantity(value: float, unit: str) -> Json:
    """A Quantity; with its UCUM code where the unit is known."""
    known = {"system": UCUM, "code": UNITS[unit]} if unit in UNITS else {}
    return {"value": value, "unit": unit, **known}


def component(code: Json, **value: Any) -> Json:
    """An Observation component: ``component(code, valueQuantity={...})``."""
    return {"code": code, **value}


def reference(resource: Mapping[str, Any]) -> Json:
    """A reference to a resource of the same bundle."""
    return {"reference": f"urn:uuid:{resource['id']}", "type": resource["resourceType"]}


def iso_date(text: object) -> str | None:
    """A date FHIR takes ("2024", "2024-05", "2024-05-19"); None for anything else."""
    return str(text) if text and _DATE.fullmatch(str(text)) else None
