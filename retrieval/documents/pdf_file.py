"""PDF -> blocks with pages (pypdf), running heads and feet taken out.

Not known here: pictures (a scanned page has no text, and no OCR is run), fonts, columns set as tables. A table is
known by its tabs or gaps alone, which many PDFs do not keep: it then reads as lines.
"""

from __future__ import annotations

import io
import re
from collections import Counter
from collections.abc import Iterator, Sequence

import pypdf
from pypdf.errors import DependencyError, PyPdfError

from encoders.errors import InputError
from retrieval.documents.block import Document, Record
from retrieval.documents.plain_text import Line, blocks_of_lines

PDF_ERRORS = (
    *(PyPdfError, ValueError, KeyError, TypeError, IndexError, AttributeError, RecursionError, OSError),
    AssertionError,  # pypdf asserts what a damaged content stream breaks
)
"""What pypdf raises on files that are cut short or damaged (found by changing bytes of whole ones)."""

EDGE_LINES = 2
"""Running heads and feet stand in this many first and last lines of a page."""

MIN_PAGES_FOR_RUNNING = 3
_FILE_NAME = re.compile(r"(?i)\.(?:docx?|pdf|tex|indd|dvi)$|^(?:microsoft word|untitled)")
_NUMBER = re.compile(r"\d+")


def read_pdf(data: bytes, name: str) -> Document:
    """A PDF as one record; pages without text are named in ``skipped``.

    Raises
    ------
    InputError: encrypted, damaged, or no page has text (scanned).
    """
    try:
        reader = pypdf.PdfReader(io.BytesIO(data))
        if reader.is_encrypted and not reader.decrypt(""):
            raise InputError(f"{name}: the PDF is encrypted; save it without a password.")
        pages = [(page.extract_text() or "").split("\n") for page in reader.pages]
        headings, info = frozenset(_outline(reader.outline)), reader.metadata
    except InputError:
        raise
    except DependencyError as error:
        raise InputError(f"{name}: the PDF is encrypted with AES; save it without encryption.") from error
    except PDF_ERRORS as error:
        why = (str(error).splitlines() or [type(error).__name__])[0]
        raise InputError(f"{name}: the PDF cannot be read ({why}); save it again.") from error
    empty = [n for n, lines in enumerate(pages, start=1) if not any(line.strip() for line in lines)]
    if len(empty) == len(pages):
        raise InputError(f"{name}: none of its {len(pages)} pages has text (scanned?); run OCR on it first.")
    skipped = (f"pages without text (pictures?): {', '.join(map(str, empty))}",) if empty else ()
    lines, running = _without_running(pages)
    skipped += (f"{running} lines of running heads and feet left out",) if running else ()
    blocks = tuple(blocks_of_lines(tuple(_whole_words(lines)), headings=headings))
    title = _title(info) or (blocks[0].text.split("\n")[0][:120] if blocks else name)
    return Document(title, (Record(title, blocks),), "PDF", skipped, date=_date(info))


def _title(info: pypdf.DocumentInformation | None) -> str | None:
    """The title in the file's properties, unless it is a word processor's file name."""
    raw = info.get("/Title") if info is not None else None
    title = " ".join(raw.split()) if isinstance(raw, str) else ""
    return (
        title
        if title and not re.search(r"(?i)\.(?:docx?|pdf|tex|indd|dvi)$|^(?:microsoft word|untitled)", title)
        else None
    )


def _date(info: pypdf.DocumentInformation | None) -> str | None:
    """The modification date in the file's properties, else the creation date; None where neither can be read."""
    for raw in () if info is None else (info.get("/ModDate"), info.get("/CreationDate")):
        found = re.match(r"D?:?(\d{4})(\d{2})(\d{2})", str(raw or ""))
        if found:
            return "-".join(found.groups())
    return None


def _outline(entries: Sequence[object]) -> Iterator[str]:
    for entry in entries:
        if isinstance(entry, list):
            yield from _outline(entry)
        else:
            yield " ".join(str(getattr(entry, "title", "") or "").split()).lower()


def _without_running(pages: Sequence[Sequence[str]]) -> tuple[list[Line], int]:
    """Every line with its page, without those that return (page numbers aside) at the edge of most pages."""
    whole = [[line for line in page if line.strip()] for page in pages]
    edges = Counter(shape for page in whole for shape in {_shape(x) for x in page[:EDGE_LINES] + page[-EDGE_LINES:]})
    filled = sum(bool(page) for page in whole)
    running = {s for s, n in edges.items() if filled >= MIN_PAGES_FOR_RUNNING and n > filled / 2}
    lines: list[Line] = []
    left_out = 0
    for number, page in enumerate(pages, start=1):
        texts = [i for i, text in enumerate(page) if text.strip()]
        edge = {*texts[:EDGE_LINES], *texts[-EDGE_LINES:]}
        for i, text in enumerate(page):
            if i in edge and _shape(text) in running:
                left_out += 1
            else:
                lines.append(Line(text, page=number))
    return lines, left_out


def _shape(line: str) -> str:
    return _NUMBER.sub("#", " ".join(line.split()))


def _whole_words(lines: Sequence[Line]) -> Iterator[Line]:
    """Words cut at a line's end are joined; the hyphen stays unless the whole word stands elsewhere in the text."""
    known = set(re.findall(r"[a-z]{4,}", " ".join(line.text for line in lines).lower()))
    carried = ""
    for line, following in zip(lines, (*lines[1:], Line("")), strict=True):
        text, carried = carried + (line.text.lstrip() if carried else line.text), ""
        cut = re.search(r"(\w+)-$", text.rstrip())
        goes_on = re.match(r"\s*([a-z]+)", following.text)
        if cut and goes_on:
            joined = (cut[1] + goes_on[1]).lower()
            text, carried = text.rstrip()[: cut.start()], cut[1] + ("" if joined in known else "-")
        yield Line(text, line.page, line.line)
