"""Clinical notes: text files and PDFs with text -> Note, dated by their own "Date:" line.

What this module does not know: scanned PDFs (no text layer: skipped, no OCR), what a note says.
"""

from __future__ import annotations

import re
from datetime import datetime
from pathlib import Path

import pypdf
from pypdf.errors import PyPdfError

from encoders.errors import InputError
from encoders.patient import Note, SourceLocator
from encoders.read.sniff import read_text

_DATE_LINE = re.compile(r"^\W*(?:date|dated|datum)\b[^:\n]{0,20}:\W*(.+)$", re.IGNORECASE | re.MULTILINE)
_ID_LINE = re.compile(r"^\W*(?:patient[ _-]?id|mrn|patient identifier)\W*:\W*([\w.\-]+)", re.IGNORECASE | re.MULTILINE)
_FORMATS = ("%Y-%m-%d", "%Y/%m/%d", "%d %B %Y", "%d %b %Y", "%B %d, %Y", "%b %d, %Y", "%d.%m.%Y")
HEAD_CHARACTERS = 2000
"""Date and id are looked for in this much of a note."""


def read_note(path: Path, name: str) -> Note:
    """Read one text note.

    Raises
    ------
    InputError: binary data where text is expected.
    """
    return _note(read_text(path, name), name, f"{name}")


def read_pdf(path: Path, name: str) -> Note | str:
    """Read a PDF's text; the text returned instead of a Note says why there is none.

    Raises
    ------
    InputError: the PDF cannot be opened, or is encrypted.
    """
    try:
        reader = pypdf.PdfReader(path)
        if reader.is_encrypted and not reader.decrypt(""):
            raise InputError(f"{name}: the PDF is encrypted; save it without a password.")
        text = "\n\n".join(page.extract_text() or "" for page in reader.pages).strip()
    except (PyPdfError, ValueError, KeyError, TypeError, AttributeError, OSError) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(f"{name}: the PDF cannot be read ({str(error).splitlines()[0]}); save it again.") from error
    if not text:
        return f"{name}: a PDF without text (scanned?); nothing was read from its pictures"
    return _note(text, name, f"{name}")


def note_patient_id(note: Note) -> str | None:
    """The id on a "Patient ID:" or "MRN:" line near the top; None when there is none."""
    match = _ID_LINE.search(note.text[:HEAD_CHARACTERS])
    return match.group(1) if match else None


def _note(text: str, name: str, file: str) -> Note:
    lines = [line.strip(" #*\t") for line in text.splitlines()]
    title = next((line for line in lines if line), "")[:120]
    return Note(text=text, source=SourceLocator(file), date=_date(text), title=title)


def _date(text: str) -> str | None:
    """ISO date of the first date line; day-first or month-first slashes are ambiguous and give None."""
    match = _DATE_LINE.search(text[:HEAD_CHARACTERS])
    if match is None:
        return None
    written = match.group(1).strip(" *_\t")
    iso = re.match(r"\d{4}-\d{2}-\d{2}", written)
    for form in _FORMATS:
        try:
            return datetime.strptime(iso.group() if iso else written, form).date().isoformat()
        except ValueError:
            continue
    return None
