"""CDS Hooks over HTTP: discovery, both hooks, feedback, and silence where nothing is known."""

from __future__ import annotations

from fastapi.testclient import TestClient

VIEW, SELECT = "/cds-services/radomica-patient-view", "/cds-services/radomica-order-select"


def call(hook: str, patient_id: str = "HAND-0001", **context: object) -> dict:
    return {
        "hook": hook, "hookInstance": "d1577c69-dfbe-44ad-ba6d-3e05e953b2ea",
        "context": {"userId": "Practitioner/1", "patientId": patient_id, **context},
    }  # fmt: skip


def orders(*names: str) -> dict:
    made = [
        {"resource": {"resourceType": "MedicationRequest", "id": f"o{i}", "medicationCodeableConcept": {"text": name}}}
        for i, name in enumerate(names)
    ]
    return {"resourceType": "Bundle", "entry": made}


def test_discovery_lists_both_services(served: TestClient) -> None:
    found = served.get("/cds-services").json()["services"]
    assert {(s["hook"], s["id"]) for s in found} == {
        ("patient-view", "radomica-patient-view"), ("order-select", "radomica-order-select"),
    }  # fmt: skip
    assert all(s["prefetch"]["patient"] == "Patient/{{context.patientId}}" for s in found)


def test_the_patient_in_view_is_found_by_id_or_prefetched_identifier(served: TestClient) -> None:
    direct = served.post(VIEW, json=call("patient-view")).json()["cards"]
    assert direct and all(len(c["summary"]) < 140 for c in direct)
    prefetch = {"patient": {"resourceType": "Patient", "id": "x", "identifier": [{"value": "HAND-0001"}]}}
    assert served.post(VIEW, json={**call("patient-view", "x"), "prefetch": prefetch}).json()["cards"] == direct
    link = direct[0]["links"][0]["url"].removeprefix("http://testserver")
    assert served.get(link).status_code == 200


def test_a_patient_nobody_knows_gets_no_card(served: TestClient) -> None:
    assert served.post(VIEW, json=call("patient-view", "nobody")).json() == {"cards": []}


def test_only_the_selected_order_is_judged(served: TestClient) -> None:
    drafts = orders("pembrolizumab 200 MG injection", "osimertinib 80 MG Oral Tablet")
    asked = call("order-select", selections=["MedicationRequest/o0"], draftOrders=drafts)
    (card,) = served.post(SELECT, json=asked).json()["cards"]
    assert card["indicator"] == "warning" and card["summary"].startswith("pembrolizumab: not offered")
    assert served.post(SELECT, json=call("order-select", draftOrders=orders("paracetamol"))).json()["cards"] == []
    assert served.post(SELECT, json=call("order-select", draftOrders={"entry": "x"})).json()["cards"] == []


def test_feedback_on_a_card_is_saved_and_on_an_unknown_one_refused(served: TestClient) -> None:
    card = served.post(VIEW, json=call("patient-view")).json()["cards"][0]
    said = {
        "card": card["uuid"], "outcome": "overridden", "outcomeTimestamp": "2026-03-06T10:05:31Z",
        "overrideReason": {"reason": card["overrideReasons"][0], "userComment": "seen already"},
    }  # fmt: skip
    assert served.post(f"{VIEW}/feedback", json={"feedback": [said]}).json() == {"saved": 1}
    kept = served.app.state.workbench.feedbacks("demo-synthetic")[-1]
    assert kept["rating"] == "down" and "already-considered; seen already" in kept["comment"]
    before = len(served.app.state.workbench.feedbacks("demo-synthetic"))
    refused = served.post(f"{VIEW}/feedback", json={"feedback": [said, {**said, "card": "no-such-card"}]})
    assert refused.status_code == 404
    assert len(served.app.state.workbench.feedbacks("demo-synthetic")) == before


def test_another_service_or_hook_is_refused(served: TestClient) -> None:
    assert served.post("/cds-services/nothing", json=call("patient-view")).status_code == 404
    assert served.post(VIEW, json=call("order-select")).status_code == 404
    assert served.post(VIEW, json={"hook": "patient-view"}).status_code == 422
