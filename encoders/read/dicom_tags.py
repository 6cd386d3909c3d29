"""Values of DICOM tags that may be absent, empty, of the wrong kind or unreadable: read as absent, never a traceback.

What this module does not know: which tags matter. A caller that needs a tag says so when it comes back absent.
"""

from __future__ import annotations

import math
import struct
import zlib
from collections.abc import Iterable

from pydicom import Dataset
from pydicom.errors import BytesLengthException, InvalidDicomError
from pydicom.multival import MultiValue

BROKEN = (
    *(ValueError, RuntimeError, AttributeError, LookupError, TypeError, OSError, EOFError, ArithmeticError),
    *(AssertionError, MemoryError, struct.error, zlib.error, InvalidDicomError, BytesLengthException),
)
"""What pydicom, its decoders and highdicom raise on files that are cut short, damaged or not decodable."""


def value(dataset: Dataset, keyword: str) -> object | None:
    """The converted value; None when the tag is absent or its bytes do not fit its type."""
    try:
        return dataset.get(keyword)
    except BROKEN:
        return None


def text(dataset: Dataset, keyword: str) -> str:
    """The value as text, stripped; "" when absent. Several values are joined by a backslash, as DICOM writes them."""
    found = value(dataset, keyword)
    if isinstance(found, MultiValue | list | tuple):
        return "\\".join(str(v) for v in found).strip()
    return "" if found is None else str(found).strip()


def texts(dataset: Dataset, keyword: str) -> tuple[str, ...]:
    """All values of a tag as text; one value (which pydicom gives bare) is a tuple of one."""
    joined = text(dataset, keyword)
    return tuple(part.strip() for part in joined.split("\\")) if joined else ()


def number(dataset: Dataset, keyword: str) -> float | None:
    """The value as a finite number; None when it is absent or not one number."""
    found = numbers(dataset, keyword, 1)
    return found[0] if found else None


def numbers(dataset: Dataset, keyword: str, count: int) -> tuple[float, ...] | None:
    """Exactly ``count`` finite numbers, or None."""
    found = value(dataset, keyword)
    if found is None or isinstance(found, bytes):
        return None
    many: Iterable = found if isinstance(found, MultiValue | list | tuple) else (found,)
    try:
        read = tuple(float(v) for v in many)
    except (TypeError, ValueError, OverflowError):
        return None
    return read if len(read) == count and all(math.isfinite(v) for v in read) else None


def whole(dataset: Dataset, keyword: str) -> int | None:
    """The value as a whole number; None when it is absent or not one."""
    found = number(dataset, keyword)
    return int(found) if found is not None and found == int(found) else None


def items(dataset: Dataset, keyword: str) -> tuple[Dataset, ...]:
    """The items of a sequence; () when it is absent or no sequence."""
    found = value(dataset, keyword)
    if found is None or isinstance(found, str | bytes) or not isinstance(found, Iterable):
        return ()
    try:
        return tuple(item for item in found if isinstance(item, Dataset))
    except BROKEN:
        return ()
