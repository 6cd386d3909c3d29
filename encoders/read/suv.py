"""Body-weight SUV of a PET slice: the factor, or the reason there is none.

SUVbw = activity concentration (Bq/ml) * body weight (g) / injected activity decayed to the scan's time reference (Bq).

What this module does not know: vendor-private SUV scales (Philips CNTS), lean-body-mass SUV, extravasation.

References
----------
QIBA FDG-PET/CT Profile 1.13 (2016), vendor-neutral SUV pseudo-code; DICOM PS3.3 C.8.9.1 (PET series, isotope).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from pydicom import Dataset
from pydicom.valuerep import DA, DT, TM

MAX_DELAY_H = 24.0
"""Longest believable time from injection to scan start."""
LEAST_DOSE_BQ = 1e5
"""Smallest believable injected activity; less is a dose written in another unit."""


@dataclass(frozen=True)
class SUVFactor:
    """``factor`` turns the stored (rescaled) value into SUVbw; None with the reason it cannot."""

    factor: float | None
    reason: str = ""
    warning: str = ""


def suv_factor(slice_: Dataset, series_start: datetime | None) -> SUVFactor:
    """Factor from rescaled pixel value to SUVbw (g/ml) for one PET slice.

    series_start : when the scan began (the series time; the earliest acquisition when that is later)
    """
    if str(getattr(slice_, "Units", "") or "") == "GML" and str(getattr(slice_, "SUVType", "") or "BW") == "BW":
        return SUVFactor(1.0)
    reason = _not_quantitative(slice_)
    if reason:
        return SUVFactor(None, reason)
    weight = _positive(getattr(slice_, "PatientWeight", None))
    if weight is None:
        return SUVFactor(None, "PatientWeight is absent or not above 0")
    drugs = getattr(slice_, "RadiopharmaceuticalInformationSequence", None) or ()
    if len(drugs) != 1:
        return SUVFactor(None, f"{len(drugs)} radiopharmaceuticals are described; exactly one is needed")
    dose = _positive(getattr(drugs[0], "RadionuclideTotalDose", None))
    if dose is None or dose < LEAST_DOSE_BQ:
        found = "absent" if dose is None else f"{dose:g}"
        return SUVFactor(None, f"RadionuclideTotalDose is {found}; Bq are needed (a value this small would be MBq)")
    return _with_decay(slice_, drugs[0], series_start, weight, dose)


def _not_quantitative(slice_: Dataset) -> str | None:
    """Why the pixels are not decay- and attenuation-corrected Bq/ml, or None when they are."""
    units = str(getattr(slice_, "Units", "") or "")
    if units != "BQML":
        return f"Units is {units or 'absent'}; BQML (or GML with SUVType BW) is needed"
    corrected = {str(c) for c in (getattr(slice_, "CorrectedImage", None) or ())}
    if not {"ATTN", "DECY"} <= corrected:
        return f"CorrectedImage is {sorted(corrected) or 'absent'}; ATTN and DECY are needed"
    return None


def _with_decay(slice_: Dataset, drug: Dataset, series_start: datetime | None, weight: float, dose: float) -> SUVFactor:
    correction = str(getattr(slice_, "DecayCorrection", "") or "")
    if correction == "ADMIN":
        return SUVFactor(weight * 1000.0 / dose)
    if correction != "START":
        return SUVFactor(None, f"DecayCorrection is {correction or 'absent'}; START or ADMIN is needed")
    half_life = _positive(getattr(drug, "RadionuclideHalfLife", None))
    if half_life is None:
        return SUVFactor(None, "RadionuclideHalfLife is absent or not above 0")
    injected, warning = _injection(drug, series_start)
    if injected is None or series_start is None:
        return SUVFactor(None, "the injection time or the scan's start time is absent")
    delay_s = (series_start - injected).total_seconds()
    if not 0 <= delay_s <= MAX_DELAY_H * 3600:
        return SUVFactor(
            None, f"the scan starts {delay_s / 3600:.1f} h after injection; 0 to {MAX_DELAY_H:g} h is needed"
        )
    return SUVFactor(weight * 1000.0 / (dose * 2.0 ** (-delay_s / half_life)), warning=warning)


def _injection(drug: Dataset, series_start: datetime | None) -> tuple[datetime | None, str]:
    """When the tracer was given; a bare time of day is put on the scan's day, or the day before when it is later."""
    stamp = getattr(drug, "RadiopharmaceuticalStartDateTime", None)
    if stamp:
        return DT(str(stamp)).replace(tzinfo=None), ""
    clock = getattr(drug, "RadiopharmaceuticalStartTime", None)
    if not clock or series_start is None:
        return None, ""
    when = datetime.combine(series_start.date(), TM(str(clock)))
    if when > series_start:
        return when - timedelta(days=1), "the injection was taken to be on the day before the scan (time of day only)"
    return when, ""


def scan_start(slices: list[Dataset]) -> datetime | None:
    """The series' date and time, or the earliest acquisition when the series time is later (a derived series)."""
    first = slices[0]
    series = _moment(first, "SeriesDate", "SeriesTime")
    acquired = [m for m in (_moment(s, "AcquisitionDate", "AcquisitionTime") for s in slices) if m]
    if series and (not acquired or series <= min(acquired)):
        return series
    return min(acquired) if acquired else None


def _moment(slice_: Dataset, date: str, time: str) -> datetime | None:
    day, clock = getattr(slice_, date, None), getattr(slice_, time, None)
    if not day or not clock:
        return None
    return datetime.combine(DA(str(day)), TM(str(clock)))


def _positive(value: object) -> float | None:
    try:
        number = float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        return None
    return number if number > 0 else None
