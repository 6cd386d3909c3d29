"""Cases and reports over HTTP: search, several files, idempotent submits, streams, downloads, reviews, deletion."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Callable

import pytest
from fastapi.testclient import TestClient

DEMO = "demo-synthetic"


def events(text: str) -> list[tuple[str, dict]]:
    """(event, data) of a stream."""
    found = []
    for block in text.split("\n\n"):
        lines = dict(line.split(": ", 1) for line in block.splitlines() if not line.startswith(":"))
        if lines:
            found.append((lines["event"], json.loads(lines["data"])))
    return found


def test_cases_are_found_by_title_and_id(served: TestClient, zipped: Callable[..., bytes]) -> None:
    made = served.post("/v1/cases", files={"file": ("Lung 7.zip", zipped(a="1"))}).json()
    for search in ("lung", made["case_id"][5:]):
        found = served.get("/v1/cases", params={"search": search}).json()
        assert [c["case_id"] for c in found["cases"]] == [made["case_id"]] and found["total"] == 1
    assert served.get("/v1/cases", params={"limit": 1, "offset": 1}).json()["total"] > 1
    assert served.get(f"/v1/cases/{made['case_id']}").json()["title"] == "Lung 7"


def test_several_files_become_one_case_and_each_is_told(served: TestClient) -> None:
    sent = [
        ("files", ("patient/record.json", b"{}")), ("files", ("patient/notes/a.txt", b"note")),
        ("files", ("patient/notes/a.txt", b"again")), ("files", ("../outside.txt", b"x")),
        ("files", ("__MACOSX/x", b"x")), ("files", ("patient/notes", b"x")), ("files", ("n" * 201, b"x")),
    ]  # fmt: skip
    made = served.post("/v1/cases", files=sent, data={"title": "By hand"})
    assert made.status_code == 201, made.text
    assert [(f["outcome"], f["reason"]) for f in made.json()["files"]] == [
        ("kept", ""), ("kept", ""), ("left out", "a file of this name was given before"),
        ("left out", "its name would leave the folder"), ("left out", "made by the operating system"),
        ("left out", "its name is a file's and a folder's at once"),
        ("left out", "its name has signs no file can have, or is longer than 200 bytes"),
    ]  # fmt: skip
    whole = served.get(f"/v1/cases/{made.json()['case_id']}/export")
    names = zipfile.ZipFile(io.BytesIO(whole.content)).namelist()
    assert sum(n.endswith("a.txt") for n in names) == 1 and not any("outside" in n for n in names)


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        ({}, 422),
        ({"files": [("file", ("a.zip", b"x")), ("files", ("b.txt", b"y"))]}, 422),
        ({"files": [("files", ("../a", b"x"))]}, 400),
        ({"files": [("file", ("a.zip", b"not a zip"))]}, 400),
    ],
)
def test_uploads_that_cannot_be_kept_are_refused_with_a_code(served: TestClient, sent: dict, status: int) -> None:
    answer = served.post("/v1/cases", **sent)
    assert answer.status_code == status, answer.text
    assert answer.json()["error"]["type"] in ("InputError", "UnprocessableEntity", "UnprocessableContent")


def test_the_same_key_makes_a_case_and_a_job_once(served: TestClient, zipped: Callable[..., bytes]) -> None:
    key = {"Idempotency-Key": "upload-1"}
    sent = [served.post("/v1/cases", files={"file": ("a.zip", zipped(b="2"))}, headers=key) for _ in range(2)]
    assert len({a.json()["case_id"] for a in sent}) == 1
    other = served.post("/v1/cases", files={"file": ("a.zip", zipped(b="3"))}, headers=key)
    assert other.status_code == 400
    jobs = [served.post(f"/v1/cases/{DEMO}/reports", json={}, headers={"Idempotency-Key": "j1"}) for _ in range(2)]
    assert {j.status_code for j in jobs} == {202} and len({j.json()["id"] for j in jobs}) == 1


def test_a_job_is_followed_to_its_end(served: TestClient) -> None:
    job = served.post(f"/v1/cases/{DEMO}/reports", json={"seed": 4}).json()
    told = events(served.get(f"/v1/reports/{job['id']}/events").text)
    assert told[-1][0] == "end" and told[-1][1]["state"] == "done" and told[-1][1]["seed"] == 4
    assert {kind for kind, _ in told[:-1]} == {"progress"}
    assert served.post(f"/v1/reports/{job['id']}/cancel").status_code == 409


def test_jobs_are_narrowed_by_case_and_state(served: TestClient, job_id: str) -> None:
    found = served.get("/v1/reports", params={"case_id": DEMO, "state": "done"}).json()["reports"]
    assert job_id in [j["id"] for j in found] and {j["state"] for j in found} == {"done"}
    assert served.get("/v1/reports", params={"case_id": "nobody"}).json()["reports"] == []


@pytest.mark.parametrize("form", ["json", "html", "md", "fhir"])
def test_a_report_is_downloaded_in_its_forms(served: TestClient, job_id: str, form: str) -> None:
    answer = served.get(f"/v1/reports/{job_id}/report.{form}")
    assert answer.status_code == 200, answer.text
    assert "attachment" in answer.headers["content-disposition"] and len(answer.content) > 500


def test_what_a_report_cannot_become_is_said(served: TestClient, job_id: str) -> None:
    assert served.get(f"/v1/reports/{job_id}/report.exe").status_code == 404
    refused = served.get(f"/v1/reports/{job_id}/report.sr")  # its folder holds no DICOM
    assert refused.status_code == 400 and refused.json()["error"]["type"] == "InputError"


def test_a_decision_on_a_claim_is_kept_and_one_without_reason_is_not(served: TestClient, job_id: str) -> None:
    path = f"/v1/reports/{job_id}/reviews"
    said = {"claim_id": "summary-0", "decision": "override", "reason": "Not available here."}
    assert served.post(path, json=said).status_code == 201
    assert served.post(path, json={**said, "reason": ""}).status_code == 400
    (kept,) = served.get(path).json()["reviews"]
    assert kept["claim_id"] == "summary-0" and kept["decision"] == "override" and kept["reason"] == said["reason"]


def test_feedback_on_an_answer_is_saved(served: TestClient) -> None:
    said = {"question": "Is EGFR mutated?", "answer": "Yes.", "rating": "up"}
    assert served.post(f"/v1/cases/{DEMO}/feedback", json=said).json() == {"saved": True}
    assert served.app.state.workbench.feedbacks(DEMO)[-1]["rating"] == "up"
    assert served.post(f"/v1/cases/{DEMO}/feedback", json={**said, "rating": "meh"}).status_code == 422


def test_a_deleted_case_is_gone(served: TestClient, zipped: Callable[..., bytes]) -> None:
    case_id = served.post("/v1/cases", files={"file": ("gone.zip", zipped(gone="4"))}).json()["case_id"]
    assert served.delete(f"/v1/cases/{case_id}").status_code == 204
    assert served.get(f"/v1/cases/{case_id}").status_code == 404
    assert served.delete(f"/v1/cases/{case_id}").status_code == 404


def test_evidence_and_predictions_are_those_of_the_report(served: TestClient, job_id: str) -> None:
    ledger = served.get(f"/v1/cases/{DEMO}/evidence", params={"kind": "M"}).json()
    assert ledger["job_id"] == job_id and {e["kind"] for e in ledger["evidence"]} == {"M"}
    assert "leading targeted option" in ledger["cited_by"]["M1"][0]
    assert served.get(f"/v1/cases/{DEMO}/evidence/M1").json()["fields"]["gene"]["value"] == "EGFR"
    assert served.get(f"/v1/cases/{DEMO}/evidence/M99").status_code == 404
    assert served.get(f"/v1/cases/{DEMO}/predictions").json()["predictions"][0]["percentile"] == 74.0


def test_a_case_without_a_report_has_no_evidence_yet(served: TestClient, zipped: Callable[..., bytes]) -> None:
    case_id = served.post("/v1/cases", files={"file": ("new.zip", zipped(new="5"))}).json()["case_id"]
    answer = served.get(f"/v1/cases/{case_id}/evidence")
    assert answer.status_code == 409 and answer.json()["error"]["type"] == "Conflict"


def test_info_names_the_shipped_weights(served: TestClient) -> None:
    found = served.get("/v1/info").json()
    assert {m["name"] for m in found["models"]} >= {"fusion"} and all(m["weights_sha256"] for m in found["models"])
    assert "pdf" in [e["name"] for e in found["exports"]] and found["images"] is True


def test_what_was_done_is_in_the_audit_log_with_its_versions(served: TestClient, job_id: str) -> None:
    served.post(f"/v1/cases/{DEMO}/chat", json={"question": "Is EGFR mutated?"})
    lines = served.app.state.workbench.audit_log.entries(case_id=DEMO)
    asked = [line for line in lines if line.action == "ask"][-1]
    assert asked.details["llm"] == "embedded" and len(asked.details["prompts"]) == 16
    assert not any("EGFR" in str(v) for v in asked.details.values())
    assert any(line.action == "read report" and line.details["report"] for line in lines)
