"""``answer(question, context, llm)``: the chat's only entry; every sentence is checked before it is said.

Not known here: which model answers, how events are shown.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from assistant.agent import ChatGraph
from assistant.case_memory import CaseMemory
from assistant.chat_events import ChatEvent
from assistant.llm.chat_model import ChatModel
from encoders.errors import InputError, SettingsError

if TYPE_CHECKING:
    from assistant.pipeline import CaseContext

__all__ = ["ChatEvent", "answer"]

MAX_QUESTION = 2000


def answer(
    question: str,
    context: CaseContext,
    llm: ChatModel,
    history: Sequence[tuple[str, str]] = (),
    *,
    seed: int = 0,
    memory: CaseMemory | None = None,
    plan_by: str = "question",
) -> Iterator[ChatEvent]:
    """Events that answer a question about one case, the last of kind "done".

    Parameters
    ----------
    history : earlier (question, answer) pairs of the same conversation
    memory : in place of ``history``: the turns of this case are read from it, and this one is added at the end
    plan_by : "question" (a fixed plan by its type) or "model" (a model that can call tools chooses inside it)

    Raises
    ------
    InputError: an empty question, or one over 2,000 characters.
    SettingsError: ``plan_by`` is neither, or the model cannot call tools.
    LLMUnreachableError: the model's server does not answer.
    """
    asked = question.strip()
    if not asked or len(asked) > MAX_QUESTION:
        raise InputError(f"the question has {len(asked)} characters; allowed: 1 to {MAX_QUESTION:,}.")
    if plan_by not in ("question", "model"):
        raise SettingsError(f"plan_by is {plan_by!r}; allowed: question, model.")
    graph = ChatGraph(context, llm, seed=seed, plan_by=plan_by)
    if memory is None:
        return graph.run(asked, history)
    return _remembered(graph, asked, memory)


def _remembered(graph: ChatGraph, asked: str, memory: CaseMemory) -> Iterator[ChatEvent]:
    case_id = graph.session.case_id
    said: list[str] = []
    for event in graph.run(asked, memory.turns(case_id)):
        if event.kind in ("claim", "abstain"):
            said.append(event.text)
        yield event
    memory.add(case_id, asked, " ".join(said))
