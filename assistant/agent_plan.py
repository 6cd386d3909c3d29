"""Which tools a question may use, and in which order: a fixed plan by its type, or a model's choice held inside it.

A model that plans is shown the question and the tools' schemas, then only ids, types and counts of what came back. It
never sees evidence text while it can still ask for calls, so nothing written in a note, a guideline or a DICOM tag can
cause one. Not known here: what tools do (tool_runs.py), or how a call is checked (tools.py).
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol

from langchain_core.messages import HumanMessage, SystemMessage

from assistant.chat_events import ToolStep
from assistant.llm.chat_model import ChatModel
from assistant.prompt import neutralise
from assistant.question_routing import Route
from assistant.question_types import QuestionType
from assistant.tools import MAX_QUERY, ToolCall
from assistant.what_if_question import read_changes
from encoders.errors import LLMUnreachableError, SettingsError

if TYPE_CHECKING:
    from langchain_core.language_models import BaseChatModel
    from langchain_core.tools import BaseTool

ALLOWED: Mapping[QuestionType, frozenset[str]] = {
    QuestionType.FACT: frozenset(["patient_facts"]),
    QuestionType.FINDING: frozenset(["measure_lesion", "compare_lesions", "patient_facts", "explain"]),
    QuestionType.VARIANT: frozenset(["patient_facts", "predict"]),
    QuestionType.RISK: frozenset(["predict", "explain", "patient_facts", "similar_cases"]),
    QuestionType.OPTIONS: frozenset(["match_therapy_rows", "patient_facts", "search_guidelines"]),
    QuestionType.GUIDELINES: frozenset(["search_guidelines", "match_therapy_rows"]),
    QuestionType.SIMILAR: frozenset(["similar_cases"]),
    QuestionType.MISSING: frozenset(["patient_facts"]),
    QuestionType.COMPARE: frozenset(["compare_lesions", "measure_lesion"]),
    QuestionType.WHAT_IF: frozenset(["what_if"]),
    QuestionType.OTHER: frozenset(),
}
"""Question type -> the tools its plan may call; any other call is refused, whoever asks for it."""

_TOOL_OF_TOPIC: Mapping[str, tuple[str, Mapping[str, str]]] = {
    **{t: ("measure_lesion", {"topic": t}) for t in (
        "images", "size", "intensity", "appearance", "margin", "necrosis", "texture", "enhancement", "uptake")},
    **{t: ("predict", {"topic": t}) for t in ("risk", "image prediction of genes", "predicted cancer type")},
    **{t: ("explain", {"topic": t}) for t in ("why this risk", "heat map")},
    "change": ("compare_lesions", {}),
    "similar cases": ("similar_cases", {}),
    "therapy options": ("match_therapy_rows", {"status": "offered"}),
    "excluded therapies": ("match_therapy_rows", {"status": "excluded"}),
}  # fmt: skip
"""Topic -> tool and what of it; every topic not named is a fact of the patient, guidelines apart."""


def fixed_plan(question: str, asked: Route) -> tuple[ToolCall, ...]:
    """The calls for a question, tried in turn until one finds evidence; () when no evidence can tell it."""
    kind = asked.question_type
    if asked.silent or kind is QuestionType.OTHER:
        return ()
    if kind is QuestionType.WHAT_IF:
        changes = [c.model_dump() for c in read_changes(question)]
        return (ToolCall("what_if", {"changes": changes}),) if changes else ()
    return tuple(topic_call(question, topic, asked.named) for topic in (asked.topic, *asked.kin))


def topic_call(question: str, topic: str, named: Sequence[str]) -> ToolCall:
    """The call that answers one topic."""
    narrowed = {"names": tuple(named)[:8], "about": question}
    if topic == "guidelines":
        return ToolCall("search_guidelines", {"query": question[:MAX_QUERY], **narrowed})
    tool, arguments = _TOOL_OF_TOPIC.get(topic, ("patient_facts", {"topic": topic}))
    return ToolCall(tool, {**arguments, **narrowed})


def allowed_tools(asked: Route) -> frozenset[str]:
    """Tools this question's plan may call, those of its next of kin included."""
    if asked.silent:
        return frozenset()
    needed = {topic_call("", topic, ()).tool for topic in asked.kin}
    return ALLOWED[asked.question_type] | needed


# ---- a model that can call tools -----------------------------------------------------------------------------------

_SYSTEM = (
    "You choose tools that look up one patient's case for a clinician's question. Call at most three tools with short "
    "arguments and write nothing else. You cannot name another patient."
)


class ToolChooser(Protocol):
    """Chooses calls for a question; ``seen`` holds the steps made so far."""

    def choose(self, question: str, tools: Sequence[BaseTool], seen: Sequence[ToolStep]) -> tuple[ToolCall, ...]:
        """Calls to make next; () when there is enough."""
        ...


class LangChainChooser:
    """A chat model bound to the tools through LangChain (``bind_tools``: OpenAI's ``tools`` on the wire)."""

    def __init__(self, model: BaseChatModel) -> None:
        self._model = model

    def choose(self, question: str, tools: Sequence[BaseTool], seen: Sequence[ToolStep]) -> tuple[ToolCall, ...]:
        """Ask the model once.

        Raises
        ------
        SettingsError: the server refuses tools. LLMUnreachableError: it does not answer.
        """
        import openai  # noqa: PLC0415  takes a second to load, and only a model that plans needs it

        text = f"Question: {neutralise(question)}"
        if seen:
            text += "\nAlready called: " + json.dumps([_result_line(step) for step in seen])
        try:
            answer = self._model.bind_tools(list(tools)).invoke([SystemMessage(_SYSTEM), HumanMessage(text)])
        except openai.BadRequestError as error:
            raise SettingsError("the LLM server does not take tools; ask without them (the fixed plan).") from error
        except openai.OpenAIError as error:
            raise LLMUnreachableError(f"the LLM server did not choose tools ({type(error).__name__}).") from error
        calls = [ToolCall(c["name"], c["args"], "model") for c in answer.tool_calls]
        broken = [ToolCall(str(c["name"]), {"arguments": str(c["args"])}, "model") for c in answer.invalid_tool_calls]
        return (*calls, *broken)


def _result_line(step: ToolStep) -> dict[str, Any]:
    """What the planning model is told of a call: no text of any evidence."""
    return {"tool": step.tool, "status": step.status, "found": step.found, "ids": list(step.ids)}


def chooser_for(llm: ChatModel) -> ToolChooser:
    """The chooser of a backend: its own ``tool_chooser``, or LangChain's client for an OpenAI-compatible server.

    Raises
    ------
    SettingsError: the backend cannot call tools.
    """
    own = getattr(llm, "tool_chooser", None)
    if own is not None:
        return own  # type: ignore[no-any-return]
    from assistant.llm.openai import NO_KEY, OpenAIModel  # noqa: PLC0415  only servers need it

    if not isinstance(llm, OpenAIModel):
        raise SettingsError(f"{llm.spec} cannot call tools; use the fixed plan, or an openai: or vllm: server.")
    import os  # noqa: PLC0415

    from langchain_openai import ChatOpenAI  # noqa: PLC0415  takes seconds to load
    from pydantic import SecretStr  # noqa: PLC0415

    model = ChatOpenAI(
        model=llm.model,
        base_url=llm.address.base_url,
        api_key=SecretStr(os.environ.get("OPENAI_API_KEY") or NO_KEY),
        temperature=0,
        timeout=30,
        max_retries=1,
    )
    return LangChainChooser(model)
