"""What every HTTP answer gets and every request keeps: security headers, request id, size cap, own origin, a caller.

A page elsewhere in the same browser can reach a loopback server. So a request whose Origin is another host is
refused, one that changes something with an Origin nobody names ("null": a sandboxed frame) too, and so is a Host that
is a name nobody gave this server (DNS rebinding). Who asks is app/access_guard.py's, which stands right behind.
"""

from __future__ import annotations

import ipaddress
import json
import re
import secrets
from typing import Any
from urllib.parse import urlsplit

from app.access_guard import AccessGuard
from app.case_files import MAX_UPLOAD_BYTES
from assistant.report import RESEARCH_USE

MAX_BODY_BYTES = MAX_UPLOAD_BYTES + 64 * 1024
"""An upload and the form around it."""

REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{8,64}")
"""What a client may name its request; anything else gets an id of the server's own."""

LOCAL_NAMES = ("localhost", "testserver")
UPLOADS = ("/v1/cases", "/v1/reports", "/gradio_api/upload")
MAX_PLAIN_BYTES = 8 * 1024**2
"""Everything else is questions and settings, held in memory while it is read."""

SAFE_METHODS = ("GET", "HEAD", "OPTIONS")
PAGE_CSP = (
    "default-src 'self'; script-src 'self' 'unsafe-inline' 'unsafe-eval'; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data: blob:; font-src 'self' data:; media-src 'self' data: blob:; worker-src 'self' blob:; "
    "connect-src 'self'; frame-src 'self' blob: data:; frame-ancestors 'self'; form-action 'self'; base-uri 'self'; "
    "object-src 'none'"
)
"""Nothing from elsewhere, in either direction. Gradio builds its event handlers from text, hence 'unsafe-eval'."""

HEADERS = {
    "x-radomica-use": RESEARCH_USE,
    "x-content-type-options": "nosniff",
    "x-frame-options": "SAMEORIGIN",
    "referrer-policy": "same-origin",  # "no-referrer" would make the login form's own Origin "null"
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), microphone=(), geolocation=(), browsing-topics=()",
}
DEFAULTS = {"content-security-policy": PAGE_CSP, "cache-control": "no-store"}
"""Headers that an answer may set more strictly itself."""

CACHED = ("/assets/", "/static/", "/gradio_api/assets/")
"""The page's own program files: nothing of a patient, so a browser may keep them."""


class _TooLargeError(Exception):
    pass


class HttpGuard:
    """ASGI middleware around the whole application, the page included; ``access=False`` leaves out who may ask."""

    def __init__(self, app: Any, *, max_body_bytes: int = MAX_BODY_BYTES, access: bool = True) -> None:
        self.app, self.max_body_bytes = AccessGuard(app) if access else app, max_body_bytes

    async def __call__(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        """Guard one request."""
        if scope["type"] != "http":
            if scope["type"] == "websocket" and _foreign(_headers(scope), "POST"):
                await send({"type": "websocket.close", "code": 1008})
                return
            await self.app(scope, receive, send)
            return
        headers = _headers(scope)
        named = headers.get("x-request-id", "")
        scope["radomica_request_id"] = named if REQUEST_ID.fullmatch(named) else secrets.token_hex(8)
        sender = _Sender(scope, send)
        if reason := _foreign(headers, scope["method"]):
            await sender.refuse(403, reason)
            return
        allowed = self.max_body_bytes if scope["path"] in UPLOADS else min(self.max_body_bytes, MAX_PLAIN_BYTES)
        limit = f"the request is larger than {allowed} bytes, the most this operation takes; send less at once."
        length = headers.get("content-length", "0")
        if length.isdigit() and int(length) > allowed:
            await sender.refuse(413, limit)
            return
        received = 0

        async def counted_receive() -> dict[str, Any]:
            nonlocal received
            message = await receive()
            received += len(message.get("body", b""))
            if received > allowed:
                raise _TooLargeError
            return message

        try:
            await self.app(scope, counted_receive, sender)
        except _TooLargeError:
            if not sender.started:
                await sender.refuse(413, limit)


class _Sender:
    """Sends one answer with the headers every answer has."""

    def __init__(self, scope: dict[str, Any], send: Any) -> None:
        self._scope, self._send = scope, send
        self.started = False

    async def __call__(self, message: dict[str, Any]) -> None:
        if message["type"] == "http.response.start":
            self.started = True
            given = list(message.get("headers", ()))
            names = {name.lower() for name, _ in given}
            own = {**HEADERS, "x-request-id": self._scope["radomica_request_id"]}
            cached = self._scope["path"].startswith(CACHED)
            missing = {
                name: value
                for name, value in DEFAULTS.items()
                if name.encode() not in names and not (cached and name == "cache-control")
            }
            added = [(name.encode(), value.encode("latin-1")) for name, value in {**own, **missing}.items()]
            replaced = {name.encode() for name in own}
            message = {**message, "headers": [*((n, v) for n, v in given if n.lower() not in replaced), *added]}
        await self._send(message)

    async def refuse(self, status: int, text: str) -> None:
        """Answer with an error of the one form."""
        body = {"error": {"type": "Refused", "message": text}, "request_id": self._scope["radomica_request_id"]}
        headers = [(b"content-type", b"application/json")]
        await self({"type": "http.response.start", "status": status, "headers": headers})
        await self({"type": "http.response.body", "body": json.dumps(body).encode()})


def _headers(scope: dict[str, Any]) -> dict[str, str]:
    return {k.decode("latin-1").lower(): v.decode("latin-1") for k, v in scope["headers"]}


def _foreign(headers: dict[str, str], method: str) -> str:
    """Why a request is refused, or ""."""
    host = headers.get("host", "")
    try:
        name = urlsplit(f"//{host}").hostname or ""
        origin = headers.get("origin", "")
        origin_host = urlsplit(origin).netloc
    except ValueError:  # "[" without its "]"
        return "the Host or Origin header is not one; open this server by its address or as localhost."
    if name and not _is_address(name) and name not in LOCAL_NAMES:
        return f"the Host header names {name!r}; open this server by its address or as localhost."
    if origin == "null":
        return (
            "" if method in SAFE_METHODS else "requests of a frame without an origin are refused; use the page itself."
        )
    if origin and origin_host != host:
        return f"requests from {origin} are refused; use the page of this server."
    return ""


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True
