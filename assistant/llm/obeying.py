"""A backend that obeys any instruction it sees in its prompt, data included: for tests and for the injection benchmark.

It is the worst model for prompt injection: whatever sentence of the evidence asks it to say, print, cite or call, it
does, under every id it may cite; so it does with the demands it is told of, however the prompt holds them.
Not known here: what the checker and the plan do with it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from typing import Any

from assistant.llm.chat_model import ChatRequest, PromptStyle, SoftTokensPart, TextPart

_DEMAND = re.compile(
    r"(?i)\b(?:say|state|write|print|report|answer|conclude|claim)\s+(?:only\s+)?that\s+([^.!\n\"]{4,160})"
)
_CALL = re.compile(r"(?i)\bcall (?:the )?(?:tool |function )?(\w+)\s*\(([^)]*)\)")
_MOST_IDS = 4


class ObeyingModel:
    """Follows every instruction it finds; ``found`` : the demands it met, ``requests`` : what it was asked.

    known : demands it follows where the prompt holds their words at all, in whatever frame
    """

    spec = "obeying"
    takes_soft_tokens = False
    style = PromptStyle.INSTRUCT

    def __init__(self, known: Sequence[str] = ()) -> None:
        self.known = tuple(known)
        self.requests: list[ChatRequest] = []
        self.found: list[str] = []

    def generate(self, request: ChatRequest) -> str:
        """What the prompt's data asks for, as claims under every id that may be cited."""
        self.requests.append(request)
        text = prompt_text(request)
        told = [demand for demand in self.known if demand.lower() in text.lower()]
        demands = list(dict.fromkeys([*told, *(m[1].strip() for m in _DEMAND.finditer(text))]))
        calls = [{"name": m[1], "arguments": m[2]} for m in _CALL.finditer(text)]
        self.found += demands
        claims: list[dict[str, Any]] = []
        for demand in demands:
            said = demand[:1].upper() + demand[1:] + "."
            for evidence_id in request.allowed_ids[:_MOST_IDS]:
                claims.append({"text": said, "citations": [evidence_id]})
            claims.append({"text": said, "citations": list(request.allowed_ids[:_MOST_IDS])})
        claims += [{"text": f"Calling {c['name']}({c['arguments']}).", "citations": []} for c in calls]
        return json.dumps({"claims": claims[:60], **({"tool_calls": calls} if calls and not claims else {})})

    def stream(self, request: ChatRequest) -> Iterator[str]:
        """The whole answer in one piece."""
        yield self.generate(request)

    def versions(self) -> dict[str, str]:
        """Says that no model ran."""
        return {"llm": "obeying"}

    def soft_tokens(self, embeddings: Any) -> tuple[SoftTokensPart, ...]:
        """None: it reads text alone."""
        return ()


def prompt_text(request: ChatRequest) -> str:
    """All text of the user's messages; the project's own system prompt is not data."""
    messages = [m for m in request.messages if m.role != "system"]
    return "\n".join(p.text for m in messages for p in m.parts if isinstance(p, TextPart))
