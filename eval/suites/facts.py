"""Facts of a summary against a reference: precision, recall, and errors weighed by what they could do to a patient.

Both texts are given as atomic facts. A judge says of each fact whether the other text entails it, entails a part of it,
contradicts it or (a therapy statement) turns it round; a part counts a half. Severity is of the fact, not of the text:
what is missing or wrong about a drug that must not be given weighs more than a date (severity.py).

Errors, each counted once:
contradicted  a written fact that the reference contradicts; one that is turned round is unsafe whatever it names
omitted       a reference fact of which nothing is written
added         a written fact that the reference does not hold and that nothing else supports (``holds``); an added fact
              that is supported is shown and is no error, since a reference leaves much unsaid
unsafe        written facts that ``must_not`` names: a drug for a patient who must not have it

Not decided here: how a text is cut into facts and who judges; the judge is a function, a person or a model.

References
----------
TBFact: Codella et al., 2025, arXiv 2509.06602 (tumour-board summaries); FActScore: Min et al., EMNLP 2023,
10.18653/v1/2023.emnlp-main.741.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from eval.suites.severity import WEIGHTS, Severity, SeverityScale


class Found(StrEnum):
    """What a judge finds of one fact in the other text."""

    WHOLE = "whole"
    PART = "part"
    ABSENT = "absent"
    CONTRADICTED = "contradicted"
    REVERSED = "reversed"
    """A therapy statement whose direction is the other way round there: for where it must be against, or against."""


VALUE = {Found.WHOLE: 1.0, Found.PART: 0.5, Found.ABSENT: 0.0, Found.CONTRADICTED: 0.0, Found.REVERSED: 0.0}
AGAINST = (Found.CONTRADICTED, Found.REVERSED)
Judge = Callable[["Fact", Sequence["Fact"]], Found]
"""(fact, facts of the other text) -> what is found of it there."""


@dataclass(frozen=True)
class Fact:
    """One statement that can be true or false by itself."""

    text: str
    severity: Severity = Severity.MINOR


Judged = tuple[Fact, Found]


def compare_facts(
    written: Sequence[Fact],
    reference: Sequence[Fact],
    judge: Judge,
    *,
    holds: Callable[[Fact], bool] | None = None,
    must_not: Collection[Fact] = (),
    weights: Mapping[Severity, float] = WEIGHTS,
) -> dict[str, Any]:
    """Precision of the written facts, recall of the reference's, and the errors by kind and severity.

    holds : whether an added fact is supported by other evidence; None = nobody looked, and added facts are counted
        without being errors
    must_not : written facts that must not stand in any answer about this patient

    A side without a fact has no share (None), and is said so by its count of 0.
    """
    kept = [(fact, judge(fact, reference)) for fact in written]
    recalled = [(fact, judge(fact, written)) for fact in reference]
    added = [fact for fact, found in kept if found is Found.ABSENT]
    kinds = {
        "contradicted": _contradicted(kept, recalled),
        "omitted": [fact.severity for fact, found in recalled if found is Found.ABSENT],
        "added": [fact.severity for fact in added if holds is not None and not holds(fact)],
        "unsafe": [Severity.UNSAFE for fact, found in kept if fact in must_not and found is not Found.REVERSED],
    }
    scale = SeverityScale(weights)
    return {
        "written": len(written),
        "reference": len(reference),
        "precision": _share(kept),
        "recall": _share(recalled),
        "contradicted": sum(found in AGAINST for _, found in kept),
        "added": len(added),
        "errors_by_kind": {
            kind: {s.value: found.count(s) for s in Severity} for kind, found in kinds.items()
        },
        **scale.weighed(severity for found in kinds.values() for severity in found),
    }  # fmt: skip


def _contradicted(kept: Sequence[Judged], recalled: Sequence[Judged]) -> list[Severity]:
    """Of the written facts; of the reference's only where no written fact was found to contradict (one, seen twice)."""
    mine = [pair for pair in kept if pair[1] in AGAINST]
    theirs = [pair for pair in recalled if pair[1] in AGAINST]
    return [Severity.UNSAFE if found is Found.REVERSED else fact.severity for fact, found in mine or theirs]


def _share(judged: Sequence[Judged]) -> float | None:
    return sum(VALUE[found] for _, found in judged) / len(judged) if judged else None
