"""The chat graph: route -> gather -> write -> check -> (once more) -> done, as a LangGraph state machine.

Its tools look only into the case's own ledger: topic search, notes, therapy rows and similar cases are all evidence
there, so whatever the model says can be checked. Nothing is said before it is checked.

Not known here: conversation memory beyond the turns handed in, or how events are shown.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, TypedDict

from langgraph.config import get_stream_writer
from langgraph.graph import END, START, StateGraph

from assistant.chat_events import ChatEvent
from assistant.claim import CheckedClaim, Verdict
from assistant.grounding import check_claim
from assistant.llm.chat_model import ChatModel, ChatRequest, PromptStyle, SoftTokensPart, can_word
from assistant.prompt import chat_request, parse_claims, retry_request
from assistant.question_routing import Route, route
from assistant.section_writer import quote_evidence

if TYPE_CHECKING:
    from assistant.pipeline import CaseContext

ATTEMPTS = 2
MAX_CHAT_CLAIMS = 8


class ChatState(TypedDict, total=False):
    """What the graph carries from node to node."""

    question: str
    history: Sequence[tuple[str, str]]
    route: Route
    request: ChatRequest
    answer: str
    checked: tuple[CheckedClaim, ...]
    attempt: int


class ChatGraph:
    """The graph over one case and one model."""

    def __init__(self, context: CaseContext, llm: ChatModel, *, seed: int = 0) -> None:
        self.ledger = context.ledger
        self.llm = llm
        self.seed = seed
        embeddings = context.prediction.embeddings
        self.soft: tuple[SoftTokensPart, ...] = llm.soft_tokens(embeddings) if embeddings is not None else ()
        graph = StateGraph(ChatState)
        for name, node in (("route", self.route), ("gather", self.gather), ("write", self.write),
                           ("check", self.check), ("finish", self.finish)):  # fmt: skip
            graph.add_node(name, node)
        graph.add_edge(START, "route")
        graph.add_conditional_edges("route", lambda s: "gather" if s["route"].evidence else "finish")
        graph.add_conditional_edges("gather", lambda s: "write" if "request" in s else "finish")
        graph.add_edge("write", "check")
        graph.add_conditional_edges("check", self._after_check)
        graph.add_edge("finish", END)
        self.compiled = graph.compile()

    def run(self, question: str, history: Sequence[tuple[str, str]]) -> Iterator[ChatEvent]:
        """Events of one answer, as the nodes emit them."""
        start: ChatState = {"question": question, "history": tuple(history), "attempt": 0, "checked": ()}
        for event in self.compiled.stream(start, stream_mode="custom"):
            if isinstance(event, ChatEvent):
                yield event

    # ---- nodes ----

    def route(self, state: ChatState) -> dict[str, Any]:
        """Find the topic and the evidence."""
        found = route(state["question"], self.ledger, wide=self.llm.style is PromptStyle.INSTRUCT)
        get_stream_writer()(ChatEvent("step", f"question about {found.topic}"))
        return {"route": found}

    def gather(self, state: ChatState) -> dict[str, Any]:
        """State what the model cannot word by its own sentence, and turn the other evidence into a request."""
        found = state["route"]
        say = get_stream_writer()
        say(ChatEvent("step", "reading the evidence", tuple(e.id for e in found.evidence)))
        stated = tuple(quote_evidence(e) for e in found.evidence if not can_word(self.llm, e.type))
        for claim in stated:
            say(ChatEvent("claim", claim.text, claim.citations, claim.verdict, claim.reason))
        asked = tuple(e for e in found.evidence if can_word(self.llm, e.type))
        if not asked:
            return {"checked": stated}
        request = chat_request(
            state["question"], asked, self.llm, self.soft, topic=found.topic, history=state["history"], seed=self.seed,
        )  # fmt: skip
        return {"checked": stated, "request": request}

    def write(self, state: ChatState) -> dict[str, Any]:
        """Ask the model."""
        return {"answer": self.llm.generate(state["request"]), "attempt": state["attempt"] + 1}

    def check(self, state: ChatState) -> dict[str, Any]:
        """Check every claim; say the supported ones, report the stopped ones."""
        say = get_stream_writer()
        claims = parse_claims(state["answer"], self.llm.style)[:MAX_CHAT_CLAIMS]
        checked = tuple(check_claim(c, self.ledger) for c in claims)
        said = {c.text for c in state["checked"]}
        for claim in checked:
            kind = "claim" if claim.verdict is Verdict.SUPPORTED else "withheld"
            if claim.text not in said:
                said.add(claim.text)
                say(ChatEvent(kind, claim.text, claim.citations, claim.verdict, claim.reason))
        refused = [c for c in checked if c.verdict is not Verdict.SUPPORTED]
        update: dict[str, Any] = {"checked": (*state["checked"], *checked)}
        if refused:
            update["request"] = retry_request(state["request"], refused, self.llm.style)
        return update

    def finish(self, state: ChatState) -> dict[str, Any]:
        """Abstain when nothing was supported, and end."""
        say = get_stream_writer()
        if not any(c.verdict is Verdict.SUPPORTED for c in state["checked"]):
            say(ChatEvent("abstain", abstention(state["route"].test)))
        say(ChatEvent("done"))
        return {}

    def _after_check(self, state: ChatState) -> str:
        supported = any(c.verdict is Verdict.SUPPORTED and not c.quoted for c in state["checked"])
        refused = any(c.verdict is not Verdict.SUPPORTED for c in state["checked"])
        return "write" if refused and not supported and state["attempt"] < ATTEMPTS else "finish"


def abstention(test: str) -> str:
    """What the chat says when the ledger is silent."""
    if test.startswith("nothing"):
        return f"The evidence of this case does not answer that; {test.removeprefix('nothing: ')}."
    return f"The evidence of this case does not answer that; {test} would."
