"""FHIR medication resources -> cancer treatments and other medicines (rule: encoders/read/fhir.py).

Several orders of one cancer medicine are one treatment, from the first date on.

What this module does not know: lines of treatment (kept only when an extension states one), doses, intent.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from encoders.patient import Medication, Treatment
from encoders.read.cancer_codes import antineoplastic, clean_display
from encoders.read.fhir_fields import Resource, display, iso_day

_TYPES = ("MedicationRequest", "MedicationAdministration", "MedicationStatement", "MedicationOrder")


@dataclass(frozen=True)
class Medicines:
    """Cancer treatments (each medicine once) and current other medicines."""

    treatments: tuple[Treatment, ...]
    medications: tuple[Medication, ...]
    skipped: tuple[str, ...]


def read_medicines(resources: Sequence[Resource]) -> Medicines:
    """Sort the medication resources of one file."""
    named = {r.id: display(r.data.get("code")) for r in resources if r.type == "Medication"}
    treatments: dict[str, Treatment] = {}
    medications: dict[str, Medication] = {}
    unnamed, stopped = 0, 0
    for resource in resources:
        if resource.type not in _TYPES or resource.refuted():
            continue
        text = clean_display(_name(resource, named))
        if text is None:
            unnamed += 1
            continue
        drug = antineoplastic(text)
        if drug is None and resource.has_profile("cancer-related-medication", "CancerRelatedMedication"):
            drug = text
        if drug:
            _add_treatment(treatments, drug, resource)
        elif str(resource.data.get("status", "active")) in ("stopped", "completed", "ended", "draft"):
            stopped += 1
        else:
            medications.setdefault(text, Medication(text, resource.place()))
    skipped = []
    if unnamed:
        skipped.append(f"FHIR: {unnamed} medication(s) without a name not used")
    if stopped:
        skipped.append(f"FHIR: {stopped} past medication(s) that are not cancer treatment not used")
    ordered = sorted(treatments.values(), key=lambda t: t.start or "9999")
    return Medicines(tuple(ordered), tuple(medications.values()), tuple(skipped))


def _name(resource: Resource, named: Mapping[str, str | None]) -> str | None:
    concept = resource.data.get("medicationCodeableConcept") or (resource.data.get("medication") or {}).get("concept")
    reference = resource.data.get("medicationReference") or {}
    if concept:
        return display(concept)
    return reference.get("display") or named.get(str(reference.get("reference", "")).split("/")[-1].split(":")[-1])


def _add_treatment(treatments: dict[str, Treatment], drug: str, resource: Resource) -> None:
    start = resource.date("effectivePeriod", "effectiveDateTime", "authoredOn", "dateWritten", "dateAsserted")
    period = resource.data.get("effectivePeriod") or {}
    end = iso_day(period.get("end")) if isinstance(period, dict) else None
    line = (resource.extension("line-of-therapy") or resource.extension("treatment-line") or {}).get("valueInteger")
    response = (resource.extension("treatment-response") or {}).get("valueString")
    found = Treatment(drug, resource.place(), line=line, start=start, end=end, response=response)
    known = treatments.get(drug)
    if known is None:
        treatments[drug] = found
        return
    earlier = found if (found.start or "9999") < (known.start or "9999") else known
    ends = [e for e in (known.end, found.end) if e]
    treatments[drug] = replace(
        earlier,
        end=max(ends) if len(ends) == 2 else None,
        line=known.line if known.line is not None else found.line,
        response=known.response or found.response,
    )
