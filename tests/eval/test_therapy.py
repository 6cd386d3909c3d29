"""The therapy benchmark's own arithmetic, and its rows on the real files."""

from __future__ import annotations

from pathlib import Path

import pytest

from eval import therapy
from eval.benchmark import SHARED_DATA
from eval.run import BENCHMARKS
from retrieval.corpus.builtin import load_therapy_rows
from retrieval.importers.statements import SourceStatement
from retrieval.therapy_links import Link

NEEDS_DATA = pytest.mark.skipif(not (SHARED_DATA / therapy.CIVIC).exists(), reason="CIViC is not beside the project")


def link(agrees: bool, row_id: str = "a") -> Link:
    return Link(row_id, SourceStatement(load_therapy_rows()[0]), agrees)


def test_a_row_agrees_where_most_statements_do_and_a_tie_is_none() -> None:
    links = {
        "most": (link(True), link(True), link(False)),
        "tie": (link(True), link(False)),
        "all": (link(True),),
        "none": (link(False),),
    }
    row = therapy.agreement_row("x", links, 0.0)
    assert (row.value, row.n, row.note) == (0.5, 4, "4 of 7 single statements agree")
    assert not row.ok


def test_without_the_files_agreement_is_not_measured_and_said_so(tmp_path: Path) -> None:
    rows = therapy.agreement_rows(tmp_path, None)
    assert [r.value for r in rows] == [None, None, None]
    assert all("not beside the project" in r.note and not r.ok for r in rows)


@NEEDS_DATA
def test_every_row_of_the_benchmark_reaches_its_bar() -> None:
    said: list[str] = []
    result = therapy.run_therapy(progress=said.append)
    assert {r.id: r.value for r in result.rows if not r.ok} == {}
    assert not any("NO REASON" in line for line in said)


@NEEDS_DATA
def test_every_reason_explains_a_disagreement_that_exists() -> None:
    civic = therapy.strong_links(therapy.read_civic(SHARED_DATA / therapy.CIVIC))
    assert set(therapy.reasons()) == {therapy.key(found) for found in therapy.disagreements(civic)}
    assert all(len(reason) > 30 for reason in therapy.reasons().values())


def test_the_command_line_knows_the_benchmark() -> None:
    assert BENCHMARKS["therapy"] is therapy.run_therapy
