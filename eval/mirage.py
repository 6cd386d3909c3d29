"""MIRAGE-form question answering: an LLM alone, or with retrieval over the built-in passages.

MIRAGE's rules are kept: zero-shot, retrieval sees the question only (never the options), nothing is
carried from one item to the next. Command:
radomica eval run mirage --data benchmark.json --system llm|rag --llm SPEC --out DIR

Not measured here: whether the reasoning is right, only the letter.
"""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import asdict, dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from assistant.llm.chat_model import ChatModel, ChatRequest, Message, TextPart
from assistant.report import RESEARCH_USE
from encoders.atomic_write import write_atomically
from encoders.errors import InputError
from eval.benchmark import commit, machine
from eval.intervals import wilson
from eval.questions import Question, extract_answer, load_questions
from retrieval.passage import Hit, Query

Search = Callable[[Query], tuple[Hit, ...]]

INSTRUCTION = (
    "You answer one multiple-choice medical question. Reply with one JSON object and nothing else: "
    '{"answer_choice": "<letter>"}.'
)


class System(StrEnum):
    """LLM: the question alone. RAG: the passages found for the question stand before it."""

    LLM = "llm"
    RAG = "rag"


@dataclass(frozen=True)
class MirageConfig:
    """One run; saved beside its result. limit : first N questions of each dataset, None = all."""

    data: str
    system: System
    llm: str
    seed: int = 0
    datasets: tuple[str, ...] = ()
    limit: int | None = None
    k: int = 5


@dataclass(frozen=True)
class Item:
    """One answered question. outcome : "right" | "wrong" | "no answer"."""

    dataset: str
    id: str
    gold: str
    answer: str | None
    outcome: str
    raw: str
    passages: tuple[str, ...]
    seconds: float


def build_request(question: Question, hits: tuple[Hit, ...], *, seed: int) -> ChatRequest:
    """The zero-shot request; passages, when any, stand before the question as numbered documents."""
    documents = "\n".join(f"Document {i} ({h.passage.title}): {h.passage.text}" for i, h in enumerate(hits, 1))
    options = "\n".join(f"{letter}. {text}" for letter, text in question.options.items())
    body = f"{documents}\n\n" if documents else ""
    schema = {
        "type": "object",
        "properties": {"answer_choice": {"type": "string", "enum": list(question.options)}},
        "required": ["answer_choice"],
        "additionalProperties": False,
    }
    return ChatRequest(
        messages=(
            Message("system", (TextPart(INSTRUCTION),)),
            Message("user", (TextPart(f"{body}Question: {question.question}\n{options}"),)),
        ),
        schema=schema,
        max_tokens=64,
        seed=seed,
    )


def answer_item(question: Question, llm: ChatModel, search: Search | None, config: MirageConfig) -> Item:
    """Ask one question; a fresh request each time, so that nothing leaks between items."""
    start = time.monotonic()
    hits = search(Query(question.question, k=config.k)) if search else ()
    raw = llm.generate(build_request(question, hits, seed=config.seed))
    letter = extract_answer(raw, question.options)
    outcome = "no answer" if letter is None else "right" if letter == question.answer else "wrong"
    return Item(
        question.dataset,
        question.id,
        question.answer,
        letter,
        outcome,
        raw,
        tuple(h.passage.passage_id for h in hits),
        round(time.monotonic() - start, 3),
    )


def summarise(items: tuple[Item, ...]) -> dict[str, Any]:
    """Accuracy with its Wilson interval per dataset, over all items, and the mean over datasets (MIRAGE's figure).

    "No answer" counts as not right in ``accuracy`` and is reported apart, with the accuracy of what was answered.
    """
    if not items:
        raise InputError("no item was answered; there is nothing to summarise.")
    datasets = {
        name: _figures([i for i in items if i.dataset == name]) for name in dict.fromkeys(i.dataset for i in items)
    }
    return {
        "datasets": datasets,
        "all_items": _figures(list(items)),
        "mean_over_datasets": sum(d["accuracy"] for d in datasets.values()) / len(datasets),
    }


def _figures(items: list[Item]) -> dict[str, Any]:
    counts = Counter(i.outcome for i in items)
    answered = counts["right"] + counts["wrong"]
    return {
        "n": len(items),
        "right": counts["right"],
        "wrong": counts["wrong"],
        "no_answer": counts["no answer"],
        "accuracy": counts["right"] / len(items),
        "interval": list(wilson(counts["right"], len(items))),
        "accuracy_of_answered": counts["right"] / answered if answered else None,
    }


def select_questions(config: MirageConfig) -> tuple[Question, ...]:
    """The questions a run asks: the named datasets, the first ``limit`` of each."""
    if config.limit is not None and config.limit < 1:
        raise InputError(f"limit is {config.limit}; it must be at least 1, or left out for all questions.")
    seen: Counter[str] = Counter()
    chosen = []
    for question in load_questions(Path(config.data), datasets=config.datasets):
        seen[question.dataset] += 1
        if config.limit is None or seen[question.dataset] <= config.limit:
            chosen.append(question)
    return tuple(chosen)


def run_mirage(
    config: MirageConfig,
    llm: ChatModel,
    out: Path,
    *,
    search: Search | None = None,
    progress: Callable[[str], None] | None = None,
) -> dict[str, Any]:
    """Ask every question, write ``items.jsonl``, ``metrics.json`` and ``summary.md`` into ``out``; return the metrics.

    Raises
    ------
    InputError: bad question file, or system "rag" without a ``search``.
    LLMUnreachableError: the server does not answer; items answered so far stay in ``items.jsonl``.
    """
    if config.system is System.RAG and search is None:
        raise InputError("system 'rag' needs a search; allowed: pass retrieval.search.search, or use --system llm.")
    questions = select_questions(config)
    out.mkdir(parents=True, exist_ok=True)
    items: list[Item] = []
    with (out / "items.jsonl").open("w", encoding="utf-8") as stream:
        for number, question in enumerate(questions, 1):
            items.append(answer_item(question, llm, search if config.system is System.RAG else None, config))
            stream.write(json.dumps(asdict(items[-1]), ensure_ascii=False) + "\n")
            stream.flush()
            if progress and (number % 10 == 0 or number == len(questions)):
                progress(f"{number}/{len(questions)} questions")
    metrics = {
        "suite": "mirage",
        "research_use": RESEARCH_USE,
        "config": asdict(config) | {"data": Path(config.data).name},
        "llm_versions": llm.versions(),
        "commit": commit(),
        "machine": machine(),
        **summarise(tuple(items)),
    }
    write_atomically(out / "metrics.json", json.dumps(metrics, indent=1, allow_nan=False) + "\n")
    write_atomically(out / "summary.md", _summary(metrics))
    return metrics


def _summary(metrics: dict[str, Any]) -> str:
    config = metrics["config"]
    lines = [
        f"# MIRAGE: {config['system']}, {config['llm']}",
        "",
        RESEARCH_USE,
        "",
        "| dataset | n | right | wrong | no answer | accuracy | 95 % interval |",
        "|---|---|---|---|---|---|---|",
    ]
    for name, f in [*metrics["datasets"].items(), ("all items", metrics["all_items"])]:
        lines.append(
            f"| {name} | {f['n']} | {f['right']} | {f['wrong']} | {f['no_answer']} | {f['accuracy']:.3f} | "
            f"{f['interval'][0]:.3f}-{f['interval'][1]:.3f} |"
        )
    lines += [
        "",
        f"Mean over datasets: {metrics['mean_over_datasets']:.3f}. Commit {metrics['commit']}, {metrics['machine']}.",
    ]
    return "\n".join(lines) + "\n"
