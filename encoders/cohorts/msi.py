"""Microsatellite status from a clinical column that says it: words, or the score of a named tool. Never from genes.

What this module does not know: PCR or immunohistochemistry results; a score of an unnamed tool is not read.

References
----------
Niu B. et al., Bioinformatics 2014;30:1015 (MSIsensor: 3.5 % of sites), DOI 10.1093/bioinformatics/btt755.
Kautto E.A. et al., Oncotarget 2017;8:7452 (MANTIS: 0.4), DOI 10.18632/oncotarget.13918.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from encoders.cohorts.assemble import CohortParts
from encoders.cohorts.cohort import ColumnSpec, ColumnType, ImportNote
from encoders.errors import InputError

THRESHOLDS = {"MSIsensor": 3.5, "MANTIS": 0.4}
"""Tool -> score from which on a tumour is MSI-H (>=)."""

WORDS = {
    **dict.fromkeys(("msi-h", "msi-high", "msih", "msi high", "instable", "unstable"), "MSI-H"),
    **dict.fromkeys(("mss", "stable", "microsatellite stable"), "MSS"),
    **dict.fromkeys(("msi-l", "msi-low", "msil", "msi low"), "MSI-L"),
}
"""Words of clinical tables (lower case) -> status; anything else counts as not known."""

UNKNOWN_WORDS = frozenset(("indeterminate", "not evaluated", "do not report", "unknown", "na", "n/a", ""))
STATUS = "msi_status"


def msi_status(cells: pd.Series, tool: str, where: str) -> pd.Series:
    """MSI-H, MSI-L or MSS (None = not known) for each cell of a column.

    Raises
    ------
    InputError: a tool that has no known threshold, a word or score that is none.
    """
    if tool == "words":
        lower = cells.astype("string").str.strip().str.lower()
        bad = lower.notna() & ~lower.isin([*WORDS, *UNKNOWN_WORDS])
        if bad.any():
            raise InputError(
                f"{where}: {str(cells[bad].iloc[0])!r} is no MSI status ({int(bad.sum())} such); known are MSI-H, "
                "MSI-L, MSS, stable, instable. For a score name its tool (MSIsensor, MANTIS)."
            )
        return lower.map(WORDS).astype(object).where(lower.isin(list(WORDS)), None)
    if tool not in THRESHOLDS:
        raise InputError(f"{where}: MSI tool {tool!r} is not known; allowed: words, {', '.join(THRESHOLDS)}.")
    score = pd.to_numeric(cells, errors="coerce")
    bad = cells.notna() & (score.isna() | (score < 0))
    if bad.any():
        raise InputError(f"{where}: {str(cells[bad].iloc[0])!r} is no {tool} score ({int(bad.sum())} such cells).")
    status = pd.Series(np.where(score >= THRESHOLDS[tool], "MSI-H", "MSS"), index=cells.index, dtype=object)
    return status.where(score.notna(), None)


def add_msi(parts: CohortParts, column: str, tool: str) -> None:
    """Add the clinical column msi_status made from another clinical column of the parts.

    Raises
    ------
    InputError: no such clinical column; see ``msi_status``.
    """
    frame = next((f for f in parts.clinical if column in f.columns), None)
    if frame is None:
        raise InputError(
            f"MSI column {column!r} is not among the clinical columns ({', '.join(list(parts.columns)[:8])} ...)."
        )
    status = msi_status(frame[column], tool, f"clinical column {column}")
    if STATUS in parts.columns:
        raise InputError(f"the clinical table already has a column {STATUS}; rename it in the mapping.")
    parts.clinical.append(status.rename(STATUS).to_frame())
    how = f"{column} (words)" if tool == "words" else f"{column}: {tool} score >= {THRESHOLDS[tool]:g} is MSI-H"
    parts.columns[STATUS] = ColumnSpec(ColumnType.CATEGORY, None, how)
    parts.notes.append(
        ImportNote("defaulted", STATUS, f"patients have a status made from {how}", int(status.notna().sum()))
    )
