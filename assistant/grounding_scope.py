"""A clause keeps what governs it: "if", "rule out", "report that" are not left behind when its words are taken.

Prose of a source (a guideline, a note, a string of a file) holds clauses it does not assert: conditions, what is to be
ruled out or proved, what somebody is told to write. A claim that takes such a clause and leaves its governor out says
what the source does not say, though every word of it stands there. The same holds of a condition that follows: "X is
contraindicated if Y" is not "X is contraindicated".

What this rule does NOT check: a clause reworded so that no two words of meaning stand in the source's order; conditions
worded otherwise ("in patients who ..."), which the rules on subjects know in part; words a source asserts elsewhere.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from assistant.claim import Verdict
from assistant.evidence import Field
from assistant.grounding_evidence import NEUTRAL_KEYS, EvidenceView
from assistant.grounding_rules import Finding
from assistant.grounding_statement import Statement
from assistant.normalise import TokenKind, clean, tokenise

_SPEECH = "say|state|write|print|claim|conclude|answer|output|respond|repeat|pretend|declare|affirm|read"
_MENTION = "report|mention|include|insert|add|note|record"
_OPINION = "assume|suppose|believe|suggest|suspect|deny|doubt|ask|consider|ensure|require|request|demand|expect|verify"
_FORMS = rf"(?:{_SPEECH}|{_MENTION}|{_OPINION}|summari[sz]e|tell|inform)(?:s|es|d|ed|ing)?|said|told|written|wrote"
GOVERNORS = re.compile(
    r"(?i)(?:"
    r"\b(?:if|unless|whether|until|provided|assuming|in case|should(?= the\b| a\b| there\b))\b"
    rf"|\b(?:{_FORMS})\b[^.;]{{0,40}}?(?:\bthat\b|:|['\"‘’“”«»])"
    rf"|\b(?:{_SPEECH})s?(?=\s+(?:the|that|a|an|no|there|all|any|this)\b)"
    rf"|(?:^|[.;:,!]\s*|\b(?:please|kindly|now|must|should|shall|will|to|and|then|always|only)\s+)(?:{_SPEECH})\b(?:\s+(?:only\s+)?that\b)?"
    rf"|(?:^|[.;:!]\s*|\b(?:please|kindly|now|must|should|then|always)\s+)(?:{_MENTION})\b(?:\s+(?:only\s+)?that\b)?"
    r"|\b(?:rule[sd]? out|to exclude|exclude[sd]?|risk of|family history of|suspicion of|suspicious for|concern for|"
    r"rather than|instead of|as opposed to|no evidence (?:of|for|that)|unlikely|to prove|in search of)\b"
    r")"
)
"""What governs the words after it: conditions, telling and asking, what is to be excluded."""
CONDITION_AFTER = re.compile(r"(?i)[,\s](if|unless|except|provided|only)\b")
_SENTENCE = re.compile(r"(?<=[.!?;])\s+")
_PROSE_FIELDS: Mapping[str, tuple[str, ...]] = {
    "passage": ("statement",),
    "note": ("quote",),
    "conflict": ("statement", "first", "second"),
}
_FREE_FIELDS = ("role", "series", "drug", "histology", "disease", "name", "response")
_LEAST = 2
"""Words of meaning in the source's order from which on a clause counts as taken."""


@dataclass(frozen=True)
class GovernedClause:
    """governor : the word or words that govern it; text : what they govern."""

    governor: str
    text: str


def governed_clauses(text: str) -> Iterator[GovernedClause]:
    """Every clause of a source's prose that stands under a governor, sentence by sentence."""
    for sentence in _SENTENCE.split(text):
        for match in GOVERNORS.finditer(sentence):
            yield GovernedClause(match[0].strip(" :,('\"‘’“”«»"), sentence[match.end() :])


def clauses_keep_their_governor(statement: Statement) -> Finding | None:
    """No clause is taken out from under what governs it, none without the condition that follows it."""
    said = " ".join(t.surface.lower() for t in statement.expanded)
    claim = _meaning([t for t in statement.expanded if t.kind is not TokenKind.BREAK])
    for evidence_id, held in statement.views.items():
        for text in _source_texts(held):
            plain = [*_asserted(text), *(_keys(f.display) for f in _values(held))]
            for clause in governed_clauses(text):
                if _says(said, clause.governor):
                    continue
                taken = _longest_common(claim, _keys(clause.text))
                if len(taken) < min(_LEAST, len(claim)) or not taken or _holds(plain, taken):
                    continue
                return Finding(
                    Verdict.UNSUPPORTED,
                    f"takes {_shown(clause.text)!r} out from under {clause.governor!r} in {evidence_id}",
                )
            finding = _condition_left_out(said, claim, text, evidence_id)
            if finding is not None:
                return finding
    return None


def _condition_left_out(said: str, claim: list[str], text: str, evidence_id: str) -> Finding | None:
    for sentence in _SENTENCE.split(text):
        match = CONDITION_AFTER.search(sentence)
        if match is None or _says(said, match[1]):
            continue
        before, after = _keys(sentence[: match.start()]), _keys(sentence[match.end() :])
        taken = _longest_common(claim, before)
        # the clause before is taken up to the condition: its last word of meaning is among what is taken
        whole = bool(taken) and taken[-1] == before[-1] and (len(taken) > _LEAST or taken == before)
        if whole and after and not _overlaps(claim, after):
            return Finding(
                Verdict.UNSUPPORTED,
                f"leaves out the condition {(match[1] + ' ' + _shown(sentence[match.end() :]))!r} of {evidence_id}",
            )
    return None


def _source_texts(held: EvidenceView) -> list[str]:
    """What the source itself says; the ledger's own template around it ("status excluded: ...") is none of it."""
    fields = held.item.fields
    if held.item.type == "therapy":
        return [clean(held.item.text).partition(". ")[2]]
    names = _PROSE_FIELDS.get(held.item.type, _FREE_FIELDS)
    return [fields[n].display for n in names if n in fields and len(fields[n].display.split()) > _LEAST]


def _values(held: EvidenceView) -> list[Field]:
    """The fields that are no prose of the source: what they hold is asserted, wherever else its words stand."""
    prose = _PROSE_FIELDS.get(held.item.type, () if held.item.type == "therapy" else _FREE_FIELDS)
    return [f for name, f in held.item.fields.items() if name not in prose]


def _asserted(text: str) -> list[list[str]]:
    """The parts of each sentence before its first governor, as keys."""
    return [_keys(GOVERNORS.split(sentence, maxsplit=1)[0]) for sentence in _SENTENCE.split(text)]


def _keys(text: str) -> list[str]:
    return _meaning(tokenise(clean(text)))


def _meaning(tokens: Sequence) -> list[str]:
    return [t.key for t in tokens if t.kind is not TokenKind.BREAK and t.key not in NEUTRAL_KEYS]


def _says(said: str, governor: str) -> bool:
    words = re.findall(r"[a-z]+", governor.lower())
    return bool(words) and all(re.search(rf"\b{w}\b", said) for w in words[:2])


def _overlaps(claim: list[str], after: list[str]) -> bool:
    return len(set(claim) & set(after)) * 2 >= len(set(after))


def _holds(texts: list[list[str]], run: list[str]) -> bool:
    return any(run == text[i : i + len(run)] for text in texts for i in range(len(text) - len(run) + 1))


def _longest_common(left: list[str], right: list[str]) -> list[str]:
    """The longest run of keys that stands in both."""
    best, end, last = 0, 0, [0] * (len(right) + 1)
    for i, a in enumerate(left):
        row = [0] * (len(right) + 1)
        for j, b in enumerate(right):
            if a == b:
                row[j + 1] = last[j] + 1
                if row[j + 1] > best:
                    best, end = row[j + 1], i + 1
        last = row
    return left[end - best : end]


def _shown(text: str) -> str:
    words = text.split()
    return " ".join(words[:6]) + (" ..." if len(words) > 6 else "")
