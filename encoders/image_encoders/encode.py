"""The one protocol of image encoders, and a patient's series through it.

    encoder = load_image_encoder("cnn3d")          # encoders/image_encoders/registry.py
    encoder.encode(series)                         # (width,) float32
    encode_patient(patient, encoder)               # one row per series, and why the others have none

Not checked here: whether the embeddings mean anything for the question they are used for.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from encoders.errors import ContractError, InputError
from encoders.image_encoders.card import EncoderCard, Window
from encoders.lesion_choice import why_no_lesion
from encoders.patient import ImagingSeries, Patient, Segment
from encoders.radiology import lesion_segment
from encoders.series_choice import choose_series

BATCH = 8
"""Series that go through a network at once."""
NO_IMAGING = "patient"
"""Key in ``PatientEncoding.skipped`` of what concerns the patient and no one series."""


@dataclass(frozen=True)
class PreparedSeries:
    """Network input of one series. pixels float32, shaped by the recipe; kind : index into radiology.SERIES_KINDS."""

    pixels: NDArray[np.float32]
    kind: int = 0


class SeriesEncoder(ABC):
    """An image encoder: a card, and series -> vectors. The same series always gives the same vector."""

    def __init__(self, card: EncoderCard) -> None:
        self.card = card
        self.golden_key = card.spec
        """Under which the golden output is kept; the registry puts the whole path where the spec names a file."""

    @abstractmethod
    def prepare(self, series: ImagingSeries) -> PreparedSeries:
        """All of the recipe: what the network reads of a series.

        Raises
        ------
        InputError: this encoder cannot read the series; the message is the reason
        """

    @abstractmethod
    def forward(self, prepared: Sequence[PreparedSeries]) -> NDArray[np.float32]:
        """Prepared series -> (N, width) float32."""

    def look_up(self, patient: Patient) -> PatientEncoding | None:
        """The patient's rows where no image is read for them (tables); None = encode the series."""
        del patient
        return None

    def encode(self, series: ImagingSeries) -> NDArray[np.float32]:
        """(width,) float32 of one series; raises what ``prepare`` raises."""
        return self.encode_many((series,))[0]

    def encode_many(self, many: Sequence[ImagingSeries]) -> NDArray[np.float32]:
        """(N, width) float32, in the order given; raises what ``prepare`` raises for the first it cannot read."""
        return self.forward_many([self.prepare(s) for s in many])

    def forward_many(self, prepared: Sequence[PreparedSeries]) -> NDArray[np.float32]:
        """``forward`` in batches, with the shape checked."""
        parts = [self.forward(prepared[i : i + BATCH]) for i in range(0, len(prepared), BATCH)]
        vectors = np.concatenate(parts) if parts else np.zeros((0, self.card.width))
        if vectors.shape != (len(prepared), self.card.width):
            raise ContractError(
                f"{self.card.spec} gave an array of shape {vectors.shape}; its card says "
                f"({len(prepared)}, {self.card.width})."
            )
        return np.ascontiguousarray(vectors, np.float32)


def lesion_or_refuse(series: ImagingSeries, card: EncoderCard) -> tuple[Segment, Window]:
    """The segment to encode and its window; InputError when modality, unit or segments do not allow it."""
    window = card.recipe.window(series)
    if isinstance(window, str):
        raise InputError(window)
    segment = lesion_segment(series)
    if segment is None:
        raise InputError(why_no_lesion(series))
    return segment, window


@dataclass(frozen=True)
class PatientEncoding:
    """One patient's rows. vectors (N, width) float32, finite; series_uids and modalities have N entries.

    series_uids : None in a row that is about the patient and no one series
    skipped : series UID (or ``NO_IMAGING``) -> why there is no row
    """

    patient_id: str
    series_uids: tuple[str | None, ...]
    modalities: tuple[str | None, ...]
    vectors: NDArray[np.float32]
    skipped: Mapping[str, str]

    def __post_init__(self) -> None:
        if not len(self.series_uids) == len(self.modalities) == len(self.vectors):
            raise ContractError(f"{len(self.vectors)} vectors but {len(self.series_uids)} series UIDs; give one each.")


def encode_patient(patient: Patient, encoder: SeriesEncoder) -> PatientEncoding:
    """Every series of a patient that the encoder can read.

    The series are those the prediction networks read (encoders/series_choice.py); of the others its reasons are kept. A
    vector that is not finite makes no row. A table is looked up instead, whatever was chosen.
    """
    known = encoder.look_up(patient)
    if known is not None:
        return known
    skipped: dict[str, str] = {}
    if not patient.imaging:
        skipped[NO_IMAGING] = patient.missing.get("imaging", "no imaging")
    kept: list[ImagingSeries] = []
    prepared: list[PreparedSeries] = []
    for series, choice in zip(patient.imaging, choose_series(patient.imaging), strict=True):
        if not choice.chosen:
            skipped[series.series_uid] = choice.reason
            continue
        try:
            prepared.append(encoder.prepare(series))
        except InputError as error:
            skipped[series.series_uid] = str(error)
        else:
            kept.append(series)
    vectors = encoder.forward_many(prepared)
    finite = np.isfinite(vectors).all(1)
    for series, good in zip(kept, finite, strict=True):
        if not good:
            skipped[series.series_uid] = "the embedding is not finite"
    rows = [s for s, good in zip(kept, finite, strict=True) if good]
    return PatientEncoding(
        patient_id=patient.patient_id,
        series_uids=tuple(s.series_uid for s in rows),
        modalities=tuple(s.modality.value for s in rows),
        vectors=vectors[finite],
        skipped=skipped,
    )
