"""Rubric answers as judged: score, figures a tag, errors by severity. Who judges: judge.py.

An item with a criterion whose judgement could not be read is not scored: neither met nor missed is guessed. The item's
score is cut to 0..1 (score.rubric_score); ``healthbench_score`` is the published figure, the mean of the uncut shares,
itself cut to 0..1, and so are the figures a tag. A tag's share of an item is over its criteria with that tag.

References
----------
Arora et al., 2025, arXiv 2505.08775 (HealthBench).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from eval.suites.item import Criterion
from eval.suites.score import NOT_SCORED, PARTLY, RIGHT, WRONG, cluster_bootstrap, rubric_score, rubric_share
from eval.suites.severity import Severity, SeverityScale


@dataclass(frozen=True)
class Judged:
    """One rubric answer. met : one entry a criterion; None = the judge's answer could not be read."""

    rubric: tuple[Criterion, ...]
    met: tuple[bool | None, ...]

    @property
    def unread(self) -> int:
        """Criteria without a judgement."""
        return sum(m is None for m in self.met)

    def outcome(self) -> tuple[str, float | None]:
        """(outcome, score 0..1); not scored where a criterion has no judgement."""
        if self.unread:
            return NOT_SCORED, None
        value = rubric_score(self.rubric, [bool(m) for m in self.met])
        return (RIGHT if value == 1 else WRONG if value == 0 else PARTLY), value

    def share(self, tag: str | None = None) -> float | None:
        """Uncut share of the points, of the criteria with ``tag``; None where unread, or nothing can be won."""
        if self.unread:
            return None
        chosen = [(c, bool(m)) for c, m in zip(self.rubric, self.met, strict=True) if tag is None or tag in c.tags]
        return rubric_share([c for c, _ in chosen], [m for _, m in chosen])

    def errors(self, scale: SeverityScale) -> list[Severity]:
        """Faults met and criteria missed; of an item that is not scored, those that were read."""
        return [
            scale.of_criterion(c.points)
            for c, met in zip(self.rubric, self.met, strict=True)
            if met is not None and met == (c.points < 0) and c.points
        ]


def read_judged(line: Mapping[str, Any]) -> Judged:
    """A line of judgements.jsonl."""
    found = line["criteria"]
    return Judged(
        tuple(Criterion("", float(c["points"]), tuple(c["tags"])) for c in found), tuple(c["met"] for c in found)
    )


def rubric_figures(judged: Sequence[Judged], scale: SeverityScale, *, seed: int) -> dict[str, Any]:
    """Published score with its interval, figures a tag, criteria without a judgement, errors by severity."""
    whole = [share for j in judged if (share := j.share()) is not None]
    tags = sorted({tag for j in judged for c in j.rubric for tag in c.tags})
    by_tag = {tag: [share for j in judged if (share := j.share(tag)) is not None] for tag in tags}
    return {
        "judged": len(judged),
        "criteria": sum(len(j.met) for j in judged),
        "criteria_unread": sum(j.unread for j in judged),
        "items_not_scored": sum(j.unread > 0 for j in judged),
        "healthbench_score": _clipped(whole, seed),
        "tags": {tag: _clipped(shares, seed) for tag, shares in by_tag.items()},
        **scale.weighed(error for j in judged for error in j.errors(scale)),
    }


def _clipped(shares: Sequence[float], seed: int) -> dict[str, Any]:
    if not shares:
        return {"mean": None, "interval": None, "n": 0}
    values = np.array(shares, np.float64)
    found = (float(values.mean()), *cluster_bootstrap(values, [str(i) for i in range(len(values))], seed=seed))
    mean, low, high = np.clip(found, 0.0, 1.0)
    return {"mean": float(mean), "interval": [float(low), float(high)], "n": len(values)}
