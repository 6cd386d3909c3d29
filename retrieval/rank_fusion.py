"""Reciprocal rank fusion: several rankings of the same ids -> one.

What this module does not know: scores, texts, filters; an id a ranking does not hold adds nothing from it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

RANK_CONSTANT = 60
"""The k of the paper, fixed there before any tuning."""


@dataclass(frozen=True)
class Fused:
    """One id with its fused score (higher = better) and its rank (1 = best) in each ranking that holds it."""

    id: str
    score: float
    ranks: Mapping[str, int]


def reciprocal_rank_fusion(rankings: Mapping[str, Sequence[str]], *, k: int = RANK_CONSTANT) -> tuple[Fused, ...]:
    """Order ids by the sum over rankings of 1 / (k + rank), rank counted from 1.

    Parameters
    ----------
    rankings : ranking name -> ids, best first, each id once
    k : > 0; the larger, the less the first places count

    Returns
    -------
    Every id of any ranking, best first; equal scores are ordered by id, so the result is deterministic.

    Raises
    ------
    ValueError: k is not positive, or a ranking holds an id twice.

    References
    ----------
    Cormack, Clarke & Buettcher, SIGIR 2009, DOI 10.1145/1571941.1572114.
    """
    if k <= 0:
        raise ValueError(f"k is {k}; reciprocal rank fusion needs k above 0.")
    ranks: dict[str, dict[str, int]] = {}
    for name, ids in rankings.items():
        if len(set(ids)) != len(ids):
            raise ValueError(f"ranking {name!r} holds an id twice; remove doubles before fusing.")
        for place, item in enumerate(ids, start=1):
            ranks.setdefault(item, {})[name] = place
    fused = [Fused(item, sum(1 / (k + r) for r in places.values()), places) for item, places in ranks.items()]
    return tuple(sorted(fused, key=lambda f: (-f.score, f.id)))
