"""Predictions of a case as its newest report holds them, and what they would be if something were different."""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI
from pydantic import BaseModel, ConfigDict, Field

from app.access import audit
from app.chat_events import evidence_to_dict
from app.routes.errors import documented
from app.routes.guards import AskCase, Asker, ReadCase
from app.routes.reports import latest_report
from app.workbench import Workbench
from assistant.what_if import Change


class Predictions(BaseModel):
    """Every prediction with interval, calibration, contributions and its evidence id, as in report.json."""

    report_id: str
    job_id: str
    research_use: str
    predictions: list[dict[str, Any]]
    similar_cases: list[dict[str, Any]]
    neighbour_survival: dict[str, Any]
    missing: list[dict[str, Any]]


class WhatIfQuestion(BaseModel):
    """What would be different in the patient; everything else stays as recorded."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={"examples": [{"changes": [{"kind": "stage", "stage": "IV"}, {"kind": "ecog", "ecog": 2}]}]},
    )
    changes: list[Change] = Field(min_length=1, max_length=4)


class WhatIfAnswer(BaseModel):
    """The difference as hypothetical evidence, each with how it was computed; left_out : rows not told."""

    hypothetical: bool = True
    change: str
    evidence: list[dict[str, Any]]
    left_out: list[str]


def add_predictions(app: FastAPI, workbench: Workbench) -> None:
    """Add predictions and what-if."""

    @app.get(
        "/v1/cases/{case_id}/predictions", tags=["predictions"], operation_id="get_predictions",
        responses=documented(404, 409),
    )  # fmt: skip
    def get_predictions(case_id: ReadCase) -> Predictions:
        """Predictions and similar cases of the newest finished report."""
        report = latest_report(workbench, case_id)
        told = ("report_id", "job_id", "research_use", "predictions", "similar_cases", "missing")
        return Predictions(**{n: report[n] for n in told}, neighbour_survival=report.get("neighbour_survival") or {})

    @app.post(
        "/v1/cases/{case_id}/what-if", tags=["predictions"], operation_id="ask_what_if",
        responses=documented(400, 404, 503),
    )  # fmt: skip
    def what_if(case_id: AskCase, caller: Asker, asked: WhatIfQuestion) -> WhatIfAnswer:
        """Predict and match a changed copy of the patient; the record and its reports stay as they are."""
        audit(caller, "what-if", case_id=case_id)
        return _what_if(workbench.context(case_id), asked)


def _what_if(context: Any, asked: WhatIfQuestion) -> WhatIfAnswer:
    from assistant.collect import number_after  # noqa: PLC0415  torch loads with these
    from assistant.what_if import ask_what_if  # noqa: PLC0415
    from encoders.predict import predict  # noqa: PLC0415
    from retrieval.corpus.builtin import load_therapy_rows  # noqa: PLC0415

    found = ask_what_if(
        context.patient, asked.changes, context.prediction, lambda patient: predict(patient, explain=False),
        load_therapy_rows(),
    )  # fmt: skip
    new = number_after(context.ledger, found.drafts)
    return WhatIfAnswer(change=found.change, evidence=[evidence_to_dict(e) for e in new], left_out=list(found.left_out))
