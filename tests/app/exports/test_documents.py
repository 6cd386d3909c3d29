"""PDF, DOCX and Markdown: everything the report prints is in them, read back by other programs."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import docx
import pypdf
import pytest

from app.exports import FORMATS, export_report
from app.exports.document import ClaimLine, Table, build_document
from app.exports.markdown import escape
from assistant.report import RESEARCH_USE
from encoders.errors import InputError

Made = dict[str, Any]
ON_PAPER = ("pdf", "docx", "md")


def squeezed(text: str) -> str:
    """Text without white space: lines may break anywhere."""
    return re.sub(r"\s", "", text)


def docx_text(path: Path) -> str:
    made = docx.Document(str(path))
    cells = [c.text for t in made.tables for row in t.rows for c in row.cells]
    return "\n".join([*(p.text for p in made.paragraphs), *cells])


def text_of(path: Path) -> str:
    if path.suffix == ".pdf":
        return "\n".join(page.extract_text() for page in pypdf.PdfReader(path).pages)
    if path.suffix == ".docx":
        return docx_text(path)
    return re.sub(r"\\(.)", r"\1", path.read_text(encoding="utf-8"))


@pytest.fixture(scope="module", params=["real", "hand"])
def written(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[Made, dict[str, str]]:
    report = request.getfixturevalue(request.param)
    folder = tmp_path_factory.mktemp(request.param)
    return report, {form: squeezed(text_of(export_report(report, form, folder))) for form in ON_PAPER}


@pytest.mark.parametrize("form", ON_PAPER)
class TestEveryFormOnPaper:
    def test_every_printed_claim_stands_with_citations_verdict_and_reason(
        self, written: tuple[Made, dict[str, str]], form: str
    ) -> None:
        report, texts = written
        claims = [c for s in report["sections"] for c in s["claims"]]
        assert len(claims) > 10
        for claim in claims:
            marks = "".join(f"[{c}]" for c in claim["citations"])
            line = squeezed(f"{claim['text']} {marks} {claim['verdict']}: {claim['reason']}")
            if form == "md":
                line = line.replace(squeezed(f" {claim['verdict']}:"), squeezed(f" *{claim['verdict']}:"))
            assert line in texts[form]

    def test_every_withheld_claim_stands_with_its_reason(self, written: tuple[Made, dict[str, str]], form: str) -> None:
        report, texts = written
        assert squeezed(f"Withheld claims ({len(report['withheld'])})") in texts[form]
        for claim in report["withheld"]:
            assert squeezed(claim["text"]) in texts[form]
            assert squeezed(claim["reason"]) in texts[form]

    def test_every_evidence_stands_with_its_pmid(self, written: tuple[Made, dict[str, str]], form: str) -> None:
        report, texts = written
        for item in report["evidence"]:
            assert squeezed(item["text"]) in texts[form]
            if item["source"].get("pmid"):
                assert f"PMID{item['source']['pmid']}" in texts[form]

    def test_missing_data_contradictions_and_versions_stand(
        self, written: tuple[Made, dict[str, str]], form: str
    ) -> None:
        report, texts = written
        told = [m[k] for m in report["missing"] for k in ("reason", "would_change", "test")]
        told += [c["statement"] for c in report["contradictions"]]
        told += [str(v) for pair in report["versions"].items() for v in pair]
        assert all(squeezed(t) in texts[form] for t in told)

    def test_research_use_and_synthetic_are_said(self, written: tuple[Made, dict[str, str]], form: str) -> None:
        _, texts = written
        assert squeezed(RESEARCH_USE) in texts[form]
        assert "SYNTHETICpatient" in texts[form]

    def test_a_report_without_images_by_a_setting_says_so(self, bare: Made, form: str, tmp_path: Path) -> None:
        off = text_of(export_report({**bare, "image_functions": False}, form, tmp_path))
        assert squeezed("Image functions are switched off by a setting") in squeezed(off)
        assert "switched off" not in text_of(export_report(bare, form, tmp_path))


def test_each_pdf_page_names_case_research_use_and_its_number(hand: Made, tmp_path: Path) -> None:
    made = pypdf.PdfReader(export_report(hand, "pdf", tmp_path))
    assert made.metadata is not None and made.metadata.title == "Tumour-board report, case HAND-0001"
    assert len(made.pages) > 2
    for number, page in enumerate(made.pages, start=1):
        text = page.extract_text()
        assert "Case HAND-0001 - research use only" in text
        assert RESEARCH_USE in text
        assert f"page {number} of {len(made.pages)}" in text


def test_pdf_and_docx_hold_the_key_slices_and_the_survival_curve(hand: Made, tmp_path: Path) -> None:
    pictures = sum(bool(s[k]) for s in hand["figures"]["slices"] for k in ("plain", "heatmap"))
    pdf = pypdf.PdfReader(export_report(hand, "pdf", tmp_path))
    assert pictures == 4
    assert sum(len(page.images) for page in pdf.pages) == pictures + 1
    made = docx.Document(str(export_report(hand, "docx", tmp_path)))
    assert len(made.inline_shapes) == pictures + 1


def test_docx_has_real_headings_and_repeats_table_heads(hand: Made, tmp_path: Path) -> None:
    made = docx.Document(str(export_report(hand, "docx", tmp_path)))
    heads = {p.text for p in made.paragraphs if p.style is not None and p.style.name.startswith("Heading")}
    assert {"Summary", "Therapy options", "Evidence", "Offered"} <= heads
    assert "w:tblHeader" in made.tables[0]._tbl.xml
    assert RESEARCH_USE in made.sections[0].footer.paragraphs[0].text


def test_a_cell_longer_than_a_page_breaks_and_loses_nothing(bare: Made, tmp_path: Path) -> None:
    long = " ".join(f"word{n}" for n in range(3000))
    report = {**bare, "evidence": [{**bare["evidence"][0], "text": long}]}
    text = squeezed(text_of(export_report(report, "pdf", tmp_path)))
    for n in (0, 1500, 2999):
        assert f"word{n}" in text


def test_note_text_cannot_become_markup(hand: Made, tmp_path: Path) -> None:
    text = export_report(hand, "md", tmp_path).read_text(encoding="utf-8")
    assert "<script>" not in text
    assert "\\<script\\>" in text
    assert escape("# not a heading | [x](http://a)\n- b") == "\\# not a heading \\| \\[x\\](http://a) - b"


def test_control_characters_do_not_break_a_form_and_unknown_glyphs_are_counted(bare: Made, tmp_path: Path) -> None:
    strange = {**bare, "evidence": [{**bare["evidence"][0], "text": "a\x00b\x1b 病"}]}
    assert "a\N{REPLACEMENT CHARACTER}b" in text_of(export_report(strange, "docx", tmp_path))
    assert "1 character(s) of this report have no glyph" in text_of(export_report(strange, "pdf", tmp_path))
    assert "no glyph" not in text_of(export_report(bare, "pdf", tmp_path))


def test_tables_leave_out_empty_columns(hand: Made) -> None:
    tables = [b for b in build_document(hand).blocks if isinstance(b, Table)]
    assert all(any(row[i] for row in t.rows) for t in tables for i in range(len(t.columns)))
    assert all(len(t.columns) == len(t.shares) == len(row) for t in tables for row in t.rows)


def test_no_claim_is_lost_between_report_and_document(real: Made) -> None:
    lines = [b.text for b in build_document(real).blocks if isinstance(b, ClaimLine)]
    told = [c["text"] for s in real["sections"] for c in s["claims"]] + [c["text"] for c in real["withheld"]]
    assert sorted(lines) == sorted(told)


class TestExportReport:
    def test_the_name_is_case_and_suffix_without_unsafe_characters(self, bare: Made, tmp_path: Path) -> None:
        path = export_report({**bare, "case_id": "../x/ÿ 1"}, "json", tmp_path)
        assert path == tmp_path / "x_1-report.json"

    def test_an_unknown_form_names_the_allowed_ones(self, bare: Made, tmp_path: Path) -> None:
        with pytest.raises(InputError, match="'rtf' is no form of a report; allowed: html, json, md, pdf, docx, fhir"):
            export_report(bare, "rtf", tmp_path)

    def test_what_is_no_report_is_refused(self, bare: Made, tmp_path: Path) -> None:
        with pytest.raises(InputError, match="the report's schema is None"):
            export_report({}, "pdf", tmp_path)
        with pytest.raises(InputError, match="the report has no evidence, versions"):
            export_report({k: v for k, v in bare.items() if k not in ("evidence", "versions")}, "pdf", tmp_path)

    def test_a_failed_export_leaves_no_file(self, bare: Made, tmp_path: Path) -> None:
        with pytest.raises(InputError):
            export_report(bare, "sr", tmp_path, patient_folder=tmp_path)
        assert list(tmp_path.iterdir()) == []

    def test_json_and_html_are_the_report(self, hand: Made, tmp_path: Path) -> None:
        assert json.loads(export_report(hand, "json", tmp_path).read_text(encoding="utf-8")) == hand
        assert "<!doctype html" in export_report(hand, "html", tmp_path).read_text(encoding="utf-8")[:20].lower()

    def test_the_formats_table_agrees_with_its_keys(self) -> None:
        assert list(FORMATS) == ["html", "json", "md", "pdf", "docx", "fhir", "sr", "seg", "sc"]
        assert {n for n, f in FORMATS.items() if f.needs_images} == {"sr", "seg", "sc"}
        assert all(name == f.name for name, f in FORMATS.items())
