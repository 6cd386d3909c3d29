"""The project's scoreboard: the rows of every benchmark in one table, each with its bar, an anchor and its command.

Rows are kept as they are measured, one file a benchmark, newest first for each row, so a long benchmark can be measured
group by group; every row says on which commit and machine it was. A row that misses its bar, or could not be measured,
stands in the table like any other.

Not known here: what a benchmark measures.
"""

from __future__ import annotations

import datetime
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from encoders.atomic_write import write_atomically
from encoders.errors import InputError
from eval.benchmark import BenchmarkResult, Better, Progress

BEGIN, END = "<!-- scoreboard: made by `radomica eval all`, do not edit -->", "<!-- end of scoreboard -->"

ANCHORS: Mapping[str, str] = {
    "fusion.porpoise.mean": "ridge Cox .655, plain ensemble .669 on the same folds",
    "fusion.deepsurv.metabric": "DeepSurv .643",
    "fusion.deepsurv.support": "DeepSurv .618",
    "fusion.rosmap.auc": "MOGONET .874 on its own test part",
}
"""Row id -> what others reach, where a comparable figure is published."""


def keep_rows(out: Path, result: BenchmarkResult) -> None:
    """Add the rows of a result to ``out/NAME.json``: a row measured again takes the place of the older one.

    Raises
    ------
    InputError: the file is there and is no such file.
    """
    path = out / f"{result.benchmark}.json"
    made = result.to_dict()
    when = {"commit": made["commit"], "machine": made["machine"], "seed": made["seed"]}
    when["date"] = datetime.datetime.now(datetime.UTC).date().isoformat()
    rows = {row["id"]: row for row in (_read(path)["rows"] if path.is_file() else [])}
    rows |= {row["id"]: row | {"measured": when} for row in made["rows"]}
    write_atomically(path, json.dumps({"benchmark": result.benchmark, "rows": list(rows.values())}, indent=1) + "\n")


def _read(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise InputError(f"{path}: not JSON ({error}); remove it and measure again.") from error
    if not isinstance(found, dict) or not isinstance(found.get("rows"), list):
        raise InputError(f"{path}: holds no rows of a benchmark; remove it and measure again.")
    return found


def run_all(
    names: Sequence[str], run: Callable[[str], BenchmarkResult], out: Path, *, progress: Progress = None
) -> tuple[int, str]:
    """Run the benchmarks one after another, keep their rows, and give (rows missed, the table in Markdown)."""
    for name in names:
        if progress:
            progress(f"benchmark {name}")
        keep_rows(out, run(name))
    return board(out)


def board(out: Path) -> tuple[int, str]:
    """(rows that miss, the table) of all rows kept in ``out``.

    Raises
    ------
    InputError: nothing was measured there.
    """
    files = sorted(p for p in out.glob("*.json") if p.is_file())
    rows = [(path.stem, row) for path in files for row in _read(path)["rows"]]
    if not rows:
        raise InputError(f"{out} holds no measured row; run `radomica eval all --out {out.name}` first.")
    lines = ["| row | figure | bar | others | command | measured |", "|---|---|---|---|---|---|"]
    lines += [_line(name, row) for name, row in rows]
    missed = sum(not row["ok"] for _, row in rows)
    said = "every row holds" if not missed else f"{missed} of {len(rows)} rows miss, marked in bold"
    return missed, "\n".join([*lines, "", f"{len(rows)} rows; {said}."]) + "\n"


def _line(name: str, row: Mapping[str, Any]) -> str:
    value = "not measured" if row["value"] is None else f"{row['value']:g}"
    if row.get("interval"):
        value += " ({:g} to {:g})".format(*row["interval"])
    value = value if row["ok"] else f"**{value}**"
    sign = "at least" if row["better"] == Better.HIGHER.value else "at most"
    measured = row.get("measured", {})
    when = f"{measured.get('date', '')} {measured.get('commit', '')}".strip()
    group = row["id"].split(".")[0]
    command = f"`radomica eval {name}`" if group == name else f"`radomica eval {name}`, {group}"
    return f"| {row['id']} | {value} | {sign} {row['bar']:g} | {ANCHORS.get(row['id'], '')} | {command} | {when} |"


def into_readme(readme: Path, table: str) -> None:
    """Put the table between the marks of a README.

    Raises
    ------
    InputError: the marks are not there, once each and in order.
    """
    text = readme.read_text(encoding="utf-8")
    if text.count(BEGIN) != 1 or text.count(END) != 1 or text.index(BEGIN) > text.index(END):
        raise InputError(f"{readme} lacks the marks {BEGIN} and {END}, once each in this order; put them in first.")
    head, tail = text.split(BEGIN)[0], text.split(END)[1]
    write_atomically(readme, f"{head}{BEGIN}\n{table}{END}{tail}")
