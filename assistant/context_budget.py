"""How much evidence fits a model's context: an estimate of tokens, and what rank keeps.

A report splits a section into several requests instead of leaving anything out; a chat answer keeps the highest ranks
and names what it left out. The estimate counts characters, because a server's tokenizer is not here: 3 characters a
token is below what English clinical text needs in the tokenizers of Llama, Qwen, Gemma and Mistral (about 3.5 to 4.5),
so it errs towards too few lines. Not known here: how a line is worded (assistant/prompt.py).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from assistant.evidence import Evidence
from assistant.llm.chat_model import ChatModel, SoftTokensPart

CHARACTERS_PER_TOKEN = 3
DEFAULT_CONTEXT = 8192
"""Tokens of a model that does not say how many it takes."""

OVERHEAD = 1100
"""Tokens kept for the system prompt, the task, the chat template and the schema's own words."""

ANSWER_PER_EVIDENCE, ANSWER_BASE = 80, 120
"""Tokens kept for the answer (assistant/prompt.py asks for as many)."""


def context_tokens(llm: ChatModel) -> int:
    """Tokens one request and its answer may hold: what the model or its server states, else DEFAULT_CONTEXT."""
    stated = getattr(llm, "context_tokens", None)
    if stated is None:
        served = getattr(llm, "served", None)
        stated = served.get("max_model_len") if isinstance(served, dict) else None
    return int(stated) if stated else DEFAULT_CONTEXT


def estimate_tokens(text: str) -> int:
    """Upper estimate of the tokens of a text."""
    return -(-len(text) // CHARACTERS_PER_TOKEN)


def room_for_evidence(llm: ChatModel, soft: Sequence[SoftTokensPart] = (), extra_text: str = "") -> int:
    """Tokens left for evidence lines and the answer about them; never below what one line needs."""
    taken = OVERHEAD + ANSWER_BASE + sum(len(part.vectors) for part in soft) + estimate_tokens(extra_text)
    return max(context_tokens(llm) - taken, 0)


def split_to_fit(
    evidence: Sequence[Evidence], line: Callable[[Evidence], str], room: int
) -> tuple[tuple[Evidence, ...], ...]:
    """Runs of evidence in order, each within ``room``; a line longer than the room stands alone in its run."""
    runs: list[list[Evidence]] = []
    used = 0
    for item in evidence:
        cost = estimate_tokens(line(item)) + ANSWER_PER_EVIDENCE
        if not runs or used + cost > room:
            runs.append([])
            used = 0
        runs[-1].append(item)
        used += cost
    return tuple(tuple(run) for run in runs)


def keep_by_rank(
    evidence: Sequence[Evidence], line: Callable[[Evidence], str], room: int
) -> tuple[tuple[Evidence, ...], tuple[Evidence, ...]]:
    """(kept in their order, left out by falling rank): the highest ranks that fit together, at least one."""
    kept: set[str] = set()
    left_out: list[Evidence] = []
    used = 0
    for item in sorted(evidence, key=lambda e: -e.rank):
        cost = estimate_tokens(line(item)) + ANSWER_PER_EVIDENCE
        if kept and used + cost > room:
            left_out.append(item)
        else:
            kept.add(item.id)
            used += cost
    return tuple(e for e in evidence if e.id in kept), tuple(left_out)
