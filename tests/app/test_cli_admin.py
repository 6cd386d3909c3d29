"""`radomica user|key|audit|deidentify` and the refusal to serve others while nobody can log in."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from pathlib import Path

import pytest
from argon2 import PasswordHasher

from app.cli import run_command
from app.store.cases import Cases, StoredCase
from app.store.database import Database
from app.store.people import People
from app.store.tables import now

PASSWORD = "a long password"


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("RADOMICA_HOME", str(tmp_path / "home"))
    monkeypatch.setattr("app.store.people._hasher", PasswordHasher(time_cost=1, memory_cost=64, parallelism=1))
    return tmp_path / "home"


@pytest.fixture
def run(home: Path, monkeypatch: pytest.MonkeyPatch, capsys) -> Callable[..., tuple[int, str, str]]:
    """(exit code, stdout, stderr) of one command; the password is on standard input."""

    def command(*args: str, typed: str = PASSWORD) -> tuple[int, str, str]:
        monkeypatch.setattr("sys.stdin", io.StringIO(typed + "\n"))
        code = run_command(list(args))
        said = capsys.readouterr()
        return code, said.out, said.err

    return command


def test_users_keys_and_grants_from_the_first_to_the_last(home: Path, run) -> None:
    Cases(Database(home)).add(StoredCase("case-old", "x", now(), "upload"), ())
    code, _, said = run("user", "add", "anna", "--password-stdin")
    assert code == 0 and "asks for a login" in said and "--all-local" in said
    assert run("user", "add", "anna", "--password-stdin")[0] == 2
    assert run("user", "add", "ben", "--password-stdin", "--scopes", "read,ask")[0] == 0
    assert run("user", "grant", "anna", "--all-local")[0] == 0
    assert [c.case_id for c in Cases(Database(home)).cases("anna")] == ["case-old"]
    assert run("user", "grant", "anna", "--all-local", "--withdraw")[0] == 0
    assert Cases(Database(home)).cases("anna") == ()
    users = json.loads(run("user", "list", "--json")[1])["users"]
    assert users[1] == {"user": "ben", "scopes": ["ask", "read"]}

    made = json.loads(run("key", "create", "ben", "--label", "EHR", "--scopes", "read", "--days", "1", "--json")[1])
    assert People(Database(home)).by_key(made["key"]).scopes == {"read"}
    assert made["key"] not in run("key", "list")[1]
    assert run("key", "revoke", made["key_id"])[0] == 0
    assert People(Database(home)).by_key(made["key"]) is None
    assert run("user", "passwd", "ben", "--password-stdin", typed="another password")[0] == 0
    assert People(Database(home)).log_in("ben", "another password")
    assert run("user", "remove", "ben")[0] == 0

    actions = [e["action"] for e in json.loads(run("audit", "show", "--json")[1])["lines"]]
    assert actions == ["user add", "user add", "user grant", "user withdraw", "key create", "key revoke",
                       "user passwd", "user remove"]  # fmt: skip
    assert run("audit", "verify")[0] == 0


def test_a_log_that_was_changed_fails_its_check(home: Path, run) -> None:
    run("user", "add", "anna", "--password-stdin")
    with Database(home).writing() as session:
        session.connection().exec_driver_sql("DROP TRIGGER audit_no_update")
        session.connection().exec_driver_sql("UPDATE audit SET caller = 'nobody'")
    code, _, said = run("audit", "verify")
    assert code == 1 and "line 1 is not what was written" in said


@pytest.mark.parametrize(
    ("args", "rule"),
    [
        (("user", "add", "anna", "--password-stdin", "--scopes", "read,fly"), "fly are not known"),
        (("user", "remove", "nobody"), "no user 'nobody'"),
        (("user", "grant", "nobody"), "name the cases"),
        (("key", "revoke", "none"), "no key 'none'"),
        (("serve", "--host", "0.0.0.0"), "radomica user add NAME"),
        (("deidentify", "no-such-folder", "--check"), "is no folder"),
    ],
)
def test_what_cannot_be_is_said_with_what_can(run, args: tuple[str, ...], rule: str) -> None:
    code, _, said = run(*args)
    assert code == 2 and rule in said


def test_deidentify_copies_and_checks(run, tmp_path: Path) -> None:
    folder = tmp_path / "p"
    folder.mkdir()
    (folder / "n.txt").write_text("Patient name: Jo Quillfeather\nhas a cough.\n", encoding="utf-8")
    code, found, said = run("deidentify", str(folder), "--check")
    assert code == 0 and "Quillfeather" not in found + said and "1 names" in said
    code, found, said = run("deidentify", str(folder), "--out", str(tmp_path / "out"))
    assert code == 0 and "1 files" in found and "not done: text burned into" in said
    assert "Quillfeather" not in (tmp_path / "out" / "n.txt").read_text(encoding="utf-8")
    assert run("deidentify", str(folder))[0] == 2
