"""ALCE's citation figures and fact figures on hand-counted cases."""

from __future__ import annotations

import pytest

from encoders.errors import InputError
from eval.suites.citations import CitationCounts, count_citations
from eval.suites.facts import Fact, Found, Severity, compare_facts

HELD = {"both": {("a", "b")}, "either": {("a",), ("b",), ("a", "b"), ("a", "b", "c")}, "first": {("a",), ("a", "c")}}


def entails(ids: list[str], text: str) -> bool:
    return tuple(sorted(ids)) in HELD.get(text, set())


def test_a_statement_that_needs_both_passages_recalls_with_two_precise_citations() -> None:
    found = count_citations([("both", ["a", "b"])], entails)
    assert found == CitationCounts(1, 1, 2, 2)


def test_a_passage_that_adds_nothing_is_not_precise() -> None:
    assert count_citations([("first", ["a", "c"])], entails) == CitationCounts(1, 1, 2, 1)
    assert count_citations([("either", ["a", "b"])], entails) == CitationCounts(1, 1, 2, 2)  # each entails alone


def test_what_is_not_entailed_or_not_cited_recalls_nothing_and_has_no_precise_citation() -> None:
    found = count_citations([("both", ["a"]), ("both", []), ("first", ["a"])], entails)
    assert found == CitationCounts(3, 1, 2, 1)
    assert (found.recall, found.precision) == (pytest.approx(1 / 3), 0.5)
    assert count_citations([], entails).recall is None
    with pytest.raises(InputError, match="cites an id twice"):
        count_citations([("both", ["a", "a"])], entails)


def test_facts_are_counted_by_hand() -> None:
    judged = {"EGFR L858R": Found.WHOLE, "stage IIIA": Found.PART, "no brain metastases": Found.CONTRADICTED,
              "on warfarin": Found.ABSENT}  # fmt: skip
    written = [Fact("EGFR L858R"), Fact("stage IIIA"), Fact("no brain metastases", Severity.UNSAFE)]
    reference = [Fact("EGFR L858R"), Fact("on warfarin", Severity.SIGNIFICANT)]
    found = compare_facts(written, reference, lambda fact, _: judged[fact.text])
    assert (found["precision"], found["recall"]) == (pytest.approx(0.5), 0.5)
    assert found["errors"] == {"minor": 0, "significant": 1, "unsafe": 1}
    assert found["weighted_errors"] == 13.0
    assert compare_facts([], reference, lambda fact, _: Found.ABSENT)["precision"] is None
