"""Ledger and question -> requests for a language model, and its answer -> claims.

Two styles (assistant/llm/chat_model.py): COMPACT lines for the embedded decoder, INSTRUCT for a general model, which
gets the system prompt in assistant/prompts/, the evidence as text with its delimiters neutralised, and a JSON schema
whose citations are an enum of the ledger's ids.

Not known here: which backend answers, and whether a claim is true (assistant/grounding.py).
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from assistant.claim import CheckedClaim, Claim
from assistant.context_budget import room_for_evidence, split_to_fit
from assistant.evidence import CITATION, Evidence, Ledger
from assistant.llm.chat_model import (
    ChatModel,
    ChatRequest,
    Message,
    PromptStyle,
    SoftTokensPart,
    TextPart,
    can_word,
)
from assistant.lm_lines import chunks, compact_line, compact_parts
from assistant.report import SECTION_TITLES
from assistant.sections import section_evidence
from encoders.vocabulary import APPEARANCE, EXPRESSION_PROFILES

PROMPT_VERSION = "1"
NO_EVIDENCE = "no evidence"
"""What the embedded decoder writes when the lines do not answer the question."""

MAX_CLAIMS = 60
QUESTION_LENGTH = 240  # characters of a question the embedded decoder is given
_PROMPTS = Path(__file__).parent / "prompts"
_FENCE = re.compile(r"^\s*```(?:json)?\s*\n(.*?)\n?```\s*$", re.DOTALL)
_RAW_LIMIT = 600
_TO_TYPOGRAPHIC = str.maketrans({"<": "‹", ">": "›", "[": "(", "]": ")", "{": "(", "}": ")", "`": "'", "|": "/"})


@cache
def system_prompt(name: str) -> str:
    """Text of ``assistant/prompts/NAME.txt``; a missing file is an error, never a default."""
    return (_PROMPTS / f"{name}.txt").read_text(encoding="utf-8").strip()


def neutralise(text: str) -> str:
    """Untrusted text with every character that could close our delimiters or fake a citation replaced.

    Line breaks become blanks and control or private-use characters go, so a note cannot open a new ledger line.
    """
    plain = "".join(" " if c.isspace() else c for c in text if c.isspace() or (c.isprintable() and not _private(c)))
    return re.sub(r" {2,}", " ", plain.translate(_TO_TYPOGRAPHIC)).strip()


def _private(character: str) -> bool:
    return 0xE000 <= ord(character) <= 0xF8FF


def report_requests(
    ledger: Ledger, section: str, llm: ChatModel, soft: Sequence[SoftTokensPart] = (), seed: int = 0
) -> tuple[ChatRequest, ...]:
    """Requests that together write one section: for INSTRUCT as few as the model's context lets (usually one), for
    COMPACT one per chunk of lines.

    ``soft`` is ``llm.soft_tokens(embeddings)``; a request carries a modality's tokens only where its evidence is
    perceived from them. Evidence of a type the model cannot word is left out. Returns () when nothing is left.
    """
    evidence = tuple(e for e in section_evidence(ledger, section) if can_word(llm, e.type))
    if not evidence:
        return ()
    if llm.style is PromptStyle.COMPACT:
        return tuple(compact_request(f"section: {section}", part, soft, seed=seed) for part in chunks(evidence))
    task = f'Write the section "{SECTION_TITLES[section]}" from this evidence. Mention every variant and therapy row.'
    runs = split_to_fit(evidence, ledger_line, room_for_evidence(llm, soft, task))
    return tuple(_instruct_request("report_system", task, run, soft, seed=seed) for run in runs)


def chat_request(
    question: str,
    evidence: Sequence[Evidence],
    llm: ChatModel,
    soft: Sequence[SoftTokensPart] = (),
    *,
    topic: str = "",
    history: Sequence[tuple[str, str]] = (),
    seed: int = 0,
) -> ChatRequest:
    """A request that answers ``question`` from ``evidence``; ``topic`` is what routing took the question to be about.

    history : earlier (question, answer) pairs; the embedded decoder, which has no room for them, leaves them out
    """
    asked = neutralise(question)
    if llm.style is PromptStyle.COMPACT:
        head = f"question: {asked.lower()[:QUESTION_LENGTH]}" + (f"\nabout: {topic}" if topic else "")
        return compact_request(head, tuple(evidence), soft, seed=seed)
    past = "".join(f"Earlier question: {neutralise(q)}\nEarlier answer: {neutralise(a)}\n" for q, a in history)
    return _instruct_request("chat_system", f"{past}Question: {asked}", evidence, soft, seed=seed)


def retry_request(request: ChatRequest, failed: Sequence[CheckedClaim], style: PromptStyle) -> ChatRequest:
    """The same request once more, told what the checker refused (INSTRUCT) or sampled a little (COMPACT)."""
    if style is PromptStyle.COMPACT:
        return ChatRequest(
            request.messages, request.allowed_ids, request.schema, request.max_tokens, 0.4, request.seed + 1
        )
    reasons = "\n".join(f"- {neutralise(c.raw)[:200]} -> {neutralise(c.reason)[:200]}" for c in failed[:8])
    again = f"The check refused these claims:\n{reasons}\nWrite only these facts again, corrected, or leave them out."
    messages = (*request.messages, Message("user", (TextPart(again),)))
    if request.messages[-1].role == "user":  # templates want the roles to alternate
        last = request.messages[-1]
        messages = (*request.messages[:-1], Message("user", (*last.parts, TextPart(again))))
    return ChatRequest(messages, request.allowed_ids, request.schema, request.max_tokens, 0.0, request.seed + 1)


# ---- COMPACT ------------------------------------------------------------------------------------------------------


def compact_request(
    head: str, evidence: tuple[Evidence, ...], soft: Sequence[SoftTokensPart], *, seed: int = 0
) -> ChatRequest:
    """One COMPACT request: head, soft tokens of the modalities needed, evidence lines."""
    by_modality = {part.modality: part for part in soft}
    needed = [m for m in sorted({e.perceived_from for e in evidence if e.perceived_from}) if m in by_modality]
    lines = [compact_line(e, hidden=e.perceived if e.perceived_from in needed else ()) for e in evidence]
    parts = [by_modality[text] if is_soft else TextPart(text) for text, is_soft in compact_parts(head, lines, needed)]
    return ChatRequest(
        messages=(Message("user", tuple(parts)),),
        allowed_ids=tuple(e.id for e in evidence),
        max_tokens=80 + 70 * len(evidence),
        seed=seed,
    )


def _merged(parts: Iterable[TextPart | SoftTokensPart]) -> tuple[TextPart | SoftTokensPart, ...]:
    """Join neighbouring text parts by the newline they would be joined with anyway."""
    merged: list[TextPart | SoftTokensPart] = []
    for part in parts:
        if isinstance(part, TextPart) and merged and isinstance(merged[-1], TextPart):
            merged[-1] = TextPart(f"{merged[-1].text}\n{part.text}")
        else:
            merged.append(part)
    return tuple(merged)


# ---- INSTRUCT -----------------------------------------------------------------------------------------------------


def claims_schema(ids: Sequence[str]) -> dict[str, Any]:
    """JSON schema of an answer: claims whose citations are an enum of ``ids``."""
    citations = {"type": "array", "minItems": 1, "items": {"type": "string", "enum": list(ids)}}
    claim = {
        "type": "object",
        "properties": {"text": {"type": "string"}, "citations": citations},
        "required": ["text", "citations"],
        "additionalProperties": False,
    }
    return {
        "type": "object",
        "properties": {"claims": {"type": "array", "maxItems": MAX_CLAIMS, "items": claim}},
        "required": ["claims"],
        "additionalProperties": False,
    }


def ledger_line(item: Evidence, *, hidden: Iterable[str] = ()) -> str:
    """One evidence for a general model: id, type, sentence and fields; hidden fields are named, not told."""
    left_out = set(hidden)
    fields = "; ".join(
        f"{name}={neutralise(f.display)}" for name, f in item.fields.items() if name not in left_out and f.display
    )
    if not left_out:
        return f"[{item.id}] {item.type}: {neutralise(item.text)} (fields: {fields})"
    words = _offered_words(item)
    return (
        f"[{item.id}] {item.type}: {', '.join(sorted(left_out))} is read from the tokens ({words}) (fields: {fields})"
    )


def _offered_words(item: Evidence) -> str:
    attribute = str(item.fields["attribute"].value) if "attribute" in item.fields else ""
    key = attribute.replace(" ", "_")
    if key in EXPRESSION_PROFILES:
        return " or ".join(EXPRESSION_PROFILES[key])
    pairs: Mapping[str, tuple[str, str]] = APPEARANCE.get(key, {})
    return " or ".join(dict.fromkeys(word for pair in pairs.values() for word in pair)) or "one word"


def _instruct_request(
    prompt_name: str, task: str, evidence: Sequence[Evidence], soft: Sequence[SoftTokensPart], *, seed: int
) -> ChatRequest:
    ids = tuple(e.id for e in evidence)
    by_modality = {part.modality: part for part in soft}
    needed = [m for m in sorted({e.perceived_from for e in evidence if e.perceived_from}) if m in by_modality]
    lines = [ledger_line(e, hidden=e.perceived if e.perceived_from in needed else ()) for e in evidence]
    parts: list[TextPart | SoftTokensPart] = []
    for modality in needed:
        parts += [TextPart(f"The next tokens are the patient's {modality}."), by_modality[modality]]
    parts.append(TextPart("<evidence>\n" + "\n".join(lines) + "\n</evidence>"))
    parts.append(TextPart(task))
    return ChatRequest(
        messages=(Message("system", (TextPart(system_prompt(prompt_name)),)), Message("user", _merged(parts))),
        allowed_ids=ids,
        schema=claims_schema(ids),
        max_tokens=120 + 80 * len(evidence),
        seed=seed,
    )


# ---- answers ------------------------------------------------------------------------------------------------------


def parse_claims(text: str, style: PromptStyle) -> tuple[Claim, ...]:
    """Claims of an answer. What does not have the form becomes one claim without citations, which no check passes.

    COMPACT: one claim a line, citations in square brackets; ``no evidence`` gives ().
    INSTRUCT: the JSON object of ``claims_schema``, alone or in one code fence.
    """
    if style is PromptStyle.COMPACT:
        lines = [line.strip() for line in text.splitlines() if line.strip()]
        return tuple(_compact_claim(line) for line in lines if line.rstrip(".").lower() != NO_EVIDENCE)
    fenced = _FENCE.match(text)
    try:
        answer = json.loads(fenced[1] if fenced else text)
    except json.JSONDecodeError:
        return _misshapen(text)
    if not isinstance(answer, dict) or set(answer) != {"claims"} or not isinstance(answer["claims"], list):
        return _misshapen(text)
    return tuple(_json_claim(item) for item in answer["claims"])


def _compact_claim(line: str) -> Claim:
    citations = tuple(dict.fromkeys(CITATION.findall(line)))
    return Claim(re.sub(r"\s+([.,;])", r"\1", CITATION.sub("", line)).strip(), citations)


def _json_claim(item: object) -> Claim:
    if isinstance(item, dict) and set(item) == {"text", "citations"}:
        text, citations = item["text"], item["citations"]
        if isinstance(text, str) and isinstance(citations, list) and all(isinstance(c, str) for c in citations):
            inline = CITATION.findall(text)
            return Claim(CITATION.sub("", text).strip(), tuple(dict.fromkeys([*citations, *inline])))
    return Claim(json.dumps(item, ensure_ascii=False)[:_RAW_LIMIT], ())


def _misshapen(text: str) -> tuple[Claim, ...]:
    return (Claim(text.strip()[:_RAW_LIMIT], ()),) if text.strip() else ()
