"""Every operation x {no key, wrong scope, another user's case}: refused, and in the audit log.

The operations are read from the application, so one that is added without a guard fails here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from fastapi.routing import APIRoute
from fastapi.testclient import TestClient

from app.access import Scope
from app.api import make_app
from app.settings import Settings

OPEN = {"/healthz"}
PASSWORD = "a long password for tests"


@pytest.fixture(scope="module")
def guarded(
    install_chain: Callable[..., None], module_patch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[TestClient]:
    """A server with two users and nobody logged in."""
    install_chain(module_patch)
    app = make_app(Settings(home=tmp_path_factory.mktemp("home")), with_page=False, with_demo=False)
    with TestClient(app, follow_redirects=False) as client:
        for name in ("anna", "ben"):
            app.state.workbench.people.add(name, PASSWORD, set(Scope))
        yield client


@pytest.fixture(scope="module")
def key(guarded: TestClient) -> Callable[..., dict[str, str]]:
    """Makes a key of a user with these scopes (all by default) and gives its header."""
    people = guarded.app.state.workbench.people
    return lambda user, *scopes: {"authorization": f"Bearer {people.add_key(user, 'test', scopes or set(Scope))[1]}"}


@pytest.fixture(scope="module")
def case_of_anna(guarded: TestClient, key, zipped, ended) -> dict[str, str]:
    """A case of anna's with a finished report: what paths and bodies name."""
    anna = key("anna")
    case_id = guarded.post("/v1/cases", files={"file": ("a.zip", zipped(a="1"))}, headers=anna).json()["case_id"]
    job = guarded.post(f"/v1/cases/{case_id}/reports", json={}, headers=anna).json()
    assert ended(guarded, job["id"], headers=anna)["state"] == "done"
    return {"case_id": case_id, "job_id": job["id"]}


def operations(client: TestClient) -> list[tuple[str, str]]:
    """(method, path) of every route there is."""
    routes = [r for r in client.app.routes if isinstance(r, APIRoute) and r.path not in OPEN]
    assert len(routes) == len([r for r in client.app.routes if getattr(r, "path", "") not in OPEN])
    return [(method, r.path) for r in routes for method in sorted(r.methods)]


def refusals(client: TestClient) -> int:
    return sum(e.action.startswith("refused") for e in client.app.state.workbench.audit_log.entries())


def path_of(template: str, names: dict[str, str]) -> str:
    known = {
        **names, "form": "json", "evidence_id": "M1", "chat_id": "chat-1", "service_id": "radomica-patient-view",
        "uid": "1.2",
    }  # fmt: skip
    return template.format(**known)


def test_every_operation_refuses_who_has_no_key(guarded: TestClient, case_of_anna: dict[str, str]) -> None:
    for method, template in operations(guarded):
        before = refusals(guarded)
        answer = guarded.request(method, path_of(template, case_of_anna))
        assert answer.status_code == 401, f"{method} {template}: {answer.status_code}"
        assert answer.json()["error"]["type"] == "Unauthorized"
        assert refusals(guarded) == before + 1, f"{method} {template} left no line in the audit log"
    assert guarded.get("/healthz").status_code == 200


def test_every_operation_refuses_a_key_without_its_scope(guarded: TestClient, key, case_of_anna) -> None:
    nothing_useful = key("anna", Scope.ADMIN)
    for method, template in operations(guarded):
        before = refusals(guarded)
        answer = guarded.request(method, path_of(template, case_of_anna), headers=nothing_useful)
        assert answer.status_code == 403, f"{method} {template}: {answer.status_code}"
        assert answer.json()["error"]["type"] == "Forbidden"
        assert refusals(guarded) == before + 1, f"{method} {template} left no line in the audit log"


def test_every_operation_on_a_case_refuses_another_user(guarded: TestClient, key, case_of_anna) -> None:
    ben = key("ben")
    named = [(m, t) for m, t in operations(guarded) if "{case_id}" in t or "{job_id}" in t]
    assert len(named) > 15
    for method, template in named:
        before = refusals(guarded)
        answer = guarded.request(method, path_of(template, case_of_anna), headers=ben)
        nobody = guarded.request(method, path_of(template, {"case_id": "case-nobody", "job_id": "nobody"}), headers=ben)
        assert answer.status_code == nobody.status_code == 404, f"{method} {template}: {answer.status_code}"
        assert answer.json()["error"]["message"].split("'")[0] == nobody.json()["error"]["message"].split("'")[0]
        assert refusals(guarded) == before + 2, f"{method} {template} left no line in the audit log"


def test_bodies_that_name_another_users_case_are_refused(guarded: TestClient, key, case_of_anna) -> None:
    ben, case_id = key("ben"), case_of_anna["case_id"]
    before = refusals(guarded)
    submit = guarded.post("/v1/reports", data={"case_id": case_id}, headers=ben)
    asked = {"model": f"radomica/{case_id}", "messages": [{"role": "user", "content": "Is EGFR mutated?"}]}
    completion = guarded.post("/v1/chat/completions", json=asked, headers=ben)
    assert submit.status_code == completion.status_code == 404 and refusals(guarded) == before + 2


def test_lists_and_hooks_hold_nothing_of_another_user(guarded: TestClient, key, case_of_anna) -> None:
    hook = {"hook": "patient-view", "hookInstance": "1", "context": {"patientId": "HAND-0001"}}
    view = "/cds-services/radomica-patient-view"
    anna, ben = key("anna"), key("ben")
    (card, *_) = guarded.post(view, json=hook, headers=anna).json()["cards"]
    assert guarded.post(view, json=hook, headers=ben).json() == {"cards": []}
    said = {"feedback": [{"card": card["uuid"], "outcome": "accepted", "outcomeTimestamp": "2026-03-06T10:05:31Z"}]}
    assert guarded.post(f"{view}/feedback", json=said, headers=ben).status_code == 404
    for path, name in (("/v1/cases", "cases"), ("/v1/reports", "reports")):
        assert guarded.get(path, headers=ben).json()[name] == [] != guarded.get(path, headers=anna).json()[name]
    assert [m["id"] for m in guarded.get("/v1/models", headers=ben).json()["data"]] == ["radomica"]


def test_a_key_is_not_stored_as_it_is(guarded: TestClient, key, case_of_anna) -> None:
    secret = key("anna", Scope.READ)["authorization"].split()[1]
    home = Path(guarded.app.state.workbench.settings.home)
    kept = b"".join(p.read_bytes() for p in home.glob("radomica.db*"))
    assert secret.encode() not in kept
