"""Files by the hash of their content: ``blobs/aa/bb/<sha256>``, each whole, read-only and on disk before it is named.

The same content is kept once, whoever gave it. Not known here: names, cases (cases.py).
"""

from __future__ import annotations

import errno
import hashlib
import os
import shutil
from collections.abc import Iterable, Iterator
from pathlib import Path

from encoders.errors import UnavailableError

NO_LINKS = (errno.EPERM, errno.ENOTSUP, errno.EMLINK, errno.EXDEV, errno.EACCES)
"""What a file system says that makes no (more) hard links: the content is copied instead."""


class Blobs:
    """The blobs under one folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def path(self, sha256: str) -> Path:
        """Where a blob lies."""
        return self.folder / sha256[:2] / sha256[2:4] / sha256

    def keep(self, files: Iterable[tuple[Path, str]]) -> None:
        """Keep files (path, hash) whose bytes were flushed; afterwards each path is another name of its blob."""
        touched: set[Path] = set()
        for path, sha256 in files:
            blob = self.path(sha256)
            if blob.is_file() and blob.stat().st_size == path.stat().st_size:
                _link_over(blob, path)
                continue
            _make_folder(blob.parent, self.folder.parent)
            _link_over(path, blob)
            touched.add(blob.parent)
        for folder in touched:
            flush_folder(folder)

    def place(self, sha256: str, target: Path) -> None:
        """Give a blob a name in a patient folder.

        Raises
        ------
        UnavailableError: the blob is not there.
        """
        target.parent.mkdir(parents=True, exist_ok=True)
        blob = self.path(sha256)
        if not blob.is_file():
            raise UnavailableError(f"blob {sha256[:12]} is missing; put back {self.folder} from a backup.")
        _link_over(blob, target)

    def remove(self, hashes: Iterable[str]) -> int:
        """Remove blobs; returns how many were there."""
        removed = 0
        for sha256 in hashes:
            path = self.path(sha256)
            if path.is_file():
                path.unlink()
                removed += 1
        return removed

    def hashes(self) -> Iterator[str]:
        """Hash of every blob."""
        for path in self.folder.glob("??/??/*"):
            if len(path.name) == 64:
                yield path.name


def hash_and_flush(path: Path) -> tuple[str, int]:
    """(SHA-256, bytes) of a file, whose content is on disk when this returns."""
    digest, size = hashlib.sha256(), 0
    with path.open("rb") as stream:
        while block := stream.read(1 << 20):
            digest.update(block)
            size += len(block)
        os.fsync(stream.fileno())
    path.chmod(0o400)
    return digest.hexdigest(), size


def flush_folder(folder: Path) -> None:
    """Put a folder's names on disk."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _make_folder(folder: Path, root: Path) -> None:
    missing = [p for p in (folder, *folder.parents) if p.is_relative_to(root) and not p.is_dir()]
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    for made in reversed(missing):
        flush_folder(made.parent)


def _link_over(source: Path, target: Path) -> None:
    """Make ``target`` another name of ``source``, whole or not at all, in place of what had the name."""
    partial = target.with_name(f".{target.name[:64]}.{os.getpid()}.part")
    partial.unlink(missing_ok=True)
    try:
        os.link(source, partial)
    except OSError as error:
        if error.errno not in NO_LINKS:
            raise
        shutil.copyfile(source, partial)
        hash_and_flush(partial)
    partial.replace(target)
    partial.unlink(missing_ok=True)  # renaming one name of a file over another name of it does nothing
