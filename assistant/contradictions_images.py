"""What the images' headers and outlines say against the record: sex, age, body part, side of the outlined lesion.

What this module does not know: names and birth dates (never read), whether the scan is the patient's. A study of
another part of the body than the primary's is a disagreement only where a lesion is outlined in it, no series shows the
primary's part, and the record does not say stage IV.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from assistant.contradictions_lesions import lesion_side
from assistant.contradictions_person import AGE_TOLERANCE_YEARS, age_on
from assistant.contradictions_scope import Case, Disagreement, placed
from encoders import oncotree
from encoders.body_region import find_region, overlapping, primary_regions
from encoders.lesion_choice import lesions
from encoders.patient import ImagingSeries, Patient


def image_disagreements(case: Case) -> Iterator[tuple[ImagingSeries, Disagreement]]:
    """Every series that disagrees with the record, with what it says."""
    for series in case.patient.imaging:
        for found in (*_sex(case.patient, series), *_age(case.patient, series), *_side(case.patient, series)):
            yield series, found
    yield from _body_part(case.patient)


def _sex(patient: Patient, series: ImagingSeries) -> Iterator[Disagreement]:
    said = series.header.patient_sex
    if said and patient.sex and said != patient.sex:
        source = patient.sources.get("sex")
        yield Disagreement(
            "sex", "sex", f"{said} (PatientSex)", f"{placed('the record', source)} says {patient.sex}", source
        )


def _age(patient: Patient, series: ImagingSeries) -> Iterator[Disagreement]:
    said, expected = series.header.patient_age_years, age_on(patient, series.date)
    if said is not None and expected is not None and abs(said - expected) > AGE_TOLERANCE_YEARS:
        source = patient.sources.get("age_years")
        other = f"{placed('the record', source)} says {patient.age_years:.0f} years at diagnosis"
        yield Disagreement("age", "age", f"{said:.0f} years (PatientAge)", other, source)


def _side(patient: Patient, series: ImagingSeries) -> Iterator[Disagreement]:
    recorded = re.search(r"(?i)\b(left|right)\b", patient.diagnosis.site or "")
    primary = primary_regions(patient.oncotree_code)
    if recorded is None or not primary or not overlapping(tuple(primary), find_region(series).regions):
        return
    seen = lesion_side(series)
    if seen is not None and seen != recorded[1].lower():
        source = patient.sources.get("diagnosis.site")
        other = f"{placed('the record', source)} says {patient.diagnosis.site}"
        yield Disagreement("laterality", "the side", f"the outlined lesion lies on the {seen}", other, source)


def _body_part(patient: Patient) -> Iterator[tuple[ImagingSeries, Disagreement]]:
    primary = primary_regions(patient.oncotree_code)
    if not primary or (patient.diagnosis.stage or "").upper().lstrip("STAGE ").startswith("IV"):
        return
    found = {s.series_uid: find_region(s) for s in patient.imaging}
    if any(overlapping(tuple(primary), f.regions) for f in found.values()):
        return
    for series in patient.imaging:
        region = found[series.series_uid]
        if region.regions and any(not s.proposed for s in lesions(series)):
            source = patient.sources.get("oncotree_code")
            name = oncotree.name(patient.oncotree_code or "") or patient.oncotree_code
            said = f"it shows the {region.words} (by {region.source}) with an outlined lesion"
            other = f"{placed('the record', source)} says {name}"
            yield series, Disagreement("body_part", "the body part", said, other, source)
