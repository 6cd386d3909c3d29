"""The FHIR bundle: valid by fhir.resources, whole in itself, and saying what the report says."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fhir.resources.R4B.bundle import Bundle

from app.exports import export_report
from app.exports.fhir_bundle import build_bundle
from assistant.report import RESEARCH_USE

Made = dict[str, Any]


def resources(bundle: Made, kind: str) -> list[Made]:
    return [e["resource"] for e in bundle["entry"] if e["resource"]["resourceType"] == kind]


def walk(value: Any) -> Iterator[tuple[str, Any]]:
    """Every (key, value) of nested JSON."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield key, inner
            yield from walk(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from walk(inner)


@pytest.fixture(params=["real", "hand", "bare"])
def bundle(request: pytest.FixtureRequest) -> Made:
    return build_bundle(request.getfixturevalue(request.param))


class TestEveryBundle:
    def test_it_parses_strictly_and_loses_nothing(self, bundle: Made) -> None:
        parsed = Bundle.model_validate(bundle)
        again = json.loads(parsed.model_dump_json())
        assert len(again["entry"]) == len(bundle["entry"])
        assert {e["fullUrl"] for e in again["entry"]} == {e["fullUrl"] for e in bundle["entry"]}

    def test_each_reference_resolves_inside_the_bundle_to_the_type_it_names(self, bundle: Made) -> None:
        held = {e["fullUrl"]: e["resource"]["resourceType"] for e in bundle["entry"]}
        assert len(held) == len(bundle["entry"])
        for key, value in walk(bundle):
            if isinstance(value, dict) and "reference" in value:
                assert held[value["reference"]] == value["type"], key

    def test_no_string_is_empty_and_each_resource_says_research_use(self, bundle: Made) -> None:
        assert all(value != "" for _, value in walk(bundle))
        for entry in bundle["entry"]:
            assert "research-use-only" in {t["code"] for t in entry["resource"]["meta"]["tag"]}

    def test_nothing_is_called_final(self, bundle: Made) -> None:
        kinds = ("Observation", "DiagnosticReport", "RiskAssessment")
        assert {r["status"] for k in kinds for r in resources(bundle, k)} <= {"preliminary"}

    def test_the_patient_is_an_identifier_alone(self, bundle: Made) -> None:
        (patient,) = resources(bundle, "Patient")
        assert set(patient) == {"resourceType", "id", "identifier", "meta"}


def test_the_same_report_gives_the_same_bytes(hand: Made, tmp_path: Path) -> None:
    first = export_report(hand, "fhir", tmp_path / "a").read_bytes()
    assert first == export_report(hand, "fhir", tmp_path / "b").read_bytes()
    assert (tmp_path / "a" / "HAND-0001-report.fhir.json").is_file()


def test_synthetic_is_tagged_where_it_is_and_nowhere_else(hand: Made, bare: Made) -> None:
    for report, synthetic in ((hand, True), (bare, False)):
        for entry in build_bundle(report)["entry"]:
            codes = {t["code"] for t in entry["resource"]["meta"]["tag"]}
            assert ("HTEST" in codes) is synthetic


def test_a_variant_carries_gene_protein_change_and_allele_fraction(real: Made) -> None:
    item = next(e for e in real["evidence"] if e["type"] == "variant" and e["fields"]["variant"]["display"][:2] == "p.")
    observation = by_evidence(build_bundle(real), item["id"])
    assert observation["meta"]["profile"] == ["http://hl7.org/fhir/uv/genomics-reporting/StructureDefinition/variant"]
    assert observation["code"]["coding"][0]["code"] == "69548-6"
    parts = {c["code"].get("coding", [{}])[0].get("code"): c for c in observation["component"]}
    assert parts["48018-6"]["valueCodeableConcept"]["text"] == item["fields"]["gene"]["display"]
    assert parts["48005-3"]["valueCodeableConcept"]["coding"][0]["code"] == item["fields"]["variant"]["display"]
    assert parts["81258-6"]["valueQuantity"]["value"] == item["fields"]["allele_fraction"]["value"]
    assert "82121-5" not in parts  # total depth is not the allele's reads


def by_evidence(bundle: Made, evidence_id: str) -> Made:
    held = [e["resource"] for e in bundle["entry"]]
    return next(r for r in held if {"system": "urn:radomica:evidence", "value": evidence_id} in r.get("identifier", []))


def test_lesion_sizes_are_the_report_s_with_ucum_units(real: Made) -> None:
    lesions = [e for e in real["evidence"] if e["type"] == "lesion"]
    assert lesions
    for item in lesions:
        observation = by_evidence(build_bundle(real), item["id"])
        found = {c["code"]["text"]: c["valueQuantity"] for c in observation["component"]}
        size = found["Longest diameter in the slice plane"]
        assert (size["value"], size["code"]) == (item["fields"]["longest_diameter"]["value"], "mm")
        assert found["Volume"]["value"] == item["fields"]["volume"]["value"]
        assert "outline in the patient's files" in observation["method"]["text"]


def test_tmb_and_msi_have_their_codes_and_pd_l1_stays_text(real: Made) -> None:
    bundle, codes = build_bundle(real), {}
    for item in real["evidence"]:
        if item["type"] == "biomarker":
            observation = by_evidence(bundle, item["id"])
            codes[item["fields"]["name"]["display"]] = [c["code"] for c in observation["code"].get("coding", [])]
    assert codes["TMB"] == ["94076-7"]
    assert codes["MSI"] == ["81695-9"]
    assert codes["PD-L1"] == []


def test_survival_becomes_the_chance_of_death_with_its_basis(real: Made) -> None:
    bundle = build_bundle(real)
    (risk,) = resources(bundle, "RiskAssessment")
    item = next(e for e in real["evidence"] if e["type"] == "survival")
    chances = {p["outcome"]["text"]: p["probabilityDecimal"] for p in risk["prediction"]}
    assert chances["death from any cause by 12 months"] == pytest.approx(1 - item["fields"]["survival_12m"]["value"])
    assert risk["prediction"][0]["qualitativeRisk"]["text"] == f"{item['fields']['risk_group']['display']} risk group"
    assert risk["method"]["text"].startswith("fusion-v1 ")
    assert risk["basis"]


def test_each_therapy_row_is_an_implication_with_its_citation(hand: Made) -> None:
    bundle = build_bundle(hand)
    found = {
        c["valueCodeableConcept"]["text"]: o
        for o in resources(bundle, "Observation")
        for c in o.get("component", [])
        if c["code"].get("coding", [{}])[0].get("code") == "51963-7"
    }
    assert set(found) == {"osimertinib", "erlotinib", "pembrolizumab"}
    osimertinib = found["osimertinib"]
    artifact = osimertinib["extension"][0]["valueRelatedArtifact"]
    assert artifact["url"] == "https://pubmed.ncbi.nlm.nih.gov/29151359/"
    assert osimertinib["derivedFrom"][0]["reference"] == f"urn:uuid:{by_evidence(bundle, 'M1')['id']}"
    status = {c["code"]["text"]: c.get("valueString") for c in found["pembrolizumab"]["component"]}
    assert status["Status for this patient"] == "excluded: PD-L1 is 20 %, the rule needs 50 %"
    assert "profile" not in found["pembrolizumab"]["meta"]  # no finding behind it, which the profile asks for


def test_real_therapy_rows_are_all_there(real: Made) -> None:
    observations = resources(build_bundle(real), "Observation")
    texts = [n["text"] for o in observations for n in o.get("note", [])]
    assert real["therapies"]
    for row in real["therapies"]:
        assert any(t.startswith(f"Evidence {', '.join(row['evidence_ids'])}.") for t in texts)


def test_the_whole_report_travels_with_it(hand: Made) -> None:
    reports = resources(build_bundle(hand), "DiagnosticReport")
    whole = next(r for r in reports if r["code"]["text"] == "Tumour-board report")
    markdown = base64.b64decode(whole["presentedForm"][0]["data"]).decode()
    assert RESEARCH_USE.split(";")[0] in markdown
    for section in hand["sections"]:
        for claim in section["claims"]:
            assert claim["text"] in whole["conclusion"]
    assert "1 claims of the language model were withheld" in whole["conclusion"]
    assert "<script>" not in whole["text"]["div"]
    genomic = next(r for r in reports if r["code"]["text"] == "Genetic analysis report")
    assert genomic["meta"]["profile"][0].endswith("/genomic-report")


def test_provenance_names_the_program_its_versions_and_every_source(hand: Made) -> None:
    bundle = build_bundle(hand)
    (provenance,), (device,) = resources(bundle, "Provenance"), resources(bundle, "Device")
    assert provenance["agent"][0]["who"]["reference"] == f"urn:uuid:{device['id']}"
    assert {v["type"]["text"]: v["value"] for v in device["version"]} == hand["versions"]
    told = " | ".join(e["what"]["display"] for e in provenance["entity"])
    for item in hand["evidence"]:
        if item["source"].get("pmid"):
            assert f"PMID {item['source']['pmid']}" in told
        assert item["id"] in told or not item["source"]


def test_a_gain_and_a_neutral_call_are_told_apart(bare: Made) -> None:
    def copies(call: str) -> list[Made]:
        fields = {"gene": shown("ERBB2"), "call": shown(call)}
        item = {"id": "M1", "kind": "M", "type": "copy_number", "text": "x", "fields": fields, "source": {}}
        return [o for o in resources(build_bundle({**bare, "evidence": [item]}), "Observation")]

    assert copies("amplification")[0]["component"][1]["valueCodeableConcept"]["coding"][0]["code"] == "SO:0001742"
    assert copies("deep deletion")[0]["component"][1]["valueCodeableConcept"]["coding"][0]["code"] == "SO:0001743"
    assert copies("neutral") == []


def shown(text: str) -> Made:
    return {"value": text, "display": text, "unit": None}
