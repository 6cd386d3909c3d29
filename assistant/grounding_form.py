"""A claim reads as a sentence: its small words stand where English lets them stand.

The vocabulary of a claim is closed, so its articles, prepositions and verbs are known words; a decoder that strings
true words together ("inside the deletion test failed", "the is of 38 mm") breaks one of these rules:
an article or possessive is followed by what it belongs to; a preposition is followed by its object; a place word is
followed by a place; no word stands twice in a row.

What this module does NOT check: grammar in general. Word order beyond these rules, agreement of number, tense and
style pass, and so does an awkward sentence whose small words stand well. Quoted fields are not looked into.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from functools import lru_cache

from assistant.claim import Verdict
from assistant.grounding_rules import Finding
from assistant.grounding_statement import Statement
from assistant.grounding_vocabulary import PLACES
from assistant.normalise import Token, TokenKind, clean, tokenise

_ARTICLES = frozenset(["a", "an", "the", "its", "their", "her", "his"])
_PREPOSITIONS = frozenset(["of", "in", "on", "at", "for", "with", "to", "from", "as", "by", "per", "via", "into",
                           "inside", "within", "between", "among", "without"])  # fmt: skip
_BE = frozenset(["is", "are", "was", "were", "has", "have", "had", "does", "do", "did", "can", "could", "may", "might",
                 "would", "be"])  # fmt: skip
_JOINING = frozenset(["and", "or", "but", "than", "because"])
_INSIDE = frozenset(["inside", "within"])
_NOT_DOUBLED = _ARTICLES | _PREPOSITIONS | _BE | _JOINING
_FINITE = frozenset(["is", "are", "was", "were", "has", "have"])
_DIVIDING = _JOINING | frozenset(
    ["which", "who", "that", "whose", "where", "when", "while", "whereas", "as", "so", "if", "nor"]
)
_CLOSING = frozenset(".;,)!?")
_REACH = 6


def small_words_have_their_place(statement: Statement) -> Finding | None:
    """No article, preposition or joining word is left hanging, and none stands twice."""
    words = [plain_word(t) for t in statement.tokens]
    held = pairs_of_the_evidence(statement)
    for i, word in enumerate(words):
        following = words[i + 1] if i + 1 < len(words) else "."
        if word not in _NOT_DOUBLED or (word, following) in held:
            continue
        if word == following:
            return _unsupported(f"says {word!r} twice in a row")
        hanging = word not in _BE and (following in _CLOSING or following in _BE) and not _may_stand(word, following)
        given_to = word == "her" and following in ("a", "an", "the")  # "gives her a probability of 58 %"
        if hanging or (not given_to and word in _ARTICLES and following in _ARTICLES | _PREPOSITIONS | _JOINING):
            after = "the end of its clause" if following in _CLOSING else repr(following)
            return _unsupported(f"is no sentence: {word!r} stands before {after}")
    return None


def _may_stand(word: str, following: str) -> bool:
    """ "to be", "to have", "and was", "with 93 % of its weight inside." """
    if following in _CLOSING:
        return word in _INSIDE
    return word in _JOINING or (word, following) in (("to", "be"), ("to", "have"))


def place_words_name_a_place(statement: Statement) -> Finding | None:
    """ "inside the lesion", "within 12 weeks", "within the reference range"; not "inside the deletion test"."""
    held = pairs_of_the_evidence(statement)
    for i, token in enumerate(statement.tokens):
        if plain_word(token) not in _INSIDE:
            continue
        phrase = _noun_phrase(statement.tokens[i + 1 : i + 1 + _REACH])
        if not phrase or (
            (plain_word(token), plain_word(phrase[0])) in held and plain_word(phrase[0]) not in _ARTICLES
        ):
            continue
        named = any(t.key in PLACES or t.kind in (TokenKind.NUMBER, TokenKind.QUOTE, TokenKind.DATE) for t in phrase)
        if not named:
            shown = " ".join(t.surface for t in phrase)
            return _unsupported(f"is no sentence: {token.surface!r} is followed by {shown!r}, which is no place")
    return None


def plain_word(token: Token) -> str:
    """A plain word or a clause's end as written; "*" for a value, so that "vitamin A" holds no article."""
    if token.kind is TokenKind.BREAK:
        return token.key
    return token.surface.lower() if token.kind is TokenKind.WORD and not token.surface.isupper() else "*"


def _noun_phrase(tokens: tuple[Token, ...]) -> tuple[Token, ...]:
    end = next(
        (
            k
            for k, t in enumerate(tokens)
            if t.kind is TokenKind.BREAK or plain_word(t) in _BE | _PREPOSITIONS | _JOINING
        ),
        len(tokens),
    )
    return tokens[:end]


def pairs_of_the_evidence(statement: Statement) -> frozenset[tuple[str, str]]:
    """Neighbouring words of the cited evidence: what it says itself is not judged."""
    held = [v.item for v in statement.views.values()]
    return frozenset().union(*(_pairs(t) for e in held for t in (e.text, *(f.display for f in e.fields.values()))))


@lru_cache(maxsize=4096)
def _pairs(text: str) -> frozenset[tuple[str, str]]:
    words = [plain_word(t) for t in (*tokenise(clean(text)), Token(TokenKind.BREAK, ".", "."))]
    return frozenset(itertools.pairwise(words))


def _unsupported(reason: str) -> Finding:
    return Finding(Verdict.UNSUPPORTED, reason)


def clauses_hold_one_verb(statement: Statement) -> Finding | None:
    """No sentence opens with its verb, and no two finite verbs stand in a clause that nothing divides."""
    words = [plain_word(t) for t in statement.tokens]
    held = pairs_of_the_evidence(statement)
    if words and words[0] in _FINITE:
        return _unsupported(f"is no sentence: it opens with the verb {words[0]!r}")
    last: int | None = None
    asked = False  # "what is missing is ...": the first verb belongs to "what"
    for i, word in enumerate(words):
        asked = asked or word == "what"
        if word in _DIVIDING or statement.tokens[i].kind in (TokenKind.BREAK, TokenKind.QUOTE):
            last = None
        infinitive = i > 0 and words[i - 1] == "to"
        if word in _FINITE and not infinitive and not any((word, w) in held for w in words[i + 1 : i + 2]):
            if asked:
                asked = False
                continue
            if last is not None:
                return _unsupported(f"is no sentence: {words[last]!r} and {word!r} stand in one clause")
            last = i
    first = next((i for i, w in enumerate(words) if w in _FINITE), 0)
    if words[:1] == ["of"] and first and "," not in words[:first]:
        return _unsupported("is no sentence: it opens with 'of' and goes on to a verb")
    return None


FORM_RULES: tuple[Callable[[Statement], Finding | None], ...] = (
    small_words_have_their_place,
    place_words_name_a_place,
    clauses_hold_one_verb,
)
