"""The audit log: who saw, asked, exported, overrode, deleted, or was refused; append-only and chained.

A line holds names, ids, versions and counts, never text of a patient. Each line holds the hash of the one before, and
the head holds the last: a line changed, removed or cut off behind the database's back shows in ``verify``.
NOT checked: somebody who can write to the database file may make a whole new chain; keep the head hash elsewhere.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.store.database import Database
from app.store.tables import AuditHead, AuditLine, now
from encoders.errors import ContractError

FIRST = "0" * 64
"""The hash before the first line."""

MAX_DETAIL = 300
Detail = str | int | float | bool | None


@dataclass(frozen=True)
class AuditEntry:
    """One line of the log. details: versions, ids and counts."""

    number: int
    at: str
    caller: str
    action: str
    case_id: str | None
    details: Mapping[str, Detail]
    hash: str


@dataclass(frozen=True)
class Verified:
    """lines : how many were read; faults : one line of words for each break of the chain; head : the last hash."""

    lines: int
    faults: tuple[str, ...]
    head: str


class AuditLog:
    """The log in one database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def append(self, caller: str, action: str, *, case_id: str | None = None, **details: Detail) -> None:
        """Write one line; it is on disk when this returns.

        Raises
        ------
        ContractError: a detail is no plain value, holds a line break, or is over 300 characters (notes are kept out).
        """
        with self._database.writing() as session:
            self.append_in(session, caller, action, case_id=case_id, **details)

    def append_in(
        self, session: Session, caller: str, action: str, *, case_id: str | None = None, **details: Detail
    ) -> None:
        """Write one line with the rest of a transaction."""
        _check(details)
        head = session.scalars(select(AuditHead).with_for_update()).one_or_none()
        if head is None:
            head = AuditHead(id=1, number=0, hash=FIRST)
            session.add(head)
        line = AuditLine(
            number=head.number + 1, at=now(), caller=caller[:64], action=action[:64], case_id=case_id,
            details=json.dumps(details, sort_keys=True, ensure_ascii=False), before_hash=head.hash,
        )  # fmt: skip
        line.hash = _hash(line)
        session.add(line)
        head.number, head.hash = line.number, line.hash
        session.flush()

    def entries(
        self, *, case_id: str | None = None, caller: str | None = None, last: int | None = None
    ) -> tuple[AuditEntry, ...]:
        """Lines, oldest first; of one case or one caller; ``last`` keeps the newest so many."""
        wanted = select(AuditLine).order_by(AuditLine.number.desc())
        if case_id is not None:
            wanted = wanted.where(AuditLine.case_id == case_id)
        if caller is not None:
            wanted = wanted.where(AuditLine.caller == caller)
        with self._database.reading() as session:
            found = session.scalars(wanted.limit(last)).all()
        return tuple(_entry(line) for line in reversed(found))

    def verify(self) -> Verified:
        """Read the whole chain and the head."""
        faults: list[str] = []
        before, number = FIRST, 0
        with self._database.reading() as session:
            for line in _lines(session):
                number += 1
                if line.number != number:
                    faults.append(f"line {number} is missing; the next is {line.number}")
                    number = line.number
                if line.before_hash != before:
                    faults.append(f"line {line.number} does not follow the line before it")
                if line.hash != _hash(line):
                    faults.append(f"line {line.number} is not what was written")
                before = line.hash
            head = session.scalars(select(AuditHead)).one_or_none()
        kept = (head.number, head.hash) if head is not None else (0, FIRST)
        if kept != (number, before):
            faults.append(f"the head is at line {kept[0]}, the log ends at line {number}")
        return Verified(number, tuple(faults), kept[1])


def _lines(session: Session) -> Iterator[AuditLine]:
    yield from session.scalars(select(AuditLine).order_by(AuditLine.number).execution_options(yield_per=1000))


def _hash(line: AuditLine) -> str:
    content = [line.number, line.at, line.caller, line.action, line.case_id, line.details, line.before_hash]
    return hashlib.sha256(json.dumps(content, ensure_ascii=False).encode()).hexdigest()


def _check(details: Mapping[str, Any]) -> None:
    for name, value in details.items():
        if not isinstance(value, str | int | float | bool | None):
            raise ContractError(f"audit detail {name!r} is a {type(value).__name__}; allowed: text, number, bool.")
        if isinstance(value, str) and (len(value) > MAX_DETAIL or "\n" in value):
            raise ContractError(
                f"audit detail {name!r} has {len(value)} characters; allowed: one line of at most {MAX_DETAIL}, "
                "an id, a version or a name, never text of a patient."
            )


def _entry(line: AuditLine) -> AuditEntry:
    details = json.loads(line.details)
    return AuditEntry(line.number, line.at, line.caller, line.action, line.case_id, details, line.hash)
