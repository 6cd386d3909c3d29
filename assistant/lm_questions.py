"""What clinicians ask about a case: topics, how they are asked, which evidence answers, and which test would.

One table (assistant/prompts/topics.txt, unknowns.txt) serves three readers: training pairs (assistant/lm_pairs.py),
routing of a question to a topic by its nearest phrasing (assistant/agent.py), and the name of the test or document
that would answer what the case does not.

Not known here: any patient.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

_PROMPTS = Path(__file__).parent / "prompts"


@dataclass(frozen=True)
class Topic:
    """types : evidence types that answer; ``words`` limits them to lines with a word (attribute, status).

    test : what would answer when the case holds nothing
    """

    types: tuple[str, ...]
    questions: tuple[str, ...]
    test: str
    words: Mapping[str, str]


@dataclass(frozen=True)
class Unknown:
    """Something a ledger never holds: ``keys`` that give it away, how it is asked, and what would answer."""

    keys: tuple[str, ...]
    questions: tuple[str, ...]
    test: str


def _blocks(path: Path) -> Iterator[tuple[list[str], tuple[str, ...]]]:
    """(cells of the heading, lines under it) of every block of a table file."""
    for block in path.read_text(encoding="utf-8").split("## ")[1:]:
        heading, *lines = block.splitlines()
        yield [cell.strip() for cell in heading.split("|")], tuple(line.strip() for line in lines if line.strip())


def _topics() -> Iterator[tuple[str, Topic]]:
    for (name, types, words, test), questions in _blocks(_PROMPTS / "topics.txt"):
        limits = dict(pair.split("=") for pair in words.split())
        yield name, Topic(tuple(types.split()), questions, test, limits)


TOPICS: Mapping[str, Topic] = dict(_topics())
"""Topic -> how it is asked and what answers it."""


def _unknowns(name: str) -> tuple[Unknown, ...]:
    return tuple(
        Unknown(tuple(key.strip() for key in keys.split(",")), questions, test)
        for (keys, test), questions in _blocks(_PROMPTS / name)
    )


UNKNOWNS: tuple[Unknown, ...] = _unknowns("unknowns.txt")
"""What the ledger never answers, most particular first."""
ROUTED_UNKNOWNS: tuple[Unknown, ...] = _unknowns("unknowns_routing.txt")
"""More of it, for routing alone: the shipped decoder was trained without, and training reads UNKNOWNS only."""

WHAT_IFS: tuple[str, ...] = tuple(
    line for line in (_PROMPTS / "what_ifs.txt").read_text(encoding="utf-8").splitlines() if line and line[0] != "#"
)
"""What-if questions for training, each with a change that what_if_question.py reads."""

OTHER = "other"
DEFAULT_TEST = "a document or test on exactly this point"

PREFIXES = ("", "", "", "", "please tell me ", "can you say ", "i would like to know ", "for this patient, ",
            "in this case, ", "doctor here: ", "quick question: ", "tell me ")  # fmt: skip
SUFFIXES = ("", "", "", "?", "?", "?", " please", " now?", " in this patient?", " here?", " in this case?")
"""What is put around a question in training, so that manners do not change the answer."""
