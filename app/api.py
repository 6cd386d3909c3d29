"""The HTTP API (app/routes/), the page mounted beside it, and the server. docs/api.md tells each operation.

Around everything, outermost first: HttpGuard (size, own origin, request id), RateGuard (429), AccessGuard (who asks).
Loopback by default. No path on the server is ever taken from a client. Errors are
{"error": {"type", "message"}, "request_id"}. Not known here: how reports are made (app/workbench.py).
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from fastapi import FastAPI

from app.access_guard import AccessGuard
from app.chat_pool import ChatPool
from app.http_guard import HttpGuard
from app.rate_limit import RateGuard, RateLimit
from app.routes.cases import add_cases
from app.routes.cds_hooks import add_cds_hooks
from app.routes.chat import add_chat
from app.routes.errors import add_errors
from app.routes.evidence import add_evidence
from app.routes.guards import Reader
from app.routes.knowledge import add_knowledge
from app.routes.openai import add_openai
from app.routes.predictions import add_predictions
from app.routes.reports import add_reports
from app.routes.reviews import add_reviews
from app.routes.service import Pulse, add_service, radomica_version
from app.routes.viewer import add_viewer
from app.settings import Settings
from app.workbench import Workbench
from assistant.report import RESEARCH_USE

TAGS = (
    ("cases", "One patient's files, kept as a case."),
    ("reports", "Report jobs: submit, follow, cancel, read, download."),
    ("reviews", "What people decide about claims and answers."),
    ("chat", "Questions about a case; every sentence is checked before it is sent."),
    ("openai", "The same chat in OpenAI's form, for any client or harness."),
    ("knowledge", "Guideline passages, a case's notes, therapy rows."),
    ("predictions", "Predictions of a case, and what-if."),
    ("viewer", "Image series, slices as pictures, files and the lines behind evidence."),
    ("evidence", "The ledger every claim cites."),
    ("cds-hooks", "CDS Hooks 2.0: patient-view and order-select."),
    ("service", "Health and versions."),
)


def make_app(settings: Settings, *, with_page: bool = True, with_demo: bool = True, port: int = 7860) -> FastAPI:
    """The application; ``with_page`` mounts the Gradio page at /, ``with_demo`` makes the demo case first."""
    workbench, chats = Workbench(settings), ChatPool()
    pulse = Pulse(workbench)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        workbench.start(with_demo=with_demo)
        beating = asyncio.create_task(pulse.keep())
        yield
        beating.cancel()
        chats.close()
        workbench.stop()

    made = FastAPI(
        title="Radomica", version=radomica_version(), description=RESEARCH_USE, lifespan=lifespan,
        docs_url=None, redoc_url=None, openapi_url=None, openapi_tags=[{"name": n, "description": d} for n, d in TAGS],
    )  # fmt: skip
    made.state.workbench, made.state.chats = workbench, chats
    add_errors(made)
    add_service(made, workbench, pulse=pulse, chats=chats)
    add_cases(made, workbench)
    add_reports(made, workbench)
    add_reviews(made, workbench)
    add_chat(made, workbench, chats=chats)
    add_knowledge(made, workbench)
    add_predictions(made, workbench)
    add_evidence(made, workbench)
    add_viewer(made, workbench)
    add_openai(made, workbench, chats=chats)
    add_cds_hooks(made, workbench)
    _add_description(made)
    if with_page:
        from app.chat_page import mount_page  # noqa: PLC0415  Gradio takes seconds to import

        mount_page(made, workbench, port=port)
    made.add_middleware(AccessGuard)
    made.add_middleware(RateGuard, limit=RateLimit(settings.rate_per_minute))  # before who asks is looked up
    made.add_middleware(HttpGuard, access=False)
    return made


def serve_forever(settings: Settings, *, host: str, port: int) -> None:
    """Run until interrupted."""
    import uvicorn  # noqa: PLC0415

    made = make_app(settings, port=port)
    made.state.workbench.judge()  # a model of --nli that cannot be loaded is said before anything is served
    uvicorn.run(made, host=host, port=port, log_level="info", access_log=False, server_header=False)


def _add_description(made: FastAPI) -> None:
    @made.get("/openapi.json", include_in_schema=False)
    def openapi(caller: Reader) -> dict[str, Any]:
        found = made.openapi()
        schemes = found.setdefault("components", {}).setdefault("securitySchemes", {})
        schemes["key"] = {"type": "http", "scheme": "bearer", "description": "An API key; radomica key create"}
        found["security"] = [{"key": []}, {}]  # {}: none is asked for on loopback while no user was made
        return found
