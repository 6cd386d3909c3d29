"""A backend that replays a queue of answers and keeps the requests: for tests, in the shape of a real one."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

from assistant.llm.chat_model import ChatRequest, PromptStyle, SoftTokensPart
from encoders.errors import ContractError


class ScriptedModel:
    """Answers from ``answers`` in order: strings, or functions of the request. ``requests`` holds what was asked.

    evidence_types : the closed list of a COMPACT decoder's card; None words every type
    repeat_last : True answers every further request with the last answer; False raises when the queue is empty
    """

    spec = "scripted"

    def __init__(
        self,
        answers: Iterable[str | Callable[[ChatRequest], str]],
        *,
        style: PromptStyle = PromptStyle.INSTRUCT,
        soft: tuple[SoftTokensPart, ...] = (),
        repeat_last: bool = False,
        evidence_types: frozenset[str] | None = None,
    ) -> None:
        self.style = style
        self.evidence_types = evidence_types
        self.takes_soft_tokens = bool(soft)
        self.requests: list[ChatRequest] = []
        self._soft = soft
        self._answers = list(answers)
        self._repeat_last = repeat_last

    def generate(self, request: ChatRequest) -> str:
        """The next answer of the queue."""
        self.requests.append(request)
        if not self._answers:
            raise ContractError(f"the scripted LLM was asked {len(self.requests)} times and has no answer left.")
        keep = self._repeat_last and len(self._answers) == 1
        answer = self._answers[0] if keep else self._answers.pop(0)
        return answer(request) if callable(answer) else answer

    def stream(self, request: ChatRequest) -> Iterator[str]:
        """The next answer in pieces of a few characters."""
        answer = self.generate(request)
        yield from (answer[i : i + 7] for i in range(0, len(answer), 7))

    def versions(self) -> dict[str, str]:
        """Says that no model ran."""
        return {"llm": "scripted"}

    def soft_tokens(self, embeddings: Any) -> tuple[SoftTokensPart, ...]:
        """The soft tokens given at construction, for any embeddings but None."""
        return self._soft if embeddings is not None else ()
