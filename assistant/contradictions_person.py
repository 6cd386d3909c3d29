"""Sex, age and side: what a note says against the record.

Not checked: gender identity, the side of metastases (another side than the primary's is no contradiction).
"""

from __future__ import annotations

import datetime
import re
from collections.abc import Iterator

from assistant.contradictions_scope import Case, Clause, Disagreement, is_older, placed, stated_on
from assistant.contradictions_tumour import organs_named, tissue_of
from encoders.patient import Note, Patient

_SEX = re.compile(
    r"(?i)\b(?:year[- ]old|y/?o|yr[- ]old|patient is an?|this)\s+(?:[a-z]+\s)?(woman|man|female|male|lady|gentleman)\b"
)
_AGE = re.compile(
    r"(?i)\b(\d{1,3})[\s-]*(?:(?:year|yr)s?[\s-]*old|y/?o)\b(?!\s+(?:scan|ct|mri?|lesion|study|biopsy|report|tissue))"
)
_FEMALE = frozenset(["woman", "female", "lady"])
AGE_TOLERANCE_YEARS = 2.0
"""An age is in whole years, and a letter may repeat one written a while before."""
_SIDE = re.compile(
    r"(?i)\b(left|right)(?:[\s-]sided)?[\s-]+(?:\w+[\s-]+){0,2}?"
    r"(breast|lung|pulmonary|kidney|renal|upper lobe|middle lobe|lower lobe)\b"
)
_TUMOUR = re.compile(r"(?i)tumou?r|cancer|carcinoma|\bmass\b|nodule|lesion|primary|malignan|neoplas")
_NO_PRIMARY = re.compile(r"(?i)metasta|satellite|contralateral|bilateral|both|benign|cyst|adenoma\b|node|nodal")


def find_sex(case: Case, clause: Clause, note: Note) -> Iterator[Disagreement]:
    """A note that calls the patient a woman where the record says male, or the reverse."""
    match = _SEX.search(clause.text)
    patient = case.patient
    if match and not (clause.is_of_other_person(match) or clause.denied) and patient.sex in ("female", "male"):
        said = "female" if match[1].lower() in _FEMALE else "male"
        if said != patient.sex:
            source = patient.sources.get("sex")
            yield Disagreement("sex", "sex", said, f"{placed('the record', source)} says {patient.sex}", source)


def find_age(case: Case, clause: Clause, note: Note) -> Iterator[Disagreement]:
    """An age that the record's age at diagnosis and the time since do not give."""
    match, patient = _AGE.search(clause.text), case.patient
    if match is None or clause.is_of_other_person(match) or clause.past:
        return
    expected = age_on(patient, note.date)
    if expected is not None and abs(float(match[1]) - expected) > AGE_TOLERANCE_YEARS:
        source = patient.sources.get("age_years")
        other = f"{placed('the record', source)} says {patient.age_years:.0f} years at diagnosis"
        yield Disagreement("age", "age", f"{match[1]} years", other, source)


def age_on(patient: Patient, date: str | None) -> float | None:
    """The age in years on an ISO date by the record; at diagnosis where the date or the diagnosis has none."""
    if patient.age_years is None or date is None or not patient.diagnosis.date:
        return patient.age_years
    try:
        then = datetime.date.fromisoformat(date)
        diagnosed = datetime.date.fromisoformat(patient.diagnosis.date)
    except ValueError:  # a year or month alone
        return patient.age_years
    return patient.age_years + (then - diagnosed).days / 365.25


def stated_side(clause: Clause, patient: Patient) -> tuple[str, str] | None:
    """(side, organ as written) of the patient's primary, where the clause states one side of it; else None."""
    if not clause.is_stated or clause.denied or not _TUMOUR.search(clause.text) or _NO_PRIMARY.search(clause.text):
        return None
    tissue = tissue_of(patient)
    found = [(m[1].lower(), m[2].lower()) for m in _SIDE.finditer(clause.text)]
    of_primary = [(s, o) for s, o in found if tissue is None or tissue in organs_named(o)]
    return of_primary[0] if len({s for s, _ in of_primary}) == 1 else None


def find_side(case: Case, clause: Clause, note: Note) -> Iterator[Disagreement]:
    """A tumour on the other side than the record's site of the primary."""
    patient = case.patient
    recorded = re.search(r"(?i)\b(left|right)\b", patient.diagnosis.site or "")
    said = stated_side(clause, patient) if recorded else None
    if recorded is None or said is None or is_older(stated_on(clause, note), patient.diagnosis.date):
        return
    if said[0] != recorded[1].lower():
        source = patient.sources.get("diagnosis.site")
        other = f"{placed('the record', source)} says {patient.diagnosis.site}"
        yield Disagreement("laterality", "the side", f"{said[0]} {said[1]}", other, source)
