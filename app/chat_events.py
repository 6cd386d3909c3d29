"""Chat events as the page, the terminal and the API show them.

Not known here: how an answer is made or checked (assistant/chat.py).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from enum import Enum
from typing import Any


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
    """Collects the events of one answer into the text a reader sees, citations as [M1]."""

    def __init__(self) -> None:
        self._pieces: list[str] = []
        self._note = ""

    def add(self, event: Any) -> None:
        """Take one more event."""
        found = event_to_dict(event)
        if found["kind"] == "status":
            self._note = found.get("text", "")
        elif found.get("text"):
            self._pieces.append(found["text"])
            self._note = ""

    def shown(self) -> str:
        """What is known so far."""
        return "".join(self._pieces)

    def note(self) -> str:
        """What is being done now."""
        return self._note

    def final(self) -> str:
        """The whole answer."""
        return self.shown()

    def final_note(self) -> str:
        """What the reader should know about the answer; "" when nothing."""
        return ""
