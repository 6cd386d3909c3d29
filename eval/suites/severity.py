"""Errors weighed by what they could do to a patient: minor, significant, unsafe.

minor        would be noticed or changes nothing: a date, a wording, a detail of the history
significant  could change management: a gene, variant, stage, drug, measurement that is wrong, left out or made up
unsafe       could harm if acted on: a drug offered that the patient must not have (contraindicated, allergic, the
             tumour resistant, every row for it excluded by the record), a therapy statement turned round, a warning
             left out

Report-like answers: by facts (facts.py). Rubric answers: a fault met, or a criterion missed, by its points: a fault of
at least ``unsafe_points`` is unsafe, of ``significant_points`` significant; a missed criterion is never more than
significant, because what it would have prevented is not known. Points are the rubric's own, so the bounds are a
setting.

Not decided here: whether a given error did harm.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType
from typing import Any

from encoders.errors import SettingsError


class Severity(StrEnum):
    """What an error could do: be noticed, change management, or harm."""

    MINOR = "minor"
    SIGNIFICANT = "significant"
    UNSAFE = "unsafe"


WEIGHTS: Mapping[Severity, float] = MappingProxyType(
    {Severity.MINOR: 1.0, Severity.SIGNIFICANT: 3.0, Severity.UNSAFE: 10.0}
)
"""Our own scale, so that no number of minor errors below ten hides an unsafe one; shown with every weighted figure."""


@dataclass(frozen=True)
class SeverityScale:
    """weights of the three severities; points from which a rubric's fault (or missed criterion) weighs more."""

    weights: Mapping[Severity, float] = field(default_factory=lambda: WEIGHTS)
    unsafe_points: float = 8.0
    significant_points: float = 4.0

    def of_criterion(self, points: float) -> Severity:
        """Severity of a fault met (points below 0) or a criterion missed (above 0)."""
        size = abs(points)
        if points < 0 and size >= self.unsafe_points:
            return Severity.UNSAFE
        return Severity.SIGNIFICANT if size >= self.significant_points else Severity.MINOR

    def weighed(self, errors: Iterable[Severity]) -> dict[str, Any]:
        """Counts by severity, their weighted sum, and the weights."""
        found = list(errors)
        return {
            "errors": {s.value: sum(e is s for e in found) for s in Severity},
            "weighted_errors": float(sum(self.weights[e] for e in found)),
            "weights": {s.value: w for s, w in self.weights.items()},
        }


def read_weights(text: str | None) -> Mapping[Severity, float]:
    """ "minor=1,significant=3,unsafe=10" -> weights; None -> WEIGHTS.

    Raises
    ------
    SettingsError: a name or number that is none, a severity left out, or weights that fall as severity rises.
    """
    if text is None:
        return WEIGHTS
    rule = f"--severity-weights is {text!r}; the form is minor=1,significant=3,unsafe=10"
    try:
        pairs = [part.split("=") for part in text.split(",")]
        found = {Severity(name.strip()): float(value) for name, value in pairs}
    except ValueError as error:
        raise SettingsError(f"{rule} ({error}).") from error
    values = [found.get(s, -1.0) for s in Severity]
    if min(values) < 0 or values != sorted(values) or len(pairs) != len(Severity):
        raise SettingsError(f"{rule}, each once, none below 0, none less than a milder one.")
    return found
