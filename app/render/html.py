"""report.html from a Report: one self-contained page, readable on screen, on a phone and on two A4 pages.

The page is a view of report.json; ``render_html`` also takes that file's content. Everything is HTML-escaped by the
template engine (note text is hostile), a Content-Security-Policy allows this page's own script only, and no address
is requested. Not known here: how claims were checked. Not checked: that the report is right.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

from jinja2 import Environment, StrictUndefined, select_autoescape
from markupsafe import Markup

from app.render.similar_tables import neighbour_table, similar_rows
from app.render.svg import bar_chart, follow_up_bar, kaplan_meier_chart, survival_chart
from app.render.tables import (
    ALTERATIONS,
    MARKERS,
    contradiction_rows,
    evidence_groups,
    header_rows,
    imaging_tables,
    missing_rows,
    molecular_rows,
    prediction_rows,
    reliance_view,
    restates,
    series_rows,
    therapy_tables,
)
from assistant.report import RESEARCH_USE, Report
from encoders.atomic_write import write_atomically

IMAGES_OFF = "Image functions are switched off by a setting: no image was read for this report."
SECTION_ORDER = ("summary", "imaging", "molecular", "predictions", "therapy", "similar_cases", "uncertainties")
"""Reading order at a tumour board: options before neighbours."""

_WORD_BREAK = re.compile(r"(?<=[_/.\-])(?=\w)")


def write_report_html(report: Report | Mapping[str, Any], folder: Path) -> Path:
    """Write ``report.html`` into ``folder``, whole or not at all, and return its path."""
    path = folder / "report.html"
    write_atomically(path, render_html(report))
    return path


def render_html(report: Report | Mapping[str, Any]) -> str:
    """The report as one HTML page.

    Parameters
    ----------
    report : a Report, or the mapping that report.json holds
    """
    data = report.to_dict() if isinstance(report, Report) else report
    script = _asset("report.js")
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    view = build_view(data)
    return (
        _environment()
        .from_string(_asset("report.html.jinja"))
        .render(
            css=Markup(_asset("report.css")),
            script=Markup(script),
            script_hash=f"sha256-{digest}",
            research_use=RESEARCH_USE,
            **view,
        )
    )


def build_view(data: Mapping[str, Any]) -> dict[str, Any]:
    """Everything the template prints, from the mapping that report.json holds."""
    evidence = {e["id"]: e for e in data["evidence"]}
    figures = {"slices": [], "skipped": [], **(data.get("figures") or {})}
    tables = {
        "imaging": imaging_tables(evidence),
        "alterations": molecular_rows(evidence, ALTERATIONS),
        "markers": molecular_rows(evidence, MARKERS),
        "predictions": prediction_rows(evidence),
        "therapy": therapy_tables(data["therapies"], evidence),
        "similar": similar_rows(data["similar_cases"]),
        "outcomes": neighbour_table(data.get("neighbour_survival") or {}),
        "missing": missing_rows(data["missing"]),
        "contradictions": contradiction_rows(data["contradictions"]),
        "reliance": reliance_view(data.get("reliance") or {}),
    }
    return {
        "report": data,
        "evidence": evidence,
        "facts": _facts(evidence),
        "created": _readable_date(data["created"]),
        "images_off": "" if data.get("image_functions", True) else IMAGES_OFF,
        "sections": _sections(data, tables, evidence),
        "tables": tables,
        "charts": _charts(figures),
        "outcomes": _outcomes(data.get("neighbour_survival") or {}),
        "options_unsaid": _options_unsaid(data, tables["therapy"]["offered"], evidence),
        "follow_up": _follow_up(data["similar_cases"]),
        "figures": figures,
        "evidence_groups": evidence_groups(evidence),
        "printed": sum(len(s["claims"]) for s in data["sections"]),
        "seconds": sum(float(v) for v in data.get("timings_s", {}).values()),
    }


def _sections(data: Mapping[str, Any], tables: Mapping[str, Any], evidence: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Sections in reading order; claims that only repeat a table row are set apart, so nothing is read twice."""
    pictures = (data.get("figures") or {}).get("slices")
    rows = {
        "summary": header_rows(evidence),
        "imaging": [
            *tables["imaging"]["lesions"],
            *tables["imaging"]["sums"],
            *(series_rows(evidence) if pictures else ()),
        ],
        "molecular": [*tables["alterations"], *tables["markers"]],
        "predictions": tables["predictions"],
        "therapy": [*tables["therapy"]["offered"], *tables["therapy"]["excluded"]],
        "similar_cases": [*tables["similar"], *((tables["outcomes"],) if tables["outcomes"] else ())],
        "uncertainties": [*tables["missing"], *tables["contradictions"]],
    }
    by_id = {s["id"]: s for s in data["sections"]}
    order = [*SECTION_ORDER, *(i for i in by_id if i not in SECTION_ORDER)]
    made = []
    for section in (by_id[i] for i in order if i in by_id):
        repeated = [c for c in section["claims"] if restates(c, rows.get(section["id"], []), evidence)]
        prose = [c for c in section["claims"] if c not in repeated]
        if section["id"] == "summary":
            prose.sort(key=lambda c: _answer_rank(c, evidence))
        made.append({**section, "prose": prose, "repeated": repeated})
    return made


def _options_unsaid(data: Mapping[str, Any], offered: Sequence[Mapping[str, Any]], evidence: Mapping[str, Any]) -> bool:
    """True when rows are offered and no sentence of the summary names one; the summary then lists the rows."""
    summary = next((s["claims"] for s in data["sections"] if s["id"] == "summary"), ())
    return bool(offered) and not any(_answer_rank(c, evidence) == 0 for c in summary)


def _answer_rank(claim: Mapping[str, Any], evidence: Mapping[str, Any]) -> int:
    """Options before risks before findings before history; claims of one rank keep their order."""
    types = {evidence[i]["type"] for i in claim["citations"] if i in evidence}
    ranks = (("therapy", "passage"), ("survival",), ("variant", "copy_number", "fusion", "biomarker"))
    return next((n for n, wanted in enumerate(ranks) if types & set(wanted)), len(ranks))


def _charts(figures: Mapping[str, Any]) -> dict[str, Markup]:
    made = {}
    if figures.get("survival"):
        made["survival"] = survival_chart(figures["survival"])
    if figures.get("contributions"):
        made["contributions"] = bar_chart(figures["contributions"], "modality", "What each modality adds to the risk")
    if figures.get("genes"):
        made["genes"] = bar_chart(figures["genes"][:6], "name", "Genes that move the risk most")
    return made


def _outcomes(survival: Mapping[str, Any]) -> dict[str, Any]:
    """{chart, reason}: the survival of similar cases, or why it is not drawn."""
    chart = kaplan_meier_chart(survival) if survival.get("neighbours") else ""
    return {"chart": chart, "reason": survival.get("reason", "")}


def _follow_up(cases: Sequence[Mapping[str, Any]]) -> dict[str, Markup]:
    longest = max((float(c["followup_months"]) for c in cases), default=0.0)
    return {str(c["case_id"]): follow_up_bar(float(c["followup_months"]), bool(c["event"]), longest) for c in cases}


def _facts(evidence: Mapping[str, Any]) -> list[tuple[str, str, str]]:
    """(label, value, evidence id) of the header line."""
    wanted = (
        ("diagnosis", "disease", "Disease"),
        ("diagnosis", "stage", "Stage"),
        ("diagnosis", "grade", "Grade"),
        ("demographics", "age", "Age"),
        ("demographics", "sex", "Sex"),
        ("performance", "ecog", "ECOG"),
    )
    found = []
    for type_, field, label in wanted:
        item = next((e for e in evidence.values() if e["type"] == type_ and field in e["fields"]), None)
        if item is not None:
            value = item["fields"][field]["display"].removeprefix(f"{label.lower()} ").removeprefix(f"{label} ")
            if field == "stage" and "tnm_edition" in item["fields"]:
                value = f"{value} ({item['fields']['tnm_edition']['display']})"
            found.append((label, value, item["id"]))
    return found


def _readable_date(created: str) -> str:
    try:
        return datetime.fromisoformat(created).strftime("%d %B %Y, %H:%M").lstrip("0")
    except ValueError:
        return created


@cache
def _asset(name: str) -> str:
    return (files("app.render") / name).read_text(encoding="utf-8")


@cache
def _environment() -> Environment:
    environment = Environment(
        autoescape=select_autoescape(default_for_string=True, default=True),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["breakable"] = _breakable
    environment.tests["contained_in"] = lambda ids, told: set(ids) <= set(told)
    return environment


def _breakable(text: object) -> Markup:
    """Escaped text that may wrap after . _ / and -, for hashes, UIDs and paths."""
    return Markup("<wbr>").join(_WORD_BREAK.split(str(text)))
