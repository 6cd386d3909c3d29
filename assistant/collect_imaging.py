"""Image evidence: series read, and the appearance a network reads from the image.

``finding`` of an appearance is perceived: a multimodal LLM reads it from the imaging soft tokens. Not
known here: measurements (assistant/collect_lesions.py).
"""

from __future__ import annotations

from collections.abc import Iterator

from assistant.collect_draft import Draft, located, neutralise, quantity, word
from assistant.evidence import Field
from encoders.patient import ImagingSeries, Patient, SeriesVerdict
from encoders.prediction import PatientPrediction, Prediction
from encoders.series_choice import SeriesChoice

ON_PROPOSED = "; it rests on a proposed outline, not confirmed by a person"
"""Said of every prediction whose image part was cut out around an outline that software proposed."""


def series_name(series: ImagingSeries) -> str:
    """The role when the files tell it ("CT chest"), else the DICOM modality."""
    return series.role or series.modality.value


def series_phrase(series: ImagingSeries) -> str:
    """The name with its modality where the name does not tell it: "FLAIR MR", "CT chest"."""
    name = series_name(series)
    told = {"PT": "PET"}.get(series.modality.value, series.modality.value)
    return name if told.lower() in name.lower() else f"{name} {told}"


def draft_imaging(patient: Patient, prediction: PatientPrediction) -> Iterator[Draft]:
    """Series and appearance of the case."""
    by_uid = {s.series_uid: s for s in patient.imaging}
    choices = prediction.series_choices or (None,) * len(patient.imaging)
    for index, (series, choice) in enumerate(zip(patient.imaging, choices, strict=True)):
        yield _series(series, index, choice)
    first = patient.imaging[0] if patient.imaging else None
    for predicted in prediction.predictions:
        if predicted.task.startswith("appearance:") and predicted.label:
            named = by_uid.get(predicted.source_series_uid or "")
            yield _appearance(predicted, named or first, on=series_phrase(named) if named else None)


def _reading(series: ImagingSeries, choice: SeriesChoice | None) -> str:
    """Sentences on whether the networks read the series, where there is something to say."""
    if choice is None:
        return ""
    said = []
    if not choice.chosen:
        said.append(f"Not read by the networks: {choice.reason}")
    elif choice.reason:
        said.append(f"Read by the networks: {choice.reason}")
    if series.validity.verdict is SeriesVerdict.DOUBTFUL:
        said.append(f"Doubtful: {'; '.join(series.validity.reasons)}")
    return "".join(f" {neutralise(sentence, limit=400).rstrip('. ')}." for sentence in said)


def _series(series: ImagingSeries, index: int, choice: SeriesChoice | None) -> Draft:
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
    judged = _reading(series, choice)
    text += f": {series.volume.shape[0]} slices, spacing {spacing} mm.{judged}"
    source = located(series.source, series_uid=series.series_uid, date=series.date)
    kind = "series_verdict" if judged else "series"  # the embedded decoder would say "was read" of either
    return Draft(kind, text, fields, source, rank=50 - index, label=name)


def _appearance(predicted: Prediction, series: ImagingSeries | None, *, on: str | None) -> Draft:
    attribute = predicted.task.partition(":")[2]
    label = predicted.label or ""
    fields = {"attribute": word(attribute), "finding": word(label)}
    text = f"The image network reads the lesion's {attribute} as {label}" + (f" on {on}" if on else "")
    if predicted.probability is not None:
        fields["probability"] = quantity(predicted.probability, None, digits=2)
        text += f", probability {fields['probability'].display}"
    if predicted.on_proposed_outline:
        text += ON_PROPOSED
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
