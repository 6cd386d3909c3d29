"""Questions with the passages labelled as theirs: PubMedQA and BioASQ, read from the developers' files.

PubMedQA: "Do mitochondria play a role in remodelling lace plant leaves ...?" and the abstract it was written from
(833 abstracts, one pool). BioASQ: "What is the role of ZCCHC17?" and every gold snippet of the years 7 to 9, among the
paragraphs of PubMedQA's abstracts as distractors. Vectors are kept under RADOMICA_HOME.
Not known here: how anything is searched or scored.
"""

from __future__ import annotations

import json
from collections import defaultdict
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from encoders.errors import UnavailableError
from retrieval.embed import cached_vectors, load_embedding
from retrieval.index import PassageIndex
from retrieval.passage import Passage

PUBMEDQA = Path("qa/pubmedqa/ori_pqal.json")
BIOASQ = Path("qa/bioasq_golden")
TRAINING_YEARS = ("7", "8")
"""BioASQ years on which the order of hits is fitted; year 9 is measured."""


@dataclass(frozen=True)
class Question:
    """A question, where it comes from, the positions of its labelled passages, and those from the same documents.

    part : "train" or "test"
    same_documents : positions of every passage of a labelled document, the labelled ones among them
    """

    text: str
    part: str
    gold: frozenset[int]
    same_documents: frozenset[int]


@dataclass(frozen=True)
class LabelledSet:
    """A pool of passages as the shipped index holds them, with questions and their vectors (Q, D)."""

    name: str
    index: PassageIndex
    questions: tuple[Question, ...]
    question_vectors: NDArray[np.float32]

    def of(self, part: str) -> list[int]:
        """Numbers of the questions of one part."""
        return [i for i, q in enumerate(self.questions) if q.part == part]


def passage_name(position: int) -> str:
    """The passage id of a position of the pool."""
    return f"p{position:06d}"


def position_of(name: str) -> int:
    """The other way round."""
    return int(name[1:])


def pool_index(texts: tuple[str, ...]) -> PassageIndex:
    """Texts as guideline passages of any disease, embedded and indexed as shipped."""
    vectors, _ = cached_vectors(texts, load_embedding())
    passages = [Passage(passage_name(i), "", text, text, "labelled set") for i, text in enumerate(texts)]
    return PassageIndex(passages, vectors)


def _set(name: str, texts: tuple[str, ...], questions: list[Question]) -> LabelledSet:
    vectors, _ = cached_vectors([q.text for q in questions], load_embedding())
    return LabelledSet(name, pool_index(texts), tuple(questions), vectors)


def _there(path: Path) -> Path:
    if not path.exists():
        raise UnavailableError(f"{path.name} is not there; it is in the developers' data set, beside the checkout.")
    return path


@lru_cache(maxsize=1)
def load_pubmedqa(shared: Path) -> LabelledSet:
    """Every question with its own abstract; questions at even places are "train" (of the floor alone).

    Raises
    ------
    UnavailableError: the developers' files are not there.
    """
    raw = json.loads(_there(shared / PUBMEDQA).read_text(encoding="utf-8"))
    questions = [
        Question(row["QUESTION"], "test" if i % 2 else "train", frozenset((i,)), frozenset((i,)))
        for i, row in enumerate(raw.values())
    ]
    return _set("pubmedqa", tuple(" ".join(row["CONTEXTS"]) for row in raw.values()), questions)


@lru_cache(maxsize=1)
def load_bioasq(shared: Path) -> LabelledSet:
    """Every question that has a gold snippet, with its snippets; years 7 and 8 are "train", year 9 is "test".

    Raises
    ------
    UnavailableError: the developers' files are not there.
    """
    place: dict[str, int] = {}
    by_document: dict[str, set[int]] = defaultdict(set)
    found: list[tuple[str, str, frozenset[int], frozenset[str]]] = []
    for path in sorted(_there(shared / BIOASQ).glob("*_golden.json")):
        part = "train" if path.name[0] in TRAINING_YEARS else "test"
        for row in json.loads(path.read_text(encoding="utf-8"))["questions"]:
            snippets = [(" ".join(s["text"].split()), s["document"]) for s in row.get("snippets", ())]
            gold = frozenset(place.setdefault(text, len(place)) for text, _ in snippets if text)
            for text, document in snippets:
                if text:
                    by_document[document].add(place[text])
            if gold:
                found.append((row["body"], part, gold, frozenset(document for _, document in snippets)))
    distractors = json.loads(_there(shared / PUBMEDQA).read_text(encoding="utf-8")).values()
    for row in distractors:
        for paragraph in row["CONTEXTS"]:
            place.setdefault(" ".join(paragraph.split()), len(place))
    questions = [
        Question(text, part, gold, gold | frozenset().union(*(by_document[d] for d in documents)))
        for text, part, gold, documents in found
    ]
    return _set("bioasq", tuple(place), questions)
