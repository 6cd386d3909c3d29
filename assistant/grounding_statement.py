"""A claim as tokens with their support: which cited evidence holds each token, and in which clause it stands.

Rules over it live in grounding_rules.py. Not known here: verdicts.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from assistant.grounding_evidence import NEUTRAL_KEYS, Directions, EvidenceView, Pole, content_places, directions
from assistant.grounding_runs import runs, sequence, text_sequence, verbatim_places
from assistant.grounding_words import (
    APPROXIMATE,
    AVAILABLE,
    DETECTED,
    JOINS,
    KEYED_GROUPS,
    NEGATIONS,
    OWN_SUBJECT_GROUPS,
    PRONOUNS,
    STATUS_WORDS,
)
from assistant.normalise import Token, TokenKind, clean, tokenise, word_key

APPROXIMATE_KEYS = frozenset(word_key(w) for w in APPROXIMATE)
_MISSING_KEYS = frozenset(
    word_key(w)
    for w in (*AVAILABLE, *DETECTED, *["data", "file", "sign", "needed", "determine", "evaluate", "establish"])
)
_NO_DATA = frozenset(word_key(w) for w in ("data", "results", "information", "evidence"))
_VARIANT_NOUNS = frozenset(word_key(w) for w in ("mutations", "variants", "alterations"))
_SUBJECT_KINDS = (TokenKind.GENE, TokenKind.DRUG, TokenKind.FUSION, TokenKind.STAGE, TokenKind.CODE)


@dataclass(frozen=True)
class Bound:
    """A token that needs support. ``support`` : cited ids that hold it; ``pole`` : its effective direction."""

    index: int
    token: Token
    segment: int
    support: frozenset[str]
    pole: Pole | None

    @property
    def is_subject(self) -> bool:
        """Whether the token says by itself what the clause is about."""
        if self.pole is not None:
            return self.pole[0] in OWN_SUBJECT_GROUPS
        if self.token.kind is TokenKind.QUOTE:
            return self.token.key.startswith("quote:")
        return self.token.kind in _SUBJECT_KINDS or self.token.kind is TokenKind.WORD


@dataclass(frozen=True)
class Statement:
    """tokens : all tokens; bound : those that need support, in order; segments : how many clauses there are."""

    tokens: tuple[Token, ...]
    bound: tuple[Bound, ...]
    found: Directions
    segment_of: tuple[int, ...]
    views: Mapping[str, EvidenceView]

    @cached_property
    def expanded(self) -> tuple[Token, ...]:
        """All tokens, the words of every QUOTE in its place."""
        return tuple(t for ts in self._unquoted for t in ts)

    @cached_property
    def expanded_segment(self) -> tuple[int, ...]:
        """The clause of each expanded token."""
        return tuple(self.segment_of[i] for i, ts in enumerate(self._unquoted) for _ in ts)

    @cached_property
    def _unquoted(self) -> tuple[tuple[Token, ...], ...]:
        return tuple(tokenise(t.surface) if t.kind is TokenKind.QUOTE else (t,) for t in self.tokens)

    def segment(self, number: int) -> tuple[Bound, ...]:
        """The bound tokens of one clause."""
        return tuple(b for b in self.bound if b.segment == number)

    @property
    def segments(self) -> range:
        """Clause numbers."""
        return range(max(self.segment_of, default=0) + 1)

    @property
    def keys(self) -> frozenset[str]:
        """Keys of every token."""
        return frozenset(t.key for t in self.tokens)


def read_statement(text: str, views: Mapping[str, EvidenceView]) -> Statement:
    """Tokenise a filled claim and find the support of each token among ``views``."""
    tokens = _with_quotes(clean(text), views)
    found = directions(tokens)
    segment_of = _segments(tokens)
    quoted = _quoted_places(tokens, found, views)
    bound = tuple(
        Bound(i, t, segment_of[i], _support(t, found.poles.get(i), tokens, i, views) | quoted.get(i, frozenset()),
              found.poles.get(i))
        for i, t in enumerate(tokens)
        if _needs_support(t, found.poles.get(i), found, i)
    )  # fmt: skip
    return Statement(tokens, bound, found, segment_of, views)


def _with_quotes(text: str, views: Mapping[str, EvidenceView]) -> tuple[Token, ...]:
    """Tokens of ``text``; a field of cited evidence that stands in it word for word becomes one QUOTE token.

    What a field says inside itself (its negations, its directions) is the evidence's own; only what is said around it
    has to be checked.
    """
    displays = {k.partition(":")[2]: k for v in views.values() for k in v.quotable}
    if not displays:
        return tokenise(text)
    pattern = re.compile(
        "(?i)(?<!\\w)(?:" + "|".join(re.escape(d) for d in sorted(displays, key=len, reverse=True)) + ")(?!\\w)"
    )
    tokens: list[Token] = []
    position = 0
    for match in pattern.finditer(text):
        tokens += tokenise(text[position : match.start()])
        tokens.append(Token(TokenKind.QUOTE, displays[match[0].lower()], match[0]))
        position = match.end()
    return (*tokens, *tokenise(text[position:]))


def _quoted_places(
    tokens: Sequence[Token], found: Directions, views: Mapping[str, EvidenceView]
) -> dict[int, frozenset[str]]:
    """Directions and negations that stand in a long run of an evidence's own words: it holds them as they are."""
    signs = {i for i, t in enumerate(tokens) if i in found.poles or t.key in NEGATIONS}
    if not signs:
        return {}
    parts = [tokenise(t.surface) if t.kind is TokenKind.QUOTE else (t,) for t in tokens]
    place_of = [i for i, part in enumerate(parts) for _ in part]
    said = sequence([t for part in parts for t in part])
    held: dict[int, set[str]] = {}
    for evidence_id, view in views.items():
        places = {place_of[p] for p in verbatim_places(runs(said, text_sequence(clean(view.item.text))))}
        foreign = {
            j for cue, scope in found.cues if cue not in places for j in scope
        }  # under a negation of the claim's
        for place in signs & places - foreign:
            held.setdefault(place, set()).add(evidence_id)
    return {i: frozenset(ids) for i, ids in held.items()}


def _segments(tokens: Sequence[Token]) -> tuple[int, ...]:
    number, out = 0, []
    for token in tokens:
        if token.kind is TokenKind.BREAK or token.key in JOINS:
            number += 1
        out.append(number)
    return tuple(out)


def _needs_support(token: Token, pole: Pole | None, found: Directions, index: int) -> bool:
    if token.kind is TokenKind.BREAK or token.key in APPROXIMATE_KEYS:
        return False
    if token.key in NEGATIONS:
        return index in found.open_cues
    if token.kind is TokenKind.WORD and token.surface.lower() in PRONOUNS:
        return False
    return pole is not None or token.key not in NEUTRAL_KEYS


def _support(
    token: Token, pole: Pole | None, tokens: Sequence[Token], index: int, views: Mapping[str, EvidenceView]
) -> frozenset[str]:
    return frozenset(i for i, v in views.items() if _holds(token, pole, tokens, index, v))


def _holds(token: Token, pole: Pole | None, tokens: Sequence[Token], index: int, view: EvidenceView) -> bool:  # noqa: PLR0911
    if token.kind is TokenKind.NUMBER:
        return _holds_number(token, tokens, index, view)
    if token.kind is TokenKind.DATE:
        return any(k.startswith(token.key) for k in view.keys if k.startswith("date:"))
    if token.key in NEGATIONS:
        return _holds_negation(tokens, index, view)
    if pole is not None:
        if pole[0] in KEYED_GROUPS and token.key not in view.keys:
            named_by_status = view.item.type == "therapy" and token.surface.lower() in STATUS_WORDS
            if not named_by_status and not (pole == ("offer", 1) and view.holds_pole(pole)):
                return False
        return view.holds_pole(pole, token.key)
    if token.kind is TokenKind.WORD:
        return view.holds_word(token)
    return token.key in view.keys


def _holds_number(token: Token, tokens: Sequence[Token], index: int, view: EvidenceView) -> bool:
    assert token.number is not None  # a NUMBER token has one
    if view.number_fields(token.number, approximate=is_approximate(tokens, index)):
        return True
    if view.item.type == "variant" and _counts_what_is_listed(tokens, index):
        return True
    if token.number.unit is None and token.number.decimals == 0 and 1900 <= token.number.value <= 2100:
        return any(k.startswith(f"date:{token.surface}-") for k in view.keys)
    if token.number.unit is None and view.item.type == "demographics":
        return any(held.value == token.number.value * 12 for held, _ in view.numbers)
    return False


def _counts_what_is_listed(tokens: Sequence[Token], index: int) -> bool:
    """ "Two mutations: EGFR L858R and TP53 R175H": a count in words equal to the variants the claim names."""
    number = tokens[index].number
    if number is None or number.unit is not None or not tokens[index].surface.isalpha():
        return False
    noun = next((t.key for t in tokens[index + 1 : index + 3] if t.key in _VARIANT_NOUNS), None)
    named = {t.key for t in tokens if t.kind is TokenKind.VARIANT}
    return noun is not None and number.value == len(named) > 1


def _holds_negation(tokens: Sequence[Token], index: int, view: EvidenceView) -> bool:
    scope = {t.key for t in tokens[index + 1 : index + 9] if t.kind is not TokenKind.BREAK} - NEUTRAL_KEYS
    if view.item.type == "absent" and not scope and index + 1 < len(tokens) and tokens[index + 1].key in _NO_DATA:
        return True  # "methylation: no data"; grounding_negation.py asks what is missing
    head = [tokens[j].key for j in content_places(tokens, _open_scope(tokens, index))[:1]]
    gap = view.item.type == "absent" and bool(set(head) & _MISSING_KEYS)
    if ("presence", 1) in view.field_poles and (gap or scope & (view.keys - view.type_words)):
        missing = _MISSING_KEYS.union(
            *(view.field_keys.get(n, frozenset()) for n in ("modality", "reason", "attribute"))
        )
        return not head or head[0] in missing
    if head and head[0] not in view.negation_heads:
        return False
    return bool(scope & view.negated) and not (scope & (view.plain - view.negated) - view.type_words)


def _open_scope(tokens: Sequence[Token], index: int) -> range:
    end = next((i for i in range(index + 1, len(tokens)) if tokens[i].kind is TokenKind.BREAK), len(tokens))
    return range(index + 1, end)


def is_approximate(tokens: Sequence[Token], index: int) -> bool:
    """Whether the number at ``index`` is said to be rounded ("about 12 mL")."""
    return any(t.key in APPROXIMATE_KEYS for t in tokens[max(0, index - 2) : index])


def is_part_of_a_name(
    statement: Statement, bound: Bound, held: EvidenceView, fields: frozenset[str] | set[str]
) -> bool:
    """Whether a number stands as in one of these fields, after the same word: "lesion 2", not "slice 2"."""
    before = statement.tokens[bound.index - 1].key if bound.index else None
    for name in fields:
        shown = tokenise(held.item.fields[name].display)
        if any(b.key == bound.token.key and a.key == before for a, b in itertools.pairwise(shown)):
            return True
    return False
