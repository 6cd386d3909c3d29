"""A run in the fields RAGAS reads, and the table it scores read back into the run.

Written, one JSON line an item: user_input (the question as it was asked, options under it), response (the answer as
written), retrieved_contexts (texts of the passages found), reference (what is right, in words), reference_contexts
where the set has gold texts, and ``key``, by which a scored table is matched; RAGAS drops fields it does not know, so a
table without it is matched by user_input and response, the first free item first.

Read: CSV, JSON (a list of rows) or JSON lines, with any columns of numbers (faithfulness, answer_relevancy,
context_precision, context_recall, ...). An empty cell, ``nan`` or ``null`` is NaN: counted and shown, never dropped in
silence and never 0.

Not known here: what a column measures. The fields are those of RAGAS 0.2 and later (SingleTurnSample); no RAGAS is
installed or called.

References
----------
Es et al., EACL 2024 demo, arXiv 2309.15217 (RAGAS).
"""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from encoders.atomic_write import write_atomically
from encoders.errors import InputError
from eval.suites.folder import CONFIG, ITEMS, METRICS, RAGAS, lines
from eval.suites.run import write_pages
from eval.suites.score import cluster_bootstrap

SAMPLE_FIELDS = (
    "key", "user_input", "response", "retrieved_contexts", "reference", "reference_contexts", "retrieved_context_ids",
    "reference_context_ids", "multi_responses", "rubrics", "rubric", "persona_name", "query_style", "query_length",
)  # fmt: skip
"""Columns that are the sample, not a figure."""


def export_ragas(run: Path, out: Path) -> dict[str, int]:
    """Write every item of a run folder; gives items, and how many lack contexts, a reference or a response.

    Raises
    ------
    InputError: ``run`` is no run folder, or was made before questions and passages were kept in it.
    """
    _check(run)
    rows = [_sample(line, run) for line in lines(run / ITEMS)]
    write_atomically(out, "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows))
    return {
        "items": len(rows),
        "without_contexts": sum(not row["retrieved_contexts"] for row in rows),
        "without_reference": sum(not row["reference"] for row in rows),
        "without_response": sum(not row["response"] for row in rows),
    }


def _check(run: Path) -> None:
    if not (run / CONFIG).is_file() or not (run / METRICS).is_file():
        raise InputError(f"{run} is no finished run folder; give the --out of a `radomica eval run`.")


def _sample(line: Mapping[str, Any], run: Path) -> dict[str, Any]:
    if "question" not in line:
        raise InputError(f"{run}: item {line['key']} holds no question; this run is of an older form, run it again.")
    options = line["options"]
    listed = "".join(f"\n{letter}. {text}" for letter, text in options.items())
    return {
        "key": line["key"],
        "user_input": line["question"] + listed,
        "response": line["raw"],
        "retrieved_contexts": [p["text"] for p in line["passages"]],
        "reference": "; ".join(f"{g}. {options[g]}" if g in options else g for g in line["gold"]),
        **({"reference_contexts": line["reference_contexts"]} if line.get("reference_contexts") else {}),
    }


def import_ragas(run: Path, table: Path, *, seed: int = 0) -> dict[str, Any]:
    """Read a scored table into a run folder (ragas.json, summary, page); gives its figures.

    Returns
    -------
    metrics : name -> n, nan, missing (items without a row), mean, 95 % interval (bootstrap over cases) of what has a
    number; unmatched_rows : rows of no item

    Raises
    ------
    InputError: ``run`` is no run folder; the table cannot be read, has no column of numbers, matches no item, has a
    cell that is neither a number nor NaN, or names an item twice.
    """
    _check(run)
    rows = list(_rows(table))
    items = list(lines(run / ITEMS))
    matched, unmatched = _match(rows, items, run)
    if not matched:
        raise InputError(f"{table}: none of its {len(rows)} rows belongs to an item of {run}; export that run first.")
    others = [name for name in dict.fromkeys(k for row in rows for k in row) if name not in SAMPLE_FIELDS]
    names = [name for name in others if any(_is_score(row.get(name)) for row in matched.values())]
    if not names:
        raise InputError(f"{table}: has no column of scores; it has {', '.join(others) or 'the sample alone'}.")
    columns = {name: {key: _number(row.get(name), name, key, table) for key, row in matched.items()} for name in names}
    cases = {line["key"]: line["case"] if line["case"] is not None else f"\0{line['key']}" for line in items}
    figures = {
        "metrics": {name: _figure(found, cases, seed) for name, found in columns.items()},
        "unmatched_rows": unmatched,
        "columns_without_a_score": [name for name in others if name not in names],
        "table": table.name,
    }
    scores = {key: {n: columns[n][key] for n in names} for key in matched}
    write_atomically(run / RAGAS, json.dumps({"figures": figures, "items": scores}, indent=1, allow_nan=False) + "\n")
    write_pages(run, json.loads((run / METRICS).read_text(encoding="utf-8")))
    return figures


def _rows(table: Path) -> Iterator[dict[str, Any]]:
    try:
        text = table.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{table}: cannot be read ({error}); give CSV, JSON or JSON lines.") from error
    if table.suffix == ".csv":
        yield from csv.DictReader(io.StringIO(text))
        return
    try:
        whole = json.loads(text) if text.lstrip().startswith("[") else [json.loads(x) for x in text.splitlines() if x]
    except ValueError as error:
        raise InputError(f"{table}: neither CSV, JSON nor JSON lines ({error}).") from error
    for number, row in enumerate(whole, 1):
        if not isinstance(row, dict):
            raise InputError(f"{table}: row {number} is no object; give a row an item.")
        yield row


def _match(
    rows: Sequence[Mapping[str, Any]], items: Sequence[Mapping[str, Any]], run: Path
) -> tuple[dict[str, Mapping[str, Any]], int]:
    """Key -> row, and the rows of no item."""
    free: dict[tuple[str, str], list[str]] = {}
    for line in reversed(items):
        sample = _sample(line, run)
        free.setdefault((sample["user_input"], sample["response"]), []).append(line["key"])
    known = {line["key"] for line in items}
    matched: dict[str, Mapping[str, Any]] = {}
    unmatched = 0
    for row in rows:
        key = row.get("key")
        if key is None:
            waiting = free.get((str(row.get("user_input")), str(row.get("response") or "")), [])
            key = waiting.pop() if waiting else None
        if key not in known:
            unmatched += 1
        elif key in matched:
            raise InputError(f"the scored table names item {key} twice; give one row an item.")
        else:
            matched[str(key)] = row
    return matched, unmatched


_NAN = ("", "nan", "null", "none")


def _is_score(cell: object) -> bool:
    """Whether a cell is a number or NaN; a column without such a cell is text and no figure."""
    if cell is None or str(cell).strip().lower() in _NAN:
        return True
    try:
        return math.isfinite(float(cell))  # type: ignore[arg-type]
    except (TypeError, ValueError):
        return False


def _number(cell: object, name: str, key: str, table: Path) -> float | None:
    """A score, or None for NaN."""
    if cell is None or (isinstance(cell, str) and cell.strip().lower() in _NAN):
        return None
    try:
        value = float(cell)  # type: ignore[arg-type]
    except (TypeError, ValueError) as error:
        raise InputError(
            f"{table}: {name} of {key} is {str(cell)[:60]!r}; a score is a number, or empty for none."
        ) from error
    return value if math.isfinite(value) else None


def _figure(found: Mapping[str, float | None], cases: Mapping[str, str], seed: int) -> dict[str, Any]:
    told = {key: value for key, value in found.items() if value is not None}
    counts = {"n": len(told), "nan": len(found) - len(told), "missing": len(cases) - len(found)}
    if not told:
        return {**counts, "mean": None, "interval": None}
    values = np.array(list(told.values()), np.float64)
    low, high = cluster_bootstrap(values, [cases[key] for key in told], seed=seed)
    return {**counts, "mean": float(values.mean()), "interval": [low, high]}
