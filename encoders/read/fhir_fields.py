"""Small accessors over FHIR JSON: codings, displays, dates, references. Tolerant on read, never guessing.

What this module does not know: which resource means what.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from encoders.patient import SourceLocator

_DAY = re.compile(r"^\d{4}(-\d{2}(-\d{2})?)?")


def iso_day(value: object) -> str | None:
    """The date part of a FHIR date or dateTime; None when it is none."""
    match = _DAY.match(value) if isinstance(value, str) else None
    return match.group() if match else None


def codings(concept: object) -> list[Mapping[str, str]]:
    """The codings of a CodeableConcept (or of a list of them)."""
    if isinstance(concept, list):
        return [c for item in concept for c in codings(item)]
    if isinstance(concept, dict):
        return [c for c in concept.get("coding", []) if isinstance(c, dict)]
    return []


def codes(concept: object) -> list[str]:
    """The code strings of a CodeableConcept."""
    return [str(c["code"]) for c in codings(concept) if c.get("code")]


def display(concept: object) -> str | None:
    """What a person would read: a coding's display, else the text, else the code."""
    if isinstance(concept, list):
        return next((d for d in map(display, concept) if d), None)
    if not isinstance(concept, dict):
        return None
    shown = next((str(c["display"]) for c in codings(concept) if c.get("display")), None)
    return shown or concept.get("text") or next(iter(codes(concept)), None)


@dataclass(frozen=True)
class Resource:
    """One FHIR resource and the file it came from."""

    data: Mapping[str, Any]
    file: str

    @property
    def type(self) -> str:
        return str(self.data.get("resourceType", ""))

    @property
    def id(self) -> str:
        return str(self.data.get("id", ""))

    def place(self, field: str = "") -> SourceLocator:
        """Where this resource (or one field of it) stands."""
        return SourceLocator(self.file, f"{self.type}/{self.id}" + (f" {field}" if field else ""))

    def list(self, field: str) -> list[Mapping[str, Any]]:
        """A repeating field as a list of objects; one object counts as a list of one."""
        value = self.data.get(field)
        items = value if isinstance(value, list) else [value]
        return [i for i in items if isinstance(i, dict)]

    def has_profile(self, *parts: str) -> bool:
        """Whether meta.profile names one of these (parts of) profiles."""
        profiles = (self.data.get("meta") or {}).get("profile") or []
        return any(part in str(profile) for profile in profiles for part in parts)

    def extension(self, part: str) -> Mapping[str, Any] | None:
        """The first extension whose url holds ``part``."""
        return next((e for e in self.list("extension") if part in str(e.get("url", ""))), None)

    def date(self, *fields: str) -> str | None:
        """The first of these date fields that is filled (a Period gives its start)."""
        for field in fields:
            value = self.data.get(field)
            found = iso_day(value.get("start")) if isinstance(value, dict) else iso_day(value)
            if found:
                return found
        return None

    def subject(self) -> str | None:
        """The id in subject (or DSTU2's patient): "Patient/42" and "urn:uuid:42" give "42"."""
        reference = self.data.get("subject") or self.data.get("patient") or {}
        text = str(reference.get("reference", "")) if isinstance(reference, dict) else ""
        return re.split(r"[/:]", text)[-1] or None

    def is_synthetic(self) -> bool:
        """Whether meta.tag marks the resource as made-up data (HTEST, or a tag that says synthetic)."""
        tags = (self.data.get("meta") or {}).get("tag") or []
        return any(t.get("code") == "HTEST" or "synthetic" in str(t).lower() for t in tags if isinstance(t, dict))

    def refuted(self) -> bool:
        """Whether the record itself withdraws the resource."""
        status = [*codes(self.data.get("verificationStatus")), str(self.data.get("status", ""))]
        return bool({"entered-in-error", "refuted", "cancelled", "not-taken", "not-done"} & set(status))
