"""The further tables of a run: rubric, retrieval, subgroups, ablations, RAGAS, cost. Summary and page both show them.

Not known here: how a figure was made.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

Figures = Mapping[str, Any]


@dataclass(frozen=True)
class Table:
    """title, what to know of it, column heads, rows of cells."""

    title: str
    note: str
    head: tuple[str, ...]
    rows: Sequence[Sequence[object]]


def more_tables(metrics: Figures) -> list[Table]:
    """The tables that these metrics have something for."""
    return [make(found) for name, make in _TABLES.items() if (found := metrics.get(name))]


def markdown_rows(table: Table) -> list[str]:
    """The lines of a table in Markdown."""
    lines = [f"| {' | '.join(table.head)} |", "|" + "---|" * len(table.head)]
    return lines + [f"| {' | '.join(str(c).replace('|', '/') for c in row)} |" for row in table.rows]


def number(value: float | None) -> str:
    """Three digits, or what says that there is none."""
    return "not measured" if value is None else f"{value:.3f}"


def interval(figures: Figures) -> str:
    """ "0.812 to 0.843"."""
    found = figures["interval"]
    return "" if found is None else f"{found[0]:.3f} to {found[1]:.3f}"


def _rubric(found: Figures) -> Table:
    errors = ", ".join(f"{count} {name}" for name, count in found["errors"].items())
    weights = ", ".join(f"{name} {weight:g}" for name, weight in found["weights"].items())
    note = (
        f"{found['judged']} answers judged by {found['criteria']} criteria. {found['criteria_unread']} judgements "
        f"could not be read; the {found['items_not_scored']} answers they belong to are not scored. Faults met and "
        f"criteria missed: {errors}; weighted sum {found['weighted_errors']:g} (weights {weights})."
    )
    rows = [("all criteria", found["healthbench_score"]), *found["tags"].items()]
    return Table(
        "Rubric scores", note, ("criteria", "answers", "score", "95 % interval"),
        [(name, f["n"], number(f["mean"]), interval(f)) for name, f in rows],
    )  # fmt: skip


def _retrieval(found: Figures) -> Table:
    note = f"Over {found['n']} items with labelled documents; {found['without_labels']} have none."
    rows = [(n.replace("_", " "), number(f["mean"]), interval(f)) for n, f in found.items() if isinstance(f, Mapping)]
    return Table("Retrieval", note, ("figure", "mean", "95 % interval"), rows)


def _groups(found: Figures) -> Table:
    rows: list[tuple[object, ...]] = []
    for attribute, f in found.items():
        rows += [(attribute, name, g["n"], number(g["accuracy"]), interval(g)) for name, g in f["groups"].items()]
        gap = f["gap"]
        if gap:
            rows.append(
                (attribute, f"gap: {gap['best']} less {gap['worst']}", "", number(gap["difference"]), interval(gap))
            )
        missing, small = f["of"] - f["carried_by"], f["groups_too_small"]
        if missing or small:
            rows.append((attribute, f"{missing} items without it, {small} groups too small to show", "", "", ""))
    note = "A gap is between the two groups that lie furthest apart; among many small groups one of chance is expected."
    return Table("Subgroups", note, ("attribute", "group", "n", "accuracy", "95 % interval"), rows)


def _ablations(found: Sequence[Figures]) -> Table:
    rows = []
    for f in found:
        if f.get("reason"):
            rows.append((f["name"], 0, "", "", f["reason"], "", ""))
            continue
        rows.append(
            (f["name"], f["n"], number(f["whole"]), number(f["ablated"]), f"{f['difference']:+.3f}",
             f"{f['interval'][0]:+.3f} to {f['interval'][1]:+.3f}", f"{f['answers_changed'] / f['n']:.1%}")
        )  # fmt: skip
    head = ("row", "n", "whole", "ablated", "difference", "95 % interval", "answers changed")
    note = (
        "Paired, ablated less whole, on the items that have what was taken away. What answers hardly change without "
        "was hardly read."
    )
    return Table("Ablations and modality reliance", note, head, rows)


def _ragas(found: Figures) -> Table:
    rows = [
        (name, f["n"], f["nan"], f["missing"], number(f["mean"]), interval(f)) for name, f in found["metrics"].items()
    ]
    note = "Scored by RAGAS, read from its table. NaN: it gave no number; missing: the table has no row of the item."
    if found["unmatched_rows"]:
        note += f" {found['unmatched_rows']} rows of the table belong to no item of this run."
    return Table("RAGAS", note, ("figure", "n", "NaN", "missing", "mean", "95 % interval"), rows)


def _cost(found: Figures) -> Table:
    rows: list[tuple[object, object]] = [
        ("seconds an item, median", f"{found['p50_s']:.3g}"),
        ("seconds an item, 95th percentile", f"{found['p95_s']:.3g}"),
        ("prompt tokens", found["prompt_tokens"]),
        ("completion tokens", found["completion_tokens"]),
        ("answers without a token count", found["answers_without_a_count"]),
    ]
    return Table("Cost", "", ("figure", "value"), rows)


_TABLES: Mapping[str, Callable[[Any], Table]] = {
    "rubric": _rubric,
    "retrieval": _retrieval,
    "groups": _groups,
    "ablations": _ablations,
    "ragas": _ragas,
    "cost": _cost,
}
