"""CDS cards from a report: what is said, what is not, and the limits of the standard."""

from __future__ import annotations

import json

import pytest

from app.cds_cards import MAX_SUMMARY, all_cards, card_id, markdown, order_cards, patient_cards, shortened
from assistant.report import RESEARCH_USE, Report


@pytest.fixture(scope="module")
def told(report: Report) -> dict:
    return json.loads(json.dumps(report.to_dict()))


def test_the_patient_in_view_gets_summary_options_and_contradictions(told: dict) -> None:
    summary, options, contradictions = patient_cards(told)
    assert "withheld" in summary.summary and "\\[M1\\] \\[G1\\]" in summary.detail
    assert options.summary == "Evidence rows match: osimertinib, erlotinib"
    assert "row row-osimertinib, PMID 29151359" in options.detail and options.indicator == "info"
    assert contradictions.indicator == "warning" and "30 pack-years" in contradictions.detail


def test_an_ordered_drug_that_a_row_excludes_is_warned_of_with_the_row(told: dict) -> None:
    (card,) = order_cards(told, ["Keytruda"])  # a trade name of pembrolizumab
    assert card.indicator == "warning" and "PD-L1 is 20 %" in card.summary
    assert "row row-pembrolizumab" in card.detail and "\\[G4\\]" in card.detail


def test_cautions_of_an_offered_row_are_a_warning(told: dict) -> None:
    (card,) = order_cards(told, ["osimertinib"])
    assert card.summary == "osimertinib: weigh long QT"


def test_resistance_is_a_warning_and_a_row_without_cautions_is_silent(told: dict) -> None:
    rows = [dict(told["therapies"][0], direction="resistance", status="excluded: predicts resistance"),
            dict(told["therapies"][1], contraindications=[])]  # fmt: skip
    cards = order_cards({**told, "therapies": rows}, ["osimertinib", "erlotinib"])
    assert [c.summary for c in cards] == ["osimertinib: EGFR L858R predicts resistance"]


@pytest.mark.parametrize("ordered", [["paracetamol"], ["lorlatinib"], [""], ["osimertinib<script>"]])
def test_a_drug_without_a_row_gets_no_card(told: dict, ordered: list[str]) -> None:
    assert order_cards(told, ordered) == ()


def test_a_row_that_cannot_be_opened_gives_no_card(told: dict) -> None:
    rows = [dict(r, row_source={}) for r in told["therapies"]]
    assert order_cards({**told, "therapies": rows}, ["osimertinib", "pembrolizumab"]) == ()


def test_every_card_keeps_the_standard_and_says_research_use(told: dict) -> None:
    for card in all_cards(told):
        made = card.to_dict(job_id="report-1", address="http://127.0.0.1:1")
        assert 0 < len(made["summary"]) < 140 and made["indicator"] in ("info", "warning")
        assert RESEARCH_USE in made["detail"] and made["source"]["label"] and made["overrideReasons"]
        assert made["links"][0]["url"].startswith("http://127.0.0.1:1/v1/reports/report-1")


def test_cards_keep_their_ids_and_differ_between_reports(told: dict) -> None:
    keys = [c.key for c in all_cards(told)]
    assert len(set(keys)) == len(keys)
    assert card_id("report-1", keys[0]) == card_id("report-1", keys[0]) != card_id("report-2", keys[0])


def test_a_long_summary_is_cut_at_a_word() -> None:
    cut = shortened("word " * 60)
    assert len(cut) <= MAX_SUMMARY and cut.endswith("word...")
    assert shortened("x" * MAX_SUMMARY) == "x" * MAX_SUMMARY


def test_text_from_outside_is_plain_in_markdown() -> None:
    assert markdown("[a](javascript:b)\n# <img>") == "\\[a\\](javascript:b) \\# \\<img\\>"


def test_a_report_with_nothing_to_say_gives_no_card(bare_report: Report) -> None:
    assert all_cards(bare_report.to_dict()) == ()
