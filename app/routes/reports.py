"""Report jobs: submit, follow, cancel, read, download.

A job is a dict, as app/workbench.py says. Not known here: how a report is made or rendered (app/exports/).
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import ExitStack
from typing import Annotated, Any

import anyio.to_thread
from fastapi import FastAPI, File, Form, HTTPException, Query, Response, UploadFile
from fastapi.responses import FileResponse, HTMLResponse, JSONResponse, StreamingResponse
from pydantic import BaseModel, ConfigDict, Field
from starlette.background import BackgroundTask

from app.access import Caller, audit
from app.exports import FORMATS, export_report
from app.routes.cases import IdempotencyKey, Upload, store_upload
from app.routes.errors import documented
from app.routes.guards import ExportReport, Reader, ReadReport, WriteCase, Writer, WriteReport, visible_case
from app.routes.versions import versions_of
from app.workbench import Workbench
from encoders.errors import InputError

REPORT_CSP = (
    "default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src 'unsafe-inline'; sandbox allow-scripts"
)
"""On a report served as a page: as strict as its own meta policy, and it cannot act as this origin."""

EVENT = {"type": "object", "properties": {"event": {"type": "string"}, "data": {"type": "string"}}}
SSE = {"content": {"text/event-stream": {"schema": {**EVENT, "description": "One server-sent event; data is JSON."}}}}
ENDED = ("done", "failed", "cancelled")

FormatQuery = Annotated[str, Query(alias="format", pattern="^(json|html)$")]


class Job(BaseModel):
    """A report being written, or written."""

    model_config = ConfigDict(
        extra="allow",
        json_schema_extra={
            "examples": [
                {
                    "id": "report-1b2c3d4e5f60", "case_id": "case-3f9a0c11d2", "state": "running",
                    "progress": "section summary", "error": None, "created": "2026-03-06T10:00:00.000+00:00",
                    "seed": 0, "llm": "embedded",
                }
            ]
        },
    )  # fmt: skip
    id: str
    case_id: str
    state: str = Field(description="submitted, running, done, failed or cancelled")
    progress: str | None = None
    error: str | None = None
    created: str
    seed: int
    llm: str


class JobWithReport(Job):
    """A job, and report.json when it is done."""

    report: dict[str, Any] | None = None


class JobList(BaseModel):
    """Jobs of the cases the caller may see, oldest first."""

    reports: list[Job]


class Submit(BaseModel):
    """seed : handed to the language model."""

    seed: int = Field(default=0, ge=0, le=2**31 - 1)


def add_reports(app: FastAPI, workbench: Workbench) -> None:
    """Add the operations on report jobs."""
    _add_submits(app, workbench)
    _add_jobs(app, workbench)
    _add_downloads(app, workbench)


def _add_submits(app: FastAPI, workbench: Workbench) -> None:
    @app.post(
        "/v1/reports",
        status_code=202,
        tags=["reports"],
        operation_id="submit_report",
        responses=documented(400, 404, 409),
    )
    def submit_report(
        caller: Writer,
        file: Annotated[UploadFile | None, File(description="A zip of one patient folder: a new case.")] = None,
        case_id: Annotated[str | None, Form(max_length=64)] = None,
        seed: Annotated[int, Form(ge=0, le=2**31 - 1)] = 0,
        idempotency_key: IdempotencyKey = None,
    ) -> Job:
        """Queue a report of a new zip or of a stored case."""
        if (file is None) == (case_id is None):
            raise HTTPException(422, "give either a zip in 'file' or the 'case_id' of a stored case.")
        if file is not None:
            upload_key = f"{idempotency_key}:upload" if idempotency_key else None
            case_id = store_upload(workbench, caller, Upload(file, key=upload_key))[0].case_id
        else:
            case_id = visible_case(workbench, caller, str(case_id), write=True).case_id
        return _submitted(workbench, caller, str(case_id), seed, idempotency_key)

    @app.post(
        "/v1/cases/{case_id}/reports", status_code=202, tags=["reports"], operation_id="submit_report_of_case",
        responses=documented(400, 404, 409),
    )  # fmt: skip
    def submit_report_of_case(
        case_id: WriteCase, caller: Writer, wanted: Submit, idempotency_key: IdempotencyKey = None
    ) -> Job:
        """Queue a report of this case."""
        return _submitted(workbench, caller, case_id, wanted.seed, idempotency_key)


def _submitted(workbench: Workbench, caller: Caller, case_id: str, seed: int, key: str | None) -> Job:
    job = workbench.submit(case_id, seed=seed, owner=caller.name, idempotency_key=key)
    audit(caller, "submit report", case_id=case_id, report=job["id"], llm=job["llm"])
    return Job(**job)


def _add_jobs(app: FastAPI, workbench: Workbench) -> None:
    @app.get("/v1/reports", tags=["reports"], operation_id="list_reports", responses=documented())
    def list_reports(
        caller: Reader,
        case_id: Annotated[str | None, Query(max_length=64)] = None,
        state: Annotated[str | None, Query(pattern="^(submitted|running|done|failed|cancelled)$")] = None,
    ) -> JobList:
        """Every job of your cases."""
        mine = {c.case_id for c in workbench.cases(caller)}
        found = [j for j in workbench.jobs() if j["case_id"] in mine or caller.local]
        kept = [j for j in found if case_id in (None, j["case_id"]) and state in (None, j["state"])]
        return JobList(reports=[Job(**j) for j in kept])

    @app.get(
        "/v1/reports/{job_id}", tags=["reports"], operation_id="get_report", response_model=JobWithReport,
        responses={200: {"content": {"text/html": {"schema": {"type": "string"}}}}, **documented(404, 409)},
    )  # fmt: skip
    def get_report(job: ReadReport, caller: Reader, form: FormatQuery = "json") -> Response:
        """The job and, when it is done, its report; ``format=html`` gives the report as a page."""
        if job["state"] == "done":
            audit(caller, "read report", case_id=job["case_id"], report=job["id"])
        if form == "html":
            page = workbench.report_html(finished(job))
            return HTMLResponse(page, headers={"Content-Security-Policy": REPORT_CSP})
        return JSONResponse({**job, "report": workbench.report_json(job) if job["state"] == "done" else None})

    @app.get(
        "/v1/reports/{job_id}/events", tags=["reports"], operation_id="follow_report",
        response_class=StreamingResponse, responses={200: SSE, **documented(404)},
    )  # fmt: skip
    def follow_report(job: ReadReport) -> StreamingResponse:
        """Each change of the job as a server-sent event, until it ends."""
        return StreamingResponse(_followed(workbench, job["id"]), media_type="text/event-stream")

    @app.post(
        "/v1/reports/{job_id}/cancel", tags=["reports"], operation_id="cancel_report", responses=documented(404, 409)
    )
    def cancel_report(job: WriteReport, caller: Writer) -> Job:
        """Give up a job that has not ended."""
        if job["state"] in ENDED:
            raise HTTPException(409, f"report {job['id']!r} is {job['state']}; only a job that has not ended can be.")
        audit(caller, "cancel report", case_id=job["case_id"], report=job["id"])
        return Job(**workbench.cancel(job["id"]))


def _add_downloads(app: FastAPI, workbench: Workbench) -> None:
    media = {form.media_type for form in FORMATS.values()}
    content = {"content": {m: {"schema": {"type": "string", "format": "binary"}} for m in sorted(media)}}

    @app.get(
        "/v1/reports/{job_id}/report.{form}", tags=["reports"], operation_id="download_report",
        response_class=FileResponse, responses={200: content, **documented(400, 404, 409, 503)},
    )  # fmt: skip
    def download_report(job: ExportReport, caller: Reader, form: str) -> FileResponse:
        """The report in one of the forms of GET /v1/info."""
        chosen = next((f for n, f in FORMATS.items() if form in (n, f.suffix.lstrip("."))), None)
        if chosen is None:
            raise HTTPException(404, f"no report.{form[:20]}; there are report.{', report.'.join(FORMATS)}.")
        finished(job)
        if chosen.needs_images and not workbench.settings.images:
            raise InputError(f"{chosen.title}: image functions are switched off by a setting; choose another form.")
        versions = versions_of(workbench, job["case_id"])
        audit(caller, f"export {chosen.name}", case_id=job["case_id"], **{**versions, "report": job["id"]})
        name = f"{job['case_id']}-report.{chosen.suffix.lstrip('.')}"
        kept = workbench.files.report_folder(job["case_id"], job["id"]) / f"report.{chosen.name}"
        if chosen.name in ("json", "html") and kept.is_file():
            return FileResponse(kept, media_type=chosen.media_type, filename=name)
        with ExitStack() as kept_until:
            folder = kept_until.enter_context(workbench.files.incoming())
            source = workbench.files.patient_folder(job["case_id"])
            made = export_report(workbench.report_json(job), chosen.name, folder, patient_folder=source)
            sent = kept_until.pop_all()  # the folder goes when the file is sent
        return FileResponse(made, media_type=chosen.media_type, filename=name, background=BackgroundTask(sent.close))


def finished(job: dict[str, Any]) -> dict[str, Any]:
    """The job, or 409 while it has no report."""
    if job["state"] != "done":
        raise HTTPException(409, f"report {job['id']!r} is {job['state']}; ask again when it is done.")
    return job


def latest_report(workbench: Workbench, case_id: str) -> dict[str, Any]:
    """report.json of the newest finished job of a case, or 409."""
    job = workbench.latest_report(case_id)
    if job is None:
        raise HTTPException(409, f"case {case_id!r} has no finished report; POST /v1/cases/{case_id}/reports first.")
    return {**workbench.report_json(job), "job_id": job["id"]}


def server_sent(kind: str, data: Any) -> str:
    """One server-sent event."""
    return f"event: {kind}\ndata: {json.dumps(data, ensure_ascii=False)}\n\n"


async def _followed(workbench: Workbench, job_id: str) -> AsyncIterator[str]:
    """The job's changes; each wait happens in a thread, so that no one's following stops another's answer."""
    changes = iter(workbench.wait_progress(job_id))
    limiter = anyio.CapacityLimiter(1)  # its own: the threads of ordinary requests stay free
    while (
        job := await anyio.to_thread.run_sync(next, changes, None, limiter=limiter, abandon_on_cancel=True)
    ) is not None:
        yield server_sent("progress", job)
    last = await anyio.to_thread.run_sync(workbench.job, job_id)
    yield server_sent("end", last)
