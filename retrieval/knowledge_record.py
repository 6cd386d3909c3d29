"""What the store keeps of a document: its versions, each with where it came from and the files that hold it.

Not known here: the file system (retrieval/knowledge_store.py), the text itself.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from datetime import date
from typing import Any

from encoders import oncotree
from encoders.errors import InputError

_DATE = re.compile(r"(\d{4})(?:-(\d{2})(?:-(\d{2}))?)?")


@dataclass(frozen=True)
class Details:
    """What the person adding a document says of it; None = nothing said.

    disease : OncoTree codes the document is about; () = any disease
    date : ISO, of the document itself: 2024, 2024-05 or 2024-05-30
    """

    disease: tuple[str, ...] | None = None
    licence: str | None = None
    version: str | None = None
    date: str | None = None

    def __post_init__(self) -> None:
        for code in self.disease or ():
            oncotree.check_code(code, "--disease")
        if self.date is not None:
            check_date(self.date)
        for name in ("licence", "version"):
            if getattr(self, name) is not None and not getattr(self, name).strip():
                raise InputError(f"--{name} is empty; give it a text, or leave it out.")

    def over(self, earlier: Details) -> Details:
        """These details, and the earlier ones where nothing is said."""
        both = ((f.name, getattr(self, f.name), getattr(earlier, f.name)) for f in fields(self))
        return Details(**{name: before if mine is None else mine for name, mine, before in both})


def check_date(value: str) -> str:
    """Return an ISO date (year, month or day), or raise InputError."""
    match = _DATE.fullmatch(value)
    try:
        if match is None:
            raise ValueError
        date(int(match[1]), int(match[2] or 1), int(match[3] or 1))
    except ValueError:
        raise InputError(f"date {value!r} is not ISO; allowed: 2024, 2024-05 or 2024-05-30.") from None
    return value


@dataclass(frozen=True)
class Version:
    """One version of a document.

    sha256 : of the file read; segment : stem of its two files; sizes : their bytes; passages : how many
    file : name of the file read; path : where it was; added : ISO time in UTC
    flagged : passages with a sentence that talks to a language model; skipped : what was not read, and why
    rules : version of the splitting rule; embedder, weights_sha256 : what made the vectors
    """

    sha256: str
    title: str
    form: str
    file: str
    path: str
    added: str
    segment: str
    sizes: Mapping[str, int]
    passages: int
    flagged: int
    details: Details
    embedder: str
    weights_sha256: str
    rules: int
    skipped: tuple[str, ...] = ()
    url: str | None = None


@dataclass(frozen=True)
class DocumentRecord:
    """A document and its versions, oldest first; the last one is searched, the others are superseded."""

    document_id: str
    versions: tuple[Version, ...]

    @property
    def current(self) -> Version:
        """The version that is searched."""
        return self.versions[-1]

    def to_json(self) -> str:
        """The form on disk."""
        return json.dumps(asdict(self), ensure_ascii=False, indent=1) + "\n"

    @classmethod
    def from_json(cls, text: str, name: str) -> DocumentRecord:
        """A record from its form on disk; raises InputError where it is not one."""
        try:
            raw = json.loads(text)
            return cls(raw["document_id"], tuple(_version(v) for v in raw["versions"]))
        except (KeyError, TypeError, ValueError) as error:
            raise InputError(
                f"{name}: the record of this document cannot be read ({error}); remove the document and add it again."
            ) from error


def _version(raw: Mapping[str, Any]) -> Version:
    details = dict(raw["details"])
    disease = details.pop("disease")
    whole = Details(disease=None if disease is None else tuple(disease), **details)
    return Version(**{**raw, "details": whole, "skipped": tuple(raw["skipped"])})
