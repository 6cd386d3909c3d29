"""The scoreboard keeps the newest figure of each row, hides no miss, and goes into a README between its marks."""

from __future__ import annotations

import datetime
from pathlib import Path

import pytest

from encoders.errors import InputError
from eval.benchmark import BenchmarkResult, Better, Row, machine
from eval.scoreboard import BEGIN, END, board, into_readme, keep_rows, run_all


def result(value: float | None, row: str = "a.one", name: str = "a") -> BenchmarkResult:
    return BenchmarkResult(name, (Row(row, value, 0.5, Better.HIGHER, 10, 1.0, (0.1, 0.9)),), 0)


def test_a_row_measured_again_takes_the_place_of_the_older_one(tmp_path: Path) -> None:
    keep_rows(tmp_path, result(0.4))
    keep_rows(tmp_path, result(0.7, "a.two"))
    assert board(tmp_path)[0] == 1
    keep_rows(tmp_path, result(0.6))
    missed, table = board(tmp_path)
    assert missed == 0 and "| `a` | one | 0.6 (0.1 to 0.9) | >= 0.5 |" in table and "| two |" in table


def test_a_miss_and_a_row_that_could_not_be_measured_stand_in_bold(tmp_path: Path) -> None:
    run = {"a": result(0.4), "b": result(None, "b.one", "b")}
    missed, table = run_all(("a", "b"), run.__getitem__, tmp_path)
    assert missed == 2 and "**0.4 (0.1 to 0.9), missed**" in table and "**not measured" in table
    assert "2 of 2 rows miss" in table


def test_the_table_goes_between_the_marks_and_nothing_else_changes(tmp_path: Path) -> None:
    keep_rows(tmp_path / "rows", result(0.6))
    table = board(tmp_path / "rows")[1]
    readme = tmp_path / "README.md"
    readme.write_text(f"head\n{BEGIN}\nold\n{END}\ntail\n")
    into_readme(readme, table)
    assert readme.read_text() == f"head\n{BEGIN}\n{table}{END}\ntail\n"
    readme.write_text("no marks")
    with pytest.raises(InputError, match="lacks the marks"):
        into_readme(readme, table)
    assert readme.read_text() == "no marks"


def test_no_row_and_a_broken_file_are_said(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no measured row"):
        board(tmp_path)
    (tmp_path / "a.json").write_text("{")
    with pytest.raises(InputError, match="not JSON"):
        board(tmp_path)


def test_a_row_without_a_bar_is_counted_and_not_shown_and_every_row_says_when_and_where(tmp_path: Path) -> None:
    bare = Row("a.beside", 0.1, 0.0, Better.HIGHER, 10, 1.0, note="this block alone; no bar")
    barred = Row("a.barred", 0.1, 0.5, Better.HIGHER, 10, 1.0, note="a crowbar is no barrier")
    keep_rows(tmp_path, BenchmarkResult("a", (bare, barred), 0))
    missed, table = board(tmp_path)
    assert missed == 1 and "beside" not in table and "| barred |" in table
    assert "1 rows measured without a bar are not shown" in table
    assert f"a: {machine()}." in table and f"{datetime.datetime.now(datetime.UTC).date()}, " in table


def test_the_readme_has_the_marks_once() -> None:
    readme = (Path(__file__).resolve().parents[2] / "README.md").read_text(encoding="utf-8")
    assert readme.count(BEGIN) == readme.count(END) == 1 and readme.index(BEGIN) < readme.index(END)
