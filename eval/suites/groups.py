"""Gaps between subgroups of items: by set, specialty, sex, age band, or whatever attribute the items carry.

Sex and age are taken from an item's own fields, else from the question where it states one person ("a 45-year-old
woman"); a question that states two is in no group. A gap is between the best and the worst group of at least LEAST
items, with a bootstrap interval over cases. That pair was chosen because it lies furthest apart, so with many small
groups a gap of chance is expected: read it with the sizes.

Not known here: why a group does worse (other questions, or another treatment of the same ones).
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from eval.suites.item import Item
from eval.suites.score import REPEATS, Scored, accuracy_interval

LEAST = 10
"""Fewest scored items of a group whose figure is shown."""

_PERSON = re.compile(
    r"(?i)\b(\d{1,3})[- ]years?[- ]old\s+(?:[a-z-]+\s+){0,3}?(man|woman|male|female|boy|girl|gentleman|lady)\b"
)
_SEX = {"man": "male", "male": "male", "boy": "male", "gentleman": "male"}
BANDS = ((18, "under 18"), (40, "18 to 39"), (65, "40 to 64"))


def age_band(age_years: float) -> str:
    """ "under 18", "18 to 39", "40 to 64" or "65 and over"."""
    return next((name for below, name in BANDS if age_years < below), "65 and over")


def groups_of(item: Item) -> dict[str, str]:
    """Attribute -> value of one item; what the file says goes before what the question states."""
    return {**stated_person(item.question), **item.groups}


def stated_person(question: str) -> dict[str, str]:
    """Sex and age band of the one person a question states; {} where it states none or several."""
    if "old" not in question:
        return {}
    found = {(int(age), word.lower()) for age, word in _PERSON.findall(question)}
    if len(found) != 1:
        return {}
    age, word = found.pop()
    return {"sex": _SEX.get(word, "female"), "age": age_band(age)}


def group_figures(items: Sequence[Scored], *, seed: int) -> dict[str, Any]:
    """Attribute -> its groups (n, accuracy, interval), how many items carry it, and the largest gap.

    Attributes with fewer than two groups of LEAST scored items have no gap (None); groups below LEAST are counted.
    """
    scored = [s for s in items if s.score is not None]
    attributes = dict.fromkeys(a for s in scored for a in s.groups)
    by_attribute = {a: [(s.groups[a], s) for s in scored if a in s.groups] for a in attributes}
    sets = [(s.set, s) for s in scored]
    if len({name for name, _ in sets}) > 1:
        by_attribute = {"set": sets, **by_attribute}
    return {a: _one_attribute(pairs, len(scored), seed) for a, pairs in by_attribute.items()}


def _one_attribute(pairs: Sequence[tuple[str, Scored]], scored: int, seed: int) -> dict[str, Any]:
    members: dict[str, list[Scored]] = {}
    for name, one in pairs:
        members.setdefault(name, []).append(one)
    large = {name: found for name, found in sorted(members.items()) if len(found) >= LEAST}
    groups = {
        name: {"n": len(found), "accuracy": _mean(found), "interval": list(accuracy_interval(found, seed=seed))}
        for name, found in large.items()
    }
    return {
        "carried_by": len(pairs),
        "of": scored,
        "groups_too_small": len(members) - len(large),
        "groups": groups,
        "gap": _gap(large, seed) if len(large) > 1 else None,
    }


def _mean(items: Sequence[Scored]) -> float:
    return float(np.mean([s.score for s in items]))


def _gap(groups: Mapping[str, Sequence[Scored]], seed: int) -> dict[str, Any]:
    best, worst = max(groups, key=lambda n: _mean(groups[n])), min(groups, key=lambda n: _mean(groups[n]))
    low, high = _difference_interval(groups[best], groups[worst], seed)
    return {
        "best": best, "worst": worst, "difference": _mean(groups[best]) - _mean(groups[worst]), "interval": [low, high],
    }  # fmt: skip


def _difference_interval(first: Sequence[Scored], second: Sequence[Scored], seed: int) -> tuple[float, float]:
    """95 % percentile interval of the difference of means; cases drawn whole, over both groups together."""
    both = [*first, *second]
    case = np.array([s.case if s.case is not None else f"\0{s.key}" for s in both])
    names, place = np.unique(case, return_inverse=True)
    value = np.array([s.score for s in both], np.float64)
    sums, sizes = [], []
    for inside in (np.arange(len(both)) < len(first), np.arange(len(both)) >= len(first)):
        sums.append(np.bincount(place, weights=value * inside, minlength=len(names)))
        sizes.append(np.bincount(place, weights=inside.astype(float), minlength=len(names)))
    generator = np.random.default_rng(seed)
    differences = []
    for _ in range(REPEATS):
        drawn = generator.integers(0, len(names), len(names))
        counted = [size[drawn].sum() for size in sizes]
        if min(counted) > 0:  # a draw that misses a group has no difference
            differences.append(sums[0][drawn].sum() / counted[0] - sums[1][drawn].sum() / counted[1])
    low, high = np.quantile(differences, [0.025, 0.975])
    return float(low), float(high)
