"""Tables with genes in rows and samples in columns: text made numbers, repeated genes reduced by a stated rule.

What this module does not know: what is measured; gene aliases (assemble.py).
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from encoders.cohorts.assemble import CohortParts
from encoders.cohorts.headers import checked_columns
from encoders.cohorts.mapping import DEFAULT_MISSING
from encoders.cohorts.value_checks import LINEAR_UNITS, number_hint
from encoders.errors import InputError
from encoders.gene_symbols import is_date


def read_text_table(
    path: Path, parts: CohortParts | None = None, *, numbers_but: frozenset[str] | None = None
) -> pd.DataFrame:
    """A tab-separated table as text cells; leading # lines (versions, clinical descriptions) are skipped, gz is read.

    parts : where columns that stand twice with the same cells are counted
    numbers_but : where given, every other column becomes numbers if all its cells are (large tables read faster so)

    Raises
    ------
    InputError: not readable as such a table, or two columns of one name that differ.
    """
    try:
        with pd.io.common.get_handle(path, "r", encoding="utf-8-sig", compression="infer") as handles:
            skip = 0
            for line in handles.handle:
                if not line.startswith("#"):
                    break
                skip += 1
        options = {"sep": "\t", "keep_default_na": False, "skiprows": skip, "encoding": "utf-8-sig", "quoting": 3}
        names = pd.read_csv(path, dtype=str, header=None, nrows=1, **options).iloc[0].tolist()
        if numbers_but is None:
            frame = pd.read_csv(path, dtype=str, **options)
        else:
            header = pd.read_csv(path, dtype=str, nrows=0, **options).columns
            text = {c: str for c in header if c in numbers_but}
            missing = {c: list(DEFAULT_MISSING) for c in header if c not in numbers_but}
            frame = pd.read_csv(path, dtype=text, na_values=missing, low_memory=False, **options)
    except (ValueError, OSError, EOFError) as error:
        raise InputError(
            f"{path.name}: cannot be read as a tab-separated table: {error}. Export it again, as UTF-8 text."
        ) from error
    frame, notes = checked_columns(frame, names, path.name, "\t")
    if parts is not None:
        parts.notes += notes
    return frame


def numbers_of_genes(
    table: pd.DataFrame, gene_in: str, samples: Sequence[str], unit: str, where: str, parts: CohortParts
) -> pd.DataFrame:
    """(genes, samples) float32; rows without a gene are left out, a gene's further rows added (amounts) or left out.

    Raises
    ------
    InputError: text where a number is needed, or an infinite value (gene, sample and cell named).
    """
    genes = table[gene_in].str.strip()
    named = ~genes.isin(DEFAULT_MISSING)
    parts.note("skipped", where, "rows name no gene", [str(i + 1) for i in np.flatnonzero(~named)])
    values = np.empty((int(named.sum()), len(samples)), dtype=np.float32)
    for i, sample in enumerate(samples):
        values[:, i] = _finite(table.loc[named, sample], genes[named], f"{where}: ", sample)
    return unrepeated(pd.DataFrame(values, index=genes[named], columns=list(samples)), unit, where, parts)


def _finite(cells: pd.Series, genes: pd.Series, where: str, sample: str) -> np.ndarray:
    """One sample's cells as numbers; NaN where missing."""
    if cells.dtype.kind in "fiu":
        values = cells.to_numpy(dtype=np.float64)
        bad = np.isinf(values)
    else:
        text = cells.astype(object).where(cells.notna(), "").astype(str).str.strip()
        values = pd.to_numeric(text, errors="coerce").to_numpy(dtype=np.float64)
        bad = ~np.isfinite(values) & ~text.isin(DEFAULT_MISSING).to_numpy()
    if bad.any():
        row = int(np.flatnonzero(bad)[0])
        raise InputError(
            f"{where}gene {genes.iloc[row]}, sample {sample} holds {str(cells.iloc[row])!r}; a finite number or NA is "
            f"needed{number_hint(str(cells.iloc[row]))} ({int(bad.sum())} of the sample's {bad.size} cells are not)."
        )
    return values


def unrepeated(frame: pd.DataFrame, unit: str, where: str, parts: CohortParts) -> pd.DataFrame:
    """One row a gene (index): amounts are added, of anything else the first row is kept; counted.

    Rows of one name that a spreadsheet made a date of may be different genes, and are all left out.
    """
    dates = frame.index.duplicated(keep=False) & np.array([is_date(str(g)) for g in frame.index], dtype=bool)
    what = "rows have a repeated name that a spreadsheet made a date of; they may be several genes and were left out"
    parts.note("skipped", where, what, frame.index[dates].tolist())
    frame = frame[~dates]
    twice = frame.index.duplicated()
    if not twice.any():
        return frame
    how = "added" if unit in LINEAR_UNITS else "left out (the first row was kept)"
    parts.note("reduced", where, f"rows repeat a gene and were {how}", frame.index[twice].tolist())
    if unit in LINEAR_UNITS:
        return frame.groupby(level=0, sort=False).sum(min_count=1)
    return frame[~twice]
