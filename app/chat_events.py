"""Chat events as the page, the terminal and the API show them.

Not known here: how an answer is made or checked (assistant/chat.py).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from enum import Enum
from typing import Any

from assistant.chat_events import ChatEvent


def event_to_dict(event: Any) -> dict[str, Any]:
    """One ChatEvent as JSON values; ``kind`` names it."""
    return {"kind": str(event.kind), **{k: v for k, v in _plain(event).items() if k != "kind" and v is not None}}


def _plain(value: Any) -> Any:
    if isinstance(value, Enum):
        return value.value
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {f.name: _plain(getattr(value, f.name)) for f in dataclasses.fields(value)}
    if isinstance(value, Mapping):
        return {str(k): _plain(v) for k, v in value.items()}
    if isinstance(value, tuple | list):
        return [_plain(v) for v in value]
    return value


class AnswerText:
    """Collects the events of one answer into the text a reader sees: a sentence a line, citations as [M1]."""

    def __init__(self) -> None:
        self._sentences: list[str] = []
        self._note = ""
        self._withheld = 0

    def add(self, event: ChatEvent) -> None:
        """Take one more event."""
        if event.kind == "step":
            self._note = event.text
        elif event.kind == "withheld":
            self._withheld += 1
        elif event.text:
            marks = "".join(f" [{c}]" for c in event.citations)
            self._sentences.append(f"{event.text}{marks}")
            self._note = ""

    def shown(self) -> str:
        """What is known so far."""
        return "\n".join(self._sentences)

    def note(self) -> str:
        """What is being done now."""
        return self._note

    def final_note(self) -> str:
        """What the reader should know about the answer; "" when nothing."""
        if not self._withheld:
            return ""
        sentences = "sentence was" if self._withheld == 1 else "sentences were"
        return f"{self._withheld} {sentences} withheld: the evidence does not hold what the model wrote."
