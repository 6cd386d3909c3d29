"""FHIR R4 and mCODE (Bundle, one resource, list or ndjson of resources) -> Facts about one patient.

Cancer treatment or other medicine: a medicine is cancer treatment when its resource has an mCODE cancer-related
medication profile, or its name is on the closed list of antineoplastic names (cancer_codes.ANTINEOPLASTIC).
Older records (DSTU2, STU3) are read as far as their fields are the same; what is not used is counted.

What this module does not know: terminology servers, TNM categories (the stage group is read), dosing.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from encoders.errors import InputError
from encoders.patient import SourceLocator
from encoders.read.fhir_conditions import read_diagnosis
from encoders.read.fhir_fields import Resource, iso_day
from encoders.read.fhir_medicines import read_medicines
from encoders.read.fhir_notes import read_documents
from encoders.read.fhir_observations import Observed, read_observations
from encoders.read.reading import Facts
from encoders.read.sniff import read_text

USED_TYPES = frozenset(
    (
        *("Patient", "Condition", "Observation", "MedicationRequest", "MedicationAdministration"),
        *("MedicationStatement", "MedicationOrder", "Medication", "DocumentReference", "Bundle"),
    )
)


@contextmanager
def _fhir_shape(files: str) -> Iterator[None]:
    """Fields of a wrong shape surface as Python's type errors deep in a reader; the file is at fault, so say so."""
    try:
        yield
    except InputError:
        raise
    except (AttributeError, TypeError, KeyError, ValueError) as error:
        why = f"{type(error).__name__}: {error}"
        raise InputError(f"{files}: a field is not shaped as FHIR R4 says ({why}); export the record again.") from error


def load_resources(path: Path, name: str) -> tuple[Resource, ...]:
    """Every resource of one FHIR file.

    Raises
    ------
    InputError: not JSON, no FHIR resource, or more than one Patient in the file.
    """
    resources = tuple(Resource(r, name) for r in _resources(read_text(path, name), name))
    with _fhir_shape(name):
        patient_ids(resources)
    patients = {r.id for r in resources if r.type == "Patient"}
    if len(patients) > 1:
        raise InputError(
            f"{name}: holds {len(patients)} patients (ids {', '.join(sorted(patients)[:3])} ...); "
            "a folder is one patient. Split the file."
        )
    return resources


def patient_ids(resources: Sequence[Resource]) -> tuple[str, ...]:
    """Every id of the patient these resources are about: of the Patient resource, else as others refer to it."""
    patient = next((r for r in resources if r.type == "Patient"), None)
    if patient is None:
        return tuple(dict.fromkeys(s for s in (r.subject() for r in resources) if s))
    identifiers = [str(i.get("value", "")) for i in patient.list("identifier")]
    return tuple(dict.fromkeys(i for i in (patient.id, *identifiers) if i))


def read_fhir(resources: Sequence[Resource]) -> Facts:
    """What resources of one patient, from any number of files, say together.

    Raises
    ------
    InputError: a field that is not shaped as FHIR says (a number where a list must be ...).
    """
    with _fhir_shape(", ".join(sorted({r.file for r in resources}))):
        return _read(resources)


def _read(resources: Sequence[Resource]) -> Facts:
    by_type: dict[str, list[Resource]] = {}
    for resource in resources:
        by_type.setdefault(resource.type, []).append(resource)
    diagnosis = read_diagnosis(by_type.get("Condition", []))
    observed = read_observations(by_type.get("Observation", []))
    medicines = read_medicines(resources)
    person = _person(by_type.get("Patient", []), diagnosis.date)
    code, taken = _with_receptors(diagnosis.oncotree_code, observed)
    unused = Counter(r.type for r in resources if r.type not in USED_TYPES)
    return Facts(
        ids=patient_ids(resources),
        oncotree_code=code,
        sex=person.sex,
        age_years=person.age_years,
        diagnosis=diagnosis.with_observed(observed),
        ecog=observed.ecog,
        treatments=medicines.treatments,
        medications=medicines.medications,
        labs=observed.labs,
        biomarkers=observed.biomarkers,
        variants=observed.variants,
        notes=read_documents(by_type.get("DocumentReference", [])),
        sources={**person.sources, **diagnosis.sources, **observed.sources},
        skipped=(
            *(f"FHIR: {n} {kind} resource(s) not used" for kind, n in sorted(unused.items())),
            *diagnosis.skipped,
            *observed.skipped,
            *medicines.skipped,
        ),
        warnings=(*person.warnings, *diagnosis.warnings, *taken),
        synthetic=any(r.is_synthetic() for r in resources),
    )


def _with_receptors(code: str | None, observed: Observed) -> tuple[str | None, tuple[str, ...]]:
    """A breast malignancy whose ER or PR was tested is read as invasive carcinoma, and a warning says so."""
    receptors = [b for b in observed.biomarkers if b.name in ("ER", "PR")]
    if code != "BREAST" or not receptors:
        return code, ()
    told = "the record says malignant neoplasm of breast; with hormone receptors tested it is read as BRCA (invasive)"
    return "BRCA", (f"{receptors[0].source.file}: {told}",)


def _resources(text: str, name: str) -> list[Mapping[str, Any]]:
    """Every resource of a Bundle, a list, one resource or ndjson."""
    try:
        content = json.loads(text)
        tops = content if isinstance(content, list) else [content]
    except json.JSONDecodeError:
        tops = []
        for number, line in enumerate(text.splitlines(), start=1):
            if not line.strip():
                continue
            try:
                tops.append(json.loads(line))
            except json.JSONDecodeError as error:
                raise InputError(f"{name}: line {number} is not valid JSON ({error.msg}); export it again.") from error
    found: list[Mapping[str, Any]] = []
    for top in tops:
        if isinstance(top, dict) and top.get("resourceType") == "Bundle":
            entries = top.get("entry")
            entries = [e for e in entries if isinstance(e, dict)] if isinstance(entries, list) else []
            found.extend(e["resource"] for e in entries if isinstance(e.get("resource"), dict))
        elif isinstance(top, dict) and "resourceType" in top:
            found.append(top)
    if not found:
        raise InputError(f"{name}: holds no FHIR resource; a Bundle with entries or a resource is needed.")
    return found


@dataclass(frozen=True)
class _Person:
    sex: str | None = None
    age_years: float | None = None
    sources: Mapping[str, SourceLocator] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()


def _person(patients: Sequence[Resource], diagnosed: str | None) -> _Person:
    """Sex and age at diagnosis; names and birth dates are never kept."""
    if not patients:
        return _Person()
    patient = patients[0]
    sex = patient.data.get("gender") if patient.data.get("gender") in ("female", "male") else None
    born = iso_day(patient.data.get("birthDate"))
    age, warnings = None, ()
    if born and diagnosed:
        age = age_at(born, diagnosed)
        if not 0 <= age <= 120:
            warnings = (f"{patient.file}: birth and diagnosis dates give an age of {age:.0f}; it is not used",)
            age = None
    elif born:
        warnings = (f"{patient.file}: no date of diagnosis, so no age at diagnosis",)
    sources = {}
    if sex:
        sources["sex"] = patient.place("gender")
    if age is not None:
        sources["age_years"] = patient.place("birthDate")
    return _Person(sex, age, sources, warnings)


def age_at(born: str, then: str) -> float:
    """Whole years from one ISO date to another (a year or month alone counts as its first day)."""
    by, bm, bd = _parts(born)
    ty, tm, td = _parts(then)
    return float(ty - by - ((tm, td) < (bm, bd)))


def _parts(date: str) -> tuple[int, int, int]:
    numbers = [int(p) for p in date.split("-")] + [1, 1]
    return numbers[0], numbers[1], numbers[2]
