"""For or against: which way a sentence of a summary speaks of each drug it names.

A clause with a drug and a word against it (contraindicated, resistant, allergic, stopped, not recommended, excluded) is
against; one with a word for it (recommended, option, start, sensitive, indicated) and none against is for; any other is
neither. Clauses end at ";", ", but", "whereas", "however", "while", "although".

What this reader does NOT see: who speaks ("the patient asked for"), a drug named by a pronoun, a condition ("if the
creatinine recovers"), a drug for which a word of the other clause is meant. It finds errors that are plain; it does not
clear a text.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Sequence
from enum import StrEnum

from assistant.normalise import TokenKind, clean, tokenise
from eval.suites.facts import Fact


class Stance(StrEnum):
    """Which way a sentence speaks of a drug."""

    FOR = "for"
    AGAINST = "against"


_AGAINST = re.compile(
    r"(?i)\b(?:contraindicat\w+|allerg\w+|intoleran\w+|resist\w+|must not|do not|avoid\w*|stop(?:ped)?|discontinu\w+|"
    r"exclu\w+|ineligible|unsuitable|withh[eo]ld|not (?:recommended|indicated|offered|an option|suitable|eligible|"
    r"given|be (?:given|offered|started|used))|no longer|should not|cannot|never|progress\w+ on)\b"
)
_FOR = re.compile(
    r"(?i)\b(?:recommend\w*|options?|offer\w*|start|give|continue|switch to|prefer\w*|indicated|sensitiv\w+|eligible|"
    r"suitable|propos\w+|consider\w*|approved)\b"
)
"""Words of what is to be done; what was done ("received", "treated with") speaks neither for nor against."""

_CLAUSE = re.compile(r"(?i);|,?\s+\b(?:but|whereas|however|while|although)\b")


def stances(sentence: str) -> dict[str, Stance]:
    """Drug key -> which way the sentence speaks of it; drugs of which it says neither, or both, are left out."""
    found: dict[str, set[Stance]] = {}
    for clause in _CLAUSE.split(sentence):
        stance = Stance.AGAINST if _AGAINST.search(clause) else Stance.FOR if _FOR.search(clause) else None
        for drug in drugs_of(clause) if stance else ():
            found.setdefault(drug, set()).add(stance)  # type: ignore[arg-type]
    return {drug: one.pop() for drug, one in found.items() if len(one) == 1}


def drugs_of(text: str) -> frozenset[str]:
    """Keys of the drugs a text names."""
    return frozenset(t.key for t in tokenise(clean(text)) if t.kind is TokenKind.DRUG)


def is_reversed(fact: Fact, others: Iterable[Fact]) -> bool:
    """Whether the other text speaks of a drug of this fact the other way round, and nowhere this way."""
    mine = stances(fact.text)
    if not mine:
        return False
    theirs: dict[str, set[Stance]] = {}
    for other in others:
        for drug, stance in stances(other.text).items():
            theirs.setdefault(drug, set()).add(stance)
    return any(theirs.get(drug) and stance not in theirs[drug] for drug, stance in mine.items())


def facts_for(facts: Sequence[Fact], drugs: Collection[str]) -> tuple[Fact, ...]:
    """The facts that speak for one of these drugs (keys of ``drugs_of``)."""
    return tuple(f for f in facts if any(d in drugs and s is Stance.FOR for d, s in stances(f.text).items()))
