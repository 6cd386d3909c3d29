"""The gate before the whole application, the page included: every request has a caller, or goes to the login.

Open to everybody: /healthz and /login. Everything else needs the local user (app/access.py says when there is one), a
session or a key; what a caller may do is then asked by each operation. The page needs the scope "read".
Every refusal is in the audit log, with the first two parts of the path alone: the rest may name somebody.
"""

from __future__ import annotations

import re
from typing import Any

import anyio
import anyio.to_thread
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Receive, Send
from starlette.types import Scope as AsgiScope

from app.access import CALLER, Caller, Scope, identify
from app.login import LOGIN, LOGOUT, LoginBrake, login, logout
from encoders.errors import ContractError

OPEN = ("/healthz",)
API = ("/v1/", "/cds-services", "/openapi.json")
CHECKS_AT_ONCE = 8
PLAIN_PART = re.compile(r"[a-z0-9_.-]{1,40}")


class AccessGuard:
    """ASGI middleware; asks the workbench in ``app.state.workbench`` who there is."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app
        self._brake = LoginBrake()
        self._limiter: anyio.CapacityLimiter | None = None

    async def __call__(self, scope: AsgiScope, receive: Receive, send: Send) -> None:
        """Let one request through, or answer it here."""
        path = scope.get("path", "")
        if scope["type"] not in ("http", "websocket") or path in OPEN:
            await self.app(scope, receive, send)
            return
        if "app" not in scope:
            raise ContractError("the access guard stands before no application; add it with add_middleware.")
        workbench = scope["app"].state.workbench
        if path in (LOGIN, LOGOUT) and scope["type"] == "http":
            request = Request(scope, receive)
            answer = await (login if path == LOGIN else logout)(request, workbench, self._brake, self._in_thread)
            await answer(scope, receive, send)
            return
        caller = await self._in_thread(identify, workbench.people, workbench.audit_log, scope)
        refused = await self._in_thread(_refusal, scope, caller, workbench)
        if refused is None:
            scope[CALLER] = caller
            await self.app(scope, receive, send)
        elif scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1008})
        else:
            await refused(scope, receive, send)

    async def _in_thread(self, function: Any, *args: Any) -> Any:
        """Run in a thread of the guard's own, so that a full pool of answers does not hold up who asks."""
        if self._limiter is None:
            self._limiter = anyio.CapacityLimiter(CHECKS_AT_ONCE)
        return await anyio.to_thread.run_sync(function, *args, limiter=self._limiter)


def _refusal(scope: AsgiScope, caller: Caller | None, workbench: Any) -> Response | None:
    """What is answered in place of the application; None where the request may go on."""
    is_api = scope["path"].startswith(API)
    if caller is not None and (is_api or Scope.READ in caller.scopes):
        return None
    why = "no key" if caller is None else "wrong scope"
    name = "-" if caller is None else caller.name
    shown = [part for part in scope["path"].split("/")[1:3] if PLAIN_PART.fullmatch(part)]
    workbench.audit_log.append(
        name, f"refused: {why}", method=scope.get("method", "websocket"), route="/" + "/".join(shown),
        request=scope.get("radomica_request_id"),
    )  # fmt: skip
    if caller is None and _wants_page(scope):
        return RedirectResponse(LOGIN, status_code=303)
    status, words = (
        (401, "log in at /login, or send Authorization: Bearer <key> (radomica key create).")
        if caller is None
        else (403, "this needs the scope 'read'; the key or user has not got it.")
    )
    kind = "Unauthorized" if caller is None else "Forbidden"
    body = {"error": {"type": kind, "message": words}, "request_id": scope.get("radomica_request_id", "")}
    return JSONResponse(body, status_code=status, headers={"WWW-Authenticate": "Bearer"} if status == 401 else None)


def _wants_page(scope: AsgiScope) -> bool:
    """Whether a browser asks for a page, so that the login is shown in its place."""
    accepts = next((v for k, v in scope["headers"] if k.lower() == b"accept"), b"")
    return scope.get("method") == "GET" and b"text/html" in accepts
