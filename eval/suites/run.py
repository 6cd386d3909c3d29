"""A run of a suite: a folder with its configuration, one record an item, figures, a summary and a page; it goes on
where it stopped.

``items.jsonl`` gets one line an item as soon as it is answered, so a run that is killed loses what was being asked and
nothing else. The figures depend on the items alone, not on the order of the lines, the number of workers or how often
the run was stopped; seconds and tokens stand apart, under ``cost``.

A line's tokens are those counted since the line before: exact in all, and an item's own where one is asked at a time.

Not known here: file forms, how an item is asked, scored or judged.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from assistant.report import RESEARCH_USE
from encoders.atomic_write import write_atomically
from encoders.errors import RadomicaError, SettingsError
from eval.benchmark import Progress, commit, machine
from eval.suites.ask import Answer, Reply, Search, System, ask
from eval.suites.folder import (
    ABLATIONS,
    CONFIG,
    ITEMS,
    METRICS,
    PROBLEMS,
    RAGAS,
    TIMING,
    RunConfig,
    claim_folder,
    judged_items,
    lines,
    scored,
    whole_lines,
)
from eval.suites.groups import group_figures, groups_of
from eval.suites.item import Item, Problem, Suite
from eval.suites.judge import Judge, judge_items
from eval.suites.page import run_page
from eval.suites.pool import Speaker, in_parallel
from eval.suites.read import first_of_each
from eval.suites.retrieval import document_ranking, mean_figures, retrieval_figures
from eval.suites.rubric import rubric_figures
from eval.suites.score import score_answer, summarise
from eval.suites.severity import Severity, SeverityScale
from eval.suites.summary import summary_markdown
from eval.suites.tokens import Tokens, cost_figures

__all__ = ["CONFIG", "ITEMS", "METRICS", "RunConfig", "run_suite", "write_pages"]
RAW_CHARACTERS = 4000


def run_suite(
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
    """Ask every item that ``out`` does not hold yet, judge the rubric answers, write the folder's files.

    ``reply`` may have ``versions()`` (what runs) and ``tokens()`` (read and written so far). Returns the metrics.

    Raises
    ------
    SettingsError: ``out`` holds a run of another configuration, the system needs a search and has none, or the
        configuration names a judge and none is given.
    LLMUnreachableError: the server does not answer; items answered so far stay, the same command goes on.
    """
    if config.system is not System.LLM and search is None:
        raise SettingsError(f"system {config.system.value!r} needs a search; pass retrieval.search.search.")
    if (config.judge is None) != (judge is None):
        raise SettingsError(f"the configuration names judge {config.judge!r}; give that judge, or none in both.")
    claim_folder(out, config)
    items = first_of_each(suite.items, config.limit)
    _ask_missing(config, items, reply, out, search=search, parallel=parallel, progress=progress)
    if judge is not None:
        judge_items(out, items, judge, seed=config.seed, parallel=parallel, progress=progress)
    return _finish(out, config, suite, getattr(reply, "versions", dict)())


def _ask_missing(
    config: RunConfig, items: Sequence[Item], reply: Reply, out: Path, *, search: Search | None, parallel: int,
    progress: Progress,
) -> None:  # fmt: skip
    done = {line["key"] for line in whole_lines(out / ITEMS)}
    waiting = [(i, item) for i, item in enumerate(items) if item.key not in done]
    say = Speaker(progress, "items", len(items), len(items) - len(waiting))
    count = getattr(reply, "tokens", None)
    before = count() if count else Tokens()

    def one(pair: tuple[int, Item]) -> Answer:
        try:
            return ask(pair[1], config.system, reply, search, k=config.k, seed=config.seed)
        except RadomicaError as error:
            error.add_note(f"It stopped at item {pair[1].key}.")
            raise

    answered = len(items) - len(waiting)
    with (out / ITEMS).open("a", encoding="utf-8") as stream:
        try:
            for (index, item), answer in in_parallel(one, waiting, parallel):
                now = count() if count else before + Tokens(uncounted=1)
                stream.write(json.dumps(_line(index, item, answer, now - before, config.k), ensure_ascii=False) + "\n")
                stream.flush()
                before, answered = now, answered + 1
                say.one_more()
        except RadomicaError as error:
            error.add_note(
                f"{answered} of {len(items)} items are answered and kept in {out}; the same command goes on with the "
                "rest."
            )
            raise


def _line(index: int, item: Item, answer: Answer, tokens: Tokens, k: int) -> dict[str, Any]:
    outcome, score = score_answer(item, answer.settled)
    documents = document_ranking(answer.hits, item.documents)
    searched = bool(item.documents) and answer.searched
    return {
        "key": item.key, "index": index, "set": item.set, "id": item.id, "case": item.case, "outcome": outcome,
        "score": score, "answer": answer.settled, "gold": item.gold, "confidence": answer.confidence,
        "claims": answer.claims, "supported": answer.supported, "cited": answer.cited,
        "question": item.question, "options": item.options, "groups": groups_of(item),
        "passages": [
            {"id": h.passage.passage_id, "title": h.passage.title, "text": h.passage.text} for h in answer.hits
        ],
        "documents": documents,
        "retrieval": retrieval_figures(documents, item.documents, k) if searched else None,
        **({"reference_contexts": item.contexts} if item.contexts else {}),
        **({"refused": answer.refused} if answer.refused else {}),
        "seconds": round(answer.seconds, 6), "tokens": asdict(tokens), "raw": answer.raw[:RAW_CHARACTERS],
    }  # fmt: skip


def _finish(out: Path, config: RunConfig, suite: Suite, versions: Mapping[str, str]) -> dict[str, Any]:
    judged = judged_items(out) if config.judge is not None else {}
    records, seconds, tokens, refused = [], [], Tokens(), 0
    for line in lines(out / ITEMS):
        records.append(scored(line, judged.get(line["key"])))
        seconds.append(line["seconds"])
        tokens += Tokens(**line.get("tokens", {}))
        refused += "refused" in line
    weights = config.severity_weights
    scale = SeverityScale({Severity(k): v for k, v in weights.items()}) if weights else SeverityScale()
    metrics = {
        "suite": config.suite,
        "research_use": RESEARCH_USE,
        "config": asdict(config),
        "llm_versions": dict(versions),
        "commit": commit(),
        "machine": machine(),
        "items_left_out": len(suite.problems),
        "items_refused_by_the_backend": refused,
        **summarise(records, seed=config.seed),
        "groups": group_figures(records, seed=config.seed),
        "retrieval": mean_figures(records, seed=config.seed) if config.system is not System.LLM else None,
        "rubric": rubric_figures(list(judged.values()), scale, seed=config.seed) if judged else None,
        "cost": cost_figures(seconds, tokens),
    }
    write_atomically(out / PROBLEMS, json.dumps([asdict(p) for p in suite.problems], indent=1) + "\n")
    write_atomically(out / TIMING, json.dumps(metrics["cost"], indent=1) + "\n")
    return write_pages(out, metrics)


def write_pages(out: Path, metrics: dict[str, Any]) -> dict[str, Any]:
    """Write metrics.json, summary.md and run.html from the metrics and what else the folder holds; gives the metrics.

    What else: figures of ablations (ablations.py) and of RAGAS (ragas.py).
    """
    for name, file in (("ablations", ABLATIONS), ("ragas", RAGAS)):
        path = out / file
        if path.is_file():
            metrics[name] = json.loads(path.read_text(encoding="utf-8"))["figures"]
    problems = [Problem(**p) for p in json.loads((out / PROBLEMS).read_text(encoding="utf-8"))]
    write_atomically(out / METRICS, json.dumps(metrics, indent=1, allow_nan=False) + "\n")
    write_atomically(out / "summary.md", summary_markdown(metrics, problems))
    write_atomically(out / "run.html", run_page(metrics, problems))
    return metrics
