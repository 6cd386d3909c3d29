"""A home of the first form (case.json and job.json files, no database) is taken into the store once; nothing is lost.

Not known here: what patients and reports are. The old files stay, named ``*.imported``.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from filelock import FileLock

from app.store.cases import StoredCase
from app.store.tables import LOCAL
from app.store.work import JOB_FIELDS
from encoders.errors import InputError

if TYPE_CHECKING:
    from app.case_files import CaseFiles


def import_first_home(files: CaseFiles) -> int:
    """Take every case of the first form into the store; returns how many.

    Raises
    ------
    InputError: a case.json or job.json is damaged; nothing of that case was changed.
    """
    if not any(files.folder.glob("*/case.json")):
        return 0
    files.claim()
    with FileLock(files.home / "import.lock"):
        found = sorted(files.folder.glob("*/case.json"))
        for path in found:
            _import_case(files, path)
    return len(found)


def _import_case(files: CaseFiles, path: Path) -> None:
    folder = path.parent
    job_paths = sorted(folder.glob("reports/*/job.json"))
    case, jobs = _read(path), [_read(p) for p in job_paths]
    if files.kept.case(case["case_id"]) is None:
        stored = StoredCase(**{**case, "owner": LOCAL})
        files.add_folder(folder / case["case_id"], stored, tuple(_as_kept(j) for j in jobs))
    for old in (*job_paths, path):  # case.json last: until it is gone, a kill makes the next start begin again
        old.rename(old.with_name(f"{old.name}.imported"))


def _as_kept(job: dict[str, Any]) -> dict[str, Any]:
    made = {"owner": LOCAL, "starts": 1 if job["state"] == "running" else 0, **job}
    return {name: made[name] for name in JOB_FIELDS}


def _read(path: Path) -> dict[str, Any]:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise InputError(f"{path}: not readable as JSON; mend it, or move its case folder out of the home.") from error
