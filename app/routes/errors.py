"""One form for every error, in the API and on the page: {"error": {"type", "message"}, "request_id"}.

``type`` is the error's code: the class of a RadomicaError, or the HTTP status in words. No message holds a file's text
or a stack. Not known here: which errors an operation may raise (each names them with ``documented``).
"""

from __future__ import annotations

import logging
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, HTTPException, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException as AnyHTTPException

from app.quiet_errors import frames_of
from encoders.errors import InputError, RadomicaError, SettingsError

LOG = logging.getLogger("radomica")

BUG = "this is a bug in Radomica; the server's log has the request id"


class ErrorWords(BaseModel):
    """What went wrong: a stable code, and words that name the value found, the rule and the next step."""

    type: str = Field(examples=["NotFound"])
    message: str = Field(examples=["no case 'case-0'; GET /v1/cases lists what is here."])


class ErrorAnswer(BaseModel):
    """The body of every answer that is not a success."""

    error: ErrorWords
    request_id: str = Field(examples=["9f86d081884c7d65"])


_MEANING = {
    400: "The input cannot be used as it is.",
    401: "No valid key or session.",
    403: "The key or the user may not do this.",
    404: "Not there, or not yours.",
    409: "Not in a state that allows this.",
    413: "Larger than the server takes.",
    422: "The request does not fit its schema.",
    429: "Too many requests; Retry-After says when to ask again.",
    503: "Something this needs is not there: a model, its server, a weight file.",
}
USUAL = (401, 403, 413, 422, 429)
"""Answers any guarded operation may give."""


def documented(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """The ``responses`` of an operation: the usual refusals and these."""
    return {s: {"model": ErrorAnswer, "description": _MEANING[s]} for s in sorted({*USUAL, *statuses})}


def error_answer(error: BaseException) -> tuple[int, str, str]:
    """(HTTP status, code, message) of an error; the page shows the same code as the API.

    An error nobody foresaw is 500 and says nothing of itself.
    """
    if isinstance(error, RequestValidationError):
        return 422, "ValidationError", _validation_words(error)
    if isinstance(error, AnyHTTPException):
        return error.status_code, _status_code_word(error.status_code), str(error.detail)
    if isinstance(error, InputError | SettingsError):
        return 400, type(error).__name__, str(error)
    if isinstance(error, RadomicaError):
        return 503, type(error).__name__, str(error)
    return 500, "InternalError", BUG


def not_found(what: str, name: str, where: str) -> HTTPException:
    """404 of a thing that is not there or not the caller's: both read the same, so that ids cannot be probed."""
    return HTTPException(404, f"no {what} {name[:80]!r}; {where} lists what is here.")


def add_errors(app: FastAPI) -> None:
    """Give every error the one form."""

    def answer(request: Request, error: Exception) -> JSONResponse:
        status, code, message = error_answer(error)
        request_id = str(request.scope.get("radomica_request_id", ""))
        if status == 500:
            LOG.error("request %s failed: %s", request_id, frames_of(error))
        body = {"error": {"type": code, "message": message}, "request_id": request_id}
        return JSONResponse(body, status_code=status, headers=getattr(error, "headers", None))

    for kind in (AnyHTTPException, RequestValidationError, RadomicaError, Exception):
        app.add_exception_handler(kind, answer)


def _status_code_word(status: int) -> str:
    """404 -> "NotFound"."""
    try:
        return HTTPStatus(status).phrase.title().replace(" ", "").replace("-", "")
    except ValueError:
        return f"Status{status}"


def _validation_words(error: RequestValidationError) -> str:
    """Places and rules alone: what was sent may be a patient's."""
    return "; ".join(f"{'.'.join(str(p) for p in e['loc'][1:])}: {e['msg']}" for e in error.errors())
