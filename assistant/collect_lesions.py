"""Lesion evidence: size, intensities, and what became of each lesion since an earlier study.

Lesions of a study that a later one supersedes are told as "before" in ``lesion_change``, never as the lesion's size.
Where a series holds several lesions each is named by its label. Ranks of the newer types lie below the older ones', so
that no older evidence gets another id. A proposed outline has a type of its own, so that no claim can drop the word.

Not known here: how sizes were taken and matched (encoders/measure.py, encoders/follow_up.py).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from assistant.collect_draft import Draft, located, neutralise, quantity, word
from assistant.collect_imaging import series_name, series_phrase
from assistant.evidence import EvidenceSource, Field
from encoders.lesion_change import LesionChange, LesionTrend
from encoders.patient import ImagingSeries, Patient
from encoders.prediction import DiameterSum, FollowUpStatus, LesionFollowUp, Measurement, PatientPrediction

_UNIT = {"HU": "HU", "SUVbw": "SUVbw", "arbitrary": "arbitrary units"}
_CHANGE_RANK, _SUM_RANK, _INTENSITY_RANK, _PROPOSED_RANK = 44, 43, 42, 41


def draft_lesions(patient: Patient, prediction: PatientPrediction) -> Iterator[Draft]:
    """Sizes and intensities of the lesions no later study supersedes, and their change from an earlier study."""
    by_uid = {s.series_uid: s for s in patient.imaging}
    current = [m for m in prediction.measurements if not m.prior and m.series_uid in by_uid]
    several = {uid for uid, n in Counter(m.series_uid for m in current).items() if n > 1}
    dated = len({m.date for m in prediction.measurements}) > 1
    for index, measured in enumerate(current):
        series = by_uid[measured.series_uid]
        name = _lesion_name(measured, named=measured.series_uid in several)
        yield _size(measured, series, index, name, dated=dated)
        if not measured.proposed:
            yield from _intensities(measured, series, index, name)
    names = Counter(r.series_uid for r in prediction.follow_up)
    for row in prediction.follow_up:
        if row.series_uid in by_uid:
            yield _change(row, by_uid[row.series_uid], named=names[row.series_uid] > 1)
    for total in prediction.diameter_sums:
        if total.series_uid in by_uid:
            yield _sum(total, by_uid[total.series_uid])


def _lesion_name(measured: Measurement, *, named: bool) -> str:
    label = neutralise(measured.segment_label, limit=40)
    if measured.proposed:
        return label.lower() if "propos" in label.lower() else f"proposed lesion {label}"
    return _called(label) if named else "lesion"


def _called(label: str) -> str:
    """ "Lesion 2" -> "lesion 2", "GTV" -> "lesion GTV"."""
    return f"lesion{label[len('lesion') :]}" if label.lower().startswith("lesion") else f"lesion {label}"


def _intensity(value: float, unit: str) -> Field:
    return quantity(value, _UNIT.get(unit, unit), digits=1 if unit == "SUVbw" else 0)


def _source(series: ImagingSeries, label: str, slice_index: int | None = None) -> EvidenceSource:
    return located(
        series.source, series_uid=series.series_uid, slice_index=slice_index, date=series.date, row_id=label or None
    )


def _size(measured: Measurement, series: ImagingSeries, index: int, lesion: str, *, dated: bool) -> Draft:
    name = series_name(series)
    told = lesion not in ("lesion", "proposed lesion")  # a decoder's "the lesion on {series}" then says which one
    fields = {
        "series": word(f"{name} ({lesion})" if told else name),
        "volume": quantity(measured.volume_ml, "mL"),
        "longest_diameter": quantity(measured.longest_axial_diameter_mm, "mm", digits=0),
        "short_axis": quantity(measured.short_axis_mm, "mm", digits=0),
        "mean_intensity": _intensity(measured.mean_intensity, measured.intensity_unit),
        "max_intensity": _intensity(measured.max_intensity, measured.intensity_unit),
        "slice": Field(value=measured.key_slice + 1, display=f"slice {measured.key_slice + 1}"),
    }
    kind, rank = ("proposed_lesion", _PROPOSED_RANK) if measured.proposed else ("lesion", 75)
    outline = "a proposed outline, not confirmed by a person" if measured.proposed else "the outline in the files"
    axial = "in-plane diameter (the slices are not axial)" if measured.note else "axial diameter"
    on = f"{series_phrase(series)} of {series.date}" if dated and series.date else series_phrase(series)
    recist = f"not measurable by RECIST 1.1: {measured.not_measurable}" if measured.not_measurable else ""
    text = (
        f"On {on} the {lesion} has a volume of {fields['volume'].display}, a longest {axial} of "
        f"{fields['longest_diameter'].display} and a short axis of {fields['short_axis'].display}; mean intensity "
        f"{fields['mean_intensity'].display}, maximum {fields['max_intensity'].display}; longest on "
        f"{fields['slice'].display}; measured from {outline}; {recist or 'measurable by RECIST 1.1'}."
    )
    source = _source(series, measured.segment_label, measured.key_slice)
    return Draft(
        kind,
        text,
        fields,
        source,
        rank=rank - (index / 100 if measured.proposed else index),
        label=f"{lesion} on {name}",
    )


def _intensities(measured: Measurement, series: ImagingSeries, index: int, lesion: str) -> Iterator[Draft]:
    fields = {"series": word(series_name(series))}
    head = f"On {series_phrase(series)} the {lesion}"
    unit = measured.intensity_unit
    if unit == "HU" and measured.p10_intensity is not None and measured.p90_intensity is not None:
        fields |= {
            "mean": _intensity(measured.mean_intensity, unit),
            "p10": _intensity(measured.p10_intensity, unit),
            "p90": _intensity(measured.p90_intensity, unit),
        }
        text = (
            f"{head} has a mean of {fields['mean'].display}, a 10th percentile of {fields['p10'].display} and a 90th "
            f"percentile of {fields['p90'].display}."
        )
    elif unit == "SUVbw" and measured.suv_peak is not None:
        fields |= {
            "suv_max": _intensity(measured.max_intensity, unit),
            "suv_peak": _intensity(measured.suv_peak, unit),
            "suv_mean": _intensity(measured.mean_intensity, unit),
        }
        text = (
            f"{head} has a SUVmax of {fields['suv_max'].display}, a SUVpeak of {fields['suv_peak'].display} and a "
            f"SUVmean of {fields['suv_mean'].display}."
        )
    elif series.modality.value == "PT" and unit != "SUVbw":
        fields["basis"] = word("not SUV")
        text = f"{head} has intensities that are not SUV, so that SUVmax, SUVpeak and SUVmean are missing."
    elif measured.surrounding_ratio is not None:
        fields["ratio"] = quantity(measured.surrounding_ratio, None, digits=2)
        text = (
            f"{head} has a median signal {fields['ratio'].display} times that of the tissue 3 to 10 mm around it "
            "(a ratio; MR signal has no unit)."
        )
    else:
        return
    source = _source(series, measured.segment_label, measured.key_slice)
    yield Draft(
        "lesion_intensity", text, fields, source, rank=_INTENSITY_RANK - index / 100, label=f"intensity on {lesion}"
    )


def _percent(change: LesionChange) -> Field:
    return _percent_of(change.before_mm, change.now_mm)


def _percent_of(before_mm: float, now_mm: float) -> Field:
    percent = round(100 * (now_mm - before_mm) / before_mm)
    if percent == 0:
        return Field(0, "0 %", "%")
    return Field(percent / 100, f"{abs(percent)} % {'larger' if percent > 0 else 'smaller'}", "%")


def _trend(status: FollowUpStatus, trend: LesionTrend | None) -> str:
    return trend.value if trend is not None else status.value


def _change(row: LesionFollowUp, series: ImagingSeries, *, named: bool) -> Draft:
    label = neutralise(row.label, limit=40)
    lesion = _called(label) if named and label else "lesion"
    fields = {
        "series": word(series_name(series)),
        "trend": word(_trend(row.status, row.change.trend if row.change else None)),
        "date_before": word(row.date_before),
        "date_now": word(row.date_now),
    }
    if label:
        fields["lesion"] = word(label)
    on = series_phrase(series)
    if row.change is not None:
        text = _compared(row, row.change, fields, f"the {lesion} on {on}")
    elif row.status is FollowUpStatus.NEW:
        text = f"The {lesion} on {on} is new: outlined on {row.date_now}, without an outline on {row.date_before}."
    elif row.status is FollowUpStatus.VANISHED:
        text = (
            f"The {lesion} on {on} is vanished or not outlined: outlined on {row.date_before}, without an outline on "
            f"{row.date_now}."
        )
    elif row.status is FollowUpStatus.NOT_MATCHED:
        text = (
            f"On {on} lesions of {row.date_now} are not matched with those of {row.date_before}: "
            f"{row.basis}, so that their change is unknown."
        )
    else:
        text = f"The {lesion} on {on} is not compared with the study of {row.date_before}: {row.basis}."
    source = _source(series, row.label)
    return Draft("lesion_change", text, fields, source, rank=_CHANGE_RANK, label=f"change of {lesion} on {on}")


def _compared(row: LesionFollowUp, change: LesionChange, fields: dict[str, Field], lesion: str) -> str:
    fields |= {
        "measure": word(row.measure),
        "before": quantity(change.before_mm, "mm", digits=0),
        "now": quantity(change.now_mm, "mm", digits=0),
        "change": _percent(change),
    }
    if change.percent_of_smallest > change.percent + 1:
        smallest = change.now_mm / (1 + change.percent_of_smallest / 100)
        fields["smallest"] = quantity(smallest, "mm", digits=0)
    nadir = f"; smallest of the earlier studies {fields['smallest'].display}" if "smallest" in fields else ""
    verb = "is" if change.trend is LesionTrend.STABLE else "has"
    return (
        f"From {row.date_before} to {row.date_now} {lesion} {verb} {change.trend.value}: {row.measure} "
        f"{fields['before'].display} before and {fields['now'].display} now, {fields['change'].display}{nadir}; of "
        "this lesion alone, not a response by RECIST."
    )


def _sum(total: DiameterSum, series: ImagingSeries) -> Draft:
    fields = {
        "series": word(series_name(series)),
        "count": Field(total.count, f"{total.count} matched lesions"),
        "before": quantity(total.before_mm, "mm", digits=0),
        "now": quantity(total.now_mm, "mm", digits=0),
        "change": _percent_of(total.before_mm, total.now_mm),
        "date_before": word(total.date_before),
        "date_now": word(total.date_now),
    }
    rest = f"; {total.left_out} more matched lesions are left out" if total.left_out else ""
    text = (
        f"From {total.date_before} to {total.date_now} the sum of the diameters of {fields['count'].display} on "
        f"{series_phrase(series)} went from {fields['before'].display} to {fields['now'].display}, "
        f"{fields['change'].display}{rest}; not a response by RECIST, whose target lesions are unknown."
    )
    return Draft("lesion_sum", text, fields, _source(series, ""), rank=_SUM_RANK, label="sum of diameters")
