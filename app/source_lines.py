"""The lines of a patient's own file that an evidence rests on: the line, row or record named, with its neighbours.

The file's name comes from the report's evidence, never from who asks, and must lie in the patient's folder. Text files
only; a page, a slice or a table row kept in this program opens elsewhere.
Not known here: HTTP (app/routes/viewer.py). NOT checked: that the file is still what the report was made from.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from encoders.errors import InputError
from encoders.read.sniff import read_text

AROUND = 3
"""Lines shown before and after the one named."""

MAX_LINES, MAX_CHARACTERS = 60, 600
MAX_BYTES = 8 * 1024**2

_NUMBERED = re.compile(r"\b(?:line|row) (\d+)\b")
_RESOURCE = re.compile(r"^([A-Z][A-Za-z]+)/(\S+)")


@dataclass(frozen=True)
class SourceLine:
    """One line of a file. number : from 1; hit : it is what the evidence names."""

    number: int
    text: str
    hit: bool


@dataclass(frozen=True)
class SourceExcerpt:
    """Lines of one file. about : what is shown, in words; lines may be empty, and ``about`` then says why."""

    file: str
    place: str
    about: str
    lines: tuple[SourceLine, ...] = ()


def source_excerpt(evidence: Mapping[str, Any], folder: Path) -> SourceExcerpt:
    """What the evidence's source holds.

    Raises
    ------
    InputError: the source is no file of the patient's folder.
    """
    source = evidence["source"]
    name, place = str(source.get("file") or ""), str(source.get("place") or "")
    path = (folder / name).resolve()
    if not name or not path.is_relative_to(folder.resolve()) or not path.exists():
        raise InputError(f"evidence {evidence['id']} was not read from a file of this case; its source says where.")
    if path.is_dir():
        return SourceExcerpt(name, place, "a folder of images; open it in the viewer")
    if path.stat().st_size > MAX_BYTES:
        return SourceExcerpt(name, place, f"the file is larger than {MAX_BYTES // 1024**2} MiB and is not shown here")
    text = _text(path)
    if text is None:
        return SourceExcerpt(name, place, "not a text file; its place is named above")
    if resource := _resource(text, place):
        return SourceExcerpt(name, place, "the record's own entry", _all(resource))
    lines = text.splitlines()
    quote = str((evidence.get("fields") or {}).get("quote", {}).get("display") or "")
    hits = _hits(lines, place, quote)
    if hits:
        return SourceExcerpt(name, place, "", _around(lines, hits))
    return SourceExcerpt(name, place, "the start of the file; the place is not a single line", _first(lines))


def _text(path: Path) -> str | None:
    if b"\0" in path.read_bytes()[:4096]:
        return None
    try:
        return read_text(path, path.name)
    except InputError:
        return None  # not text: said to the reader by the caller


def _hits(lines: list[str], place: str, quote: str) -> set[int]:
    """Indices of the lines named or quoted."""
    numbered = {int(n) - 1 for n in _NUMBERED.findall(place)}
    if numbered:
        return {i for i in numbered if 0 <= i < len(lines)}
    words = " ".join(quote.split())
    if not words:
        return set()
    return {i for i, line in enumerate(lines) if (said := " ".join(line.split())) and (said in words or words in said)}


def _around(lines: list[str], hits: set[int]) -> tuple[SourceLine, ...]:
    shown = {i for hit in hits for i in range(max(0, hit - AROUND), min(len(lines), hit + AROUND + 1))}
    if "\t" in lines[min(hits)]:
        shown |= {i for i in range(min(3, len(lines))) if "\t" in lines[i]}  # a table's header names the columns
    return tuple(SourceLine(i + 1, lines[i][:MAX_CHARACTERS], i in hits) for i in sorted(shown)[:MAX_LINES])


def _first(lines: list[str]) -> tuple[SourceLine, ...]:
    return tuple(SourceLine(i + 1, line[:MAX_CHARACTERS], False) for i, line in enumerate(lines[:12]))


def _all(text: str) -> tuple[SourceLine, ...]:
    lines = text.splitlines()[:MAX_LINES]
    return tuple(SourceLine(i + 1, line[:MAX_CHARACTERS], True) for i, line in enumerate(lines))


def _resource(text: str, place: str) -> str:
    """The FHIR resource that a place such as "Observation/ecog" names, as JSON; "" where it names none."""
    named = _RESOURCE.match(place)
    if named is None:
        return ""
    try:
        bundle = json.loads(text)
    except ValueError:
        return ""
    entries = bundle.get("entry", ()) if isinstance(bundle, dict) else ()
    for entry in entries if isinstance(entries, list) else ():
        held = entry.get("resource", {}) if isinstance(entry, dict) else {}
        if isinstance(held, dict) and (held.get("resourceType"), held.get("id")) == (named[1], named[2]):
            return json.dumps(held, indent=1, ensure_ascii=False)
    return ""
