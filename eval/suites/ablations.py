"""What each part is worth: the same items again with a part of the system, or of the case, taken away.

System rows: an ``assistant`` run comes with ``llm alone`` (the question and what is given, nothing else) and ``rag``; a
``rag`` run with ``llm alone``. Modality rows, of items whose case is told in parts (item.PARTS):

X removed     the part is not told
X swapped     another case's part stands in its place (imaging, omics: "shuffled over cases"); a system that answers
              the same was not reading the part

Each row is a run of its own in ``ablations/NAME`` under the run's folder, so it is resumed, judged and kept as any run;
the differences are paired (compare.py). The swap is one cycle over the cases in an order drawn from the seed: nobody
keeps the own part.

Not measured here: parts that are only files (pictures.py shows pictures to a backend that reads them;
none is taken away).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from encoders.atomic_write import write_atomically
from eval.benchmark import Progress
from eval.suites.ask import Reply, Search, System
from eval.suites.compare import compare_runs
from eval.suites.folder import ABLATIONS, RunConfig
from eval.suites.item import PARTS, Item, Suite
from eval.suites.judge import Judge
from eval.suites.read import first_of_each
from eval.suites.run import run_suite, write_pages

SWAPPED = {"imaging": "imaging swapped", "omics": "omics shuffled"}
"""Part -> name of the row in which another case's stands in its place."""

_SMALLER: Mapping[System, tuple[tuple[str, System], ...]] = {
    System.LLM: (),
    System.RAG: (("llm alone", System.LLM),),
    System.ASSISTANT: (("llm alone", System.LLM), ("rag", System.RAG)),
}


@dataclass(frozen=True)
class Ablation:
    """One row: its name, the system, the items as changed. reason : why there is nothing to run; "" = there is."""

    name: str
    system: System
    items: tuple[Item, ...]
    reason: str = ""


def ablations_of(system: System, items: Sequence[Item], *, seed: int) -> tuple[Ablation, ...]:
    """The rows that a run of these items comes with."""
    rows = [Ablation(name, smaller, tuple(items)) for name, smaller in _SMALLER[system]]
    for part in PARTS:
        having = [item for item in items if item.parts.get(part)]
        if not having:
            continue
        rows.append(Ablation(f"{part} removed", system, tuple(_with_part(i, part, "") for i in having)))
        if part in SWAPPED:
            exchanged = _swapped(having, part, seed)
            reason = "" if exchanged else "one case alone has this part; there is none to exchange it with"
            rows.append(Ablation(SWAPPED[part], system, exchanged, reason))
    return tuple(rows)


def _with_part(item: Item, part: str, text: str) -> Item:
    return replace(item, parts={**item.parts, part: text})


def _case(item: Item) -> str:
    return item.case if item.case is not None else item.key


def _swapped(items: Sequence[Item], part: str, seed: int) -> tuple[Item, ...]:
    """Every item with the part of the next case of one random cycle; () where there is one case."""
    text = {_case(item): item.parts[part] for item in items}
    cases = sorted(text)
    if len(cases) < 2:
        return ()
    order = [cases[i] for i in np.random.default_rng(seed).permutation(len(cases))]
    donor = dict(zip(order, [*order[1:], order[0]], strict=True))
    return tuple(_with_part(item, part, text[donor[_case(item)]]) for item in items)


def run_with_ablations(
    config: RunConfig,
    suite: Suite,
    reply: Reply,
    out: Path,
    *,
    search: Search | None = None,
    judge: Judge | None = None,
    parallel: int = 1,
    progress: Progress = None,
) -> dict[str, Any]:
    """``run_suite`` and then every row of ``ablations_of``; the figures go into the run's metrics, summary and page.

    Raises
    ------
    As ``run_suite``; the same command goes on, whichever row it stopped in.
    """

    def run(config: RunConfig, suite: Suite, out: Path) -> dict[str, Any]:
        return run_suite(
            config, suite, reply, out, search=search, judge=judge, parallel=parallel, progress=progress
        )  # fmt: skip

    metrics = run(config, suite, out)
    rows = ablations_of(config.system, first_of_each(suite.items, config.limit), seed=config.seed)
    figures = [_one_row(row, config, suite, out, run, progress) for row in rows]
    if figures:
        write_atomically(out / ABLATIONS, json.dumps({"figures": figures}, indent=1, allow_nan=False) + "\n")
        return write_pages(out, metrics)
    return metrics


def _one_row(
    row: Ablation,
    config: RunConfig,
    suite: Suite,
    out: Path,
    run: Callable[[RunConfig, Suite, Path], dict[str, Any]],
    progress: Progress,
) -> dict[str, Any]:
    if row.reason:
        return {"name": row.name, "n": 0, "reason": row.reason}
    if progress:
        progress(f"ablation: {row.name}")
    folder = out / "ablations" / row.name.replace(" ", "-")
    run(replace(config, system=row.system, ablation=row.name), replace(suite, items=row.items), folder)
    found = compare_runs(out, folder, seed=config.seed)["all_items"]
    return {
        "name": row.name, "n": found["n"], "whole": found["first"], "ablated": found["second"], "reason": "",
        **{k: found[k] for k in ("difference", "interval", "better", "worse", "answers_changed", "p_value")},
    }  # fmt: skip
