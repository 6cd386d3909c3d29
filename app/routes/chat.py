"""The chat about a case as server-sent events, and its stop.

Events: "started" with the chat_id, "waiting" with how many questions come first, then the events of an answer
(assistant/chat_events.py) up to "done", or "stopped", or "error". Leaving the stream stops the answer.
Not known here: how an answer is made (app/workbench.py) or queued (app/chat_pool.py).
"""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator
from typing import Annotated, Any, Literal

from fastapi import FastAPI, Path
from fastapi.responses import StreamingResponse
from pydantic import BaseModel, ConfigDict, Field

from app.access import audit
from app.chat_events import event_to_dict
from app.chat_pool import ChatPool, ChatRun, Failed, Stopped, Waiting
from app.quiet_errors import frames_of
from app.routes.errors import documented, error_answer, not_found
from app.routes.guards import AskCase, Asker
from app.routes.reports import SSE, server_sent
from app.routes.versions import versions_of
from app.workbench import MAX_QUESTION, Workbench
from encoders.errors import RadomicaError

LOG = logging.getLogger("radomica")


class Question(BaseModel):
    """A chat turn: the question and the earlier (question, answer) pairs, oldest first.

    reliance : also say how the answer changes without the image and without the omics (slower)
    """

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"question": "Is EGFR mutated?", "history": [], "reliance": False}]}
    )
    question: str = Field(min_length=1, max_length=MAX_QUESTION)
    history: list[tuple[str, str]] = Field(default_factory=list, max_length=20)
    reliance: bool = False


class StopAnswer(BaseModel):
    """The answer will say no more."""

    chat_id: str
    state: Literal["stopping"] = "stopping"


def add_chat(app: FastAPI, workbench: Workbench, *, chats: ChatPool) -> None:
    """Add the chat."""

    @app.post(
        "/v1/cases/{case_id}/chat", tags=["chat"], operation_id="ask_case", response_class=StreamingResponse,
        responses={200: SSE, **documented(400, 404, 503)},
    )  # fmt: skip
    async def ask_case(case_id: AskCase, caller: Asker, asked: Question) -> StreamingResponse:
        """Ask about a case; the answer streams, each sentence checked before it is sent."""
        run = await begin(workbench, chats, case_id, caller, asked)
        return StreamingResponse(_as_text(run), media_type="text/event-stream")

    @app.post(
        "/v1/cases/{case_id}/chat/{chat_id}/stop", tags=["chat"], operation_id="stop_answer", responses=documented(404)
    )
    def stop_answer(case_id: AskCase, caller: Asker, chat_id: Annotated[str, Path(max_length=64)]) -> StopAnswer:
        """Stop an answer that streams or waits; only who asked it can."""
        run = chats.run(chat_id)
        if run is None or run.owner != owner_of(caller, case_id):
            raise not_found("running answer", chat_id, f"the 'started' event of POST /v1/cases/{case_id}/chat")
        run.stop()
        return StopAnswer(chat_id=chat_id)


def owner_of(caller: Any, case_id: str) -> str:
    """Who may stop an answer: the caller that asked, about the same case."""
    return f"{caller.name}/{case_id}"


async def begin(workbench: Workbench, chats: ChatPool, case_id: str, caller: Any, asked: Question) -> ChatRun:
    """Check the question, note it in the audit log, put it in line.

    Raises
    ------
    HTTPException: no such case. InputError: an empty question. UnavailableError: too many wait.
    """
    import anyio.to_thread  # noqa: PLC0415

    def check() -> None:
        workbench.check_question(case_id, asked.question)
        audit(caller, "ask", case_id=case_id, **versions_of(workbench, case_id))

    await anyio.to_thread.run_sync(check)
    options = {"reliance": True} if asked.reliance else {}
    return chats.submit(
        lambda: workbench.ask(case_id, asked.question, asked.history, **options), owner=owner_of(caller, case_id)
    )


async def _as_text(run: ChatRun) -> AsyncIterator[str]:
    """Every event as text; an error becomes the last event, since the status is already sent."""
    yield server_sent("started", {"kind": "started", "chat_id": run.chat_id, "ahead": run.ahead})
    async for event in run.events():
        if isinstance(event, Waiting):
            # A line in front is news; an answer that takes long only shows that the stream lives.
            told = {"kind": "waiting", "ahead": event.ahead}
            yield server_sent("waiting", told) if event.ahead else ": still at it\n\n"
        elif isinstance(event, Stopped):
            yield server_sent("stopped", {"kind": "stopped"})
        elif isinstance(event, Failed):
            code, message = failure(run, event)
            yield server_sent("error", {"kind": "error", "type": code, "message": message})
        else:
            found = event_to_dict(event)
            yield server_sent(found["kind"], found)


def failure(run: ChatRun, ended: Failed) -> tuple[str, str]:
    """(code, message) of what ended an answer; an error nobody foresaw goes to the log alone."""
    if not isinstance(ended.error, RadomicaError):
        LOG.error("answer %s failed: %s", run.chat_id, frames_of(ended.error))
    return error_answer(ended.error)[1:]
