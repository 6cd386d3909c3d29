"""Everything kept of one case as a zip, for its patient, another system, or before it is deleted.

case.json                        id, title, owner, when, what the identity check counted
files/...                        the patient folder as it was given
reports/<job_id>/...             job.json, report.json, report.html, reviews.json
feedback.json  audit.jsonl       feedback on answers; the case's lines of the audit log
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any
from zipfile import ZIP_DEFLATED, ZipFile

from app.audit import AuditEntry
from app.case_files import CaseFiles


def write_case_zip(
    files: CaseFiles,
    case_id: str,
    *,
    jobs: Sequence[Mapping[str, Any]],
    reviews: Mapping[str, Sequence[Mapping[str, Any]]],
    feedback: Sequence[Mapping[str, Any]],
    audit: Sequence[AuditEntry],
    identity_check: Mapping[str, Any] | None,
) -> Path:
    """Write the zip among the incoming files, where the next start removes what is left; returns its path."""
    files.incoming_folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    case = files.case(case_id)
    with tempfile.NamedTemporaryFile(
        prefix=f"{case_id}-", suffix=".zip", dir=files.incoming_folder, delete=False
    ) as made, ZipFile(made, "w", ZIP_DEFLATED, compresslevel=1) as archive:  # fmt: skip
        about = {**(vars(case) if case is not None else {}), "identity_check": identity_check}
        archive.writestr("case.json", _json(about))
        for line in files.kept.files(case_id):
            archive.write(files.blobs.path(line.sha256), f"files/{line.name}")
        for job in jobs:
            inside = f"reports/{job['id']}"
            archive.writestr(f"{inside}/job.json", _json(job))
            archive.writestr(f"{inside}/reviews.json", _json(list(reviews[job["id"]])))
            for path in sorted(files.report_folder(case_id, job["id"]).glob("report*")):
                archive.write(path, f"{inside}/{path.name}")
        archive.writestr("feedback.json", _json(list(feedback)))
        archive.writestr("audit.jsonl", "".join(json.dumps(asdict(e), ensure_ascii=False) + "\n" for e in audit))
    return Path(made.name)


def _json(found: Any) -> str:
    return json.dumps(found, ensure_ascii=False, indent=1) + "\n"
