"""The HTTP API, and the page mounted beside it. Loopback by default; there is no login.

    POST /v1/cases                 a zip of one patient folder -> case
    GET  /v1/cases                 what is stored
    POST /v1/reports               a zip, or the case_id of a stored case -> job (202)
    GET  /v1/reports               every job
    GET  /v1/reports/{id}          job and, when done, the report; ?format=html gives the page
    POST /v1/cases/{id}/chat       {"question": ..., "history": [[question, answer], ...]} -> server-sent events
    GET  /healthz

No path on the server is ever taken from a client. Errors are {"error": {"type", "message"}, "request_id"}.
Not known here: how reports are made (app/workbench.py).
"""

from __future__ import annotations

import json
import logging
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Annotated, Any

from fastapi import FastAPI, File, Form, HTTPException, Query, Request, UploadFile
from fastapi.exceptions import RequestValidationError
from fastapi.responses import FileResponse, HTMLResponse, JSONResponse, Response, StreamingResponse
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException as AnyHTTPException

from app.case_files import StoredCase
from app.chat_events import event_to_dict
from app.http_guard import HttpGuard
from app.settings import Settings
from app.workbench import Workbench
from encoders.errors import InputError, RadomicaError

LOG = logging.getLogger("radomica")
REPORT_CSP = (
    "default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src 'unsafe-inline'; sandbox allow-scripts"
)
"""On a report served as a page: as strict as its own meta policy, and it cannot act as this origin."""


FormatQuery = Annotated[str, Query(alias="format", pattern="^(json|html)$")]


class Question(BaseModel):
    """A chat turn: the question and the earlier (question, answer) pairs, oldest first."""

    question: str = Field(min_length=1, max_length=2000)
    history: list[tuple[str, str]] = Field(default_factory=list, max_length=20)


def make_app(settings: Settings, *, with_page: bool = True, with_demo: bool = True, port: int = 7860) -> FastAPI:
    """The application; ``with_page`` mounts the Gradio page at /, ``with_demo`` makes the demo case first."""
    workbench = Workbench(settings)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        workbench.start(with_demo=with_demo)
        yield
        workbench.stop()

    made = FastAPI(title="Radomica", version=_version(), lifespan=lifespan, docs_url=None, redoc_url=None)
    made.state.workbench = workbench
    _add_errors(made)
    _add_cases(made, workbench)
    _add_reports(made, workbench)
    if with_page:
        from app.chat_page import mount_page  # noqa: PLC0415  Gradio takes seconds to import

        mount_page(made, workbench, port=port)
    made.add_middleware(HttpGuard)
    return made


def serve_forever(settings: Settings, *, host: str, port: int) -> None:
    """Run until interrupted."""
    import uvicorn  # noqa: PLC0415

    made = make_app(settings, port=port)
    made.state.workbench.judge()  # a model of --nli that cannot be loaded is said before anything is served
    uvicorn.run(made, host=host, port=port, log_level="info", access_log=False, server_header=False)


def _add_cases(made: FastAPI, workbench: Workbench) -> None:
    @made.get("/healthz")
    def healthz() -> dict[str, Any]:
        states = [j["state"] for j in workbench.jobs()]
        return {
            "status": "ok",
            "version": _version(),
            "llm": workbench.settings.llm,
            "jobs": len(states),
            "waiting": sum(s in ("submitted", "running") for s in states),
        }

    @made.get("/v1/cases")
    def list_cases() -> dict[str, Any]:
        return {"cases": [_case(c, workbench) for c in workbench.cases()]}

    @made.post("/v1/cases", status_code=201)
    def add_case(file: Annotated[UploadFile, File()]) -> dict[str, Any]:
        return _case(_store_upload(workbench, file), workbench)

    @made.post("/v1/cases/{case_id}/chat")
    def chat(case_id: str, asked: Question) -> StreamingResponse:
        if workbench.files.case(case_id) is None:
            raise HTTPException(404, f"no case {case_id!r}; GET /v1/cases lists what is here.")
        events = workbench.ask(case_id, asked.question, asked.history)
        return StreamingResponse(_server_sent(events), media_type="text/event-stream")


def _add_reports(made: FastAPI, workbench: Workbench) -> None:
    @made.post("/v1/reports", status_code=202)
    def add_report(
        file: Annotated[UploadFile | None, File()] = None,
        case_id: Annotated[str | None, Form()] = None,
        seed: Annotated[int, Form(ge=0, le=2**31 - 1)] = 0,
    ) -> dict[str, Any]:
        if (file is None) == (case_id is None):
            raise HTTPException(422, "give either a zip in 'file' or the 'case_id' of a stored case.")
        if file is not None:
            case_id = _store_upload(workbench, file).case_id
        elif workbench.files.case(str(case_id)) is None:
            raise HTTPException(404, f"no case {case_id!r}; GET /v1/cases lists what is here.")
        return workbench.submit(str(case_id), seed=seed)

    @made.get("/v1/reports")
    def list_reports() -> dict[str, Any]:
        return {"reports": list(workbench.jobs())}

    @made.get("/v1/reports/{job_id}")
    def get_report(job_id: str, form: FormatQuery = "json") -> Response:
        if form == "html":
            page = workbench.report_html(_job(workbench, job_id, done=True))
            return HTMLResponse(page, headers={"Content-Security-Policy": REPORT_CSP})
        job = _job(workbench, job_id)
        return JSONResponse({**job, "report": workbench.report_json(job) if job["state"] == "done" else None})

    @made.get("/v1/reports/{job_id}/report.{form}")
    def download(job_id: str, form: str) -> FileResponse:
        if form not in ("json", "html"):
            raise HTTPException(404, f"no report.{form}; there are report.json and report.html.")
        job = _job(workbench, job_id, done=True)
        path = workbench.files.report_folder(job["case_id"], job["id"]) / f"report.{form}"
        return FileResponse(path, filename=f"{job['case_id']}-report.{form}")


def _job(workbench: Workbench, job_id: str, *, done: bool = False) -> dict[str, Any]:
    job = workbench.job(job_id)
    if job is None:
        raise HTTPException(404, f"no report {job_id!r}; GET /v1/reports lists what is here.")
    if done and job["state"] != "done":
        raise HTTPException(409, f"report {job_id!r} is {job['state']}; ask again when it is done.")
    return job


def _store_upload(workbench: Workbench, file: UploadFile) -> StoredCase:
    """Keep an uploaded zip as a case; its size was capped while it came in (HttpGuard)."""
    name = Path(file.filename or "upload.zip").name
    with tempfile.NamedTemporaryFile(suffix=".zip") as copy:
        while block := file.file.read(1024 * 1024):
            copy.write(block)
        copy.flush()
        return workbench.files.add_zip(Path(copy.name), title=name.removesuffix(".zip"))


def _case(case: StoredCase, workbench: Workbench) -> dict[str, Any]:
    latest = workbench.latest_report(case.case_id)
    return {**vars(case), "latest_report": latest["id"] if latest else None}


def _server_sent(events: Iterator[Any]) -> Iterator[str]:
    """Each event as one SSE message; an error becomes a last event, since the status is already sent."""
    try:
        for event in events:
            found = event_to_dict(event)
            yield f"event: {found['kind']}\ndata: {json.dumps(found, ensure_ascii=False)}\n\n"
    except RadomicaError as error:
        yield f"event: error\ndata: {json.dumps({'kind': 'error', 'message': str(error)})}\n\n"
    except Exception:
        LOG.exception("chat failed")
        yield f"event: error\ndata: {json.dumps({'kind': 'error', 'message': 'this is a bug in Radomica'})}\n\n"


def _add_errors(made: FastAPI) -> None:
    def answer(request: Request, status: int, type_: str, message: str) -> JSONResponse:
        request_id = request.scope.get("radomica_request_id", "")
        return JSONResponse(
            {"error": {"type": type_, "message": message}, "request_id": request_id}, status_code=status
        )

    handlers: dict[type[Exception], Callable[[Any], tuple[int, str]]] = {
        AnyHTTPException: lambda e: (e.status_code, str(e.detail)),
        RequestValidationError: lambda e: (422, _validation_words(e)),
        InputError: lambda e: (400, str(e)),
        RadomicaError: lambda e: (503, str(e)),
    }
    for kind, read in handlers.items():

        def handle(request: Request, error: Exception, read: Callable[[Any], tuple[int, str]] = read) -> JSONResponse:
            status, message = read(error)
            return answer(request, status, type(error).__name__, message)

        made.add_exception_handler(kind, handle)

    def unforeseen(request: Request, error: Exception) -> JSONResponse:
        LOG.error("request %s failed", request.scope.get("radomica_request_id"), exc_info=error)
        return answer(request, 500, "InternalError", "this is a bug in Radomica; the server's log has the request id")

    made.add_exception_handler(Exception, unforeseen)


def _validation_words(error: RequestValidationError) -> str:
    return "; ".join(f"{'.'.join(str(p) for p in e['loc'][1:])}: {e['msg']}" for e in error.errors())


def _version() -> str:
    from importlib.metadata import version  # noqa: PLC0415

    return version("radomica")
