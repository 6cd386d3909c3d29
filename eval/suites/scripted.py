"""Backends without a model: ``scripted`` (the gold answer) and ``scripted:LETTER``, for what arithmetic can check.

They show that a run asks every item once and scores what it must; their figures say nothing about any model.
"""

from __future__ import annotations

import json

from assistant.llm.chat_model import ChatRequest
from eval.suites.item import Item, Kind

SPEC = "scripted"


def is_scripted(spec: str) -> bool:
    """Whether a spec names a backend of this module."""
    return spec.partition(":")[0] == SPEC


class Scripted:
    """Answers by the book: all right (``scripted``), or one letter or word throughout (``scripted:B``)."""

    def __init__(self, spec: str) -> None:
        self._constant = spec.partition(":")[2] or None
        self.spec = spec

    def __call__(self, item: Item, request: ChatRequest) -> str:
        """The scripted answer to one item; the request is not looked at."""
        del request
        if item.kind is Kind.CHOICE:
            return json.dumps({"answer_choice": self._constant or item.gold[0]})
        if self._constant is not None:
            return json.dumps({"answer": self._constant, "answers": [self._constant]})
        golden = [one.split(" | ")[0] for one in item.gold]
        return json.dumps({"answer": golden[0] if golden else "", "answers": golden})

    def versions(self) -> dict[str, str]:
        """Says that no model ran."""
        return {"llm": f"{self.spec}: no model, answers by the book"}
