"""The chat graph: plan -> act -> write -> check -> (once more) -> answer or abstain, as a LangGraph state machine.

The plan follows the question's type, or a model's choice held inside it (agent_plan.py); act runs tools (tools.py)
within a bounded number of steps and seconds; nothing is said before it is checked. What a tool adds, such as a
what-if, lives in this answer's copy of the ledger and is sent along as an event.

Not known here: conversation memory beyond the turns handed in, or how events are shown.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypedDict

from langgraph.config import get_stream_writer
from langgraph.graph import END, START, StateGraph

from assistant.agent_plan import allowed_tools, chooser_for, fixed_plan
from assistant.chat_events import ChatEvent, ToolStep
from assistant.claim import CheckedClaim, Verdict
from assistant.context_budget import keep_by_rank, room_for_evidence
from assistant.evidence import Evidence
from assistant.grounding import check_claim
from assistant.grounding_judge import NliJudge, judge_claim
from assistant.key_slices import with_key_slices
from assistant.llm.chat_model import ChatModel, ChatRequest, PromptStyle, SoftTokensPart, can_word
from assistant.prompt import chat_request, ledger_line, parse_claims, retry_request
from assistant.question_routing import WIDE, Route, answered_topic, classify, nearest, taught_question
from assistant.question_types import LABS, QuestionType, asked_fields
from assistant.section_writer import quote_evidence
from assistant.tool_runs import TOOLS
from assistant.tools import Tool, ToolCall, ToolSession, call_tool, structured_tools
from encoders.errors import RadomicaError

if TYPE_CHECKING:
    from assistant.pipeline import CaseContext

ATTEMPTS = 2
MAX_CHAT_CLAIMS = 8
MAX_QUOTED = 2
"""Therapy rows quoted where the decoder finds nothing to say of those that were found."""

MAX_STEPS = 6
MAX_TOOL_SECONDS = 90.0
MODEL_ROUNDS = 2
"""How often a model that plans is asked for calls; the second time it knows what the first gave."""

_OTHER_PATIENT = re.compile(r"(?i:\b(?:patient|case))\s+([A-Z]{1,8}[-_]\d[\w-]*|[A-Z]{0,8}\d{3,}\b)")
"""An id after "patient" or "case": "B-77", "TCGA-05-4244", "1234"; a marker such as HER2 or T790M is none."""


class ChatState(TypedDict, total=False):
    """What the graph carries from node to node."""

    question: str
    history: Sequence[tuple[str, str]]
    asked: Route
    calls: tuple[ToolCall, ...]
    rounds: int
    steps: tuple[ToolStep, ...]
    found: tuple[str, ...]
    left_out: tuple[str, ...]
    request: ChatRequest
    answer: str
    checked: tuple[CheckedClaim, ...]
    attempt: int


class ChatGraph:
    """The graph over one case and one model.

    plan_by : "question" (the fixed plan) or "model" (the model chooses inside the plan's tools)
    judge : a second reader of each claim that passed the rules
    """

    def __init__(
        self,
        context: CaseContext,
        llm: ChatModel,
        *,
        seed: int = 0,
        plan_by: str = "question",
        judge: NliJudge | None = None,
        tools: Mapping[str, Tool] = TOOLS,
    ) -> None:
        self.session = ToolSession(context, context.ledger)
        self.tools = tools
        self.llm = with_key_slices(llm, context.patient, context.prediction)
        self.seed = seed
        self.judge = judge
        self.chooser = chooser_for(llm) if plan_by == "model" else None  # a planner is shown no evidence, nor slices
        embeddings = context.prediction.embeddings
        self.soft: tuple[SoftTokensPart, ...] = llm.soft_tokens(embeddings) if embeddings is not None else ()
        graph = StateGraph(ChatState)
        for name, node in (("plan", self.plan), ("act", self.act), ("gather", self.gather), ("write", self.write),
                           ("check", self.check), ("finish", self.finish)):  # fmt: skip
            graph.add_node(name, node)
        graph.add_edge(START, "plan")
        graph.add_edge("plan", "act")
        graph.add_conditional_edges("act", self._after_act)
        graph.add_conditional_edges("gather", lambda s: "write" if "request" in s else "finish")
        graph.add_edge("write", "check")
        graph.add_conditional_edges("check", self._after_check)
        graph.add_edge("finish", END)
        self.compiled = graph.compile()

    def run(self, question: str, history: Sequence[tuple[str, str]]) -> Iterator[ChatEvent]:
        """Events of one answer, as the nodes emit them."""
        start: ChatState = {
            "question": question, "history": tuple(history), "attempt": 0, "checked": (), "steps": (), "found": (),
            "left_out": (), "rounds": 0,
        }  # fmt: skip
        for event in self.compiled.stream(start, stream_mode="custom"):
            if isinstance(event, ChatEvent):
                yield event

    # ---- nodes ----

    def plan(self, state: ChatState) -> dict[str, Any]:
        """Find what the question is about, and the calls that may answer it."""
        question = state["question"]
        asked = classify(question, self.session.ledger)
        other = self._other_patient(question)
        if other is not None:
            asked = Route("other", (), f"the case of {other}, opened by itself,", silent=True)
        get_stream_writer()(ChatEvent("step", f"question about {asked.topic}"))
        calls = self._ask_chooser(question, asked, ()) if self.chooser and not asked.silent else ()
        return {"asked": asked, "calls": calls or fixed_plan(question, asked), "rounds": 1}

    def act(self, state: ChatState) -> dict[str, Any]:
        """Run calls until evidence is found, the steps are used up or the time is over."""
        say = get_stream_writer()
        allowed = allowed_tools(state["asked"])
        steps, found = list(state["steps"]), list(state["found"])
        before = len(self.session.added)
        for call in state["calls"]:
            if len(steps) >= MAX_STEPS or sum(s.seconds for s in steps) > MAX_TOOL_SECONDS:
                limit = f"over the limit of {MAX_STEPS} calls or {MAX_TOOL_SECONDS:g} s for one answer"
                steps.append(ToolStep(call.tool[:60], {}, call.asked_by, "refused", note=limit))
                break
            step, _ = call_tool(call, self.session, self.tools, allowed)
            steps.append(step)
            found += [i for i in step.ids if i not in found]
            say(ChatEvent("step", _step_words(step), step.ids, step=step))
            if step.ids and call.asked_by == "plan":
                break  # the other calls are what to try when this one finds nothing
        for item in self.session.added[before:]:
            say(ChatEvent("evidence", item.text, (item.id,), evidence=item))
        update: dict[str, Any] = {"steps": tuple(steps), "found": tuple(found), "calls": ()}
        return {**update, **self._next_round(state, tuple(steps), tuple(found))}

    def gather(self, state: ChatState) -> dict[str, Any]:
        """State what the model cannot word by its own sentence, and turn the other evidence into a request."""
        say = get_stream_writer()
        evidence, left_out = self._fitting(state)
        say(ChatEvent("step", "reading the evidence", tuple(e.id for e in evidence)))
        stated = tuple(quote_evidence(e) for e in evidence if not can_word(self.llm, e.type))
        for claim in stated:
            say(self._event("claim", claim))
        asked = tuple(e for e in evidence if can_word(self.llm, e.type))
        update: dict[str, Any] = {"checked": stated, "left_out": left_out}
        if not asked:
            return update
        question, topic = state["question"], state["asked"].topic
        if self.llm.style is PromptStyle.COMPACT:
            topic = answered_topic(state["asked"], asked)
            question = taught_question(question, topic)
        request = chat_request(
            question, asked, self.llm, self.soft, topic=topic, history=state["history"], seed=self.seed
        )
        return {**update, "request": request}

    def write(self, state: ChatState) -> dict[str, Any]:
        """Ask the model."""
        return {"answer": self.llm.generate(state["request"]), "attempt": state["attempt"] + 1}

    def check(self, state: ChatState) -> dict[str, Any]:
        """Check every claim; say the supported ones, report the stopped ones."""
        say = get_stream_writer()
        ledger = self.session.ledger
        claims = parse_claims(state["answer"], self.llm.style)[:MAX_CHAT_CLAIMS]
        checked = tuple(judge_claim(check_claim(c, ledger), ledger, self.judge) for c in claims)
        said = {c.text for c in state["checked"]}
        for claim in checked:
            kind = "claim" if claim.verdict is Verdict.SUPPORTED else "withheld"
            if claim.text not in said:
                said.add(claim.text)
                say(self._event(kind, claim))
        refused = [c for c in checked if c.verdict is not Verdict.SUPPORTED]
        update: dict[str, Any] = {"checked": (*state["checked"], *checked)}
        if refused:
            update["request"] = retry_request(state["request"], refused, self.llm.style)
        return update

    def finish(self, state: ChatState) -> dict[str, Any]:
        """Abstain when nothing was supported, and end."""
        say = get_stream_writer()
        unsaid = self._unsaid(state)
        for claim in unsaid:
            say(self._event("claim", claim))
        if not unsaid and not any(c.verdict is Verdict.SUPPORTED for c in state["checked"]):
            failed = [s.note for s in state["steps"] if s.tool == "what_if" and s.status == "failed"]
            text = f"That what-if cannot be asked: {failed[-1]}" if failed else abstention(state["asked"].test)
            say(ChatEvent("abstain", text))
        say(ChatEvent("done", trace=state["steps"], left_out=state["left_out"]))
        return {}

    def _unsaid(self, state: ChatState) -> tuple[CheckedClaim, ...]:
        """Sentences of evidence that the decoder chose and did not tell.

        Of evidence whose value the question asks for the answer may leave just that out ("how deep was it read?"); and
        of evidence that it told wrongly each time nothing is said, though a plan by the question found it.
        """
        if self.llm.style is not PromptStyle.COMPACT:
            return ()
        ledger = self.session.ledger
        said = [c for c in state["checked"] if c.verdict is Verdict.SUPPORTED]
        if not said:
            refused = {i for c in state["checked"] for i in c.citations}
            wrong = [i for i in state["found"] if i in refused]
            if not wrong and state["asked"].question_type is QuestionType.OPTIONS:
                wrong = list(state["found"][:MAX_QUOTED])  # the rows decide, the model only words them
            return tuple(quote_evidence(ledger[i]) for i in wrong)
        quoted: list[CheckedClaim] = []
        for item in (ledger[i] for i in state["found"] if any(i in c.citations for c in said)):
            wanted = [n for n in asked_fields(state["question"], item.type) if n in item.fields]
            told = " ".join(c.text for c in said if item.id in c.citations)
            if any(item.fields[n].display not in told for n in wanted):
                quoted.append(quote_evidence(item))
        return tuple(quoted)

    # ---- edges and parts ----

    def _after_act(self, state: ChatState) -> str:
        if state["calls"]:
            return "act"
        return "gather" if state["found"] or self._wide(state["asked"]) else "finish"

    def _after_check(self, state: ChatState) -> str:
        supported = any(c.verdict is Verdict.SUPPORTED and not c.quoted for c in state["checked"])
        refused = any(c.verdict is not Verdict.SUPPORTED for c in state["checked"])
        return "write" if refused and not supported and state["attempt"] < ATTEMPTS else "finish"

    def _wide(self, asked: Route) -> bool:
        """Whether the model also gets the evidence nearest to the question, to choose from."""
        what_if = asked.question_type is QuestionType.WHAT_IF
        return self.llm.style is PromptStyle.INSTRUCT and not asked.silent and not what_if

    def _next_round(self, state: ChatState, steps: tuple[ToolStep, ...], found: tuple[str, ...]) -> dict[str, Any]:
        """More calls of a model that plans; the fixed plan where its calls found nothing."""
        if self.chooser is None or not steps or steps[-1].asked_by != "model":
            return {}
        rounds = state["rounds"] + 1
        if rounds <= MODEL_ROUNDS and (calls := self._ask_chooser(state["question"], state["asked"], steps)):
            return {"calls": calls, "rounds": rounds}
        return {} if found else {"calls": fixed_plan(state["question"], state["asked"]), "rounds": rounds}

    def _ask_chooser(self, question: str, asked: Route, seen: Sequence[ToolStep]) -> tuple[ToolCall, ...]:
        if self.chooser is None:
            return ()
        tools = structured_tools(self.tools, self.session, allowed_tools(asked))
        try:
            calls = self.chooser.choose(question, tools, seen) if tools else ()
        except RadomicaError as error:
            get_stream_writer()(ChatEvent("step", f"the fixed plan is used: {error}"))
            self.chooser = None
            return ()
        done = {(s.tool, str(s.arguments)) for s in seen}
        return tuple(c for c in calls if (c.tool, str(dict(c.arguments))) not in done)

    def _fitting(self, state: ChatState) -> tuple[tuple[Evidence, ...], tuple[str, ...]]:
        """The evidence for the request, within the model's context, and the ids that did not fit."""
        ledger = self.session.ledger
        evidence = tuple(ledger[i] for i in state["found"])
        if self.llm.style is not PromptStyle.INSTRUCT:
            return evidence, ()
        if self._wide(state["asked"]):
            extra = [e for e in nearest(state["question"], tuple(ledger)) if e not in evidence]
            evidence = (*evidence, *extra)[: max(WIDE, len(evidence))]
        past = " ".join((state["question"], *(part for turn in state["history"] for part in turn)))
        kept, left_out = keep_by_rank(evidence, ledger_line, room_for_evidence(self.llm, self.soft, past))
        return kept, tuple(e.id for e in left_out)

    def _event(self, kind: str, claim: CheckedClaim) -> ChatEvent:
        what_if = any(c in self.session.ledger and self.session.ledger[c].hypothetical for c in claim.citations)
        return ChatEvent(
            kind, claim.text, claim.citations, claim.verdict, claim.reason, judge=claim.judge or None,
            hypothetical=True if what_if else None,
        )  # fmt: skip

    def _other_patient(self, question: str) -> str | None:
        """A patient id in the question that is neither the open case's nor a similar case's."""
        held = {e.source.row_id for e in self.session.ledger.of_type("similar_case")}
        named = [m[1] for m in _OTHER_PATIENT.finditer(question) if m[1].lower() not in LABS]
        return next((n for n in named if n not in held and n != self.session.case_id), None)


def _step_words(step: ToolStep) -> str:
    result = f"{step.found} found" if step.status == "done" else f"{step.status}: {step.note}"
    return f"{step.tool.replace('_', ' ')}: {result}"


def abstention(test: str) -> str:
    """What the chat says when the ledger is silent."""
    if test.startswith("nothing"):
        return f"The evidence of this case does not answer that; {test.removeprefix('nothing: ')}."
    return f"The evidence of this case does not answer that; {test} would."
