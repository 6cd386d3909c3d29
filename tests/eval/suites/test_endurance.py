"""The benchmark of the harness, small: kills inside a run, figures the same; a count of keys a wrong run fails."""

from __future__ import annotations

from pathlib import Path

from eval.suites.benchmark import _not_run, _Ran, mirage_rows, published_rows
from eval.suites.endurance import made_suite, resume_rows


def test_a_run_killed_at_random_points_ends_as_one_that_was_not() -> None:
    rows = {r.id: r for r in resume_rows(0, Path(), None, kills=2, items=150)}
    assert rows["resume.kills_inside_the_run"].value == 2
    assert rows["resume.items_twice_or_missing"].value == 0 and rows["resume.figures_that_differ"].value == 0


def test_items_missing_or_twice_are_counted_against_the_files_own_keys() -> None:
    keys = {"x": {"A": 2, "B": 1}, "y": {"A": 1}}
    assert _not_run(_Ran(0, {"x": (3, 1.0), "y": (1, 1.0)}, ""), keys) == 0
    assert _not_run(_Ran(1, {"x": (2, 1.0)}, ""), keys) == 3  # one twice, one of x and all of y missing


def test_without_the_developers_files_the_rows_say_so_and_do_not_pass(tmp_path: Path) -> None:
    rows = [*mirage_rows(0, tmp_path, None), *published_rows(0, tmp_path, None)]
    assert all(r.value is None and not r.ok and "not beside this checkout" in r.note for r in rows)


def test_made_questions_are_distinct() -> None:
    assert len({i.key for i in made_suite(500).items}) == 500
