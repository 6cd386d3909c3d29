"""CDS Hooks cards of a report: the case in short, its options, and a warning about a drug that a row speaks against.

Every card rests on evidence that report.json holds; a drug without a row gets no card. A summary has under 140
characters (CDS Hooks 2.0). Card ids follow from the report and the row, so that feedback finds its card again.
Not known here: HTTP, or which case a hook means (app/routes/cds_hooks.py). NOT checked: doses, and drugs whose rows
found no room in the report.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import NAMESPACE_URL, uuid5

from assistant.report import RESEARCH_USE
from retrieval.lexicon import canonical_drug

MAX_SUMMARY = 139
MAX_OPTIONS = 6
OVERRIDE_SYSTEM = "urn:radomica:override-reason"
"""The codes below are this program's own."""

OVERRIDE_REASONS = (
    {"code": "already-considered", "system": OVERRIDE_SYSTEM, "display": "Already considered"},
    {"code": "evidence-does-not-apply", "system": OVERRIDE_SYSTEM, "display": "The evidence does not apply here"},
    {"code": "record-outdated", "system": OVERRIDE_SYSTEM, "display": "The record is out of date"},
    {"code": "statement-wrong", "system": OVERRIDE_SYSTEM, "display": "The statement is wrong"},
)


@dataclass(frozen=True)
class Card:
    """A card before it is JSON. key : what it is about, unique in its report."""

    key: str
    summary: str
    detail: str
    indicator: str  # "info" | "warning"

    def to_dict(self, *, job_id: str, address: str) -> dict[str, Any]:
        """The card as CDS Hooks says it; ``address`` is this server's, for the link to the report."""
        page = f"{address}/v1/reports/{job_id}?format=html"
        return {
            "uuid": card_id(job_id, self.key),
            "summary": shortened(self.summary),
            "detail": f"{self.detail}\n\n_{RESEARCH_USE}_",
            "indicator": self.indicator,
            "source": {"label": "Radomica (research use only)", "url": page},
            "links": [{"label": "Open the report", "url": page, "type": "absolute"}],
            "overrideReasons": [dict(r) for r in OVERRIDE_REASONS],
        }


def card_id(job_id: str, key: str) -> str:
    """The same id for the same card of the same report."""
    return str(uuid5(NAMESPACE_URL, f"radomica:{job_id}:{key}"))


def shortened(text: str) -> str:
    """At most MAX_SUMMARY characters, cut at a word."""
    if len(text) <= MAX_SUMMARY:
        return text
    return f"{text[: MAX_SUMMARY - 3].rsplit(' ', 1)[0]}..."


def patient_cards(report: Mapping[str, Any]) -> tuple[Card, ...]:
    """The cards of patient-view: what the report says in short, its options, its contradictions."""
    cards = []
    summary = next((s for s in report["sections"] if s["id"] == "summary"), None)
    if summary and summary["claims"]:
        lines = [f"- {markdown(c['text'])} {_marks(c['citations'])}" for c in summary["claims"]]
        printed = sum(len(s["claims"]) for s in report["sections"])
        told = f"Tumour-board report: {printed} checked statements, {len(report['withheld'])} withheld"
        cards.append(Card("summary", told, "\n".join(lines), "info"))
    offered = [r for r in report["therapies"] if r["status"] == "offered" and r["direction"] == "sensitivity"]
    if offered:
        drugs = ", ".join(dict.fromkeys(str(r["drug"]) for r in offered))
        detail = "\n".join(row_line(r) for r in offered[:MAX_OPTIONS])
        left = len(offered) - MAX_OPTIONS
        detail += f"\n- and {left} more rows in the report" if left > 0 else ""
        cards.append(Card("options", f"Evidence rows match: {drugs}", detail, "info"))
    if report["contradictions"]:
        lines = [f"- {markdown(str(c.get('statement', '')))}" for c in report["contradictions"]]
        told = f"The record contradicts itself in {len(lines)} place{'s' if len(lines) > 1 else ''}"
        cards.append(Card("contradictions", told, "\n".join(lines), "warning"))
    return tuple(cards)


def order_cards(report: Mapping[str, Any], ordered: Iterable[str]) -> tuple[Card, ...]:
    """Warnings about ordered drugs: rows of resistance, rows that exclude the drug, and cautions of rows that offer it.

    ordered : names as the order has them; a name that is no known cancer drug gets no card
    """
    cards: dict[str, Card] = {}
    for name in ordered:
        drug = canonical_drug(name)
        if drug is None:
            continue
        for row in report["therapies"]:
            card = _warning(drug, row) if drug in drugs_of_row(row) else None
            if card is not None:
                cards.setdefault(card.key, card)
    return tuple(cards.values())


def all_cards(report: Mapping[str, Any]) -> tuple[Card, ...]:
    """Every card this report can give; feedback on any of them is taken."""
    drugs = sorted({drug for row in report["therapies"] for drug in drugs_of_row(row)})
    return (*patient_cards(report), *order_cards(report, drugs))


def drugs_of_row(row: Mapping[str, Any]) -> frozenset[str]:
    """Generic names of a row's drugs."""
    named = (canonical_drug(part) for part in str(row["drug"] or "").split(" + "))
    return frozenset(d for d in named if d)


def _warning(drug: str, row: Mapping[str, Any]) -> Card | None:
    source = row.get("row_source") or {}
    if not source.get("row_id"):
        return None  # nothing is said without a row to open
    reasons: Sequence[str]
    if row["direction"] == "resistance":
        told, reasons = f"{drug}: {row['biomarker']} predicts resistance", ()
    elif str(row["status"]).startswith("excluded"):
        why = str(row["status"]).removeprefix("excluded").lstrip(": ")
        told, reasons = f"{drug}: not offered for {row['biomarker']}; {why}", ()
    elif row["contraindications"]:
        reasons = tuple(str(c) for c in row["contraindications"])
        told = f"{drug}: weigh {'; '.join(reasons)}"
    else:
        return None
    detail = "\n".join([row_line(row), *(f"- weigh: {markdown(r)}" for r in reasons)])
    return Card(f"order:{drug}:{source['row_id']}", told, detail, "warning")


def row_line(row: Mapping[str, Any]) -> str:
    """A therapy row as one Markdown line with its level, status and source."""
    source = row.get("row_source") or {}
    level = str(row["level"] or "").removeprefix("level ")
    parts = [f"**{markdown(str(row['drug']))}**: {row['direction']} with {markdown(str(row['biomarker']))}"]
    parts.append(f"in {markdown(str(row['disease']))}, {row['level_system']} level {level}")
    parts += [str(row["line"])] if row.get("line") else []
    cited = f"row {source.get('row_id')}" + (f", PMID {source['pmid']}" if source.get("pmid") else "")
    reviewed = f", reviewed {source['reviewed']}" if source.get("reviewed") else ""
    return f"- {', '.join(parts)}; {markdown(str(row['status']))} ({cited}{reviewed}) {_marks(row['evidence_ids'])}"


def markdown(text: str) -> str:
    """Text from outside as plain text in Markdown: no link, tag or heading can come of it."""
    for sign in "\\`*_[]<>#|":
        text = text.replace(sign, f"\\{sign}")
    return " ".join(text.split())


def _marks(ids: Sequence[str]) -> str:
    return " ".join(f"\\[{i}\\]" for i in ids)
