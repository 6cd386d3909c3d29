"""report.html: every citation opens something, hostile text stays text, nothing is fetched, nothing is said twice."""

from __future__ import annotations

import html
import json
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest

from app.render import render_html, write_report_html
from app.render.html import SECTION_ORDER
from assistant.report import RESEARCH_USE, SECTION_TITLES, Report
from encoders.kaplan_meier import fit_kaplan_meier


class Page(HTMLParser):
    """Ids, in-page links, addresses and open tags of a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.ids: set[str] = set()
        self.jumps: set[str] = set()
        self.addresses: list[tuple[str, str]] = []
        self.tags: list[str] = []
        self.words: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = {k: v or "" for k, v in attrs}
        self.tags.append(tag)
        self.ids |= {found["id"]} if "id" in found else set()
        for name in ("href", "src", "action"):
            value = found.get(name, "")
            if value.startswith("#"):
                self.jumps.add(value[1:])
            elif value:
                self.addresses.append((tag, value))

    def handle_data(self, data: str) -> None:
        self.words.append(data)

    def text(self) -> str:
        return " ".join(" ".join(self.words).split())


@pytest.fixture(scope="module")
def text(report: Report) -> str:
    return render_html(report)


@pytest.fixture(scope="module")
def page(text: str) -> Page:
    return Page(text)


def test_every_printed_citation_jumps_to_an_entry(page: Page, report: Report) -> None:
    cited = {i for s in report.sections for c in s.claims for i in c.citations}
    assert cited
    assert {f"e-{i}" for i in cited} <= page.ids
    assert page.jumps <= page.ids


def test_every_claim_stands_in_the_page_once(page: Page, report: Report) -> None:
    for section in report.sections:
        for claim in section.claims:
            assert page.text().count(claim.text) >= 1, claim.text


def test_sections_stand_in_reading_order(text: str) -> None:
    at = [text.index(f'<section id="{i}"') for i in SECTION_ORDER]
    assert at == sorted(at)
    assert set(SECTION_ORDER) == set(SECTION_TITLES)


def test_a_script_in_a_note_stays_text(text: str, page: Page) -> None:
    assert page.tags.count("script") == 1
    assert "<script>alert" not in text
    assert html.escape("<script>alert('note')</script>", quote=False)[:20] in text
    assert "<b>cures</b>" not in text


def test_nothing_is_loaded_from_anywhere(page: Page, text: str) -> None:
    loaded = [(tag, a) for tag, a in page.addresses if tag != "a"]
    assert loaded and all(a.startswith("data:image/png;base64,") for _, a in loaded)
    assert "@import" not in text and "url(" not in text


def test_outgoing_links_are_sources_only(page: Page) -> None:
    outgoing = {a for tag, a in page.addresses if tag == "a"}
    assert "https://pubmed.ncbi.nlm.nih.gov/29151359/" in outgoing
    assert "https://clinicaltrials.gov/study/NCT02296125" in outgoing
    assert all(a.startswith("https://") for a in outgoing)


@pytest.mark.parametrize(
    "address", ["javascript:alert(1)", "data:text/html,x", "//evil.example/x", "file:///etc/passwd"]
)
def test_a_source_that_is_no_web_address_is_not_linked(report: Report, address: str) -> None:
    first = report.evidence[0]
    changed = replace(first, source=replace(first.source, url=address, pmid="1; DROP"))
    made = Page(render_html(replace(report, evidence=(changed, *report.evidence[1:]))))
    assert address not in {a for _, a in made.addresses}
    assert not any("DROP" in a for _, a in made.addresses)


def test_policy_allows_this_pages_script_and_no_other(text: str) -> None:
    policy = re.search(r'Content-Security-Policy" content="([^"]+)"', text)
    assert policy is not None
    assert "default-src &#39;none&#39;" in policy[1] or "default-src 'none'" in policy[1]
    script = re.search(r"script-src ([^;\"]+)", policy[1])
    assert script is not None and "unsafe" not in script[1] and "sha256-" in script[1]


def test_a_claim_that_a_row_already_says_is_folded_under_it(report: Report, text: str) -> None:
    molecular = text[text.index('<section id="molecular"') : text.index('<section id="predictions"')]
    prose, _, folded = molecular.partition('<details class="fold">')
    assert "EGFR p.L858R, allele fraction 0.34." not in prose
    assert "EGFR p.L858R, allele fraction 0.34." in folded
    assert "The image model predicts EGFR mutated" in prose  # cites P2, which is no row of this table


def test_a_claim_with_a_number_the_row_lacks_is_never_folded(report: Report) -> None:
    molecular = next(s for s in report.sections if s.id == "molecular")
    odd = replace(molecular.claims[0], text="EGFR p.L858R, copy number 17.")
    sections = tuple(replace(s, claims=(odd,)) if s.id == "molecular" else s for s in report.sections)
    made = render_html(replace(report, sections=sections))
    part = made[made.index('<section id="molecular"') : made.index('<section id="predictions"')]
    assert "copy number 17" in part and "<details" not in part


def test_options_lead_the_summary(text: str) -> None:
    summary = text[text.index('<section id="summary"') : text.index('<section id="imaging"')]
    assert summary.index("osimertinib the leading") < summary.index("Predicted risk is high")
    assert "Synthetic patient" in text
    assert RESEARCH_USE in html.unescape(text)


def test_excluded_rows_are_folded_with_their_reason(text: str) -> None:
    therapy = text[text.index('<section id="therapy"') : text.index('<section id="similar_cases"')]
    offered, _, excluded = therapy.partition("considered and excluded")
    assert "pembrolizumab" not in offered and "the rule needs 50 %" in excluded


def test_withheld_claims_carry_their_reason_and_a_dead_citation_is_no_link(page: Page) -> None:
    assert "cites G9, which is not in the ledger" in page.text()
    assert "e-G9" not in page.jumps


def test_the_page_is_small_and_valid_for_print(text: str) -> None:
    assert len(text.encode()) < 3_000_000
    assert "size: A4" in text


def test_a_report_with_nothing_to_draw_still_has_every_section(bare_report: Report) -> None:
    made = Page(render_html(bare_report))
    assert set(SECTION_TITLES) <= made.ids
    assert "Nothing could be said here." in made.text()
    assert "Synthetic patient" not in made.text()
    assert "svg" not in made.tags


def test_rendering_report_json_gives_the_same_page(report: Report, text: str) -> None:
    assert render_html(json.loads(json.dumps(report.to_dict()))) == text


def test_the_file_is_written_whole_and_leaves_nothing_beside_it(report: Report, tmp_path: Path) -> None:
    path = write_report_html(report, tmp_path / "deep")
    assert path.read_text(encoding="utf-8").rstrip().endswith("</html>")
    assert [p.name for p in path.parent.iterdir()] == ["report.html"]


def neighbour_survival() -> dict[str, object]:
    near = fit_kaplan_meier(np.arange(1.0, 31.0), np.arange(30) < 22)
    everyone = fit_kaplan_meier(np.arange(1.0, 151.0), np.arange(150) % 2 == 0)
    curves = {"neighbours": near, "reference": everyone}
    return {
        **{k: c.to_dict(60.0, (12.0, 36.0), (0.0, 12.0, 24.0, 36.0, 48.0, 60.0)) for k, c in curves.items()},
        "synthetic": True, "oncotree_code": "LUAD", "reason": "", "evidence_id": "S2",
    }  # fmt: skip


def test_similar_cases_show_both_survival_curves_and_say_that_they_are_synthetic(report: Report) -> None:
    text = render_html(replace(report, neighbour_survival=neighbour_survival()))
    section = text[text.index('<section id="similar_cases"') :].split("</section>")[0]
    chart = section[section.index("Survival of similar cases") :].split("</svg>")[0]
    assert 'class="curve"' in chart and 'class="cohort"' in chart and 'class="band"' in chart
    assert "Synthetic reference patients of the same cancer" in section
    assert "30 most similar" in section and "all 150" in section and 'href="#e-S2"' in section
    assert (
        '<th scope="row">Median, months</th><td>15 (10 to 21)</td>' in section
    )  # 15 of 30 died by month 15; band by hand


def test_similar_cases_without_a_curve_say_why(report: Report) -> None:
    few = {"neighbours": None, "reference": None, "reason": "4 comparable reference cases"}
    text = render_html(replace(report, neighbour_survival=few))
    assert "No survival curve of similar cases: 4 comparable reference cases." in text
    assert "Survival of similar cases" not in text


def test_a_neighbours_differences_are_printed_beside_what_is_shared(report: Report) -> None:
    cases = tuple({**c, "differing": ["stage IB (patient IIIA)", "<b>", "c", "d"]} for c in report.similar_cases)
    text = render_html(replace(report, similar_cases=cases))
    assert "stage IB (patient IIIA), &lt;b&gt;, c</td>" in text  # three at most, escaped
    assert "<td>nothing known</td>" in render_html(report)  # a report of an earlier version has none
