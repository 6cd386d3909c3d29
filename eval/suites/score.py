"""Answers -> figures: accuracy with intervals, calibration, selective accuracy, support of claims.

Every figure counts what it is over: an item without an answer is not right and is told apart from a wrong one, an item
without a confidence is counted and left out of calibration alone. Nothing is dropped in silence.

References
----------
F-measure of lists and exact match of factoids: BioASQ (Tsatsaronis et al., BMC Bioinformatics 2015,
10.1186/s12859-015-0564-6). Expected calibration error: Naeini et al., AAAI 2015. Selective accuracy: El-Yaniv & Wiener,
JMLR 2010. Rubric score: Arora et al., 2025, arXiv 2505.08775.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from encoders.errors import InputError
from eval.intervals import Interval, wilson
from eval.suites.item import Criterion, Item, Kind

BINS = 10
COVERAGES = (0.5, 0.8)
REPEATS = 1000
RIGHT, WRONG, PARTLY, NO_ANSWER, NOT_SCORED = "right", "wrong", "partly", "no answer", "not scored"


@dataclass(frozen=True, slots=True)
class Scored:
    """One item's record, as a run folder's items.jsonl holds it (raw answers aside).

    index : place in the suite; score : 0..1, None = not scored; outcome : RIGHT, WRONG, PARTLY, NO_ANSWER, NOT_SCORED
    groups : attribute -> value (groups.py); retrieval : figures of what was found for it (retrieval.py), None = no
    search, or nothing labelled
    """

    index: int
    set: str
    id: str
    case: str | None
    outcome: str
    score: float | None
    answer: tuple[str, ...]
    confidence: float | None = None
    claims: int = 0
    supported: int = 0
    cited: int = 0
    groups: Mapping[str, str] = field(default_factory=dict)
    retrieval: Mapping[str, float] | None = None

    @property
    def key(self) -> str:
        """ "set/id"."""
        return f"{self.set}/{self.id}"


def score_answer(item: Item, settled: Sequence[str], met: Sequence[bool] | None = None) -> tuple[str, float | None]:
    """(outcome, score) of what an answer settled on; ``met`` : which criteria of a RUBRIC a judge found met."""
    if not settled:
        return NO_ANSWER, 0.0
    if item.kind is Kind.RUBRIC:
        if met is None:
            return NOT_SCORED, None
        value = rubric_score(item.rubric, met)
    elif item.kind is Kind.LIST:
        value = list_f_measure(item.gold, settled)
    else:
        accepted = {plain(g) for g in item.gold} if item.kind is Kind.SHORT else set(item.gold)
        value = float((plain(settled[0]) if item.kind is Kind.SHORT else settled[0]) in accepted)
    return (RIGHT if value == 1 else WRONG if value == 0 else PARTLY), value


def plain(text: str) -> str:
    """Case, punctuation, articles and spaces set aside."""
    folded = unicodedata.normalize("NFKD", text).casefold()
    words = [w for w in re.findall(r"[^\W_]+|\+", folded) if w not in ("a", "an", "the")]
    return " ".join(words) or folded.strip()  # a text of nothing but articles and signs stays itself


def list_f_measure(gold: Sequence[str], said: Sequence[str]) -> float:
    """F-measure of a list answer; each gold entry may be met by any of its synonyms, and once."""
    entries = [{plain(s) for s in one.split(" | ")} for one in gold]
    unique = list(dict.fromkeys(plain(s) for s in said))
    hits = sum(any(s in entry for s in unique) for entry in entries)
    right = sum(any(s in entry for entry in entries) for s in unique)
    if not hits:
        return 0.0
    precision, recall = right / len(unique), hits / len(entries)
    return 2 * precision * recall / (precision + recall)


def rubric_share(rubric: Sequence[Criterion], met: Sequence[bool]) -> float | None:
    """Points of the criteria met over all points that can be won: below 0 where faults outweigh; None: nothing to win.

    Raises
    ------
    InputError: not one judgement a criterion.
    """
    if len(rubric) != len(met):
        raise InputError(f"{len(met)} judgements for {len(rubric)} criteria; give one each.")
    possible = sum(c.points for c in rubric if c.points > 0)
    won = sum(c.points for c, m in zip(rubric, met, strict=True) if m)
    return won / possible if possible else None


def rubric_score(rubric: Sequence[Criterion], met: Sequence[bool]) -> float:
    """``rubric_share`` cut to 0..1.

    Raises
    ------
    InputError: not one judgement a criterion, or no criterion worth points.
    """
    share = rubric_share(rubric, met)
    if share is None:
        raise InputError(f"none of {len(rubric)} criteria is worth points; a rubric needs at least one above 0.")
    return float(min(max(share, 0.0), 1.0))


def summarise(items: Sequence[Scored], *, seed: int) -> dict[str, Any]:
    """Figures per set, over all items, and the mean over sets (MIRAGE's figure).

    Raises
    ------
    InputError: no item.
    """
    if not items:
        raise InputError("no item was answered; there is nothing to summarise.")
    ordered = sorted(items, key=lambda s: s.index)
    names = dict.fromkeys(s.set for s in ordered)
    sets = {name: figures([s for s in ordered if s.set == name], seed=seed) for name in names}
    scored = [f["accuracy"] for f in sets.values() if f["accuracy"] is not None]
    return {
        "sets": sets,
        "all_items": figures(ordered, seed=seed),
        "mean_over_sets": sum(scored) / len(scored) if scored else None,
    }


def figures(items: Sequence[Scored], *, seed: int) -> dict[str, Any]:
    """Counts, accuracy (mean score) with its interval, calibration and support of one group of items.

    The interval is Wilson's where every score is 0 or 1 and no two items share a case, else a bootstrap over cases.
    """
    counts = {name: sum(s.outcome == name for s in items) for name in (RIGHT, WRONG, PARTLY, NO_ANSWER, NOT_SCORED)}
    scored = [s for s in items if s.score is not None]
    values = np.array([s.score for s in scored], np.float64)
    answered = [s.score for s in scored if s.outcome != NO_ANSWER]
    return {
        "n": len(items),
        **{name.replace(" ", "_"): count for name, count in counts.items()},
        "accuracy": float(values.mean()) if len(values) else None,
        "interval": list(accuracy_interval(scored, seed=seed)) if scored else None,
        "accuracy_of_answered": float(np.mean(answered)) if answered else None,
        "calibration": calibration(scored),
        "claims": sum(s.claims for s in items),
        "claims_supported": sum(s.supported for s in items),
        "citations": sum(s.cited for s in items),
    }


def accuracy_interval(items: Sequence[Scored], *, seed: int) -> Interval:
    """95 % interval of the mean score."""
    values = np.array([s.score for s in items], np.float64)
    cases = [s.case if s.case is not None else f"\0{s.key}" for s in items]
    if len(set(cases)) == len(items) and np.isin(values, (0.0, 1.0)).all():
        return wilson(int(values.sum()), len(values))
    return cluster_bootstrap(values, cases, seed=seed)


def cluster_bootstrap(values: np.ndarray, clusters: Sequence[str], *, seed: int) -> Interval:
    """95 % percentile interval of the mean of values (N,), whole clusters drawn with replacement.

    References
    ----------
    Field & Welsh, J R Stat Soc B 2007, 10.1111/j.1467-9868.2007.00593.x.
    """
    names, place = np.unique(np.asarray(clusters, dtype=str), return_inverse=True)
    sums, sizes = np.bincount(place, weights=values), np.bincount(place)
    drawn = np.random.default_rng(seed).integers(0, len(names), (REPEATS, len(names)))
    means = sums[drawn].sum(axis=1) / sizes[drawn].sum(axis=1)
    low, high = np.quantile(means, [0.025, 0.975])
    return float(low), float(high)


def calibration(items: Sequence[Scored]) -> dict[str, Any]:
    """Expected calibration error, Brier score, reliability bins, selective accuracy: of items with a confidence."""
    told = [s for s in items if s.confidence is not None]
    found: dict[str, Any] = {"n": len(told), "without_confidence": len(items) - len(told)}
    if not told:
        return found
    confidence = np.array([s.confidence for s in told], np.float64)
    score = np.array([s.score for s in told], np.float64)
    place = np.minimum((confidence * BINS).astype(int), BINS - 1)
    bins = [
        {"confidence": float(confidence[place == b].mean()), "accuracy": float(score[place == b].mean()),
         "n": int((place == b).sum())}
        for b in range(BINS) if (place == b).any()
    ]  # fmt: skip
    order = np.argsort(-confidence, kind="stable")
    return found | {
        "expected_calibration_error": float(
            sum(b["n"] * abs(b["confidence"] - b["accuracy"]) for b in bins) / len(told)
        ),
        "brier": float(np.mean((confidence - score) ** 2)),
        "bins": bins,
        "selective_accuracy": {
            f"{c:.0%}": float(score[order[: max(1, round(c * len(told)))]].mean()) for c in (*COVERAGES, 1.0)
        },
    }
