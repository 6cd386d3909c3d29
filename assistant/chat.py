"""``answer(question, context, llm)``: the chat's only entry; every sentence is checked before it is said.

Not known here: which model answers, how events are shown.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING

from assistant.agent import ChatGraph
from assistant.answer_reliance import answer_reliance, reliance_dict
from assistant.case_memory import CaseMemory
from assistant.chat_events import ChatEvent
from assistant.grounding_judge import NliJudge
from assistant.llm.chat_model import ChatModel
from encoders.errors import InputError, SettingsError
from encoders.patient import Patient

if TYPE_CHECKING:
    from assistant.pipeline import CaseContext

__all__ = ["ChatEvent", "answer"]

MAX_QUESTION = 2000


def answer(  # noqa: PLR0913  each keyword is one switch of an answer
    question: str,
    context: CaseContext,
    llm: ChatModel,
    history: Sequence[tuple[str, str]] = (),
    *,
    seed: int = 0,
    memory: CaseMemory | None = None,
    plan_by: str = "question",
    judge: NliJudge | None = None,
    reliance: bool = False,
) -> Iterator[ChatEvent]:
    """Events that answer a question about one case, the last of kind "done".

    Parameters
    ----------
    history : earlier (question, answer) pairs of the same conversation
    llm : any backend; one that reads images is shown the key slices with questions about imaging
    memory : in place of ``history``: the turns of this case are read from it, and this one is added at the end
    plan_by : "question" (a fixed plan by its type) or "model" (a model that can call tools chooses inside it)
    judge : a second reader of each claim that passed the rules; what it stops is a "withheld" event with its reason
    reliance : also ask the case with its image blanked and with its omics absent, and say how the answer changes, in a
        "reliance" event; each takes as long as preparing the case again

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
    graph = ChatGraph(context, llm, seed=seed, plan_by=plan_by, judge=judge)
    case_id = graph.session.case_id
    turns = memory.turns(case_id) if memory is not None else tuple(history)
    events = graph.run(asked, turns)
    if reliance:

        def ask_again(variant: CaseContext) -> Iterator[ChatEvent]:
            return ChatGraph(variant, llm, seed=seed, plan_by=plan_by, judge=judge).run(asked, turns)

        events = _with_reliance(events, context.patient, ask_again)
    return events if memory is None else _remembered(events, case_id, asked, memory)


def _with_reliance(
    events: Iterator[ChatEvent], patient: Patient, ask_again: Callable[[CaseContext], Iterator[ChatEvent]]
) -> Iterator[ChatEvent]:
    """The events, with one of kind "reliance" before the last."""
    said: list[str] = []
    for event in events:
        if event.kind == "claim":
            said.append(event.text)
        if event.kind == "done":
            yield ChatEvent("step", "asking again without the image and without the omics")
            found = answer_reliance(said, patient, ask_again)
            text = f"What the answer rests on: {'; '.join(v.in_words() for v in found)}"
            yield ChatEvent("reliance", text, reliance=reliance_dict(found))
        yield event


def _remembered(events: Iterator[ChatEvent], case_id: str, asked: str, memory: CaseMemory) -> Iterator[ChatEvent]:
    said: list[str] = []
    for event in events:
        if event.kind in ("claim", "abstain"):
            said.append(event.text)
        yield event
    memory.add(case_id, asked, " ".join(said))
