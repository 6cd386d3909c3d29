"""Image evidence: series read, lesion measurements, and the appearance a network reads from the image.

``finding`` of an appearance is perceived: a multimodal LLM reads it from the imaging soft tokens.
"""

from __future__ import annotations

from collections.abc import Iterator

from assistant.collect_draft import Draft, located, quantity, word
from assistant.evidence import Field
from encoders.patient import ImagingSeries, Patient
from encoders.prediction import Measurement, PatientPrediction, Prediction

_UNIT = {"HU": "HU", "SUVbw": "SUVbw", "arbitrary": "arbitrary units"}


def series_name(series: ImagingSeries) -> str:
    """The role when the files tell it ("CT chest"), else the DICOM modality."""
    return series.role or series.modality.value


def series_phrase(series: ImagingSeries) -> str:
    """The name with its modality where the name does not tell it: "FLAIR MR", "CT chest"."""
    name = series_name(series)
    told = {"PT": "PET"}.get(series.modality.value, series.modality.value)
    return name if told.lower() in name.lower() else f"{name} {told}"


def draft_imaging(patient: Patient, prediction: PatientPrediction) -> Iterator[Draft]:
    """Every I evidence of the case."""
    by_uid = {s.series_uid: s for s in patient.imaging}
    for index, series in enumerate(patient.imaging):
        yield _series(series, index)
    for index, measurement in enumerate(prediction.measurements):
        series_or_none = by_uid.get(measurement.series_uid)
        if series_or_none is not None:
            yield _lesion(measurement, series_or_none, index)
    first = patient.imaging[0] if patient.imaging else None
    for predicted in prediction.predictions:
        if predicted.task.startswith("appearance:") and predicted.label:
            named = by_uid.get(predicted.source_series_uid or "")
            yield _appearance(predicted, named or first, on=series_phrase(named) if named else None)


def _series(series: ImagingSeries, index: int) -> Draft:
    name = series_name(series)
    spacing = " x ".join(f"{s:.1f}" for s in series.spacing_mm)
    fields = {
        "modality": word(series.modality.value),
        "role": word(name),
        "slices": Field(value=series.volume.shape[0], display=f"{series.volume.shape[0]} slices", unit="slices"),
        "spacing": Field(value=spacing, display=f"{spacing} mm", unit="mm"),
    }
    if series.date:
        fields["date"] = word(series.date)
    text = f"Series {series_phrase(series)} ({series.modality.value})" + (f" of {series.date}" if series.date else "")
    text += f": {series.volume.shape[0]} slices, spacing {spacing} mm."
    source = located(series.source, series_uid=series.series_uid, date=series.date)
    return Draft("series", text, fields, source, rank=50 - index, label=name)


def _intensity(value: float, unit: str) -> Field:
    return quantity(value, _UNIT.get(unit, unit), digits=1 if unit == "SUVbw" else 0)


def _lesion(measured: Measurement, series: ImagingSeries, index: int) -> Draft:
    name = series_name(series)
    fields: dict[str, Field] = {"series": word(name)}
    source = located(series.source, series_uid=series.series_uid, slice_index=measured.key_slice, date=series.date)
    if measured.note:
        text = f"The lesion on {name} could not be measured: {measured.note}."
        return Draft("lesion", text, fields, source, rank=55 - index, label=f"lesion on {name}")
    fields |= {
        "volume": quantity(measured.volume_ml, "mL"),
        "longest_diameter": quantity(measured.longest_axial_diameter_mm, "mm", digits=0),
        "short_axis": quantity(measured.short_axis_mm, "mm", digits=0),
        "mean_intensity": _intensity(measured.mean_intensity, measured.intensity_unit),
        "max_intensity": _intensity(measured.max_intensity, measured.intensity_unit),
        "slice": Field(value=measured.key_slice + 1, display=f"slice {measured.key_slice + 1}"),
    }
    outline = "a proposed outline, not confirmed by a person" if measured.proposed else "the outline in the files"
    text = (
        f"On {series_phrase(series)} the lesion has a volume of {fields['volume'].display}, "
        "a longest axial diameter of "
        f"{fields['longest_diameter'].display} and a short axis of {fields['short_axis'].display}; mean intensity "
        f"{fields['mean_intensity'].display}, maximum {fields['max_intensity'].display}; largest on "
        f"{fields['slice'].display}; measured from {outline}."
    )
    return Draft("lesion", text, fields, source, rank=75 - index, label=f"lesion on {name}")


def _appearance(predicted: Prediction, series: ImagingSeries | None, *, on: str | None) -> Draft:
    attribute = predicted.task.partition(":")[2]
    label = predicted.label or ""
    fields = {"attribute": word(attribute), "finding": word(label)}
    text = f"The image network reads the lesion's {attribute} as {label}" + (f" on {on}" if on else "")
    if predicted.probability is not None:
        fields["probability"] = quantity(predicted.probability, None, digits=2)
        text += f", probability {fields['probability'].display}"
    source = located(series.source if series else None, series_uid=series.series_uid if series else None)
    return Draft(
        "appearance",
        f"{text}.",
        fields,
        source,
        rank=65,
        perceived=("finding",),
        perceived_from="imaging",
        label=attribute,
    )
