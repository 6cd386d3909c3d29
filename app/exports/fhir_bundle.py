"""A report as a FHIR R4 Bundle of type collection, with the same ids each time.

Patient (identifier alone), Condition, Observations, RiskAssessments, two DiagnosticReports (the whole report; the
genomic part under genomics-reporting), the Device that made it, Provenance with every evidence source.
The whole report travels as Markdown in presentedForm. Not known here: where codes come from (fhir_codes.py).
Not checked: conformance to the profiles beyond what their sources say; no server was asked.
"""

from __future__ import annotations

import base64
from collections.abc import Iterator, Mapping, Sequence
from html import escape
from typing import Any

from app.exports.document import build_document, plain
from app.exports.fhir_codes import (
    GENOMICS,
    ONCOTREE,
    RESEARCH_TAG,
    SERVICE,
    SYNTHETIC_TAG,
    Json,
    coding,
    concept,
    iso_date,
    loinc,
    make_id,
    reference,
)
from app.exports.fhir_observations import ObservationWriter
from app.exports.markdown import write_markdown
from app.render.html import IMAGES_OFF
from assistant.report import RESEARCH_USE

PARTICIPANT = "http://terminology.hl7.org/CodeSystem/provenance-participant-type"
_MOLECULAR = ("variant", "copy_number", "fusion", "biomarker")
_MONTHS = ("12", "24")


def build_bundle(report: Mapping[str, Any]) -> Json:
    """The Bundle as plain JSON values."""
    report_id = str(report["report_id"])
    patient: Json = {
        "resourceType": "Patient",
        "id": make_id(report_id, "patient"),
        "identifier": [{"system": "urn:radomica:case", "value": str(report["case_id"])}],
    }
    device = _device(report)
    writer = ObservationWriter(report, reference(patient))
    for item in report["evidence"]:
        writer.add_evidence(item)
    molecular = [writer.made[e["id"]] for e in report["evidence"]
                 if e["type"] in _MOLECULAR and e["id"] in writer.made]  # fmt: skip
    therapies = [writer.add_therapy(row) for row in report["therapies"]]
    conditions = list(_conditions(report, patient))
    observations = list(writer.made.values())
    risks = list(_risks(report, patient, device, [*conditions, *observations]))
    reports = list(_reports(report, patient, device, [*observations, *therapies], [*molecular, *therapies]))
    resources = [patient, device, *conditions, *observations, *therapies, *risks, *reports]
    resources.append(_provenance(report, device, [*reports, *observations, *therapies, *risks]))
    tags = [RESEARCH_TAG, *([SYNTHETIC_TAG] if report.get("synthetic") else [])]
    for resource in resources:
        resource["meta"] = {**resource.get("meta", {}), "tag": tags}
    bundle = {
        "resourceType": "Bundle",
        "id": make_id(report_id, "bundle"),
        "meta": {"tag": tags},
        "identifier": {"system": "urn:radomica:report", "value": report_id},
        "type": "collection",
        "timestamp": report["created"],
        "entry": [{"fullUrl": f"urn:uuid:{r['id']}", "resource": r} for r in resources],
    }
    return _printable(bundle)


def _printable(value: Any) -> Any:
    """The same value without the control characters that FHIR strings may not hold."""
    if isinstance(value, str):
        return plain(value)
    if isinstance(value, Mapping):
        return {k: _printable(v) for k, v in value.items()}
    return [_printable(v) for v in value] if isinstance(value, list) else value


def _device(report: Mapping[str, Any]) -> Json:
    return {
        "resourceType": "Device",
        "id": make_id(str(report["report_id"]), "device"),
        "manufacturer": "Radomica",
        "deviceName": [{"name": "Radomica", "type": "manufacturer-name"}],
        "version": [{"type": concept(str(k)), "value": str(v) or "none"} for k, v in report["versions"].items()],
        "note": [{"text": RESEARCH_USE}],
    }


def _conditions(report: Mapping[str, Any], patient: Json) -> Iterator[Json]:
    for item in report["evidence"]:
        if item["type"] != "diagnosis":
            continue
        shown = {k: v["display"] for k, v in item["fields"].items()}
        code = [coding(ONCOTREE, shown["oncotree"])] if shown.get("oncotree") else []
        stage = ", ".join(shown[k] for k in ("stage", "tnm_edition") if shown.get(k))
        when = iso_date(shown.get("date"))
        yield {
            "resourceType": "Condition",
            "id": make_id(str(report["report_id"]), "evidence", item["id"]),
            "identifier": [{"system": "urn:radomica:evidence", "value": item["id"]}],
            "code": concept(shown.get("disease") or shown.get("histology") or "cancer", *code),
            "subject": reference(patient),
            **({"stage": [{"summary": concept(stage)}]} if stage else {}),
            **({"recordedDate": when} if when else {}),
            "note": [{"text": item["text"]}],
        }


def _risks(report: Mapping[str, Any], patient: Json, device: Json, basis: Sequence[Json]) -> Iterator[Json]:
    """One RiskAssessment a survival prediction: chance of death by 12 and 24 months, from the printed survival."""
    cards = {p.get("evidence_id"): p for p in report.get("predictions") or ()}
    for item in report["evidence"]:
        if item["type"] != "survival":
            continue
        fields, card = item["fields"], cards.get(item["id"], {})
        made_of = f"{card.get('model_card') or 'model card not stated'} {card.get('weight_hash') or ''}".strip()
        yield {
            "resourceType": "RiskAssessment",
            "id": make_id(str(report["report_id"]), "evidence", item["id"]),
            "identifier": [{"system": "urn:radomica:evidence", "value": item["id"]}],
            "status": "preliminary",
            "method": concept(made_of),
            "subject": reference(patient),
            "occurrenceDateTime": report["created"],
            "performer": reference(device),
            "basis": [reference(b) for b in basis],
            "prediction": [p for month in _MONTHS if (p := _death_by(month, fields))],
            "note": [{"text": item["text"]}, {"text": RESEARCH_USE}],
        }


def _death_by(month: str, fields: Mapping[str, Any]) -> Json | None:
    alive = fields.get(f"survival_{month}m")
    chance = alive["value"] if alive else None
    if not isinstance(chance, (int, float)):
        return None
    interval = fields.get(f"interval_{month}m")
    told = f"survival {alive['display']}" + (f", 95 % interval {interval['display']}" if interval else "")
    group = fields.get("risk_group")
    return {
        "outcome": concept(f"death from any cause by {month} months"),
        "probabilityDecimal": round(1 - float(chance), 6),
        **({"qualitativeRisk": concept(f"{group['display']} risk group")} if group else {}),
        "rationale": f"Predicted {month}-month {told}.",
    }


def _reports(
    report: Mapping[str, Any], patient: Json, device: Json, results: Sequence[Json], genomic: Sequence[Json]
) -> Iterator[Json]:
    report_id = str(report["report_id"])
    shared = {
        "resourceType": "DiagnosticReport",
        "status": "preliminary",
        "subject": reference(patient),
        "issued": report["created"],
        "performer": [{"display": "Radomica (software), research use only"}],
    }
    markdown = base64.b64encode(write_markdown(build_document(report)).encode()).decode()
    yield {
        **shared,
        "id": make_id(report_id, "report"),
        "text": {"status": "generated", "div": _narrative(report)},
        "identifier": [{"system": "urn:radomica:report", "value": report_id}],
        "code": concept("Tumour-board report"),
        "result": [reference(r) for r in results],
        "conclusion": _conclusion(report),
        "presentedForm": [{"contentType": "text/markdown", "language": "en", "data": markdown,
                           "title": f"Tumour-board report, case {report['case_id']}"}],
    }  # fmt: skip
    if genomic:
        yield {
            **shared,
            "id": make_id(report_id, "genomic report"),
            "meta": {"profile": [GENOMICS + "genomic-report"]},
            "category": [concept("Genetics", coding(SERVICE, "GE", "Genetics"))],
            "code": loinc("51969-4", "Genetic analysis report"),
            "effectiveDateTime": report["created"],
            "result": [reference(r) for r in genomic],
            "conclusion": RESEARCH_USE,
        }


def _lines(report: Mapping[str, Any]) -> Iterator[str]:
    """The notices, then every printed claim with citations and verdict, then how many were withheld."""
    yield RESEARCH_USE
    if not report.get("image_functions", True):
        yield IMAGES_OFF
    for section in report["sections"]:
        for claim in section["claims"]:
            marks = "".join(f"[{c}]" for c in claim["citations"])
            yield f"{section['title']}: {claim['text']} {marks} ({claim['verdict']}: {claim['reason']})"
    yield f"{len(report['withheld'])} claims of the language model were withheld."


def _conclusion(report: Mapping[str, Any]) -> str:
    return "\n".join(_lines(report))


def _narrative(report: Mapping[str, Any]) -> str:
    words = "".join(f"<p>{escape(line)}</p>" for line in _lines(report))
    return f'<div xmlns="http://www.w3.org/1999/xhtml">{words}</div>'


def _provenance(report: Mapping[str, Any], device: Json, targets: Sequence[Json]) -> Json:
    entities = {}
    for item in report["evidence"]:
        where = _where(item["source"])
        if where:
            entities.setdefault(where, []).append(item["id"])
    return {
        "resourceType": "Provenance",
        "id": make_id(str(report["report_id"]), "provenance"),
        "target": [reference(t) for t in targets],
        "recorded": report["created"],
        "agent": [
            {
                "type": concept("Assembler", coding(PARTICIPANT, "assembler", "Assembler")),
                "who": reference(device),
            }
        ],
        "entity": [
            {
                "role": "source",
                "what": {"identifier": {"value": where}, "display": f"evidence {', '.join(ids)}: {where}"},
            }
            for where, ids in entities.items()
        ],
    }


def _where(source: Mapping[str, Any]) -> str:
    words = [str(source[k]) for k in ("file", "place", "row_id", "series_uid") if source.get(k)]
    if source.get("slice_index") is not None:
        words.append(f"slice {source['slice_index'] + 1}")
    words += [f"PMID {source['pmid']}"] if source.get("pmid") else []
    words += [str(source[k]) for k in ("url", "date") if source.get(k)]
    return ", ".join(words)
