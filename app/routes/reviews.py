"""What people decide about a report's claims and an answer's use: accept, edit, override; thumbs up or down."""

from __future__ import annotations

from typing import Any, Literal

from fastapi import FastAPI
from pydantic import BaseModel, ConfigDict, Field

from app.access import audit
from app.routes.errors import documented
from app.routes.guards import AskCase, Asker, ReadReport, Reviewer, ReviewReport
from app.routes.reports import finished
from app.workbench import Workbench


class Decision(BaseModel):
    """A decision on one printed claim. ``text`` : the claim as it should read, with "edit" alone."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {"claim_id": "therapy-1", "decision": "override", "reason": "Drug not available here.", "text": None}
            ]
        }
    )  # fmt: skip
    claim_id: str = Field(min_length=1, max_length=80)
    decision: Literal["accept", "edit", "override"]
    reason: str = Field(default="", max_length=2000)
    text: str | None = Field(default=None, max_length=4000)


class ReviewAnswer(BaseModel):
    """A kept decision."""

    model_config = ConfigDict(extra="allow")
    claim_id: str
    decision: str
    reason: str = ""
    text: str | None = None


class ReviewList(BaseModel):
    """Every decision on a report, oldest first."""

    reviews: list[ReviewAnswer]


class Feedback(BaseModel):
    """What an answer was worth to its reader."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {"question": "Is EGFR mutated?", "answer": "EGFR p.L858R is present. [M1]", "rating": "up"},
            ]
        }
    )  # fmt: skip
    question: str = Field(min_length=1, max_length=2000)
    answer: str = Field(default="", max_length=20_000)
    rating: Literal["up", "down"]
    comment: str = Field(default="", max_length=2000)


class Kept(BaseModel):
    """It was saved."""

    saved: Literal[True] = True


def add_reviews(app: FastAPI, workbench: Workbench) -> None:
    """Add reviews of reports and feedback on answers."""

    @app.get("/v1/reports/{job_id}/reviews", tags=["reviews"], operation_id="list_reviews", responses=documented(404))
    def list_reviews(job: ReadReport) -> ReviewList:
        """The decisions on this report's claims."""
        return ReviewList(reviews=[ReviewAnswer(**_plain(r)) for r in workbench.reviews(job["id"])])

    @app.post(
        "/v1/reports/{job_id}/reviews", status_code=201, tags=["reviews"], operation_id="add_review",
        responses=documented(400, 404, 409),
    )  # fmt: skip
    def add_review(job: ReviewReport, caller: Reviewer, made: Decision) -> Kept:
        """Accept, edit or override one claim; "edit" and "override" need a reason."""
        finished(job)
        workbench.review(job["id"], made.claim_id, made.decision, made.reason, text=made.text, by=caller.name)
        audit(caller, f"review: {made.decision}", case_id=job["case_id"], report=job["id"], claim=made.claim_id)
        return Kept()

    @app.post(
        "/v1/cases/{case_id}/feedback", status_code=201, tags=["reviews"], operation_id="add_feedback",
        responses=documented(400, 404),
    )  # fmt: skip
    def add_feedback(case_id: AskCase, caller: Asker, said: Feedback) -> Kept:
        """Save what an answer was worth."""
        workbench.feedback(case_id, said.question, said.answer, said.rating, said.comment, caller.name)
        audit(caller, f"feedback: {said.rating}", case_id=case_id)
        return Kept()


def _plain(review: Any) -> dict[str, Any]:
    return dict(review) if isinstance(review, dict) else dict(vars(review))
