"""The login form at /login and the way out at /logout: own HTML, no script, no request elsewhere.

The cookie is HttpOnly and SameSite=Strict, its hash is kept, it ends after 12 hours. Another site cannot post the form:
app/http_guard.py refuses a foreign or unnamed origin. After failed attempts a name, and an address, must wait longer
and longer. Not known here: passwords (app/store/people.py). TLS is the reverse proxy's.
"""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from html import escape
from typing import Any

from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from app.access import SESSION_COOKIE, cookie_of
from app.store.people import SESSION_HOURS
from assistant.report import RESEARCH_USE

LOGIN, LOGOUT = "/login", "/logout"
FREE_TRIES = 4
MAX_WAIT_S = 900.0
REMEMBERED = 10_000
MAX_FORM_BYTES = 8192
WRONG = "Name and password do not fit."
InThread = Callable[..., Awaitable[Any]]

LOGIN_CSP = (
    "default-src 'none'; img-src data:; style-src 'unsafe-inline'; form-action 'self'; frame-ancestors 'none'; "
    "base-uri 'none'"
)
PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>Log in - Radomica</title><link rel="icon" href="data:,"><style>
body{{font:16px/1.5 "Segoe UI","Liberation Sans",Arial,sans-serif;background:#e9edf0;color:#1b2a33;margin:0}}
main{{max-width:22rem;margin:12vh auto;background:#fff;padding:2rem;border-radius:6px}}
h1{{font-size:1.3rem;margin:0 0 1rem}}label{{display:block;margin:.8rem 0 .2rem}}
input{{width:100%;box-sizing:border-box;padding:.5rem;font:inherit;border:1px solid #5b7280;border-radius:4px}}
button{{margin-top:1.2rem;padding:.5rem 1.2rem;font:inherit;background:#14506e;color:#fff;border:0;border-radius:4px}}
.said{{color:#8c1d18}}small{{display:block;margin-top:1.5rem;color:#43545e}}
</style></head><body><main><h1>Radomica</h1>{said}
<form method="post" action="/login"><label for="name">User name</label>
<input id="name" name="name" autocomplete="username" autocapitalize="none" required autofocus>
<label for="password">Password</label>
<input id="password" name="password" type="password" autocomplete="current-password" required>
<button type="submit">Log in</button></form><small>{use}</small></main></body></html>"""


class LoginBrake:
    """How long a name or an address must wait after failed logins: 4 are free, then 1, 2, 4 ... seconds, up to 15 min.

    In memory: a restart forgets. Safe to use from several threads.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock, self._lock = clock, threading.Lock()
        self._failed: OrderedDict[str, tuple[int, float]] = OrderedDict()  # who -> (failures, when the next may be)

    def wait_s(self, *who: str) -> float:
        """Seconds until any of these may try again; 0 = now."""
        with self._lock:
            return max(0.0, *(self._failed.get(w, (0, 0.0))[1] - self._clock() for w in who))

    def failed(self, *who: str) -> None:
        """Count a failure."""
        with self._lock:
            for name in who:
                count = self._failed.pop(name, (0, 0.0))[0] + 1
                wait = 0.0 if count < FREE_TRIES else min(MAX_WAIT_S, 2.0 ** min(count - FREE_TRIES, 20))
                self._failed[name] = count, self._clock() + wait
            while len(self._failed) > REMEMBERED:
                self._failed.popitem(last=False)

    def passed(self, *who: str) -> None:
        """Forget the failures of these."""
        with self._lock:
            for name in who:
                self._failed.pop(name, None)


async def login(request: Request, workbench: Any, brake: LoginBrake, in_thread: InThread) -> Response:
    """Show the form, or take it."""
    if request.method in ("GET", "HEAD"):
        return _page()
    if request.method != "POST":
        return Response(status_code=405, headers={"Allow": "GET, POST"})
    if len(await request.body()) > MAX_FORM_BYTES:
        return _page(WRONG, status=413)
    form = await request.form(max_files=0, max_fields=4)
    name, password = str(form.get("name", ""))[:64].strip(), str(form.get("password", ""))
    address = request.client.host if request.client else "-"
    who = (f"name {name}", f"address {address}")
    wait = brake.wait_s(*who)
    known = await in_thread(_is_user, workbench, name)
    noted = {"user": name if known else "unknown", "request": request.scope.get("radomica_request_id")}
    if wait > 0:
        await in_thread(lambda: workbench.audit_log.append("-", "refused: login too soon", **noted))
        said = f"Too many failed logins; try again in {int(wait) + 1} seconds."
        return _page(said, status=429, headers={"Retry-After": str(int(wait) + 1)})
    cookie = await in_thread(workbench.people.log_in, name, password)
    if cookie is None:
        brake.failed(*who)
        await in_thread(lambda: workbench.audit_log.append("-", "refused: login failed", **noted))
        return _page(WRONG, status=401)
    brake.passed(*who)
    await in_thread(lambda: workbench.audit_log.append(name, "login"))
    answer = RedirectResponse("/", status_code=303)
    answer.set_cookie(
        SESSION_COOKIE, cookie, max_age=SESSION_HOURS * 3600, path="/", httponly=True, samesite="strict",
        secure=request.url.scheme == "https",
    )  # fmt: skip
    return answer


async def logout(request: Request, workbench: Any, brake: LoginBrake, in_thread: InThread) -> Response:
    """End the session; only by POST, so that no link can."""
    del brake
    if request.method != "POST":
        return Response(status_code=405, headers={"Allow": "POST"})
    if cookie := cookie_of({k.lower(): v for k, v in request.headers.items()}):
        person = await in_thread(workbench.people.by_cookie, cookie)
        await in_thread(workbench.people.log_out, cookie)
        if person is not None:
            await in_thread(lambda: workbench.audit_log.append(person.name, "logout"))
    answer = RedirectResponse(LOGIN, status_code=303)
    answer.delete_cookie(SESSION_COOKIE, path="/", httponly=True, samesite="strict")
    return answer


def _is_user(workbench: Any, name: str) -> bool:
    """Whether there is such a user; a name that is none may be a password typed in the wrong field."""
    return any(user.name == name for user in workbench.people.users())


def _page(said: str = "", *, status: int = 200, headers: dict[str, str] | None = None) -> HTMLResponse:
    shown = f'<p class="said" role="alert">{escape(said)}</p>' if said else ""
    return HTMLResponse(
        PAGE.format(said=shown, use=escape(RESEARCH_USE)), status_code=status,
        headers={"Content-Security-Policy": LOGIN_CSP, "Cache-Control": "no-store", **(headers or {})},
    )  # fmt: skip
