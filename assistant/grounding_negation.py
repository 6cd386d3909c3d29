"""Where a negation may stand: before what it denies, once, and in a sentence about a gap only where the gap is named.

A sentence about missing data is made of negations, so the general rule (a negation is the evidence's own) lets one
more pass: "a not methylation array", "there is not no methylation". Here each one has to stand in its place.

Not known here: whether what is denied is denied by the evidence (grounding_statement.py, grounding_quotes.py).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from assistant.claim import Verdict
from assistant.grounding_evidence import NEUTRAL_KEYS, EvidenceView
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


def absences_are_denied_once(statement: Statement) -> Finding | None:
    """ "Absent no necrosis": beside "absent" another negation turns nothing round and says nothing."""
    for cue in statement.found.open_cues:
        clause = statement.segment_of[cue]
        poles = {statement.found.poles.get(i) for i, n in enumerate(statement.segment_of) if n == clause}
        beside_absent = ("presence", 1) in poles and not any(v.item.type == "absent" for v in statement.views.values())
        if beside_absent and not any(v.free_text for v in statement.views.values()):
            return _unsupported(f"denies twice: {statement.tokens[cue].surface!r} beside an absence")
    return None


def gaps_are_denied_once(statement: Statement) -> Finding | None:
    """In a sentence about missing data, "no" stands before what is missing and "not" before a word like "available"."""
    for evidence_id, held in statement.views.items():
        if held.item.type != "absent":
            continue
        cues = [i for i, t in enumerate(statement.tokens) if t.kind is TokenKind.WORD and t.key in _NO | _NOT]
        for place, i in enumerate(cues):
            token = statement.tokens[i]
            if _denies_an_absence(statement, i):
                return _unsupported(f"denies that what {evidence_id} holds as missing is missing")
            if place and _same_clause(statement, cues[place - 1], i) and not _closes_with_without(statement, cues, i):
                return _unsupported(f"denies twice what {evidence_id} holds as missing")
            if not _in_place(statement.tokens, i, held):
                return _unsupported(f"puts {token.surface!r} where {evidence_id} denies nothing")
    return None


def gaps_are_named_as_gaps(statement: Statement) -> Finding | None:
    """What is missing is not spoken of as there: "there are methylation data, so its class cannot be determined".

    A clause with the name of what is missing says that it is, or is a label ("methylation: not done"), or speaks of
    the test or of what it would change without a verb that says it exists.
    """
    for evidence_id, held in statement.views.items():
        if held.item.type != "absent":
            continue
        missing = held.field_keys.get("modality", frozenset())
        others = held.field_keys.get("test", frozenset()) | held.field_keys.get("would_change", frozenset())
        for clause in _clauses(statement.expanded):
            keys = {t.key for t in clause}
            if _taken_as_given(clause, missing):
                return Finding(Verdict.CONTRADICTED, f"goes by what {evidence_id} holds as missing")
            if not keys & missing or keys & _GAP_WORDS:
                continue
            label = keys <= missing | _NOUNS | NEUTRAL_KEYS and not keys & _EXISTS
            if keys & _EXISTS or not (label or keys & (others - missing)):
                return Finding(
                    Verdict.CONTRADICTED, f"speaks of what {evidence_id} holds as missing as if it were there"
                )
    return None


def _taken_as_given(clause: Sequence[Token], missing: frozenset[str]) -> bool:
    """ "cannot be determined with methylation data"."""
    keys = [t.key for t in clause if t.key not in _SKIPPED]
    return any(
        a in _GIVEN and b in missing and c in _NOUNS for a, b, c in zip(keys, keys[1:], (*keys[2:], ""), strict=False)
    ) or any(a in _GIVEN and {b, c} <= missing for a, b, c in zip(keys, keys[1:], keys[2:], strict=False))


_GIVEN = frozenset(["with", "from", "by", word_key("using"), "via"])
_EXISTS = frozenset(
    word_key(w)
    for w in (
        *["is", "are", "was", "were", "has", "have", "had", "with", "from", "using"],
        *["contains", "contain", "includes", "include", "holds", "shows", "show"],
    )
)
_GAP_WORDS = NEGATIONS | frozenset(
    word_key(w)
    for w in (
        *["missing", "absent", "absence", "lacking", "unavailable", "unknown", "undetermined", "unresolved", "unclear"],
        *["open", "unanswered", "needed", "required", "suggested", "suggest", "would", "could", "can", "may", "might"],
        *["consider", "gap", "determine", "depends", "await", "pending", "if", "undetected"],
    )
)


def _clauses(tokens: Sequence[Token]) -> list[list[Token]]:
    """Stretches between breaks and words that open a clause; "and" opens one where a verb stands on both sides."""
    out: list[list[Token]] = [[]]
    for i, token in enumerate(tokens):
        end = next((j for j in range(i, len(tokens)) if tokens[j].kind is TokenKind.BREAK), len(tokens))
        joins = token.key in JOINS and {t.key for t in out[-1]} & _EXISTS and {t.key for t in tokens[i:end]} & _VERBS
        if token.kind is TokenKind.BREAK or token.key in _OPENS or joins:
            out.append([])
        else:
            out[-1].append(token)
    return out


_OPENS = frozenset(word_key(w) for w in ["which", "so", "because", "since", "as"])
_VERBS = _BEFORE_NOT | frozenset(word_key(w) for w in ["remains", "stays", "would", "leaves"])


def _denies_an_absence(statement: Statement, i: int) -> bool:
    """ "No methylation is missing", "without methylation: not done"."""
    tokens = statement.tokens
    end = next(
        (j for j in range(i, len(tokens)) if tokens[j].kind is TokenKind.BREAK and tokens[j].key not in "()"),
        len(tokens),
    )
    stop = next((j for j in range(i, end) if tokens[j].key in _DIVIDES), end)
    if any(t.key in _ABSENCE - NEGATIONS for t in tokens[i + 1 : stop]):
        return True
    labels = end < len(tokens) and tokens[end].key == ":" and not i
    return labels and any(t.key in NEGATIONS | _ABSENCE for t in tokens[end + 1 :])


def _closes_with_without(statement: Statement, cues: Sequence[int], i: int) -> bool:
    """ "cannot be determined without methylation data": what is denied depends on what is missing."""
    tokens = statement.tokens
    first = cues[cues.index(i) - 1]
    return tokens[i].key == "without" and first > 0 and tokens[first - 1].key == "can"


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
        if following.key == word_key("have") and before is not None and before.key in _BEFORE_NOT:
            return any(t.key in missing | _NOUNS for t in rest[1:2])  # "we do not have methylation data"
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
    absences_are_denied_once,
    gaps_are_named_as_gaps,
    gaps_are_denied_once,
)
