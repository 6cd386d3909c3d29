"""The store on a real PostgreSQL server, where one is installed: the same schema, the same log, the same cases."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import text
from sqlalchemy.exc import DatabaseError

from app.audit import AuditLog
from app.case_files import CaseFiles
from app.store.database import Database
from app.store.people import People
from app.store.tables import Base
from app.store.work import Work


@pytest.fixture(scope="module")
def server_url() -> Iterator[str]:
    """A server of its own on a socket in a folder of its own; skips where PostgreSQL is not installed."""
    programs = [shutil.which(name) for name in ("initdb", "pg_ctl")]
    as_user = ["runuser", "-u", "postgres", "--"] if os.geteuid() == 0 else []
    if not all(programs) or (as_user and shutil.which("runuser") is None):
        pytest.skip("PostgreSQL is not installed here")
    folder = Path(tempfile.mkdtemp(prefix="radomica-pg-"))
    folder.chmod(0o777)

    def run(*command: str) -> None:
        subprocess.run([*as_user, *command], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    data, options = str(folder / "data"), f"-k {folder} -c listen_addresses= -c fsync=off"
    try:
        run(str(programs[0]), "-D", data, "-U", "postgres", "-A", "trust", "--no-sync")
        run(str(programs[1]), "-D", data, "-o", options, "-l", str(folder / "log"), "-w", "start")
        try:
            yield f"postgresql://postgres@/postgres?host={folder}"
        finally:
            run(str(programs[1]), "-D", data, "-m", "immediate", "stop")
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def database(server_url: str, tmp_path: Path) -> Iterator[Database]:
    opened = Database(tmp_path, server_url)
    yield opened
    with opened.engine.begin() as connection:
        connection.execute(text("DROP SCHEMA public CASCADE"))
        connection.execute(text("CREATE SCHEMA public"))
    opened.close()


def test_the_migrations_make_what_the_tables_say(database: Database) -> None:
    with database.engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), Base.metadata) == []


def test_the_log_is_append_only_and_one_chain_of_many_writers(database: Database, server_url: str, tmp_path) -> None:
    other = Database(tmp_path, server_url)
    AuditLog(database).append("anna", "first")
    threads = [
        threading.Thread(target=lambda d=d: [AuditLog(d).append("anna", "ask", turn=i) for i in range(10)])
        for d in (database, other)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    other.close()
    found = AuditLog(database).verify()
    assert (found.lines, found.faults) == (21, ())
    for statement in ("UPDATE audit SET caller = 'x'", "DELETE FROM audit", "TRUNCATE audit"):
        with pytest.raises(DatabaseError, match="append-only"), database.writing() as session:
            session.execute(text(statement))


def test_a_case_lives_and_goes(database: Database, made_zip, tmp_path: Path) -> None:
    files = CaseFiles(tmp_path, database)
    People(database).add("anna", "a long password", ["read"])
    case = files.add_zip(made_zip(p__n="a note"), title="A", owner="anna")
    job = {"id": "report-1", "case_id": case.case_id, "owner": "anna", "state": "submitted", "progress": "",
           "error": None, "created": "2026-01-01", "seed": 2**31 - 1, "llm": "embedded", "starts": 0}  # fmt: skip
    work = Work(database)
    work.add_job(job, idempotency_key="k")
    assert work.add_job({**job, "id": "report-2"}, idempotency_key="k")["id"] == "report-1"
    work.add_review("report-1", "therapy-1", {"decision": "accept", "reason": "", "text": None, "by": "anna"})
    assert files.kept.cases("anna") == (case,) and files.kept.identity_check(case.case_id)["files"]
    files.kept.begin_delete(case.case_id)
    files.remove(case.case_id)
    files.kept.end_delete(case.case_id)
    assert files.kept.cases() == () and work.jobs() == () and work.reviews("report-1") == ()
