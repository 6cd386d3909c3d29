"""The one protocol every LLM backend speaks (embedded, hf:, vllm:, openai:, scripted).

A message is text parts with soft tokens between them. A backend that cannot take soft tokens says so
(``takes_soft_tokens = False``) and then gets text alone, in which nothing is left for soft tokens to say.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray


class PromptStyle(StrEnum):
    """COMPACT: the line form the embedded decoder was trained on. INSTRUCT: system + user for a general LLM."""

    COMPACT = "compact"
    INSTRUCT = "instruct"


@dataclass(frozen=True)
class TextPart:
    """Plain text of a message."""

    text: str


@dataclass(frozen=True)
class SoftTokensPart:
    """Adapter output: (n, hidden) float32, n >= 1, hidden = the LLM's width; ``modality`` names where it came from."""

    vectors: NDArray[np.float32]
    modality: str


@dataclass(frozen=True)
class ImagePart:
    """A picture for a vision-language model, as a PNG data URI; only a backend that reads images is given one."""

    data_uri: str


@dataclass(frozen=True)
class Message:
    """role : "system" | "user" | "assistant". Parts are joined with one newline, as vLLM does."""

    role: str
    parts: tuple[TextPart | SoftTokensPart | ImagePart, ...]


@dataclass(frozen=True)
class ChatRequest:
    """What a backend is asked. ``schema`` is a JSON schema the answer must follow (INSTRUCT style), or None.

    allowed_ids : ledger ids the answer may cite
    """

    messages: tuple[Message, ...]
    allowed_ids: tuple[str, ...] = ()
    schema: Mapping[str, Any] | None = None
    max_tokens: int = 400
    temperature: float = 0.0
    seed: int = 0


SYSTEM_FOLDED = "not taken by the chat template; its text opens the user message"
"""What the versions of a model say where its template takes no system message."""


def fold_system(messages: Sequence[Message]) -> tuple[Message, ...]:
    """The same messages with the system text at the head of the first user message, a blank line between.

    Some templates refuse a system message (Gemma 2, early Mistral); those that take one mostly do this with it.
    """
    system = "\n\n".join(p.text for m in messages if m.role == "system" for p in m.parts if isinstance(p, TextPart))
    rest = tuple(m for m in messages if m.role != "system")
    if not system:
        return rest
    if not rest or rest[0].role != "user":
        return (Message("user", (TextPart(system),)), *rest)
    parts = rest[0].parts
    if parts and isinstance(parts[0], TextPart):
        parts = (TextPart(f"{system}\n\n{parts[0].text}"), *parts[1:])
    else:
        parts = (TextPart(f"{system}\n"), *parts)  # parts are joined with one newline
    return (Message("user", parts), *rest[1:])


class ChatModel(Protocol):
    """A backend. Raises LLMUnreachableError when its server does not answer."""

    spec: str
    style: PromptStyle
    takes_soft_tokens: bool

    def generate(self, request: ChatRequest) -> str:
        """The whole answer."""
        ...

    def stream(self, request: ChatRequest) -> Iterator[str]:
        """The answer in pieces; their concatenation equals ``generate``."""
        ...

    def versions(self) -> dict[str, str]:
        """What runs: model name or folder, weight hash where known."""
        ...

    def soft_tokens(self, embeddings: Any) -> tuple[SoftTokensPart, ...]:
        """Adapter output for these ``Embeddings``; empty when no adapter fits (then text carries everything)."""
        ...


@runtime_checkable
class BatchingChatModel(Protocol):
    """A backend that answers several requests at once faster than one by one."""

    def generate_many(self, requests: Sequence[ChatRequest]) -> list[str]:
        """One answer per request, in order."""
        ...


def read_evidence_types(card: Mapping[str, Any]) -> frozenset[str] | None:
    """The evidence types a decoder was trained to word, from its card; None when the card names none."""
    named = card.get("evidence_types")
    return None if named is None else frozenset(named)


def can_word(llm: ChatModel, evidence_type: str) -> bool:
    """Whether evidence of this type is given to ``llm`` to word.

    A general model (INSTRUCT) words every type. A COMPACT decoder words the closed list of its card, in the attribute
    ``evidence_types``; evidence of other types is stated by its own sentence. Without such a list: every type.
    """
    if llm.style is not PromptStyle.COMPACT:
        return True
    known: frozenset[str] | None = getattr(llm, "evidence_types", None)
    return known is None or evidence_type in known


def strip_ends(pieces: Iterable[str]) -> Iterator[str]:
    """Streamed pieces with blank ends removed, as ``generate`` strips them."""
    held, started = "", False
    for piece in pieces:
        text = held + piece if started else (held + piece).lstrip()
        body = text.rstrip()
        held = text[len(body) :]
        if body:
            started = True
            yield body


BATCH = 16
"""Most requests handed to ``generate_many`` at once; bounds the memory of the padded batch."""


def generate_all(llm: ChatModel, requests: Sequence[ChatRequest]) -> list[str]:
    """Answers in order, in batches where the backend can, else one by one."""
    if not isinstance(llm, BatchingChatModel):
        return [llm.generate(request) for request in requests]
    batches = [requests[i : i + BATCH] for i in range(0, len(requests), BATCH)]
    return [answer for batch in batches for answer in llm.generate_many(batch)]
