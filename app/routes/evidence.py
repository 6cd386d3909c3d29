"""The evidence ledger of a case: every entry a claim may cite, with its values and where each was read."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import FastAPI, Path, Query
from pydantic import BaseModel, ConfigDict, Field

from app.routes.errors import documented, not_found
from app.routes.guards import ReadCase
from app.routes.reports import latest_report
from app.workbench import Workbench


class EvidenceAnswer(BaseModel):
    """One entry. fields : name -> {value, display, unit}; source : where it was read."""

    model_config = ConfigDict(
        extra="allow",
        json_schema_extra={
            "examples": [
                {
                    "id": "M1", "kind": "M", "type": "variant", "text": "EGFR p.L858R, missense.",
                    "fields": {"gene": {"value": "EGFR", "display": "EGFR", "unit": None}},
                    "source": {"file": "somatic.maf", "place": "row 12"},
                }
            ]
        },
    )  # fmt: skip
    id: str
    kind: str
    type: str
    text: str
    fields: dict[str, Any]
    source: dict[str, Any]


class EvidenceList(BaseModel):
    """Entries of the newest finished report; cited_by : id -> claims that cite it."""

    report_id: str
    job_id: str
    evidence: list[EvidenceAnswer]
    cited_by: dict[str, list[str]] = Field(default_factory=dict)


def add_evidence(app: FastAPI, workbench: Workbench) -> None:
    """Add the ledger."""

    @app.get(
        "/v1/cases/{case_id}/evidence", tags=["evidence"], operation_id="list_evidence", responses=documented(404, 409)
    )
    def list_evidence(
        case_id: ReadCase,
        kind: Annotated[Literal["F", "I", "M", "P", "X", "S", "G"] | None, Query(description="Kind letter.")] = None,
        type_: Annotated[str | None, Query(alias="type", max_length=60)] = None,
    ) -> EvidenceList:
        """The ledger, narrowed to a kind or type."""
        report = latest_report(workbench, case_id)
        kept = [e for e in report["evidence"] if kind in (None, e["kind"]) and type_ in (None, e["type"])]
        ids = {e["id"] for e in kept}
        return EvidenceList(
            report_id=report["report_id"], job_id=report["job_id"],
            evidence=[EvidenceAnswer(**e) for e in kept],
            cited_by={i: c for i, c in _cited_by(report).items() if i in ids},
        )  # fmt: skip

    @app.get(
        "/v1/cases/{case_id}/evidence/{evidence_id}", tags=["evidence"], operation_id="get_evidence",
        responses=documented(404, 409),
    )  # fmt: skip
    def get_evidence(case_id: ReadCase, evidence_id: Annotated[str, Path(max_length=20)]) -> EvidenceAnswer:
        """One entry by its id."""
        for entry in latest_report(workbench, case_id)["evidence"]:
            if entry["id"] == evidence_id:
                return EvidenceAnswer(**entry)
        raise not_found("evidence", evidence_id, f"GET /v1/cases/{case_id}/evidence")


def _cited_by(report: dict[str, Any]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for section in report["sections"]:
        for claim in section["claims"]:
            for cited in claim["citations"]:
                found.setdefault(cited, []).append(claim["text"])
    return found
