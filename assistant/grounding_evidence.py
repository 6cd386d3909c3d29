"""What one piece of evidence supports: its tokens, numbers by field, directions, negations, free text in order.

What this module does not know: what a claim says (grounding_statement.py, grounding_rules.py).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal
from functools import lru_cache
from weakref import WeakKeyDictionary

from assistant.evidence import Evidence, Ledger
from assistant.grounding_presentation import PRESENTATION, PRESENTATION_BY_TYPE
from assistant.grounding_vocabulary import NEUTRAL, PATIENT_WORDS, TYPE_WORDS
from assistant.grounding_words import (
    AVAILABLE,
    DETECTED,
    FRAME_STOPS,
    IMPLIED_POLES,
    NEGATIONS,
    POLES,
)
from assistant.normalise import Number, Token, TokenKind, clean, tokenise, word_key

Pole = tuple[str, int]
"""(group, index of the pole); a negated pole of a group with more than two poles has index ~i."""

NEUTRAL_KEYS = frozenset(word_key(w) for w in NEUTRAL) | frozenset(
    ["op:+", "op:/", "op:&", "op:×", "x", "op:~", "op:≈", "'s"]
)
_POLE_OF = {w: (group, i) for group, poles in POLES.items() for i, words in enumerate(poles) for w in words}
_FREE_TEXT = ("passage", "note")
_NO_PATIENT = ("passage", "similar_case")
_SCOPE, _HEADS = 8, 3


@dataclass(frozen=True)
class Directions:
    """poles : token index -> effective pole; cues : negation cues with the token indices in their scope."""

    poles: dict[int, Pole]
    cues: tuple[tuple[int, tuple[int, ...]], ...]
    open_cues: tuple[int, ...]  # cues that flipped no pole


def pole_of(token: Token) -> Pole | None:
    """The direction a plain word states by itself."""
    return _POLE_OF.get(token.surface.lower()) if token.kind is TokenKind.WORD else None


def flipped(pole: Pole) -> Pole:
    """The opposite of a pole: the other one of two, "not this one" of several."""
    group, index = pole
    if len(POLES[group]) == 2:
        return group, 1 - index
    return group, ~index


def directions(tokens: Sequence[Token]) -> Directions:
    """Effective poles after negation; each cue flips the nearest pole that follows it in its clause."""
    poles = {i: p for i, t in enumerate(tokens) if (p := pole_of(t)) is not None}
    cues: list[tuple[int, tuple[int, ...]]] = []
    open_cues: list[int] = []
    for i, token in enumerate(tokens):
        if token.kind is not TokenKind.WORD or token.key not in NEGATIONS:
            continue
        scope = tuple(_scope(tokens, i))
        cues.append((i, scope))
        target = next((j for j in scope if j in poles), None)
        if target is None:
            target = next((j for j in scope if tokens[j].surface.lower() in DETECTED | AVAILABLE), None)
            if target is not None:
                poles[target] = ("presence", 1)
                continue
            open_cues.append(i)
            continue
        poles[target] = flipped(poles[target])
    return Directions(poles, tuple(cues), tuple(open_cues))


def _scope(tokens: Sequence[Token], cue: int) -> list[int]:
    scope: list[int] = []
    length = 1 if tokens[cue].key == "non" else _SCOPE  # "non-squamous lung cancer" denies one word
    for j in range(cue + 1, min(cue + 1 + length, len(tokens))):
        if tokens[j].kind is TokenKind.BREAK or tokens[j].key in FRAME_STOPS:
            break
        scope.append(j)
    return scope


def content_places(tokens: Sequence[Token], scope: Sequence[int]) -> list[int]:
    """The places of ``scope`` whose word is not neutral."""
    return [j for j in scope if tokens[j].key not in NEUTRAL_KEYS]


@dataclass(frozen=True)
class EvidenceView:
    """The comparable form of one evidence.

    keys : every token of text, fields and source; field_keys : field -> its token keys
    numbers : (number, field it stands in or None for the text alone)
    field_poles : directions its fields and its type state; text_poles : those its text states beside them
    signed_words : (word key, effective pole) of the text; decides where the text holds both poles of a group
    quotable : key of a quote -> the field's display, for fields long enough to be quoted word for word
    negated / plain : keys that stand inside / outside the scope of a negation in the text
    negation_heads : the first words of meaning after each negation of the text; a claim's negation opens with one
    denied : keys negated in the text outside its fields; what a claim may not state without the negation
    free_text : the tokens whose order carries meaning (a statement or a quote), neutral words left out
    """

    item: Evidence
    keys: frozenset[str]
    field_keys: dict[str, frozenset[str]]
    numbers: tuple[tuple[Number, str | None], ...]
    field_poles: frozenset[Pole]
    text_poles: frozenset[Pole]
    signed_words: frozenset[tuple[str, Pole]]
    quotable: dict[str, str]
    negated: frozenset[str]
    negation_heads: frozenset[str]
    denied: frozenset[str]
    plain: frozenset[str]
    free_text: tuple[str, ...]
    type_words: frozenset[str]

    def holds_word(self, token: Token) -> bool:
        """Whether a plain word is the evidence's own, belongs to its type, or only presents a fact."""
        return token.key in self.keys or token.key in self.type_words or _presents(token, self.item.type)

    def holds_pole(self, pole: Pole, key: str | None = None) -> bool:
        """Whether the evidence states this direction; a field's word counts before the text's.

        key : the word that states it; needed where the text states both directions of the group
        """
        group, index = pole
        known = {i for g, i in self.field_poles if g == group}
        if not known:
            known = {i for g, i in self.text_poles if g == group}
            if len(known) > 1 and key is not None:
                return (key, pole) in self.signed_words
        if index in known:
            return True
        return index < 0 and bool(known) and ~index not in known

    def opposes(self, pole: Pole, key: str | None = None) -> bool:
        """Whether the evidence states another direction of the same group, and not this one."""
        known = {i for g, i in self.field_poles | self.text_poles if g == pole[0]}
        return bool(known) and not self.holds_pole(pole, key)

    def number_fields(self, number: Number, *, approximate: bool = False) -> frozenset[str | None]:
        """Fields (None = the text) in which this number stands, unit and displayed precision respected."""
        return frozenset(f for held, f in self.numbers if same_number(number, held, approximate=approximate))


def same_number(claimed: Number, held: Number, *, approximate: bool = False) -> bool:
    """Equal value in the same unit; 0.34 equals 34 %; ``approximate`` allows the claim to be rounded."""
    value = claimed.value
    if claimed.unit != held.unit:
        if {claimed.unit, held.unit} == {"%", None} and Decimal(0) <= min(value, held.value) <= Decimal(1):
            value = value / 100 if claimed.unit == "%" else value * 100
            if claimed.unit is None and claimed.decimals == 0:
                return False
        elif claimed.unit is None and held.unit == "SUVbw":
            pass
        else:
            return False
    if value == held.value:
        return True
    if not approximate:
        return False
    step = Decimal(1).scaleb(-claimed.decimals) * claimed.factor
    rounded = (held.value / step).quantize(Decimal(1), ROUND_HALF_UP) * step
    return rounded == value and abs(value - held.value) <= abs(held.value) * Decimal("0.1")


def view(item: Evidence) -> EvidenceView:
    """Build the comparable form of ``item``."""
    text_tokens = tokenise(item.text)
    fields = {name: tokenise(f.display) for name, f in item.fields.items()}
    keys = _keys(text_tokens).union(*(_keys(t) for t in fields.values()))
    keys |= {word_key(w) for name in item.fields for w in name.split("_") if w.isalpha() and len(w) > 3}
    keys |= {k for name in item.fields for k in _quote_keys(item, name)}
    if item.source.pmid:
        keys |= {f"PMID{item.source.pmid}"}
    numbers = [(t.number, name) for name, ts in fields.items() for t in ts if t.number]
    numbers += [(n, name) for name, f in item.fields.items() if (n := _typed_number(f.value, fields[name]))]
    numbers += [(t.number, None) for t in text_tokens if t.number]
    field_poles = {p for name, ts in fields.items() if _states_direction(item.type, name) for p in _poles(ts)}
    field_poles |= {p for p in IMPLIED_POLES.get(item.type, ()) if p[0] not in {g for g, _ in field_poles}}
    if item.type == "therapy":
        field_poles |= _status_poles(fields.get("status", ()))
    if item.type == "lesion_change" and "trend" in item.fields:
        field_poles |= _TREND_POLES.get(item.fields["trend"].display, frozenset())
    found = directions(text_tokens)
    inside = {j for _, scope in found.cues for j in scope}
    return EvidenceView(
        item=item,
        keys=frozenset(keys),
        field_keys={name: frozenset(_keys(ts) | _quote_keys(item, name)) for name, ts in fields.items()},
        quotable={k: f.display for name, f in item.fields.items() for k in _quote_keys(item, name)},
        numbers=tuple(numbers),
        field_poles=frozenset(field_poles),
        text_poles=frozenset(found.poles.values()) | _biomarker_poles(fields.get("biomarker", ())),
        signed_words=frozenset((text_tokens[i].key, p) for i, p in found.poles.items()),
        negated=frozenset(text_tokens[j].key for j in inside),
        negation_heads=_negation_heads(text_tokens, found, inside),
        denied=_denied(item) if item.type == "therapy" else frozenset(text_tokens[j].key for j in inside),
        plain=frozenset(t.key for j, t in enumerate(text_tokens) if j not in inside),
        free_text=_free_text(item, fields),
        type_words=type_keys(item.type),
    )


@lru_cache(maxsize=64)
def type_keys(evidence_type: str) -> frozenset[str]:
    """Word keys that belong to an evidence type, the patient's words included where it is about the patient."""
    words = TYPE_WORDS.get(evidence_type, "").split()
    if evidence_type not in _NO_PATIENT:
        words += PATIENT_WORDS
    return frozenset(word_key(w) for w in words)


@lru_cache(maxsize=64)
def presentation_words(evidence_type: str) -> frozenset[str]:
    """Words, as written, that present a fact of this type; in a quoted text they count as any other word."""
    return frozenset((PRESENTATION + PRESENTATION_BY_TYPE.get(evidence_type, "")).split())


def _presents(token: Token, evidence_type: str) -> bool:
    said = token.key if token.key.startswith("op:") else token.surface.lower().removesuffix("'s")
    return said in presentation_words(evidence_type)


def _keys(tokens: Sequence[Token]) -> set[str]:
    keys = {t.key for t in tokens if t.kind is not TokenKind.BREAK}
    keys |= {t.key.partition(":")[2].lower() for t in tokens if t.kind in (TokenKind.STAGE, TokenKind.GENE)}
    for token in tokens:
        if token.kind is TokenKind.FUSION:
            keys |= {f"gene:{g}" for g in token.key.partition(":")[2].split("-")}
    return keys


def _negation_heads(tokens: Sequence[Token], found: Directions, inside: set[int]) -> frozenset[str]:
    """The first word of meaning after each negation, and the next ones where they are said nowhere else."""
    plain = {t.key for j, t in enumerate(tokens) if j not in inside}
    heads: set[str] = set()
    for _, scope in found.cues:
        keys = [tokens[j].key for j in content_places(tokens, scope)[:_HEADS]]
        heads |= set(keys[:1]) | (set(keys[1:]) - plain)
    return frozenset(heads)


def _typed_number(value: object, tokens: Sequence[Token]) -> Number | None:
    """The unrounded value behind a display, in the display's unit."""
    shown = [t.number for t in tokens if t.number]
    if isinstance(value, bool) or not isinstance(value, int | float) or len(shown) != 1:
        return None
    exact = Decimal(str(value))
    if shown[0].unit == "%" and abs(exact * 100 - shown[0].value) < 1:
        exact *= 100
    if abs(exact * shown[0].factor - shown[0].value) > abs(shown[0].value) * Decimal("0.1"):
        return None
    return Number(exact * shown[0].factor, shown[0].unit, shown[0].decimals, shown[0].factor)


_NEVER_QUOTED = frozenset(["drug", "case", "count", "shares", "genes_raising", "genes_lowering"])
"""Fields whose parts are checked one by one even where they are printed whole."""

_SUBJECT_FIELDS = frozenset(["disease", "histology", "title", "statement", "name", "label"])
"""Fields that say by themselves what a clause is about."""

_MIN_QUOTE_WORDS = 3
_EXCLUDED = "excluded: "


def _quote_keys(item: Evidence, name: str) -> set[str]:
    """The key under which a claim may hold this field word for word; none for short fields."""
    display = clean(item.fields[name].display).rstrip(" .;").lower()
    if name in _NEVER_QUOTED or sum(w.isalpha() for w in display.replace(",", " ").split()) < _MIN_QUOTE_WORDS:
        return set()
    keys = {f"quote:{display}" if name in _SUBJECT_FIELDS else f"quote of a value:{display}"}
    if name == "status" and display.startswith(_EXCLUDED) and len(display.split()) > _MIN_QUOTE_WORDS:
        keys.add(f"quote of a value:{display.removeprefix(_EXCLUDED)}")
    return keys


_NO_DIRECTION = {
    ("passage", "statement"), ("passage", "title"), ("note", "quote"), ("note", "title"), ("therapy", "biomarker"),
    ("therapy", "disease"), ("therapy", "contraindications"), ("therapy", "status"), ("therapy", "approval"),
    ("conflict", "statement"), ("conflict", "first"), ("conflict", "second"), ("absent", "reason"),
    ("absent", "would_change"), ("absent", "test"), ("similar_case", "shared"), ("gene_attribution", "genes_raising"),
    ("diagnosis", "histology"), ("diagnosis", "disease"), ("survival", "cohort"),
}  # fmt: skip
"""Fields that quote or list: their words count as text, not as the direction of the evidence."""


def _states_direction(evidence_type: str, field: str) -> bool:
    return (evidence_type, field) not in _NO_DIRECTION


def _poles(tokens: Sequence[Token]) -> set[Pole]:
    return set(directions(tokens).poles.values())


def _denied(item: Evidence) -> frozenset[str]:
    text = clean(item.text)
    for shown in sorted((clean(f.display) for f in item.fields.values()), key=len, reverse=True):
        if len(shown.split()) >= _MIN_QUOTE_WORDS:
            text = text.replace(shown, ";")
    tokens = tokenise(text)
    return frozenset(tokens[j].key for _, scope in directions(tokens).cues for j in scope)


def _status_poles(tokens: Sequence[Token]) -> set[Pole]:
    if not tokens:
        return set()
    return {("offer", 0)} if tokens[0].key == word_key("offered") else {("offer", 1)}


_TREND_POLES: Mapping[str, frozenset[Pole]] = {
    "grown": frozenset([("growth", 0), ("level", 0)]),
    "shrunk": frozenset([("growth", 1), ("level", 1)]),
    "stable": frozenset([("growth", 2), ("course", 0)]),
}
"""Trend of a lesion -> the directions that may be said of it; a stable one was neither increased nor decreased."""


def _biomarker_poles(tokens: Sequence[Token]) -> frozenset[Pole]:
    """A rule on a variant or an exon is a rule on a mutation, whether it says the word or not."""
    named = any(t.kind is TokenKind.VARIANT or t.key == word_key("exon") for t in tokens)
    return frozenset([("mutation", 0)]) if named else frozenset()


def _free_text(item: Evidence, fields: dict[str, tuple[Token, ...]]) -> tuple[str, ...]:
    if item.type == "passage":
        tokens: Sequence[Token] = fields.get("statement", ())
    elif item.type == "note":
        tokens = fields.get("quote", ())
    elif item.type == "therapy":
        tokens = tokenise(item.text.partition(". ")[2])
    else:
        return ()
    return tuple(t.key for t in tokens if t.kind is not TokenKind.BREAK and t.key not in NEUTRAL_KEYS)


_VIEWS: WeakKeyDictionary[Ledger, dict[str, EvidenceView]] = WeakKeyDictionary()


def views(ledger: Ledger, ids: Sequence[str]) -> dict[str, EvidenceView]:
    """The views of these ids, built once per ledger."""
    cache = _VIEWS.setdefault(ledger, {})
    for evidence_id in ids:
        if evidence_id not in cache:
            cache[evidence_id] = view(ledger[evidence_id])
    return {i: cache[i] for i in ids}
