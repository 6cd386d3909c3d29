"""Data flows one way: encoders <- retrieval <- assistant <- app; eval measures the first three; nobody imports app."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
FOLDERS = ("assistant", "encoders", "retrieval", "eval", "app")
MAY_IMPORT = {
    "encoders": {"encoders"},
    "retrieval": {"retrieval", "encoders"},
    "assistant": {"assistant", "retrieval", "encoders"},
    "eval": {"eval", "assistant", "retrieval", "encoders"},
    "app": {"app", "assistant", "retrieval", "encoders"},
}
STARTS_EVAL = Path("app/cli.py")
BROAD_EXCEPT_ALLOWED = {Path("app/cli.py"), Path("app/api.py")}
FILES = sorted(p.relative_to(ROOT) for folder in FOLDERS for p in (ROOT / folder).rglob("*.py"))


def imported(path: Path) -> set[str]:
    """Top-level names of every absolute import in a file, those inside functions too."""
    names: set[str] = set()
    for node in ast.walk(ast.parse((ROOT / path).read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import; write the whole path"
            names.add((node.module or "").split(".")[0])
    return names


@pytest.mark.parametrize("path", FILES, ids=str)
def test_imports_go_one_way(path: Path) -> None:
    own = path.parts[0]
    forbidden = (imported(path) & set(FOLDERS)) - MAY_IMPORT[own]
    if path == STARTS_EVAL or (path.parts[:1] == ("app",) and path.name.startswith("cli")):
        forbidden -= {"eval"}
    assert not forbidden, f"{path} imports {sorted(forbidden)}; {own} may import {sorted(MAY_IMPORT[own])}"


def bare_eval_imports(source: str) -> list[int]:
    """Lines with ``import eval``, which would hide the builtin."""
    return [
        node.lineno
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Import) and any(alias.name == "eval" and not alias.asname for alias in node.names)
    ]


@pytest.mark.parametrize("path", FILES, ids=str)
def test_no_file_hides_the_builtin_eval(path: Path) -> None:
    assert not bare_eval_imports((ROOT / path).read_text(encoding="utf-8"))


@pytest.mark.parametrize("path", [p for p in FILES if p not in BROAD_EXCEPT_ALLOWED], ids=str)
def test_no_broad_except_below_the_command_line_and_the_server(path: Path) -> None:
    for node in ast.walk(ast.parse((ROOT / path).read_text(encoding="utf-8"))):
        if isinstance(node, ast.ExceptHandler):
            caught = ast.unparse(node.type) if node.type else "everything"
            assert caught not in {"everything", "Exception", "BaseException"}, f"{path}:{node.lineno} catches {caught}"


def test_the_top_level_folders_are_the_ones_the_readme_names() -> None:
    folders = {p.parent.name for p in ROOT.glob("*/__init__.py")}
    assert folders == set(FOLDERS)
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    for folder in (*FOLDERS, "tests"):
        assert f"{folder}/" in readme
