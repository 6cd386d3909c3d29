"""The rule of change: which size and which date is the earlier one.

Every size and date of ``lesion_change`` and ``lesion_sum`` stands in the evidence, so only where it is put can lie:
"from 28 mm to 20 mm" of a lesion that went from 20 mm to 28 mm. A number is told to be the earlier or the later one by
the word before or after it, or by the date it stands with; an earlier size that nothing tells to be earlier is refused.

Not known here: directions ("grown") and numbers, which the general rules check.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from assistant.claim import Verdict
from assistant.grounding_evidence import EvidenceView
from assistant.grounding_rules import Finding
from assistant.grounding_statement import Statement, is_approximate
from assistant.grounding_words import JOINS
from assistant.normalise import Token, TokenKind, word_key

BEFORE, NOW = "before", "now"
_DATES = {BEFORE: "date_before", NOW: "date_now"}
_WORDS = (
    "from before was were previously previous prior earlier initially had",
    "to now is currently current has today",
)
_CUES: Mapping[str, str] = {
    word_key(w): role for role, words in zip((BEFORE, NOW), _WORDS, strict=True) for w in words.split()
}
_BARE = frozenset(word_key(w) for w in ("was", "were", "had", "is", "has"))
"""Cues too weak to contradict a size ("the lesion has grown: 20 mm before"); they may only tell that one is earlier."""
_AFTER: Mapping[str, str] = {
    word_key(w): role
    for role, words in ((BEFORE, "before previously earlier initially"), (NOW, "now currently today"))
    for w in words.split()
}
_ON = frozenset(word_key(w) for w in ("on", "in", "of", "at"))
_REACH = 3


def change_keeps_its_order(statement: Statement) -> Finding | None:
    """Sizes and dates of a change are said in their places: the earlier one as earlier, the later one as later."""
    for evidence_id, held in statement.views.items():
        if held.item.type in ("lesion_change", "lesion_sum"):
            finding = _order(statement, evidence_id, held)
            if finding is not None:
                return finding
    return None


def _order(statement: Statement, evidence_id: str, held: EvidenceView) -> Finding | None:
    tokens = statement.tokens
    sizes = {i: role for i, t in enumerate(tokens) if (role := _size_role(tokens, i, held))}
    dates = {i: role for i, t in enumerate(tokens) if (role := _date_role(t, held))}
    for i, role in {**sizes, **dates}.items():
        said = _told_by_words(tokens, i, marks={*sizes, *dates})
        if said and said != role:
            return _swapped(tokens[i], said, role, evidence_id)
    for i, role in sizes.items():
        said = _told_by_date(tokens, i, dates, sizes)
        if said and said != role:
            return _swapped(tokens[i], said, role, evidence_id)
    return _untold(tokens, sizes, dates, evidence_id)


def _size_role(tokens: Sequence[Token], index: int, held: EvidenceView) -> str | None:
    number = tokens[index].number
    if number is None:
        return None
    fields = held.number_fields(number, approximate=is_approximate(tokens, index)) & {BEFORE, NOW, "smallest"}
    return next(iter(fields)) if len(fields) == 1 and fields <= {BEFORE, NOW} else None


def _date_role(token: Token, held: EvidenceView) -> str | None:
    if token.kind is not TokenKind.DATE:
        return None
    roles = [r for r, f in _DATES.items() if any(k.startswith(token.key) for k in held.field_keys.get(f, ()))]
    return roles[0] if len(roles) == 1 else None


def _near(tokens: Sequence[Token], index: int, step: int, marks: set[int]) -> list[int]:
    """Places beside ``index`` up to the next clause, size or date, at most ``_REACH`` away."""
    found: list[int] = []
    place = index + step
    while 0 <= place < len(tokens) and len(found) < _REACH:
        token = tokens[place]
        if place in marks or token.kind is TokenKind.BREAK or token.key in JOINS or token.number is not None:
            break
        found.append(place)
        place += step
    return found


def _told_by_words(tokens: Sequence[Token], index: int, marks: set[int]) -> str | None:
    """The role a strong word beside the token gives it: the one right after, else the nearest before."""
    after = _near(tokens, index, 1, marks)
    if after and (said := _AFTER.get(tokens[after[0]].key)):
        return said
    for place in _near(tokens, index, -1, marks):
        key = tokens[place].key
        if key in _CUES and key not in _BARE:
            return _CUES[key]
    return None


def _told_by_date(
    tokens: Sequence[Token], index: int, dates: Mapping[int, str], sizes: Mapping[int, str]
) -> str | None:
    """The role of the date a size stands with: "28 mm on DATE", "28 mm (DATE)", "on DATE it measured 28 mm"."""
    for place in range(index + 1, min(index + 1 + _REACH, len(tokens))):
        if place in dates:
            return dates[place]
        if tokens[place].key not in _ON and tokens[place].surface.strip() != "(":
            break
    for place in range(index - 1, -1, -1):
        if place in sizes or tokens[place].surface.strip() in (";", "."):
            return None
        if place in dates:
            led = place > 0 and tokens[place - 1].key in _ON
            ranged = any(p in dates for p in range(place - 1, -1, -1))
            return dates[place] if led and not ranged else None
    return None


def _untold(
    tokens: Sequence[Token], sizes: Mapping[int, str], dates: Mapping[int, str], evidence_id: str
) -> Finding | None:
    """An earlier size needs a word or a date that says so, or the later size after it."""
    order = sorted(sizes)
    for i in order:
        if sizes[i] == NOW:
            continue
        words = {tokens[p].key for p in (*_near(tokens, i, -1, set(order)), *_near(tokens, i, 1, set(order)))}
        told = any(_CUES.get(w) == BEFORE or _AFTER.get(w) == BEFORE for w in words)
        followed = any(sizes[j] == NOW for j in order if j > i)
        if not told and not followed and _told_by_date(tokens, i, dates, sizes) is None:
            return Finding(
                Verdict.UNSUPPORTED,
                f"gives {tokens[i].surface!r} without saying that it was so before; {evidence_id} holds it as earlier",
            )
    untold = [i for i in order if _told_by_words(tokens, i, set(order)) is None]
    roles = [sizes[i] for i in untold if _told_by_date(tokens, i, dates, sizes) is None]
    if NOW in roles and BEFORE in roles[roles.index(NOW) :]:
        first = tokens[untold[0]]
        return _swapped(first, BEFORE, NOW, evidence_id)
    return None


def _swapped(token: Token, said: str, role: str, evidence_id: str) -> Finding:
    names = {BEFORE: "the earlier one", NOW: "the later one"}
    return Finding(
        Verdict.CONTRADICTED, f"gives {token.surface!r} as {names[said]}; {evidence_id} holds it as {names[role]}"
    )
