"""What an answer in the chat is made of: checked claims, refusals and steps, one event each.

Not known here: how an answer is found (assistant/agent.py) or shown (app/chat_events.py).
"""

from __future__ import annotations

from dataclasses import dataclass

from assistant.claim import Verdict


@dataclass(frozen=True)
class ChatEvent:
    """One event of an answer.

    kind : "step" (what is being done), "claim" (a supported sentence), "withheld" (a sentence the check stopped),
        "abstain" (the evidence does not answer; text says what would), "done" (the end; text is empty)
    text : without citation marks; citations : evidence ids; verdict, reason : of the check
    """

    kind: str
    text: str = ""
    citations: tuple[str, ...] = ()
    verdict: Verdict | None = None
    reason: str = ""
