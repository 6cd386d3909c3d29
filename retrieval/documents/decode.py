"""Bytes of a text file -> its characters, saying where the file did not keep to what it declares.

Not known here: what the text means. UTF-8 read as Windows-1252 by an earlier program is not undone.
"""

from __future__ import annotations

import codecs
import unicodedata

from encoders.errors import InputError

MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
"""Byte-order marks, the longer of two that start alike first."""

MAX_CONTROL_SHARE = 0.01
"""Above this share of control characters a "text" is binary data."""


def decode_text(data: bytes, name: str, *, declared: str | None = None) -> tuple[str, tuple[str, ...]]:
    """The text, and what a user should know about its encoding.

    Tried in order: a byte-order mark, the charset the file declares, UTF-8, Windows-1252 (and then said).

    Raises
    ------
    InputError: binary data; bytes that the declared charset, or no charset tried, can read.
    """
    encoding = next((kind for mark, kind in MARKS if data.startswith(mark)), None) or declared
    said: tuple[str, ...] = ()
    try:
        text = data.decode(encoding or "utf-8")
    except LookupError as error:
        raise InputError(f"{name}: declares the charset {encoding!r}, which is not known; save it as UTF-8.") from error
    except UnicodeDecodeError as error:
        if encoding:
            raise InputError(
                f"{name}: is marked as {encoding}, but byte {error.start} is not; save it as UTF-8."
            ) from error
        text, said = _windows_1252(data, name)
    if sum(unicodedata.category(c) == "Cc" and c not in "\t\n\r\f\v" for c in text) > MAX_CONTROL_SHARE * len(text):
        raise InputError(f"{name}: holds binary data (or UTF-16 without its mark) where text is needed; save as UTF-8.")
    lost = text.count("\ufffd")
    said += (f"{lost} characters were unreadable in the file already (U+FFFD)",) if lost else ()
    return text.replace("\r\n", "\n").replace("\r", "\n"), said


def _windows_1252(data: bytes, name: str) -> tuple[str, tuple[str, ...]]:
    try:
        return data.decode("cp1252"), ("not UTF-8; read as Windows-1252, look at letters with accents",)
    except UnicodeDecodeError as error:
        raise InputError(
            f"{name}: byte {error.start} fits neither UTF-8 nor Windows-1252; save it as UTF-8."
        ) from error
