"""Rules of free text: a guideline sentence, a note or a study sentence keeps its denials, its order and its extent.

And of other patients: what became of a similar case is not told of this one.

Not known here: one word exchanged inside a sentence that is otherwise followed (grounding_quotes.py).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from assistant.claim import Verdict
from assistant.grounding_rules import Finding
from assistant.grounding_statement import Statement
from assistant.grounding_vocabulary import DENYING_TYPES, ORDERING
from assistant.grounding_words import JOINS
from assistant.normalise import TokenKind, word_key

_ORDERING = frozenset(word_key(w) for w in ORDERING)
_STRICT_ORDER = 0.9
_MIN_ORDER, _MIN_COVERAGE, _MIN_STRETCH, _MIN_STRETCH_COVERAGE = 0.6, 0.4, 4, 0.6


def denials_are_kept(statement: Statement) -> Finding | None:
    """What free text only says under a negation is not stated without one."""
    if statement.found.cues:
        return None
    for evidence_id, held in statement.views.items():
        if held.item.type not in DENYING_TYPES:
            continue
        only_denied = held.denied - held.plain - held.type_words - held.field_keys.get("drug", frozenset())
        for bound in statement.bound:
            if bound.token.key in only_denied and bound.support <= {evidence_id}:
                reason = f"leaves out the negation under which {evidence_id} says {bound.token.surface!r}"
                return Finding(Verdict.CONTRADICTED, reason)
    return None


def free_text_keeps_its_order(statement: Statement) -> Finding | None:
    """A paraphrase of a sentence keeps its subjects and objects in place and covers enough of it."""
    for evidence_id, held in statement.views.items():
        if not held.free_text or any(t.key in held.quotable for t in statement.tokens):
            continue
        fields = {k for name, keys in held.field_keys.items() if name not in ("statement", "quote") for k in keys}
        said = [
            b.token.key for b in statement.bound
            if b.support == {evidence_id} or (held.item.type != "therapy" and evidence_id in b.support)
        ]  # fmt: skip
        words = [k for k in said if k in held.free_text]
        beyond = [k for k in words if k not in fields and k not in held.type_words]
        if held.item.type == "therapy":
            if len(beyond) < 2:
                continue
            words = [k for k in dict.fromkeys(words) if k in beyond or k.startswith("drug:")]
        if not words or (held.item.type != "therapy" and not beyond):
            continue
        if not _drugs_in_order(words, held.free_text):
            return _unsupported(f"names the drugs in another order than {evidence_id}, which changes who did better")
        ordering = any(t.key in _ORDERING for t in statement.tokens)
        if _common_length(words, held.free_text) < (_STRICT_ORDER if ordering else _MIN_ORDER) * len(words):
            return _unsupported(f"rearranges the sentence of {evidence_id} into another statement")
        if held.item.type != "therapy" and not _covers(words, held.free_text):
            return _unsupported(f"takes too few words from {evidence_id} to keep what it says")
    return None


def _drugs_in_order(words: Sequence[str], text: Sequence[str]) -> bool:
    for prefix in ("drug:", "number:"):
        said = [w for w in words if w.startswith(prefix)]
        held = iter([w for w in text if w.startswith(prefix)])
        if not all(w in held for w in dict.fromkeys(said)):
            return False
    return True


def _covers(words: Sequence[str], text: Sequence[str]) -> bool:
    """Enough of the whole text, or nearly all of one stretch of it."""
    if len(set(words)) / len(set(text)) >= _MIN_COVERAGE:
        return True
    places = [i for i, key in enumerate(text) if key in words]
    stretch = set(text[places[0] : places[-1] + 1])
    best = max(
        (len(set(words) & set(text[a : b + 1])) / len(set(text[a : b + 1])) for a in places for b in places
         if len(set(words) & set(text[a : b + 1])) == len(set(words) & stretch) >= _MIN_STRETCH), default=0.0,
    )  # fmt: skip
    return best >= _MIN_STRETCH_COVERAGE


def _common_length(first: Sequence[str], second: Sequence[str]) -> int:
    """Length of the longest common subsequence."""
    row = [0] * (len(second) + 1)
    for a in first:
        previous = 0
        for j, b in enumerate(second, start=1):
            kept = row[j]
            row[j] = previous + 1 if a == b else max(row[j], row[j - 1])
            previous = kept
    return row[-1]


def _unsupported(reason: str) -> Finding:
    return Finding(Verdict.UNSUPPORTED, reason)


_OTHERS = frozenset(["similar_case", "similar_summary", "neighbour_survival"])


def courses_of_others_stay_theirs(statement: Statement) -> Finding | None:
    """ "The patient has a similarity of 0.92 and died": the subject of another's course is not this patient."""
    others = [i for i, v in statement.views.items() if v.item.type in _OTHERS]
    told = any(b.pole is not None and b.pole[0] == "vital" for b in statement.bound)
    if not others or not told:
        return None
    for i, token in enumerate(statement.tokens):
        said = token.surface.lower()
        if said not in ("patient", "he", "she"):
            continue
        before = [t for t in statement.tokens[:i] if t.key not in _ARTICLES]
        following = statement.tokens[i + 1] if i + 1 < len(statement.tokens) else None
        opens = not before or before[-1].kind is TokenKind.BREAK or before[-1].key in JOINS
        names_case = following is not None and any(c.isdigit() for c in following.surface)
        if opens and not names_case:
            return _unsupported(f"tells of {token.surface!r} what {others[0]} holds of another patient")
    return None


_ARTICLES = frozenset(["the", "this", "a", "our", "your"])

PROSE_RULES: tuple[Callable[[Statement], Finding | None], ...] = (
    denials_are_kept,
    free_text_keeps_its_order,
    courses_of_others_stay_theirs,
)
