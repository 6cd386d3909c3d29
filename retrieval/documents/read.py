"""One file -> Document: the reader is chosen by the file's content, its ending only where content cannot tell.

Not known here: what is done with the text (retrieval/knowledge_add.py). Office files and pictures are refused.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from encoders.errors import InputError
from retrieval.documents.block import Document
from retrieval.documents.html_page import read_html
from retrieval.documents.markdown import read_markdown
from retrieval.documents.pdf_file import read_pdf
from retrieval.documents.plain_text import read_text_file
from retrieval.documents.records import read_jsonl, read_xml

MAX_FILE_BYTES = 512 * 1024**2
"""Largest file read; it is read into memory whole, and its text is several times that."""

READERS: dict[str, Callable[[bytes, str], Document]] = {
    ".pdf": read_pdf,
    ".html": read_html,
    ".htm": read_html,
    ".xhtml": read_html,
    ".md": read_markdown,
    ".markdown": read_markdown,
    ".txt": read_text_file,
    ".text": read_text_file,
    ".jsonl": read_jsonl,
    ".ndjson": read_jsonl,
    ".xml": read_xml,
}
"""Ending -> reader; the endings a folder is searched for."""

_SURROGATE = re.compile("[\ud800-\udfff]")
_HTML = re.compile(rb"\A\s*(?:<!--.{0,2000}?-->\s*)*<(?:!doctype\s+html|html|head|body)\b", re.IGNORECASE | re.DOTALL)


def read_document(path: Path, name: str | None = None) -> tuple[Document, bytes]:
    """The document and the bytes it was read from.

    Raises
    ------
    InputError: not there, empty, above MAX_FILE_BYTES, a form that is not read, or what its reader raises.
    """
    name = name or path.name
    try:
        size = path.stat().st_size
        if size > MAX_FILE_BYTES:
            raise InputError(
                f"{name}: {size / 1024**2:,.0f} MiB; at most {MAX_FILE_BYTES // 1024**2} MiB are read. Split the file."
            )
        data = path.read_bytes()
    except OSError as error:
        raise InputError(f"{name}: cannot be read ({error.strerror}).") from error
    if not data.strip():
        raise InputError(f"{name}: the file is empty; copy it again.")
    document = _without_surrogates(_reader(data, path.suffix.lower(), name)(data, name))
    if not any(record.blocks for record in document.records):
        raise InputError(f"{name}: holds no text; nothing can be searched in it.")
    return document, data


def _without_surrogates(document: Document) -> Document:
    """Halves of UTF-16 pairs, which JSON and PDF can hold, are no characters: replaced by U+FFFD, and counted."""
    lost = 0

    def mended(text: str) -> str:
        nonlocal lost
        lost += len(_SURROGATE.findall(text))
        return _SURROGATE.sub("\ufffd", text)

    records = tuple(
        replace(r, title=mended(r.title), record_id=mended(r.record_id) if r.record_id else r.record_id,
                blocks=tuple(replace(b, text=mended(b.text)) for b in r.blocks))
        for r in document.records
    )  # fmt: skip
    title = mended(document.title)
    if not lost:
        return document
    said = f"{lost} broken characters (half of a UTF-16 pair) replaced"
    return replace(document, title=title, records=records, skipped=(*document.skipped, said))


def _reader(data: bytes, suffix: str, name: str) -> Callable[[bytes, str], Document]:
    head = data[:4096]
    if b"%PDF-" in head[:1024]:
        return read_pdf
    if suffix != ".xml" and _HTML.match(head.removeprefix(b"\xef\xbb\xbf")):
        return read_html
    if head.removeprefix(b"\xef\xbb\xbf").lstrip().startswith(b"<?xml") and not _HTML.search(head):
        return read_xml if b"<html" not in head.lower() else read_html
    if suffix in (".json",) and _is_object(head):
        return read_jsonl
    if suffix in READERS:
        return READERS[suffix]
    raise InputError(f"{name}: the form {suffix or 'without ending'} is not read; allowed: {', '.join(READERS)}.")


def _is_object(head: bytes) -> bool:
    try:
        return isinstance(json.loads(head.split(b"\n", 1)[0]), dict)
    except ValueError:
        return False
