"""Who may do what: no login on loopback until a user exists; afterwards nothing without a key or session.

A small application with one operation of each kind stands before the real guard and store; tests of every real
operation are beside the API.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Annotated, Any

import pytest
from argon2 import PasswordHasher
from fastapi import Depends, FastAPI
from fastapi.testclient import TestClient

from app.access import Caller, Scope, audit, caller_of, case_for, check_bind, needs, report_for
from app.http_guard import HttpGuard
from app.login import LoginBrake
from app.settings import Settings
from app.store.cases import StoredCase
from app.store.tables import now
from app.workbench import Workbench
from encoders.errors import ContractError, InputError, SettingsError

PASSWORD = "correct horse battery"


@pytest.fixture(autouse=True)
def quick_hash(monkeypatch: pytest.MonkeyPatch) -> None:
    """Passwords hashed with little memory: what is tested here is not argon2 itself."""
    monkeypatch.setattr("app.store.people._hasher", PasswordHasher(time_cost=1, memory_cost=64, parallelism=1))


@pytest.fixture
def bench(tmp_path: Path) -> Workbench:
    made = Workbench(Settings(home=tmp_path))
    for case_id, owner in (("case-anna", "anna"), ("case-ben", "ben"), ("case-local", "local")):
        made.files.kept.add(StoredCase(case_id, "A title", now(), "upload", False, owner), ())
    return made


@pytest.fixture
def users(bench: Workbench) -> Callable[..., dict[str, str]]:
    """Makes anna and ben; gives the Authorization header of a key of anna with these scopes."""
    for name in ("anna", "ben"):
        bench.people.add(name, PASSWORD, set(Scope) - {Scope.ADMIN})

    def key(*scopes: str, user: str = "anna") -> dict[str, str]:
        return {"authorization": f"Bearer {bench.people.add_key(user, 'test', scopes or None)[1]}"}

    return key


@pytest.fixture
def client(bench: Workbench) -> Iterator[TestClient]:
    app = FastAPI()
    app.state.workbench = bench

    @app.get("/healthz")
    def healthz() -> dict[str, str]:
        return {"status": "ok"}

    @app.get("/v1/me")
    def me(caller: Annotated[Caller, Depends(needs(Scope.READ))]) -> dict[str, Any]:
        return {"name": caller.name, "local": caller.local, "cases": [c.case_id for c in bench.cases(caller)]}

    @app.get("/v1/cases/{case_id}")
    def case(case_id: Annotated[str, Depends(case_for(Scope.READ))]) -> dict[str, str]:
        return {"case_id": case_id}

    @app.delete("/v1/cases/{case_id}")
    def delete(case_id: Annotated[str, Depends(case_for(Scope.DELETE))]) -> dict[str, str]:
        return {"case_id": case_id}

    @app.get("/v1/reports/{job_id}")
    def report(job: Annotated[dict[str, Any], Depends(report_for(Scope.READ))]) -> dict[str, Any]:
        return job

    @app.get("/{anything:path}")
    def page(anything: str) -> str:
        return "the page"

    app.add_middleware(HttpGuard)
    with TestClient(app, follow_redirects=False) as opened:
        yield opened


def last_refusal(bench: Workbench) -> tuple[str, str]:
    line = bench.audit_log.entries(last=1)[0]
    return line.caller, line.action


def test_without_users_the_local_user_may_do_everything(client: TestClient) -> None:
    found = client.get("/v1/me").json()
    assert (found["name"], found["local"], len(found["cases"])) == ("local", True, 3)
    assert client.delete("/v1/cases/case-anna").status_code == 200
    assert client.get("/").text == '"the page"'


def test_another_machine_is_not_the_local_user(bench: Workbench, client: TestClient) -> None:
    away = TestClient(client.app, client=("10.0.0.7", 40000), base_url="http://10.0.0.1")
    assert away.get("/v1/me").status_code == 401
    assert last_refusal(bench) == ("-", "refused: no key")


@pytest.mark.usefixtures("users")
@pytest.mark.parametrize(
    "path", ["/v1/me", "/v1/cases/case-anna", "/v1/none", "/openapi.json", "/", "/gradio_api/info"]
)
def test_with_a_user_nothing_opens_without_a_key(bench: Workbench, client: TestClient, path: str) -> None:
    for headers in ({}, {"authorization": "Bearer rk_wrong"}, {"authorization": "Basic eDp5"}, {"cookie": "a=b"}):
        answer = client.get(path, headers=headers)
        assert answer.status_code == 401 and answer.json()["error"]["type"] == "Unauthorized"
        assert last_refusal(bench) == ("-", "refused: no key")
    assert len(bench.audit_log.entries()) == 4


@pytest.mark.usefixtures("users")
def test_health_and_the_login_are_open_and_a_browser_is_led_there(client: TestClient) -> None:
    assert client.get("/healthz").status_code == 200
    assert 'name="password"' in client.get("/login").text
    led = client.get("/", headers={"accept": "text/html,*/*"})
    assert (led.status_code, led.headers["location"]) == (303, "/login")


def test_removing_every_user_opens_nothing(bench: Workbench, client: TestClient, users) -> None:
    key = users()
    bench.people.remove("anna")
    bench.people.remove("ben")
    assert client.get("/v1/me", headers=key).status_code == 401
    assert client.get("/v1/me").status_code == 401


def test_a_key_does_what_its_scopes_say(bench: Workbench, client: TestClient, users) -> None:
    reads, asks = users("read"), users("ask")
    assert client.get("/v1/cases/case-anna", headers=reads).status_code == 200
    for answer in (
        client.delete("/v1/cases/case-anna", headers=reads),
        client.get("/v1/me", headers=asks),
        client.get("/", headers=asks),
    ):
        assert answer.status_code == 403
        assert last_refusal(bench) == ("anna", "refused: wrong scope")


@pytest.mark.parametrize("case_id", ["case-ben", "case-local", "case-none", "..", "DOE JANE"])
def test_foreign_and_unknown_cases_read_the_same(bench: Workbench, client: TestClient, users, case_id: str) -> None:
    answer = client.request("GET", f"/v1/cases/{case_id}" if case_id != ".." else "/v1/cases/%2e%2e", headers=users())
    assert answer.status_code == 404
    assert answer.json()["detail"] == f"no case {case_id!r}; GET /v1/cases lists what is here."
    line = bench.audit_log.entries(last=1)[0]
    assert line.action == "refused: no such case"
    assert line.case_id == (case_id if case_id in ("case-ben", "case-local") else None)
    assert "DOE" not in str(line)


def test_foreign_and_unknown_reports_read_the_same(bench: Workbench, client: TestClient, users) -> None:
    theirs = bench.submit("case-ben", owner="ben")["id"]
    mine = bench.submit("case-anna", owner="anna")["id"]
    key = users()
    assert client.get(f"/v1/reports/{mine}", headers=key).json()["case_id"] == "case-anna"
    for job_id in (theirs, "report-none"):
        assert client.get(f"/v1/reports/{job_id}", headers=key).status_code == 404
        assert last_refusal(bench) == ("anna", "refused: no such report")


def test_a_grant_opens_a_case_and_its_withdrawal_closes_it(bench: Workbench, client: TestClient, users) -> None:
    key = users()
    bench.files.kept.grant(["case-ben"], "anna")
    assert client.get("/v1/me", headers=key).json()["cases"] == ["case-anna", "case-ben"]
    bench.files.kept.withdraw(["case-ben"], "anna")
    assert client.get("/v1/cases/case-ben", headers=key).status_code == 404
    with pytest.raises(InputError, match="no user"):
        bench.files.kept.grant(["case-ben"], "nobody")


def test_the_demo_case_is_everybodys_to_read_and_nobodys_to_delete(bench: Workbench, client: TestClient, users) -> None:
    bench.files.add_empty_demo("demo-synthetic", title="Demo")
    assert client.get("/v1/cases/demo-synthetic", headers=users()).status_code == 200
    assert client.delete("/v1/cases/demo-synthetic", headers=users()).status_code == 404


def test_a_revoked_or_ended_key_opens_nothing(bench: Workbench, client: TestClient, users) -> None:
    key_id, key = bench.people.add_key("anna", "", ["read"]) if users else ("", "")
    assert client.get("/v1/me", headers={"authorization": f"Bearer {key}"}).status_code == 200
    bench.people.revoke_key(key_id)
    assert client.get("/v1/me", headers={"authorization": f"Bearer {key}"}).status_code == 401
    _, ended = bench.people.add_key("anna", "", ["read"], days=-1)
    assert client.get("/v1/me", headers={"authorization": f"Bearer {ended}"}).status_code == 401


@pytest.mark.usefixtures("users")
def test_a_key_never_has_more_scopes_than_its_user(bench: Workbench) -> None:
    with pytest.raises(InputError, match="admin"):
        bench.people.add_key("anna", "", ["read", "admin"])


@pytest.mark.usefixtures("users")
def test_login_gives_a_strict_cookie_that_logout_ends(bench: Workbench, client: TestClient) -> None:
    answer = client.post("/login", data={"name": "anna", "password": PASSWORD})
    assert (answer.status_code, answer.headers["location"]) == (303, "/")
    cookie = answer.headers["set-cookie"]
    assert "HttpOnly" in cookie and "SameSite=strict" in cookie and "Path=/" in cookie
    assert client.get("/v1/me").json()["name"] == "anna"
    value = client.cookies["radomica_session"]
    assert client.get("/logout").status_code == 405
    assert client.post("/logout").headers["location"] == "/login"
    assert client.get("/v1/me", headers={"cookie": f"radomica_session={value}"}).status_code == 401
    assert [e.action for e in bench.audit_log.entries()][:2] == ["login", "logout"]


@pytest.mark.usefixtures("users")
def test_no_secret_is_in_the_database(bench: Workbench, client: TestClient, tmp_path: Path) -> None:
    client.post("/login", data={"name": "anna", "password": PASSWORD})
    _, key = bench.people.add_key("anna", "", ["read"])
    held = b"".join(p.read_bytes() for p in tmp_path.glob("radomica.db*"))
    for secret in (PASSWORD, key, key.split("_")[-1], client.cookies["radomica_session"]):
        assert secret.encode() not in held


@pytest.mark.usefixtures("users")
def test_a_failed_login_says_no_more_than_that_and_soon_has_to_wait(bench: Workbench, client: TestClient) -> None:
    words = {client.post("/login", data={"name": n, "password": "wrong"}).text for n in ("anna", "nobody", "anna")}
    assert len(words) == 1
    statuses = [client.post("/login", data={"name": "anna", "password": "x"}).status_code for _ in range(3)]
    assert statuses == [401, 429, 429]
    assert client.post("/login", data={"name": "anna", "password": PASSWORD}).status_code == 429
    lines = bench.audit_log.entries()
    assert {e.action for e in lines} == {"refused: login failed", "refused: login too soon"}
    assert {e.details["user"] for e in lines} == {"anna", "unknown"}


def test_the_wait_doubles_up_to_a_quarter_of_an_hour_and_a_success_ends_it() -> None:
    seconds = [0.0]
    brake = LoginBrake(lambda: seconds[0])
    waits = []
    for _ in range(20):
        brake.failed("name anna")
        waits.append(brake.wait_s("name anna", "address 10.0.0.7"))
    assert waits[:7] == [0, 0, 0, 1, 2, 4, 8] and waits[-1] == 900
    seconds[0] = 900.0
    assert brake.wait_s("name anna") == 0
    brake.passed("name anna")
    brake.failed("name anna")
    assert brake.wait_s("name anna") == 0


@pytest.mark.parametrize("headers", [{"origin": "null"}, {"origin": "https://evil.example"}, {"host": "evil.example"}])
def test_another_site_cannot_post(client: TestClient, headers: dict[str, str]) -> None:
    assert client.post("/login", data={"name": "a", "password": "b"}, headers=headers).status_code == 403
    assert client.delete("/v1/cases/case-anna", headers=headers).status_code == 403


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.5", "radomica.example"])
def test_an_address_others_reach_needs_a_user_first(bench: Workbench, host: str) -> None:
    check_bind(bench.people, "127.0.0.1")
    with pytest.raises(SettingsError, match="radomica user add NAME"):
        check_bind(bench.people, host)
    bench.people.add("anna", PASSWORD, ["read"])
    check_bind(bench.people, host)
    bench.people.remove("anna")
    with pytest.raises(SettingsError, match="radomica user add"):
        check_bind(bench.people, host)


@pytest.mark.parametrize("name", ["local", "Anna", "a", "x" * 64, "a b", "../x", ""])
def test_a_user_name_is_plain_and_never_local(bench: Workbench, name: str) -> None:
    with pytest.raises(InputError, match="user name"):
        bench.people.add(name, PASSWORD, ["read"])


def test_a_short_password_is_refused(bench: Workbench) -> None:
    with pytest.raises(InputError, match="11 characters"):
        bench.people.add("anna", "x" * 11, ["read"])


def test_answers_carry_the_security_headers(client: TestClient) -> None:
    for path in ("/v1/me", "/", "/login", "/nothing"):
        headers = client.get(path).headers
        assert headers["x-frame-options"] == "SAMEORIGIN" and headers["x-content-type-options"] == "nosniff"
        assert "default-src" in headers["content-security-policy"] and headers["cache-control"] == "no-store"
    assert "script-src" not in client.get("/login").headers["content-security-policy"]


def test_a_caller_without_a_request_is_refused() -> None:
    with pytest.raises(ContractError, match="no audit log"):
        audit(Caller("x", frozenset(Scope), local=True), "read")
    with pytest.raises(ContractError, match="no access guard"):
        caller_of(type("Request", (), {"scope": {}})())
