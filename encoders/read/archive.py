"""A zipped patient folder -> a folder, safely: no path leaves the target, and size and number of files are capped.

What this module does not know: what the files are.
"""

from __future__ import annotations

import zipfile
from pathlib import Path, PurePosixPath

from encoders.errors import InputError

MAX_BYTES = 4 * 1024**3
MAX_FILES = 20_000


def extract_archive(archive: Path, target: Path, *, max_bytes: int = MAX_BYTES, max_files: int = MAX_FILES) -> Path:
    """Unpack ``archive`` into ``target``; returns the folder that holds the files (a single top folder is entered).

    Raises
    ------
    InputError: not a zip file, an encrypted member, a path that would leave ``target``, too many or too large files.
    """
    try:
        with zipfile.ZipFile(archive) as opened:
            members = [m for m in opened.infolist() if not m.is_dir()]
            _check(members, archive.name, max_bytes, max_files)
            left = max_bytes
            for member in members:
                left -= _write(opened, member, target, left, archive.name)
    except (zipfile.BadZipFile, NotImplementedError, EOFError) as error:
        raise InputError(f"{archive.name}: not a readable zip file ({error}); zip the patient folder again.") from error
    tops = [p for p in target.iterdir() if p.name != "__MACOSX"]
    return tops[0] if len(tops) == 1 and tops[0].is_dir() else target


def _check(members: list[zipfile.ZipInfo], name: str, max_bytes: int, max_files: int) -> None:
    if len(members) > max_files:
        raise InputError(f"{name}: holds {len(members)} files; at most {max_files} are allowed.")
    size = sum(m.file_size for m in members)
    if size > max_bytes:
        raise InputError(f"{name}: unpacks to {size / 1e9:.1f} GB; at most {max_bytes / 1e9:.1f} GB are allowed.")
    for member in members:
        path = PurePosixPath(member.filename.replace("\\", "/"))
        is_link = (member.external_attr >> 16) & 0o170000 == 0o120000
        if path.is_absolute() or ".." in path.parts or ":" in member.filename or is_link:
            raise InputError(f"{name}: member {member.filename!r} would leave the folder; zip it again.")
        if member.flag_bits & 1:
            raise InputError(f"{name}: member {member.filename!r} is encrypted; zip it without a password.")


def _write(opened: zipfile.ZipFile, member: zipfile.ZipInfo, target: Path, left: int, name: str) -> int:
    """Write one member; counts the bytes that really come out, since a header may lie."""
    path = target / PurePosixPath(member.filename.replace("\\", "/"))
    path.parent.mkdir(parents=True, exist_ok=True)
    written = 0
    with opened.open(member) as source, path.open("wb") as out:
        while chunk := source.read(1 << 20):
            written += len(chunk)
            if written > left:
                raise InputError(f"{name}: unpacks to more than its header says; refused.")
            out.write(chunk)
    return written
