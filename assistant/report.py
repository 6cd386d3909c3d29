"""The report contract: what ``report.json`` holds. Every other format is rendered from it.

Section ids and the JSON layout are fixed (SCHEMA). Not known here: how it looks (app/render/).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from assistant.claim import CheckedClaim, Verdict
from assistant.evidence import Evidence
from encoders.atomic_write import write_atomically

SCHEMA = "radomica-report/1"
RESEARCH_USE = "Research use only. Not a medical device; not for diagnosis or treatment decisions."
SECTION_TITLES: Mapping[str, str] = {
    "summary": "Summary",
    "imaging": "Imaging",
    "molecular": "Molecular findings",
    "predictions": "Predictions",
    "similar_cases": "Similar cases",
    "therapy": "Therapy options",
    "uncertainties": "Uncertainties and missing data",
}


@dataclass(frozen=True)
class Section:
    """One section: checked claims that may be printed (all SUPPORTED), or a note why there are none."""

    id: str
    title: str
    claims: tuple[CheckedClaim, ...]
    note: str = ""


@dataclass(frozen=True)
class Report:
    """A finished report. ``withheld`` holds what the checker stopped, with reasons; it never reaches a section.

    figures : data the renderers draw from (key slices as PNG data URIs, survival curve points, bars)
    raw_claims : how many claims the LLM wrote and how many were supported before anything was withheld
    reliance : how the image-based statements follow the image (assistant/reliance.py); empty when not asked for
    image_functions : False when a setting switched them off: no image was read, whatever the folder holds
    neighbour_survival : Kaplan-Meier curves of the most similar cases and of all of the cancer; empty without a cohort
    """

    report_id: str
    case_id: str
    created: str
    synthetic: bool
    versions: Mapping[str, str]
    sections: tuple[Section, ...]
    evidence: tuple[Evidence, ...]
    therapies: tuple[Mapping[str, Any], ...]
    predictions: tuple[Mapping[str, Any], ...]
    similar_cases: tuple[Mapping[str, Any], ...]
    withheld: tuple[CheckedClaim, ...]
    contradictions: tuple[Mapping[str, Any], ...]
    missing: tuple[Mapping[str, str], ...]
    timings_s: Mapping[str, float]
    figures: Mapping[str, Any] = field(default_factory=dict)
    raw_claims: Mapping[str, int] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()
    reliance: Mapping[str, Any] = field(default_factory=dict)
    neighbour_survival: Mapping[str, Any] = field(default_factory=dict)
    image_functions: bool = True

    def verdict_counts(self) -> dict[str, int]:
        """How many claims got each verdict, printed and withheld together."""
        counts = {v.value: 0 for v in Verdict}
        for section in self.sections:
            for claim in section.claims:
                counts[claim.verdict.value] += 1
        for claim in self.withheld:
            counts[claim.verdict.value] += 1
        return counts

    def to_dict(self) -> dict[str, Any]:
        """The JSON form, schema version first."""
        return {
            "schema": SCHEMA,
            "report_id": self.report_id,
            "case_id": self.case_id,
            "created": self.created,
            "research_use": RESEARCH_USE,
            "synthetic": self.synthetic,
            "image_functions": self.image_functions,
            "versions": dict(self.versions),
            "verdict_counts": self.verdict_counts(),
            "raw_claims": dict(self.raw_claims),
            "sections": [
                {"id": s.id, "title": s.title, "note": s.note, "claims": [_claim(c) for c in s.claims]}
                for s in self.sections
            ],
            "evidence": [_evidence(e) for e in self.evidence],
            "therapies": [dict(t) for t in self.therapies],
            "predictions": [dict(p) for p in self.predictions],
            "similar_cases": [dict(s) for s in self.similar_cases],
            "neighbour_survival": dict(self.neighbour_survival),
            "withheld": [_claim(c) for c in self.withheld],
            "contradictions": [dict(c) for c in self.contradictions],
            "missing": [dict(m) for m in self.missing],
            "warnings": list(self.warnings),
            "reliance": dict(self.reliance),
            "timings_s": dict(self.timings_s),
            "figures": dict(self.figures),
        }


def _claim(claim: CheckedClaim) -> dict[str, Any]:
    return {
        "text": claim.text,
        "citations": list(claim.citations),
        "verdict": claim.verdict.value,
        "reason": claim.reason,
        "raw": claim.raw,
        "quoted": claim.quoted,
    }


def _evidence(item: Evidence) -> dict[str, Any]:
    fields = {k: {"value": f.value, "display": f.display, "unit": f.unit} for k, f in item.fields.items()}
    source = {k: v for k, v in vars(item.source).items() if v is not None}
    return {
        "id": item.id,
        "kind": item.kind.value,
        "type": item.type,
        "text": item.text,
        "fields": fields,
        "source": source,
    }


def write_report_json(report: Report, folder: Path) -> Path:
    """Write ``report.json`` into ``folder`` and return its path."""
    path = folder / "report.json"
    write_atomically(path, json.dumps(report.to_dict(), indent=1, ensure_ascii=False, allow_nan=False) + "\n")
    return path
