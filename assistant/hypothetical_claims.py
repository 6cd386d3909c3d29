"""Rules of what-if evidence: a claim on it says what would be, keeps then and now apart, and each option's effect.

A what-if holds two states of one patient, so every value of both stands in the evidence and only where it is put can
lie: a supposed risk given as the recorded one, or an option said to appear that would disappear.

NOT checked: tense beyond the listed words; which of two comparisons is meant where a clause names risk and survival.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence

from assistant.claim import Verdict
from assistant.grounding_evidence import EvidenceView
from assistant.grounding_rules import Finding
from assistant.grounding_statement import Bound, Statement
from assistant.normalise import Token, TokenKind, clean, tokenise, word_key

_SUPPOSED = re.compile(r"(?i)\b(?:would|hypothetical(?:ly)?|if)\b")
_STATED = re.compile(r"(?i)\b(?:is|are|has|have|was|will|shall|must|should|can)\b")
_SUPPOSING = re.compile(r"(?i)\bwould (?:not |nolonger |then )?have\b|\b(?:this|it) is (?:a )?hypothetical\b")
"""Verbs of _STATED that stand in what is supposed all the same."""

_TURNS = frozenset(["and", "but", "so", "while", "whereas"])
"""After a comma they open a clause of its own."""

THEN, NOW = "then", "now"
_MARKS: Mapping[str, str] = {
    word_key(w): role
    for role, words in ((NOW, "instead from than now currently current recorded rather compared versus against"),
                        (THEN, "to would become becomes hypothetical hypothetically if"))
    for w in words.split()
}  # fmt: skip
_NOW_AFTER = frozenset(word_key(w) for w in ("now", "currently", "today"))
_UP = re.compile(r"(?i)higher|elevated|raise[sd]?|increase[sd]?|rises?")
_DOWN = re.compile(r"(?i)lower(?:s|ed)?|decrease[sd]?|reduce[sd]?|falls?|drops?")
_GROUPS = frozenset(["low", "intermediate", "high"])
_FAILS = frozenset(word_key(w) for w in ("resistance", "resistant", "fail", "fails"))


def _unsupported(reason: str) -> Finding:
    return Finding(Verdict.UNSUPPORTED, reason)


def _contradicted(reason: str) -> Finding:
    return Finding(Verdict.CONTRADICTED, reason)


def _supposed(statement: Statement, evidence_type: str | None = None) -> dict[str, EvidenceView]:
    return {
        i: v for i, v in statement.views.items() if v.item.hypothetical and evidence_type in (None, v.item.type)
    }  # fmt: skip


# ---- what would be is not said to be ----


def the_supposed_is_no_fact(statement: Statement) -> Finding | None:
    """Each clause of a claim on a what-if says that it supposes, unless a fact that is cited too holds all of it."""
    held = _supposed(statement)
    for number, places in enumerate(_clauses(statement.tokens) if held else ()):
        tokens = [statement.tokens[i] for i in places]
        if _is_fact(statement, places, held) or (number and _word_for_word(tokens, held)):
            continue
        plain = " ".join("," if t.kind is TokenKind.QUOTE else t.surface for t in tokens)
        supposed = any(_SUPPOSED.search(t.surface) for t in tokens)
        if not supposed or _STATED.search(_if_clause_free(_SUPPOSING.sub(" ", plain))):
            return _unsupported(f"states {', '.join(held)} as a fact, which is hypothetical; say what would be")
    return None


def _clauses(tokens: Sequence[Token]) -> Iterator[list[int]]:
    """Places of each clause: up to a semicolon or full stop, or to a comma with "and", "but", "so" after it."""
    places: list[int] = []
    for i, token in enumerate(tokens):
        following = tokens[i + 1].surface.lower() if i + 1 < len(tokens) else ""
        ends = token.kind is TokenKind.BREAK and (token.key in ";.!?" or (token.key == "," and following in _TURNS))
        if not ends:
            places.append(i)
        elif places:
            yield places
            places = []
    if any(tokens[i].kind is not TokenKind.BREAK for i in places):
        yield places


def _is_fact(statement: Statement, places: Sequence[int], held: Mapping[str, EvidenceView]) -> bool:
    """Whether cited evidence that is no what-if holds every token of meaning in the clause, and there is one."""
    here = [b for b in statement.bound if b.index in places]
    return bool(here) and bool(frozenset.intersection(*(b.support for b in here)) - held.keys())


def _word_for_word(tokens: Sequence[Token], held: Mapping[str, EvidenceView]) -> bool:
    """Whether a later clause is a whole one of the what-if ("the changed input is within the reference range")."""
    said = _keys(tokenise(clean(" ".join(t.surface for t in tokens))))
    for view in held.values():
        own = tokenise(clean(view.item.text))
        if any(said == _keys([own[i] for i in places]) for places in _clauses(own)):
            return True
    return False


def _keys(tokens: Sequence[Token]) -> list[str]:
    return [t.key for t in tokens if t.kind is not TokenKind.BREAK]


def _if_clause_free(clause: str) -> str:
    """A clause without its "if ..." part, whose verb is part of what is supposed."""
    return re.sub(r"(?i)\bif\b[^,:]*[,:]?", " ", clause)


# ---- then and now ----


def then_and_now_keep_their_places(statement: Statement) -> Finding | None:
    """A value of the recorded state is said to be so, and the supposed one is not given as recorded."""
    for evidence_id, held in _supposed(statement, "hypothetical_risk").items():
        last: str | None = None
        places = {i: r for i, t in enumerate(statement.tokens) if (r := _role(t, held))}
        for place, role in places.items():
            said = last = _told(statement.tokens, place, places, last)
            shown = statement.tokens[place].surface
            if said is not None and said != role:
                names = {THEN: "what would be", NOW: "what is recorded"}
                return _contradicted(f"gives {shown!r} as {names[said]}; {evidence_id} holds it as {names[role]}")
            if said is None and role == NOW:
                return _unsupported(f"gives {shown!r} without saying that it is so now; {evidence_id} holds both")
        finding = _effect(statement, evidence_id, held)
        if finding is not None:
            return finding
    return None


def _role(token: Token, held: EvidenceView) -> str | None:
    """THEN or NOW for a number or a risk group of one of the two states; None for what both or neither hold."""
    if token.number is not None:
        fields = {f for f in held.number_fields(token.number) if f and f.endswith((f"_{THEN}", f"_{NOW}"))}
    elif token.surface.lower() in _GROUPS:
        fields = {f for f in ("risk_group_then", "risk_group_now") if token.key in held.field_keys.get(f, ())}
    else:
        return None
    roles = {f.rpartition("_")[2] for f in fields}
    return next(iter(roles)) if len(roles) == 1 else None


def _told(tokens: Sequence[Token], place: int, marked: Mapping[int, str], last: str | None) -> str | None:
    """What the words beside a value say of it: "now" after it, else the nearest mark before, else as the one before."""
    if any(t.key in _NOW_AFTER for t in tokens[place + 1 : place + 3] if t.number is None):
        return NOW
    for i in range(place - 1, -1, -1):
        token = tokens[i]
        if i in marked:
            return last
        if token.kind is TokenKind.BREAK and token.key in ";.":
            return None
        between_ends = i > 1 and token.key == "to" and marked.get(i - 1) == marked[place]
        if token.key in _MARKS and not between_ends and token.kind is TokenKind.WORD:
            return _MARKS[token.key]
        if token.kind is TokenKind.QUOTE and token.surface.lower().startswith("if "):
            return THEN
    return None


def _effect(statement: Statement, evidence_id: str, held: EvidenceView) -> Finding | None:
    """ "higher" and "lower" agree with the two states: of survival where it stands nearer, else of risk."""
    risk = str(held.item.fields["effect"].value) if "effect" in held.item.fields else ""
    signs = {"higher risk": 1, "lower risk": -1, "no change": 0}
    for i, token in enumerate(statement.tokens):
        word = token.surface.lower()
        said = 1 if _UP.fullmatch(word) else -1 if _DOWN.fullmatch(word) else 0
        if said == 0 or risk not in signs:
            continue
        expected = signs[risk] * (-1 if _nearest_is_survival(statement.tokens, i) else 1)
        if said != expected:
            return _contradicted(f"says {word!r}, but {evidence_id} holds {risk}")
    return None


def _nearest_is_survival(tokens: Sequence[Token], place: int) -> bool:
    """Whether "survival" stands nearer than "risk" or "percentile"; the word right after a comparison comes first."""
    near = [
        (abs(i - place) - (0.5 if i > place else 0), t.key == "survival")
        for i, t in enumerate(tokens)
        if t.key in ("survival", "risk", word_key("percentile"))
        and not (i + 1 < len(tokens) and tokens[i + 1].key == "model")
    ]
    return min(near)[1] if near else False


# ---- options ----


def options_keep_their_effect(statement: Statement) -> Finding | None:
    """A supposed option is named, and said to appear, to disappear or to fail as the what-if holds it."""
    rows = _supposed(statement, "hypothetical_therapy")
    named = {b.token.key for b in statement.bound if b.token.kind is TokenKind.DRUG} | statement.keys
    for evidence_id, held in rows.items():
        missing = {k for k in held.field_keys.get("drug", ()) if k != "op:+"} - named
        if missing:
            drugs = ", ".join(sorted(k.removeprefix("drug:") for k in missing))
            return _unsupported(f"cites {evidence_id} without naming its drug ({drugs})")
        effect = held.item.fields["effect"].display if "effect" in held.item.fields else ""
        if effect in _SAYS and not _SAYS[effect](statement.bound):
            return _contradicted(f"does not say that the effect of {evidence_id} is {effect!r}")
    return None


def _offers(bound: Sequence[Bound]) -> bool:
    return any(b.token.key == word_key("option") for b in bound) and not _withdraws(bound) and not _fails(bound)


def _withdraws(bound: Sequence[Bound]) -> bool:
    return any(b.pole == ("offer", 1) or b.token.key in _GONE for b in bound)


def _fails(bound: Sequence[Bound]) -> bool:
    return any(b.token.key in _FAILS for b in bound)


_GONE = frozenset(word_key(w) for w in ("disappear", "disappears"))
_SAYS: Mapping[str, Callable[[Sequence[Bound]], bool]] = {
    "appears": _offers,
    "disappears": _withdraws,
    "resistance appears": _fails,
}

HYPOTHETICAL_RULES: tuple[Callable[[Statement], Finding | None], ...] = (
    the_supposed_is_no_fact,
    then_and_now_keep_their_places,
    options_keep_their_effect,
)
