"""The project's scoreboard: the rows with a bar of every benchmark in one table, with an anchor and the command.

Rows are kept as they are measured, one file a benchmark, newest first for each row, so a long benchmark can be measured
group by group; every row says on which commit and machine it was. A row that misses its bar, or could not be measured,
stands in the table like any other.

Not known here: what a benchmark measures.
"""

from __future__ import annotations

import datetime
import json
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from encoders.atomic_write import write_atomically
from encoders.errors import InputError
from eval.benchmark import BenchmarkResult, Better, Progress

BEGIN, END = "<!-- scoreboard: made by `radomica eval all`, do not edit -->", "<!-- end of scoreboard -->"

_NO_BAR = re.compile(r"\bno bar\b")
LETTERS = 26

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
    """(rows that miss, the table) of all rows kept in ``out`` that have a bar; rows without one are counted below it.

    Raises
    ------
    InputError: nothing was measured there.
    """
    files = sorted(p for p in out.glob("*.json") if p.is_file())
    rows = [(path.stem, row) for path in files for row in _read(path)["rows"]]
    if not rows:
        raise InputError(f"{out} holds no measured row; run `radomica eval all --out {out.name}` first.")
    barred = [(name, row) for name, row in rows if has_bar(row)]
    machines = list(dict.fromkeys(_when(row, "machine") for _, row in barred))
    lines = ["| `radomica eval` | row | figure | bar | others | n | measured |", "|---|---|---|---|---|---|---|"]
    lines += [_line(name, row, machines) for name, row in barred]
    missed = sum(not row["ok"] for _, row in barred)
    said = "every row holds" if not missed else f"{missed} of {len(barred)} rows miss, marked in bold"
    without = len(rows) - len(barred)
    said += f"; {without} rows measured without a bar are not shown" if without else ""
    where = [f"{_letter(i)}: {name}." for i, name in enumerate(machines)]
    return missed, "\n".join([*lines, "", f"{len(barred)} rows; {said}. {' '.join(where)}"]) + "\n"


def has_bar(row: Mapping[str, Any]) -> bool:
    """Whether a row is held to anything: those measured beside others say "no bar" in their note."""
    return not _NO_BAR.search(str(row.get("note", "")))


def _when(row: Mapping[str, Any], name: str) -> str:
    return str(row.get("measured", {}).get(name, "not known"))


def _letter(number: int) -> str:
    """a, b, ... for the machines, numbers past z."""
    return chr(ord("a") + number) if number < LETTERS else str(number)


def _line(name: str, row: Mapping[str, Any], machines: Sequence[str]) -> str:
    value = "not measured" if row["value"] is None else f"{row['value']:g}"
    if row.get("interval"):
        value += " ({:g} to {:g})".format(*row["interval"])
    value = value if row["ok"] else f"**{value}, missed**"
    sign = ">=" if row["better"] == Better.HIGHER.value else "<="
    where = f"{_when(row, 'date')}, {_when(row, 'commit')}, {_letter(machines.index(_when(row, 'machine')))}"
    short, bar = row["id"].removeprefix(f"{name}."), f"{sign} {row['bar']:g}"
    return f"| `{name}` | {short} | {value} | {bar} | {ANCHORS.get(row['id'], '')} | {row['n']} | {where} |"


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
