"""Who asks, and may they: scopes, the caller of a request, and what an operation demands of one.

    @app.get("/v1/cases/{case_id}")
    def get_case(case_id: Annotated[str, Depends(case_for(Scope.READ))]): ...

On loopback, while no user was ever made, the caller is the local user with every scope: no login. From the first user
on (a non-loopback address cannot be served without one) every request needs a session or a key; app/access_guard.py
holds that for the whole application, the page included. A case that is not there and one of somebody else both answer
404. Every refusal is in the audit log.
Not known here: passwords and keys (app/store/people.py), the login form (app/login.py).
"""

from __future__ import annotations

import ipaddress
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from fastapi import HTTPException, Request

from app.audit import AuditLog, Detail
from app.store.people import People, Person
from app.store.tables import LOCAL
from encoders.errors import ContractError, SettingsError

CALLER = "radomica_caller"
"""Where the guard leaves the caller, in the ASGI scope."""

LOOPBACK_NAMES = ("localhost", "testserver", "testclient")
"""Names a server or client can have in the ASGI scope without an address: Starlette's test client is one."""


class Scope(StrEnum):
    """What a user, session or key may do."""

    READ = "read"
    WRITE = "write"
    ASK = "ask"
    EXPORT = "export"
    REVIEW = "review"
    DELETE = "delete"
    ADMIN = "admin"


ALL_SCOPES = frozenset(Scope)
USER_SCOPES = ALL_SCOPES - {Scope.ADMIN}
"""What a new user may do unless told otherwise."""


@dataclass(frozen=True)
class Caller:
    """Who asks. ``local``: nobody had to log in. ``log``: where what this caller does is noted."""

    name: str
    scopes: frozenset[Scope]
    local: bool
    log: AuditLog | None = field(default=None, repr=False, compare=False)


def audit(caller: Caller, action: str, *, case_id: str | None = None, **versions: Detail) -> None:
    """Append one line to the audit log: what was done, and the versions it was done with; never a patient's text.

    Raises
    ------
    ContractError: the caller did not come from a request, or a value is not one short line.
    """
    if caller.log is None:
        raise ContractError(f"caller {caller.name!r} has no audit log; take the caller from the request or workbench.")
    caller.log.append(caller.name, action, case_id=case_id, **versions)


def local_caller(log: AuditLog) -> Caller:
    """The one user of a machine without logins."""
    return Caller(LOCAL, ALL_SCOPES, local=True, log=log)


def caller_of(request: Any) -> Caller:
    """The caller of a request: Starlette's, or the one Gradio hands a page function.

    Raises
    ------
    ContractError: no guard stood before this request.
    """
    found = getattr(request, "request", request).scope.get(CALLER)
    if found is None:
        raise ContractError("this request passed no access guard; serve the application that make_app gives.")
    return found


def identify(people: People, log: AuditLog, scope: Any) -> Caller | None:
    """The caller of an ASGI scope; None where a login is demanded and none is there."""
    headers = {k.decode("latin-1").lower(): v.decode("latin-1") for k, v in scope["headers"]}
    person: Person | None = None
    kind, _, key = headers.get("authorization", "").partition(" ")
    if kind.lower() == "bearer" and key.strip():
        person = people.by_key(key.strip())
    elif cookie := cookie_of(headers):
        person = people.by_cookie(cookie)
    if person is not None:
        return Caller(person.name, frozenset(Scope(s) for s in person.scopes), local=False, log=log)
    return local_caller(log) if is_loopback(scope) and not people.any_ever() else None


def cookie_of(headers: dict[str, str]) -> str:
    """The session cookie of a request, or ""."""
    pairs = (part.strip().partition("=") for part in headers.get("cookie", "").split(";"))
    return next((value for name, _, value in pairs if name == SESSION_COOKIE), "")


SESSION_COOKIE = "radomica_session"


def is_loopback(scope: Any) -> bool:
    """Whether both ends of a connection are this machine's own; what a client says in headers is not asked."""
    ends = (scope.get("server"), scope.get("client"))
    return all(end is not None and is_loopback_host(str(end[0])) for end in ends)


def is_loopback_host(host: str) -> bool:
    """Whether a host is this machine's loopback."""
    if host in LOOPBACK_NAMES:
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def check_bind(people: People, host: str) -> None:
    """Refuse to serve an address others can reach while nobody can log in.

    Raises
    ------
    SettingsError: names the command that makes a user.
    """
    if not is_loopback_host(host) and not people.any_now():
        raise SettingsError(
            f"--host {host} can be reached from other machines and no user can log in; "
            "make one first: radomica user add NAME. Or keep --host 127.0.0.1."
        )


def needs(scope: Scope) -> Callable[[Request], Caller]:
    """A dependency: the caller, who has ``scope``; 403 otherwise."""

    def check(request: Request) -> Caller:
        caller = caller_of(request)
        if scope not in caller.scopes:
            _refused(request, caller, "wrong scope", needed=str(scope))
            raise HTTPException(403, f"this needs the scope {str(scope)!r}; the key or user has not got it.")
        return caller

    return check


def case_for(scope: Scope) -> Callable[..., str]:
    """A dependency: the path's ``case_id``, which the caller may use with ``scope``; 403 or 404 otherwise."""
    allowed = needs(scope)

    def check(request: Request, case_id: str) -> str:
        caller = allowed(request)
        if not _store(request).may_use(caller, case_id, write=scope not in SHARED):
            _refused(request, caller, "no such case", case_id=_known_id(request, case_id))
            raise HTTPException(404, f"no case {case_id[:80]!r}; GET /v1/cases lists what is here.")
        return case_id

    return check


def report_for(scope: Scope) -> Callable[..., dict[str, Any]]:
    """A dependency: the job of the path's ``job_id``, of a case the caller may use with ``scope``."""
    allowed = needs(scope)

    def check(request: Request, job_id: str) -> dict[str, Any]:
        caller = allowed(request)
        job = _store(request).job(job_id)
        if job is None or not _store(request).may_use(caller, job["case_id"], write=scope not in SHARED):
            _refused(request, caller, "no such report", case_id=job["case_id"] if job else None)
            raise HTTPException(404, f"no report {job_id[:80]!r}; GET /v1/reports lists what is here.")
        return job

    return check


SHARED = frozenset({Scope.READ, Scope.ASK, Scope.EXPORT})
"""What everybody with the scope may do with the synthetic demo case."""


def _store(request: Request) -> Any:
    return request.app.state.workbench


def _known_id(request: Request, case_id: str) -> str | None:
    """A case id for the audit log: only where there is such a case; anything else may be somebody's name."""
    return case_id if _store(request).has_case(case_id) else None


def _refused(request: Request, caller: Caller, why: str, *, case_id: str | None = None, **details: Detail) -> None:
    route = getattr(request.scope.get("route"), "path", "")
    request_id = request.scope.get("radomica_request_id")
    audit(caller, f"refused: {why}", case_id=case_id, method=request.method, route=route, request=request_id, **details)
