"""Training pairs of the embedded decoder: a COMPACT message and the answer it should get.

Every pair is varied: ids renumbered, lines and fields dropped, words flipped, chunk sizes and order changed, several
phrasings a type. Soft tokens of a pair come from a *donor* of the same cancer and the findings in the answer are the
donor's, so that no text can tell them: the decoder must read them from the tokens.

Not known here: tokens, weights, how a batch is made (assistant/lm_train.py).
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from assistant.lm_cases import (
    ALWAYS,
    CLOSED_WORDS,
    PERCEIVED_FROM,
    TOGETHER,
    WORDED_TYPES,
    Line,
    LMCase,
    consistent,
    made_up_line,
)
from assistant.lm_lines import CHUNK_LINES, chunks, compact_parts
from assistant.lm_phrases import capital, reference, word_findings, word_line
from assistant.lm_questions import OTHER, PREFIXES, SUFFIXES, TOPICS, UNKNOWNS, WHAT_IFS, Topic
from assistant.prompt import NO_EVIDENCE
from assistant.sections import LIMITS, SECTION_TYPES
from encoders.errors import ContractError

MAX_ANSWERED = 4
"""A chat answer words at most this many lines."""

_SECTION_WEIGHTS = {"summary": 5, "imaging": 8, "molecular": 6, "predictions": 4, "similar_cases": 1, "therapy": 4,
                    "uncertainties": 2}  # fmt: skip
_WHAT_IF = "what if"
_WHAT_IF_SHARE = 0.04  # of the questions; the types stand in no section, so here alone they are met
_NO_SOFT_TOKENS = 0.12  # share of pairs whose findings stand in the text, as for a case asked without adapters


@dataclass(frozen=True)
class LMPair:
    """parts : as ``compact_parts`` gives them; kind : section or topic.

    soft : modality -> (K, D) rows the adapter reads; carried : modality -> {attribute: word} those rows hold
    findings : evidence id -> word the answer must read from them
    """

    parts: tuple[tuple[str, bool], ...]
    soft: Mapping[str, NDArray[np.float32]]
    carried: Mapping[str, Mapping[str, str]]
    answer: str
    kind: str
    findings: Mapping[str, str]


@dataclass(frozen=True)
class _Seen:
    """A case as one pair shows it: varied lines, and the donor's rows by modality."""

    lines: tuple[Line, ...]
    soft: Mapping[str, NDArray[np.float32]]
    carried: Mapping[str, Mapping[str, str]]


class PairMaker:
    """Draws pairs from cases, the same ones for the same ``seed``.

    noise : standard deviation of the Gaussian noise on donor rows, as a share of their spread over the cases
    """

    def __init__(self, cases: Sequence[LMCase], *, seed: int, noise: float = 0.1, vary: bool = True) -> None:
        if not cases:
            raise ContractError("no cases to make training pairs from; sample at least one patient.")
        self.cases = tuple(cases)
        self.rng = random.Random(seed)
        self.noise_rng = np.random.default_rng(seed)
        self.vary = vary
        self.donors: dict[tuple[str, str], list[LMCase]] = {}
        for case in self.cases:
            for modality in case.embeddings:
                self.donors.setdefault((case.oncotree, modality), []).append(case)
        self.noise = {m: noise * self._spread(m) for m in PERCEIVED_FROM.values()}

    def _spread(self, modality: str) -> float:
        rows = [c.embeddings[modality] for c in self.cases if modality in c.embeddings]
        return float(np.concatenate(rows).std(axis=0).mean()) if rows else 0.0

    def draw(self) -> LMPair:
        """One pair: a section's chunk (two in three), or a question."""
        seen = self._see(self.rng.choice(self.cases))
        if self.rng.random() < 0.62:
            pair = self._section_pair(seen)
            if pair is not None:
                return pair
        return self._question_pair(seen)

    def draw_findings(self) -> LMPair:
        """A short pair that asks for perceived findings alone: what a new decoder learns to read soft tokens from."""
        while True:
            seen = self._see(self.rng.choice(self.cases))
            kind = self.rng.choice(tuple(PERCEIVED_FROM))
            lines = [line for line in seen.lines if line.type == kind and line.finding]
            if lines:
                self.rng.shuffle(lines)
                lines = lines[: self.rng.randint(1, len(lines))]
                section = next(s for s, kinds in SECTION_TYPES.items() if kind in kinds and s != "summary")
                return self._pair(f"section: {section}", lines, lines, seen, section)

    # ---- one case, varied ----

    def _see(self, case: LMCase) -> _Seen:
        rng = self.rng
        lines = [line for line in case.lines if line.type in WORDED_TYPES]
        if rng.random() < 0.35:  # types the cohort rarely shows
            kinds = [k for k in CLOSED_KINDS if k not in PERCEIVED_FROM]
            lines += [made_up_line(rng.choice(kinds), 0, rng, oncotree=case.oncotree) for _ in range(rng.randint(2, 8))]
        if rng.random() < 0.5:
            keep = rng.uniform(0.4, 0.95)
            lines = [line for line in lines if rng.random() < keep]
        lines = [self._varied(line) for line in lines]
        lines, soft, carried = self._with_donor(case, lines)
        return _Seen(tuple(self._renumbered(lines)), soft, carried)

    def _varied(self, line: Line) -> Line:
        rng = self.rng
        fields = dict(line.fields)
        kept = {*ALWAYS[line.type], *(name for group in TOGETHER.get(line.type, ()) for name in group)}
        for name, word in line.fields.items():
            choices = CLOSED_WORDS.get((line.type, name))
            if word is not None and choices and rng.random() < 0.25:
                fields[name] = rng.choice(choices)
            elif word is None and name not in kept and rng.random() < 0.06:
                del fields[name]
        return consistent(replace(line, fields=fields))

    def _with_donor(
        self, case: LMCase, lines: list[Line]
    ) -> tuple[list[Line], dict[str, NDArray[np.float32]], dict[str, Mapping[str, str]]]:
        soft: dict[str, NDArray[np.float32]] = {}
        told: dict[str, Mapping[str, str]] = {}
        for modality in case.embeddings:
            donor = self.rng.choice(self.donors[case.oncotree, modality]) if self.vary else case
            rows = donor.embeddings[modality]
            noise = self.noise_rng.normal(0.0, self.noise[modality], rows.shape) if self.vary else 0.0
            soft[modality] = (rows + noise).astype(np.float32)
            told[modality] = donor.findings[modality]
        changed: list[Line] = []
        for line in lines:
            findings = told.get(PERCEIVED_FROM.get(line.type, ""))
            attribute = str(line.fields.get("attribute"))
            if findings is None:
                changed.append(line)
            elif attribute in findings:
                changed.append(replace(line, finding=findings[attribute]))
        return changed, soft, told

    def _renumbered(self, lines: list[Line]) -> list[Line]:
        """New ids: in order, or any numbers, so that M3 may come first."""
        rng = self.rng
        scattered = rng.random() < 0.6
        by_letter: dict[str, list[int]] = {}
        for line in lines:
            by_letter.setdefault(line.id[0], []).append(0)
        numbers = {
            letter: rng.sample(range(1, 31), len(found)) if scattered and len(found) <= 30 else
            list(range(1, len(found) + 1))
            for letter, found in by_letter.items()
        }  # fmt: skip
        return [replace(line, id=f"{line.id[0]}{numbers[line.id[0]].pop(0)}") for line in lines]

    # ---- sections ----

    def _section_pair(self, seen: _Seen) -> LMPair | None:
        rng = self.rng
        section = rng.choices(tuple(_SECTION_WEIGHTS), tuple(_SECTION_WEIGHTS.values()))[0]
        lines: list[Line] = []
        for kind in SECTION_TYPES[section]:
            found = [line for line in seen.lines if line.type == kind]
            if section == "summary" and kind == "therapy":
                found = [line for line in found if line.fields.get("status") == "offered"]
            lines += found[: LIMITS.get((section, kind), len(found))]
        if not lines:
            return None
        if rng.random() < 0.15:
            rng.shuffle(lines)
        size = CHUNK_LINES if rng.random() < 0.6 else rng.randint(1, CHUNK_LINES)
        chunk = rng.choice(chunks(tuple(lines), size))  # type: ignore[type-var]
        return self._pair(f"section: {section}", chunk, chunk, seen, section)

    # ---- questions ----

    def _question_pair(self, seen: _Seen) -> LMPair:
        rng = self.rng
        kind = rng.random()
        if kind < 0.12:
            asked = rng.choice(rng.choice(UNKNOWNS).questions)
            return self._pair(self._head(asked, OTHER), self._others(seen, (), 0, 4), (), seen, OTHER)
        if kind > 1 - _WHAT_IF_SHARE:
            told = self._what_if_lines()
            return self._pair(self._head(rng.choice(WHAT_IFS), _WHAT_IF), told, told, seen, _WHAT_IF)
        name = rng.choice(PERCEIVED_TOPICS if rng.random() < 0.4 else WORDED_TOPICS)
        topic = TOPICS[name]
        relevant = [line for line in seen.lines if answers(line, topic)]
        if kind < 0.24:
            relevant = []
        elif not relevant:
            name, topic, relevant = self._any_topic(seen)
        rng.shuffle(relevant)
        relevant = relevant[: rng.randint(1, MAX_ANSWERED)]
        mixed = relevant + list(self._others(seen, topic.types, 0, CHUNK_LINES - len(relevant)))
        if rng.random() < 0.5:
            rng.shuffle(mixed)
        asked = rng.choice(topic.questions)
        told = [line for line in mixed if line in relevant]
        return self._pair(self._head(asked, name), tuple(mixed), tuple(told), seen, name)

    def _what_if_lines(self) -> tuple[Line, ...]:
        """What some case's what-if added, else made-up lines of its types; the case of the pair is of no matter."""
        asked = [case.what_if for case in self.cases if case.what_if]
        if asked and self.rng.random() < 0.6:
            lines = list(self.rng.choice(asked))
        else:
            counts = {"hypothetical_risk": self.rng.randint(0, 1), "hypothetical_therapy": self.rng.randint(1, 3)}
            lines = [made_up_line(kind, 0, self.rng) for kind, n in counts.items() for _ in range(n)]
        return tuple(self._renumbered(lines[:CHUNK_LINES]))

    def _any_topic(self, seen: _Seen) -> tuple[str, Topic, list[Line]]:
        names = list(WORDED_TOPICS)
        self.rng.shuffle(names)
        for name in names:
            found = [line for line in seen.lines if answers(line, TOPICS[name])]
            if found:
                return name, TOPICS[name], found
        return names[0], TOPICS[names[0]], []

    def _others(self, seen: _Seen, types: Sequence[str], least: int, most: int) -> tuple[Line, ...]:
        pool = [line for line in seen.lines if line.type not in types]
        count = min(len(pool), self.rng.randint(least, max(least, most)))
        return tuple(self.rng.sample(pool, count))

    def _head(self, question: str, topic: str) -> str:
        rng = self.rng
        asked = f"{rng.choice(PREFIXES)}{question}{rng.choice(SUFFIXES)}"
        if rng.random() < 0.15 and len(asked.split()) > 3:  # a word lost or doubled
            words = asked.split()
            words.pop(rng.randrange(len(words)))
            asked = " ".join(words)
        return f"question: {asked}\nabout: {topic}"

    # ---- message and answer ----

    def _pair(self, head: str, lines: Sequence[Line], told: Sequence[Line], seen: _Seen, kind: str) -> LMPair:
        perceived = {PERCEIVED_FROM[line.type] for line in lines if line.type in PERCEIVED_FROM}
        with_soft = sorted(perceived & set(seen.soft))
        if self.vary and self.rng.random() < _NO_SOFT_TOKENS:
            with_soft = []
        written = [line.written(with_finding=PERCEIVED_FROM.get(line.type) not in with_soft) for line in lines]
        findings = {line.id: line.finding for line in told if line.finding and PERCEIVED_FROM[line.type] in with_soft}
        return LMPair(
            parts=tuple(compact_parts(head, written, with_soft)),
            soft={m: seen.soft[m] for m in with_soft},
            carried={m: seen.carried[m] for m in with_soft},
            answer=answer(told, self.rng),
            kind=kind,
            findings=findings,
        )


_OPENINGS = ("A {who}{age} with {what}", "The {who}{age} has {what}", "This {who}{age} was diagnosed with {what}")
PERCEIVED_TOPICS = tuple(name for name, topic in TOPICS.items() if set(topic.types) & set(PERCEIVED_FROM))
WORDED_TOPICS = tuple(name for name, topic in TOPICS.items() if set(topic.types) & WORDED_TYPES)
CLOSED_KINDS = tuple(dict.fromkeys(kind for types in SECTION_TYPES.values() for kind in types if kind in WORDED_TYPES))


def answers(line: Line, topic: Topic) -> bool:
    """True when this line answers a question of the topic."""
    return line.type in topic.types and all(line.fields.get(name) == word for name, word in topic.words.items())


def answer(lines: Sequence[Line], rng: random.Random) -> str:
    """The claims for these lines, one a line of text; ``no evidence`` for none."""
    claims: list[str] = []
    waiting = list(lines)
    while waiting:
        line = waiting.pop(0)
        if line.type in PERCEIVED_FROM:
            group = [line]
            wanted = rng.choice((1, 2, 3))
            while waiting and waiting[0].type == line.type and len(group) < wanted:
                group.append(waiting.pop(0))
            claims.append(_finding_claim(group, rng))
        elif waiting and (line.type, waiting[0].type) == ("demographics", "diagnosis") and rng.random() < 0.8:
            claims.append(_who(line, waiting.pop(0), rng))
        else:
            claims.append(_claim(line, rng))
    return "\n".join(claims) if claims else NO_EVIDENCE


def _claim(line: Line, rng: random.Random) -> str:
    text = word_line(line.id, line.type, line.fields, rng)
    if text is None:  # too few fields for any phrasing: quote what is there
        name = next(iter(line.fields))
        text = f"{name.replace('_', ' ').capitalize()}: {reference(line.id, name)}"
    stop = "" if text.endswith((".statement}", '"')) else "."  # quoted sentences bring their own
    return f"{text}{stop} [{line.id}]"


def _finding_claim(group: Sequence[Line], rng: random.Random) -> str:
    items = [
        (line.id, str(line.fields["attribute"]), (line.finding or "").replace("_", " "), "probability" in line.fields)
        for line in group
    ]
    return f"{word_findings(items, rng)}. {' '.join(f'[{line.id}]' for line in group)}"


def _who(person: Line, disease: Line, rng: random.Random) -> str:
    """Patient and diagnosis in one sentence, the way a note opens."""
    sex = f"{reference(person.id, 'sex')} patient" if "sex" in person.fields else "patient"
    age = f", {reference(person.id, 'age')} old," if "age" in person.fields else ""
    name = "disease" if "disease" in disease.fields else "histology"
    if name not in disease.fields:
        return f"{_claim(person, rng)}\n{_claim(disease, rng)}"
    tail = "".join(f", {reference(disease.id, f)}" for f in ("stage", "grade") if f in disease.fields)
    edition = f" ({reference(disease.id, 'tnm_edition')})" if {"tnm_edition", "stage"} <= set(disease.fields) else ""
    opening = rng.choice(
        ("A {who}{age} with {what}", "The {who}{age} has {what}", "This {who}{age} was diagnosed with {what}")
    )
    text = opening.format(who=sex, age=age, what=f"{reference(disease.id, name)}{tail}{edition}")
    return f"{capital(text)}. [{person.id}] [{disease.id}]"
