"""A claim that follows the wording of evidence follows it: no word exchanged, no negation put in or left out.

Two rules. (1) Where equal words stand before and after, what stands between is the evidence's: a direction, state,
number, name, negation or other word of meaning is not exchanged, a negation, number or direction is not put in, and
a negation, hedge, limit or direction is not left out. (2) A state ("mutated", "wild type", "amplified", "positive")
belongs to the gene or marker next to it; a claim may not give it another one than the evidence does.

What these rules do NOT check: a paraphrase that shares fewer than about four words in a row with the evidence (the
word by word rules of grounding_rules.py do); words left out that are neither negation, hedge, limit nor direction,
so a list may be shortened and a scope may widen ("strong inhibitors" for "strong CYP3A inhibitors"); an exchange of
two neutral words outside ``OPPOSED_RELATIONS``.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from assistant.claim import Verdict
from assistant.grounding_evidence import NEUTRAL_KEYS, EvidenceView, Pole, directions
from assistant.grounding_rules import Finding, clause_evidence
from assistant.grounding_runs import Change, Words, changes, longest_run, runs, sequence, text_sequence, whole_texts
from assistant.grounding_statement import Statement
from assistant.grounding_vocabulary import ORDERING
from assistant.grounding_words import HEDGES, JOINS, LIMITS, NEGATIONS, OPPOSED_RELATIONS
from assistant.normalise import Token, TokenKind, clean, tokenise, word_key

_NAMED = tuple(f"{k}:" for k in ("drug", "gene", "fusion", "variant", "stage", "number", "date", "quote"))
_ORDER_KEYS = frozenset(word_key(w) for w in ORDERING)
_KEPT = NEGATIONS | frozenset(word_key(w) for w in (*HEDGES, *LIMITS))
_LISTED_POLES = frozenset(["pole:level:2"])  # "strong or moderate inhibitors": one of a list may be left out
_STATES = frozenset(["mutation", "copies", "sign", "presence"])
_PROSE = frozenset(["passage", "note", "therapy", "conflict", "absent"])
_OWN_ORDER = frozenset(["gene_attribution"])  # lists raised and lowered genes; grounding_types.py keeps the pairs
_JOINING = frozenset(JOINS) | frozenset(["or", "of"])
_MIN_QUOTED_WORDS, _MIN_MARKER = 3, 2
_MIN_QUOTED = 3.5


def quotes_are_not_altered(statement: Statement) -> Finding | None:
    """Between words that follow the evidence, the claim says what the evidence says."""
    said = sequence(statement.expanded)
    prose = {i: [runs(said, text_sequence(t)) for t in _prose(v)] for i, v in statement.views.items()}
    framed = {i: runs(said, text_sequence(clean(v.item.text))) for i, v in statement.views.items()}
    licences = [*framed.values(), *(r for rs in prose.values() for r in rs)]
    chosen = clause_evidence(statement)
    fields = [
        text_sequence(shown)
        for v in statement.views.values()
        for f in v.item.fields.values()
        for shown in {clean(f.display), clean(f.display).removeprefix("excluded: ")}
    ]
    copied = whole_texts(said, fields)
    for evidence_id, held in statement.views.items():
        altered = [c for r in prose[evidence_id] for c in changes(r, licences) if _matters(c, held)]
        if held.item.type not in _OWN_ORDER:
            altered += [c for c in changes(framed[evidence_id], licences) if _like_for_like(c, held)]
        altered = [c for c in altered if not _joins_fields(c, said, copied, held)]
        for change in sorted(altered, key=lambda c: (-c.run, len(c.said) + len(c.held))):
            place = said.places[min(change.start, len(said.places) - 1)]
            ids = chosen[statement.expanded_segment[place]]
            if not ids or evidence_id in ids:
                return Finding(Verdict.CONTRADICTED, _reason(change, evidence_id))
    return None


def _joins_fields(change: Change, said: Words, copied: NDArray[np.bool_], held: EvidenceView) -> bool:
    """Whether the run and the change are whole fields joined by words of the type: then no sentence was altered.

    "an option for EGFR L858R in lung cancer" shares "EGFR ... lung cancer" with "EGFR-mutated lung cancer".
    """
    if change.at_edge and not (change.said and change.held):
        outside = set(range(change.start, change.start + len(change.said)))
        return all(copied[i] for i in change.reach if i not in outside)
    return all(copied[i] or _is_filler(said.symbols[i], held) for i in change.reach)


def _is_filler(symbol: str, held: EvidenceView) -> bool:
    return not symbol.startswith("pole:") and (not _means(symbol) or symbol in held.type_words)


def _prose(held: EvidenceView) -> list[str]:
    """The prose of an evidence: its longer fields, and the sentence a therapy row stands for.

    What the ledger words by a template (a lesion's sizes) is left to the rules on names and numbers.
    """
    if held.item.type not in _PROSE:
        return []
    shown = [clean(f.display) for f in held.item.fields.values()]
    if held.item.type == "therapy":
        shown.append(clean(held.item.text).partition(". ")[2])
    return [s for s in shown if len(s.split()) >= _MIN_QUOTED_WORDS]


def _like_for_like(change: Change, held: EvidenceView) -> bool:
    """A number for a number, a state for its opposite, a word for a word; around it the template's own words."""
    said, text = _difference(change)
    if any(a in OPPOSED_RELATIONS.get(b, ()) for a in said for b in text):
        return True
    if not said or not text:
        return any(s in NEGATIONS for s in (*said, *text))
    if all(s.startswith("number:") for s in (*said, *text)):  # months are not exchanged for a percentage
        return bool({_kind(s) for s in said} & {_kind(s) for s in text})
    if len(said) == len(text) == 1 and not any(s in NEUTRAL_KEYS or s in held.type_words for s in (*said, *text)):
        return True
    return bool({k for s in said if (k := _kind(s))} & {k for s in text if (k := _kind(s))})


def _kind(symbol: str) -> str | None:
    """What a symbol can be exchanged with: "number:month", "gene:", "pole:mutation"; None for a word."""
    if symbol.startswith("number:"):
        return f"number:{symbol.rpartition(':')[2]}"  # months for months, not for a percentage
    if symbol.startswith("pole:"):
        return symbol.rpartition(":")[0]
    return next((k for k in _NAMED if symbol.startswith(k)), None)


def _difference(change: Change) -> tuple[list[str], list[str]]:
    said = list((Counter(change.said) - Counter(change.held)).elements())
    return said, list((Counter(change.held) - Counter(change.said)).elements())


def _matters(change: Change, held: EvidenceView) -> bool:
    said, text = _difference(change)
    if change.at_edge and not (change.said and change.held):
        return any(s in NEGATIONS for s in (*said, *text))  # what stands beside a quote is the claim's own frame
    if not said and not text:  # the same words in another order
        return any(s.startswith(_NAMED) or s.startswith("pole:") for s in change.said)
    if any((a in OPPOSED_RELATIONS and b in OPPOSED_RELATIONS[a]) for a in said for b in text):
        return True
    if any(_states(s) or (s in _KEPT and s not in NEUTRAL_KEYS) for s in said if s not in text):
        return True
    if any(s in _KEPT or (s.startswith("pole:") and s not in _LISTED_POLES) for s in text):
        return True
    return bool(text) and bool(said) and any(_means(s) for s in text) and not _only_own_type(said, text, held)


def _states(symbol: str) -> bool:
    return symbol.startswith((*_NAMED, "pole:")) or symbol in NEGATIONS or symbol in _ORDER_KEYS


def _means(symbol: str) -> bool:
    return symbol not in NEUTRAL_KEYS and symbol not in ("be", "may")


def _only_own_type(said: Sequence[str], text: Sequence[str], held: EvidenceView) -> bool:
    """Whether both sides are words any evidence of this type may be worded with ("drug" for "therapy")."""
    return all(s in held.type_words or s in NEUTRAL_KEYS for s in (*said, *text))


def _reason(change: Change, evidence_id: str) -> str:
    said, held = change.wording
    if not held:
        return f"puts {said!r} into the words of {evidence_id}"
    if not said:
        return f"leaves {held!r} out of the words of {evidence_id}"
    return f"says {said!r} where {evidence_id} says {held!r}"


def states_keep_their_entity(statement: Statement) -> Finding | None:
    """ "RAS wild type" fails where the evidence says "RAS-mutated, BRAF wild-type".

    The state in a therapy row's biomarker goes before what the row's other text says of the same gene; that text has
    to be quoted with the words around it.
    """
    said = _entity_states(statement.expanded)
    rules = {i: _rule_states(v) for i, v in statement.views.items()}
    known = {i: frozenset(_entity_states(tokenise(clean(v.item.text))).values()) for i, v in statement.views.items()}
    for place, (entity, pole) in said.items():
        if any((entity, pole) in pairs for pairs in rules.values()):
            continue
        ruled = any(_rivals(entity, pole, pairs) for pairs in rules.values())
        if any((entity, pole) in pairs for pairs in known.values()) and not (
            ruled and _run_at(statement, place) < _MIN_QUOTED
        ):
            continue
        for evidence_id, pairs in known.items():
            if _rivals(entity, pole, pairs):
                name = entity.partition(":")[2] or entity.upper()
                state = statement.expanded[place].surface
                return Finding(Verdict.CONTRADICTED, f"calls {name} {state!r}; {evidence_id} gives it another state")
    return None


def _rule_states(held: EvidenceView) -> frozenset[tuple[str, Pole]]:
    if held.item.type != "therapy" or "biomarker" not in held.item.fields:
        return frozenset()
    return frozenset(_entity_states(tokenise(clean(held.item.fields["biomarker"].display))).values())


def _rivals(entity: str, pole: Pole, pairs: frozenset[tuple[str, Pole]]) -> bool:
    return any(e == entity and p[0] == pole[0] and p != pole for e, p in pairs)


def _run_at(statement: Statement, place: int) -> float:
    said = sequence(statement.expanded, edges=False)
    texts = [text_sequence(clean(v.item.text), edges=False) for v in statement.views.values()]
    return max((longest_run(runs(said, t), place) for t in texts), default=0.0)


def _entity_states(tokens: Sequence[Token]) -> dict[int, tuple[str, Pole]]:
    """Place of a state -> (gene or marker next to it, effective state); the name before it counts first."""
    pairs: dict[int, tuple[str, Pole]] = {}
    for i, pole in directions(tokens).poles.items():
        if pole[0] not in _STATES:
            continue
        near = _neighbour(tokens, i, -1) or _neighbour(tokens, i, 1)
        if near is not None:
            pairs[i] = (near, pole)
    return pairs


def _neighbour(tokens: Sequence[Token], place: int, step: int) -> str | None:
    """The gene or marker next to a state, neutral words and negations between them skipped."""
    i = place + step
    while 0 <= i < len(tokens) and tokens[i].kind is not TokenKind.BREAK:
        token = tokens[i]
        if token.kind is TokenKind.GENE or (token.kind is TokenKind.WORD and _is_marker(token)):
            return token.key
        if token.kind is not TokenKind.WORD or not (token.key in NEUTRAL_KEYS or token.key in NEGATIONS):
            return None
        if token.key in _JOINING:
            return None
        i += step
    return None


def _is_marker(token: Token) -> bool:
    """RAS, HR, PD-L1: a name in capitals that is no gene symbol."""
    return token.surface.isupper() and len(token.surface) >= _MIN_MARKER and token.surface.isalpha()
