"""Rows of the similar-cases section: the neighbours one by one, and the survival of many of them beside all.

Not known here: how cases were found, how a curve was estimated. Not checked: that the figures are right.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

MOST_SHARED, MOST_DIFFERENCES = 5, 3
"""Features of a neighbour printed in its row, the most telling first; report.json has them all."""


def neighbour_table(survival: Mapping[str, Any]) -> dict[str, Any]:
    """{about, groups, rows, ids}: the neighbours beside all they were chosen from; {} without a curve.

    rows : (measure, one value per group); about : who the patients are, "synthetic" first where they are
    """
    groups = {"most similar": survival.get("neighbours"), "all": survival.get("reference")}
    curves = {name: curve for name, curve in groups.items() if curve}
    if "most similar" not in curves:
        return {}
    kind = "synthetic reference patients" if survival.get("synthetic") else "reference patients"
    whole = "of the same cancer" if survival.get("oncotree_code") else "of every cancer"
    told = [_told(curve) for curve in curves.values()]
    return {
        "about": f"{kind} {whole}",
        "groups": [f"{curve['n']} {name}" if name != "all" else f"all {curve['n']}" for name, curve in curves.items()],
        "rows": [(measure, [values[measure] for values in told]) for measure in told[0]],
        "ids": _evidence_ids(survival),
    }


def _told(curve: Mapping[str, Any]) -> dict[str, str]:
    median, (low, high) = curve["median_months"], curve["median_interval_months"]
    ends = f" ({_months(low)} to {_months(high)})" if median is not None else ""
    shares = {
        s["month"]: f"{100 * s['share']:.0f} % ({100 * s['lower']:.0f} to {100 * s['upper']:.0f})"
        for s in curve["shares"]
    }
    return {
        "Deaths": str(curve["events"]),
        "Median, months": f"{_months(median)}{ends}",
        "Alive at 1 year": shares.get(12.0, "too few followed"),
        "Alive at 3 years": shares.get(36.0, "too few followed"),
    }


def _months(value: float | None) -> str:
    return "not reached" if value is None else f"{value:.0f}"


def similar_rows(cases: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """{case, similarity, shared, differing, followup, outcome, ids} for each neighbour."""
    return [
        {
            "case": str(c["case_id"]),
            "similarity": f"{float(c['similarity']):.2f}",
            "shared": ", ".join((c.get("shared") or ())[:MOST_SHARED]),
            "differing": ", ".join((c.get("differing") or ())[:MOST_DIFFERENCES]),
            "followup": f"{float(c['followup_months']):.0f} months",
            "outcome": "died" if c["event"] else "alive",
            "ids": _evidence_ids(c),
        }
        for c in cases
    ]


def _evidence_ids(row: Mapping[str, Any]) -> list[str]:
    return [row["evidence_id"]] if row.get("evidence_id") else []
