"""The audit log: append-only by the database itself, chained, and silent about patients."""

from __future__ import annotations

import threading

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DatabaseError

from app.audit import AuditLog
from app.store.database import Database
from encoders.errors import ContractError


@pytest.fixture
def log(database: Database) -> AuditLog:
    made = AuditLog(database)
    made.append("anna", "open", case_id="case-a", llm="embedded")
    made.append("ben", "ask", case_id="case-b", prompt="v3")
    made.append("anna", "export", case_id="case-a", format="pdf")
    return made


def test_lines_come_back_in_order_with_what_they_were_done_with(log: AuditLog) -> None:
    assert [(e.number, e.caller, e.action) for e in log.entries()] == [
        (1, "anna", "open"), (2, "ben", "ask"), (3, "anna", "export"),
    ]  # fmt: skip
    assert [e.details for e in log.entries(case_id="case-a")] == [{"llm": "embedded"}, {"format": "pdf"}]
    assert [e.action for e in log.entries(caller="anna", last=1)] == ["export"]


def test_a_whole_log_verifies_and_an_empty_one_too(log: AuditLog, tmp_path) -> None:
    found = log.verify()
    assert (found.lines, found.faults) == (3, ()) and found.head == log.entries()[-1].hash
    assert AuditLog(Database(tmp_path / "other")).verify().lines == 0


@pytest.mark.parametrize("statement", ["UPDATE audit SET caller = 'x'", "DELETE FROM audit WHERE number = 3"])
def test_the_database_refuses_to_change_a_line(log: AuditLog, database: Database, statement: str) -> None:
    with pytest.raises(DatabaseError, match="append-only"), database.writing() as session:
        session.execute(text(statement))
    assert log.verify().faults == ()


@pytest.mark.parametrize(
    ("statement", "fault"),
    [
        ("UPDATE audit SET caller = 'somebody' WHERE number = 2", "line 2 is not what was written"),
        ("UPDATE audit SET at = '2020' WHERE number = 1", "line 1 is not what was written"),
        ("DELETE FROM audit WHERE number = 2", "line 2 is missing"),
        ("DELETE FROM audit WHERE number = 3", "the head is at line 3, the log ends at line 2"),
        ("DELETE FROM audit", "the log ends at line 0"),
        ("UPDATE audit_head SET hash = 'x'", "the head is at line 3"),
    ],
)
def test_what_is_done_behind_the_triggers_shows(log: AuditLog, database: Database, statement: str, fault: str) -> None:
    with database.writing() as session:
        session.execute(text("DROP TRIGGER audit_no_update"))
        session.execute(text("DROP TRIGGER audit_no_delete"))
        session.execute(text(statement))
    assert any(fault in said for said in log.verify().faults)


@pytest.mark.parametrize("detail", ["a note\nof two lines", "x" * 301, ["a list"], {"a": "dict"}])
def test_a_detail_that_could_be_a_note_is_refused(log: AuditLog, detail: object) -> None:
    with pytest.raises(ContractError, match="audit detail 'found'"):
        log.append("anna", "ask", found=detail)
    assert log.verify().lines == 3


def test_many_writers_make_one_chain(log: AuditLog) -> None:
    threads = [
        threading.Thread(target=lambda n=n: [log.append(f"user{n}", "ask", turn=i) for i in range(5)]) for n in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    found = log.verify()
    assert (found.lines, found.faults) == (23, ())
