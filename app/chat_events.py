"""Chat events as the page, the terminal and the API show them.

Not known here: how an answer is made or checked (assistant/chat.py).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping
from enum import Enum
from typing import Any

from assistant.chat_events import ChatEvent, ToolStep
from assistant.evidence import Evidence


def event_to_dict(event: Any) -> dict[str, Any]:
    """One ChatEvent as JSON values; ``kind`` names it."""
    found = {"kind": str(event.kind), **{k: v for k, v in _plain(event).items() if k != "kind" and v is not None}}
    return {**found, "evidence": evidence_to_dict(event.evidence)} if "evidence" in found else found


def _plain(value: Any) -> Any:
    if isinstance(value, Enum):
        return value.value
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {f.name: _plain(getattr(value, f.name)) for f in dataclasses.fields(value)}
    if isinstance(value, Mapping):
        return {str(k): _plain(v) for k, v in value.items()}
    if isinstance(value, tuple | list):
        return [_plain(v) for v in value]
    return value


def evidence_to_dict(item: Evidence) -> dict[str, Any]:
    """Evidence that an answer added, in the form of report.json's entries, with ``how`` it was made."""
    source = {k: v for k, v in vars(item.source).items() if v is not None}
    return {**_plain(item), "source": source, "how": how_made(item)}


def how_made(item: Evidence) -> str:
    """How evidence that an answer added was computed, in words."""
    if not item.hypothetical:
        return "Looked up for this answer; the report's evidence does not list it."
    shown = {name: item.fields[name].display for name in ("change", "assumption") if name in item.fields}
    assumed = f"; assumed: {shown['assumption']}" if "assumption" in shown else ""
    risk = item.type == "hypothetical_risk"
    by = "the same survival model predicted again" if risk else "the therapy rows were matched again"
    return (
        f"Computed for this answer alone: on a copy of the patient, changed as supposed ({shown.get('change', '')}"
        f"{assumed}), {by}, and both results were compared. The record and the report are unchanged."
    )


def answer_to_dict(question: str, case_id: str, events: Iterable[ChatEvent]) -> dict[str, Any]:
    """One whole answer as JSON values: claims, what was withheld, the evidence it added, and its trace."""
    shown = [event_to_dict(e) for e in events]
    done = next((e for e in reversed(shown) if e["kind"] == "done"), {})
    of_kind = {
        k: [{n: v for n, v in e.items() if n != "kind"} for e in shown if e["kind"] == k] for k in ("claim", "withheld")
    }
    return {
        "case_id": case_id,
        "question": question,
        "claims": of_kind["claim"],
        "withheld": of_kind["withheld"],
        "abstained": next((e["text"] for e in shown if e["kind"] == "abstain"), None),
        "added_evidence": [e["evidence"] for e in shown if e["kind"] == "evidence"],
        "reliance": next((e["reliance"] for e in shown if e["kind"] == "reliance"), None),
        "trace": done.get("trace", []),
        "left_out": done.get("left_out", []),
    }


def trace_lines(steps: Iterable[ToolStep]) -> list[str]:
    """The trace for a terminal: one line a call, with its arguments, seconds, size and ids."""
    lines = []
    for number, step in enumerate(steps, start=1):
        arguments = ", ".join(f"{k}={v!r}" for k, v in step.arguments.items())
        result = f"{step.found} found, {step.result_characters} characters" if step.status == "done" else step.status
        lines.append(f"{number}. {step.tool}({arguments})  [{step.asked_by}]  {step.seconds:.3f} s  {result}")
        if step.ids:
            new = f" (new: {', '.join(step.added)})" if step.added else ""
            lines.append(f"   ids: {', '.join(step.ids)}{new}")
        if step.note:
            lines.append(f"   {step.note}")
    return lines


def step_line(event: ChatEvent) -> str:
    """One step of an answer in words: what was done, by which tool, how long it took, what it found."""
    step = event.step
    if step is None:
        return event.text
    arguments = ", ".join(f"{k}: {v}" for k, v in step.arguments.items())
    called = f"{step.tool.replace('_', ' ')}{f' ({arguments})' if arguments else ''}"
    found = f"{step.found} found" if step.status == "done" else step.status
    ids = f": {', '.join(step.ids)}" if step.ids else ""
    return f"{called}, {step.seconds:.2f} s, {found}{ids}{f'; {step.note}' if step.note else ''}"


class AnswerText:
    """Collects the events of one answer into the text a reader sees: a sentence a line, citations as [M1]."""

    def __init__(self) -> None:
        self._sentences: list[str] = []
        self._note = ""
        self._withheld = 0
        self._judged: list[str] = []
        self._added: list[Evidence] = []
        self._reliance = ""
        self._steps: list[str] = []

    def add(self, event: ChatEvent) -> None:
        """Take one more event."""
        if event.kind == "step":
            self._note = event.text
            self._steps.append(step_line(event))
        elif event.kind == "withheld" and event.judge:
            self._judged.append(event.reason)
        elif event.kind == "withheld":
            self._withheld += 1
        elif event.kind == "reliance":
            self._reliance = event.text
        elif event.evidence is not None:
            self._added.append(event.evidence)  # opened by its id; the claim that cites it is the answer
        elif event.text:
            marks = "".join(f" [{c}]" for c in event.citations)
            self._sentences.append(f"{event.text}{marks}")
            self._note = ""

    def shown(self) -> str:
        """What is known so far."""
        return "\n".join(self._sentences)

    def added(self) -> tuple[dict[str, Any], ...]:
        """The evidence that this answer alone can open."""
        return tuple(evidence_to_dict(e) for e in self._added)

    def steps(self) -> tuple[str, ...]:
        """What was done for the answer, one line each, in order."""
        return tuple(self._steps)

    def note(self) -> str:
        """What is being done now."""
        return self._note

    def final_note(self) -> str:
        """What the reader should know about the answer; "" when nothing."""
        notes = []
        if self._withheld:
            notes.append(f"{_sentences(self._withheld)} withheld: the evidence does not hold what the model wrote.")
        if self._judged:
            notes.append(f"{_sentences(len(self._judged))} withheld by the judge: {'; '.join(self._judged)}.")
        return " ".join((*notes, self._reliance)).strip()


def _sentences(count: int) -> str:
    return "1 sentence was" if count == 1 else f"{count} sentences were"
