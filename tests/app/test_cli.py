"""The command line: exit codes and one error line for whatever goes wrong; help without heavy imports."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from app import cli, doctor
from app.doctor import Check
from encoders.errors import LLMUnreachableError, UnavailableError


@pytest.fixture(autouse=True)
def _clean(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("RADOMICA_LLM", "RADOMICA_OFFLINE", "RADOMICA_DEBUG"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("RADOMICA_HOME", str(tmp_path / "home"))


def error_lines(capsys: pytest.CaptureFixture[str]) -> list[str]:
    return [line for line in capsys.readouterr().err.splitlines() if line.startswith("radomica: ")]


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (["report", "no-such-folder", "--out", "x"], "no-such-folder is not there"),
        (["report", "."], "--out"),
        (["no-such-command"], "No such command"),
        (["demo", "--seed", "many"], "--seed"),
        (["llm", "info", "--llm", "magic"], "'magic'; allowed: embedded"),
        (["report", ".", "--out", "x", "--llm", " "], "spec is empty"),
        (["eval", "run", "mirage"], "needs --data"),
        (["eval", "run", "no-such"], "no benchmark 'no-such'"),
        (["cohort", "synth", "--n", "0", "--out", "x"], "--n"),
    ],
)
def test_bad_input_is_one_line_and_code_2(args: list[str], words: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run_command(args) == 2
    lines = error_lines(capsys)
    assert len(lines) == 1 and words in lines[0]


def test_an_empty_folder_is_bad_input(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys) -> None:
    monkeypatch.setattr("app.make_report.open_llm", lambda settings: object())
    (tmp_path / "empty").mkdir()
    assert cli.run_command(["report", str(tmp_path / "empty"), "--out", str(tmp_path / "out")]) == 2
    assert "nothing readable" in error_lines(capsys)[0]
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    "command", [["report", "{case}", "--out", "x"], ["chat", "{case}"], ["ask", "{case}", "Why?"], ["serve"]]
)
def test_an_nli_model_that_cannot_be_loaded_ends_the_command_before_the_case_is_read(
    command: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys
) -> None:
    monkeypatch.setattr("app.make_report.open_llm", lambda settings: object())
    monkeypatch.setattr("uvicorn.run", lambda *args, **options: pytest.fail("served all the same"))
    args = [a.format(case=tmp_path) for a in command]
    assert cli.run_command([*args, "--nli", str(tmp_path / "none")]) == 3
    (line,) = error_lines(capsys)
    assert "cannot be loaded" in line and "leave --nli out" in line


@pytest.mark.parametrize(
    ("error", "code"), [(UnavailableError("no weights"), 3), (LLMUnreachableError("no answer"), 2)]
)
def test_an_error_brings_its_own_code(error: Exception, code: int, monkeypatch: pytest.MonkeyPatch, capsys) -> None:
    def fail(settings: object) -> None:
        raise error

    monkeypatch.setattr("app.make_report.open_llm", fail)
    assert cli.run_command(["llm", "info"]) == code
    assert error_lines(capsys) == [f"radomica: {error}"]


def test_a_bug_is_said_to_be_one_without_a_traceback(monkeypatch: pytest.MonkeyPatch, capsys) -> None:
    monkeypatch.setattr("app.make_report.open_llm", lambda settings: 1 / 0)
    assert cli.run_command(["llm", "info"]) == 1
    said = capsys.readouterr().err
    assert "bug in Radomica (ZeroDivisionError)" in said and "Traceback" not in said


def test_debug_shows_the_traceback(monkeypatch: pytest.MonkeyPatch, capsys) -> None:
    monkeypatch.setenv("RADOMICA_DEBUG", "1")
    monkeypatch.setattr("app.make_report.open_llm", lambda settings: 1 / 0)
    assert cli.run_command(["llm", "info"]) == 1
    assert "Traceback" in capsys.readouterr().err


def test_interrupted_is_130(monkeypatch: pytest.MonkeyPatch) -> None:
    def stop(settings: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("app.make_report.open_llm", stop)
    assert cli.run_command(["llm", "info"]) == 130


def test_demo_never_removes_files_it_did_not_write(tmp_path: Path, capsys) -> None:
    (tmp_path / "case").mkdir()
    (tmp_path / "case" / "mine.txt").write_text("mine", encoding="utf-8")
    assert cli.run_command(["demo", "--out", str(tmp_path)]) == 2
    assert (tmp_path / "case" / "mine.txt").read_text(encoding="utf-8") == "mine"
    assert "no demo wrote" in error_lines(capsys)[0]


def test_doctor_exits_3_when_something_needed_is_missing(monkeypatch: pytest.MonkeyPatch, capsys) -> None:
    checks = (Check("Python", True, "3.11"), Check("weights", False, "none", "train them"))
    monkeypatch.setattr(doctor, "run_checks", lambda settings: checks)
    assert cli.run_command(["doctor", "--json"]) == 3
    found = json.loads(capsys.readouterr().out)
    assert found["ok"] is False and found["checks"][1]["fix"] == "train them"


def test_doctor_forgives_what_is_optional(monkeypatch: pytest.MonkeyPatch, capsys) -> None:
    monkeypatch.setattr(doctor, "run_checks", lambda settings: (Check("GPU", False, "none", needed=False),))
    assert cli.run_command(["doctor"]) == 0
    assert "none" in capsys.readouterr().out


def test_help_needs_no_heavy_import() -> None:
    code = (
        "import sys; from app.cli import run_command\n"
        "assert run_command(['--help']) == 0\n"
        "heavy = {'torch', 'transformers', 'gradio', 'monai', 'pandas'} & set(sys.modules)\n"
        "assert not heavy, heavy"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "demo" in done.stdout
