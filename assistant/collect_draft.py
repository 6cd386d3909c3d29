"""Drafts: evidence before it has an id, and the display forms all collectors share.

A display is what a reader sees, unit included ("38 mm", "0.74", "62 %", "62nd percentile"); a claim that
references a field prints exactly this, so every form lives here once.

Not known here: what is worth collecting (the other collect_* files) or what is kept (collect.py).
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from assistant.evidence import EvidenceSource, Field
from encoders.patient import SourceLocator
from retrieval.instruction_like import INSTRUCTION_LIKE

REMOVED = "(instruction-like text removed)"


@dataclass(frozen=True)
class Draft:
    """One fact without an id. ``group`` is the type whose cap applies; ``label`` names it in ``left_out``."""

    type: str
    text: str
    fields: Mapping[str, Field]
    source: EvidenceSource = field(default_factory=EvidenceSource)
    rank: float = 0.0
    perceived: tuple[str, ...] = ()
    perceived_from: str | None = None
    label: str = ""


def word(value: str) -> Field:
    """A field whose display is its value."""
    return Field(value=value, display=value)


def listed(values: Sequence[str]) -> Field:
    """Several words, joined by commas."""
    return Field(value=tuple(values), display=", ".join(values))


def quantity(value: float, unit: str | None, *, digits: int = 1) -> Field:
    """A number with its unit; "%" is set off by a space as in "62 %"."""
    number = f"{value:.{digits}f}"
    if digits and number == f"{-0.0:.{digits}f}":
        number = f"{0.0:.{digits}f}"
    return Field(value=round(float(value), max(digits, 0)), display=f"{number} {unit}" if unit else number, unit=unit)


def plain_number(value: float) -> str:
    """The shortest form that keeps what was reported: 4.0 -> "4", 4.25 -> "4.25"."""
    return f"{value:.4g}" if abs(value) < 1e4 else f"{value:.0f}"


def percent(fraction: float) -> Field:
    """A fraction shown as a whole percentage."""
    return Field(value=round(float(fraction), 2), display=f"{100 * fraction:.0f} %", unit="%")


def percent_range(low: float, high: float) -> Field:
    """A range of fractions: "61 % to 83 %"."""
    return Field(value=f"{low:.2f}-{high:.2f}", display=f"{100 * low:.0f} % to {100 * high:.0f} %", unit="%")


def ordinal(number: int) -> str:
    """1 -> "1st", 62 -> "62nd", 13 -> "13th"."""
    if number % 100 in (11, 12, 13):
        return f"{number}th"
    return f"{number}{ {1: 'st', 2: 'nd', 3: 'rd'}.get(number % 10, 'th') }"


def located(source: SourceLocator | None, **extra: str | int | None) -> EvidenceSource:
    """A patient file locator as an evidence source."""
    if source is None:
        return EvidenceSource(**extra)  # type: ignore[arg-type]
    return EvidenceSource(file=source.file, place=source.place or None, **extra)  # type: ignore[arg-type]


def sentence(text: str) -> str:
    """Upper-case first letter and one full stop."""
    text = " ".join(text.split()).rstrip(" .;")
    return f"{text[:1].upper()}{text[1:]}." if text else ""


def neutralise(text: str, *, limit: int = 240) -> str:
    """Text from a patient document, made safe to show a model and to quote.

    Control and zero-width characters go, brackets that could look like references, citations or chat
    delimiters become parentheses, sentences that talk to a language model are replaced, length is bounded.
    """
    text = unicodedata.normalize("NFKC", text)
    text = "".join(c if unicodedata.category(c)[0] != "C" else " " for c in text)
    text = text.translate(
        str.maketrans({"{": "(", "}": ")", "[": "(", "]": ")", "<": "(", ">": ")", "|": "/", "`": "'"})
    )
    text = re.sub(r"#{2,}|={3,}|-{3,}", " ", text)
    kept = [REMOVED if INSTRUCTION_LIKE.search(s) else s for s in re.split(r"(?<=[.!?])\s+", " ".join(text.split()))]
    text = " ".join(s for i, s in enumerate(kept) if s and not (s == REMOVED and i and kept[i - 1] == REMOVED))
    if len(text) <= limit:
        return text
    cut = text[:limit].rsplit(" ", 1)[0]
    return f"{cut} ..."
