"""A DICOMDIR: which of the files it lists are not in the folder.

The images are found by walking the folder, so a DICOMDIR is never needed to read them; it shows what was lost.

What this module does not know: what the listed files hold, and files the DICOMDIR does not list.
"""

from __future__ import annotations

from pathlib import Path

from encoders.read.dicom_pixels import broken, read_quietly
from encoders.read.dicom_tags import BROKEN, items, texts


def absent_files(path: Path, name: str) -> tuple[str, ...]:
    """One warning that counts the listed files that are not there; () when all are.

    Names are compared without regard to case, since discs are copied to file systems of both kinds.

    Raises
    ------
    InputError: the directory cannot be read.
    """
    try:
        directory = read_quietly(path, header_only=True)
    except BROKEN as error:
        raise broken(name, error) from error
    listed = {parts for r in items(directory, "DirectoryRecordSequence") if (parts := texts(r, "ReferencedFileID"))}
    root = path.parent
    here = {p.relative_to(root).as_posix().lower() for p in root.rglob("*") if p.is_file()} if listed else set()
    absent = sorted("/".join(parts) for parts in listed if "/".join(parts).lower() not in here)
    if not absent:
        return ()
    return (f"{name}: {len(absent)} of {len(listed)} files it lists are not in the folder (first: {absent[0]})",)
