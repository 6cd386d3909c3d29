"""Cells of one raw table as text or numbers; a cell that is not allowed is refused with its place.

What this module does not know: what a column means.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from encoders.cohorts.mapping import DEFAULT_MISSING, TableMap
from encoders.cohorts.raw_table import RawTable
from encoders.cohorts.value_checks import number_hint
from encoders.errors import InputError


def _missing(table: TableMap) -> set[str]:
    return {*DEFAULT_MISSING, *table.missing}


def text_cells(raw: RawTable, column: str, table: TableMap) -> pd.Series:
    """A column as stripped text, NaN where missing."""
    cells = raw.frame[column].astype(str).str.strip()
    return cells.mask(cells.isin(_missing(table)) | raw.frame[column].isna())


def refuse_cells(raw: RawTable, column: str, cells: pd.Series, bad: pd.Series, allowed: str) -> None:
    """Raise InputError with the place and text of the first cell that is ``bad``, where there is one."""
    if bad.any():
        row = int(np.flatnonzero(bad.to_numpy())[0])
        raise InputError(
            f"{raw.where}: {raw.place(row)}, column {column!r} holds {cells.iloc[row]!r}; {allowed} "
            f"({int(bad.sum())} of {len(bad)} cells are not)."
        )


def number_cells(raw: RawTable, column: str, cells: pd.Series) -> np.ndarray:
    """Cells as float64, NaN where missing.

    Raises
    ------
    InputError: text, or an infinite number.
    """
    text = cells.str.replace(",", ".") if raw.decimal == "," and cells.dtype.kind not in "fiub" else cells
    values = pd.to_numeric(text, errors="coerce").to_numpy(dtype=np.float64, na_value=np.nan)
    bad = pd.Series(cells.notna().to_numpy() & ~np.isfinite(values))
    hint = number_hint(str(cells[bad.to_numpy()].iloc[0])) if bad.any() else ""
    rule = f"a finite number is needed; words that mean missing go into missing = [...]{hint}"
    refuse_cells(raw, column, cells, bad, rule)
    return values
