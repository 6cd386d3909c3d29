"""Cases and reports on disk: nothing half written, nothing acknowledged lost, nothing outside its folder.

    blobs/aa/bb/<sha256>                 every file once, by its content (app/store/blobs.py)
    cases/<case_id>/<case_id>/           the patient folder, made of the blobs; made again when it is missing
    cases/<case_id>/reports/<job_id>/    report.json, report.html
    incoming/                            uploads on their way in; emptied at start

A case is acknowledged after its blobs are flushed and the database has committed its files' names.
A zip is data from outside: encoders/read/archive.py checks its names, links, sizes and counts.
Not known here: what a patient folder means (encoders/read/) or who may see it (app/access.py).
"""

from __future__ import annotations

import errno
import lzma
import os
import re
import secrets
import shutil
import tempfile
import threading
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from app.store.blobs import Blobs, hash_and_flush
from app.store.cases import Cases, FileLine, StoredCase
from app.store.database import Database
from app.store.tables import LOCAL, now
from encoders.atomic_write import write_atomically
from encoders.errors import InputError, RadomicaError, UnavailableError
from encoders.read.archive import extract_archive

__all__ = ["CASE_ID", "LITTER", "MAX_UPLOAD_BYTES", "CaseFiles", "StoredCase"]

MAX_UPLOAD_BYTES = 1024**3
LITTER = ("__MACOSX", ".DS_Store", "Thumbs.db")

CASE_ID = re.compile(r"[a-z0-9][a-z0-9-]{2,63}")
Check = Callable[[Path], Mapping[str, Any]]
"""Looks at (or changes) an incoming patient folder and says what it found."""


class CaseFiles:
    """The cases of one home. Every write is whole or not at all."""

    def __init__(self, home: Path, database: Database) -> None:
        self.home, self.folder, self.incoming_folder = home, home / "cases", home / "incoming"
        self._database, self.kept = database, Cases(database)
        self.blobs = Blobs(home / "blobs")
        self._commit = threading.RLock()  # a blob is not removed between being found and being named
        self._placing = threading.Lock()

    def cases(self) -> tuple[StoredCase, ...]:
        """Every stored case, newest last."""
        return self.kept.cases()

    def case(self, case_id: str) -> StoredCase | None:
        """One case, or None when there is none of that id."""
        _check_id(case_id)
        return self.kept.case(case_id)

    def patient_folder(self, case_id: str) -> Path:
        """Where the patient's files lie; made of the blobs where it is missing."""
        folder = self._case_folder(case_id) / case_id
        if not folder.is_dir():
            with self._placing:
                if not folder.is_dir() and self.kept.case(case_id) is not None:
                    self._place(case_id, folder)
        return folder

    def place_again(self, case_id: str) -> Path:
        """As ``patient_folder``, for a case being deleted too."""
        folder = self._case_folder(case_id) / case_id
        if not folder.is_dir():
            with self._placing:
                self._place(case_id, folder)
        return folder

    @contextmanager
    def incoming(self) -> Iterator[Path]:
        """A folder for an upload on its way in; gone afterwards, and at the next start after a kill."""
        self.incoming_folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        with tempfile.TemporaryDirectory(prefix="new-", dir=self.incoming_folder) as folder:
            yield Path(folder)

    def add_zip(self, archive: Path, *, title: str, owner: str = LOCAL, deidentify: bool = False) -> StoredCase:
        """Unpack a zip of one patient folder as a new case; it is on disk when this returns.

        What the files give away of a person is counted and kept with the case (``kept.identity_check``); with
        ``deidentify`` it is taken out first (app/deidentify.py), but for sex, age, size and weight.

        Raises
        ------
        InputError: see encoders.read.archive.extract_archive; or the zip holds no files (that can be de-identified).
        UnavailableError: the disk is full.
        """
        case = StoredCase(_new_id(), title[:120], now(), "upload", False, owner)
        check = _deidentify if deidentify else _check
        return self._add(lambda files: _unpack(archive, files), case, check)

    def add_written(
        self, write: Callable[[Path], object], *, title: str, case_id: str, owner: str = LOCAL
    ) -> StoredCase:
        """Add a synthetic case that ``write(folder)`` writes; an existing one of that id is returned as it is."""
        known = self.case(case_id)
        return known or self._add(write, StoredCase(case_id, title[:120], now(), "demo", True, owner), None)

    def add_empty_demo(self, case_id: str, *, title: str) -> None:
        """Keep the demo case by name; ``fill_demo`` writes its files, which takes seconds."""
        self.kept.add(StoredCase(case_id, title[:120], now(), "demo", True), ())

    def fill_demo(self, case_id: str, write: Callable[[Path], object]) -> None:
        """Give the demo case the files that ``write(folder)`` writes."""
        with self.incoming() as temporary:
            self._keep(temporary, case_id, write, None, lambda lines, _: self.kept.add_files(case_id, lines))

    def add_folder(self, folder: Path, case: StoredCase, jobs: tuple[Mapping[str, Any], ...] = ()) -> None:
        """Keep a patient folder that lies in its place already, with its jobs (a home of the first form)."""
        with self._commit:
            lines = self._keep_blobs(folder)
            self.kept.add(case, lines, jobs=jobs)

    def report_folder(self, case_id: str, job_id: str) -> Path:
        """Where one report of a case lies."""
        _check_id(job_id)
        return self._case_folder(case_id) / "reports" / job_id

    def remove(self, case_id: str) -> dict[str, int]:
        """Remove every file of a case and the blobs no other case holds; says how many. The rows stay for now."""
        hashes = {f.sha256 for f in self.kept.files(case_id)}
        with self._commit:
            removed = self.blobs.remove(hashes - self.kept.used_elsewhere(hashes, but=case_id))
        folder = self._case_folder(case_id)
        reports = len(list((folder / "reports").glob("*")))
        if folder.is_dir():
            shutil.rmtree(folder)
        return {"files": len(hashes), "blobs": removed, "reports": reports}

    def claim(self) -> None:
        """Make this home the database's own, before anything is written or swept.

        A home swept with another database, or with an empty one in place of a lost one, would lose every file.

        Raises
        ------
        UnavailableError: the files here are of another database.
        """
        path, mark = self.blobs.folder / "store.mark", self._database.mark()
        if path.is_file():
            own = path.read_text(encoding="ascii", errors="replace").strip() == mark
        else:
            own = mark is not None or not any(self.blobs.hashes())
        if not own and any(self.blobs.hashes()):
            raise UnavailableError(
                "the files in this data home are of another database; set RADOMICA_DATABASE_URL as it was, put back "
                "radomica.db from a backup, or use a new RADOMICA_HOME. Nothing was removed."
            )
        if not own or not path.is_file():
            write_atomically(path, self._database.make_mark() + "\n")

    def sweep(self) -> int:
        """Remove what a kill left: uploads on their way in, blobs no case names, folders of no case. Start only.

        Returns how many blobs and folders went.

        Raises
        ------
        UnavailableError: the files here are of another database; nothing was removed.
        """
        self.claim()
        shutil.rmtree(self.incoming_folder, ignore_errors=True)
        with self._commit:
            there = set(self.blobs.hashes())
            removed = self.blobs.remove(there - self.kept.used_elsewhere(there))
        known = {c.case_id for c in self.cases()} | set(self.kept.being_deleted())
        for path in self.folder.iterdir() if self.folder.is_dir() else ():
            if path.name not in known and not (path / "case.json").exists():
                shutil.rmtree(path)
                removed += 1
        return removed

    def _add(self, write: Callable[[Path], object], case: StoredCase, check: Check | None) -> StoredCase:
        with self.incoming() as temporary, _disk_errors():
            self._keep(
                temporary, case.case_id, write, check,
                lambda lines, found: self.kept.add(case, lines, identity_check=found),
            )  # fmt: skip
        return case

    def _keep(
        self, temporary: Path, case_id: str, write: Callable[[Path], object], check: Check | None,
        commit: Callable[[list[FileLine], Mapping[str, Any] | None], None],
    ) -> None:  # fmt: skip
        """Write the files, flush them as blobs, commit their names, then put them where they are read."""
        _check_id(case_id)
        files = temporary / "case" / case_id
        files.mkdir(parents=True)
        write(files)
        found = check(files) if check is not None else None
        lines = self._hashed(files)
        with self._commit:
            self.blobs.keep((files / line.name, line.sha256) for line in lines)
            commit(lines, found)
        target = self._case_folder(case_id) / case_id
        target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        shutil.rmtree(target, ignore_errors=True)
        files.rename(target)

    def _keep_blobs(self, folder: Path) -> list[FileLine]:
        lines = self._hashed(folder)
        self.blobs.keep((folder / line.name, line.sha256) for line in lines)
        return lines

    def _hashed(self, folder: Path) -> list[FileLine]:
        paths = sorted(p for p in folder.rglob("*") if p.is_file() and not p.is_symlink())
        return [FileLine(p.relative_to(folder).as_posix(), *hash_and_flush(p), _media_kind(p)) for p in paths]

    def _place(self, case_id: str, folder: Path) -> None:
        with self.incoming() as temporary:
            whole = temporary / "whole"
            whole.mkdir()
            for line in self.kept.files(case_id):
                self.blobs.place(line.sha256, whole / line.name)
            folder.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            whole.rename(folder)

    def _case_folder(self, case_id: str) -> Path:
        _check_id(case_id)
        return self.folder / case_id


@contextmanager
def _disk_errors() -> Iterator[None]:
    """A full disk and names a disk cannot hold, in words."""
    try:
        yield
    except OSError as error:
        if isinstance(error, RadomicaError):
            raise
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise UnavailableError("the disk is full; nothing was kept. Make room and upload again.") from error
        if error.errno in (errno.ENAMETOOLONG, errno.EEXIST, errno.ENOTDIR, errno.EISDIR, errno.EINVAL, errno.EILSEQ):
            raise InputError("the upload holds a file name this disk cannot keep; zip the folder again.") from error
        raise


def _media_kind(path: Path) -> str:
    """What the first bytes say the file is; "unreadable" where a reader refuses it."""
    from encoders.read.sniff import sniff  # noqa: PLC0415  the readers load with it

    try:
        return str(sniff(path, path.name).kind)
    except RadomicaError:
        return "unreadable"


def _unpack(archive: Path, folder: Path) -> None:
    """Unpack into ``folder``; one folder around everything is dropped."""
    with tempfile.TemporaryDirectory(prefix=".zip-", dir=folder.parent) as temporary:
        try:
            inside = extract_archive(archive, Path(temporary))
        except (UnicodeDecodeError, zlib.error, lzma.LZMAError, RuntimeError) as error:
            if isinstance(error, RadomicaError):
                raise
            raise InputError(f"not a readable zip file ({type(error).__name__}); zip the folder again.") from error
        found = [p for p in inside.iterdir() if p.name not in LITTER]
        if not found:
            raise InputError("the zip holds no files; zip the patient folder itself.")
        for path in found:
            shutil.move(path, folder / path.name)
    for path in folder.rglob("*"):
        if not _plain_name(path.name):
            raise InputError("the zip holds a file name with characters that cannot be kept; zip the folder again.")


def _plain_name(name: str) -> bool:
    try:
        os.fsencode(name).decode("utf-8")
    except UnicodeDecodeError:
        return False
    return name.isprintable()


def _check(folder: Path) -> dict[str, Any]:
    from app.deidentify import check_folder  # noqa: PLC0415  pydicom loads with it

    return check_folder(folder).to_dict()


def _deidentify(folder: Path) -> dict[str, Any]:
    from app.deidentify import deidentify_in_place  # noqa: PLC0415
    from app.deidentify_dicom import Options  # noqa: PLC0415

    return deidentify_in_place(folder, Options(keep_characteristics=True))


def _new_id() -> str:
    return f"case-{secrets.token_hex(5)}"


def _check_id(value: str) -> None:
    if not CASE_ID.fullmatch(value):
        raise InputError(f"id {value[:80]!r} is not allowed; ids are 3 to 64 of a-z, 0-9 and '-'.")
