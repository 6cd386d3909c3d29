"""A summary cut into facts, and a local judge that finds them again by what they name: drugs, genes, stages, numbers.

Each sentence is a fact. It is found whole where everything it names stands in the other text, in part where half of it
does; a sentence that names nothing is judged by its words of meaning. A sentence for a drug that the other text is only
against, or against one it is only for, is reversed (therapy_direction.py). Severity goes by what is named: a drug that
is denied, resisted or contraindicated is unsafe to miss, a gene, variant, stage or drug significant, the rest minor.

What this judge does NOT see: negation of anything but therapies ("no KRAS mutation" finds "KRAS mutation"), who did
what when, a fact told in other words than names. It needs no model and nothing leaves; an LLM or a person judges
better.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from assistant.grounding_evidence import NEUTRAL_KEYS
from assistant.normalise import TokenKind, clean, tokenise
from eval.suites.facts import Fact, Found
from eval.suites.severity import Severity
from eval.therapy_direction import is_reversed

_NAMES = frozenset(
    (
        TokenKind.DRUG,
        TokenKind.GENE,
        TokenKind.FUSION,
        TokenKind.VARIANT,
        TokenKind.STAGE,
        TokenKind.DATE,
        TokenKind.CODE,
    )
)
_SIGNIFICANT = frozenset((TokenKind.DRUG, TokenKind.GENE, TokenKind.FUSION, TokenKind.VARIANT, TokenKind.STAGE))
_AGAINST = re.compile(
    r"(?i)\b(?:contraindicat\w+|allerg\w+|intoleran\w+|resist\w+|must not|do not|avoid\w*|stop\w*|toxicit\w+|"
    r"interact\w+)\b"
)
_SENTENCE = re.compile(r"(?<=[.!?;])\s+|\n+")
_LEAST_WORDS = 2
WHOLE_WORDS, PART = 0.8, 0.5


def facts_of(text: str) -> tuple[Fact, ...]:
    """The sentences of a summary that name or say something, with their severity."""
    found = []
    for sentence in _SENTENCE.split(text):
        line = sentence.strip(" \t-*•#")
        if len(line.split()) >= _LEAST_WORDS and (names_of(line) or _words(line)):
            found.append(Fact(line, severity_of(line)))
    return tuple(found)


def severity_of(sentence: str) -> Severity:
    """What an error about this sentence could do, by what it names."""
    kinds = {t.kind for t in tokenise(clean(sentence))}
    if TokenKind.DRUG in kinds and _AGAINST.search(sentence):
        return Severity.UNSAFE
    return Severity.SIGNIFICANT if kinds & _SIGNIFICANT else Severity.MINOR


def names_of(text: str) -> frozenset[str]:
    """Keys of what a text names: drugs, genes, variants, stages, dates, codes, numbers with their unit."""
    return frozenset(
        t.key for t in tokenise(clean(text)) if t.kind in _NAMES or (t.number is not None and t.number.unit is not None)
    )


def _words(text: str) -> frozenset[str]:
    return frozenset(t.key for t in tokenise(clean(text)) if t.kind is TokenKind.WORD and t.key not in NEUTRAL_KEYS)


def by_names(fact: Fact, others: Sequence[Fact]) -> Found:
    """The judge: how much of what a fact names stands in the other text; whether a therapy is turned round there."""
    if is_reversed(fact, others):
        return Found.REVERSED
    there = " ".join(other.text for other in others)
    names = names_of(fact.text)
    wanted, held = (names, names_of(there)) if names else (_words(fact.text), _words(there))
    share = len(wanted & held) / len(wanted) if wanted else 0.0
    if share == 1.0 or (not names and share >= WHOLE_WORDS):
        return Found.WHOLE
    return Found.PART if share >= PART else Found.ABSENT
