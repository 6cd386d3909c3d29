"""How many tokens a backend read and wrote, and how long its answers took.

A server's own count is taken where the backend keeps one (``tokens`` with prompt, completion, uncounted); a local model
is counted with its own tokenizer, soft tokens left out; what neither counts is "uncounted", never estimated.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from assistant.llm.chat_model import ChatModel, ChatRequest, TextPart
from eval.suites.item import Item


@dataclass(frozen=True)
class Tokens:
    """prompt, completion : tokens read and written; uncounted : answers without a count."""

    prompt: int = 0
    completion: int = 0
    uncounted: int = 0

    def __add__(self, other: Tokens) -> Tokens:
        return Tokens(self.prompt + other.prompt, self.completion + other.completion, self.uncounted + other.uncounted)

    def __sub__(self, other: Tokens) -> Tokens:
        return Tokens(self.prompt - other.prompt, self.completion - other.completion, self.uncounted - other.uncounted)


class Counted:
    """A backend as a ``Reply`` (ask.py) that knows what it has read and written since it was made."""

    def __init__(self, llm: ChatModel) -> None:
        self._llm = llm
        self._own = Tokens()
        self._lock = threading.Lock()
        self._start = _served(llm)

    def __call__(self, item: Item, request: ChatRequest) -> str:
        """The backend's answer; the item is not looked at."""
        del item
        return self.answer(request)

    def answer(self, request: ChatRequest) -> str:
        """The backend's answer to a request, counted."""
        text = self._llm.generate(request)
        if self._start is None:
            found = self._by_tokenizer(request, text)
            with self._lock:
                self._own += found
        return text

    def versions(self) -> dict[str, str]:
        """What the backend says it runs."""
        return self._llm.versions()

    def tokens(self) -> Tokens:
        """Tokens so far."""
        served = _served(self._llm)
        return self._own if served is None or self._start is None else served - self._start

    def _by_tokenizer(self, request: ChatRequest, text: str) -> Tokens:
        tokenizer = getattr(self._llm, "tokenizer", None)
        if tokenizer is None:
            return Tokens(uncounted=1)
        asked = "\n".join(p.text for m in request.messages for p in m.parts if isinstance(p, TextPart))
        return Tokens(_length(tokenizer, asked), _length(tokenizer, text))


def _length(tokenizer: Any, text: str) -> int:
    return len(tokenizer(text, add_special_tokens=False)["input_ids"]) if text else 0


def _served(llm: ChatModel) -> Tokens | None:
    """The backend's own count, None where it keeps none."""
    found = getattr(llm, "tokens", None)
    return None if found is None else Tokens(found.prompt, found.completion, found.uncounted)


def cost_figures(seconds: Sequence[float], tokens: Tokens) -> dict[str, Any]:
    """Seconds an item (median, 95th percentile) and tokens in all and an item.

    The one part of a run's figures that another machine, or a run that was stopped and went on, does not repeat.
    """
    spent = np.asarray(seconds, np.float64)
    n = len(spent)
    return {
        "items": n,
        "p50_s": float(np.median(spent)) if n else None,
        "p95_s": float(np.quantile(spent, 0.95)) if n else None,
        "prompt_tokens": tokens.prompt,
        "completion_tokens": tokens.completion,
        "answers_without_a_count": tokens.uncounted,
        "prompt_tokens_per_item": tokens.prompt / n if n and tokens.prompt else None,
        "completion_tokens_per_item": tokens.completion / n if n and tokens.completion else None,
    }
