"""The README's commands exist, and its tree and picture are there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from app.cli import run_command

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
CONSOLE = "\n".join(re.findall(r"```console\n(.*?)```", README, re.S))
COMMANDS = sorted(set(re.findall(r"radomica ((?:[a-z]+ ?)+)", CONSOLE)))


@pytest.mark.parametrize("command", COMMANDS)
def test_each_command_of_the_readme_is_one_of_ours(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    words = [w for w in command.split() if w not in {"mirage"}]
    assert run_command([*words, "--help"]) == 0
    assert "Usage: radomica " + " ".join(words) in " ".join(capsys.readouterr().out.split())


def test_the_pictures_and_the_make_targets_are_there() -> None:
    pictures = re.findall(r"!\[[^]]*\]\(([^)]+)\)", README)
    assert len(pictures) == 3 and all((ROOT / p).is_file() for p in pictures)
    targets = (ROOT / "Makefile").read_text(encoding="utf-8")
    assert "\ndemo:" in targets and "\ntest:" in targets
