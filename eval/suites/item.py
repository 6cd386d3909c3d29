"""One question of a benchmark, whatever set it comes from.

Not known here: file forms (read.py), how it is asked (ask.py), how answers are scored (score.py).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

PARTS = ("clinical", "imaging", "omics", "notes")
"""Names a part of a case question may have."""


class Kind(StrEnum):
    """CHOICE: one letter; SHORT: one accepted answer; LIST: several answers; RUBRIC: free text, by criteria."""

    CHOICE = "choice"
    SHORT = "short"
    LIST = "list"
    RUBRIC = "rubric"


@dataclass(frozen=True)
class Criterion:
    """One line of a rubric. points : what meeting it is worth; below 0 = a fault."""

    text: str
    points: float
    tags: tuple[str, ...] = ()


@dataclass(frozen=True)
class Item:
    """One question.

    set : the data set it belongs to ("medqa"); id : unique within it
    options : letter -> text of a CHOICE, else empty
    gold : CHOICE: the letter; SHORT: every accepted answer; LIST: one entry an answer, synonyms joined by " | "
    given : text that stands before the question (a case, an abstract); "" = none
    case : items of one case are not independent; None = the item stands alone
    images : file names the question is about; rubric : of a RUBRIC
    documents : ids of the documents that answer it, for retrieval metrics
    contexts : texts that answer it (gold snippets), for tools that compare what was retrieved with them; never asked
    groups : attribute -> value, for gaps between subgroups ("specialty" -> "Surgery")
    parts : modality (PARTS) -> its text, shown after ``given``; what ablations take away or exchange
    """

    set: str
    id: str
    question: str
    kind: Kind
    options: Mapping[str, str] = field(default_factory=dict)
    gold: tuple[str, ...] = ()
    given: str = ""
    case: str | None = None
    images: tuple[str, ...] = ()
    rubric: tuple[Criterion, ...] = ()
    documents: tuple[str, ...] = ()
    contexts: tuple[str, ...] = ()
    groups: Mapping[str, str] = field(default_factory=dict)
    parts: Mapping[str, str] = field(default_factory=dict)

    @property
    def context(self) -> str:
        """All that is told before the question: ``given``, then every part under its name."""
        return "\n\n".join([*([self.given] if self.given else []), *(f"{n}:\n{t}" for n, t in self.parts.items() if t)])

    @property
    def key(self) -> str:
        """ "set/id", unique in a run."""
        return f"{self.set}/{self.id}"


@dataclass(frozen=True)
class Problem:
    """An item of the file that is not asked, and why."""

    key: str
    reason: str


@dataclass(frozen=True)
class Suite:
    """items in file order; problems : what was left out, item by item; sha256 : of the file or files read."""

    name: str
    items: tuple[Item, ...]
    problems: tuple[Problem, ...]
    sha256: str
