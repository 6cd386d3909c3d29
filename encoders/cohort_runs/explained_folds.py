"""Explanations of a run's own network over its folds: what was found in each fold, brought together.

What this module does not know: how an explanation is made (encoders/cohort_networks/explanations.py).
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

MOST = 20


def explanations_over_folds(files: Sequence[Path]) -> list[dict[str, Any]]:
    """One entry an explanation: its deletion test and completeness over folds, and what was named most.

    files : explanations.json of each fold; those that are not there are counted in "folds" by their absence
    top_over_random : mean shift by the top columns over that by random ones, patients of all folds together
    columns, units : [name(s), folds that name it among their most, mean |value| over those folds]
    """
    folds = [json.loads(path.read_text(encoding="utf-8")) for path in files if path.is_file()]
    keys = list(dict.fromkeys((row["of"], row["explanation"]) for rows in folds for row in rows))
    return [
        _together([row for rows in folds for row in rows if (row["of"], row["explanation"]) == key]) for key in keys
    ]


def _together(rows: list[dict[str, Any]]) -> dict[str, Any]:
    patients = np.array([row["patients"] for row in rows], np.float64)
    top, by_chance = (float(patients @ [row[name] for row in rows]) for name in ("moved_by_top", "moved_by_random"))
    errors = [row["completeness_error"] for row in rows if row["completeness_error"] is not None]
    return {
        "of": rows[0]["of"],
        "explanation": rows[0]["explanation"],
        "folds": len(rows),
        "patients": int(patients.sum()),
        "top_over_random": top / by_chance if by_chance > 0 else None,
        "completeness_error": max(errors) if errors else None,
        "columns": _named([[tuple(c[:2]), c[2]] for row in rows for c in row["columns"]]),
        "units": _named([[(u[0],), u[1]] for row in rows for u in row["units"]]),
    }


def _named(found: list[list[Any]]) -> list[list[Any]]:
    folds = Counter(name for name, _ in found)
    total: dict[Any, float] = {}
    for name, value in found:
        total[name] = total.get(name, 0.0) + value
    order = sorted(folds, key=lambda name: (-folds[name], -total[name]))[:MOST]
    return [[*name, folds[name], total[name] / folds[name]] for name in order]
