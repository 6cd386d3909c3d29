"""The chat's tools: one registry of typed schemas, checked before a call and timed during it.

A tool reads the open case alone. Text of a note, a guideline or a DICOM tag is never an argument by itself: calls come
from the plan or from a model that was shown the question and no evidence (agent_plan.py), and each is checked here
against the tools the plan allows, the schema, and the case it may speak of.
Not known here: what a tool does (tool_runs.py), or which calls a question needs (agent_plan.py).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Mapping
from concurrent.futures import ThreadPoolExecutor
from concurrent.futures import TimeoutError as FutureTimeout
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from langchain_core.tools import StructuredTool
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from assistant.chat_events import ToolStep
from assistant.evidence import Evidence, Ledger
from assistant.what_if import Change
from encoders.errors import RadomicaError

if TYPE_CHECKING:
    from assistant.pipeline import CaseContext

MAX_QUERY = 400


class ToolArguments(BaseModel):
    """What every call may say. case_id : the open case, or nothing; another one is refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    case_id: str | None = Field(default=None, description="The open case; leave out.")


class Narrowed(ToolArguments):
    """names : genes or drugs the evidence must mention; about : the question's own words, which narrow the choice."""

    names: tuple[str, ...] = Field(default=(), max_length=8, description="Genes or drugs it must mention.")
    about: str = Field(default="", max_length=2000, description="The question, to narrow the choice.")


class SearchGuidelines(Narrowed):
    """query : what to look for in the guideline passages of the patient's disease."""

    query: str = Field(min_length=1, max_length=MAX_QUERY)
    k: int = Field(default=4, ge=1, le=8)


class MatchTherapyRows(Narrowed):
    """status : offered rows, excluded rows, or any."""

    status: Literal["offered", "excluded", "any"] = "any"


class PatientFacts(Narrowed):
    """topic : which facts of the record or of the molecular tests."""

    topic: Literal[
        "patient", "diagnosis", "performance", "prior treatment", "medicines", "laboratory", "notes", "conflicts",
        "variants", "copy number", "fusions", "biomarkers", "expression", "proliferation", "immune infiltration",
        "pathways", "missing data",
    ]  # fmt: skip


class MeasureLesion(Narrowed):
    """topic : sizes, intensities, looks, or which images there are."""

    topic: Literal[
        "images", "size", "intensity", "appearance", "margin", "necrosis", "texture", "enhancement", "uptake",
    ] = "size"  # fmt: skip


class CompareLesions(Narrowed):
    """The change of the lesions since an earlier study."""


class Predict(Narrowed):
    """topic : survival risk, molecular status from images, or cancer type."""

    topic: Literal["risk", "image prediction of genes", "predicted cancer type"] = "risk"


class Explain(Narrowed):
    """topic : what drives the risk, or where the image network looked."""

    topic: Literal["why this risk", "heat map"] = "why this risk"


class SimilarCases(Narrowed):
    """Neighbours in the reference cohort and their outcome."""


class WhatIfArguments(ToolArguments):
    """changes : what would be different in the patient."""

    changes: tuple[Change, ...] = Field(min_length=1, max_length=4)


class ToolResult(BaseModel):
    """What every tool gives back as JSON; the model that plans sees this and no evidence text.

    evidence_ids : all that was found, best first; added : those new in the answer's ledger; types : of each id
    """

    model_config = ConfigDict(extra="forbid")
    evidence_ids: tuple[str, ...] = ()
    added: tuple[str, ...] = ()
    types: tuple[str, ...] = ()
    note: str = ""


class TherapyRows(ToolResult):
    """offered, excluded : how many rows of each status."""

    offered: int = 0
    excluded: int = 0


class Differences(ToolResult):
    """change : what was supposed; effects : of each evidence, in order; hypothetical : always."""

    change: str = ""
    effects: tuple[str, ...] = ()
    hypothetical: Literal[True] = True


@dataclass
class ToolSession:
    """One answer's view of one case: the case's ledger and what the tools of this answer added to it."""

    context: CaseContext
    ledger: Ledger
    reserve: tuple[Evidence, ...] | None = None
    added: list[Evidence] = field(default_factory=list)

    @property
    def case_id(self) -> str:
        """The only case the tools of this session may speak of."""
        return str(self.context.patient.patient_id)

    def add(self, items: tuple[Evidence, ...]) -> None:
        """Put new evidence into this answer's ledger; the case's own stays as it is."""
        new = tuple(e for e in items if e.id not in self.ledger)
        if new:
            self.added += new
            self.ledger = Ledger((*self.ledger, *new), self.ledger.left_out)


Run = Callable[[ToolSession, Any], ToolResult]


@dataclass(frozen=True)
class Tool:
    """A named function over a case. timeout_s : after it, the call counts as failed and its result is not used."""

    name: str
    description: str
    arguments: type[ToolArguments]
    result: type[ToolResult]
    run: Run
    timeout_s: float = 20.0


@dataclass(frozen=True)
class ToolCall:
    """A call before it is checked. asked_by : "plan" or "model"."""

    tool: str
    arguments: Mapping[str, Any]
    asked_by: str = "plan"


def structured_tools(
    tools: Mapping[str, Tool], session: ToolSession, allowed: Collection[str]
) -> tuple[StructuredTool, ...]:
    """LangChain forms of the allowed tools, for a model that can call tools; calling one runs the same checks."""

    def runner(name: str) -> Callable[..., dict[str, Any]]:
        def run(**arguments: Any) -> dict[str, Any]:
            step, result = call_tool(ToolCall(name, arguments, "model"), session, tools, allowed)
            return result.model_dump(mode="json") if result else {"status": step.status, "note": step.note}

        return run

    return tuple(
        StructuredTool.from_function(
            func=runner(name), name=name, description=tools[name].description, args_schema=tools[name].arguments
        )
        for name in tools
        if name in allowed
    )


def call_tool(
    call: ToolCall, session: ToolSession, tools: Mapping[str, Tool], allowed: Collection[str]
) -> tuple[ToolStep, ToolResult | None]:
    """Check a call, run it within its time, and say what happened. Only RadomicaErrors become a failed step."""
    if call.tool not in tools or call.tool not in allowed:
        return _refused(call, f"not a tool of this question; allowed: {', '.join(sorted(allowed)) or 'none'}"), None
    tool = tools[call.tool]
    try:
        arguments = tool.arguments.model_validate(dict(call.arguments))
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        return _refused(
            call, f"arguments do not fit the schema: {'.'.join(map(str, first['loc']))} {first['msg']}"
        ), None
    if arguments.case_id is not None and arguments.case_id != session.case_id:
        return _refused(call, "names another patient; a tool reads the open case alone"), None
    return _timed(call, tool, arguments, session)


def _refused(call: ToolCall, note: str) -> ToolStep:
    return ToolStep(call.tool[:60], _short(call.arguments), call.asked_by, "refused", note=note)


def _short(arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Arguments as the trace shows them: set ones only, long text cut."""
    shown = {str(k)[:40]: v for k, v in arguments.items() if v not in (None, "", (), [])}
    return {k: f"{v[:117]}..." if isinstance(v, str) and len(v) > 120 else v for k, v in list(shown.items())[:12]}


def _timed(
    call: ToolCall, tool: Tool, arguments: ToolArguments, session: ToolSession
) -> tuple[ToolStep, ToolResult | None]:
    start = time.perf_counter()
    shown = _short(arguments.model_dump(mode="json"))
    # A late tool works on a copy: what it finds after its time must not enter the ledger.
    trial = ToolSession(session.context, session.ledger, session.reserve)
    pool = ThreadPoolExecutor(max_workers=1, thread_name_prefix=tool.name)
    try:
        result = pool.submit(tool.run, trial, arguments).result(timeout=tool.timeout_s)
    except FutureTimeout:
        seconds = time.perf_counter() - start
        note = f"no result within {tool.timeout_s:g} s"
        return ToolStep(tool.name, shown, call.asked_by, "timed out", seconds, note=note), None
    except RadomicaError as error:
        return ToolStep(tool.name, shown, call.asked_by, "failed", time.perf_counter() - start, note=str(error)), None
    finally:
        pool.shutdown(wait=False, cancel_futures=True)
    session.reserve = trial.reserve
    session.add(tuple(trial.added))
    step = ToolStep(
        tool.name, shown, call.asked_by, "done", round(time.perf_counter() - start, 4), len(result.evidence_ids),
        len(result.model_dump_json()), result.evidence_ids, result.added, result.note,
    )  # fmt: skip
    return step, result
