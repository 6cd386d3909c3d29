"""Cases and reports on disk, under RADOMICA_HOME/cases: nothing half written, nothing outside its folder.

    cases/<case_id>/case.json            id, title, created, origin, synthetic
    cases/<case_id>/<case_id>/           the patient folder as it was given
    cases/<case_id>/reports/<job_id>/    job.json, report.json, report.html

A zip is data from outside: encoders/read/archive.py checks its names, links, sizes and counts.
Not known here: what a patient folder means (encoders/read/) or who may see it (one local user).
"""

from __future__ import annotations

import json
import re
import secrets
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from encoders.atomic_write import write_atomically
from encoders.errors import InputError
from encoders.read.archive import extract_archive

MAX_UPLOAD_BYTES = 1024**3
LITTER = ("__MACOSX", ".DS_Store", "Thumbs.db")

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
        return self._case_folder(case_id) / case_id

    def add_zip(self, archive: Path, *, title: str) -> StoredCase:
        """Unpack a zip of one patient folder as a new case.

        Raises
        ------
        InputError: see encoders.read.archive.extract_archive; or the zip holds no files.
        """
        return self._add(lambda files: _unpack(archive, files), title=title, origin="upload", synthetic=False)

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
            (whole / case_id).mkdir(parents=True)
            write(whole / case_id)
            write_atomically(whole / "case.json", json.dumps(asdict(case), ensure_ascii=False) + "\n")
            whole.rename(self.folder / case_id)
        return case

    def _case_folder(self, case_id: str) -> Path:
        _check_id(case_id)
        return self.folder / case_id

    @staticmethod
    def _read_case(path: Path) -> StoredCase:
        return StoredCase(**json.loads(path.read_text(encoding="utf-8")))


def _unpack(archive: Path, folder: Path) -> None:
    """Unpack into ``folder``; one folder around everything is dropped."""
    with tempfile.TemporaryDirectory(prefix=".zip-", dir=folder.parent) as temporary:
        inside = extract_archive(archive, Path(temporary))
        found = [p for p in inside.iterdir() if p.name not in LITTER]
        if not found:
            raise InputError(f"{archive.name}: holds no files; zip the patient folder itself.")
        for path in found:
            shutil.move(path, folder / path.name)


def _check_id(value: str) -> None:
    if not CASE_ID.fullmatch(value):
        raise InputError(f"id {value[:80]!r} is not allowed; ids are 3 to 64 of a-z, 0-9 and '-'.")
