"""The tables of the store, as typed SQLAlchemy classes. Times are ISO 8601 in UTC, so they sort as text.

A change here needs a new file in ``migrations/versions``; a test compares both.
Not known here: queries (the other files of this package), files on disk (blobs.py).
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import JSON, BigInteger, ForeignKey, Index, MetaData, String, Text, UniqueConstraint
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

LOCAL = "local"
"""Who acts on a machine where no user has been made."""

TIME = String(32)
NAME = String(64)
ID = String(64)
SHA256 = String(64)


def now() -> str:
    """This moment, to the millisecond."""
    return datetime.now(UTC).isoformat(timespec="milliseconds")


class Base(DeclarativeBase):
    """Base of every table; constraints get names, so that migrations can name them on every database."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_name)s",
            "uq": "uq_%(table_name)s_%(column_0_name)s",
            "fk": "fk_%(table_name)s_%(column_0_name)s",
            "pk": "pk_%(table_name)s",
        }
    )


class StoreMark(Base):
    """What the home's own mark file must say (one row): files of one database are never swept by another."""

    __tablename__ = "store"
    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    mark: Mapped[str] = mapped_column(String(32))


class User(Base):
    """Somebody who may log in. ``scopes``: space-separated; ``removed``: when access ended (the row stays)."""

    __tablename__ = "users"
    name: Mapped[str] = mapped_column(NAME, primary_key=True)
    password_hash: Mapped[str] = mapped_column(String(256))
    scopes: Mapped[str] = mapped_column(String(256))
    created: Mapped[str] = mapped_column(TIME)
    removed: Mapped[str | None] = mapped_column(TIME)


class ApiKey(Base):
    """A key for the API: only its hash is kept."""

    __tablename__ = "api_keys"
    key_id: Mapped[str] = mapped_column(ID, primary_key=True)
    user_name: Mapped[str] = mapped_column(ForeignKey("users.name"), index=True)
    label: Mapped[str] = mapped_column(String(120))
    key_hash: Mapped[str] = mapped_column(SHA256, unique=True)
    scopes: Mapped[str] = mapped_column(String(256))
    created: Mapped[str] = mapped_column(TIME)
    expires: Mapped[str | None] = mapped_column(TIME)
    revoked: Mapped[str | None] = mapped_column(TIME)


class Login(Base):
    """A session of the page: only the hash of its cookie is kept."""

    __tablename__ = "sessions"
    cookie_hash: Mapped[str] = mapped_column(SHA256, primary_key=True)
    user_name: Mapped[str] = mapped_column(ForeignKey("users.name"), index=True)
    created: Mapped[str] = mapped_column(TIME)
    expires: Mapped[str] = mapped_column(TIME)


class Case(Base):
    """One patient folder. ``patient_id``: as read from the files, once they were; ``deleted``: being deleted since."""

    __tablename__ = "cases"
    case_id: Mapped[str] = mapped_column(ID, primary_key=True)
    owner: Mapped[str] = mapped_column(NAME, index=True)
    title: Mapped[str] = mapped_column(String(120))
    origin: Mapped[str] = mapped_column(String(16))
    synthetic: Mapped[bool]
    created: Mapped[str] = mapped_column(TIME)
    patient_id: Mapped[str | None] = mapped_column(Text)
    identity_check: Mapped[dict[str, Any] | None] = mapped_column(JSON)
    deleted: Mapped[str | None] = mapped_column(TIME)


class CaseAccess(Base):
    """A user who may open a case of another."""

    __tablename__ = "case_access"
    case_id: Mapped[str] = mapped_column(ForeignKey("cases.case_id"), primary_key=True)
    user_name: Mapped[str] = mapped_column(ForeignKey("users.name"), primary_key=True)
    granted: Mapped[str] = mapped_column(TIME)


class StoredFile(Base):
    """A file of a case: its name inside the patient folder and the hash of its content (blobs.py)."""

    __tablename__ = "files"
    case_id: Mapped[str] = mapped_column(ForeignKey("cases.case_id"), primary_key=True)
    name: Mapped[str] = mapped_column(Text, primary_key=True)
    sha256: Mapped[str] = mapped_column(SHA256, index=True)
    size_bytes: Mapped[int] = mapped_column(BigInteger)
    media_kind: Mapped[str] = mapped_column(String(64))


class Job(Base):
    """A report being written. ``starts``: how often a worker took it up."""

    __tablename__ = "jobs"
    id: Mapped[str] = mapped_column(ID, primary_key=True)
    case_id: Mapped[str] = mapped_column(ForeignKey("cases.case_id"), index=True)
    owner: Mapped[str] = mapped_column(NAME)
    state: Mapped[str] = mapped_column(String(16), index=True)
    progress: Mapped[str] = mapped_column(Text)
    error: Mapped[str | None] = mapped_column(Text)
    created: Mapped[str] = mapped_column(TIME)
    seed: Mapped[int]
    llm: Mapped[str] = mapped_column(Text)
    starts: Mapped[int]


class Review(Base):
    """What a person decided about one claim of a report."""

    __tablename__ = "reviews"
    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=True)
    job_id: Mapped[str] = mapped_column(ForeignKey("jobs.id"), index=True)
    claim_id: Mapped[str] = mapped_column(String(80))
    decision: Mapped[str] = mapped_column(String(16))
    reason: Mapped[str] = mapped_column(Text)
    text: Mapped[str | None] = mapped_column(Text)
    by: Mapped[str] = mapped_column(NAME)
    at: Mapped[str] = mapped_column(TIME)


class Feedback(Base):
    """Thumbs up or down on one answer of the chat."""

    __tablename__ = "feedback"
    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=True)
    case_id: Mapped[str] = mapped_column(ForeignKey("cases.case_id"), index=True)
    question: Mapped[str] = mapped_column(Text)
    answer: Mapped[str] = mapped_column(Text)
    rating: Mapped[str] = mapped_column(String(8))
    comment: Mapped[str] = mapped_column(Text)
    by: Mapped[str] = mapped_column(NAME)
    at: Mapped[str] = mapped_column(TIME)


class Idempotency(Base):
    """A request that was answered under a key of its caller: asked again, it is not done again."""

    __tablename__ = "idempotency"
    owner: Mapped[str] = mapped_column(NAME, primary_key=True)
    key_hash: Mapped[str] = mapped_column(SHA256, primary_key=True)
    request_hash: Mapped[str] = mapped_column(SHA256)
    case_id: Mapped[str] = mapped_column(ForeignKey("cases.case_id"), index=True)
    result_id: Mapped[str] = mapped_column(ID)
    created: Mapped[str] = mapped_column(TIME)


class AuditLine(Base):
    """Who did what, when. Triggers refuse UPDATE and DELETE; each line holds the hash of the one before."""

    __tablename__ = "audit"
    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    at: Mapped[str] = mapped_column(TIME)
    caller: Mapped[str] = mapped_column(NAME)
    action: Mapped[str] = mapped_column(NAME)
    case_id: Mapped[str | None] = mapped_column(ID)
    details: Mapped[str] = mapped_column(Text)
    before_hash: Mapped[str] = mapped_column(SHA256)
    hash: Mapped[str] = mapped_column(SHA256)
    __table_args__ = (Index("ix_audit_case_id", "case_id"), UniqueConstraint("hash"))


class AuditHead(Base):
    """The last line's number and hash (one row): orders writers, and shows a log cut off at its end."""

    __tablename__ = "audit_head"
    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    number: Mapped[int]
    hash: Mapped[str] = mapped_column(SHA256)
