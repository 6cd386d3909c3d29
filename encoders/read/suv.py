"""Body-weight SUV of a PET slice: the factor, or the reason there is none.

SUVbw = activity concentration (Bq/ml) * body weight (g) / injected activity decayed to the scan's time reference (Bq).
Philips writes counts (Units CNTS) and, in its private group 7053, the factor to SUVbw (element 00) or, where that is
absent or 0, the factor to Bq/ml (element 09).

What this module does not know: lean-body-mass SUV, extravasation, whether the scanner was calibrated.

References
----------
QIBA FDG-PET/CT Profile 1.13 (2016), vendor-neutral SUV pseudo-code (CNTS: the Philips factors scale the rescaled pixel
value, under the same corrections as BQML); DICOM PS3.3 C.8.9.1 (PET series, isotope).
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from datetime import datetime, timedelta

from pydicom import Dataset
from pydicom.valuerep import DA, DT, TM

from encoders.read.dicom_tags import BROKEN, items, number, text, texts

MAX_DELAY_H = 24.0
"""Longest believable time from injection to scan start."""
LEAST_DOSE_BQ, MOST_DOSE_BQ = 1e5, 1e11
"""Believable injected activity; less is a dose written in MBq, more one that is not a patient's."""
LEAST_WEIGHT_KG, MOST_WEIGHT_KG = 0.5, 650.0
"""Believable body weight; more is a weight written in grams."""

LEAST_SHARE_LEFT = 1e-6
"""A half-life that leaves less than this share of the activity is not the tracer's."""

PHILIPS_GROUP, PHILIPS_CREATOR = 0x7053, "Philips PET Private Group"
PHILIPS_SUV, PHILIPS_BQML = 0x00, 0x09
"""Elements of the block that ``PHILIPS_CREATOR`` reserves: factor to SUVbw, factor to Bq/ml."""


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
    if text(slice_, "Units") == "GML" and text(slice_, "SUVType") in ("", "BW"):
        return SUVFactor(1.0)
    to_bqml = 1.0
    if text(slice_, "Units") == "CNTS":
        philips = _philips(slice_)
        if isinstance(philips, SUVFactor):
            return philips
        to_bqml = philips
    drugs = items(slice_, "RadiopharmaceuticalInformationSequence")
    reason = _not_quantitative(slice_) or _no_weight(slice_) or _no_dose(drugs) or _no_decay(slice_, drugs)
    if reason:
        return SUVFactor(None, reason)
    grams, dose = (number(slice_, "PatientWeight") or 0.0) * 1000.0, number(drugs[0], "RadionuclideTotalDose") or 0.0
    left = _left_at_reference(slice_, drugs[0], series_start, dose)
    if isinstance(left, str):
        return SUVFactor(None, left)
    return SUVFactor(to_bqml * grams / left[0], warning=left[1])


def _philips(slice_: Dataset) -> SUVFactor | float:
    """Factor from Philips counts to SUVbw (or why there is none), else the factor to Bq/ml."""
    if reason := _not_quantitative(slice_):
        return SUVFactor(None, reason)
    if text(slice_, "DecayCorrection") != "START":
        return SUVFactor(None, f"DecayCorrection is {text(slice_, 'DecayCorrection') or 'absent'}; START is needed")
    to_suv, to_bqml = (_philips_number(slice_, element) for element in (PHILIPS_SUV, PHILIPS_BQML))
    if to_suv:
        return SUVFactor(to_suv, warning="SUVbw by the scanner's own factor (Philips 7053,1000), not recomputed")
    if to_bqml:
        return to_bqml
    return SUVFactor(
        None,
        "Units is CNTS without a Philips factor to SUVbw (7053,1000) or Bq/ml (7053,1009) above 0 under its creator",
    )


def _philips_number(slice_: Dataset, element: int) -> float | None:
    """A number of Philips' private block, wherever its creator reserved it; None when absent or not above 0."""
    try:
        found = slice_.private_block(PHILIPS_GROUP, PHILIPS_CREATOR)[element].value
        told = float(found.decode("ascii").strip("\0 ") if isinstance(found, bytes) else found)
    except BROKEN:
        return None
    return told if math.isfinite(told) and told > 0 else None


def _not_quantitative(slice_: Dataset) -> str | None:
    """Why the pixels are not decay- and attenuation-corrected Bq/ml (or Philips counts), or None when they are."""
    units = text(slice_, "Units")
    if units not in ("BQML", "CNTS"):
        return f"Units is {units or 'absent'}; BQML (or GML with SUVType BW, or CNTS with Philips' factors) is needed"
    corrected = texts(slice_, "CorrectedImage")
    if not {"ATTN", "DECY"} <= set(corrected):
        return f"CorrectedImage is {sorted(corrected) or 'absent'}; ATTN and DECY are needed"
    return None


def _no_weight(slice_: Dataset) -> str | None:
    """Why the body weight cannot be used, or None when it can."""
    weight = number(slice_, "PatientWeight")
    if weight is None or weight <= 0:
        return "PatientWeight is absent or not above 0"
    if not LEAST_WEIGHT_KG <= weight <= MOST_WEIGHT_KG:
        return f"PatientWeight is {weight:g}; {LEAST_WEIGHT_KG:g} to {MOST_WEIGHT_KG:g} kg is believable"
    return None


def _no_dose(drugs: tuple[Dataset, ...]) -> str | None:
    """Why the injected activity cannot be used, or None when it can."""
    if len(drugs) != 1:
        return f"{len(drugs)} radiopharmaceuticals are described; exactly one is needed"
    dose = number(drugs[0], "RadionuclideTotalDose")
    if dose is None:
        return "RadionuclideTotalDose is absent; Bq are needed"
    if not LEAST_DOSE_BQ <= dose <= MOST_DOSE_BQ:
        hint = "a value this small would be MBq" if dose < LEAST_DOSE_BQ else "no patient is given this much"
        return f"RadionuclideTotalDose is {dose:g}; Bq are needed ({hint})"
    return None


def _no_decay(slice_: Dataset, drugs: tuple[Dataset, ...]) -> str | None:
    """Why the activity cannot be brought to the pixels' time reference, or None when it can."""
    correction = text(slice_, "DecayCorrection")
    if correction not in ("START", "ADMIN"):
        return f"DecayCorrection is {correction or 'absent'}; START or ADMIN is needed"
    if correction == "START" and (number(drugs[0], "RadionuclideHalfLife") or 0) <= 0:
        return "RadionuclideHalfLife is absent or not above 0"
    return None


def _left_at_reference(
    slice_: Dataset, drug: Dataset, series_start: datetime | None, dose: float
) -> tuple[float, str] | str:
    """Injected activity (Bq) left at the time the pixels are decay-corrected to, and a warning; or why not known."""
    if text(slice_, "DecayCorrection") == "ADMIN":
        return dose, ""
    injected, warning = _injection(slice_, drug, series_start)
    half_life = number(drug, "RadionuclideHalfLife") or 0.0
    if injected is None or series_start is None:
        return "the injection time or the scan's start time is absent or not a time"
    delay_s = (series_start - injected).total_seconds()
    left = dose * 2.0 ** (-delay_s / half_life) if 0 <= delay_s <= MAX_DELAY_H * 3600 else None
    if left is None:
        return f"the scan starts {delay_s / 3600:.1f} h after injection; 0 to {MAX_DELAY_H:g} h is needed"
    if left < dose * LEAST_SHARE_LEFT:
        return f"RadionuclideHalfLife is {half_life:g} s; nothing is left {delay_s / 3600:.1f} h later"
    return left, warning


def _injection(slice_: Dataset, drug: Dataset, series_start: datetime | None) -> tuple[datetime | None, str]:
    """When the tracer was given; a bare time of day is put on the scan's day, or the day before when it is later."""
    stamp = text(drug, "RadiopharmaceuticalStartDateTime")
    if stamp:
        return _local(stamp, text(slice_, "TimezoneOffsetFromUTC")), ""
    clock = text(drug, "RadiopharmaceuticalStartTime")
    if not clock or series_start is None:
        return None, ""
    when = _parsed(series_start.strftime("%Y%m%d"), clock)
    if when is not None and when > series_start:
        return when - timedelta(days=1), "the injection was taken to be on the day before the scan (time of day only)"
    return when, ""


def _local(stamp: str, offset: str) -> datetime | None:
    """A DICOM date-time on the clock of the data set: moved by its own UTC offset where both offsets are told."""
    try:
        moment = DT(stamp)
    except BROKEN:
        return None
    if moment is None:
        return None
    naive = moment.replace(tzinfo=None)
    own = moment.utcoffset()
    told = re.fullmatch(r"([+-])(\d{2})(\d{2})", offset)
    if own is None or told is None:
        return naive
    here = timedelta(hours=int(told[2]), minutes=int(told[3])) * (-1 if told[1] == "-" else 1)
    return naive - own + here


def scan_start(slices: list[Dataset]) -> datetime | None:
    """The series' date and time, or the earliest acquisition when the series time is later (a derived series)."""
    first = slices[0]
    series = _moment(first, "SeriesDate", "SeriesTime")
    acquired = [m for m in (_moment(s, "AcquisitionDate", "AcquisitionTime") for s in slices) if m]
    if series and (not acquired or series <= min(acquired)):
        return series
    return min(acquired) if acquired else None


def _moment(slice_: Dataset, date: str, time: str) -> datetime | None:
    return _parsed(text(slice_, date), text(slice_, time))


def _parsed(day: str, clock: str) -> datetime | None:
    """A date and a time of day as DICOM writes them; None when either is absent or malformed."""
    if not day or not clock:
        return None
    try:
        return datetime.combine(DA(day), TM(clock))
    except BROKEN:
        return None
