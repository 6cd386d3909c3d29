"""Search, therapy match and what-if over HTTP: scopes, rows with their sources, and a record that stays as it is."""

from __future__ import annotations

from fastapi.testclient import TestClient

DEMO = "demo-synthetic"
EGFR = {"gene": "EGFR", "protein": "p.L858R"}


def match(served: TestClient, **patient: object) -> dict:
    answer = served.post("/v1/therapies/match", json={"oncotree_code": "LUAD", **patient})
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_a_search_without_a_case_holds_no_patients_note(served: TestClient) -> None:
    hits = served.post("/v1/knowledge/search", json={"query": "osimertinib", "k": 5}).json()["hits"]
    assert [h["passage_id"] for h in hits] == ["p1"] and hits[0]["pmid"] == "38828946"
    refused = served.post("/v1/knowledge/search", json={"query": "x", "oncotree_code": "NOPE"})
    assert refused.status_code == 400 and refused.json()["error"]["type"] == "InputError"


def test_a_search_of_a_case_holds_its_own_notes_and_not_those_of_a_case_with_the_same_patient_id(served) -> None:
    hits = served.post(f"/v1/cases/{DEMO}/search", json={"query": "smoking"}).json()["hits"]
    assert [(h["passage_id"], h["of_patient"]) for h in hits] == [("p1", False), ("n1", True)]


def test_an_inline_patient_is_matched_with_rows_that_can_be_opened(served: TestClient) -> None:
    found = match(served, stage="IVA", variants=[EGFR], ecog=1)
    offered = [m for m in found["matches"] if m["status"] == "offered"]
    first = next(m for m in offered if m["drugs"] == ["osimertinib"])
    assert first["matched_on"] == ["EGFR p.L858R"] and first["pmid"] and first["reviewed"] and first["level_system"]
    assert any("PD-L1" in u["biomarker"] for u in found["untested"])


def test_the_inline_course_counts(served: TestClient) -> None:
    before = match(served, stage="IVA", variants=[EGFR])
    after = match(served, stage="IVA", variants=[EGFR], treatments=[{"drug": "osimertinib", "line": 1}])
    osimertinib = [
        {m["row_id"] for m in found["matches"] if m["drugs"] == ["osimertinib"] and m["status"] == "offered"}
        for found in (before, after)
    ]
    assert osimertinib[0] and not osimertinib[1]


def test_the_stored_case_is_matched_as_its_record_says(served: TestClient) -> None:
    found = served.get(f"/v1/cases/{DEMO}/therapies").json()
    assert found["matches"] or found["untested"]  # nothing was sequenced, so most rows wait for a test
    assert any("EGFR" in u["biomarker"] for u in found["untested"])


def test_what_if_is_hypothetical_and_changes_nothing(served: TestClient) -> None:
    asked = {"changes": [{"kind": "variant", **EGFR}]}
    before = served.get(f"/v1/cases/{DEMO}/evidence").json()
    found = served.post(f"/v1/cases/{DEMO}/what-if", json=asked).json()
    assert found["hypothetical"] is True and found["change"] == "EGFR p.L858R were found"
    assert any("osimertinib" in e["text"] and e["text"].startswith("Hypothetical") for e in found["evidence"])
    known = {e["id"] for e in before["evidence"]}
    assert not known & {e["id"] for e in found["evidence"]}
    assert served.get(f"/v1/cases/{DEMO}/evidence").json() == before


def test_a_what_if_that_cannot_be_made_says_why(served: TestClient) -> None:
    refused = served.post(f"/v1/cases/{DEMO}/what-if", json={"changes": [{"kind": "variant", "gene": "NOPE1"}]})
    assert refused.status_code == 400 and "NOPE1" in refused.json()["error"]["message"]
    assert served.post(f"/v1/cases/{DEMO}/what-if", json={"changes": []}).status_code == 422
