"""What each tab shows of a report; hostile text stays text."""

from __future__ import annotations

from html.parser import HTMLParser
from typing import Any

import pytest

from app.exports import FORMATS
from app.page import case_tabs
from app.page_html import Turn, conversation, evidence_panel, header
from assistant.report import RESEARCH_USE, Report


class Tags(HTMLParser):
    """Counts the elements and attributes of a page piece."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.names: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.names.append(tag)
        self.attributes += attrs


def tabs_of(report: dict[str, Any] | None) -> dict[str, str]:
    return {
        "predictions": case_tabs.predictions_tab(report),
        "molecular": case_tabs.molecular_tab(report),
        "therapy": case_tabs.therapy_tab(report, "case-one"),
        "similar": case_tabs.similar_tab(report),
        "evidence": case_tabs.evidence_tab(report),
        "review": case_tabs.review_tab(report, "report-1", ()),
    }


@pytest.fixture(scope="module")
def hostile(report: Report) -> dict[str, Any]:
    """The report with a script where a drug, a gene, a reason and a case name stand."""
    data = report.to_dict()
    attack = "<script>alert(1)</script>\"'><img src=x onerror=alert(1)>"
    data["therapies"] = [{**t, "drug": attack, "contraindications": [attack]} for t in data["therapies"]]
    data["withheld"] = [{**w, "text": attack, "reason": attack} for w in data["withheld"]]
    data["missing"] = [{**m, "reason": attack} for m in data["missing"]]
    data["similar_cases"] = [{**s, "shared": [attack]} for s in data["similar_cases"]]
    data["evidence"] = [
        {**e, "text": attack, "fields": {k: {**f, "display": attack} for k, f in e["fields"].items()}}
        for e in data["evidence"]
    ]
    data["sections"] = [{**s, "claims": [{**c, "text": attack} for c in s["claims"]]} for s in data["sections"]]
    return data


def test_no_value_of_a_report_becomes_an_element(hostile: dict[str, Any]) -> None:
    for name, text in {**tabs_of(hostile), "panel": evidence_panel(hostile, '"><script>')}.items():
        tags = Tags(text)
        assert "script" not in tags.names, name
        assert not [a for a, _ in tags.attributes if a.startswith("on")], name
        assert tags.names.count("img") == (text.count("data:image/png") if name == "panel" else 0), name


def test_before_a_report_every_tab_says_so() -> None:
    for text in tabs_of(None).values():
        assert "when the report is written" in text


def test_a_bare_report_still_gives_every_tab(bare_report: Report) -> None:
    made = tabs_of(bare_report.to_dict())
    assert "No prediction was made" in made["predictions"]
    assert "No structured row applies" in made["therapy"]
    assert "No similar case was found" in made["similar"]
    assert "No fusion is in the evidence" in made["molecular"]


def test_predictions_show_curve_percentile_and_whom_it_was_learned_from(report: Report) -> None:
    text = case_tabs.predictions_tab(report.to_dict())
    assert text.count("<svg") == 3
    assert "risk percentile 74" in text and 'data-evidence="P1"' in text


def test_the_shipped_model_says_it_learned_from_synthetic_patients() -> None:
    card = case_tabs.model_card("radomica-fusion-synthetic-v1")
    assert card is not None and card["synthetic"] and 0.5 < card["c_index"] < 1
    assert case_tabs.model_card("a model of somebody else") is None


def test_therapy_shows_levels_reasons_and_the_form(report: Report) -> None:
    text = case_tabs.therapy_tab(report.to_dict(), "case-one")
    assert "OncoKB 1" in text and "PD-L1 is 20 %, the rule needs 50 %" in text
    assert "1 row considered and excluded" in text and 'data-case="case-one"' in text
    assert "as recorded (IIIA)" in text


def test_molecular_rows_say_where_they_were_read(report: Report) -> None:
    text = case_tabs.molecular_tab(report.to_dict())
    assert "somatic.maf, row 12" in text and "EGFR copy number" in text and "log2 ratio 0.62" in text
    assert "it never replaces sequencing" in text


def test_review_shows_the_newest_decision_on_each_claim(report: Report) -> None:
    reviews = [
        {"claim_id": "summary-1", "decision": "accept", "reason": "", "text": None, "by": "ann", "at": "2026-01-01"},
        {"claim_id": "summary-1", "decision": "edit", "reason": "age", "text": "64-year-old", "by": "bo",
         "at": "2026-01-02T11:30:00"},
    ]  # fmt: skip
    text = case_tabs.review_tab(report.to_dict(), "report-1", reviews)
    assert "<b>Edited</b> by bo, 2026-01-02 11:30: <ins>64-year-old</ins> <q>age</q>" in text
    assert "Accepted" not in text
    assert text.count("data-claim=") == sum(len(s.claims) for s in report.sections)
    assert "cites G9, which is not in the ledger" in text
    assert "data-decide" not in case_tabs.review_tab(report.to_dict(), "report-1", (), may_review=False)


def test_every_form_can_be_downloaded_and_deletion_needs_the_right(report: Report) -> None:
    job = {"id": "report-1", "state": "done"}
    text = case_tabs.files_tab(job, "case-one", "A & B")
    assert all(f'href="/v1/reports/report-1/report.{name}"' in text for name in FORMATS)
    assert 'data-title="A &amp; B"' in text
    assert "data-delete" not in case_tabs.files_tab(job, "case-one", may_delete=False)
    assert "/v1/reports/" not in case_tabs.files_tab({"id": "report-1", "state": "running"}, "case-one")


def test_the_files_tab_says_whom_the_files_name_in_counts() -> None:
    found = case_tabs.files_tab(None, "case-one", identity={"identified_files": 3, "burned_in_files": 1, "files": []})
    assert "3 files alone can say who this is; 1 may have text" in found
    taken = {"files": 7, "not_done": ["faces were not removed"], "changed": {}}
    assert "in 7 files. Not done: faces were not removed." in case_tabs.files_tab(None, "case-one", identity=taken)
    assert "who this is" not in case_tabs.files_tab(None, "case-one")


def test_the_header_names_the_use_the_user_and_what_is_off() -> None:
    assert RESEARCH_USE in header() and "no login" in header() and "Log out" not in header()
    shown = header("<b>ann</b>", images=False)
    assert "&lt;b&gt;ann" in shown and "Log out" in shown and "Image functions are switched off" in shown


def test_steps_fold_under_their_answer_and_only_whole_answers_are_rated() -> None:
    whole = conversation([Turn("q", "yes [M1]", done=True, steps=("read tables, 0.01 s, 2 found: M1",))], {"M1"})
    assert "<summary>1 step</summary>" in whole and "2 found: M1" in whole and whole.count("data-rate=") == 2
    assert "data-rate" not in conversation([Turn("q", "yes", done=False)], ())
    assert "data-rate" not in conversation([Turn("q", "yes", done=True, failed=True)], ())


def test_evidence_opens_the_slice_or_the_file_it_was_read_from(report: Report) -> None:
    panel = evidence_panel(report.to_dict(), "case-one")
    ct = next(e for e in report.evidence if e.id == "I1").source
    assert f'data-series="{ct.series_uid}" data-slice="11"' in panel
    assert 'data-lines="M1"' in panel and 'data-lines="F5"' in panel
    assert 'data-lines="G3"' not in panel  # a passage is not the patient's file
