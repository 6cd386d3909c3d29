"""The chat in a terminal: answers stream, and an evidence id typed alone opens its source.

Not known here: how an answer is made (assistant/chat.py).
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, TextIO

from app.chat_events import AnswerText, how_made, trace_lines
from assistant.chat_events import ToolStep
from assistant.evidence import Evidence
from assistant.report import RESEARCH_USE

if TYPE_CHECKING:
    from assistant.pipeline import CaseContext

_ID = re.compile(r"\[?([FIMPXSG]\d+)\]?", re.IGNORECASE)
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")
"""Control characters: text from a note must not move the cursor or recolour the terminal."""

TRACE, RELIANCE = "/trace", "/reliance"
LEAVE = ("/quit", "/exit", "/q")


def talk(
    context: CaseContext,
    llm: Any,
    *,
    judge: Any = None,
    read: Callable[[str], str] = input,
    out: TextIO | None = None,
) -> None:
    """Ask and answer until /quit or the end of input."""
    from assistant.case_memory import CaseMemory  # noqa: PLC0415
    from assistant.chat import answer  # noqa: PLC0415  the models load with it

    stream = out or sys.stdout
    synthetic = " (synthetic)" if context.patient.synthetic else ""
    write = _writer(stream)
    write(f"Case {context.patient.patient_id}{synthetic}. {RESEARCH_USE}\n")
    write(
        "Ask a question; type an id such as M1 to open its source; /trace shows the last steps; /reliance QUESTION "
        "also says how the answer changes without the image and without the omics; /quit leaves.\n"
    )
    memory = CaseMemory()
    added: dict[str, Evidence] = {}
    trace: tuple[ToolStep, ...] = ()
    while (asked := _next(read)) is not None:
        if not asked:
            continue
        if asked.lower() == TRACE:
            write("\n".join(trace_lines(trace)) + "\n" if trace else "no tool has been called\n")
            continue
        if match := _ID.fullmatch(asked):
            write(open_source(context, match[1].upper(), added) + "\n")
            continue
        weigh = asked.lower().startswith(f"{RELIANCE} ")
        asked = asked[len(RELIANCE) :].strip() if weigh else asked
        text, shown = AnswerText(), ""
        added.clear()
        for event in answer(asked, context, llm, memory=memory, judge=judge, reliance=weigh):
            text.add(event)
            if event.evidence is not None:
                added[event.evidence.id] = event.evidence
            trace = event.trace if event.trace is not None else trace
            if text.shown().startswith(shown):
                write(text.shown()[len(shown) :])
                shown = text.shown()
        write(f"\n{text.final_note()}\n" if text.final_note() else "\n")


def open_source(context: CaseContext, evidence_id: str, added: Mapping[str, Evidence] | None = None) -> str:
    """The evidence as lines: text, fields, place. ``added`` : what the last answer's tools added for it alone."""
    extra = added or {}
    if evidence_id not in context.ledger and evidence_id not in extra:
        return f"{evidence_id} is not in this case; ids here: {', '.join((*context.ledger.ids(), *extra))}"
    item = context.ledger[evidence_id] if evidence_id in context.ledger else extra[evidence_id]
    lines = [f"{item.id}  {item.text}"]
    lines += [f"    {how_made(item)}"] if evidence_id not in context.ledger else []
    lines += [f"    {name.replace('_', ' ')}: {field.display}" for name, field in item.fields.items()]
    source = {k: v for k, v in vars(item.source).items() if v is not None}
    if item.source.pmid:
        source["open"] = f"https://pubmed.ncbi.nlm.nih.gov/{item.source.pmid}/"
    lines += [f"    {name.replace('_', ' ')}: {value}" for name, value in source.items()]
    return "\n".join(lines)


def _next(read: Callable[[str], str]) -> str | None:
    try:
        asked = read("> ").strip()
    except EOFError:
        return None
    return None if asked.lower() in LEAVE else asked


def printable(text: str) -> str:
    """Text without control characters, line breaks apart."""
    return _CONTROL.sub("?", text)


def _writer(stream: TextIO) -> Callable[[str], None]:
    def write(text: str) -> None:
        stream.write(printable(text))
        stream.flush()

    return write
