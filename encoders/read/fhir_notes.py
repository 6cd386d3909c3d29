"""FHIR DocumentReference with its text inside (base64 text/plain) -> Note.

What this module does not know: attachments by url (never fetched), HTML and PDF attachments.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Sequence

from encoders.patient import Note
from encoders.read.fhir_fields import Resource, display


def read_documents(documents: Sequence[Resource]) -> tuple[Note, ...]:
    """Notes whose text stands in the record itself."""
    notes = []
    for document in documents:
        title = display(document.data.get("type")) or str(document.data.get("description") or "")
        for content in document.list("content"):
            attachment = content.get("attachment") or {}
            text = _text(attachment) if isinstance(attachment, dict) else None
            if text:
                notes.append(
                    Note(text, document.place(), date=document.date("date", "created", "indexed"), title=title)
                )
    return tuple(notes)


def _text(attachment: dict[str, object]) -> str | None:
    kind = str(attachment.get("contentType", "text/plain")).split(";")[0]
    data = attachment.get("data")
    if kind != "text/plain" or not isinstance(data, str):
        return None
    try:
        return base64.b64decode(data, validate=False).decode("utf-8", errors="replace").strip() or None
    except (binascii.Error, ValueError):
        return None
