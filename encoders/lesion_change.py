"""The change of one lesion's diameter between two studies.

What this module does not know or check: whether two sizes are of the same lesion (encoders/follow_up.py), RECIST's
choice and sum of target lesions.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum

from encoders.errors import InputError


class LesionTrend(StrEnum):
    """What became of one lesion; named unlike RECIST's response, which is of the sum of all target lesions."""

    DISAPPEARED = "disappeared"
    SHRUNK = "shrunk"
    STABLE = "stable"
    GROWN = "grown"


SHRUNK_BY = 0.30
"""Least relative decrease from the reference to count as shrunk (RECIST 1.1, partial response)."""
GROWN_BY = 0.20
"""Least relative increase over the smallest earlier size to count as grown (RECIST 1.1, progression)."""
GROWN_BY_MM = 5.0
"""Least absolute increase that goes with it, mm."""
ROUNDING_MM = 1e-6
"""Sizes this near a threshold have reached it."""


@dataclass(frozen=True)
class LesionChange:
    """Change of the diameter of ONE lesion, by the thresholds RECIST 1.1 puts on the sum of diameters of all targets.

    percent : of ``before_mm``; negative = smaller
    percent_of_smallest : of the smallest earlier size, which growth is judged by
    """

    before_mm: float
    now_mm: float
    change_mm: float
    percent: float
    percent_of_smallest: float
    trend: LesionTrend

    def __str__(self) -> str:
        return (
            f"{self.before_mm:.0f} mm to {self.now_mm:.0f} mm ({self.percent:+.0f} %): {self.trend.value}; of this one "
            "lesion, not a response by the sum of diameters"
        )


def lesion_change(before_mm: float, now_mm: float, *, smallest_mm: float | None = None) -> LesionChange:
    """Change of one lesion's diameter from a reference study to now.

    Parameters
    ----------
    before_mm : diameter in the reference study (baseline, or the prior study where there is no other), above 0
    now_mm : the same diameter now; 0 = the lesion is no longer seen
    smallest_mm : smallest diameter of any study so far (nadir); None = ``before_mm``

    Raises
    ------
    InputError: a size that is not finite, ``before_mm`` or ``smallest_mm`` not above 0, ``smallest_mm`` above
    ``before_mm``.

    Notes
    -----
    Grown is judged first: a lesion 30 % below its baseline that has grown by 20 % and 5 mm from its nadir has grown.
    Not checked: that both are the same lesion, of the same kind of diameter, on like slices; new lesions. A node below
    10 mm short axis counts as normal in RECIST; here it has only shrunk.

    References
    ----------
    Eisenhauer et al., Eur J Cancer 2009, 10.1016/j.ejca.2008.10.026.
    """
    smallest = before_mm if smallest_mm is None else smallest_mm
    if not all(math.isfinite(size) for size in (before_mm, now_mm, smallest)):
        raise InputError(f"sizes {before_mm}, {now_mm}, {smallest} mm; each must be a finite number.")
    if before_mm <= 0 or smallest <= 0 or now_mm < 0:
        raise InputError(
            f"before {before_mm} mm, smallest {smallest} mm, now {now_mm} mm; the first two must be above 0, the last "
            "0 or more."
        )
    if smallest > before_mm + ROUNDING_MM:
        raise InputError(f"smallest_mm = {smallest} is above before_mm = {before_mm}; the nadir is the least of all.")
    growth = now_mm - smallest
    if now_mm == 0:
        trend = LesionTrend.DISAPPEARED
    elif growth >= GROWN_BY * smallest - ROUNDING_MM and growth >= GROWN_BY_MM - ROUNDING_MM:
        trend = LesionTrend.GROWN
    elif before_mm - now_mm >= SHRUNK_BY * before_mm - ROUNDING_MM:
        trend = LesionTrend.SHRUNK
    else:
        trend = LesionTrend.STABLE
    change = now_mm - before_mm
    return LesionChange(before_mm, now_mm, change, 100 * change / before_mm, 100 * growth / smallest, trend)
