"""Whether an LLM reads images, and how its card wants them windowed.

A model is taken for a vision-language model when its ``config.json`` names one of ``VISION_CLASSES``, or when its
``card.json`` has an entry ``images``:

    {"images": {"windows": {"CT": [[-1024, 1024], [-135, 215], [0, 80]]}, "longest_side_px": 896}}

One window [low, high] in the series' unit (CT: HU) gives a grey picture, three give its red, green and blue channel. A
modality without an entry is shown in the window a reader would use (assistant/slice_image.py: window_for).

Not known here: which slices are sent (assistant/key_slices.py), or whether the model understands them.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from encoders.errors import SettingsError

VISION_CLASSES = frozenset(
    {
        "Gemma3ForConditionalGeneration",  # Gemma 3 and MedGemma
        "Qwen2_5_VLForConditionalGeneration",
        "Qwen3VLForConditionalGeneration",
        "Qwen3VLMoeForConditionalGeneration",
    }
)
"""``architectures`` of transformers that read images between text parts."""

Windows = tuple[tuple[float, float], ...]


@dataclass(frozen=True)
class ImageReading:
    """windows : modality -> one or three (low, high); longest_side_px : larger pictures are made smaller, or None."""

    windows: Mapping[str, Windows] = field(default_factory=dict)
    longest_side_px: int | None = None


def read_image_reading(*folders: Path) -> ImageReading | None:
    """From the first folder whose card or config says that the model reads images; None when none does.

    Raises
    ------
    SettingsError: the card's ``images`` entry has another form.
    """
    for folder in folders:
        images = _json(folder / "card.json").get("images")
        if images is not None:
            return parse_image_reading(images, str(folder / "card.json"))
    for folder in folders:
        if VISION_CLASSES & set(_json(folder / "config.json").get("architectures") or ()):
            return ImageReading()
    return None


def parse_image_reading(images: Any, where: str) -> ImageReading:
    """The card's ``images`` entry as ImageReading; raises SettingsError for another form."""
    try:
        windows = {
            str(modality): tuple((float(low), float(high)) for low, high in pairs)
            for modality, pairs in dict(images.get("windows", {})).items()
        }
        side = images.get("longest_side_px")
        longest = None if side is None else int(side)
    except (AttributeError, TypeError, ValueError) as error:
        raise SettingsError(
            f"the entry images of {where} cannot be read ({error}); see assistant/llm/vision.py."
        ) from error
    for modality, pairs in windows.items():
        if len(pairs) not in {1, 3} or any(low >= high for low, high in pairs):
            raise SettingsError(f"images.windows.{modality} of {where} is {pairs}; allowed: one or three [low, high].")
    if longest is not None and longest < 32:
        raise SettingsError(f"images.longest_side_px of {where} is {longest}; allowed: 32 or more.")
    return ImageReading(windows, longest)


def _json(path: Path) -> dict[str, Any]:
    if not path.is_file():
        return {}
    found = json.loads(path.read_text(encoding="utf-8"))
    return found if isinstance(found, dict) else {}
