"""What is not there: one "absent" evidence per missing modality, with what it would change and how to get it.

The table is written by hand and says only which decision needs the modality; it makes no promise about a result.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

from assistant.collect_draft import Draft, located, neutralise, word
from assistant.evidence import Evidence, Field
from encoders.patient import IMAGES_OFF, ModalityName, Patient, images_off


@dataclass(frozen=True)
class AbsentModality:
    """name : how a reader calls it; would_change : which part of the plan waits for it; test : what answers it."""

    name: str
    would_change: str
    test: str
    rank: float


ABSENT: dict[ModalityName, AbsentModality] = {
    ModalityName.IMAGING: AbsentModality(
        "imaging", "lesion size, appearance, staging and response assessment",
        "a contrast CT or MR of the primary site, as DICOM", 60),
    ModalityName.EXPRESSION: AbsentModality(
        "gene expression", "the proliferation and immune profile and the survival prediction",
        "RNA sequencing of the tumour sample", 40),
    ModalityName.VARIANTS: AbsentModality(
        "small variants", "which targeted therapies apply",
        "a tumour DNA sequencing panel", 60),
    ModalityName.COPY_NUMBER: AbsentModality(
        "copy number", "whether therapies for an amplified or deleted gene apply",
        "a copy-number call from sequencing, or FISH", 45),
    ModalityName.FUSIONS: AbsentModality(
        "gene fusions", "whether fusion-directed therapies apply",
        "an RNA fusion panel or FISH", 44),
    ModalityName.METHYLATION: AbsentModality(
        "methylation", "methylation class and MGMT promoter status",
        "a methylation array of the tumour sample", 20),
    ModalityName.PROTEINS: AbsentModality(
        "protein markers", "therapies chosen by protein level",
        "immunohistochemistry or a proteomic assay", 20),
    ModalityName.CLINICAL: AbsentModality(
        "clinical record", "stage, fitness, prior treatment and contraindications",
        "a FHIR or mCODE record, or a plain JSON record", 60),
    ModalityName.NOTES: AbsentModality(
        "clinical notes", "symptoms, wishes and events that the record does not code",
        "clinic letters or tumour-board notes", 15),
}  # fmt: skip


_SECTION_TESTS: Mapping[str, str] = {
    "summary": f"{ABSENT[ModalityName.CLINICAL].test} would",
    "imaging": f"{ABSENT[ModalityName.IMAGING].test} would",
    "molecular": f"{ABSENT[ModalityName.VARIANTS].test} or {ABSENT[ModalityName.EXPRESSION].test} would",
    "predictions": "imaging, expression or a clinical record that the models can read would",
    "similar_cases": "a reference cohort with patients of this disease would",
    "therapy": "molecular testing that a therapy row can be matched on, or a guideline for this disease, would",
}


_IMAGES_ON = "the patient's images, read with the image functions switched on"


def says_images_off(ledger: Iterable[Evidence]) -> bool:
    """Whether a ledger says that no image was read because of a setting."""
    return any(e.type == "absent" and e.fields["reason"].value == IMAGES_OFF for e in ledger)


def empty_section_note(section: str, *, images_off: bool = False) -> str:
    """What a section without any evidence says: that it has none, and what would give it some."""
    if images_off and section == "imaging":
        return f"No image was read: {IMAGES_OFF}."
    if section not in _SECTION_TESTS:
        return "Nothing in the ledger belongs to this section: no gap and no conflict between the sources was found."
    return f"Nothing in the ledger belongs to this section; {_SECTION_TESTS[section]} fill it."


def is_present(patient: Patient, modality: ModalityName) -> bool:
    """True when the patient holds any of this modality."""
    if modality is ModalityName.CLINICAL:
        known = (patient.age_years, patient.sex, patient.ecog, patient.diagnosis.stage, patient.diagnosis.histology)
        return any(v is not None for v in known) or bool(patient.treatments or patient.labs)
    value = getattr(patient, modality.value)
    return value is not None and (len(value) > 0 if isinstance(value, tuple) and modality in _EMPTY_IS_ABSENT else True)


_EMPTY_IS_ABSENT = (ModalityName.IMAGING, ModalityName.NOTES)


def draft_absent(patient: Patient) -> Iterator[Draft]:
    """One draft per modality that is not there; a test that found nothing is a negative result, not a gap."""
    for modality, entry in ABSENT.items():
        if not is_present(patient, modality):
            reason = patient.missing.get(modality.value) or "no such file was found in the patient folder"
            off = modality is ModalityName.IMAGING and images_off(patient)
            yield _absent(replace(entry, test=_IMAGES_ON) if off else entry, neutralise(reason, limit=140).rstrip(". "))
        elif modality in _NEGATIVE and not getattr(patient, modality.value):
            name = _NEGATIVE[modality]
            fields = {"name": word(name), "value": word("negative")}
            text = f"{name} is negative: no {entry.name} were reported."
            yield Draft("biomarker", text, fields, located(None), rank=58, label=name)


_NEGATIVE = {ModalityName.VARIANTS: "small variant testing", ModalityName.FUSIONS: "gene fusion testing"}
"""Modality whose empty table is a result -> how that result is called."""


def _absent(entry: AbsentModality, reason: str) -> Draft:
    fields: dict[str, Field] = {
        "modality": word(entry.name),
        "reason": word(reason),
        "would_change": word(entry.would_change),
        "test": word(entry.test),
    }
    text = f"No {entry.name} available ({reason}); it would inform {entry.would_change}; {entry.test} would answer."
    return Draft("absent", text, fields, rank=entry.rank, label=entry.name)
