"""One table of a cohort as read: text cells (or numbers, from binary files), patients in rows, before any meaning.

Reads delimited text (zip or gz too), NumPy .npz (arrays: an id array and one matrix), HDF5 with one group a part, h5ad.
What this module does not know: what a column means (mapped_table.py).
"""

from __future__ import annotations

import csv
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import h5py
import numpy as np
import pandas as pd

from encoders.cohorts.cohort import ImportNote
from encoders.cohorts.h5ad import read_h5ad
from encoders.cohorts.headers import checked_columns, separator_hint
from encoders.cohorts.mapping import TableMap
from encoders.errors import InputError


@dataclass(frozen=True)
class RawTable:
    """where : the file's name in messages; first_row : line of the file's first row (1-based), None in binary files;
    origin : place of each row in the file (0-based) where rows were left out, else None; decimal : mark of text cells;
    notes : what reading already reduced.
    """

    frame: pd.DataFrame
    where: str
    first_row: int | None
    origin: tuple[int, ...] | None = None
    decimal: str = "."
    notes: tuple[ImportNote, ...] = ()

    def place(self, row: int) -> str:
        """Where a row stands, for messages."""
        read = row if self.origin is None else self.origin[row]
        return f"line {self.first_row + read}" if self.first_row is not None else f"row {read + 1}"


def read_raw(folder: Path, table: TableMap, text_columns: set[str]) -> RawTable | None:
    """Read the files of one table; None when it is optional and not there.

    text_columns : columns kept as text exactly as written (ids, codes); the others become numbers where all cells are.

    Raises
    ------
    InputError: a file is not there or cannot be read as its format.
    """
    paths = [folder / name for name in table.files]
    gone = [p for p in paths if not p.is_file()]
    if gone:
        if table.optional:
            return None
        raise InputError(
            f"{gone[0].relative_to(folder)} is not in {folder.name}; the mapping reads it. Give its folder, "
            "or set optional = true for that table."
        )
    raws = [_read_one(p, folder, table, text_columns) for p in paths]
    if len(raws) == 1:
        return raws[0]
    frame = pd.concat([raw.frame for raw in raws], ignore_index=True)
    notes = tuple(note for raw in raws for note in raw.notes)
    return RawTable(frame, " + ".join(raw.where for raw in raws), None, decimal=table.decimal, notes=notes)


def _read_one(path: Path, folder: Path, table: TableMap, text_columns: set[str]) -> RawTable:
    where = str(path.relative_to(folder))
    kind = table.format or {".npz": "npz", ".h5": "hdf5", ".hdf5": "hdf5", ".h5ad": "h5ad"}.get(path.suffix, "table")
    if kind == "npz":
        return RawTable(_read_npz(path, where, table), where, None)
    if kind == "hdf5":
        return RawTable(_read_hdf5(path, where), where, None)
    if kind == "h5ad":
        return RawTable(read_h5ad(path, where, table.id or ""), where, None)
    frame, first, notes = _read_delimited(path, where, table, text_columns)
    if table.feature_names:
        frame.columns = _feature_names(folder / table.feature_names, len(frame.columns), where)
    if table.rows == "features":
        frame, first = (
            _transposed(frame, table, where, separator_hint(list(frame.columns), _separator(path, table))),
            None,
        )
    return RawTable(frame, where, first, decimal=table.decimal, notes=tuple(notes))


def _separator(path: Path, table: TableMap) -> str:
    if table.separator:
        return table.separator
    name = path.name.lower().removesuffix(".gz").removesuffix(".zip")
    return "," if name.endswith(".csv") else "\t"


def _read_delimited(
    path: Path, where: str, table: TableMap, text: set[str]
) -> tuple[pd.DataFrame, int, list[ImportNote]]:
    """Cells as text in ``text`` columns and in transposed tables, else numbers where pandas reads a whole column so."""
    missing = [m for m in (*table.missing, "", "NA", "N/A", "NaN", "nan", "#N/A") if m not in text]
    all_text = table.rows == "features" or not table.header or table.skip_rows_after_header > 0
    options = {
        "sep": _separator(path, table),
        "encoding": table.encoding,
        "header": 0 if table.header else None,
        "keep_default_na": False,
        "low_memory": False,
        "decimal": table.decimal,
        "skiprows": range(1, 1 + table.skip_rows_after_header) if table.skip_rows_after_header else None,
    }
    try:
        if all_text:
            frame = pd.read_csv(path, dtype=str, **options)
        else:
            header = pd.read_csv(path, dtype=str, **{**options, "nrows": 0}).columns
            as_text = {c: str for c in header if c in text}
            numeric = {c: missing for c in header if c not in text}
            frame = pd.read_csv(path, dtype=as_text, na_values=numeric, **options)
        names = _names(path, options) if table.header else list(frame.columns)
    except (ValueError, csv.Error, UnicodeDecodeError, zipfile.BadZipFile, EOFError, OSError) as error:
        raise InputError(
            f"{where}: cannot be read as a table: {error}. Check separator, encoding and format."
        ) from error
    if not len(frame):
        raise InputError(f"{where}: a header and no row; at least one row is needed. Export the table again.")
    frame, notes = checked_columns(frame, names, where, _separator(path, table))
    return frame, 1 + int(table.header) + table.skip_rows_after_header, notes


def _names(path: Path, options: Mapping[str, object]) -> list[str]:
    """Cells of the header as written; an empty one is named as pandas names it."""
    row = pd.read_csv(path, dtype=str, **{**options, "header": None, "nrows": 1, "skiprows": None}).iloc[0]
    return [str(cell) if cell else f"Unnamed: {i}" for i, cell in enumerate(row)]


def _feature_names(path: Path, n: int, where: str) -> list[str]:
    """Names of the columns of a table without a header, one a line."""
    if not path.is_file():
        raise InputError(f"{path.name} is not there; the mapping takes the feature names of {where} from it.")
    names = [line.strip() for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
    if len(names) != n:
        raise InputError(f"{where} has {n} columns and {path.name} {len(names)} names; they must be as many.")
    return names


def _transposed(frame: pd.DataFrame, table: TableMap, where: str, hint: str) -> pd.DataFrame:
    """Features in rows -> patients in rows; the id column's name becomes that of the new patient column."""
    if table.id not in frame.columns:
        raise InputError(
            f"{where}: no column {table.id!r} with the feature names; found {', '.join(frame.columns[:4])}.{hint}"
        )
    names = frame[table.id]
    if names.duplicated().any():
        raise InputError(f"{where}: feature {names[names.duplicated()].iloc[0]!r} has several rows; keep one.")
    turned = frame.drop(columns=[table.id, *table.not_samples], errors="ignore").T
    turned.columns = list(names)
    return turned.rename_axis(table.id).reset_index()


def _read_npz(path: Path, where: str, table: TableMap) -> pd.DataFrame:
    """An array named as the id column, and every other array as columns NAME_000 ...; pickled arrays are refused."""
    try:
        with np.load(path, allow_pickle=False) as stored:
            arrays = {name: stored[name] for name in stored.files}
    except (ValueError, OSError, zipfile.BadZipFile) as error:
        raise InputError(f"{where}: cannot be read as .npz without pickles: {error}.") from error
    if table.id is not None and table.id not in arrays:
        raise InputError(f"{where}: no array {table.id!r} with the ids; it has {', '.join(arrays)}.")
    columns: dict[str, np.ndarray] = {}
    for name, array in arrays.items():
        if array.ndim == 1:
            columns[name] = array
        else:
            columns |= {f"{name}_{i:03d}": array[:, i] for i in range(array.shape[1])}
    lengths = {len(c) for c in columns.values()}
    if len(lengths) != 1:
        raise InputError(f"{where}: its arrays have {sorted(lengths)} rows; they must have the same number.")
    frame = pd.DataFrame(columns)
    return frame.astype({table.id: str}) if table.id else frame


def _read_hdf5(path: Path, where: str) -> pd.DataFrame:
    """Groups (parts) of equally long arrays -> rows; column ``part`` is the group, a matrix x becomes x0, x1 ..."""
    frames = []
    try:
        with h5py.File(path) as stored:
            for part in stored:
                group = stored[part]
                if not isinstance(group, h5py.Group):
                    raise InputError(f"{where}: {part!r} is no group; expected one group a part, with arrays inside.")
                columns: dict[str, np.ndarray] = {}
                for name, item in group.items():
                    array = item[...]
                    wide = (
                        {f"{name}{i}": array[:, i] for i in range(array.shape[1])} if array.ndim == 2 else {name: array}
                    )
                    columns |= wide
                lengths = {len(c) for c in columns.values()}
                if len(lengths) != 1:
                    raise InputError(f"{where}: the arrays of group {part} have {sorted(lengths)} rows.")
                frame = pd.DataFrame(columns)
                frame.insert(0, "part", part)
                frames.append(frame)
    except OSError as error:
        raise InputError(f"{where}: cannot be read as HDF5: {error}.") from error
    return pd.concat(frames, ignore_index=True)
