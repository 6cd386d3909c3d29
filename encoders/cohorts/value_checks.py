"""Are the numbers of a block what its kind and unit say? Impossible values stop the import, doubtful ones are counted.

Stops: negative TPM, FPKM, CPM or counts; beta values outside 0..1; mutation flags other than 0 and 1; discrete copy
number outside -2..2. Counted: features with one value only, patients without any value, features without any value
(left out). What this module does not know: whether a value is right for its patient.
"""

from __future__ import annotations

import re

import numpy as np
import pandas as pd

from encoders.cohorts.cohort import BlockKind, ImportNote
from encoders.errors import InputError

LINEAR_UNITS = frozenset(("TPM", "FPKM", "FPKM-UQ", "CPM", "RPKM", "RPM", "RSEM", "counts"))
"""Units of amounts: never negative, and two rows of one gene may be added."""

BETA = "beta value"
DISCRETE_COPY_NUMBER = (-2, -1.5, -1, 0, 1, 2)
"""GISTIC levels as cBioPortal allows them."""


_DECIMAL_COMMA = re.compile(r"[-+]?\d+,\d+")


def number_hint(cell: str) -> str:
    """What to do about a cell that is nearly a number ("61,5", "35%"); empty where nothing is known."""
    text = cell.strip()
    if _DECIMAL_COMMA.fullmatch(text):
        return '; it looks like a decimal comma: write a point (a mapping can say decimal = ",")'
    if text.endswith("%"):
        return "; it is a percentage: write the number alone, and say the unit"
    return ""


def check_block(name: str, kind: BlockKind, unit: str, frame: pd.DataFrame) -> tuple[pd.DataFrame, list[ImportNote]]:
    """The block without features and patients that hold no value, and what to say of it.

    frame : patients x features, float32, NaN = missing

    Raises
    ------
    InputError: a value that cannot be (module docstring), or a block without any value.
    """
    values = frame.to_numpy()
    measured = ~np.isnan(values)
    if not measured.any():
        raise InputError(
            f"block {name}: no value in {values.shape[0]} patients and {values.shape[1]} features; at least one is "
            "needed. Complete the table, or leave it out."
        )
    _check_range(name, kind, unit, frame, values)
    notes = []
    empty = ~measured.any(axis=0)
    if empty.any():
        what = "features have no value in any patient and were left out"
        notes.append(ImportNote("skipped", f"block {name}", what, int(empty.sum()), tuple(frame.columns[empty])))
    without = ~measured.any(axis=1)
    if without.any():
        what = "patients have no value at all and count as not measured"
        notes.append(ImportNote("skipped", f"block {name}", what, int(without.sum()), tuple(frame.index[without])))
    kept = frame.loc[~without, ~empty]
    inside = kept.to_numpy()
    constant = np.nanmin(inside, axis=0) == np.nanmax(inside, axis=0)
    if constant.any() and len(kept) > 1:
        what = "features have the same value in every patient; kept, a model cannot learn from them"
        notes.append(ImportNote("warning", f"block {name}", what, int(constant.sum()), tuple(kept.columns[constant])))
    return kept, notes


def _check_range(name: str, kind: BlockKind, unit: str, frame: pd.DataFrame, values: np.ndarray) -> None:
    if kind in (BlockKind.EXPRESSION, BlockKind.MIRNA) and unit in LINEAR_UNITS:
        _refuse(name, frame, values < 0, f"{unit} cannot be negative; say the unit it really has (log2, z-score)")
    elif kind is BlockKind.METHYLATION and unit == BETA:
        _refuse(name, frame, (values < 0) | (values > 1), "a beta value lies in 0..1; M values need another unit")
    elif kind in (BlockKind.MUTATIONS, BlockKind.FUSIONS):
        _refuse(name, frame, ~np.isnan(values) & ~np.isin(values, (0, 1)), "a flag of this kind is 0 or 1")
    elif kind is BlockKind.COPY_NUMBER:
        allowed = ~np.isnan(values) & ~np.isin(values, DISCRETE_COPY_NUMBER)
        _refuse(name, frame, allowed, "discrete copy number is -2 -1 0 1 2; log2 ratios are kind copy_number_log2")


def _refuse(name: str, frame: pd.DataFrame, bad: np.ndarray, rule: str) -> None:
    if not bad.any():
        return
    row, column = (int(i[0]) for i in np.nonzero(bad))
    raise InputError(
        f"block {name}: patient {frame.index[row]}, feature {frame.columns[column]} is {frame.iat[row, column]:g}; "
        f"{rule}. "
        f"{int(bad.sum())} cells in {int(bad.any(axis=0).sum())} features break the rule."
    )
