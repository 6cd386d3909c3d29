"""What an answer in the chat is made of: checked claims, refusals and steps, one event each.

Not known here: how an answer is found (assistant/agent.py) or shown (app/chat_events.py).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from assistant.claim import Verdict
from assistant.evidence import Evidence


@dataclass(frozen=True)
class ToolStep:
    """One call of a tool, as the trace shows it.

    arguments : as validated; of a refused call, as asked for
    status : "done", "refused" (outside the plan or the schema), "timed out", "failed" (its note says why)
    found : evidences it gave; ids : theirs; added : those of them that are new in the answer's own ledger
    result_characters : length of its JSON result
    asked_by : "plan" (by the type of the question) or "model"
    """

    tool: str
    arguments: Mapping[str, Any]
    asked_by: str
    status: str
    seconds: float = 0.0
    found: int = 0
    result_characters: int = 0
    ids: tuple[str, ...] = ()
    added: tuple[str, ...] = ()
    note: str = ""


@dataclass(frozen=True)
class ChatEvent:
    """One event of an answer.

    kind : "step" (what is being done), "claim" (a supported sentence), "withheld" (a sentence the check stopped),
        "evidence" (evidence a tool added for this answer alone: it can be cited and opened like the case's own),
        "reliance" (on request: how the answer changes without the image and without the omics),
        "abstain" (the evidence does not answer; text says what would), "done" (the end; text is empty)
    text : without citation marks; citations : evidence ids; verdict, reason : of the check
    step : the tool call a "step" reports; None for any other step
    evidence : of an "evidence" event
    trace : of the "done" event, every tool call in order
    left_out : of the "done" event, ids of evidence found that did not fit the model's context
    judge : of a "withheld" event, the optional judge that stopped what the rules had passed
    reliance : of a "reliance" event, as assistant/answer_reliance.py: reliance_dict
    hypothetical : True of a claim that says what would be, not what is
    """

    kind: str
    text: str = ""
    citations: tuple[str, ...] = ()
    verdict: Verdict | None = None
    reason: str = ""
    step: ToolStep | None = None
    evidence: Evidence | None = None
    trace: tuple[ToolStep, ...] | None = None
    left_out: tuple[str, ...] | None = None
    judge: str | None = None
    reliance: Mapping[str, Any] | None = None
    hypothetical: bool | None = None
