"""From a question to a topic and the evidence that can answer it, without asking a language model.

A question goes to the topic that a classifier of its words gives it (question_classifier.py), unless it asks for
something no ledger holds or supposes what the case does not record. Genes and drugs it names limit the evidence to what
mentions them.

Not known here: how the answer is worded (assistant/agent.py) or checked (assistant/grounding.py).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from assistant.drug_class_words import asked_classes
from assistant.evidence import Evidence, Ledger
from assistant.lm_lines import word_of
from assistant.lm_pairs import MAX_ANSWERED
from assistant.lm_questions import DEFAULT_TEST, OTHER, ROUTED_UNKNOWNS, TOPICS, UNKNOWNS, Topic
from assistant.question_classifier import load_classifier
from assistant.question_types import (
    TYPE_OF_TOPIC,
    WHAT_IF_TOPIC,
    QuestionType,
    compares_with_prior,
    lacking,
    names_biomarker,
    names_laboratory_value,
    unheld_change,
)
from assistant.sections import is_outdone
from assistant.suppositions import supposes
from assistant.what_if_question import POSSIBLE
from retrieval.embed import cached_vectors, load_embedding
from retrieval.lexicon import canonical_drug, canonical_gene, drug_class

FLOOR = 0.1
"""Probability under which a question belongs to no topic."""

WIDE = 14
"""Evidence shown to a general model, which can choose for itself."""

NONE_OF_HELD = 3.0
"""Times the best topic that "no topic" must be likelier, where the question names a gene or drug of the case."""

OF_DRUGS = ("therapy options", "excluded therapies", "prior treatment")
"""Topics a class of cancer drugs may be asked about."""

NEXT_OF_KIN = {
    "variants": ("copy number", "fusions", "image prediction of genes"),
    "copy number": ("variants", "image prediction of genes"),
    "fusions": ("variants",),
    "therapy options": ("excluded therapies", "prior treatment", "medicines"),
    "excluded therapies": ("therapy options", "prior treatment", "medicines"),
    "prior treatment": ("therapy options", "excluded therapies", "medicines"),
}
"""Topic -> where else a gene or drug may be spoken of, tried in turn."""


_WORD = re.compile(r"[A-Za-z][A-Za-z0-9-]*[A-Za-z0-9]")


@dataclass(frozen=True)
class Route:
    """topic : a key of TOPICS or "other"; evidence : what may answer, best first; test : what would, if this does not.

    named : genes and drugs the question names
    kin : topics to try in turn when nothing of ``topic`` answers
    silent : True when the question is known to ask for what no evidence of the case can tell
    """

    topic: str
    evidence: tuple[Evidence, ...]
    test: str
    named: tuple[str, ...] = ()
    kin: tuple[str, ...] = ()
    silent: bool = False

    @property
    def question_type(self) -> QuestionType:
        """What the question is about."""
        return TYPE_OF_TOPIC.get(self.topic, QuestionType.OTHER)


def answers_topic(item: Evidence, topic: Topic) -> bool:
    """True when an evidence answers questions of this topic."""
    if item.type not in topic.types:
        return False
    return all(n in item.fields and word_of(item.fields[n].display) == w for n, w in topic.words.items())


def taught_question(question: str, topic: str) -> str:
    """The phrasing of a topic that the embedded decoder was taught, nearest to a question about it.

    Which evidence answers is settled before the decoder is asked; in words it never met it took true evidence for none.
    The question itself for a topic without phrasings.
    """
    if topic not in TOPICS:
        return question
    taught = TOPICS[topic].questions
    vectors, _ = cached_vectors(list(taught), load_embedding())
    return taught[int(np.argmax(vectors @ load_embedding().encode((_plain(question),))[0]))]


def answered_topic(asked: Route, evidence: Sequence[Evidence]) -> str:
    """The topic that the evidence answers: the question's own, or the next of kin that found it."""
    for name in (asked.topic, *asked.kin):
        if name in TOPICS and any(answers_topic(e, TOPICS[name]) for e in evidence):
            return name
    return asked.topic


def rank_topics(question: str, named: Sequence[str] = ()) -> list[tuple[str, float]]:
    """(topic, probability), the most probable first; names of genes and drugs become "this gene", "this drug"."""
    roles = _WORD.sub(lambda m: _role(m[0], named), question)
    return load_classifier().probabilities(_plain(roles))


def _role(word: str, named: Sequence[str]) -> str:
    if canonical_drug(word.lower()) in named:
        return "this drug"
    return "this gene" if canonical_gene(word.upper()) in named else word


def _plain(question: str) -> str:
    return re.sub(r"\s+", " ", question.lower()).strip(" ?.!")


def named_entities(question: str, ledger: Ledger) -> tuple[str, ...]:
    """Genes and drugs the question names, canonical; a lower-case word counts as a gene only if the case has it."""
    held = {
        part.lower()
        for e in ledger
        for name in ("gene", "partner5", "partner3")
        if name in e.fields
        for part in e.fields[name].display.split()
    }
    found: list[str] = []
    for word in _WORD.findall(question):
        gene = canonical_gene(word.upper())
        drug = canonical_drug(word.lower())
        if drug:
            found.append(drug)
        elif gene and (gene.lower() in held or (word == word.upper() and len(word) > 2)):
            found.append(gene)
    return tuple(dict.fromkeys(found))


def _unknown_test(question: str, ledger: Ledger) -> str | None:
    """The test for something no ledger holds; None when the question is not about one, or a note speaks of it."""
    asked = question.lower()
    for unknown in (*UNKNOWNS, *ROUTED_UNKNOWNS):
        keys = [k for k in unknown.keys if k in asked]
        if keys and not any(k in e.text.lower() for e in ledger.of_type("note") for k in keys):
            return unknown.test
    return None


def classify(question: str, ledger: Ledger) -> Route:
    """Topic, names and the test that would answer; no evidence is chosen yet."""
    if supposes(question, ledger):
        return Route(WHAT_IF_TOPIC, (), POSSIBLE, named_entities(question, ledger))
    named = named_entities(question, ledger)
    unheld = unheld_change(question, ledger)
    unknown = f"sequencing that covers {unheld}" if unheld else _unknown_test(question, ledger)
    if unknown is not None:
        return Route(OTHER, (), unknown, named, silent=True)
    if classes := asked_classes(question):
        return _class_route(question, classes, named)
    name, probability = _topic(question, named, ledger)
    if name == OTHER or probability < FLOOR:
        return Route("notes" if _noted(question, ledger) else OTHER, (), DEFAULT_TEST, named)
    if TYPE_OF_TOPIC[name] is QuestionType.VARIANT and names_biomarker(question):
        name = "biomarkers"  # "is mismatch repair deficient" sounds like a variant and is none
    if TYPE_OF_TOPIC[name] is QuestionType.FACT and name != "notes" and names_laboratory_value(question):
        name = "laboratory"  # "what is her CA 15-3" sounds like a question about the person
    missing = lacking(question, name, ledger)
    if missing is not None:
        return Route(name, (), missing, named, silent=True)
    test = f"testing or a source that covers {' and '.join(named)}" if named else TOPICS[name].test
    return Route(name, (), test, named, kin=NEXT_OF_KIN.get(name, ()) if named else ())


def _topic(question: str, named: Sequence[str], ledger: Ledger) -> tuple[str, float]:
    """Topic and its probability; of a gene or drug the case speaks of, "none" must be far likelier than any topic."""
    if compares_with_prior(question) and ledger.of_type("lesion_change"):
        return "change", 1.0
    ranked = rank_topics(question, named)
    best = next(r for r in ranked if r[0] != OTHER)
    none = dict(ranked)[OTHER]
    spoken_of = bool(named) and any(_mentions(e, tuple(named)) for e in ledger)
    return (OTHER, none) if none > best[1] * (NONE_OF_HELD if spoken_of else 1.0) else best


def _class_route(question: str, classes: frozenset[str], named: Sequence[str]) -> Route:
    """A question about a class of drugs goes to what was given or to the therapy rows of that class."""
    ranked = (name for name, _ in rank_topics(question, named) if name in OF_DRUGS)
    name = next(ranked)
    kin = tuple(n for n in ("therapy options", "excluded therapies") if n != name)
    test = f"therapy rows of this case with {' or '.join(sorted(classes))}"
    return Route(name, (), test, (), kin)


def route(question: str, ledger: Ledger, *, wide: bool = False) -> Route:
    """Topic and evidence for a question; ``wide`` adds the evidence whose text is nearest to it."""
    asked = classify(question, ledger)
    closed = asked.silent or asked.topic in (OTHER, WHAT_IF_TOPIC)
    chosen = asked if closed else _choose(question, asked, ledger)
    if wide and not asked.silent and asked.topic != WHAT_IF_TOPIC:
        extra = [e for e in nearest(question, tuple(ledger)) if e not in chosen.evidence]
        chosen = replace(chosen, evidence=(*chosen.evidence, *extra)[:WIDE])
    return chosen


def topic_evidence(question: str, topic: str, ledger: Ledger, named: tuple[str, ...] = ()) -> tuple[Evidence, ...]:
    """Evidence of one topic that mentions every name and class of drugs, best first, at most what an answer words."""
    if topic == "notes" and (spoken := _noted(question, ledger)):
        return spoken
    found = [e for e in ledger if answers_topic(e, TOPICS[topic]) and _mentions(e, named)]
    found = [e for e in found if not is_outdone(e, ledger)]
    if topic in OF_DRUGS and (classes := asked_classes(question)):
        of_class = [e for e in found if _class_of(e) & classes]
        found = of_class if topic in ("therapy options", "excluded therapies") else of_class or found
    found = _by_field(question, _by_name(question, found))
    found.sort(key=lambda e: (TOPICS[topic].types.index(e.type), -e.rank))
    return tuple(found[:MAX_ANSWERED])


def _choose(question: str, asked: Route, ledger: Ledger) -> Route:
    """The topic of the question, or its next of kin when the ledger speaks of what is named only there."""
    for name in (asked.topic, *asked.kin):
        if found := topic_evidence(question, name, ledger, asked.named):
            test = asked.test if asked.topic == name == "notes" else TOPICS[name].test
            return replace(asked, topic=name, evidence=found, test=test)
    return asked


def _class_of(item: Evidence) -> set[str | None]:
    """Classes of the drugs an evidence names in its own field."""
    drugs = item.fields["drug"].display if "drug" in item.fields else ""
    return {drug_class(word) for word in _WORD.findall(drugs)} - {None}


def _by_name(question: str, found: list[Evidence]) -> list[Evidence]:
    """Only the laboratory values or biomarkers the question names, where it names one."""
    asked = {w.lower() for w in _WORD.findall(question)}
    exact = [
        e for e in found if "name" in e.fields and asked & {w.lower() for w in _WORD.findall(e.fields["name"].display)}
    ]
    return exact or found


def _by_field(question: str, found: list[Evidence]) -> list[Evidence]:
    """Only the evidence with a field the question names in one word ("SUVpeak"), where any has it."""
    asked = {w.lower() for w in _WORD.findall(question)}
    exact = [e for e in found if asked & {name.replace("_", "") for name in e.fields if "_" in name}]
    return exact or found


def _mentions(item: Evidence, named: tuple[str, ...]) -> bool:
    return all(re.search(rf"\b{re.escape(name.lower())}\b", _where(item, name)) for name in named)


def _where(item: Evidence, name: str) -> str:
    """The text a name must stand in: of a therapy row its own drugs, for its statement speaks of comparators too."""
    own = item.type == "therapy" and canonical_drug(name) is not None
    return (item.fields["drug"].display if own else item.text).lower()


def _noted(question: str, ledger: Ledger) -> tuple[Evidence, ...]:
    """Notes whose quote shares a telling word with the question."""
    words = {w.lower() for w in _WORD.findall(question) if len(w) > 5}
    return tuple(e for e in ledger.of_type("note") if words & {w.lower() for w in _WORD.findall(e.text)})[:2]


def nearest(question: str, evidence: Sequence[Evidence], k: int = WIDE) -> tuple[Evidence, ...]:
    """Evidence by similarity of its text to the question, nearest first."""
    if not evidence:
        return ()
    embedder = load_embedding()
    vectors = embedder.encode([e.text for e in evidence])
    order = np.argsort(-(vectors @ embedder.encode((_plain(question),))[0]), kind="stable")
    return tuple(evidence[int(i)] for i in order[:k])
