"""Numbers that stand together: the ends of an interval, the sides of a voxel, the slice of a diameter.

Each number of "22 % (95 % interval 15 % to 30 %)" is held by the evidence, so exchanging two of them leaves every
number supported; their places tell them apart. Not known here: what a number is called (grounding_rules.py).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from assistant.claim import Verdict
from assistant.grounding_evidence import EvidenceView
from assistant.grounding_rules import Finding
from assistant.grounding_statement import Statement, is_approximate
from assistant.grounding_vocabulary import FIELD_CUES
from assistant.normalise import Token, TokenKind, clean, tokenise, word_key

_VALUES: Mapping[str, str] = {
    "interval_12m": "survival_12m", "interval_24m": "survival_24m", "median_interval": "median_survival",
}  # fmt: skip
"""Interval field -> the field of the value it is about, where that is not the type's only one."""
_BY_TYPE: Mapping[tuple[str, str], str] = {("neighbour_survival", "interval_12m"): "alive_12m"}
_RANGE = frozenset(["to", "and"])
_AT = frozenset(["at", "after", "by"])
_TIMES = frozenset(["x", "op:×"])
_LEVEL = frozenset(word_key(w) for w in ("interval", "confidence", "ci"))


def interval_ends_stay_ends(statement: Statement) -> Finding | None:
    """An end of an interval stands in "15 % to 30 %", in that order, and the value itself does not."""
    for evidence_id, held in statement.views.items():
        for name in held.item.fields:
            if name not in _VALUES:
                continue
            ends = [t.key for t in tokenise(clean(held.item.fields[name].display)) if t.number is not None]
            if len(ends) == 2:
                finding = _ends(statement, evidence_id, held, name, (ends[0], ends[1]))
                if finding:
                    return finding
    return None


def _ends(
    statement: Statement, evidence_id: str, held: EvidenceView, name: str, ends: tuple[str, str]
) -> Finding | None:
    value = _BY_TYPE.get((held.item.type, name), _VALUES[name])
    values = held.field_keys.get(value, frozenset())
    for bound in statement.bound:
        if bound.token.number is None or evidence_id not in bound.support:
            continue
        fields = held.number_fields(bound.token.number, approximate=is_approximate(statement.tokens, bound.index))
        pair = _pair(statement.tokens, bound.index)
        level = pair is None and _names_a_level(statement.tokens, bound.index)
        if level and None in fields:
            continue
        if fields - {None} == {name} and pair != ends and not _is_a_time(statement.tokens, bound.index):
            return _misplaced(bound.token, name, evidence_id)
        if bound.token.key in values and pair is not None and pair != ends and set(pair) & {*ends} - values:
            return _misplaced(bound.token, value, evidence_id)
        if fields & {name, value} and level:
            return _misplaced(bound.token, name, evidence_id)
    return None


def _pair(tokens: Sequence[Token], index: int) -> tuple[str, str] | None:
    """The two keys of "a to b" that the number at ``index`` is part of."""
    for first in (index, index - 2):
        three = tokens[first : first + 3] if first >= 0 else ()
        if len(three) == 3 and three[0].number and three[2].number and three[1].key in _RANGE:
            return three[0].key, three[2].key
    return None


def _is_a_time(tokens: Sequence[Token], index: int) -> bool:
    """ "at 36 months", "36-month survival": a time, not the end of an interval in months."""
    number = tokens[index].number
    before = tokens[index - 1].key if index else ""
    return number is not None and number.unit == "month" and (before in _AT or _survival_follows(tokens, index))


def _survival_follows(tokens: Sequence[Token], index: int) -> bool:
    return any(t.key == word_key("survival") for t in tokens[index + 1 : index + 2])


def _names_a_level(tokens: Sequence[Token], index: int) -> bool:
    return any(t.key in _LEVEL for t in tokens[index + 1 : index + 2])


def _misplaced(token: Token, field: str, evidence_id: str) -> Finding:
    name = field.replace("_", " ")
    return Finding(Verdict.UNSUPPORTED, f"puts {token.surface!r} out of its place; {evidence_id} has it as its {name}")


def products_keep_their_order(statement: Statement) -> Finding | None:
    """ "3.0 x 2.6 x 2.6 mm" is no "2.6 x 2.6 x 3.0 mm"."""
    said = [p for p in _products(statement.tokens) if len(p) > 2]
    for product in said:
        held = [p for v in statement.views.values() for p in _products(tokenise(v.item.text))]
        if product not in held:
            return Finding(Verdict.UNSUPPORTED, "gives the sides of a product in another order than the evidence")
    return None


def _products(tokens: Sequence[Token]) -> list[tuple[str, ...]]:
    out: list[tuple[str, ...]] = []
    i = 0
    while i < len(tokens):
        run = [tokens[i]]
        while i + 2 < len(tokens) and run[-1].number and tokens[i + 1].key in _TIMES and tokens[i + 2].number:
            run.append(tokens[i + 2])
            i += 2
        if len(run) > 1:
            out.append(tuple(str(t.number.value) for t in run if t.number))
        i += 1
    return out


def ranges_are_the_evidences(statement: Statement) -> Finding | None:
    """ "21 mm to 16 mm" says a change or a range; two values of one lesion are neither."""
    changing = any(v.item.type in _CHANGING for v in statement.views.values())
    held: set[tuple[str, str]] = set()
    for view in statement.views.values():
        for shown in (view.item.text, *(f.display for f in view.item.fields.values())):
            held |= _ranges(tokenise(clean(shown)))
    for pair in () if changing else sorted(_ranges(statement.expanded) - held):
        first, second = (k.split(":")[1] for k in pair)
        return Finding(
            Verdict.UNSUPPORTED, f"joins {first} and {second} to a range or a change that the evidence does not hold"
        )
    return None


_CHANGING = frozenset(["lesion_change", "lesion_sum", "hypothetical_risk"])


def _ranges(tokens: Sequence[Token]) -> set[tuple[str, str]]:
    return {
        (a.key, b.key) for a, to, b in zip(tokens, tokens[1:], tokens[2:], strict=False)
        if a.number and b.number and to.key == "to" and a.number.unit == b.number.unit
    }  # fmt: skip


def names_fit_their_unit(statement: Statement) -> Finding | None:
    """ "a volume of 21 mm", "a mean diameter of 21 mm": the name right before a size is the name of a size."""
    for evidence_id, held in statement.views.items():
        if held.item.type not in ("lesion", "proposed_lesion"):
            continue
        cues = FIELD_CUES[held.item.type]
        units = {f: {n.unit for n, g in held.numbers if g == f} for f in cues}
        for bound in statement.bound:
            if bound.token.number is None or evidence_id not in bound.support:
                continue
            said = _names_before(statement, bound.index, cues)
            if said and not any(bound.token.number.unit in units[f] for f in said[-1]):
                return _named(bound.token, said[-1])
            if bound.token.number.unit == "mm" and any("mean_intensity" in fields for fields in said[-2:]):
                return _named(bound.token, {"mean_size"})
    return None


def _names_before(statement: Statement, index: int, cues: Mapping[str, Sequence[str]]) -> list[set[str]]:
    """The fields named before the number in its clause, back to the number before it; one set a word."""
    found: list[set[str]] = []
    for i in range(index - 1, -1, -1):
        token = statement.tokens[i]
        if token.number is not None or statement.segment_of[i] != statement.segment_of[index]:
            break
        fields = {f for f, words in cues.items() if token.key in {word_key(w) for w in words}}
        if fields:
            found.insert(0, fields)
    return found


def _named(token: Token, fields: set[str]) -> Finding:
    name = " or ".join(sorted(fields)).replace("_", " ")
    return Finding(Verdict.UNSUPPORTED, f"gives {token.surface!r} as {name}, which it is not by its unit")


_SHORT, _LONG = word_key("short"), frozenset(word_key(w) for w in ("longest", "long"))


def slice_is_of_the_longest(statement: Statement) -> Finding | None:
    """The slice of a lesion is where its longest diameter lies, not its short axis."""
    for evidence_id, held in statement.views.items():
        slices = {k for k in held.field_keys.get("slice", ()) if k.startswith("number:")}
        if held.item.type not in ("lesion", "proposed_lesion") or not slices:
            continue
        for bound in statement.bound:
            if bound.token.key not in slices or bound.token.kind is not TokenKind.NUMBER:
                continue
            keys = {b.token.key for b in statement.segment(bound.segment)}
            if _SHORT in keys and not keys & _LONG and evidence_id in bound.support:
                return Finding(
                    Verdict.UNSUPPORTED,
                    f"gives slice {bound.token.surface!r} to the short axis; in {evidence_id} it is the longest's",
                )
    return None


NUMBER_RULES: tuple[Callable[[Statement], Finding | None], ...] = (
    interval_ends_stay_ends,
    products_keep_their_order,
    ranges_are_the_evidences,
    names_fit_their_unit,
    slice_is_of_the_longest,
)
