"""What a series shows, as far as the image encoder tells series apart.

What this module does not know: pixels, body regions, which of several series is read (encoders/series_choice.py).
"""

from __future__ import annotations

from encoders.patient import ImagingModality, ImagingSeries

SERIES_KINDS: tuple[str, ...] = ("CT", "PT", "MR contrast", "MR FLAIR", "MR other")
"""What a series shows, as far as the encoder tells series apart; its index is the role embedding's row."""

_CONTRAST_WORDS = ("post", "contrast", "dce", "gad", "+c", "t1c", "t1ce")


def series_kind(series: ImagingSeries) -> int:
    """Index into ``SERIES_KINDS`` from the modality and, for MR, the words of ``role``."""
    if series.modality is not ImagingModality.MR:
        return SERIES_KINDS.index(series.modality.value)
    role = series.role.lower()
    if "flair" in role:
        return SERIES_KINDS.index("MR FLAIR")
    if any(word in role for word in _CONTRAST_WORDS):
        return SERIES_KINDS.index("MR contrast")
    return SERIES_KINDS.index("MR other")
