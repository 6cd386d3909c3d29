"""One database: SQLite in the home by default, another by its URL; brought to today's schema when it is opened.

SQLite runs in WAL mode with foreign keys, full synchronisation (what is acknowledged survives a loss of power) and
secure deletion (freed pages are zeroed, so that a deleted case leaves no text behind).
Not known here: tables (tables.py); who may read what.
"""

from __future__ import annotations

import secrets
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, create_engine, event, inspect, make_url, text
from sqlalchemy.engine import Connection
from sqlalchemy.exc import ArgumentError, DatabaseError, NoSuchModuleError
from sqlalchemy.orm import Session

from app.store.tables import StoreMark
from encoders.errors import SettingsError, UnavailableError

DATABASE_FILE = "radomica.db"
HEAD = "0001"
"""The newest migration; a database that is there already needs no Alembic to be opened."""

BUSY_MS = 30_000
MIGRATIONS = Path(__file__).parent / "migrations"


class Database:
    """Sessions on one database. Safe to use from several threads and processes."""

    def __init__(self, home: Path, url: str | None = None) -> None:
        """Open the database, making or migrating it first.

        Raises
        ------
        SettingsError: the URL is not one, or names a database this installation has no driver for.
        UnavailableError: the database does not answer or is damaged; a newer Radomica made it; no home can be made.
        """
        try:
            home.mkdir(parents=True, exist_ok=True, mode=0o700)
        except OSError as error:
            raise UnavailableError(f"the data home cannot be made ({error.strerror}); set RADOMICA_HOME.") from error
        self.engine = _engine(url or f"sqlite:///{home / DATABASE_FILE}")
        self._write_engine = self.engine.execution_options(radomica_writes=True)
        self._writer = threading.RLock()
        try:
            self._migrate()
        except DatabaseError as error:
            cure = (
                "make room, or move the file away and start anew"
                if self.is_sqlite
                else "start it, or unset RADOMICA_DATABASE_URL to use SQLite in the home"
            )
            raise UnavailableError(
                f"the database {self.name} does not answer or is damaged ({type(error.orig).__name__}); {cure}."
            ) from error
        if url is None:
            (home / DATABASE_FILE).chmod(0o600)

    @property
    def name(self) -> str:
        """The URL without its password."""
        return self.engine.url.render_as_string(hide_password=True)

    @property
    def is_sqlite(self) -> bool:
        """Whether this is SQLite."""
        return self.engine.dialect.name == "sqlite"

    @contextmanager
    def reading(self) -> Iterator[Session]:
        """A session for reading; nothing is committed."""
        with Session(self.engine, expire_on_commit=False) as session:
            yield session

    @contextmanager
    def writing(self) -> Iterator[Session]:
        """A session committed at the end of the block; what was written then survives a kill. One writer at a time."""
        with self._writer, Session(self._write_engine, expire_on_commit=False) as session, session.begin():
            yield session

    def forget_deleted(self) -> bool:
        """Clear what SQLite's write-ahead log still holds of deleted rows; False where a reader was in the way."""
        if not self.is_sqlite:
            return True
        with self._writer, self.engine.connect() as connection:
            raw = connection.connection.driver_connection
            busy = raw.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0] if raw is not None else 1
        return not busy

    def mark(self) -> str | None:
        """What tells this database from any other; None where ``make_mark`` was never called."""
        with self.reading() as session:
            found = session.get(StoreMark, 1)
        return None if found is None else found.mark

    def make_mark(self) -> str:
        """The mark, made now where there is none."""
        with self.writing() as session:
            found = session.get(StoreMark, 1)
            if found is None:
                found = StoreMark(id=1, mark=secrets.token_hex(16))
                session.add(found)
            return found.mark

    def close(self) -> None:
        """Give back every connection."""
        self.engine.dispose()

    def _migrate(self) -> None:
        with self._writer, self._write_engine.begin() as connection:
            version = _version(connection)
            if version == HEAD:
                return
            if version is not None and version > HEAD:
                raise UnavailableError(
                    f"the database {self.name} is of schema {version}, this Radomica knows up to {HEAD}; "
                    "install the newer Radomica that made it."
                )
            migrate(connection)


def migrate(connection: Connection, *, revision: str = "head") -> None:
    """Bring the database of a connection to a revision, inside the connection's transaction."""
    from alembic import command  # noqa: PLC0415  only where there is something to migrate

    command.upgrade(alembic_config(connection), revision)


def alembic_config(connection: Connection | None = None) -> Any:
    """Alembic's settings without an ini file; ``env.py`` takes the connection from its attributes."""
    from alembic.config import Config  # noqa: PLC0415

    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    config.attributes["connection"] = connection
    return config


def _version(connection: Connection) -> str | None:
    if not inspect(connection).has_table("alembic_version"):
        return None
    return connection.execute(text("SELECT version_num FROM alembic_version")).scalar()


def _engine(url: str) -> Engine:
    if url.startswith("postgresql://"):
        url = url.replace("postgresql://", "postgresql+psycopg://", 1)
    try:
        engine = create_engine(make_url(url), pool_size=10, max_overflow=40)
    except (ArgumentError, NoSuchModuleError) as error:
        raise SettingsError(
            "RADOMICA_DATABASE_URL is no URL of a known database; write postgresql://user@host/name, "
            "or unset it to use SQLite in the home."
        ) from error
    except ModuleNotFoundError as error:
        raise UnavailableError(
            f"the driver {error.name} is not installed; pip install 'radomica[postgres]'."
        ) from error
    if engine.dialect.name == "sqlite":
        event.listen(engine, "connect", _on_sqlite_connect)
        event.listen(engine, "begin", _on_sqlite_begin)
    return engine


def _on_sqlite_connect(connection: Any, _: Any) -> None:
    connection.isolation_level = None  # the driver's own BEGIN comes too late to order writers
    cursor = connection.cursor()
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", "secure_delete=ON"):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.execute(f"PRAGMA busy_timeout={BUSY_MS}")
    cursor.close()


def _on_sqlite_begin(connection: Connection) -> None:
    writes = connection.get_execution_options().get("radomica_writes", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")
