"""What every HTTP answer gets and every request must keep: research-use header, request id, size cap, own origin.

A page elsewhere in the same browser can reach a loopback server. So a request whose Origin is another host is
refused, and so is a Host that is a name nobody gave this server (DNS rebinding).
Not checked: who asks; there is no login.
"""

from __future__ import annotations

import ipaddress
import json
import secrets
from typing import Any
from urllib.parse import urlsplit

from app.case_files import MAX_UPLOAD_BYTES
from assistant.report import RESEARCH_USE

MAX_BODY_BYTES = MAX_UPLOAD_BYTES + 64 * 1024
"""An upload and the form around it."""

LOCAL_NAMES = ("localhost", "testserver")
HEADERS = (
    (b"x-radomica-use", RESEARCH_USE.encode("latin-1")),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
)


class _TooLargeError(Exception):
    pass


class HttpGuard:
    """ASGI middleware around the whole application, the page included."""

    def __init__(self, app: Any, *, max_body_bytes: int = MAX_BODY_BYTES) -> None:
        self.app, self.max_body_bytes = app, max_body_bytes

    async def __call__(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        """Guard one request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        request_id = secrets.token_hex(8)
        scope["radomica_request_id"] = request_id
        headers = {k.decode("latin-1").lower(): v.decode("latin-1") for k, v in scope["headers"]}
        started = False

        async def guarded_send(message: dict[str, Any]) -> None:
            nonlocal started
            if message["type"] == "http.response.start":
                started = True
                own = (*HEADERS, (b"x-request-id", request_id.encode()))
                message = {**message, "headers": [*message.get("headers", ()), *own]}
            await send(message)

        async def refuse(status: int, text: str) -> None:
            body = {"error": {"type": "Refused", "message": text}, "request_id": request_id}
            start = {
                "type": "http.response.start",
                "status": status,
                "headers": [(b"content-type", b"application/json")],
            }
            await guarded_send(start)
            await guarded_send({"type": "http.response.body", "body": json.dumps(body).encode()})

        if reason := _foreign(headers):
            await refuse(403, reason)
            return
        limit = f"the request is larger than {self.max_body_bytes} bytes; upload a smaller zip."
        if (
            headers.get("content-length", "0").isdigit()
            and int(headers.get("content-length", "0")) > self.max_body_bytes
        ):
            await refuse(413, limit)
            return
        received = 0

        async def counted_receive() -> dict[str, Any]:
            nonlocal received
            message = await receive()
            received += len(message.get("body", b""))
            if received > self.max_body_bytes:
                raise _TooLargeError
            return message

        try:
            await self.app(scope, counted_receive, guarded_send)
        except _TooLargeError:
            if not started:
                await refuse(413, limit)


def _foreign(headers: dict[str, str]) -> str:
    """Why a request is refused, or ""."""
    host = headers.get("host", "")
    name = urlsplit(f"//{host}").hostname or ""
    if name and not _is_address(name) and name not in LOCAL_NAMES:
        return f"the Host header names {name!r}; open this server by its address or as localhost."
    origin = headers.get("origin", "")
    if origin and origin != "null" and urlsplit(origin).netloc != host:
        return f"requests from {origin} are refused; use the page of this server."
    return ""


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True
