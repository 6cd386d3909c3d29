"""Cases: list, add, read, export, delete.

Not known here: what a file means (encoders/read/), where it is kept (app/store/, app/case_files.py).
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO, Annotated, Any
from zipfile import ZIP_STORED, ZipFile, is_zipfile

from fastapi import FastAPI, File, Form, Header, HTTPException, Query, Response, UploadFile
from fastapi.responses import FileResponse
from pydantic import BaseModel, ConfigDict, Field
from starlette.background import BackgroundTask

from app.access import Caller, audit
from app.case_files import LITTER, StoredCase
from app.routes.errors import documented, not_found
from app.routes.guards import DeleteCase, Deleter, ExportCase, Exporter, ReadCase, Reader, Writer
from app.workbench import Workbench
from encoders.errors import InputError, UnavailableError

MAX_FILES, MAX_NAME_BYTES = 5000, 200
ZIP_TYPE = {"content": {"application/zip": {"schema": {"type": "string", "format": "binary"}}}}
BLOCK = 1024 * 1024


IdempotencyKey = Annotated[
    str | None,
    Header(
        alias="Idempotency-Key", min_length=1, max_length=100, pattern=r"^[\x21-\x7e]+$",
        description="The same key gives the same result again; nothing is made twice.",
    ),
]  # fmt: skip


class CaseAnswer(BaseModel):
    """A stored case. latest_report : id of its newest finished report."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "case_id": "case-3f9a0c11d2", "title": "Patient folder", "created": "2026-03-06T10:00:00+00:00",
                    "origin": "upload", "synthetic": False, "latest_report": None,
                }
            ]
        }
    )  # fmt: skip
    case_id: str
    title: str
    created: str
    origin: str
    synthetic: bool
    latest_report: str | None = None


class FileOutcome(BaseModel):
    """What became of one uploaded file: "kept", or "left out" with the reason."""

    name: str
    outcome: str = Field(examples=["kept"])
    reason: str = ""


class AddedCase(CaseAnswer):
    """A new case and what became of each file given.

    identity_check : what names a person in the files, as counts, never the values; and what de-identification did
    """

    files: list[FileOutcome] = Field(default_factory=list)
    identity_check: dict[str, Any] | None = None


class CaseList(BaseModel):
    """Cases the caller may see, newest last; total : how many fit the search."""

    cases: list[CaseAnswer]
    total: int


def add_cases(app: FastAPI, workbench: Workbench) -> None:
    """Add the operations on cases."""

    @app.get("/v1/cases", tags=["cases"], operation_id="list_cases", responses=documented())
    def list_cases(
        caller: Reader,
        search: Annotated[str, Query(max_length=100, description="Part of the title or the id.")] = "",
        limit: Annotated[int, Query(ge=1, le=1000)] = 200,
        offset: Annotated[int, Query(ge=0, le=10**9)] = 0,
    ) -> CaseList:
        """The cases you may see."""
        wanted = search.strip().lower()
        found = [c for c in workbench.cases(caller) if wanted in c.title.lower() or wanted in c.case_id]
        newest = newest_reports(workbench)
        shown = [CaseAnswer(**case_fields(c, newest)) for c in found[offset : offset + limit]]
        return CaseList(cases=shown, total=len(found))

    @app.post(
        "/v1/cases", status_code=201, tags=["cases"], operation_id="add_case", responses=documented(400),
        form_limits={"max_files": MAX_FILES + 1},
    )  # fmt: skip
    def add_case(
        caller: Writer,
        file: Annotated[UploadFile | None, File(description="A zip of one patient folder.")] = None,
        files: Annotated[list[UploadFile] | None, File(description="Or the files, names with their folders.")] = None,
        title: Annotated[str | None, Form(max_length=120)] = None,
        deidentify: Annotated[bool, Form(description="Take names, dates of birth and the like out first.")] = False,
        idempotency_key: IdempotencyKey = None,
    ) -> AddedCase:
        """Keep one patient's files as a new case: one zip, or several files."""
        given = Upload(file, tuple(files or ()), title, idempotency_key, deidentify=deidentify)
        case, outcomes = store_upload(workbench, caller, given)
        told = workbench.identity_check(case.case_id)
        return AddedCase(**case_fields(case, newest_reports(workbench)), files=outcomes, identity_check=told)

    @app.get("/v1/cases/{case_id}", tags=["cases"], operation_id="get_case", responses=documented(404))
    def get_case(case_id: ReadCase) -> CaseAnswer:
        """One case."""
        found = workbench.files.case(case_id)
        if found is None:  # deleted since the guard looked
            raise not_found("case", case_id, "GET /v1/cases")
        return CaseAnswer(**case_fields(found, newest_reports(workbench)))

    @app.delete(
        "/v1/cases/{case_id}", status_code=204, response_class=Response, tags=["cases"],
        operation_id="delete_case", responses=documented(404, 409),
    )  # fmt: skip
    def delete_case(case_id: DeleteCase, caller: Deleter) -> Response:
        """Delete a case wholly: files, reports, reviews, what is in memory. The audit log keeps that it was deleted."""
        try:
            workbench.delete_case(case_id, by=caller.name)
        except UnavailableError as error:  # its report is being written
            raise HTTPException(409, str(error)) from error
        return Response(status_code=204)

    @app.get(
        "/v1/cases/{case_id}/export", response_class=FileResponse, tags=["cases"],
        operation_id="export_case", responses={200: ZIP_TYPE, **documented(404)},
    )  # fmt: skip
    def export_case(case_id: ExportCase, caller: Exporter) -> FileResponse:
        """Everything kept of a case, as one zip."""
        audit(caller, "export case", case_id=case_id)
        path = workbench.export_case(case_id)
        return FileResponse(
            path, media_type="application/zip", filename=f"{case_id}.zip",
            background=BackgroundTask(path.unlink, missing_ok=True),
        )  # fmt: skip


def newest_reports(workbench: Workbench) -> dict[str, str]:
    """Case id -> its newest finished job."""
    return {j["case_id"]: j["id"] for j in workbench.jobs() if j["state"] == "done"}  # oldest first: the newest stays


def case_fields(case: StoredCase, newest: Mapping[str, str]) -> dict[str, Any]:
    """A case as the API tells it."""
    told = ("case_id", "title", "created", "origin", "synthetic")
    return {**{n: getattr(case, n) for n in told}, "latest_report": newest.get(case.case_id)}


@dataclass(frozen=True)
class Upload:
    """What a request gives: one zip in ``file``, or ``files``; the same ``key`` with the same content is kept once."""

    file: UploadFile | None
    files: tuple[UploadFile, ...] = ()
    title: str | None = None
    key: str | None = None
    deidentify: bool = False


def store_upload(workbench: Workbench, caller: Caller, given: Upload) -> tuple[StoredCase, list[FileOutcome]]:
    """Keep an upload as the caller's case; its size was capped while it came in (app/http_guard.py).

    Raises
    ------
    HTTPException: 422 where neither or both of ``file`` and ``files`` are given.
    InputError: the zip cannot be unpacked, or no file is left to keep.
    """
    if (given.file is None) == (not given.files):
        raise HTTPException(422, "give either one zip in 'file' or one or more files in 'files'.")
    with workbench.files.incoming() as folder:  # gone afterwards, and after a kill too
        archive = folder / "upload.zip"
        outcomes: list[FileOutcome] = []
        title = given.title
        if given.file is not None:
            with archive.open("wb") as copy:
                _copy(given.file, copy)
            if not given.deidentify:  # a file's name may be the patient's
                title = title or Path(given.file.filename or "upload.zip").name.removesuffix(".zip")
        else:
            outcomes = _pack(given.files, archive)
        known = _kept_before(workbench, caller, given, archive)
        if known is not None:
            return known, outcomes
        case = workbench.files.add_zip(
            archive, title=title or "Patient folder", owner=caller.name, deidentify=given.deidentify
        )
        if given.key is not None:
            wanted = _wanted(given, archive)
            workbench.remember(caller.name, given.key, wanted, case_id=case.case_id, result_id=case.case_id)
        audit(caller, "upload", case_id=case.case_id, deidentified=given.deidentify)
    return case, outcomes


def _kept_before(workbench: Workbench, caller: Caller, given: Upload, archive: Path) -> StoredCase | None:
    """The case that the same upload under the same key became."""
    if given.key is None:
        return None
    case_id = workbench.answered(caller.name, given.key, _wanted(given, archive))
    return next((c for c in workbench.cases(caller) if c.case_id == case_id), None)


def _wanted(given: Upload, archive: Path) -> str:
    """What is asked for, by the names and checksums of the files: the same files zipped again are the same."""
    if not is_zipfile(archive):
        return "upload of no zip"
    with ZipFile(archive) as made:
        members = sorted((m.filename, m.file_size, m.CRC) for m in made.infolist())
    return f"upload {hashlib.sha256(repr((members, given.deidentify)).encode()).hexdigest()}"


def _copy(given: UploadFile, to: IO[bytes]) -> None:
    while block := given.file.read(BLOCK):
        to.write(block)


def _pack(files: Sequence[UploadFile], archive: Path) -> list[FileOutcome]:
    """The files as one zip, so that one reader checks every upload; names that may not be kept are told."""
    if len(files) > MAX_FILES:
        raise InputError(f"{len(files)} files were given; at most {MAX_FILES} are taken at once. Upload a zip.")
    outcomes: list[FileOutcome] = []
    seen: set[str] = set()
    folders: set[str] = set()
    with ZipFile(archive, "w", ZIP_STORED) as made:
        for given in files:
            name = PurePosixPath((given.filename or "").replace("\\", "/"))
            reason = _why_not(name, seen, folders)
            if not reason:
                seen.add(str(name))
                folders.update(str(parent) for parent in name.parents)
                with made.open(str(name), "w", force_zip64=True) as member:
                    _copy(given, member)
            shown = str(name)[-200:]
            outcomes.append(FileOutcome(name=shown, outcome="left out" if reason else "kept", reason=reason))
    if not seen:
        reasons = sorted({o.reason for o in outcomes})
        raise InputError(f"none of {len(files)} files can be kept: {'; '.join(reasons)}.")
    return outcomes


def _why_not(name: PurePosixPath, seen: set[str], folders: set[str]) -> str:
    if not name.name or name.is_absolute() or ".." in name.parts or any(c in str(name) for c in "\0:"):
        return "its name would leave the folder"
    if not str(name).isprintable() or max(len(p.encode(errors="replace")) for p in name.parts) > MAX_NAME_BYTES:
        return f"its name has signs no file can have, or is longer than {MAX_NAME_BYTES} bytes"
    if str(name) in folders or any(str(parent) in seen for parent in name.parents):
        return "its name is a file's and a folder's at once"
    if any(part in LITTER for part in name.parts):
        return "made by the operating system"
    return "a file of this name was given before" if str(name) in seen else ""
