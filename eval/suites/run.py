"""A run of a suite: a folder with its configuration, one record an item, figures, a summary and a page; it goes on
where it stopped.

``items.jsonl`` gets one line an item as soon as it is answered, so a run that is killed loses what was being asked and
nothing else; a last line cut in half is dropped. The figures depend on the items alone, not on the order of the lines,
the number of workers or how often the run was stopped; seconds go to ``timing.json``.

Not known here: file forms, how an item is asked or scored.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from assistant.report import RESEARCH_USE
from encoders.atomic_write import write_atomically
from encoders.errors import SettingsError
from eval.benchmark import Progress, commit, machine
from eval.suites.ask import Answer, Reply, Search, System, ask
from eval.suites.item import Item, Suite
from eval.suites.page import run_page
from eval.suites.read import first_of_each
from eval.suites.score import Scored, score_answer, summarise
from eval.suites.summary import summary_markdown

CONFIG, ITEMS, METRICS, TIMING, PROBLEMS = "config.json", "items.jsonl", "metrics.json", "timing.json", "problems.json"
RAW_CHARACTERS = 4000
SAID_EVERY_S = 5.0


@dataclass(frozen=True)
class RunConfig:
    """One run. data : file name; limit : first N items of each set, None = all; k : passages a search gives."""

    suite: str
    data: str
    data_sha256: str
    system: System
    llm: str
    seed: int = 0
    limit: int | None = None
    k: int = 5


def run_suite(
    config: RunConfig,
    suite: Suite,
    reply: Reply,
    out: Path,
    *,
    versions: Mapping[str, str],
    search: Search | None = None,
    parallel: int = 1,
    progress: Progress = None,
) -> dict[str, Any]:
    """Ask every item that ``out`` does not hold yet, write the folder's files, return the metrics.

    Raises
    ------
    SettingsError: ``out`` holds a run of another configuration, or the system needs a search and has none.
    LLMUnreachableError: the server does not answer; items answered so far stay, the same command goes on.
    """
    if config.system is not System.LLM and search is None:
        raise SettingsError(f"system {config.system.value!r} needs a search; pass retrieval.search.search.")
    if parallel < 1:
        raise SettingsError(f"--parallel is {parallel}; it must be at least 1.")
    _claim_folder(out, config)
    items = first_of_each(suite.items, config.limit)
    done = _answered(out / ITEMS)
    waiting = [(i, item) for i, item in enumerate(items) if item.key not in done]
    say = _Speaker(progress, len(items), len(items) - len(waiting))
    with (out / ITEMS).open("a", encoding="utf-8") as stream:
        for index, item, answer in _ask_all(waiting, config, reply, search, parallel):
            stream.write(json.dumps(_line(index, item, answer), ensure_ascii=False) + "\n")
            stream.flush()
            say.one_more()
    return _finish(out, config, suite, items, versions)


def _ask_all(
    waiting: Sequence[tuple[int, Item]], config: RunConfig, reply: Reply, search: Search | None, parallel: int
) -> Iterator[tuple[int, Item, Answer]]:
    def one(item: Item) -> Answer:
        return ask(item, config.system, reply, search, k=config.k, seed=config.seed)

    if parallel == 1:
        for index, item in waiting:
            yield index, item, one(item)
        return
    with ThreadPoolExecutor(parallel) as pool:
        under_way: dict[Future[Answer], tuple[int, Item]] = {}
        rest = iter(waiting)
        try:
            while True:
                while len(under_way) < 2 * parallel and (pair := next(rest, None)) is not None:
                    under_way[pool.submit(one, pair[1])] = pair
                if not under_way:
                    return
                for future in wait(under_way, return_when=FIRST_COMPLETED).done:
                    index, item = under_way.pop(future)
                    yield index, item, future.result()
        finally:
            pool.shutdown(cancel_futures=True)


class _Speaker:
    """Says now and then how many items are done and how long the rest will take."""

    def __init__(self, progress: Progress, total: int, done: int) -> None:
        self._progress, self._total, self._done, self._asked = progress, total, done, 0
        self._start = self._last = time.monotonic()
        if progress and done:
            progress(f"{done} of {total} items were answered before; going on")

    def one_more(self) -> None:
        self._done, self._asked = self._done + 1, self._asked + 1
        now = time.monotonic()
        if self._progress and (now - self._last > SAID_EVERY_S or self._done == self._total):
            left = (now - self._start) / self._asked * (self._total - self._done)
            self._progress(f"{self._done}/{self._total} items, {left:.0f} s to go")
            self._last = now


def _claim_folder(out: Path, config: RunConfig) -> None:
    """Write the configuration, or see that the folder's is the same."""
    out.mkdir(parents=True, exist_ok=True)
    path, mine = out / CONFIG, json.loads(json.dumps(asdict(config)))
    if not path.exists():
        write_atomically(path, json.dumps(mine, indent=1) + "\n")
        return
    held = json.loads(path.read_text(encoding="utf-8"))
    differ = sorted(k for k in mine.keys() | held.keys() if mine.get(k) != held.get(k))
    if differ:
        said = "; ".join(f"{k} {held.get(k)!r} there, {mine.get(k)!r} now" for k in differ)
        raise SettingsError(f"{out} holds another run ({said}); give another --out, or the same settings to go on.")


def _answered(path: Path) -> set[str]:
    """Keys of the items a folder holds; a last line without its end is cut off first."""
    if not path.exists():
        return set()
    with path.open("rb+") as stream:
        whole = stream.seek(0, os.SEEK_END)
        end = _end_of_last_line(stream, whole)
        if end < whole:
            stream.truncate(end)
    return {line["key"] for line in _lines(path)}


def _end_of_last_line(stream: Any, whole: int) -> int:
    block, place = 65536, whole
    while place > 0:
        start = max(0, place - block)
        stream.seek(start)
        found = stream.read(place - start).rfind(b"\n")
        if found >= 0:
            return start + found + 1
        place = start
    return 0


def _lines(path: Path) -> Iterator[dict[str, Any]]:
    with path.open(encoding="utf-8") as stream:
        for line in stream:
            yield json.loads(line)


def _line(index: int, item: Item, answer: Answer) -> dict[str, Any]:
    outcome, score = score_answer(item, answer.settled)
    return {
        "key": item.key, "index": index, "set": item.set, "id": item.id, "case": item.case, "outcome": outcome,
        "score": score, "answer": answer.settled, "gold": item.gold, "confidence": answer.confidence,
        "claims": answer.claims, "supported": answer.supported, "cited": answer.cited, "passages": answer.passages,
        "seconds": round(answer.seconds, 6), "raw": answer.raw[:RAW_CHARACTERS],
    }  # fmt: skip


_KEPT = ("index", "set", "id", "case", "outcome", "score", "confidence", "claims", "supported", "cited")


def scored_items(out: Path) -> list[Scored]:
    """The scored records of a run folder."""
    return [_scored(line) for line in _lines(out / ITEMS)]


def _scored(line: Mapping[str, Any]) -> Scored:
    return Scored(answer=tuple(line["answer"]), **{k: line[k] for k in _KEPT})


def _finish(
    out: Path, config: RunConfig, suite: Suite, items: Sequence[Item], versions: Mapping[str, str]
) -> dict[str, Any]:
    records = [(_scored(line), line["seconds"]) for line in _lines(out / ITEMS)]
    metrics = {
        "suite": config.suite,
        "research_use": RESEARCH_USE,
        "config": asdict(config),
        "llm_versions": dict(versions),
        "commit": commit(),
        "machine": machine(),
        "items_left_out": len(suite.problems),
        **summarise([scored for scored, _ in records], seed=config.seed),
    }
    seconds = np.array([spent for _, spent in records])
    timing = {"items": len(seconds), "median_s": float(np.median(seconds)), "p95_s": float(np.quantile(seconds, 0.95))}
    write_atomically(out / METRICS, json.dumps(metrics, indent=1, allow_nan=False) + "\n")
    write_atomically(out / TIMING, json.dumps(timing, indent=1) + "\n")
    write_atomically(out / PROBLEMS, json.dumps([asdict(p) for p in suite.problems], indent=1) + "\n")
    write_atomically(out / "summary.md", summary_markdown(metrics, suite.problems))
    write_atomically(out / "run.html", run_page(metrics, suite.problems))
    return metrics
