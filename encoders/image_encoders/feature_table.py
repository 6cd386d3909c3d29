"""Feature tables: embeddings written by ``radomica encode``, read back by ``table:FILE``, or made by anyone.

CSV and Parquet: a column ``patient_id`` and/or ``series_uid``, perhaps ``modality``, every other column a feature. NPZ:
arrays ``features`` (N, width), ``patient_id`` and/or ``series_uid`` (N,), perhaps ``names`` (width,). A row without a
series UID is about the patient. What made the table stands in FILE.card.json beside it, where it was made here.

Not checked: that the rows were made from these patients' images, and not from the outcome.
"""

from __future__ import annotations

import csv
import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from encoders.atomic_write import write_atomically
from encoders.errors import InputError, SettingsError, UnavailableError
from encoders.image_encoders.card import EncoderCard
from encoders.image_encoders.encode import PatientEncoding

KEYS = ("patient_id", "series_uid")
_TEXT = (*KEYS, "modality")
FORMATS = (".csv", ".parquet", ".npz")
CARD_SUFFIX = ".card.json"
Key = tuple[str | None, str | None]
"""(patient id, series UID); None where the table does not say."""


@dataclass(frozen=True)
class FeatureTable:
    """Rows by key. features (N, width) float32, finite; keys has N entries, each once; keyed_by : the key columns."""

    keys: tuple[Key, ...]
    names: tuple[str, ...]
    features: NDArray[np.float32]
    keyed_by: tuple[str, ...]

    def rows(self) -> dict[Key, int]:
        """Key -> row."""
        return {key: i for i, key in enumerate(self.keys)}


def check_format(path: Path) -> str:
    """The suffix; SettingsError when it is not one of ``FORMATS``."""
    suffix = path.suffix.lower()
    if suffix not in FORMATS:
        raise SettingsError(f"{path.name}: a feature table ends in {', '.join(FORMATS)}.")
    return suffix


def read_feature_table(path: Path) -> FeatureTable:
    """Read and check a table.

    Raises
    ------
    InputError: no such file, no key, the same key twice, a cell that is no finite number, or rows of unequal width
    SettingsError: another format. UnavailableError: Parquet without pyarrow.
    """
    suffix = check_format(path)
    if not path.is_file():
        raise InputError(f"{path.name} is not there; give a feature table ({', '.join(FORMATS)}).")
    names, text, features = _read_npz(path) if suffix == ".npz" else _from_frame(_read_frame(path, suffix), path)
    keyed_by = tuple(name for name in KEYS if name in text)
    if not keyed_by:
        raise InputError(f"{path.name} has neither patient_id nor series_uid; one of them must key the rows.")
    columns = [text.get(name, [None] * len(features)) for name in KEYS]
    keys: tuple[Key, ...] = tuple(zip(*columns, strict=True))  # type: ignore[assignment]
    _check_rows(path.name, keys, keyed_by)
    bad = np.argwhere(~np.isfinite(features))
    if len(bad):
        row, column = bad[0]
        raise InputError(
            f"{path.name}: {len(bad)} cells are empty, NaN or infinite, first row {row + 1} ({_name(keys[row])}), "
            f"column {names[column]!r}; leave such rows out or fill them yourself, nothing is imputed here."
        )
    return FeatureTable(keys, names, np.ascontiguousarray(features, np.float32), keyed_by)


def _check_rows(name: str, keys: tuple[Key, ...], keyed_by: tuple[str, ...]) -> None:
    if not keys:
        raise InputError(f"{name} has no rows.")
    unnamed = [i for i, key in enumerate(keys) if key[0] is None and (key[1] is None or "patient_id" in keyed_by)]
    if unnamed:
        raise InputError(f"{name}: row {unnamed[0] + 1} has no {keyed_by[0]}; every row needs one.")
    twice = [key for key, n in Counter(keys).items() if n > 1]
    if twice:
        raise InputError(
            f"{name}: {len(twice)} keys stand in it more than once, first {_name(twice[0])}; keep one row each."
        )


def _name(key: Key) -> str:
    return ", ".join(f"{what} {value}" for what, value in zip(("patient", "series"), key, strict=True) if value)


def _read_frame(path: Path, suffix: str) -> pd.DataFrame:
    if suffix == ".parquet":
        try:
            return pd.read_parquet(path)
        except ImportError as error:
            raise UnavailableError("reading Parquet needs the package pyarrow; install it, or use .csv.") from error
        except (OSError, ValueError) as error:
            raise InputError(f"{path.name} is not a Parquet file ({error}).") from error
    try:
        with path.open(newline="", encoding="utf-8-sig") as stream:
            lines = list(csv.reader(stream))
    except (UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"{path.name} is not a UTF-8 CSV file ({error}).") from error
    if not lines:
        raise InputError(f"{path.name} is empty.")
    head, *body = lines
    for number, cells in enumerate(body, start=2):
        if len(cells) != len(head):
            raise InputError(f"{path.name} line {number} has {len(cells)} cells, its header {len(head)}.")
    return pd.DataFrame(body, columns=head, dtype=object)


def _from_frame(frame: pd.DataFrame, path: Path) -> tuple[tuple[str, ...], dict[str, list[str | None]], NDArray]:
    names = [str(c) for c in frame.columns]
    twice = [name for name, n in Counter(names).items() if n > 1]
    if twice:
        raise InputError(f"{path.name} has the column {twice[0]!r} more than once; keep one.")
    text = {name: [_text(cell) for cell in frame[name]] for name in _TEXT if name in names}
    features = [name for name in names if name not in _TEXT]
    if not features:
        raise InputError(f"{path.name} has no feature columns beside {', '.join(text)}.")
    numbers = frame[features].apply(pd.to_numeric, errors="coerce")
    words = [name for name in features if numbers[name].isna().all() and frame[name].map(_text).notna().any()]
    if words:
        raise InputError(f"{path.name}: column {words[0]!r} holds no numbers; take it out (features are numbers).")
    return tuple(features), text, numbers.to_numpy(np.float64)


def _text(cell: Any) -> str | None:
    if cell is None or (isinstance(cell, float) and np.isnan(cell)):
        return None
    return str(cell).strip() or None


def _read_npz(path: Path) -> tuple[tuple[str, ...], dict[str, list[str | None]], NDArray]:
    try:
        with np.load(path, allow_pickle=False) as stored:
            found = {name: stored[name] for name in stored.files}
    except (OSError, ValueError, EOFError) as error:
        raise InputError(f"{path.name} is not an NPZ file of plain arrays ({error}).") from error
    features = found.get("features")
    if features is None or features.ndim != 2 or not np.issubdtype(features.dtype, np.number):
        raise InputError(f"{path.name} needs an array 'features' of numbers, (N, width); it has {sorted(found)}.")
    text = {name: [_text(str(x)) for x in found[name].ravel()] for name in KEYS if name in found}
    names = tuple(map(str, found.get("names", np.array([f"e{i:04d}" for i in range(features.shape[1])]))))
    lengths = {name: len(values) for name, values in text.items()}
    if set(lengths.values()) - {len(features)} or len(names) != features.shape[1]:
        raise InputError(
            f"{path.name}: features is {features.shape}, but there are {len(names)} names and keys of {lengths}."
        )
    return names, text, features.astype(np.float64)


def write_feature_table(
    path: Path, encodings: Sequence[PatientEncoding], card: EncoderCard, note: dict[str, Any]
) -> None:
    """Write the rows of many patients, and FILE.card.json with the card and ``note`` (what was skipped).

    Raises
    ------
    SettingsError: another format. UnavailableError: Parquet without pyarrow. InputError: nothing to write.
    """
    suffix = check_format(path)
    features = np.concatenate([e.vectors for e in encodings]) if encodings else np.zeros((0, card.width), np.float32)
    if not len(features):
        raise InputError("no series could be encoded, so there is no table to write.")
    names = card.feature_names or tuple(f"e{i:04d}" for i in range(card.width))
    text = {
        "patient_id": [e.patient_id for e in encodings for _ in e.series_uids],
        "series_uid": [uid or "" for e in encodings for uid in e.series_uids],
        "modality": [m or "" for e in encodings for m in e.modalities],
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    if suffix == ".npz":
        np.savez_compressed(path, features=features, names=np.array(names), **{k: np.array(v) for k, v in text.items()})
    else:
        frame = pd.concat([pd.DataFrame(text), pd.DataFrame(features, columns=list(names))], axis=1)
        _write_frame(frame, path, suffix)
    content = {"card": dict(card.to_dict()), "rows": len(features), **note}
    write_atomically(Path(f"{path}{CARD_SUFFIX}"), json.dumps(content, indent=1) + "\n")


def _write_frame(frame: pd.DataFrame, path: Path, suffix: str) -> None:
    if suffix == ".csv":
        write_atomically(path, frame.to_csv(index=False, lineterminator="\n"))  # shortest text that reads back the same
        return
    try:
        frame.to_parquet(path, index=False)
    except ImportError as error:
        raise UnavailableError("writing Parquet needs the package pyarrow; install it, or use .csv.") from error
