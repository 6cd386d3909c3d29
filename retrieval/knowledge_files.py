"""Files that survive a kill: written whole, flushed to the disk, then renamed; removed by one rename; swept later.

Not known here: what the files hold.
"""

from __future__ import annotations

import os
import secrets
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path

from encoders.atomic_write import write_atomically

REMOVED = ".removed-"
"""A folder of this name is gone for every reader; only its bytes are still to be deleted."""

CHUNK_BYTES = 1 << 22


def write_durably(path: Path, content: str | bytes) -> None:
    """Write whole, flush, rename, and flush the folder: after return the file is there even without power."""
    write_atomically(path, content)
    flush_folder(path.parent)


def flush_folder(folder: Path) -> None:
    """Flush a folder's names to the disk; systems that cannot open folders (Windows) do without."""
    if os.name == "nt":
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def remove_folder(folder: Path) -> None:
    """Remove a folder: hidden by one rename first, so that no reader ever sees half of it."""
    hidden = folder.with_name(f"{REMOVED}{secrets.token_hex(8)}")
    folder.rename(hidden)
    flush_folder(folder.parent)
    shutil.rmtree(hidden)
    flush_folder(folder.parent)


def sweep(folder: Path) -> int:
    """Delete what a kill left behind in a folder: removed folders and unfinished files; returns how many."""
    left = [p for p in folder.glob(f"{REMOVED}*") if p.is_dir()] if folder.is_dir() else []
    for path in left:
        shutil.rmtree(path)
    parts = list(folder.glob(".*.part")) if folder.is_dir() else []
    for path in parts:
        path.unlink(missing_ok=True)
    return len(left) + len(parts)


def files_holding(folder: Path, needles: Sequence[bytes]) -> tuple[tuple[Path, ...], int]:
    """The files under ``folder`` whose bytes or names hold any needle, and how many bytes were looked at.

    Every file is read, whatever its name. A needle cut by the file system's compression or encryption, or bytes of
    deleted files that the disk has not yet overwritten, are NOT seen.
    """
    wanted = [n for n in dict.fromkeys(needles) if n]
    longest = max((len(n) for n in wanted), default=0)
    found, total = [], 0
    # os.walk, unlike Path.rglob, goes on when another writer removes a folder it is about to enter
    names = (Path(at) / name for at, folders, files in os.walk(folder) for name in (*folders, *files))
    for path in sorted(names):
        try:
            inside = path.is_file() and any(any(n in window for n in wanted) for window in _windows(path, longest))
            total += path.stat().st_size if path.is_file() else 0
        except FileNotFoundError:  # gone since it was listed: another writer's unfinished file
            continue
        if inside or any(n in os.fsencode(path.name) for n in wanted):
            found.append(path)
    return tuple(found), total


def _windows(path: Path, overlap: int) -> Iterator[bytes]:
    """The bytes of a file in pieces that overlap, so that nothing is missed at a border."""
    tail = b""
    with path.open("rb") as file:
        while piece := file.read(CHUNK_BYTES):
            yield tail + piece
            tail = (tail + piece)[-max(overlap - 1, 0) :] if overlap > 1 else b""
