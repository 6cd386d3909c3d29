"""Copy-number segments (SEG, GDC): start, end and level must be numbers; rows are kept as read.

What this module does not know: gene coordinates, so segments are not turned into genes; ploidy, purity.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from encoders.errors import InputError

_NUMBERS = ("loc.start", "loc.end", "seg.mean", "Start", "End", "Segment_Mean", "Copy_Number")
"""Columns of numbers as cBioPortal (dotted) and the GDC write them."""


def check_segments(table: pd.DataFrame, where: str) -> None:
    """Refuse segments whose positions or levels are no numbers, or that end before they start.

    Raises
    ------
    InputError: no column of positions and level, text in one, a segment that ends before its start.
    """
    there = [c for c in _NUMBERS if c in table.columns]
    if len(there) < 3:
        found = ", ".join(map(str, table.columns[:6]))
        raise InputError(
            f"{where}: no segments; columns loc.start, loc.end, seg.mean (SEG) or Start, End, Segment_Mean (GDC) are "
            f"needed; found {found}."
        )
    numbers = {}
    for column in there:
        values = pd.to_numeric(table[column], errors="coerce").to_numpy(dtype=np.float64)
        bad = ~np.isfinite(values)
        if bad.any():
            row = int(np.flatnonzero(bad)[0])
            raise InputError(
                f"{where}: segment {row + 1}, column {column} holds {table[column].iloc[row]!r}; a number is needed "
                f"({int(bad.sum())} segments). Correct or remove them."
            )
        numbers[column] = values
    back = numbers[there[1]] < numbers[there[0]]
    if back.any():
        row = int(np.flatnonzero(back)[0])
        raise InputError(
            f"{where}: segment {row + 1} ends at {numbers[there[1]][row]:g}, before its start "
            f"{numbers[there[0]][row]:g} ({int(back.sum())} segments); exchange the columns."
        )
