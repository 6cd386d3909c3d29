"""OpenAI-compatible chat completions about one case, so that any client or harness can ask.

    model "radomica/<case_id>", or model "radomica" with "case_id" in the body or the X-Radomica-Case header

Without a case there is no evidence, and so no answer: 400. The answer is the checked chat's, its citations in the text
as [M1]. ``usage`` counts words and marks of question and answer: the answer is put together from checked sentences, so
no model's token count belongs to it. What a client sends and this server does not use (temperature, max_tokens, system
messages ...) is named in the X-Radomica-Ignored header. Not known here: how an answer is made.
"""

from __future__ import annotations

import json
import re
import secrets
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Annotated, Any, Literal

import anyio.to_thread
from fastapi import FastAPI, Header, HTTPException, Response
from fastapi.responses import JSONResponse, StreamingResponse
from pydantic import BaseModel, ConfigDict, Field

from app.chat_events import AnswerText
from app.chat_pool import ChatPool, ChatRun, Failed, Stopped, Waiting
from app.routes.chat import Question, begin, failure
from app.routes.errors import documented, error_answer
from app.routes.guards import Asker, Reader, visible_case
from app.routes.reports import SSE
from app.workbench import MAX_QUESTION, Workbench

MODEL = "radomica"
KEPT_TURNS = 6
USED = frozenset({"model", "messages", "stream", "stream_options", "case_id", "n"})
PLAIN_NAME = re.compile(r"[A-Za-z0-9_.\[\]-]{1,40}")
MAX_NAMED = 30
WORD = re.compile(r"\w+|[^\w\s]")


class Part(BaseModel):
    """A part of a message; only text is taken."""

    model_config = ConfigDict(extra="allow")
    type: str
    text: str | None = None


class ChatMessage(BaseModel):
    """One message; the last of role "user" is the question."""

    model_config = ConfigDict(extra="allow")
    role: Literal["system", "developer", "user", "assistant", "tool"]
    content: str | list[Part] | None = None


class StreamOptions(BaseModel):
    """include_usage : a last chunk holds the usage."""

    model_config = ConfigDict(extra="allow")
    include_usage: bool | None = None


class CompletionRequest(BaseModel):
    """As OpenAI's; other parameters are taken and named as ignored."""

    model_config = ConfigDict(
        extra="allow",
        json_schema_extra={
            "examples": [
                {"model": "radomica/demo-synthetic", "messages": [{"role": "user", "content": "Is EGFR mutated?"}]}
            ]
        },
    )
    model: str = Field(min_length=1, max_length=100)
    messages: list[ChatMessage] = Field(min_length=1, max_length=200)
    stream: bool | None = False
    stream_options: StreamOptions | None = None
    case_id: str | None = Field(default=None, max_length=64)
    n: int | None = Field(default=1, ge=1, le=1)


class Usage(BaseModel):
    """Words and marks, not tokens of a model."""

    prompt_tokens: int
    completion_tokens: int
    total_tokens: int


class Answered(BaseModel):
    """The assistant's message."""

    role: Literal["assistant"] = "assistant"
    content: str


class Choice(BaseModel):
    """The one answer."""

    index: int = 0
    message: Answered
    finish_reason: Literal["stop"] = "stop"


class Checked(BaseModel):
    """What OpenAI's form has no place for."""

    case_id: str
    citations: list[str]
    withheld: int
    abstained: bool


class Completion(BaseModel):
    """A whole answer."""

    id: str
    object: Literal["chat.completion"] = "chat.completion"
    created: int
    model: str
    choices: list[Choice]
    usage: Usage
    radomica: Checked


class ModelEntry(BaseModel):
    """A model id: a case, or "radomica" for use with a case_id."""

    id: str
    object: Literal["model"] = "model"
    created: int = 0
    owned_by: Literal["radomica"] = "radomica"


class ModelList(BaseModel):
    """One model a case."""

    object: Literal["list"] = "list"
    data: list[ModelEntry]


def add_openai(app: FastAPI, workbench: Workbench, *, chats: ChatPool) -> None:
    """Add /v1/models and /v1/chat/completions."""

    @app.get("/v1/models", tags=["openai"], operation_id="list_models", responses=documented())
    def list_models(caller: Reader) -> ModelList:
        """A model id for each case you may ask about."""
        names = [MODEL, *(f"{MODEL}/{c.case_id}" for c in workbench.cases(caller))]
        return ModelList(data=[ModelEntry(id=name) for name in names])

    @app.post(
        "/v1/chat/completions", tags=["openai"], operation_id="create_chat_completion", response_model=Completion,
        responses={200: SSE, **documented(400, 404, 503)},
    )  # fmt: skip
    async def create_chat_completion(
        caller: Asker,
        asked: CompletionRequest,
        x_radomica_case: Annotated[str | None, Header(max_length=64)] = None,
    ) -> Response:
        """Ask about a case in OpenAI's form."""
        wanted = case_named(asked, x_radomica_case)
        case = await anyio.to_thread.run_sync(visible_case, workbench, caller, wanted)
        question, ignored = as_question(asked)
        run = await begin(workbench, chats, case.case_id, caller, question)
        headers = {"X-Radomica-Ignored": ignored_words(ignored)} if ignored else {}
        answer = _Answer(asked, case.case_id, run)
        if asked.stream:
            return StreamingResponse(answer.stream(), media_type="text/event-stream", headers=headers)
        return await answer.whole(headers)


def case_named(asked: CompletionRequest, header: str | None) -> str:
    """The one case a request names.

    Raises
    ------
    HTTPException: 404 for another model, 400 where no case or two cases are named.
    """
    name, _, in_model = asked.model.partition("/")
    if name != MODEL:
        raise HTTPException(404, f"no model {asked.model[:80]!r}; GET /v1/models lists what is here.")
    named = {c for c in (in_model, asked.case_id, header) if c}
    if not named:
        raise HTTPException(
            400, "no case is named, and without one there is no evidence to answer from; ask the model "
            "'radomica/<case_id>' (GET /v1/models), or send case_id in the body or the X-Radomica-Case header.",
        )  # fmt: skip
    if len(named) > 1:
        raise HTTPException(400, f"{len(named)} different cases are named; name one.")
    return named.pop()


def as_question(asked: CompletionRequest) -> tuple[Question, list[str]]:
    """The question with the turns before it, and the names of what is not used.

    Raises
    ------
    HTTPException: 400 where the last message is not the user's, holds no text, or is too long.
    """
    ignored = {k for k, v in asked.model_dump(exclude_unset=True).items() if k not in USED and v is not None}
    turns: list[tuple[str, str]] = []
    waiting = ""
    for message in asked.messages:
        text = _text(message)
        if message.role == "user":
            waiting = f"{waiting}\n\n{text}".strip()
        elif message.role == "assistant" and waiting:
            turns.append((waiting, text))
            waiting = ""
        else:
            ignored.add(f"messages[{message.role}]")
    if asked.messages[-1].role != "user" or not waiting:
        raise HTTPException(400, "the last message must be the user's, with text: it is the question.")
    if len(waiting) > MAX_QUESTION:
        raise HTTPException(400, f"the question has {len(waiting)} characters; at most {MAX_QUESTION} are taken.")
    return Question(question=waiting, history=turns[-KEPT_TURNS:]), sorted(ignored)


def ignored_words(names: Sequence[str]) -> str:
    """Names for a header: what a client may have made up (line breaks, other scripts) is counted, not repeated."""
    told = [n for n in names if PLAIN_NAME.fullmatch(n)][:MAX_NAMED]
    left = len(names) - len(told)
    return ", ".join([*told, *([f"{left} more"] if left else [])])


def _text(message: ChatMessage) -> str:
    if message.content is None or isinstance(message.content, str):
        return (message.content or "").strip()
    if any(p.type != "text" for p in message.content):
        kinds = ", ".join(sorted({p.type[:30] for p in message.content} - {"text"}))
        raise HTTPException(400, f"content parts of type {kinds} are not taken; send text, and images with the case.")
    return "\n".join(p.text or "" for p in message.content).strip()


class _Answer:
    """One answer in OpenAI's two forms."""

    def __init__(self, asked: CompletionRequest, case_id: str, run: ChatRun) -> None:
        self.asked, self.case_id, self.run = asked, case_id, run
        self.text = AnswerText()
        self.citations: list[str] = []
        self.withheld, self.abstained = 0, False
        self.id, self.created = f"chatcmpl-{secrets.token_hex(12)}", int(time.time())
        self.failed: tuple[int, str, str] | None = None

    async def _pieces(self) -> AsyncIterator[str]:
        """New text as it is checked, "" as a sign of life; an error ends it and is kept in ``failed``."""
        said = ""
        async for event in self.run.events():
            if isinstance(event, Waiting | Stopped):
                yield ""
            elif isinstance(event, Failed):
                status = error_answer(event.error)[0]
                self.failed = (status, *failure(self.run, event))
            else:
                self.text.add(event)
                self.withheld += event.kind == "withheld"
                self.abstained |= event.kind == "abstain"
                self.citations += [c for c in event.citations if c not in self.citations]
                now = self.text.shown()
                yield now[len(said) :]
                said = now

    async def whole(self, headers: Mapping[str, str]) -> Response:
        async for _ in self._pieces():
            pass
        if self.failed is not None:
            raise HTTPException(self.failed[0], self.failed[2])
        made = Completion(
            id=self.id, created=self.created, model=self.asked.model,
            choices=[Choice(message=Answered(content=self.text.shown()))], usage=self._usage(),
            radomica=self._checked(),
        )  # fmt: skip
        return JSONResponse(made.model_dump(mode="json"), headers=dict(headers))

    async def stream(self) -> AsyncIterator[str]:
        yield self._chunk({"role": "assistant", "content": ""})
        async for piece in self._pieces():
            yield self._chunk({"content": piece}) if piece else ": still at it\n\n"
        if self.failed is not None:
            _, code, message = self.failed
            yield f"data: {json.dumps({'error': {'type': code, 'message': message}})}\n\n"
            return
        yield self._chunk({}, finish="stop", radomica=self._checked().model_dump())
        if self.asked.stream_options is not None and self.asked.stream_options.include_usage:
            yield self._line({"choices": [], "usage": self._usage().model_dump()})
        yield "data: [DONE]\n\n"

    def _chunk(self, delta: Mapping[str, Any], *, finish: str | None = None, **more: Any) -> str:
        return self._line({"choices": [{"index": 0, "delta": delta, "finish_reason": finish}], **more})

    def _line(self, fields: Mapping[str, Any]) -> str:
        head = {"id": self.id, "object": "chat.completion.chunk", "created": self.created, "model": self.asked.model}
        return f"data: {json.dumps({**head, **fields}, ensure_ascii=False)}\n\n"

    def _usage(self) -> Usage:
        asked = sum(len(WORD.findall(_text(m))) for m in self.asked.messages)
        answered = len(WORD.findall(self.text.shown()))
        return Usage(prompt_tokens=asked, completion_tokens=answered, total_tokens=asked + answered)

    def _checked(self) -> Checked:
        return Checked(case_id=self.case_id, citations=self.citations, withheld=self.withheld, abstained=self.abstained)
