"""Cases and reports on disk, under RADOMICA_HOME/cases: nothing half written, nothing outside its folder.

    cases/<case_id>/case.json            id, title, created, origin, synthetic
    cases/<case_id>/files/               the patient folder as it was given
    cases/<case_id>/reports/<job_id>/    job.json, report.json, report.html

A zip is data from outside: member names, links, sizes and counts are checked before a byte is written.
Not known here: what a patient folder means (encoders/read/) or who may see it (one local user).
"""

from __future__ import annotations

import json
import re
import secrets
import shutil
import stat
import tempfile
import zipfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath
from typing import Any

from assistant.report import write_atomically
from encoders.errors import InputError

MAX_UPLOAD_BYTES = 1024**3
MAX_UNPACKED_BYTES = 4 * 1024**3
MAX_MEMBERS = 20_000
MAX_RATIO = 200
"""Unpacked bytes per packed byte of one member; DICOM and text stay far below, a zip bomb does not."""

CASE_ID = re.compile(r"[a-z0-9][a-z0-9-]{2,63}")


@dataclass(frozen=True)
class StoredCase:
    """One case as listed: ``origin`` is "demo" or "upload"."""

    case_id: str
    title: str
    created: str
    origin: str
    synthetic: bool = False


class CaseFiles:
    """The folder of cases of one home. Every write is whole or not at all."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def cases(self) -> tuple[StoredCase, ...]:
        """Every stored case, newest last."""
        found = [self._read_case(path) for path in sorted(self.folder.glob("*/case.json"))]
        return tuple(sorted(found, key=lambda c: c.created))

    def case(self, case_id: str) -> StoredCase | None:
        """One case, or None when there is none of that id."""
        path = self._case_folder(case_id) / "case.json"
        return self._read_case(path) if path.is_file() else None

    def patient_folder(self, case_id: str) -> Path:
        """Where the patient's files lie."""
        return self._case_folder(case_id) / "files"

    def add_zip(self, archive: Path, *, title: str) -> StoredCase:
        """Unpack a zip of one patient folder as a new case.

        Raises
        ------
        InputError: not a zip, a member that leaves the folder, a link, an encrypted member, too many or too large.
        """
        return self._add(lambda files: unpack_zip(archive, files), title=title, origin="upload", synthetic=False)

    def add_written(self, write: Callable[[Path], object], *, title: str, case_id: str) -> StoredCase:
        """Add a synthetic case that ``write(folder)`` writes; an existing one of that id is returned as it is."""
        known = self.case(case_id)
        return known or self._add(write, title=title, origin="demo", synthetic=True, case_id=case_id)

    def report_folder(self, case_id: str, job_id: str) -> Path:
        """Where one report of a case lies."""
        _check_id(job_id)
        return self._case_folder(case_id) / "reports" / job_id

    def write_job(self, job: Mapping[str, Any]) -> None:
        """Keep a job's state; it is listed again after a restart."""
        folder = self.report_folder(job["case_id"], job["id"])
        write_atomically(folder / "job.json", json.dumps(dict(job), ensure_ascii=False) + "\n")

    def jobs(self) -> Iterator[dict[str, Any]]:
        """Every job of every case, as last written."""
        for path in sorted(self.folder.glob("*/reports/*/job.json")):
            yield json.loads(path.read_text(encoding="utf-8"))

    def _add(
        self, write: Callable[[Path], object], *, title: str, origin: str, synthetic: bool, case_id: str | None = None
    ) -> StoredCase:
        case_id = case_id or f"case-{secrets.token_hex(5)}"
        _check_id(case_id)
        self.folder.mkdir(parents=True, exist_ok=True)
        created = datetime.now(UTC).isoformat(timespec="seconds")
        case = StoredCase(case_id, title[:120], created, origin, synthetic)
        with tempfile.TemporaryDirectory(prefix=".new-", dir=self.folder) as temporary:
            whole = Path(temporary) / "case"
            (whole / "files").mkdir(parents=True)
            write(whole / "files")
            write_atomically(whole / "case.json", json.dumps(asdict(case), ensure_ascii=False) + "\n")
            whole.rename(self.folder / case_id)
        return case

    def _case_folder(self, case_id: str) -> Path:
        _check_id(case_id)
        return self.folder / case_id

    @staticmethod
    def _read_case(path: Path) -> StoredCase:
        return StoredCase(**json.loads(path.read_text(encoding="utf-8")))


def unpack_zip(archive: Path, folder: Path) -> None:
    """Unpack ``archive`` into ``folder``; one folder around everything is dropped.

    Raises
    ------
    InputError: see CaseFiles.add_zip; ``folder`` may then hold a part, the caller throws it away.
    """
    try:
        with zipfile.ZipFile(archive) as opened:
            members = [m for m in opened.infolist() if not m.is_dir() and not _is_litter(m.filename)]
            _check_members(members)
            top = _common_top(members)
            for member in members:
                target = folder.joinpath(*PurePosixPath(member.filename).parts[top:])
                target.parent.mkdir(parents=True, exist_ok=True)
                with opened.open(member) as source, target.open("wb") as sink:
                    shutil.copyfileobj(_Bounded(source, member.file_size, member.filename), sink, 1024 * 1024)
    except (zipfile.BadZipFile, zipfile.LargeZipFile, NotImplementedError, EOFError, OSError) as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise InputError(
                f"the zip could not be unpacked: {error.strerror}; free space or shorten names."
            ) from error
        raise InputError(
            f"the upload is not a readable zip ({error}); pack the patient folder as .zip again."
        ) from error


class _Bounded:
    """A member's stream that stops when it holds more than its header says."""

    def __init__(self, stream: Any, size: int, name: str) -> None:
        self._stream, self._left, self._name = stream, size, name

    def read(self, count: int = -1) -> bytes:
        block = self._stream.read(count)
        self._left -= len(block)
        if self._left < 0:
            raise InputError(f"zip member {self._name!r} is larger than its header says; the zip is damaged.")
        return block


def _check_members(members: list[zipfile.ZipInfo]) -> None:
    if not members:
        raise InputError("the zip holds no files; pack the patient folder itself.")
    if len(members) > MAX_MEMBERS:
        raise InputError(f"the zip holds {len(members)} files; allowed: {MAX_MEMBERS}. Upload one patient at a time.")
    total = sum(m.file_size for m in members)
    if total > MAX_UNPACKED_BYTES:
        raise InputError(f"the zip unpacks to {total / 1e9:.1f} GB; allowed: {MAX_UNPACKED_BYTES / 1e9:.1f} GB.")
    for member in members:
        path = PurePosixPath(member.filename)
        if path.is_absolute() or ".." in path.parts or "\\" in member.filename or ":" in member.filename:
            raise InputError(f"zip member {member.filename!r} leaves the folder; names must be relative, without '..'.")
        if stat.S_ISLNK(member.external_attr >> 16):
            raise InputError(f"zip member {member.filename!r} is a link; pack the file itself.")
        if member.flag_bits & 0x1:
            raise InputError(f"zip member {member.filename!r} is encrypted; pack without a password.")
        if member.file_size > 1024 * 1024 and member.file_size > MAX_RATIO * max(member.compress_size, 1):
            raise InputError(f"zip member {member.filename!r} unpacks to over {MAX_RATIO} times its size; refused.")


def _common_top(members: list[zipfile.ZipInfo]) -> int:
    """1 when every member lies in the same single folder, else 0."""
    parts = [PurePosixPath(m.filename).parts for m in members]
    return int(len({p[0] for p in parts}) == 1 and all(len(p) > 1 for p in parts))


def _is_litter(name: str) -> bool:
    return name.startswith("__MACOSX/") or PurePosixPath(name).name in (".DS_Store", "Thumbs.db")


def _check_id(value: str) -> None:
    if not CASE_ID.fullmatch(value):
        raise InputError(f"id {value[:80]!r} is not allowed; ids are 3 to 64 of a-z, 0-9 and '-'.")
