"""Report jobs, reviews of claims, feedback on answers, and requests already answered, in the database.

Not known here: who writes reports (app/jobs.py).
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from app.store.database import Database
from app.store.tables import Case, Feedback, Idempotency, Job, Review, now
from encoders.errors import InputError

JOB_FIELDS = ("id", "case_id", "owner", "state", "progress", "error", "created", "seed", "llm", "starts")


class Work:
    """What is done about cases, in one database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add_job(self, job: Mapping[str, Any], *, idempotency_key: str | None = None) -> dict[str, Any]:
        """Keep a job; with a key the owner used before for the same request, the job of then is returned instead.

        Raises
        ------
        InputError: no such case; the key was used for another request.
        """
        with self._database.writing() as session:
            if idempotency_key is not None:
                request = f"report/{job['case_id']}/{job['seed']}"
                known = _answered(session, job["owner"], idempotency_key, request)
                kept = session.get(Job, known) if known is not None else None
                if kept is not None:
                    return _job(kept)
                _remember(session, job["owner"], idempotency_key, request, job["case_id"], job["id"])
            case = session.get(Case, job["case_id"])
            if case is None or case.deleted is not None:
                raise InputError(f"no case {job['case_id']!r}; GET /v1/cases lists what is here.")
            session.add(Job(**{name: job[name] for name in JOB_FIELDS}))
        return dict(job)

    def change_job(self, job_id: str, **fields: Any) -> None:
        """Set fields of a job; on disk when this returns."""
        with self._database.writing() as session:
            session.execute(update(Job).where(Job.id == job_id).values(**fields))

    def jobs(self) -> tuple[dict[str, Any], ...]:
        """Every job of every case that is not being deleted, oldest first."""
        wanted = select(Job).join(Case).where(Case.deleted.is_(None)).order_by(Job.created, Job.id)
        with self._database.reading() as session:
            return tuple(_job(j) for j in session.scalars(wanted))

    def add_review(self, job_id: str, claim_id: str, fields: Mapping[str, Any]) -> dict[str, Any]:
        """Keep a decision (decision, reason, text, by) about a claim."""
        with self._database.writing() as session:
            kept = Review(job_id=job_id, claim_id=claim_id, at=now(), **fields)
            session.add(kept)
            session.flush()
            return _review(kept)

    def reviews(self, job_id: str) -> tuple[dict[str, Any], ...]:
        """Every decision about a report's claims, oldest first."""
        with self._database.reading() as session:
            return tuple(_review(r) for r in session.scalars(select(Review).where(Review.job_id == job_id)))

    def add_feedback(self, case_id: str, fields: Mapping[str, Any]) -> None:
        """Keep feedback (question, answer, rating, comment, by) on an answer about a case."""
        with self._database.writing() as session:
            session.add(Feedback(case_id=case_id, at=now(), **fields))

    def feedback(self, case_id: str) -> tuple[dict[str, Any], ...]:
        """All feedback about a case, oldest first."""
        names = ("question", "answer", "rating", "comment", "by", "at")
        with self._database.reading() as session:
            found = session.scalars(select(Feedback).where(Feedback.case_id == case_id)).all()
        return tuple({n: getattr(f, n) for n in names} for f in found)

    def answered(self, owner: str, key: str, request: str) -> str | None:
        """What ``remember`` kept for this caller, key and request.

        Raises
        ------
        InputError: the key was used for another request.
        """
        with self._database.reading() as session:
            return _answered(session, owner, key, request)

    def remember(self, owner: str, key: str, request: str, *, case_id: str, result_id: str) -> None:
        """Keep the result of a request under its caller's key."""
        with self._database.writing() as session:
            _remember(session, owner, key, request, case_id, result_id)


def _answered(session: Session, owner: str, key: str, request: str) -> str | None:
    kept = session.get(Idempotency, (owner, _sha256(key)))
    if kept is None:
        return None
    if kept.request_hash != _sha256(request):
        raise InputError("this Idempotency-Key was used for another request; make a new key.")
    return kept.result_id


def _remember(session: Session, owner: str, key: str, request: str, case_id: str, result_id: str) -> None:
    session.merge(
        Idempotency(
            owner=owner, key_hash=_sha256(key), request_hash=_sha256(request), case_id=case_id, result_id=result_id,
            created=now(),
        )
    )  # fmt: skip


def _job(job: Job) -> dict[str, Any]:
    return {name: getattr(job, name) for name in JOB_FIELDS}


def _review(review: Review) -> dict[str, Any]:
    return {n: getattr(review, n) for n in ("id", "job_id", "claim_id", "decision", "reason", "text", "by", "at")}


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
