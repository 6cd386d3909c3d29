"""Names, ids and dates of birth in texts and FHIR resources: found, counted, masked. Never printed.

What is looked for is what the folder itself gives away (the DICOM patient, FHIR Patient and Practitioner, labelled
lines such as "Patient name: ..."), and e-mail addresses and labelled telephone and record numbers.
NOT found: a name that stands nowhere else in the folder and has no label, nicknames, relatives, places, employers,
misspellings, dates other than the birth. A name that is also a word ("May") is masked everywhere.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
import unicodedata
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import date
from typing import Any

MIN_NAME, MIN_ID = 3, 4
TITLES = frozenset(("mrs", "miss", "prof", "doctor", "von", "van", "der", "den", "anon", "anonymous", "unknown", "none",
                    "patient", "test", "name"))  # fmt: skip
"""Parts of names that say nothing; masking them would only harm the text."""

NAME, PERSON_ID, BIRTH, CONTACT = "[name]", "[id]", "[date of birth]", "[contact]"
MONTHS = ("january", "february", "march", "april", "may", "june", "july", "august", "september", "october",
          "november", "december")  # fmt: skip

EMAIL = re.compile(r"[\w.+-]+@[\w-]+(?:\.[\w-]+)+")
PHONE = re.compile(
    r"(?i)\b((?:tel|phone|telephone|mobile|fax)(?:\s*(?:no|number))?\.?\s*[:#]?\s*)(\+?\d[\d ()/.-]{5,}\d)"
)
RECORD_NUMBER = re.compile(
    r"(?i)\b((?:mrn|ssn|(?:nhs|hospital|insurance)\s*(?:no|number)|nhs)\.?\s*[:#]?\s*)([A-Z]*\d[\w-]{3,})"
)
LABELLED_NAME = re.compile(
    r"(?im)^(\s*(?:patient(?:'s)? name|name of patient|surname|family name|first name|given name|"
    r"referring (?:physician|doctor)|dictated by|signed by)\s*:\s*)(\S[^\n]*)$"
)
BORN = re.compile(
    r"(?i)\b((?:dob|d\.o\.b\.|date of birth|born(?: on)?)\s*[:.]?\s*)"
    r"(\d{4}-\d{2}-\d{2}|\d{1,2}[./-]\d{1,2}[./-]\d{2,4}|\d{1,2} [A-Za-z]{3,9} \d{4}|[A-Za-z]{3,9} \d{1,2},? \d{4})"
)


@dataclass
class Identities:
    """What a folder says of who its patient and staff are."""

    names: set[str] = field(default_factory=set)
    ids: set[str] = field(default_factory=set)
    births: set[str] = field(default_factory=set)
    """ISO dates."""

    def add_name(self, name: str) -> None:
        """Add the parts of a name, DICOM's ("DOE^JANE") or any other."""
        for part in re.split(r"[\^=,;\s]+", name):
            plain = part.strip("-.'").lower()
            if len(plain) >= MIN_NAME and plain not in TITLES and not any(c.isdigit() for c in plain):
                self.names.add(plain)

    def add_id(self, text: str) -> None:
        """Add a patient's id."""
        if text.strip():
            self.ids.add(text.strip())

    def add_birth(self, text: str) -> None:
        """Add a date of birth, YYYYMMDD or YYYY-MM-DD; anything else is left out."""
        digits = text.replace("-", "")
        if re.fullmatch(r"\d{8}", digits):
            self.births.add(f"{digits[:4]}-{digits[4:6]}-{digits[6:]}")


class Masker:
    """Masks a folder's names, ids and dates of birth in its texts; ``patient(id)`` gives an id's pseudonym."""

    def __init__(self, known: Identities, patient: Callable[[str], str]) -> None:
        self._patient = patient
        self.exact_ids = {i.lower(): patient(i) for i in known.ids}
        long_ids = [i for i in known.ids if len(i) >= MIN_ID]
        self._ids = _any_of(long_ids, r"(?<![A-Za-z0-9])", r"(?![A-Za-z0-9])")
        names = {n for name in known.names for n in (name, _plain(name))}
        self._names = _any_of(names, r"(?<!\w)", r"(?!\w)")
        self._births = _any_of([form for day in known.births for form in _written(day)], r"(?<!\d)", r"(?!\d)")

    def mask(self, text: str) -> tuple[str, dict[str, int]]:
        """The text without them, and how many of each kind there were."""
        counts = dict.fromkeys(("names", "ids", "births", "contacts"), 0)

        def sub(kind: str, pattern: re.Pattern[str] | None, put: str | Callable[[re.Match[str]], str]) -> None:
            nonlocal text
            if pattern is not None:
                text, found = pattern.subn(put if callable(put) else lambda _: put, text)
                counts[kind] += found

        sub("contacts", EMAIL, CONTACT)  # before the names: an address is made of one
        sub("contacts", PHONE, lambda m: m.group(1) + CONTACT)
        sub("ids", self._ids, lambda m: self._patient(m.group(0)))
        sub("births", BORN, lambda m: m.group(1) + BIRTH)
        sub("births", self._births, BIRTH)
        sub("names", LABELLED_NAME, lambda m: m.group(1) + NAME)
        sub("names", self._names, NAME)
        sub("ids", RECORD_NUMBER, lambda m: m.group(1) + PERSON_ID)
        return text, counts


def _any_of(words: Iterable[str], before: str, after: str) -> re.Pattern[str] | None:
    ordered = sorted({w for w in words if w}, key=lambda w: (-len(w), w))
    return re.compile(before + "(?:" + "|".join(map(re.escape, ordered)) + ")" + after, re.I) if ordered else None


def _plain(text: str) -> str:
    return "".join(c for c in unicodedata.normalize("NFKD", text) if not unicodedata.combining(c))


def _written(day: str) -> Iterator[str]:
    """How people write one date."""
    try:
        found = date.fromisoformat(day)
    except ValueError:
        return
    y, m, d = found.year, found.month, found.day
    yield from (f"{y:04}{m:02}{d:02}", day)
    for separator in "./-":
        for first, second in ((d, m), (m, d)):
            yield from (f"{first:02}{separator}{second:02}{separator}{y}", f"{first}{separator}{second}{separator}{y}")
    for month in (MONTHS[m - 1], MONTHS[m - 1][:3], f"{MONTHS[m - 1][:3]}."):
        yield from (f"{d} {month} {y}", f"{month} {d}, {y}", f"{month} {d} {y}", f"{d:02} {month} {y}")


PEOPLE = ("Patient", "RelatedPerson", "Person", "Practitioner")
PLACES = ("Organization", "Location", "HealthcareService")
DROPPED = ("name", "address", "telecom", "photo", "contact", "alias", "communication", "qualification", "link")
KEPT_EXTENSIONS = ("us-core-race", "us-core-ethnicity", "us-core-birthsex", "us-core-sex")
SIDECAR_KEYS = re.compile(r"(?i)^(patient'?s?|other|referring|performing|operators?|institution|station|deviceserial).*"
                          r"(name|address|birth|phone|telecom|serialnumber|department|id)")  # fmt: skip


def fhir_identities(found: Any, into: Identities) -> None:
    """Collect names, ids and dates of birth from FHIR resources (parsed JSON)."""
    for resource in _resources(found):
        kind = resource.get("resourceType")
        if kind in PEOPLE:
            for name in _dicts(resource.get("name")):
                for part in (name.get("text"), name.get("family"), *_texts(name.get("given"))):
                    into.add_name(part if isinstance(part, str) else "")
        if kind == "Patient":
            into.add_id(str(resource.get("id", "")))
            into.add_birth(str(resource.get("birthDate", "")))
            for identifier in _dicts(resource.get("identifier")):
                into.add_id(str(identifier.get("value", "")))


def clean_json(found: Any, masker: Masker, counts: dict[str, int]) -> Any:
    """FHIR resources, a record or an image's sidecar without what says who somebody is; ``counts`` grows."""
    if isinstance(found, list):
        return [clean_json(item, masker, counts) for item in found]
    if isinstance(found, str):
        return _clean_text(found, masker, counts)
    if not isinstance(found, dict):
        return found
    kept = {k: v for k, v in found.items() if not _is_dropped(k, found)}
    counts["fields"] = counts.get("fields", 0) + len(found) - len(kept)
    made: dict[str, Any] = {}
    for key, value in kept.items():
        if key == "birthDate" and isinstance(value, str):
            made[key] = value[:4]
        elif key == "data" and "contentType" in found and isinstance(value, str):
            cleaned = _clean_attachment(str(found["contentType"]), value, masker, counts)
            if cleaned is not None:
                made[key] = cleaned
        else:
            made[key] = clean_json(value, masker, counts)
    return made


def _is_dropped(key: str, inside: dict[str, Any]) -> bool:
    kind = inside.get("resourceType")
    if (kind in PEOPLE or kind in PLACES) and key in DROPPED:
        return True
    if key == "text" and isinstance(inside[key], dict) and "div" in inside[key]:
        return True  # the narrative repeats the names
    if key == "display" and re.match(
        r"(Patient|RelatedPerson|Practitioner|Organization)", str(inside.get("reference", ""))
    ):
        return True
    if kind == "Patient" and key == "extension":
        return not any(kept in json.dumps(inside[key]) for kept in KEPT_EXTENSIONS)
    return SIDECAR_KEYS.match(key) is not None and not isinstance(inside[key], dict | list) and key != "patient_id"


def _clean_text(text: str, masker: Masker, counts: dict[str, int]) -> str:
    head, _, tail = text.rpartition("/")
    pseudonym = masker.exact_ids.get(tail.strip().lower())
    if pseudonym is not None and (not head or head.endswith("Patient")):
        counts["ids"] = counts.get("ids", 0) + 1
        return f"{head}/{pseudonym}" if head else pseudonym
    masked, found = masker.mask(text)
    for kind, n in found.items():
        counts[kind] = counts.get(kind, 0) + n
    return masked


def _clean_attachment(content_type: str, data: str, masker: Masker, counts: dict[str, int]) -> str | None:
    """A note inside a resource; None (and counted) for a PDF or picture, which cannot be cleaned."""
    try:
        text = base64.b64decode(data, validate=False).decode("utf-8")
    except (binascii.Error, UnicodeDecodeError):
        text = ""
    if not content_type.startswith("text/") or not text:
        counts["attachments_left_out"] = counts.get("attachments_left_out", 0) + 1
        return None
    return base64.b64encode(_clean_text(text, masker, counts).encode()).decode()


def _resources(found: Any) -> Iterator[dict[str, Any]]:
    for item in _dicts(found):
        yield item
        for entry in _dicts(item.get("entry")):
            yield from _resources(entry.get("resource"))
        yield from _resources(item.get("contained"))


def _dicts(found: Any) -> list[dict[str, Any]]:
    many = found if isinstance(found, list) else [found]
    return [item for item in many if isinstance(item, dict)]


def _texts(found: Any) -> list[str]:
    return [item for item in found if isinstance(item, str)] if isinstance(found, list) else []
