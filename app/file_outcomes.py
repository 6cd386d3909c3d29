"""What became of each file of a case: read as what, or skipped and why. Slices of one folder are one row.

Kinds come from the files' content (encoders/read/sniff.py), reasons from the reader's own words (Patient.skipped).
Not known here: what a file's values mean.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from encoders.errors import InputError
from encoders.read.sniff import FileKind, sniff

MANY = 4
"""From this many DICOM files in one folder on they are one row."""


@dataclass(frozen=True)
class FileRow:
    """name : the file, or its folder with a "/"; files : how many; outcome : "read", "read in part" or "skipped"."""

    name: str
    files: int
    read_as: str
    outcome: str
    reason: str = ""


def file_outcomes(folder: Path, skipped: Sequence[str]) -> list[FileRow]:
    """One row a file; ``skipped`` are the reader's reasons ("name: reason")."""
    rows: dict[tuple[str, str, str, str], int] = {}
    crowded = _crowded(folder)
    used: set[str] = set()
    for path in sorted(p for p in folder.rglob("*") if p.is_file()):
        name = path.relative_to(folder).as_posix()
        kind, reason = _kind(path, name)
        told = [s for s in skipped if s.startswith((f"{name}:", f"{path.name}:"))]
        used.update(told)
        outcome = "skipped" if kind in (FileKind.JUNK, FileKind.UNKNOWN) or reason else "read"
        if told:
            whole = kind is FileKind.DICOM or outcome == "skipped"
            outcome = "skipped" if whole else "read in part"
            reason = "; ".join(s.partition(":")[2].strip() for s in told)
        shown = f"{path.parent.relative_to(folder).as_posix()}/" if path.parent in crowded and not told else name
        key = (shown, str(kind), outcome, reason)
        rows[key] = rows.get(key, 0) + 1
    made = [FileRow(name, count, kind, outcome, reason) for (name, kind, outcome, reason), count in rows.items()]
    rest = [s for s in skipped if s not in used]
    return made + [FileRow(s.partition(":")[0], 0, "", "note", s.partition(":")[2].strip() or s) for s in rest]


def _crowded(folder: Path) -> set[Path]:
    """Folders that hold many files of DICOM kind."""
    counts: dict[Path, int] = {}
    for path in folder.rglob("*"):
        if path.is_file() and (path.suffix.lower() in (".dcm", ".ima", ".dicom") or not path.suffix):
            counts[path.parent] = counts.get(path.parent, 0) + 1
    return {parent for parent, count in counts.items() if count >= MANY and parent != folder}


def _kind(path: Path, name: str) -> tuple[FileKind, str]:
    try:
        found = sniff(path, name)
    except InputError as error:
        return FileKind.UNKNOWN, str(error).removeprefix(f"{name}: ")
    return found.kind, found.reason
