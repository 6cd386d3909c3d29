"""Cases, their files and who may open them, in the database.

Not known here: the files' bytes (blobs.py, app/case_files.py).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import delete, select, update
from sqlalchemy.orm import Session

from app.store.database import Database
from app.store.tables import (
    Case,
    CaseAccess,
    Feedback,
    Idempotency,
    Job,
    Review,
    StoredFile,
    User,
    now,
)
from encoders.errors import InputError


@dataclass(frozen=True)
class StoredCase:
    """One case as listed: ``origin`` is "demo" or "upload"; ``owner`` a user's name or "local"."""

    case_id: str
    title: str
    created: str
    origin: str
    synthetic: bool = False
    owner: str = "local"


@dataclass(frozen=True)
class FileLine:
    """A file of a case: its name inside the patient folder."""

    name: str
    sha256: str
    size_bytes: int
    media_kind: str


class Cases:
    """The cases of one database. A case being deleted is in no list."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(
        self, case: StoredCase, files: Iterable[FileLine], *, identity_check: Mapping[str, Any] | None = None,
        jobs: Iterable[Mapping[str, Any]] = (),
    ) -> None:  # fmt: skip
        """Keep a case with its files (and jobs of an earlier store): all of it, on disk when this returns."""
        with self._database.writing() as session:
            session.add(
                Case(
                    case_id=case.case_id, owner=case.owner, title=case.title, origin=case.origin,
                    synthetic=case.synthetic, created=case.created, patient_id=None, deleted=None,
                    identity_check=dict(identity_check) if identity_check else None,
                )
            )  # fmt: skip
            session.flush()
            session.add_all(StoredFile(case_id=case.case_id, **vars(f)) for f in files)
            session.add_all(Job(**j) for j in jobs)

    def add_files(self, case_id: str, files: Iterable[FileLine]) -> None:
        """Give a case its files; on disk when this returns."""
        with self._database.writing() as session:
            session.add_all(StoredFile(case_id=case_id, **vars(f)) for f in files)

    def case(self, case_id: str) -> StoredCase | None:
        """One case, or None."""
        with self._database.reading() as session:
            found = session.get(Case, case_id)
        return None if found is None or found.deleted is not None else _stored(found)

    def cases(self, user: str | None = None) -> tuple[StoredCase, ...]:
        """Every case, newest last; with ``user`` those the user owns or was let into, and the demo."""
        wanted = select(Case).where(Case.deleted.is_(None)).order_by(Case.created, Case.case_id)
        if user is not None:
            granted = select(CaseAccess.case_id).where(CaseAccess.user_name == user)
            wanted = wanted.where(
                (Case.owner == user) | Case.case_id.in_(granted) | (Case.synthetic & (Case.origin == "demo"))
            )
        with self._database.reading() as session:
            return tuple(_stored(c) for c in session.scalars(wanted))

    def may_use(self, user: str, case_id: str, *, write: bool) -> bool:
        """Whether a user owns the case or was let into it; the synthetic demo case is everybody's to read."""
        with self._database.reading() as session:
            case = session.get(Case, case_id)
            if case is None or case.deleted is not None:
                return False
            if case.owner == user or session.get(CaseAccess, (case_id, user)) is not None:
                return True
        return not write and case.synthetic and case.origin == "demo"

    def grant(self, case_ids: Sequence[str], user: str) -> None:
        """Let a user into cases of others.

        Raises
        ------
        InputError: no such user or case.
        """
        with self._database.writing() as session:
            known = session.get(User, user)
            if known is None or known.removed is not None:
                raise InputError(f"no user {user[:80]!r}; radomica user list shows who there is.")
            for case_id in case_ids:
                case = session.get(Case, case_id)
                if case is None or case.deleted is not None:
                    raise InputError(f"no case {case_id[:80]!r}; the page and GET /v1/cases list the ids.")
                if session.get(CaseAccess, (case_id, user)) is None:
                    session.add(CaseAccess(case_id=case_id, user_name=user, granted=now()))

    def withdraw(self, case_ids: Sequence[str], user: str) -> None:
        """Take back what ``grant`` gave; what was not given is fine."""
        with self._database.writing() as session:
            session.execute(delete(CaseAccess).where(CaseAccess.case_id.in_(case_ids), CaseAccess.user_name == user))

    def files(self, case_id: str) -> tuple[FileLine, ...]:
        """The files of a case, by name."""
        wanted = select(StoredFile).where(StoredFile.case_id == case_id).order_by(StoredFile.name)
        with self._database.reading() as session:
            return tuple(FileLine(f.name, f.sha256, f.size_bytes, f.media_kind) for f in session.scalars(wanted))

    def identity_check(self, case_id: str) -> dict[str, Any] | None:
        """What the check of names and dates found when the case was imported; counts, never values."""
        with self._database.reading() as session:
            case = session.get(Case, case_id)
        return None if case is None else case.identity_check

    def set_patient_id(self, case_id: str, patient_id: str) -> None:
        """Note whose files these are, as read from them."""
        with self._database.writing() as session:
            session.execute(update(Case).where(Case.case_id == case_id).values(patient_id=patient_id))

    def patient_id(self, case_id: str) -> str | None:
        """The patient id noted; None where the files were never read."""
        with self._database.reading() as session:
            case = session.get(Case, case_id)
        return None if case is None else case.patient_id

    def others_of_patient(self, case_id: str, patient_id: str) -> int:
        """How many other cases are of this patient."""
        wanted = select(Case.case_id).where(
            Case.patient_id == patient_id, Case.case_id != case_id, Case.deleted.is_(None)
        )
        with self._database.reading() as session:
            return len(session.scalars(wanted).all())

    def held_by_another(self, case_id: str, patient_id: str) -> bool:
        """Whether a case of another owner is of this patient: what was added for the patient is not this owner's."""
        mine = select(Case.owner).where(Case.case_id == case_id).scalar_subquery()
        wanted = select(Case.case_id).where(
            Case.patient_id == patient_id, Case.case_id != case_id, Case.deleted.is_(None), Case.owner != mine
        )
        with self._database.reading() as session:
            return session.scalars(wanted.limit(1)).first() is not None

    def begin_delete(self, case_id: str) -> None:
        """Take a case out of every list; what is left of it is removed by ``end_delete``, after a kill too."""
        with self._database.writing() as session:
            session.execute(update(Case).where(Case.case_id == case_id, Case.deleted.is_(None)).values(deleted=now()))

    def being_deleted(self) -> tuple[str, ...]:
        """Cases whose deletion has begun and not ended."""
        with self._database.reading() as session:
            return tuple(session.scalars(select(Case.case_id).where(Case.deleted.is_not(None))))

    def end_delete(self, case_id: str) -> None:
        """Remove every row of a case; the audit log stays."""
        with self._database.writing() as session:
            jobs = select(Job.id).where(Job.case_id == case_id)
            session.execute(delete(Review).where(Review.job_id.in_(jobs)))
            for table in (Feedback, Idempotency, CaseAccess, StoredFile, Job, Case):
                session.execute(delete(table).where(table.case_id == case_id))

    def used_elsewhere(self, hashes: Iterable[str], *, but: str | None = None) -> set[str]:
        """Which of these blobs a case other than ``but`` holds."""
        asked, found = list(hashes), set()
        with self._database.reading() as session:
            for start in range(0, len(asked), 500):
                found |= _used(session, asked[start : start + 500], but)
        return found


def _used(session: Session, hashes: Sequence[str], but: str | None) -> set[str]:
    wanted = select(StoredFile.sha256).where(StoredFile.sha256.in_(hashes))
    if but is not None:
        wanted = wanted.where(StoredFile.case_id != but)
    return set(session.scalars(wanted))


def _stored(case: Case) -> StoredCase:
    return StoredCase(case.case_id, case.title, case.created, case.origin, case.synthetic, case.owner)
