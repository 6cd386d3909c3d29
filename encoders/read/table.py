"""Tab- or comma-separated tables as text cells with line numbers; numbers are checked where they are used.

What this module does not know: what any column means, beyond which one names the gene.
"""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from encoders.errors import InputError

GENE_COLUMNS = (
    "gene_name",
    "hugo_symbol",
    "gene_symbol",
    "symbol",
    "hgnc_symbol",
    "gene",
    "genes",
    "geneid",
    "gene_id",
)
"""Column names that hold a gene, best first (compared in lower case, blanks as _)."""

_LOOK_ROWS = 400


@dataclass(frozen=True)
class Header:
    """The column names of a table, its first rows, the cell separator and the header's line number (1-based)."""

    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    separator: str
    line: int


@dataclass(frozen=True)
class Table:
    """A whole table: ``frame`` holds text cells; the row labelled i stands on line ``first_line + i``."""

    frame: pd.DataFrame
    first_line: int
    comments: tuple[str, ...]

    def line(self, row: int) -> int:
        """Line number in the file (1-based) of the row at position ``row`` of the frame."""
        return self.first_line + int(self.frame.index[row])

    def column(self, *names: str) -> str | None:
        """The first of ``names`` (lower case, blanks as _) that is a column here, as spelt in the file."""
        known = {_plain(c): c for c in self.frame.columns}
        return next((known[n] for n in names if n in known), None)


def _plain(name: str) -> str:
    return name.strip().lstrip("#").lower().replace(" ", "_")


def split_header(lines: Sequence[str]) -> Header | None:
    """Find the header line of a table; None when the lines are prose or have one column only."""
    start = 0
    while start < len(lines) and (not lines[start].strip() or _is_comment(lines[start])):
        start += 1
    if start >= len(lines):
        return None
    for separator in ("\t", ","):
        columns = _cells(lines[start], separator)
        filled = [c for c in columns if c.strip()]
        if len(filled) < 2 or any(len(c) > 120 for c in columns):
            continue
        body = [line for line in lines[start + 1 : start + 1 + _LOOK_ROWS] if line.strip() and not _is_comment(line)]
        rows = [tuple(_cells(line, separator)) for line in body]
        loose = 1 if separator == "\t" else 0  # prose has commas too, but not the same number on every line
        near = [row for row in rows if abs(len(row) - len(columns)) <= loose]
        if not rows and (separator != "\t" or len(filled) < 3):
            continue
        if len(near) >= 0.8 * len(rows) and not any(c.strip().endswith(".") for c in columns):
            names = tuple(c.strip().lstrip("#") for c in columns)
            return Header(names, tuple(near), separator, start + 1)
    return None


def _is_comment(line: str) -> bool:
    """A # line, unless it is a header written as a comment (STAR-Fusion's #FusionName)."""
    return line.startswith(("##", "#version")) or (line.startswith("#") and line.count("\t") < 2)


def _cells(line: str, separator: str) -> list[str]:
    if separator == ",":
        return next(csv.reader([line]))
    return line.split(separator)


def gene_column(columns: Sequence[str]) -> str | None:
    """The column that names the gene, or None."""
    known = {_plain(c): c for c in columns}
    return next((known[name] for name in GENE_COLUMNS if name in known), None)


def read_table(path: Path, text: str, name: str) -> Table:
    """Read a table as text cells.

    Raises
    ------
    InputError: no header with two or more columns, or rows that do not fit it.
    """
    lines = text.splitlines()
    header = split_header(lines)
    if header is None:
        raise InputError(f"{name}: no table found; expected a header line with tab- or comma-separated columns.")
    width = len(header.columns)
    rows, places = [], []
    body = enumerate(lines[header.line :])
    cells_of = csv.reader(line for line in lines[header.line :]) if header.separator == "," else None
    for place, line in body:
        cells = next(cells_of, []) if cells_of is not None else line.split("\t")
        if not any(c.strip() for c in cells):
            continue
        if any(c.strip() for c in cells[width:]):
            raise InputError(
                f"{name}: line {header.line + 1 + place} has {len(cells)} cells, the header {width}; export it again."
            )
        rows.append([*cells[:width], *[""] * (width - len(cells))])
        places.append(place)
    frame = pd.DataFrame(rows, columns=_unique(header.columns), index=places, dtype=str)
    comments = tuple(line for line in lines[: header.line - 1] if line.strip())
    return Table(frame=frame, first_line=header.line + 1, comments=comments)


def _unique(columns: Sequence[str]) -> list[str]:
    """pandas wants unique names; a repeated one gets its place in front."""
    seen: set[str] = set()
    names = []
    for place, column in enumerate(columns):
        names.append(column if column not in seen else f"{place}:{column}")
        seen.add(column)
    return names


def numbers(table: Table, column: str, genes: Sequence[str], name: str) -> np.ndarray:
    """Column ``column`` as float64 (G,).

    Raises
    ------
    InputError: a cell that is empty, text, NaN or infinite; names file, line, gene and the value found.
    """
    values = pd.to_numeric(table.frame[column].str.strip(), errors="coerce").to_numpy(dtype=np.float64)
    bad = np.flatnonzero(~np.isfinite(values))
    if bad.size:
        row = int(bad[0])
        found = table.frame[column].iloc[row]
        raise InputError(
            f"{name}: line {table.line(row)}, gene {genes[row]!r}, "
            f"column {column!r} holds {found!r}; "
            f"a finite number is needed ({bad.size} of {values.size} cells are not one). "
            "Remove the row or export the table with numbers."
        )
    return values
