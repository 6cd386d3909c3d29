"""The schema: the migrations make what the tables say, on SQLite and on Postgres; SQLite keeps what it acknowledges."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from app.store.database import HEAD, Database, alembic_config
from app.store.tables import Base, Login, now
from encoders.errors import SettingsError, UnavailableError


def test_the_migrations_make_what_the_tables_say(database: Database) -> None:
    with database.engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), Base.metadata) == []
        assert connection.execute(text("SELECT version_num FROM alembic_version")).scalar() == HEAD


def test_opening_again_changes_nothing_and_a_newer_schema_is_refused(tmp_path: Path) -> None:
    Database(tmp_path).close()
    again = Database(tmp_path)
    with again.writing() as session:
        session.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    again.close()
    with pytest.raises(UnavailableError, match="schema 9999"):
        Database(tmp_path)


def test_sqlite_keeps_what_it_acknowledges_and_forgets_what_is_deleted(database: Database) -> None:
    with database.engine.connect() as connection:
        found = {
            name: connection.exec_driver_sql(f"PRAGMA {name}").scalar()
            for name in ("journal_mode", "synchronous", "foreign_keys", "secure_delete")
        }
    assert found == {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1, "secure_delete": 1}


def test_a_row_of_nobody_is_refused(database: Database) -> None:
    with pytest.raises(IntegrityError), database.writing() as session:
        session.add(Login(cookie_hash="0" * 64, user_name="nobody", created=now(), expires=now()))


def test_a_failed_block_writes_nothing(database: Database) -> None:
    with pytest.raises(ZeroDivisionError), database.writing() as session:
        session.execute(text("INSERT INTO audit_head VALUES (1, 0, 'x')"))
        _ = 1 / 0
    with database.reading() as session:
        assert session.execute(text("SELECT count(*) FROM audit_head")).scalar() == 0


def test_the_same_schema_is_written_for_postgres() -> None:
    config = alembic_config()
    config.attributes["dialect_name"] = "postgresql"
    config.output_buffer = io.StringIO()
    command.upgrade(config, "head", sql=True)
    sql = config.output_buffer.getvalue()
    for table in Base.metadata.tables:
        assert f"CREATE TABLE {table} (" in sql
    assert "BEFORE UPDATE OR DELETE ON audit" in sql and "size_bytes BIGINT" in sql


@pytest.mark.parametrize("url", ["not a url", "mystery://host/name"])
def test_a_url_of_no_known_database_is_refused_without_showing_it(tmp_path: Path, url: str) -> None:
    with pytest.raises(SettingsError, match="RADOMICA_DATABASE_URL") as refused:
        Database(tmp_path, url)
    assert url not in str(refused.value)


def test_a_database_that_does_not_answer_is_said_without_its_password(tmp_path: Path) -> None:
    with pytest.raises(UnavailableError, match="does not answer") as refused:
        Database(tmp_path, "postgresql://radomica:s3cret@127.0.0.1:1/none")
    assert "s3cret" not in str(refused.value)


def test_a_damaged_database_is_said_and_left_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "radomica.db").write_bytes(b"no database " * 1000)
    with pytest.raises(UnavailableError, match="damaged"):
        Database(tmp_path)
    assert (tmp_path / "radomica.db").read_bytes().startswith(b"no database")
