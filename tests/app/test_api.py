"""The API over a stand-in chain: jobs, uploads, errors without tracebacks, and what a browser elsewhere may not do."""

from __future__ import annotations

import io
import json
import time
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from app import workbench
from app.api import make_app
from app.http_guard import MAX_PLAIN_BYTES, HttpGuard
from app.settings import Settings
from assistant.report import RESEARCH_USE
from encoders.errors import InputError


@pytest.fixture
def client(fake_chain: Callable[..., None], tmp_path: Path) -> Iterator[TestClient]:
    fake_chain()
    with TestClient(make_app(Settings(home=tmp_path), with_page=False)) as opened:
        yield opened


def zipped(**members: str) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as made:
        for name, content in members.items():
            made.writestr(name, content)
    return buffer.getvalue()


def finished(client: TestClient, job_id: str) -> dict:
    end = time.monotonic() + 90
    while time.monotonic() < end:
        job = client.get(f"/v1/reports/{job_id}").json()
        if job["state"] in ("done", "failed"):
            return job
        time.sleep(0.05)
    raise AssertionError(f"job {job_id} did not end")


def test_health_and_the_research_use_header(client: TestClient) -> None:
    answer = client.get("/healthz")
    assert answer.json()["status"] == "ok"
    assert answer.headers["x-radomica-use"] == RESEARCH_USE
    assert len(answer.headers["x-request-id"]) == 16


def test_the_demo_case_is_made_at_first_start(client: TestClient) -> None:
    job = finished(client, client.get("/v1/reports").json()["reports"][0]["id"])
    assert job["state"] == "done" and job["report"]["case_id"] == "HAND-0001"
    case = client.get("/v1/cases").json()["cases"][0]
    assert case["synthetic"] and case["latest_report"] == job["id"]


def test_an_uploaded_zip_becomes_a_report(client: TestClient) -> None:
    added = client.post("/v1/reports", files={"file": ("patient.zip", zipped(record="{}"))}, data={"seed": "3"})
    assert added.status_code == 202 and added.json()["seed"] == 3
    job = finished(client, added.json()["id"])
    assert job["state"] == "done"
    page = client.get(f"/v1/reports/{job['id']}?format=html")
    assert page.headers["content-type"].startswith("text/html") and "sandbox" in page.headers["content-security-policy"]
    saved = client.get(f"/v1/reports/{job['id']}/report.json")
    assert saved.json() == job["report"] and "attachment" in saved.headers["content-disposition"]


def test_a_report_of_a_stored_case(client: TestClient) -> None:
    case = client.post("/v1/cases", files={"file": ("Some patient.zip", zipped(a="1"))})
    assert case.status_code == 201 and case.json()["title"] == "Some patient"
    job = client.post("/v1/reports", data={"case_id": case.json()["case_id"]}).json()
    assert finished(client, job["id"])["case_id"] == case.json()["case_id"]


@pytest.mark.parametrize(
    ("method", "path", "options", "status"),
    [
        ("get", "/v1/reports/none", {}, 404),
        ("get", "/v1/reports/none/report.exe", {}, 404),
        ("post", "/v1/reports", {"data": {"case_id": "nobody"}}, 404),
        ("post", "/v1/reports", {"data": {"case_id": "../../etc"}}, 404),
        ("post", "/v1/reports", {}, 422),
        ("post", "/v1/reports", {"data": {"case_id": "x", "seed": "-1"}}, 422),
        ("post", "/v1/cases", {"files": {"file": ("a.zip", b"not a zip")}}, 400),
        ("post", "/v1/cases/nobody/chat", {"json": {"question": "why?"}}, 404),
        ("post", "/v1/cases/demo-synthetic/chat", {"json": {"question": ""}}, 422),
        ("get", "/nothing-here", {}, 404),
    ],
)
def test_errors_are_json_with_a_request_id(client: TestClient, method, path, options, status) -> None:
    answer = client.request(method, path, **options)
    assert answer.status_code == status, answer.text
    found = answer.json()
    assert found["request_id"] == answer.headers["x-request-id"]
    assert found["error"]["message"] and "Traceback" not in answer.text


def test_a_zip_that_leaves_its_folder_is_refused(client: TestClient, tmp_path: Path) -> None:
    answer = client.post("/v1/cases", files={"file": ("evil.zip", zipped(**{"../../outside.txt": "x"}))})
    assert answer.status_code == 400 and "leave the folder" in answer.json()["error"]["message"]
    assert not list(tmp_path.rglob("outside.txt"))


def test_the_chat_streams_events_with_citations(client: TestClient) -> None:
    finished(client, client.get("/v1/reports").json()["reports"][0]["id"])
    answer = client.post("/v1/cases/demo-synthetic/chat", json={"question": "Is EGFR mutated?"})
    assert answer.headers["content-type"].startswith("text/event-stream")
    events = [json.loads(line[6:]) for line in answer.text.splitlines() if line.startswith("data: ")]
    assert [e["kind"] for e in events] == ["started", "step", "claim", "claim", "done"]
    assert events[2]["citations"] == ["M1"]


def test_a_failed_report_says_why(client: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(folder: Path, progress: object) -> None:
        raise InputError("a.dcm: truncated after 12 bytes; copy the file again.")

    monkeypatch.setattr(workbench, "open_case", refuse)
    job = client.post("/v1/reports", files={"file": ("p.zip", zipped(a="1"))}).json()
    ended = finished(client, job["id"])
    assert ended["state"] == "failed" and ended["error"].startswith("a.dcm: truncated") and ended["report"] is None
    assert client.get(f"/v1/reports/{job['id']}?format=html").status_code == 409


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_the_worker_survives_a_bug(client: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    right = workbench.write_report
    monkeypatch.setattr(workbench, "write_report", lambda *a, **k: 1 / 0)
    ended = finished(client, client.post("/v1/reports", files={"file": ("p.zip", zipped(a="1"))}).json()["id"])
    assert ended["state"] == "failed" and "bug in Radomica" in ended["error"]
    monkeypatch.setattr(workbench, "write_report", right)
    assert (
        finished(client, client.post("/v1/reports", data={"case_id": ended["case_id"]}).json()["id"])["state"] == "done"
    )


@pytest.mark.parametrize(
    "headers", [{"origin": "https://evil.example"}, {"host": "evil.example"}, {"origin": "http://127.0.0.1:1"}]
)
def test_a_page_from_elsewhere_is_refused(client: TestClient, headers: dict[str, str]) -> None:
    assert client.get("/v1/cases", headers=headers).status_code == 403


def test_a_request_that_is_too_large_is_refused_while_it_comes_in() -> None:
    async def swallow(scope, receive, send) -> None:
        while (await receive()).get("more_body"):
            pass
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"ok"})

    small = TestClient(HttpGuard(swallow, max_body_bytes=10, access=False))
    assert small.post("/", content=b"x" * 10).status_code == 200
    assert small.post("/", content=b"x" * 11).status_code == 413
    assert small.post("/", content=iter([b"x" * 6, b"x" * 6])).status_code == 413


def test_a_question_may_not_be_as_large_as_an_upload() -> None:
    async def swallow(scope, receive, send) -> None:
        while (await receive()).get("more_body"):
            pass
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"ok"})

    guarded = TestClient(HttpGuard(swallow, access=False))
    large = b"x" * (MAX_PLAIN_BYTES + 1)
    assert guarded.post("/v1/cases", content=large).status_code == 200
    assert guarded.post("/v1/cases/case-a/chat", content=large).status_code == 413


def test_a_clients_request_id_is_kept_when_it_is_plain(client: TestClient) -> None:
    assert client.get("/healthz", headers={"x-request-id": "visit-0001"}).headers["x-request-id"] == "visit-0001"
    for odd in ("short", "a b c d e f g", "x" * 65):
        assert client.get("/healthz", headers={"x-request-id": odd}).headers["x-request-id"] != odd
