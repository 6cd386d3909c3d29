"""Where a negation may stand: before what it denies, once, and in a sentence about a gap only where the gap is named.

A sentence about missing data is made of negations, so the general rule (a negation is the evidence's own) lets one
more pass: "a not methylation array", "there is not no methylation". Here each one has to stand in its place.

Not known here: whether what is denied is denied by the evidence (grounding_statement.py, grounding_quotes.py).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from assistant.claim import Verdict
from assistant.grounding_evidence import EvidenceView
from assistant.grounding_form import pairs_of_the_evidence, plain_word
from assistant.grounding_rules import Finding
from assistant.grounding_statement import Statement
from assistant.grounding_words import AVAILABLE, DETECTED, JOINS, NEGATIONS
from assistant.normalise import Token, TokenKind, word_key

_NO = frozenset(["no", "without"])
_NOT = frozenset(["not", "never"])
_BEFORE_NOT = frozenset(
    word_key(w)
    for w in ["is", "are", "was", "were", "be", "been", "has", "have", "had", "can", "could", "did", "does", "do"]
)
_SKIPPED = frozenset(
    word_key(w) for w in ["yet", "currently", "been", "be", "the", "any", "a", "an", "such", "further", "other"]
)
_AVAILABLE = frozenset(
    word_key(w)
    for w in (
        *AVAILABLE,
        *DETECTED,
        *["determine", "decide", "assess", "evaluate", "establish", "clarify", "answer", "ordered", "clear"],
    )
)
_NOUNS = frozenset(
    word_key(w) for w in ["data", "information", "result", "test", "file", "evidence", "document", "report", "answer"]
)
_ABSENCE = frozenset(word_key(w) for w in ["missing", "absent", "lacking", "unavailable", "without"])


def negations_stand_before_something(statement: Statement) -> Finding | None:
    """No negation ends a clause, and none stands right before another one."""
    tokens = statement.expanded
    held = pairs_of_the_evidence(statement)
    for i, token in enumerate(tokens):
        if token.key not in _NO | _NOT or token.kind is not TokenKind.WORD:
            continue
        following = tokens[i + 1] if i + 1 < len(tokens) else None
        if (plain_word(token), plain_word(following) if following else ".") in held:
            continue
        if following is None or following.kind is TokenKind.BREAK:
            return _unsupported(f"is no sentence: {token.surface!r} ends its clause")
        if following.key in NEGATIONS:
            return _unsupported(f"denies twice: {token.surface!r} stands before {following.surface!r}")
    return None


def gaps_are_denied_once(statement: Statement) -> Finding | None:
    """In a sentence about missing data, "no" stands before what is missing and "not" before a word like "available"."""
    for evidence_id, held in statement.views.items():
        if held.item.type != "absent":
            continue
        cues = [i for i, t in enumerate(statement.tokens) if t.kind is TokenKind.WORD and t.key in _NO | _NOT]
        for place, i in enumerate(cues):
            token = statement.tokens[i]
            if place and _same_clause(statement, cues[place - 1], i):
                return _unsupported(f"denies twice what {evidence_id} holds as missing")
            if not _in_place(statement.tokens, i, held):
                return _unsupported(f"puts {token.surface!r} where {evidence_id} denies nothing")
    return None


def _same_clause(statement: Statement, first: int, second: int) -> bool:
    between = statement.tokens[first + 1 : second]
    return not any(t.kind is TokenKind.BREAK or t.key in JOINS or t.key in _DIVIDES for t in between)


_DIVIDES = frozenset(word_key(w) for w in ["which", "so", "because", "since", "as", "would", "could"])


def _in_place(tokens: Sequence[Token], i: int, held: EvidenceView) -> bool:
    before = tokens[i - 1] if i else None
    rest = [t for t in tokens[i + 1 : i + 4] if t.key not in _SKIPPED]
    following = rest[0] if rest else None
    if following is None:
        return False
    opens = before is None or before.kind is TokenKind.BREAK or before.key in JOINS
    reasons = held.field_keys.get("reason", frozenset())
    missing = held.field_keys.get("modality", frozenset())
    if tokens[i].key in _NOT:
        placed = opens or (before is not None and before.key in _BEFORE_NOT)
        return placed and following.key in _AVAILABLE | (reasons - missing)
    named = following.key in missing | reasons | _NOUNS
    inside = before is not None and before.key in missing | {"a", "an", "the", "on", "of"}
    return named and not inside and not _after_absence(tokens, i)


def _after_absence(tokens: Sequence[Token], i: int) -> bool:
    """ "Missing: no methylation" says twice that it is missing."""
    if i < 2 or tokens[i - 1].key != ":":
        return False
    return any(t.key in _ABSENCE | NEGATIONS for t in tokens[max(0, i - 4) : i - 1])


def _unsupported(reason: str) -> Finding:
    return Finding(Verdict.UNSUPPORTED, reason)


NEGATION_RULES: tuple[Callable[[Statement], Finding | None], ...] = (
    negations_stand_before_something,
    gaps_are_denied_once,
)
