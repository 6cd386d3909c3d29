"""Delete a case wholly: files, blobs of no other case, rows, the documents added for its patient, what is in memory.

Deleted rows and freed pages are zeroed (app/store/database.py). What stays is in the audit log: that the case was
deleted, by whom, and how many files; never a title or text.
Not deleted: copies the user exported, and backups.
"""

from __future__ import annotations

import json
import sys
from typing import Any

from app.audit import AuditLog
from app.case_files import CaseFiles
from app.store.database import Database
from encoders.errors import RadomicaError


def purge_case(files: CaseFiles, database: Database, log: AuditLog, case_id: str, *, by: str) -> dict[str, Any]:
    """Remove what is left of a case whose deletion has begun; may be run again after a kill. Returns what went.

    documents_kept : 1 where another case is of the same patient, whose added documents therefore stay
    """
    patient_ids = _patient_ids(files, case_id)
    documents, kept = 0, 0
    for patient_id in patient_ids:
        if files.kept.others_of_patient(case_id, patient_id):
            kept = 1
        else:
            documents += _forget_patient(patient_id)
    removed = files.remove(case_id)
    files.kept.end_delete(case_id)
    clean = database.forget_deleted()
    done = {**removed, "documents": documents, "documents_kept": kept, "log_cleared": clean}
    log.append(by, "delete", case_id=case_id, **done)
    return done


def _patient_ids(files: CaseFiles, case_id: str) -> set[str]:
    """Whose case this is, as noted when it was read, or as its reports say."""
    found = {files.kept.patient_id(case_id)}
    for path in (files.folder / case_id / "reports").glob("*/report.json"):
        found.add(json.loads(path.read_text(encoding="utf-8")).get("case_id"))
    found.discard(None)
    return found or _read_patient_id(files, case_id)


def _read_patient_id(files: CaseFiles, case_id: str) -> set[str]:
    """The id of a case never read, where there are documents that could be its patient's."""
    from retrieval.added_documents import knowledge_folder  # noqa: PLC0415

    if not (knowledge_folder() / "patients").is_dir() or not files.kept.files(case_id):
        return set()
    from encoders.read.folder import read_patient  # noqa: PLC0415  the readers load with it

    try:
        return {read_patient(files.place_again(case_id)).patient_id}
    except RadomicaError:  # a folder nobody can read has no patient id, so no document was added under one
        return set()


def _forget_patient(patient_id: str) -> int:
    """Delete the documents added for a patient, and what search holds of the patient in memory; how many there were."""
    from retrieval.added_documents import delete_patient, knowledge_folder  # noqa: PLC0415
    from retrieval.embed import home_folder  # noqa: PLC0415

    root = knowledge_folder()
    if "retrieval.search" in sys.modules:  # where it was never loaded it holds nothing, and loading it takes seconds
        sys.modules["retrieval.search"].forget_notes(patient_id)
    if not (root / "patients").is_dir():
        return 0
    return delete_patient(root, patient_id, searched=(home_folder() / "passage_vectors",)).documents
