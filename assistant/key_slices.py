"""Key slices for a vision-language model: pictures in the user's message of every request about imaging.

The pictures help the model word what the ledger holds; the check is the same, so that a finding read off a picture and
not held by the ledger is withheld as before. Windows come from the model's card (assistant/llm/vision.py).

Not known here: which LLM reads images, or how a server is sent them.
"""

from __future__ import annotations

import base64
import io
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from assistant.evidence import EvidenceKind
from assistant.llm.chat_model import (
    ChatModel,
    ChatRequest,
    ImagePart,
    PromptStyle,
    SoftTokensPart,
    TextPart,
    generate_all,
)
from assistant.llm.vision import ImageReading
from assistant.slice_image import SliceView, Window, orient_slice, window_for
from encoders.patient import ImagingSeries, Patient
from encoders.prediction import Measurement, PatientPrediction

MAX_SLICES = 4
"""Pictures in one request; a series without a measured lesion is sent only while there is room."""


def with_key_slices(llm: ChatModel, patient: Patient, prediction: PatientPrediction) -> ChatModel:
    """The model, given the key slices with every request about imaging if it reads images; else the model itself."""
    reading: ImageReading | None = getattr(llm, "images", None)
    if reading is None or not patient.imaging:
        return llm
    return SliceReader(llm, key_slice_parts(patient, prediction, reading))


def key_slice_parts(
    patient: Patient, prediction: PatientPrediction, reading: ImageReading
) -> tuple[TextPart | ImagePart, ...]:
    """A caption and a picture for each of at most MAX_SLICES series, measured ones first."""
    measured = {m.series_uid: m for m in prediction.measurements}
    series = sorted(patient.imaging, key=lambda s: s.series_uid not in measured)  # stable: the patient's order within
    parts: list[TextPart | ImagePart] = []
    for one in series[:MAX_SLICES]:
        index = _key_slice(one, measured.get(one.series_uid))
        caption, picture = render_slice(one, index, reading)
        parts += [TextPart(caption), ImagePart(picture)]
    return tuple(parts)


def render_slice(series: ImagingSeries, index: int, reading: ImageReading) -> tuple[str, str]:
    """(caption, PNG data URI) of one slice, turned as a radiologist sees it, with square pixels."""
    windows = reading.windows.get(str(series.modality))
    if windows is None:
        usual = window_for(series)
        grey, words = usual.apply(series.volume[index]), usual.label
        rgb = np.repeat(grey[..., None], 3, axis=-1)
    else:
        channels = [Window(low, high, "").apply(series.volume[index]) for low, high in windows]
        rgb = np.stack(channels if len(channels) == 3 else channels * 3, axis=-1)
        ranges = ", ".join(f"{low:g} to {high:g}" for low, high in windows)
        words = f"{series.unit} {ranges}" + (" in red, green and blue" if len(windows) == 3 else "")
    view = orient_slice(series)
    picture = _square_pixels(view, rgb, reading.longest_side_px)
    caption = f"{series.modality}, slice {index + 1} of {series.volume.shape[0]}, {words}:"
    buffer = io.BytesIO()
    picture.save(buffer, format="PNG", optimize=True)
    return caption, "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode("ascii")


class SliceReader:
    """A vision-language model that sees the key slices of one patient; everything else is the model's own."""

    def __init__(self, llm: ChatModel, parts: Sequence[TextPart | ImagePart]) -> None:
        self._llm, self._parts = llm, tuple(parts)
        self.spec, self.style, self.takes_soft_tokens = llm.spec, llm.style, llm.takes_soft_tokens

    def __getattr__(self, name: str) -> Any:
        return getattr(self._llm, name)

    def generate(self, request: ChatRequest) -> str:
        """The whole answer."""
        return self._llm.generate(self._shown(request))

    def generate_many(self, requests: Sequence[ChatRequest]) -> list[str]:
        """One answer per request, in order."""
        return generate_all(self._llm, [self._shown(r) for r in requests])

    def stream(self, request: ChatRequest) -> Iterator[str]:
        """The answer in pieces."""
        return self._llm.stream(self._shown(request))

    def versions(self) -> dict[str, str]:
        """As the model, and how many key slices it was shown."""
        return {**self._llm.versions(), "key_slices": str(sum(isinstance(p, ImagePart) for p in self._parts))}

    def soft_tokens(self, embeddings: Any) -> tuple[SoftTokensPart, ...]:
        """As the model."""
        return self._llm.soft_tokens(embeddings)

    def _shown(self, request: ChatRequest) -> ChatRequest:
        about_images = any(i.startswith(EvidenceKind.IMAGE.value) for i in request.allowed_ids)
        if not about_images or self.style is PromptStyle.COMPACT:
            return request
        at = next(i for i, m in enumerate(request.messages) if m.role == "user")
        asked = replace(request.messages[at], parts=(*self._parts, *request.messages[at].parts))
        return replace(request, messages=(*request.messages[:at], asked, *request.messages[at + 1 :]))


def _key_slice(series: ImagingSeries, measurement: Measurement | None) -> int:
    """The measured lesion's slice, else the one with the largest outline, else the middle one."""
    depth = series.volume.shape[0]
    if measurement is not None and 0 <= measurement.key_slice < depth:
        return int(measurement.key_slice)
    areas = sum((s.mask.sum(axis=(1, 2)) for s in series.segments), start=np.zeros(depth))
    return int(areas.argmax()) if areas.any() else depth // 2


def _square_pixels(view: SliceView, rgb: NDArray[np.uint8], longest_side_px: int | None) -> Image.Image:
    """(Y, X, 3) as displayed; the finer spacing is kept unless the picture would be larger than allowed."""
    turned = rgb.transpose(1, 0, 2) if view.transpose else rgb
    turned = turned[::-1] if view.flip_vertical else turned
    turned = turned[:, ::-1] if view.flip_horizontal else turned
    height_mm, width_mm = turned.shape[0] * view.spacing_mm[0], turned.shape[1] * view.spacing_mm[1]
    mm_per_px = min(view.spacing_mm)
    if longest_side_px is not None:
        mm_per_px = max(mm_per_px, max(height_mm, width_mm) / longest_side_px)
    size = (max(1, round(width_mm / mm_per_px)), max(1, round(height_mm / mm_per_px)))
    return Image.fromarray(np.ascontiguousarray(turned)).resize(size, Image.Resampling.BICUBIC)
