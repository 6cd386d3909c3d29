"""The rules a claim must pass once every token has its support. Each returns a Finding, or None when it passes.

A rule knows the statement and the views of the cited evidence; nothing else. Order of the rules is in RULES: the
first finding is the verdict's reason.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

from assistant.claim import Verdict
from assistant.grounding_evidence import EvidenceView, pole_of
from assistant.grounding_statement import Bound, Statement, is_approximate, is_part_of_a_name
from assistant.grounding_vocabulary import FIELD_CUES, FRAMES, REQUIRED_CUES
from assistant.grounding_words import CAUSAL, NEGATIONS
from assistant.normalise import Number, TokenKind, clean, tokenise, word_key

_KIND_NAMES = {
    TokenKind.DRUG: "the drug", TokenKind.GENE: "the gene", TokenKind.FUSION: "the fusion",
    TokenKind.VARIANT: "the variant",
    TokenKind.STAGE: "the", TokenKind.DATE: "the date", TokenKind.NUMBER: "the value", TokenKind.CODE: "the reference",
}  # fmt: skip
_ALTERATIONS = (TokenKind.GENE, TokenKind.VARIANT, TokenKind.FUSION)
_INN = re.compile(
    r"(?:mab|nib|ciclib|parib|limus|platin|taxel|rubicin|zomib|degib|tinib|stat|lisib|rafenib|sertib|mycin|tecan|fosfamide)$"
)
_TIMES = ("x", "op:×", "by")
_SIZED = frozenset(word_key(w) for w in ("lesion", "mass", "tumour"))
_ARTICLES = frozenset(["a", "an", "the", "this"])
_LEVEL_OF = frozenset(word_key(w) for w in ("interval", "confidence", "ci"))


@dataclass(frozen=True)
class Finding:
    """Why a claim does not stand."""

    verdict: Verdict
    reason: str


def _unsupported(reason: str) -> Finding:
    return Finding(Verdict.UNSUPPORTED, reason)


def _contradicted(reason: str) -> Finding:
    return Finding(Verdict.CONTRADICTED, reason)


def every_token_supported(statement: Statement) -> Finding | None:
    """Each drug, gene, variant, stage, number, date and content word stands in a cited evidence."""
    missing = [b for b in statement.bound if not b.support]
    if not missing:
        return None
    for token in missing:
        if token.pole is not None and any(v.opposes(token.pole, token.token.key) for v in statement.views.values()):
            return _contradicted(_opposed(token, statement))
        if token.token.key in NEGATIONS:
            return _negation(token, statement)
    first = missing[0]
    return _unsupported(f"states {_named(first)}, which the cited evidence does not hold")


def _named(bound: Bound) -> str:
    surface = bound.token.surface
    if bound.token.kind is TokenKind.WORD and _INN.search(surface.lower()):
        return f"the drug {surface!r} (unknown to the drug list)"
    kind = _KIND_NAMES.get(bound.token.kind)
    return f"{kind} {surface!r}" if kind else repr(surface)


def _opposed(bound: Bound, statement: Statement) -> str:
    other = next(i for i, v in statement.views.items() if bound.pole and v.opposes(bound.pole, bound.token.key))
    negated = "a negated " if pole_of(bound.token) != bound.pole else ""
    return f"says {negated}{bound.token.surface!r}, but {other} states the opposite: {statement.views[other].item.text}"


def _negation(bound: Bound, statement: Statement) -> Finding:
    scope = {t.key for t in statement.tokens[bound.index + 1 : bound.index + 9]}
    for evidence_id, held in statement.views.items():
        if scope & (held.plain - held.negated) & held.keys:
            return _contradicted(f"negates with {bound.token.surface!r} what {evidence_id} states")
    return _unsupported(f"negates with {bound.token.surface!r} what the cited evidence does not deny")


def clauses_keep_to_their_evidence(statement: Statement) -> Finding | None:
    """Inside a clause one evidence holds everything; a clause without a subject goes on with its neighbour's."""
    chosen = clause_evidence(statement)
    for number in statement.segments:
        tokens = statement.segment(number)
        if not tokens:
            continue
        if not chosen[number]:
            return _mixed(tokens, statement)
    filled = [n for n in statement.segments if statement.segment(n)]
    for place, number in enumerate(filled):
        tokens = statement.segment(number)
        if place == 0:
            has_subject = any(b.is_subject for b in tokens)
            if not has_subject and len(filled) > 1 and not chosen[number] & chosen[filled[1]]:
                return _unsupported(f"{_named(tokens[0])} does not belong to what follows it; one fact per sentence")
            continue
        before = chosen[filled[place - 1]]
        if chosen[number] & before:
            continue
        if not any(b.is_subject and not _own_support(b, statement) & before for b in tokens):
            return _unsupported(f"{_named(tokens[0])} does not belong to what it follows; one fact per sentence")
    return None


def _own_support(bound: Bound, statement: Statement) -> frozenset[str]:
    """The ids that hold it; for the name of an image attribute, only those that are about that attribute."""
    held = [i for i in bound.support if bound.token.key in statement.views[i].field_keys.get("attribute", ())]
    return frozenset(held) or bound.support


def clause_evidence(statement: Statement) -> dict[int, frozenset[str]]:
    """Clause number -> ids of the cited evidence that holds every token of that clause."""
    chosen: dict[int, frozenset[str]] = {}
    for number in statement.segments:
        tokens = statement.segment(number)
        common = frozenset(statement.views)
        for bound in tokens:
            common &= bound.support
        if not common and (_image_description(tokens, statement) or _person_description(tokens, statement)):
            common = frozenset().union(*(b.support for b in tokens))
        chosen[number] = common
    return chosen


def _image_description(tokens: Sequence[Bound], statement: Statement) -> bool:
    """ "A 38 mm spiculated lesion": image evidence may share a clause when each word names its own attribute."""
    held = [statement.views[i] for i in frozenset().union(*(b.support for b in tokens))]
    if any(v.item.type not in ("lesion", "appearance") for v in held) or sum(v.item.type == "lesion" for v in held) > 1:
        return False
    attributes = {k for v in held if v.item.type == "appearance" for k in v.field_keys.get("attribute", ())}
    if any(b.token.key in attributes and not _beside_its_finding(b, tokens) for b in tokens):
        return False
    beside = {b.index - 1 for b in tokens if b.token.key in attributes}
    return all(b.pole is None or b.is_subject or b.index in beside for b in tokens)


def _beside_its_finding(bound: Bound, tokens: Sequence[Bound]) -> bool:
    """ "an avid enhancement": the attribute right after the finding that the same evidence gives it."""
    return any(b.index == bound.index - 1 and b.pole is not None and b.support & bound.support for b in tokens)


_PERSON = ("demographics", "diagnosis", "performance")


def _person_description(tokens: Sequence[Bound], statement: Statement) -> bool:
    """ "This 53-year-old woman was diagnosed with ...": age, sex and diagnosis name themselves, one evidence each."""
    types = [statement.views[i].item.type for i in frozenset().union(*(b.support for b in tokens))]
    if not set(types) <= set(_PERSON) or len(types) != len(set(types)) or not all(b.support for b in tokens):
        return False
    return all(_beside_its_name(i, tokens) for i, b in enumerate(tokens) if b.token.number is not None)


def _beside_its_name(place: int, tokens: Sequence[Bound]) -> bool:
    """ "ECOG 1", "grade 3", "53-year-old woman": a number is held by the evidence that holds the word beside it."""
    near = tokens[place - 1] if place else tokens[1] if len(tokens) > 1 else tokens[0]
    return bool(near.support & tokens[place].support)


def _mixed(tokens: Sequence[Bound], statement: Statement) -> Finding:
    plain = [b for b in tokens if b.pole is None]
    common = frozenset(statement.views)
    for bound in plain:
        common &= bound.support
    for bound in tokens:
        if (
            bound.pole is not None
            and plain
            and any(statement.views[i].opposes(bound.pole, bound.token.key) for i in common)
        ):
            return _contradicted(_opposed_in(bound, common, statement))
    return _unsupported("joins values of different evidence into one statement that none of them holds")


def _opposed_in(bound: Bound, ids: frozenset[str], statement: Statement) -> str:
    other = next(i for i in sorted(ids) if bound.pole and statement.views[i].opposes(bound.pole, bound.token.key))
    return f"says {bound.token.surface!r}, but {other} states otherwise: {statement.views[other].item.text}"


def every_citation_used(statement: Statement) -> Finding | None:
    """A cited id holds something the claim says that is the evidence's own, not only words of its type."""
    for evidence_id, held in statement.views.items():
        own = held.keys.union(*held.field_keys.values())
        used = any(
            evidence_id in b.support and (b.token.kind is not TokenKind.WORD or b.pole or b.token.key in own)
            for b in statement.bound
        )
        if not used:
            return _unsupported(f"cites {evidence_id}, which holds nothing that the claim says")
    return None


def states_a_value(statement: Statement) -> Finding | None:
    """At least one token is a value of a field of the cited evidence."""
    values = {k for v in statement.views.values() for keys in v.field_keys.values() for k in keys}
    if any(b.token.key in values or b.pole or b.token.kind is not TokenKind.WORD for b in statement.bound):
        return None
    return _unsupported("states no value that the cited evidence holds")


def numbers_fit_their_names(statement: Statement) -> Finding | None:
    """ "short axis 38 mm" fails when 38 mm is the longest diameter: the nearest field name decides."""
    chosen = clause_evidence(statement)
    for bound in statement.bound:
        if bound.token.number is None:
            continue
        for evidence_id in bound.support & chosen[bound.segment]:
            finding = _number_fits(bound, statement, statement.views[evidence_id])
            if finding:
                return finding
    return None


def _number_fits(bound: Bound, statement: Statement, held: EvidenceView) -> Finding | None:  # noqa: PLR0911  one return a reason
    number = bound.token.number
    cues = FIELD_CUES.get(held.item.type)
    if number is None or cues is None:
        return None
    approximate = is_approximate(statement.tokens, bound.index)
    fields = {f for f in held.number_fields(number, approximate=approximate) if f}
    if _is_interval_level(bound, statement) and None in held.number_fields(number):
        return None
    if None in held.number_fields(number) and _marks_a_time(bound, statement, held, cues):
        return None
    if is_part_of_a_name(statement, bound, held, fields - set(cues)):
        return None
    if not fields:
        return _not_a_time_point(bound, statement, held)
    unit = {n.unit for n, f in held.numbers if f in fields}
    rivals = {f for n, f in held.numbers if f in cues and n.unit in unit and not _no_share(number, n)}
    near = _pair_place(bound, statement) or _nearest_cue(bound, statement, {f: cues[f] for f in rivals if f})
    if near is None:
        if any((held.item.type, f) in REQUIRED_CUES for f in fields):
            return _unsupported(f"does not say what {bound.token.surface!r} is")
        if held.item.type == "survival" and all(f.startswith(("survival", "interval")) for f in fields):
            return _unsupported(f"states {bound.token.surface!r} without saying at how many months")
        return None
    if not near & fields:
        return _unsupported(
            f"gives {bound.token.surface!r} as {' or '.join(sorted(near)).replace('_', ' ')}; "
            f"{held.item.id} holds it as {' or '.join(sorted(fields)).replace('_', ' ')}"
        )
    return None


def _no_share(claimed: Number, held: Number) -> bool:
    """ "detected in 34 % of reads": a count of reads is no percentage."""
    return claimed.unit == "%" and held.unit is None and held.value > 1


def _is_interval_level(bound: Bound, statement: Statement) -> bool:
    return any(t.key in _LEVEL_OF for t in statement.tokens[bound.index + 1 : bound.index + 2])


def _marks_a_time(bound: Bound, statement: Statement, held: EvidenceView, cues: Mapping[str, tuple[str, ...]]) -> bool:
    """ "33 % were alive at 3 years": a time that names the field of another number of its clause."""
    named = {field for field, words in cues.items() if bound.token.key in words}
    here = statement.segment(bound.segment)
    return any(named & held.number_fields(b.token.number) for b in here if b.token.number and b.index != bound.index)


def _not_a_time_point(bound: Bound, statement: Statement, held: EvidenceView) -> Finding | None:
    """A number of the text alone ("at 24 months") is not given as the value of a field with the same unit."""
    number = bound.token.number
    cues = FIELD_CUES[held.item.type]
    same_unit = {f for n, f in held.numbers if f in cues and number is not None and n.unit == number.unit}
    words = {word_key(w): f for f in same_unit if f for w in cues[f] if ":" not in w}
    here = [i for i, t in enumerate(statement.tokens) if statement.segment_of[i] == bound.segment and t.key in words]
    if not here:
        return None
    field = words[statement.tokens[here[0]].key].replace("_", " ")
    return _unsupported(f"gives {bound.token.surface!r} as {field}, which {held.item.id} does not")


def _pair_place(bound: Bound, statement: Statement) -> set[str] | None:
    """ "38 mm x 21 mm" names the longest diameter first and the short axis second; "a 38 mm mass" the longest."""
    if bound.token.number is None or bound.token.number.unit != "mm":
        return None
    after = statement.tokens[bound.index + 1].key if bound.index + 1 < len(statement.tokens) else ""
    before = statement.tokens[bound.index - 1] if bound.index else None
    if after in _SIZED and (before is None or before.kind is TokenKind.BREAK or before.key in _ARTICLES):
        return {"longest_diameter"}
    around = {i: statement.tokens[i].key for i in (bound.index - 1, bound.index + 1) if 0 <= i < len(statement.tokens)}
    if around.get(bound.index - 1) in _TIMES and _is_mm(statement, bound.index - 2):
        return {"short_axis", "spacing"}
    times = around.get(bound.index + 1) in _TIMES and _is_mm(statement, bound.index + 2)
    return {"longest_diameter", "spacing"} if times else None


def _is_mm(statement: Statement, index: int) -> bool:
    near = statement.tokens[index].number if 0 <= index < len(statement.tokens) else None
    return near is not None and near.unit == "mm"


def _nearest_cue(bound: Bound, statement: Statement, cues: dict[str, tuple[str, ...]]) -> set[str] | None:
    """Fields named nearest to the number: in its clause, in brackets right after it, else before, else after."""
    places = [
        (i, field)
        for i, token in enumerate(statement.tokens)
        for field, words in cues.items()
        if i != bound.index and token.key in {word_key(w) if ":" not in w else w for w in words}
    ]
    keys = {statement.tokens[i].key for i, _ in places if statement.segment_of[i] == bound.segment}
    if "short" in keys:
        places = [(i, f) for i, f in places if statement.tokens[i].key != "diameter"]
    bracket = bound.segment + 1 if _bracket_follows(bound, statement) else -1
    for group in (
        [p for p in places if statement.segment_of[p[0]] == bound.segment],
        [p for p in places if statement.segment_of[p[0]] == bracket],
        [p for p in places if statement.segment_of[p[0]] < bound.segment],
        [p for p in places if statement.segment_of[p[0]] > bound.segment],
    ):
        if group:
            best = min(abs(i - bound.index) for i, _ in group)
            return {f for i, f in group if abs(i - bound.index) == best}
    return None


def _bracket_follows(bound: Bound, statement: Statement) -> bool:
    inside = [b.token.number for b in statement.segment(bound.segment + 1) if b.token.number]
    opens = any(t.key == "(" for t in statement.tokens[bound.index + 1 : bound.index + 2])
    return opens and all(n.unit == "ordinal" for n in inside)


def framed(statement: Statement) -> Finding | None:
    """A prediction is said to be predicted, another patient's course to be another's, a note to be a note."""
    chosen = clause_evidence(statement)
    only = [chosen[n] for n in statement.segments if statement.segment(n)]
    for evidence_id, held in statement.views.items():
        words, reason = FRAMES.get(held.item.type, (frozenset(), ""))
        named = {k for name in ("title", "statement") for k in held.field_keys.get(name, ()) if k.startswith("quote")}
        framed_by = {word_key(w) for w in words} | named
        if words and not framed_by & statement.keys and any(evidence_id in ids for ids in only):
            return _unsupported(f"{reason} ({evidence_id})")
    return None


def causes_stand_in_the_evidence(statement: Statement) -> Finding | None:
    """After "because", only the recorded reason of an exclusion or an absence may follow."""
    tokens, causal = statement.tokens, {word_key(w) for w in CAUSAL}
    place = next((i for i, t in enumerate(tokens) if t.key in causal), None)
    if place is None or (place + 1 < len(tokens) and tokens[place + 1].kind is TokenKind.DATE):
        return None
    if all(statement.tokens[place].key in v.free_text and v.item.type != "therapy" for v in statement.views.values()):
        return None
    end = next(
        (i for i in range(place, len(tokens)) if tokens[i].kind is TokenKind.BREAK and tokens[i].key in ";."), None
    )
    comma = next((i for i, t in enumerate(tokens) if t.key == ","), len(tokens))
    for bound in statement.bound:
        if bound.index <= place or (end is not None and bound.index > end):
            continue
        if place == 0 and bound.index > comma and any(statement.views[i].item.type == "therapy" for i in bound.support):
            continue  # "because of EGFR L858R, osimertinib is offered": what follows the comma is the consequence
        reasons = [
            v.field_keys.get(name, frozenset()) | v.type_words
            for v in statement.views.values()
            for name in _reason_fields(v, opens=place == 0)
        ] + [matched_keys(v.item.text) for v in statement.views.values() if v.holds_pole(("offer", 0))]
        if not any(bound.token.key in keys for keys in reasons):
            return _unsupported(f"gives {bound.token.surface!r} as a cause, which the cited evidence does not")
    return None


@lru_cache(maxsize=1024)
def matched_keys(text: str) -> frozenset[str]:
    """Keys of what a therapy row says it was matched on."""
    matched = tokenise(clean(text.partition("matched on ")[2].partition(";")[0]))
    return frozenset(t.key for t in matched) | {word_key("mutation"), word_key("alteration")}


def _reason_fields(held: EvidenceView, *, opens: bool) -> tuple[str, ...]:
    """The fields that hold a recorded cause; a sentence that opens with "because" goes on to what stays open."""
    if held.item.type == "absent" and opens:
        return ("reason", "modality", "would_change", "test")
    if held.item.type == "absent":
        return ("reason", "modality")
    if held.item.type == "therapy":  # what a row is matched on is why it is offered
        return ("status", "drug") if held.holds_pole(("offer", 1)) else ("biomarker",)
    return ("reason",)


RULES: tuple[Callable[[Statement], Finding | None], ...] = (
    every_token_supported,
    states_a_value,
    clauses_keep_to_their_evidence,
    every_citation_used,
    numbers_fit_their_names,
    framed,
    causes_stand_in_the_evidence,
)
ALTERATION_KINDS = _ALTERATIONS
