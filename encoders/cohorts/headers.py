"""Headers of delimited tables: columns that stand twice, rows longer than the header, another separator than said.

Pandas gives a second column of one name another name, and takes the first column for row names where rows have one cell
more than the header; both would pass unseen. What this module does not know: what a column means.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from encoders.cohorts.cohort import ImportNote
from encoders.errors import InputError

SEPARATORS = {"\t": "a tab", ";": "a semicolon", ",": "a comma", "|": "a bar"}


def separator_hint(columns: Sequence[object], separator: str) -> str:
    """A sentence when the names of the columns hold another separator; empty when they do not."""
    joined = "".join(map(str, columns))
    found = [word for mark, word in SEPARATORS.items() if mark != separator and mark in joined]
    if len(columns) > 2 or not found:
        return ""
    return f" The header holds {found[0]} and is cut at {SEPARATORS.get(separator, repr(separator))}: wrong separator?"


def checked_columns(
    frame: pd.DataFrame, names: Sequence[object], where: str, separator: str
) -> tuple[pd.DataFrame, list[ImportNote]]:
    """The frame under the names of its header; a column that stands twice with the same cells is read once, counted.

    names : the cells of the header as written, in the order of the frame's columns

    Raises
    ------
    InputError: rows with more cells than the header, or two columns of one name that differ.
    """
    if not isinstance(frame.index, pd.RangeIndex):
        raise InputError(
            f"{where}: its rows have more cells than its header ({len(names)} names, first row starts with "
            f"{str(frame.index[0])!r}); give every column a name.{separator_hint(names, separator)}"
        )
    written = pd.Index([str(name).strip() for name in names])
    again = written.duplicated()
    if not again.any():
        return frame.set_axis(list(written), axis=1), []
    for place in np.flatnonzero(again):
        first = int(np.flatnonzero(written == written[place])[0])
        a, b = frame.iloc[:, first], frame.iloc[:, int(place)]
        differ = ~((a == b) | (a.isna() & b.isna()))
        if differ.any():
            row = int(np.flatnonzero(differ.to_numpy())[0])
            raise InputError(
                f"{where}: column {written[place]!r} stands twice and row {row + 1} holds {a.iloc[row]} and "
                f"{b.iloc[row]} ({int(differ.sum())} rows differ); one column a name is allowed. Rename or remove one."
            )
    kept = frame.loc[:, ~again].set_axis(list(written[~again]), axis=1)
    what = "columns stand twice with the same cells and were read once"
    return kept, [ImportNote("reduced", where, what, int(again.sum()), tuple(written[again]))]
