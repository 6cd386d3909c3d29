"""h5ad (AnnData on disk) read with h5py: obs as text columns, X as columns named after var.

Read: X dense, CSR or CSC (made dense); obs columns that are strings, numbers, booleans, categoricals, nullable arrays.
Not read: layers, obsm, uns, raw; files written before AnnData 0.7 (obs as one compound array) are refused.
What this module does not know: the unit of X; AnnData has no field for it, so the mapping says it or it is not stated.

References
----------
Virshup I. et al., Journal of Open Source Software 2024;9:4371 (anndata), DOI 10.21105/joss.04371; on-disk format 0.1.0.
"""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
import pandas as pd
from scipy import sparse

from encoders.errors import InputError

OBS_NAMES = "obs_names"
"""The name under which the index of obs can be asked for as the id column."""

X_PREFIX = "X:"
"""Put before every column of X, so that a gene and an obs column of one name stay apart."""

MAX_CELLS = 2_000_000_000
"""X is made dense (4 bytes a cell); more cells than this are refused: pool single cells to patients first."""


def read_h5ad(path: Path, where: str, id_column: str) -> pd.DataFrame:
    """obs and X of an h5ad file side by side, one row an observation.

    Raises
    ------
    InputError: no h5ad, an obs or X form that is not supported, no column ``id_column``, or X too large.
    """
    try:
        with h5py.File(path) as stored:
            for name in ("obs", "var", "X"):
                if name not in stored:
                    raise InputError(f"{where}: no {name}; an h5ad file holds X, obs and var.")
            obs = _read_frame(stored["obs"], where, "obs")
            genes = _index(stored["var"], where, "var")
            values = _read_matrix(stored["X"], where, (len(obs), len(genes)))
    except OSError as error:
        raise InputError(f"{where}: cannot be read as HDF5: {error}. Copy it again.") from error
    if pd.Index(genes).duplicated().any():
        raise InputError(f"{where}: var name {pd.Index(genes)[pd.Index(genes).duplicated()][0]!r} stands twice.")
    if id_column and id_column not in obs.columns:
        raise InputError(f"{where}: no obs column {id_column!r}; it has {', '.join(obs.columns)}.")
    block = pd.DataFrame(values, columns=[X_PREFIX + g for g in genes])
    return pd.concat([obs, block], axis=1)


def _text(array: np.ndarray) -> list[str]:
    return [v.decode("utf-8") if isinstance(v, bytes) else str(v) for v in array.tolist()]


def _index(group: h5py.Group | h5py.Dataset, where: str, name: str) -> list[str]:
    if not isinstance(group, h5py.Group):
        raise InputError(f"{where}: {name} is written as one array (AnnData before 0.7); read and write it anew.")
    column = group.attrs.get("_index", "_index")
    return _text(group[column][...])


def _read_frame(group: h5py.Group | h5py.Dataset, where: str, name: str) -> pd.DataFrame:
    """Every column as text; missing is ""."""
    index = _index(group, where, name)
    columns = {OBS_NAMES: index}
    for column, item in group.items():
        if column == group.attrs.get("_index", "_index"):
            continue
        columns[str(column)] = _read_column(item, f"{where}: {name}/{column}")
    lengths = {len(c) for c in columns.values()}
    if len(lengths) != 1:
        raise InputError(f"{where}: the columns of {name} have {sorted(lengths)} rows; they must have the same number.")
    return pd.DataFrame(columns, dtype=str)


def _read_column(item: h5py.Group | h5py.Dataset, where: str) -> list[str]:
    if isinstance(item, h5py.Dataset):
        array = item[...]
        cells = _text(array)
        return ["" if cell == "nan" else cell for cell in cells] if array.dtype.kind == "f" else cells
    if {"codes", "categories"} <= set(item):
        words = _text(item["categories"][...])
        return [words[c] if c >= 0 else "" for c in item["codes"][...].tolist()]
    if {"values", "mask"} <= set(item):
        gone = item["mask"][...]
        return ["" if m else v for v, m in zip(_text(item["values"][...]), gone, strict=True)]
    raise InputError(f"{where} has encoding {item.attrs.get('encoding-type', 'unknown')!r}, which is not supported.")


def _read_matrix(item: h5py.Group | h5py.Dataset, where: str, shape: tuple[int, int]) -> np.ndarray:
    if shape[0] * shape[1] > MAX_CELLS:
        raise InputError(
            f"{where}: X has {shape[0]} x {shape[1]} cells, at most {MAX_CELLS:,} are read; pool them to patients."
        )
    if isinstance(item, h5py.Dataset):
        values = item[...]
    else:
        kind = str(item.attrs.get("encoding-type", ""))
        form = {"csr_matrix": sparse.csr_matrix, "csc_matrix": sparse.csc_matrix}.get(kind)
        if form is None:
            raise InputError(f"{where}: X has encoding {kind!r}; dense arrays, csr_matrix and csc_matrix are read.")
        parts = (item["data"][...], item["indices"][...], item["indptr"][...])
        values = form(parts, shape=tuple(int(n) for n in item.attrs["shape"])).toarray()
    if values.shape != shape:
        raise InputError(f"{where}: X has shape {values.shape}, obs and var ask for {shape}.")
    return values
