"""Search of guideline passages and of one case's notes; therapy rows matched to a case or to an inline summary.

Not known here: ranking (retrieval/search.py), matching (retrieval/therapy_rows.py).
"""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI
from pydantic import BaseModel, ConfigDict, Field

from app.access import audit
from app.routes.errors import documented
from app.routes.guards import AskCase, Asker, ReadCase, Reader
from app.routes.patient_summary import PatientSummary
from app.workbench import Workbench
from assistant.collect_retrieval import therapy_status
from encoders import oncotree
from encoders.errors import InputError
from retrieval.passage import Hit, Query, TherapyMatch


class Wanted(BaseModel):
    """A question to the passages; ``oncotree_code`` limits them to a disease."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [{"query": "osimertinib after chemoradiation in stage III", "oncotree_code": "LUAD", "k": 5}]
        },
    )
    query: str = Field(min_length=1, max_length=2000)
    oncotree_code: str | None = Field(default=None, max_length=20)
    k: int = Field(default=5, ge=1, le=50)


class WantedOfCase(BaseModel):
    """A question to one case's notes and documents, and to the passages of its disease."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"query": "smoking history", "k": 5}]})
    query: str = Field(min_length=1, max_length=2000)
    k: int = Field(default=5, ge=1, le=50)


class PassageHit(BaseModel):
    """A passage found; ``of_patient`` : it is one of the case's own notes or documents."""

    passage_id: str
    title: str
    statement: str
    text: str
    score: float
    of_patient: bool
    source: str
    locator: str
    section: str | None = None
    page: int | None = None
    pmid: str | None = None
    url: str | None = None
    date: str | None = None
    near_duplicates: list[str] = Field(default_factory=list)


class Hits(BaseModel):
    """What was found, best first; nothing where no passage is about the question."""

    hits: list[PassageHit]


class RowMatch(BaseModel):
    """A therapy row that concerns the patient. status : "offered", or "excluded: why"."""

    row_id: str
    drugs: list[str]
    biomarker: str
    disease: str
    oncotree_code: str
    direction: str
    level: str
    level_system: str
    line: str | None = None
    approval: str | None = None
    trial: str | None = None
    pmid: str | None = None
    source: str
    reviewed: str
    statement: str
    status: str
    excluded: list[str]
    cautions: list[str]
    contraindications: list[str]
    monitoring: list[str]
    matched_on: list[str]
    disease_match: str


class Untested(BaseModel):
    """A row of the disease that waits for a test."""

    row_id: str
    drugs: list[str]
    biomarker: str
    reason: str


class Match(BaseModel):
    """Rows that concern the patient, offered first, and those that a missing test leaves open."""

    matches: list[RowMatch]
    untested: list[Untested]


def add_knowledge(app: FastAPI, workbench: Workbench) -> None:
    """Add search and therapy match."""

    @app.post(
        "/v1/knowledge/search", tags=["knowledge"], operation_id="search_knowledge", responses=documented(400, 503)
    )
    def search_knowledge(caller: Reader, wanted: Wanted) -> Hits:
        """Guideline passages about a question; never a patient's notes."""
        from retrieval.search import search  # noqa: PLC0415  loads the index

        code = wanted.oncotree_code
        if code is not None and not oncotree.is_code(code):
            raise InputError(f"OncoTree code {code!r} is not known; codes are as in OncoTree, e.g. LUAD.")
        return Hits(hits=[_hit(h) for h in search(Query(wanted.query, oncotree_code=code, k=wanted.k))])

    @app.post(
        "/v1/cases/{case_id}/search",
        tags=["knowledge"],
        operation_id="search_case",
        responses=documented(400, 404, 503),
    )
    def search_case(case_id: AskCase, caller: Asker, wanted: WantedOfCase) -> Hits:
        """The case's own notes and documents, and guideline passages of its disease."""
        audit(caller, "search", case_id=case_id)
        return Hits(hits=[_hit(h) for h in _of_case(workbench.context(case_id).patient, wanted)])

    @app.get(
        "/v1/cases/{case_id}/therapies",
        tags=["knowledge"],
        operation_id="match_case",
        responses=documented(400, 404, 503),
    )
    def match_case(case_id: ReadCase) -> Match:
        """Every therapy row that concerns this case, also those that found no room in its report."""
        return _matched(workbench.context(case_id).patient)

    @app.post("/v1/therapies/match", tags=["knowledge"], operation_id="match_summary", responses=documented(400, 503))
    def match_summary(caller: Reader, patient: PatientSummary) -> Match:
        """Therapy rows for a patient told in the request; nothing of it is kept."""
        return _matched(patient.to_patient())


def _of_case(patient: Any, wanted: WantedOfCase) -> list[Hit]:
    """Hits of a case. Its notes are indexed under the patient's id, which another case may bear too: a passage of the
    patient that is not this case's own note, nor a document added for the patient, is dropped."""
    from retrieval.notes import note_passages  # noqa: PLC0415
    from retrieval.search import add_notes, search  # noqa: PLC0415  loads the index

    add_notes(patient)
    own = {p.text for p in note_passages(patient)}
    hits = search(Query(wanted.query, oncotree_code=patient.oncotree_code, patient_id=patient.patient_id, k=wanted.k))
    return [
        h for h in hits if h.passage.patient_id is None or h.passage.document_id is not None or h.passage.text in own
    ]


def _matched(patient: Any) -> Match:
    from retrieval.corpus.builtin import load_therapy_rows  # noqa: PLC0415  reads the table
    from retrieval.therapy_rows import match_rows, untested_rows  # noqa: PLC0415

    rows = load_therapy_rows()
    waiting = [
        Untested(row_id=r.row_id, drugs=list(r.drugs), biomarker=r.rule.text, reason=why)
        for r, why in untested_rows(patient, rows)
    ]
    return Match(matches=[_row(m) for m in match_rows(patient, rows)], untested=waiting)


def _hit(found: Hit) -> PassageHit:
    passage = found.passage
    told = ("passage_id", "title", "statement", "text", "source", "locator", "section", "page", "pmid", "url", "date")
    return PassageHit(
        **{n: getattr(passage, n) for n in told}, score=round(float(found.score), 4),
        of_patient=passage.patient_id is not None, near_duplicates=list(found.near_duplicates),
    )  # fmt: skip


def _row(match: TherapyMatch) -> RowMatch:
    row = match.row
    told = ("row_id", "level", "level_system", "line", "approval", "trial", "pmid", "source", "reviewed", "statement")
    return RowMatch(
        **{n: getattr(row, n) for n in told},
        drugs=list(row.drugs), biomarker=row.rule.text, disease=row.disease_name, oncotree_code=row.disease,
        direction=row.direction.value, status=therapy_status(match), excluded=list(match.excluded),
        cautions=list(match.cautions), contraindications=list(row.contraindications), monitoring=list(row.monitoring),
        matched_on=list(match.matched_on), disease_match=match.disease_match,
    )  # fmt: skip
