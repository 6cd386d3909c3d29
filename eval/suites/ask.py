"""One item asked of one system, and what its answer settles on.

Systems: ``llm`` (the question alone), ``rag`` (passages found for the question before it), ``assistant`` (passages and
what is given become a ledger, the model answers with cited claims, every claim is checked). MIRAGE's rules are kept for
all: zero-shot, retrieval sees the question and never the options, nothing is carried from one item to the next.

Not measured here: whether the reasoning is right, only the answer and, for ``assistant``, the claims' support.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from textwrap import wrap
from typing import Any

from assistant.claim import Claim, Verdict
from assistant.collect_draft import neutralise, sentence, word
from assistant.evidence import Evidence, EvidenceKind, EvidenceSource, Ledger
from assistant.grounding import check_claim
from assistant.llm.chat_model import ChatRequest, Message, TextPart
from encoders.errors import ContractError
from eval.questions import extract_answer
from eval.suites.item import Item, Kind
from retrieval.passage import Hit, Query

Search = Callable[[Query], tuple[Hit, ...]]
Reply = Callable[[Item, ChatRequest], str]
"""What answers a request: a model's ``generate``, or answers by the book (scripted.py)."""
MOST_TOKENS = {Kind.CHOICE: 64, Kind.SHORT: 64, Kind.LIST: 200, Kind.RUBRIC: 800}
CLAIM_TOKENS = 300
PIECE_CHARACTERS = 2400
"""Most characters of one piece of a case in the ledger."""
_ASKED = {
    Kind.CHOICE: 'You answer one multiple-choice medical question. Reply with one JSON object and nothing else: '
    '{"answer_choice": "<letter>", "confidence": <0 to 1>}.',
    Kind.SHORT: 'You answer one medical question in a few words. Reply with one JSON object and nothing else: '
    '{"answer": "<a few words>", "confidence": <0 to 1>}.',
    Kind.LIST: 'You answer one medical question with a list. Reply with one JSON object and nothing else: '
    '{"answers": ["<item>", ...], "confidence": <0 to 1>}.',
    Kind.RUBRIC: "You answer a health question as a careful clinician would.",
}  # fmt: skip
_RUBRIC_CITED = ' Reply with one JSON object and nothing else: {"answer": "<your answer>"}.'
_CITED = (
    ' Add "claims": a list of {"text": "<one sentence>", "citations": ["<id>", ...]} that support the answer, each '
    "held by the evidence it cites."
)
_CONFIDENCE = re.compile(r'"confidence"\s*:\s*(-?[0-9.]+(?:e-?\d+)?)')


class System(StrEnum):
    """What is under test."""

    LLM = "llm"
    RAG = "rag"
    ASSISTANT = "assistant"


@dataclass(frozen=True)
class Answer:
    """What came back.

    settled : the letter (CHOICE) or the texts (SHORT, LIST) it settles on; () = no answer, which is not a wrong one
    confidence : as the model says, 0..1; None where it says none
    claims, supported, cited : (assistant) claims written, held by the checker, and their citations
    searched : whether anything was looked for; hits : what was found
    refused : why the backend could not be given the item (a prompt longer than it reads); "" = it was
    """

    raw: str
    settled: tuple[str, ...]
    confidence: float | None
    searched: bool
    hits: tuple[Hit, ...]
    claims: int
    supported: int
    cited: int
    seconds: float
    refused: str = ""


def ask(item: Item, system: System, reply: Reply, search: Search | None, *, k: int, seed: int) -> Answer:
    """Ask one item; a fresh request each time, so that nothing leaks between items."""
    start = time.perf_counter()
    searched = search is not None and system is not System.LLM
    hits = search(Query(item.question, k=k)) if search is not None and searched else ()
    ledger = _ledger(item, hits) if system is System.ASSISTANT else None
    refused = ""
    try:
        raw = reply(item, build_request(item, hits, ledger, seed=seed))
    except ContractError as error:  # this backend cannot take this item; the others go on, and it is counted
        raw, refused = "", str(error)
    claims = [] if ledger is None else _claims(raw)
    checked = [check_claim(c, ledger) for c in claims] if ledger is not None else []
    return Answer(
        raw=raw,
        settled=settle(item, raw),
        confidence=_confidence(raw),
        searched=searched,
        hits=hits,
        claims=len(claims),
        supported=sum(c.verdict is Verdict.SUPPORTED for c in checked),
        cited=sum(len(c.citations) for c in claims),
        seconds=time.perf_counter() - start,
        refused=refused,
    )


def build_request(item: Item, hits: tuple[Hit, ...], ledger: Ledger | None, *, seed: int) -> ChatRequest:
    """The zero-shot request of an item; the gold answer is never in it."""
    if ledger is None:
        shown = "\n".join(f"Document {i} ({h.passage.title}): {h.passage.text}" for i, h in enumerate(hits, 1))
        before = "\n\n".join(text for text in (shown, item.context) if text)
    else:
        before = "\n".join(f"[{e.id}] {e.type}: {e.text}" for e in ledger)
    options = "".join(f"\n{letter}. {text}" for letter, text in item.options.items())
    body = f"{before}\n\n" if before else ""
    room = MOST_TOKENS[item.kind] + (CLAIM_TOKENS if ledger is not None else 0)
    return ChatRequest(
        messages=(
            Message("system", (TextPart(_task(item, ledger)),)),
            Message("user", (TextPart(f"{body}Question: {item.question}{options}"),)),
        ),
        allowed_ids=ledger.ids() if ledger is not None else (),
        schema=_schema(item, ledger),
        max_tokens=room,
        seed=seed,
    )


def _task(item: Item, ledger: Ledger | None) -> str:
    if ledger is None:
        return _ASKED[item.kind]
    return _ASKED[item.kind] + (_RUBRIC_CITED if item.kind is Kind.RUBRIC else "") + _CITED


def _schema(item: Item, ledger: Ledger | None) -> dict[str, Any] | None:
    if item.kind is Kind.RUBRIC and ledger is None:
        return None
    answer: dict[str, dict[str, Any]] = {
        Kind.CHOICE: {"answer_choice": {"type": "string", "enum": list(item.options)}},
        Kind.SHORT: {"answer": {"type": "string", "maxLength": 200}},
        Kind.RUBRIC: {"answer": {"type": "string"}},
        Kind.LIST: {"answers": {"type": "array", "maxItems": 40, "items": {"type": "string", "maxLength": 120}}},
    }[item.kind]
    properties: dict[str, Any] = {**answer, "confidence": {"type": "number", "minimum": 0, "maximum": 1}}
    if ledger is not None:
        cited = {"type": "array", "items": {"type": "string", "enum": list(ledger.ids())}, "maxItems": 4}
        claim = {"text": {"type": "string", "maxLength": 400}, "citations": cited}
        properties["claims"] = {"type": "array", "maxItems": 6, "items": {
            "type": "object", "properties": claim, "required": list(claim), "additionalProperties": False,
        }}  # fmt: skip
    return {"type": "object", "properties": properties, "required": list(answer), "additionalProperties": False}


def _ledger(item: Item, hits: tuple[Hit, ...]) -> Ledger:
    """Passages as guideline evidence, what is given as a note of the case; all of it data, not instructions."""
    found = []
    for number, hit in enumerate(hits, 1):
        fields = {"title": word(hit.passage.title), "statement": word(neutralise(hit.passage.text, limit=1200))}
        text = f"{hit.passage.title}: {sentence(fields['statement'].display)}"
        source = EvidenceSource(row_id=hit.passage.passage_id, file=hit.passage.source or None)
        found.append(Evidence(f"G{number}", EvidenceKind.GUIDELINE, "passage", text, fields, source))
    for number, piece in enumerate(_pieces(item.context), 1):
        quote = neutralise(piece, limit=PIECE_CHARACTERS)
        fields = {"title": word("case"), "quote": word(quote)}
        text = f'The case states: "{quote}"'
        found.append(Evidence(f"F{number}", EvidenceKind.FACT, "note", text, fields, EvidenceSource(place=item.key)))
    return Ledger(tuple(found))


def _pieces(text: str) -> list[str]:
    """The whole text in pieces that ``neutralise`` does not cut, broken between words."""
    return wrap(text, PIECE_CHARACTERS - 100) if text else []  # spelled-out signs lengthen a text a little


def _claims(raw: str) -> list[Claim]:
    found = _object(raw).get("claims")
    said = [c for c in found if isinstance(c, dict)] if isinstance(found, list) else []
    return [
        Claim(
            str(c.get("text", "")),
            tuple(str(i) for i in c["citations"]) if isinstance(c.get("citations"), list) else (),
        )
        for c in said
    ]


def _confidence(raw: str) -> float | None:
    found = _CONFIDENCE.search(raw)
    value = float(found[1]) if found else None
    return value if value is not None and 0 <= value <= 1 else None


def settle(item: Item, raw: str) -> tuple[str, ...]:
    """What the answer settles on: a letter of the options, or its texts; () when it settles on nothing."""
    if item.kind is Kind.CHOICE:
        letter = extract_answer(raw, item.options)
        return () if letter is None else (letter,)
    if item.kind is Kind.RUBRIC:
        said = _object(raw).get("answer") if raw.lstrip().startswith("{") else None  # with claims beside it
        text = (said if isinstance(said, str) else raw).strip()
        return (text,) if text else ()
    said = _object(raw)
    found = said.get("answer" if item.kind is Kind.SHORT else "answers")
    texts = [found] if isinstance(found, str) else found if isinstance(found, list) else []
    if not said:  # no JSON: the answer in plain words, a list by lines or commas
        texts = re.split(r"[\n;,]", raw) if item.kind is Kind.LIST else [raw]
    return tuple(t.strip(" .-*\t") for t in texts if isinstance(t, str) and t.strip(" .-*\t"))


def _object(raw: str) -> Mapping[str, Any]:
    found = re.search(r"\{.*\}", raw, re.DOTALL)
    try:
        said = json.loads(found[0]) if found else {}
    except ValueError:
        return {}
    return said if isinstance(said, dict) else {}
