"""Facts of a summary against a reference: precision, recall, and errors weighed by what they could do to a patient.

Both texts are given as atomic facts. A judge says of each fact whether the other text entails it, entails a part of it
or contradicts it; a part counts a half. Severity is of the fact, not of the text: what is missing or wrong about a drug
that must not be given weighs more than a date.

Not decided here: how a text is cut into facts and who judges; the judge is a function, a person or a model.

References
----------
TBFact: Codella et al., 2025, arXiv 2509.06602 (tumour-board summaries); FActScore: Min et al., EMNLP 2023,
10.18653/v1/2023.emnlp-main.741.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any


class Severity(StrEnum):
    """What an error about a fact could do: be noticed, change management, or harm."""

    MINOR = "minor"
    SIGNIFICANT = "significant"
    UNSAFE = "unsafe"


WEIGHTS = {Severity.MINOR: 1.0, Severity.SIGNIFICANT: 3.0, Severity.UNSAFE: 10.0}
"""Our own scale, so that no number of minor errors below ten hides an unsafe one; shown with every weighted figure."""


class Found(StrEnum):
    """What a judge finds of one fact in the other text."""

    WHOLE = "whole"
    PART = "part"
    ABSENT = "absent"
    CONTRADICTED = "contradicted"


VALUE = {Found.WHOLE: 1.0, Found.PART: 0.5, Found.ABSENT: 0.0, Found.CONTRADICTED: 0.0}
Judge = Callable[["Fact", Sequence["Fact"]], Found]
"""(fact, facts of the other text) -> what is found of it there."""


@dataclass(frozen=True)
class Fact:
    """One statement that can be true or false by itself."""

    text: str
    severity: Severity = Severity.MINOR


def compare_facts(written: Sequence[Fact], reference: Sequence[Fact], judge: Judge) -> dict[str, Any]:
    """Precision of the written facts, recall of the reference's, and the errors by severity.

    A side without a fact has no share (None), and is said so by its count of 0.
    """
    kept = [(fact, judge(fact, reference)) for fact in written]
    recalled = [(fact, judge(fact, written)) for fact in reference]
    errors = [f for f, found in kept if found is Found.CONTRADICTED] + [f for f, found in recalled if VALUE[found] == 0]
    return {
        "written": len(written),
        "reference": len(reference),
        "precision": _share(kept),
        "recall": _share(recalled),
        "contradicted": sum(found is Found.CONTRADICTED for _, found in kept),
        "errors": {s.value: sum(f.severity is s for f in errors) for s in Severity},
        "weighted_errors": sum(WEIGHTS[f.severity] for f in errors),
        "weights": {s.value: w for s, w in WEIGHTS.items()},
    }


def _share(judged: Sequence[tuple[Fact, Found]]) -> float | None:
    return sum(VALUE[found] for _, found in judged) / len(judged) if judged else None
