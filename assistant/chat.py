"""``answer(question, context, llm)``: the chat's only entry; every sentence is checked before it is said.

Not known here: which model answers, how events are shown.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from assistant.agent import ChatGraph
from assistant.chat_events import ChatEvent
from assistant.llm.chat_model import ChatModel
from encoders.errors import InputError

if TYPE_CHECKING:
    from assistant.pipeline import CaseContext

__all__ = ["ChatEvent", "answer"]

MAX_QUESTION = 2000


def answer(
    question: str, context: CaseContext, llm: ChatModel, history: Sequence[tuple[str, str]] = (), *, seed: int = 0
) -> Iterator[ChatEvent]:
    """Events that answer a question about one case, the last of kind "done".

    Parameters
    ----------
    history : earlier (question, answer) pairs of the same conversation

    Raises
    ------
    InputError: an empty question, or one over 2,000 characters.
    LLMUnreachableError: the model's server does not answer.
    """
    asked = question.strip()
    if not asked or len(asked) > MAX_QUESTION:
        raise InputError(f"the question has {len(asked)} characters; allowed: 1 to {MAX_QUESTION:,}.")
    return ChatGraph(context, llm, seed=seed).run(asked, history)
