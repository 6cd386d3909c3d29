"""``radomica eval suites``: the harness measured with backends that answer by the book, checked by arithmetic.

mirage     a perfect and four constant backends over the developers' MIRAGE file: every item once, the score what a
           count of the file's own answer keys says
published  BioASQ, PubMedQA and MTBBench in their published forms: items run are items counted in the files, published
           figures stand beside ours
resume     a run killed with SIGKILL at random points ends with the figures of one that was not (endurance.py)
speed      items a second on one core, memory over 100,000 items (endurance.py)

Nothing here says anything about a language model. Keys are counted from the files' JSON, not by the reader under test.
"""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from eval.benchmark import Better, Progress, Row, grouped_benchmark
from eval.suites.ask import System
from eval.suites.endurance import resume_rows, speed_rows
from eval.suites.folder import ITEMS, RunConfig, lines
from eval.suites.item import Suite
from eval.suites.read import read_suite
from eval.suites.run import run_suite
from eval.suites.scripted import Scripted
from eval.suites.summary import PUBLISHED

Counts = Mapping[str, Mapping[str, int]]
"""Set -> gold answer -> how many items have it."""

CONSTANTS = "ABCD"


def mirage_rows(seed: int, shared: Path, progress: Progress) -> tuple[Row, ...]:
    """Items not run exactly once; distance of each backend's accuracy from what the answer keys say."""
    path = shared / "qa" / "mirage" / "benchmark.json"
    names = ("mirage.items_not_run_once", "mirage.perfect_distance", "mirage.constant_distance")
    if not path.is_file():
        return _absent(names)
    content = json.loads(path.read_text(encoding="utf-8"))
    keys: Counts = {name: Counter(q["answer"] for q in items.values()) for name, items in content.items()}
    start = time.monotonic()
    suite = read_suite("mirage", path)
    perfect = _ran("scripted", suite, seed)
    wrong_counts, off_perfect = _not_run(perfect, keys), max(abs(a - 1) for _, a in perfect.sets.values())
    off_constant = 0.0
    for letter in CONSTANTS:
        if progress:
            progress(f"constant {letter}")
        found = _ran(f"scripted:{letter}", suite, seed)
        wrong_counts += _not_run(found, keys)
        expected = {name: count[letter] / sum(count.values()) for name, count in keys.items()}
        off_constant = max(off_constant, *(abs(found.sets[name][1] - expected[name]) for name in keys))
    n, seconds = sum(sum(c.values()) for c in keys.values()), time.monotonic() - start
    note = ", ".join(f"{name} {sum(c.values())}" for name, c in keys.items())
    return (
        Row(names[0], float(wrong_counts), 0, Better.LOWER, n, seconds, note=note),
        Row(names[1], off_perfect, 0, Better.LOWER, n, 0.0, note="largest over the sets"),
        Row(names[2], off_constant, 0, Better.LOWER, n, 0.0, note=f"largest over the sets and {CONSTANTS}"),
    )


def _absent(names: tuple[str, ...]) -> tuple[Row, ...]:
    note = "the developers' question sets are not beside this checkout"
    return tuple(Row(name, None, 0, Better.LOWER, 0, 0.0, note=note) for name in names)


@dataclass(frozen=True)
class _Ran:
    """twice : records less distinct items; sets : name -> (n, accuracy); summary : summary.md as written."""

    twice: int
    sets: Mapping[str, tuple[int, float]]
    summary: str


def _ran(spec: str, suite: Suite, seed: int) -> _Ran:
    """A run with a scripted backend."""
    with TemporaryDirectory(prefix="radomica-suites-") as folder:
        metrics = _run(spec, suite, Path(folder), seed)
        keys = [line["key"] for line in lines(Path(folder) / ITEMS)]
        summary = (Path(folder) / "summary.md").read_text(encoding="utf-8")
    return _Ran(
        len(keys) - len(set(keys)), {name: (f["n"], f["accuracy"]) for name, f in metrics["sets"].items()}, summary
    )


def _run(spec: str, suite: Suite, out: Path, seed: int) -> dict[str, Any]:
    config = RunConfig(suite.name, "the developers' file", suite.sha256, System.LLM, spec, seed)
    return run_suite(config, suite, Scripted(spec), out)


def _not_run(found: _Ran, keys: Counts) -> int:
    """Records that stand twice, and items by which the sets' sizes differ from the file's."""
    return found.twice + sum(
        abs(found.sets.get(name, (0, 0.0))[0] - sum(count.values())) for name, count in keys.items()
    )


def published_rows(seed: int, shared: Path, progress: Progress) -> tuple[Row, ...]:
    """Items of three published forms neither run once nor listed; published figures that the summary does not show."""
    names = tuple(f"published.{name}_unaccounted" for name in _FORMS)
    ends = ("published.perfect_distance", "published.anchors_not_shown")
    if not all((shared / "qa" / where).exists() for where, _ in _FORMS.values()):
        return _absent((*names, *ends))
    start, rows, off, unseen, bare = time.monotonic(), [], 0.0, 0, []
    for row_name, (name, (where, count)) in zip(names, _FORMS.items(), strict=True):
        if progress:
            progress(name)
        path = shared / "qa" / where
        suite, expected = read_suite(name, path), count(path)
        found = _ran("scripted", suite, seed)
        missing = found.twice + abs(expected - sum(n for n, _ in found.sets.values()) - len(suite.problems))
        off = max(off, *(abs(a - 1) for _, a in found.sets.values()))
        unseen += _not_shown(found)
        bare += [one for one in found.sets if one not in PUBLISHED]
        said = ", ".join(f"{k} {n}" for k, (n, _) in found.sets.items())
        note = f"{said}; {len(suite.problems)} listed as left out"
        rows.append(Row(row_name, float(missing), 0, Better.LOWER, expected, 0.0, note=note))
    seconds = time.monotonic() - start
    note = f"none is known for {', '.join(bare)}" if bare else ""
    return (
        *rows,
        Row(ends[0], off, 0, Better.LOWER, len(_FORMS), seconds),
        Row(ends[1], float(unseen), 0, Better.LOWER, len(_FORMS), 0.0, note=note),
    )


def _not_shown(found: _Ran) -> int:
    """Published figures of the run's sets that do not stand in the line of their set."""
    said = {line.split("|")[1].strip(): line for line in found.summary.splitlines() if line.startswith("| ")}
    return sum(
        f"{who} {value:.3f}" not in said.get(name, "")
        for name in found.sets
        for who, value, _ in PUBLISHED.get(name, ())
    )


def _bioasq_count(folder: Path) -> int:
    ids = [q["id"] for p in sorted(folder.glob("*.json")) for q in json.loads(p.read_text())["questions"]]
    return len(ids)


def _pubmedqa_count(path: Path) -> int:
    return len(json.loads(path.read_text()))


def _mtbbench_count(folder: Path) -> int:
    return sum(len(json.loads(p.read_text())["steps"]) for p in sorted(folder.glob("*.json")))


_FORMS: Mapping[str, tuple[str, Callable[[Path], int]]] = {
    "bioasq": ("bioasq_golden", _bioasq_count),
    "pubmedqa": ("pubmedqa/ori_pqal.json", _pubmedqa_count),
    "mtbbench": ("mtbbench/hancock", _mtbbench_count),
}
"""Form -> (where it lies, how many questions its files hold)."""

run_suites_benchmark = grouped_benchmark(
    "suites",
    {"mirage": mirage_rows, "published": published_rows, "resume": resume_rows, "speed": speed_rows},
)
