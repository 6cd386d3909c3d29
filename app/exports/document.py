"""A report as a plain sequence of headings, claims, tables and pictures: what PDF, DOCX and Markdown all print.

One order for the three, so that no form drops what another has: every printed claim with its citations, verdict and
reason; tables; contradictions; missing data; withheld claims; evidence with sources; versions and hashes.
Not known here: fonts, pages, file formats.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from app.render.html import IMAGES_OFF, build_view
from assistant.report import RESEARCH_USE

_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff\ufffe\uffff]")
SYNTHETIC = "SYNTHETIC patient: generated data, not a real person."


@dataclass(frozen=True)
class Heading:
    """level : 1 a section, 2 inside one."""

    text: str
    level: int = 1


@dataclass(frozen=True)
class Paragraph:
    """One paragraph; ``small`` is for remarks."""

    text: str
    small: bool = False


@dataclass(frozen=True)
class ClaimLine:
    """One claim as the report holds it."""

    text: str
    citations: tuple[str, ...]
    verdict: str
    reason: str

    @property
    def marks(self) -> str:
        """The citations as they are printed: "[M1][G3]"."""
        return "".join(f"[{c}]" for c in self.citations)


@dataclass(frozen=True)
class Table:
    """Text cells; ``shares`` are the columns' parts of the width."""

    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    shares: tuple[float, ...]


@dataclass(frozen=True)
class Picture:
    """PNG bytes with what they show; ``width_mm`` on paper."""

    png: bytes
    caption: str
    width_mm: float


@dataclass(frozen=True)
class SurvivalFigure:
    """Points of the survival curve, for the renderers that draw: what report figures hold under "survival"."""

    data: Mapping[str, Any]
    caption: str


Block = Heading | Paragraph | ClaimLine | Table | Picture | SurvivalFigure


@dataclass(frozen=True)
class Document:
    """Everything on paper. ``notices`` stand on top; ``running`` stands on every page."""

    title: str
    case_id: str
    created: str
    notices: tuple[str, ...]
    running: str
    blocks: tuple[Block, ...]


def build_document(report: Mapping[str, Any]) -> Document:
    """The report that report.json holds, as a Document."""
    view = build_view(report)
    notices = [RESEARCH_USE]
    if report.get("synthetic"):
        notices.append(SYNTHETIC)
    if not report.get("image_functions", True):
        notices.append(IMAGES_OFF)
    case_id = plain(report["case_id"])
    blocks = [
        *_head(report, view),
        *_sections(view),
        *_contradictions(view),
        *_missing(view),
        *_withheld(report),
        *_evidence(view),
        *_made_by(report),
    ]
    return Document(
        title=f"Tumour-board report, case {case_id}",
        case_id=case_id,
        created=str(view["created"]),
        notices=tuple(notices),
        running=f"Case {case_id} - research use only" + (" - synthetic" if report.get("synthetic") else ""),
        blocks=tuple(blocks),
    )


def table(columns: Sequence[tuple[str, str, float]], rows: Sequence[Mapping[str, Any]]) -> Table | None:
    """A Table of ``rows`` (mappings); columns are (title, key, share), empty ones are left out; None without rows."""
    kept = [c for c in columns if any(_cell(r.get(c[1])) for r in rows)]
    if not kept:
        return None
    cells = tuple(tuple(_cell(r.get(key)) for _, key, _ in kept) for r in rows)
    return Table(tuple(t for t, _, _ in kept), cells, tuple(s for _, _, s in kept))


def plain(value: object) -> str:
    """Text without control characters, which XML cannot hold; each becomes the replacement character."""
    return _CONTROL.sub("\N{REPLACEMENT CHARACTER}", str(value))


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, (list, tuple)):
        return "; ".join(plain(v) for v in value)
    return plain(value)


def _marked(rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Rows with their evidence ids as printed marks."""
    return [{**r, "marks": "".join(f"[{i}]" for i in r.get("ids", ()))} for r in rows]


def _head(report: Mapping[str, Any], view: Mapping[str, Any]) -> Iterator[Block]:
    facts = [{"label": label, "value": value, "marks": f"[{id_}]"} for label, value, id_ in view["facts"]]
    shown = table((("", "label", 2), ("", "value", 6), ("Evidence", "marks", 1)), facts)
    if shown:
        yield shown
    counts = report.get("verdict_counts") or {}
    told = ", ".join(f"{n} {verdict}" for verdict, n in counts.items())
    yield Paragraph(
        f"Report {report['report_id']}, made {view['created']}. {view['printed']} claims are printed and "
        f"{len(report['withheld'])} withheld. Verdicts over all claims: {told}."
    )


def _sections(view: Mapping[str, Any]) -> Iterator[Block]:
    for section in view["sections"]:
        yield Heading(section["title"])
        if section.get("note"):
            yield Paragraph(plain(section["note"]))
        for claim in (*section["prose"], *section["repeated"]):
            yield _claim(claim)
        yield from _section_extras(section["id"], view)


def _claim(claim: Mapping[str, Any]) -> ClaimLine:
    cited = tuple(plain(c) for c in claim["citations"])
    return ClaimLine(plain(claim["text"]), cited, claim["verdict"], plain(claim["reason"]))


def _section_extras(section_id: str, view: Mapping[str, Any]) -> Iterator[Block]:
    made = {
        "imaging": _imaging,
        "molecular": _molecular,
        "predictions": _predictions,
        "therapy": _therapy,
        "similar_cases": _similar,
    }.get(section_id)
    if made is not None:
        yield from made(view)


def _imaging(view: Mapping[str, Any]) -> Iterator[Block]:
    tables = view["tables"]["imaging"]
    columns = (
        ("Lesion", "name", 2), ("Series", "series", 2), ("Date", "date", 1.6), ("Longest x short", "size", 2),
        ("Volume", "volume", 1.3), ("Intensity", "intensity", 2.4), ("Before", "before", 2), ("Change", "change", 2),
        ("Note", "note", 1.6), ("Evidence", "marks", 1.4),
    )  # fmt: skip
    shown = table(columns, _marked(tables["lesions"]))
    if shown:
        yield Heading("Lesion measurements", 2)
        yield shown
    for picture in view["figures"]["slices"]:
        yield from _picture(picture)
    for why in view["figures"]["skipped"]:
        yield Paragraph(f"Not drawn: {why}", small=True)


def _picture(data: Mapping[str, Any]) -> Iterator[Block]:
    for key, what in (("plain", ""), ("heatmap", "heat map")):
        png = picture_png(data.get(key))
        if png is None:
            continue
        words = [
            f"{data['role']}, slice {data['slice_number']} of {data['slice_count']}, {data['window']}",
            f"outline: {data['outline']}" if data.get("outlined") and data.get("outline") else "",
            "the outline is proposed, not confirmed by a person" if data.get("proposed") else "",
        ]
        if what:
            words.append(f"heat map of {data['heatmap_task']} by {data['heatmap_method']}")
        edges = data.get("orientation") or {}
        if edges:
            words.append(f"left edge is {edges.get('left')}, top edge is {edges.get('top')}")
        yield Picture(png, "; ".join(w for w in words if w) + ". Not for diagnosis.", 75)


def picture_png(uri: Any) -> bytes | None:
    """The PNG bytes of a data URI of report figures; None when it is none."""
    head, _, body = str(uri or "").partition(",")
    if head != "data:image/png;base64":
        return None
    try:
        return base64.b64decode(body, validate=True)
    except binascii.Error:
        return None


def _molecular(view: Mapping[str, Any]) -> Iterator[Block]:
    columns = (("Finding", "name", 3), ("Result", "finding", 2.4), ("Measure", "measure", 2.6),
               ("Effect", "effect", 2.4), ("Evidence", "marks", 1.2))  # fmt: skip
    for title, rows in (("Alterations", "alterations"), ("Biomarkers and profiles", "markers")):
        shown = table(columns, _marked(view["tables"][rows]))
        if shown:
            yield Heading(title, 2)
            yield shown


def _predictions(view: Mapping[str, Any]) -> Iterator[Block]:
    columns = (("Prediction", "name", 2.4), ("Value", "value", 4), ("Note", "note", 4), ("Evidence", "marks", 1.2))
    shown = table(columns, _marked(view["tables"]["predictions"]))
    if shown:
        yield Heading("Predictions of the models", 2)
        yield shown
    figures = view["figures"]
    if figures.get("survival"):
        yield SurvivalFigure(
            figures["survival"],
            "Predicted survival with its 95 % interval; dashed: Kaplan-Meier curve of the reference cohort with the "
            "same cancer, where there is one.",
        )
    shares = [
        {"modality": c["modality"], "value": f"{c['value']:+.2f}",
         "alone": "" if c.get("unimodal") is None else f"{c['unimodal']:+.2f}"}
        for c in figures.get("contributions") or ()
    ]  # fmt: skip
    shown = table((("Modality", "modality", 3), ("Adds to the log relative hazard", "value", 3),
                   ("Prediction from it alone", "alone", 3)), shares)  # fmt: skip
    if shown:
        yield Heading("What each modality adds", 2)
        yield shown


def _therapy(view: Mapping[str, Any]) -> Iterator[Block]:
    columns = (
        ("Option", "option", 3), ("Standing", "standing", 3), ("Excluded because", "reasons", 2.2),
        ("Weigh", "cautions", 3.4), ("Monitor", "monitoring", 2.4), ("Source", "sources", 1.8),
    )  # fmt: skip
    for title, key in (("Offered", "offered"), ("Excluded for this patient", "excluded")):
        shown = table(columns, [_therapy_row(r) for r in view["tables"]["therapy"][key]])
        if shown:
            yield Heading(title, 2)
            yield shown


def _therapy_row(row: Mapping[str, Any]) -> dict[str, Any]:
    reviewed = [f"reviewed {row['reviewed']}"] if row["reviewed"] else []
    return {
        **row,
        "option": [v for v in (row["drug"], row["biomarker"], row["disease"]) if v],
        "standing": [v for v in (row["direction"], row["level"], *row["standing"]) if v],
        "sources": [*(label_of(*link) for link in row["links"]), *reviewed, "".join(f"[{i}]" for i in row["ids"])],
    }


def _similar(view: Mapping[str, Any]) -> Iterator[Block]:
    columns = (
        ("Case", "case", 2.2), ("Similarity", "similarity", 1.2), ("Shares", "shared", 3.4),
        ("Differs in", "differing", 2.6), ("Followed", "followup", 1.3), ("Outcome", "outcome", 1.2),
        ("Evidence", "marks", 1.2),
    )  # fmt: skip
    shown = table(columns, _marked(view["tables"]["similar"]))
    if shown:
        yield shown
    outcomes = view["tables"]["outcomes"]
    if outcomes:
        yield Heading(f"Outcome of {outcomes['about']}", 2)
        rows = tuple((measure, *values) for measure, values in outcomes["rows"])
        yield Table(("", *outcomes["groups"]), rows, (2, *(2 for _ in outcomes["groups"])))


def _contradictions(view: Mapping[str, Any]) -> Iterator[Block]:
    yield Heading("Contradictions between the sources")
    rows = _marked(view["tables"]["contradictions"])
    shown = table((("Statement", "statement", 8), ("Evidence", "marks", 1)), rows)
    yield shown or Paragraph("None was found.")


def _missing(view: Mapping[str, Any]) -> Iterator[Block]:
    yield Heading("Missing data that would change the plan")
    columns = (("Missing", "modality", 1.6), ("Reason", "reason", 3), ("It would inform", "would_change", 3),
               ("What would answer", "test", 3), ("Evidence", "marks", 1))  # fmt: skip
    yield table(columns, _marked(view["tables"]["missing"])) or Paragraph("Nothing is missing.")


def _withheld(report: Mapping[str, Any]) -> Iterator[Block]:
    yield Heading(f"Withheld claims ({len(report['withheld'])})")
    if not report["withheld"]:
        yield Paragraph("No claim of the language model was withheld.")
        return
    yield Paragraph("What the language model wrote and the checker stopped; none of it is part of the report.")
    for claim in report["withheld"]:
        yield _claim(claim)


def _evidence(view: Mapping[str, Any]) -> Iterator[Block]:
    yield Heading("Evidence")
    for group in view["evidence_groups"]:
        yield Heading(group["title"], 2)
        rows = [
            {"id": e["id"], "text": e["text"] + (f' "{e["quote"]}"' if e["quote"] else ""),
             "source": "; ".join([*([e["where"]] if e["where"] else []), *(label_of(*link) for link in e["links"])])}
            for e in group["entries"]
        ]  # fmt: skip
        shown = table((("Id", "id", 0.7), ("Evidence", "text", 6.5), ("Source", "source", 3)), rows)
        if shown:
            yield shown


def label_of(label: str, address: str) -> str:
    """A link as text: the label where it names the source, else the address."""
    return label if label.startswith("PMID") else address


def _made_by(report: Mapping[str, Any]) -> Iterator[Block]:
    yield Heading("What made this report")
    rows = [{"name": k, "value": v} for k, v in report["versions"].items()]
    shown = table((("Part", "name", 3), ("Version or hash", "value", 6)), rows)
    if shown:
        yield shown
    for warning in report.get("warnings") or ():
        yield Paragraph(f"Note: {plain(warning)}", small=True)
