"""The scoreboard keeps the newest figure of each row, hides no miss, and goes into a README between its marks."""

from __future__ import annotations

from pathlib import Path

import pytest

from encoders.errors import InputError
from eval.benchmark import BenchmarkResult, Better, Row
from eval.scoreboard import BEGIN, END, board, into_readme, keep_rows, run_all


def result(value: float | None, row: str = "a.one", name: str = "a") -> BenchmarkResult:
    return BenchmarkResult(name, (Row(row, value, 0.5, Better.HIGHER, 10, 1.0, (0.1, 0.9)),), 0)


def test_a_row_measured_again_takes_the_place_of_the_older_one(tmp_path: Path) -> None:
    keep_rows(tmp_path, result(0.4))
    keep_rows(tmp_path, result(0.7, "a.two"))
    assert board(tmp_path)[0] == 1
    keep_rows(tmp_path, result(0.6))
    missed, table = board(tmp_path)
    assert missed == 0 and "| a.one | 0.6 (0.1 to 0.9) | at least 0.5 |" in table and "a.two" in table


def test_a_miss_and_a_row_that_could_not_be_measured_stand_in_bold(tmp_path: Path) -> None:
    run = {"a": result(0.4), "b": result(None, "b.one", "b")}
    missed, table = run_all(("a", "b"), run.__getitem__, tmp_path)
    assert missed == 2 and "**0.4 (0.1 to 0.9)**" in table and "**not measured" in table
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
