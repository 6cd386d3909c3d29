"""What is this file? Decided by its content; a name is used only to set apart junk and empty files.

What this module does not know: whether the file's values make sense, or whose they are.
"""

from __future__ import annotations

import fnmatch
import gzip
import json
import re
import zlib
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from encoders.errors import InputError
from encoders.read.table import Header, gene_column, split_header

HEAD_BYTES = 262_144
"""How much of a file is looked at; a JSON file is parsed whole."""

JUNK_NAMES = (
    *("readme*", "license*", "licence*", "copying*", "changelog*", "source.md", "checksums*", "manifest.txt"),
    *(".*", "thumbs.db", "desktop.ini", "__macosx"),
)
"""File names that are never medical data (compared in lower case)."""

DATA_SUFFIXES = frozenset(
    (".dcm", ".dicom", ".ima", ".nii", ".gz", ".maf", ".vcf", ".tsv", ".csv", ".json", ".ndjson", ".pdf")
)
"""An empty file with one of these endings was meant as data, so it is an error rather than junk."""

RECORD_KEYS = frozenset(("patient_id", "oncotree_code", "diagnosis", "ecog", "age_years", "treatments"))


class FileKind(StrEnum):
    """Every kind of file Radomica tells apart."""

    DICOM = "DICOM"
    NIFTI = "NIfTI"
    MAF = "MAF"
    VCF = "VCF"
    EXPRESSION = "expression table"
    COPY_NUMBER = "copy-number table"
    FUSIONS = "fusion table"
    FHIR = "FHIR"
    RECORD = "JSON record"
    NOTE = "text"
    PDF = "PDF"
    SIDECAR = "NIfTI sidecar"
    TABLE_META = "cBioPortal meta file"
    JUNK = "not patient data"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class Sniffed:
    """A file's kind, and for JUNK and UNKNOWN the reason it is not read."""

    kind: FileKind
    reason: str = ""


def sniff(path: Path, name: str) -> Sniffed:
    """Tell what ``path`` holds; ``name`` is how the file is called in messages.

    Raises
    ------
    InputError: an empty file that was meant as data, a broken gzip or JSON file.
    """
    if any(fnmatch.fnmatch(path.name.lower(), pattern) for pattern in JUNK_NAMES):
        return Sniffed(FileKind.JUNK, "not patient data")
    if path.stat().st_size == 0:
        if path.suffix.lower() in DATA_SUFFIXES:
            raise InputError(f"{name}: the file has 0 bytes; export or copy it again, or remove it from the folder.")
        return Sniffed(FileKind.JUNK, "the file is empty")
    try:
        with path.open("rb") as handle:
            head = handle.read(HEAD_BYTES)
    except OSError as error:
        raise InputError(f"{name}: the file cannot be opened ({error.strerror}); check its permissions.") from error
    if head[:2] == b"\x1f\x8b":
        head = _unzipped_head(path, name)
    return _by_magic(head) or _by_text(path, head, name)


def read_text(path: Path, name: str) -> str:
    """The whole file as text, unzipped when it is gzip.

    Raises
    ------
    InputError: broken gzip data, or binary content.
    """
    data = path.read_bytes()
    if data[:2] == b"\x1f\x8b":
        try:
            data = gzip.decompress(data)
        except (OSError, EOFError, zlib.error) as error:
            raise InputError(f"{name}: gzip data is broken ({error}); copy the file again.") from error
    text = decode(data)
    if text is None:
        raise InputError(f"{name}: holds binary data where text is needed; export it again.")
    return text


def decode(data: bytes) -> str | None:
    """Text of ``data`` in UTF-8, UTF-16 (with its mark) or Windows-1252; None when it is binary."""
    if data[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return data.decode("utf-16", errors="replace")
    if b"\x00" in data:
        return None
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        if error.start >= len(data) - 4 and error.reason == "unexpected end of data":
            return data[: error.start].decode("utf-8-sig")
        return data.decode("cp1252", errors="replace")


def _unzipped_head(path: Path, name: str) -> bytes:
    try:
        with gzip.open(path) as handle:
            return handle.read(HEAD_BYTES)
    except (OSError, EOFError, zlib.error) as error:
        raise InputError(f"{name}: gzip data is broken ({error}); copy the file again.") from error


def _by_magic(head: bytes) -> Sniffed | None:
    """Kinds that begin with fixed bytes; None when the head says nothing."""
    if head[128:132] == b"DICM" or _is_bare_dicom(head):
        return Sniffed(FileKind.DICOM)
    if head[344:348] in (b"n+1\x00", b"ni1\x00") or head[4:8] == b"n+2\x00":
        return Sniffed(FileKind.NIFTI)
    if head[:1024].lstrip()[:5] == b"%PDF-":
        return Sniffed(FileKind.PDF)
    if head[:4] == b"PK\x03\x04":
        return Sniffed(FileKind.UNKNOWN, "a zip or Office file; unpack it, or save it as text or PDF")
    if head[:4] == b"NRRD":
        return Sniffed(FileKind.UNKNOWN, "NRRD image; convert it to DICOM or NIfTI")
    return None


_DICOM_VRS = frozenset((b"UL", b"UI", b"OB", b"CS", b"DA", b"TM", b"SH", b"LO", b"AE", b"DT", b"PN", b"SQ"))
_MOST_BARE_LENGTH = 1024


def _is_bare_dicom(head: bytes) -> bool:
    """Whether the file begins with a DICOM element of group 2 or 8, without the preamble."""
    if len(head) < 8:
        return False
    for order in ("little", "big"):
        group, element = (int.from_bytes(head[i : i + 2], order) for i in (0, 2))
        if group in (0x0002, 0x0008) and element <= 0x0100:
            explicit = head[4:6] in _DICOM_VRS
            implicit = order == "little" and 0 < int.from_bytes(head[4:8], "little") <= _MOST_BARE_LENGTH
            if explicit or implicit:
                return True
    return False


def _by_text(path: Path, head: bytes, name: str) -> Sniffed:
    text = decode(head)
    if text is None:
        return Sniffed(FileKind.UNKNOWN, "a binary file of an unknown format")
    if text.startswith("##fileformat=VCF"):
        return Sniffed(FileKind.VCF)
    if text.lstrip()[:1] in ("{", "["):
        return _json_kind(path, name)
    return table_kind(text) or Sniffed(FileKind.NOTE)


def _json_kind(path: Path, name: str) -> Sniffed:
    text = read_text(path, name)
    try:
        content = json.loads(text)
    except json.JSONDecodeError as error:
        lines = [line for line in text.splitlines() if line.strip()]
        if len(lines) > 1 and lines[0].strip().endswith("}") and '"resourceType"' in lines[0]:
            return Sniffed(FileKind.FHIR)
        if path.suffix.lower() not in (".json", ".ndjson") and '"resourceType"' not in text:
            return Sniffed(FileKind.NOTE)
        raise InputError(
            f"{name}: not valid JSON, line {error.lineno} ({error.msg}); the file may be cut short. Export it again."
        ) from error
    return _content_kind(content, path)


def _content_kind(content: object, path: Path) -> Sniffed:
    first = content[0] if isinstance(content, list) and content else content
    if not isinstance(first, dict):
        return Sniffed(FileKind.UNKNOWN, "JSON that is neither FHIR nor a patient record")
    if "resourceType" in first:
        return Sniffed(FileKind.FHIR)
    if RECORD_KEYS & set(first):
        return Sniffed(FileKind.RECORD)
    if list(path.parent.glob(f"{path.stem}.nii*")):
        return Sniffed(FileKind.SIDECAR)
    return Sniffed(
        FileKind.UNKNOWN,
        f"JSON that is neither FHIR (no resourceType) nor a patient record (none of: {', '.join(sorted(RECORD_KEYS))})",
    )


_FUSION_PAIRS = (
    ("leftgene", "rightgene"),
    ("gene5", "gene3"),
    ("genea", "geneb"),
    ("gene1", "gene2"),
    ("site1_hugo_symbol", "site2_hugo_symbol"),
)
_COPY_NUMBER_COLUMNS = frozenset(
    ("call", "copy_number_alteration", "log2", "log2_ratio", "log2ratio", "copies", "copy_number", "cytoband", "cna")
)


def table_kind(text: str) -> Sniffed | None:
    """The kind of a tab- or comma-separated table, by its column names and values; None when it is no table."""
    lines = text.splitlines()
    if any(line.startswith("genetic_alteration_type:") for line in lines[:30]):
        return Sniffed(FileKind.TABLE_META)
    header = split_header(lines)
    if header is None:
        return None
    columns = {c.lower().strip().replace(" ", "_") for c in header.columns}
    if any(a in columns and b in columns for a, b in _FUSION_PAIRS) or columns & {"fusionname", "fusion"}:
        return Sniffed(FileKind.FUSIONS)
    if "hugo_symbol" in columns and "variant_classification" in columns:
        return Sniffed(FileKind.MAF)
    return _gene_table_kind(header, columns)


def _gene_table_kind(header: Header, columns: set[str]) -> Sniffed:
    if gene_column(header.columns) is None:
        return Sniffed(FileKind.UNKNOWN, f"a table of no known kind (columns: {', '.join(header.columns[:6])})")
    if len(header.columns) > _MOST_TEXT_COLUMNS and not columns & UNIT_NAMES and not _any_number(header.rows):
        return Sniffed(FileKind.UNKNOWN, f"a table of genes and text (columns: {', '.join(header.columns[:6])})")
    if columns & _COPY_NUMBER_COLUMNS or _all_discrete(header.rows):
        return Sniffed(FileKind.COPY_NUMBER)
    return Sniffed(FileKind.EXPRESSION)


_MOST_TEXT_COLUMNS = 3
"""A gene table up to this wide was meant to hold values, so text in it is an error for its reader to name."""
UNIT_NAMES = frozenset(("tpm", "tpm_unstranded", "fpkm", "fpkm_unstranded", "count", "counts", "unstranded", "value"))


def _any_number(rows: tuple[tuple[str, ...], ...]) -> bool:
    return any(re.fullmatch(r"[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?", c.strip()) for row in rows for c in row[1:])


def _all_discrete(rows: tuple[tuple[str, ...], ...]) -> bool:
    """Whether the last filled column holds only GISTIC calls -2..2, some of them negative."""
    values = [next((cell for cell in reversed(row) if cell.strip()), "") for row in rows]
    return bool(values) and set(values) <= {"-2", "-1", "0", "1", "2"} and bool({"-2", "-1"} & set(values))
