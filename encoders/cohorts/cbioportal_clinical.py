"""Clinical tables of a cBioPortal study: typed columns, endpoints from X_STATUS / X_MONTHS, samples and their types.

The datatype line (#STRING, NUMBER, BOOLEAN) types the columns. A column of words with more than ``MAX_WORDS`` different
cells is text, which no model reads. What this module does not know: the meaning of any other column.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd

from encoders.cohorts.assemble import CohortParts
from encoders.cohorts.cohort import ColumnSpec, ColumnType, Endpoint
from encoders.cohorts.gene_rows import read_text_table
from encoders.cohorts.samples import Samples, by_patient, one_sample_each
from encoders.cohorts.value_checks import number_hint
from encoders.errors import InputError

MISSING = frozenset(
    (
        "",
        "NA",
        "N/A",
        "NaN",
        "nan",
        "[Not Available]",
        "[Not Applicable]",
        "[Unknown]",
        "[Not Evaluated]",
        "[Discrepancy]",
    )
)
EVENT_WORDS = {
    **dict.fromkeys(
        ("DECEASED", "DEAD", "RECURRED", "PROGRESSED", "PROGRESSION", "RECURRED/PROGRESSED", "EVENT"), True
    ),
    **dict.fromkeys(("LIVING", "ALIVE", "DISEASEFREE", "DISEASE FREE", "CENSORED", "NO EVENT"), False),
}
"""Words of a status column without "1:" or "0:" in front (upper case) -> did the event happen."""

MAX_WORDS = 60


def add_clinical(parts: CohortParts, files: Mapping[str, Path]) -> Samples:
    """Read the patient and sample tables into ``parts``; returns which samples belong to whom.

    Raises
    ------
    InputError: no sample table, a patient with two rows, a status that is no event coding, text in a number column.
    """
    if "SAMPLE_ATTRIBUTES" not in files:
        raise InputError(
            f"{parts.name}: no meta file with datatype SAMPLE_ATTRIBUTES; samples cannot be joined to patients."
        )
    sample_path = files["SAMPLE_ATTRIBUTES"]
    sample_table = read_text_table(sample_path, parts)
    for column in ("PATIENT_ID", "SAMPLE_ID"):
        if column not in sample_table.columns:
            raise InputError(f"{sample_path.name}: no column {column}.")
        sample_table[column] = sample_table[column].str.strip()
    twice = sample_table["SAMPLE_ID"].duplicated()
    if twice.any():
        raise InputError(f"{sample_path.name}: sample {sample_table['SAMPLE_ID'][twice].iloc[0]} has several rows.")
    type_in = sample_table["SAMPLE_TYPE"] if "SAMPLE_TYPE" in sample_table else pd.Series("", sample_table.index)
    known = dict(zip(sample_table["SAMPLE_ID"], sample_table["PATIENT_ID"], strict=True))
    samples = Samples(
        known, dict(zip(sample_table["SAMPLE_ID"], type_in.where(~type_in.isin(MISSING), ""), strict=True))
    )
    if "PATIENT_ATTRIBUTES" in files:
        path = files["PATIENT_ATTRIBUTES"]
        _add_patients(parts, read_text_table(path, parts), path)
    _add_samples(parts, sample_table, samples, sample_path)
    return samples


def _types(path: Path, n: int) -> list[str]:
    """Datatypes of the third # line, STRING where there is none."""
    lines = [line for line in path.read_text(encoding="utf-8-sig").splitlines()[:4] if line.startswith("#")]
    found = lines[2].removeprefix("#").split("\t") if len(lines) >= 3 else []
    return [t.strip().upper() for t in found] if len(found) == n else ["STRING"] * n


def _add_patients(parts: CohortParts, table: pd.DataFrame, path: Path) -> None:
    if "PATIENT_ID" not in table.columns:
        raise InputError(f"{path.name}: no column PATIENT_ID.")
    table["PATIENT_ID"] = table["PATIENT_ID"].str.strip()
    types = dict(zip(table.columns, _types(path, len(table.columns)), strict=True))
    twice = table["PATIENT_ID"].duplicated()
    if twice.any():
        raise InputError(
            f"{path.name}: patient {table['PATIENT_ID'][twice].iloc[0]} has several rows ({int(twice.sum())} extra); "
            "keep one."
        )
    table = table.set_index(table["PATIENT_ID"].rename("patient_id")).drop(columns="PATIENT_ID")
    endpoints = [c.removesuffix("_STATUS") for c in table if c.endswith("_STATUS") and f"{c[:-7]}_MONTHS" in table]
    for name in endpoints:
        _add_endpoint(parts, table, name, path.name)
    used = {f"{n}{end}" for n in endpoints for end in ("_STATUS", "_MONTHS")}
    _add_columns(parts, table.drop(columns=list(used)), types, path.name)


def _add_endpoint(parts: CohortParts, table: pd.DataFrame, name: str, where: str) -> None:
    status = table[f"{name}_STATUS"].str.strip()
    known = ~status.isin(MISSING)
    upper = status.str.upper()
    event = pd.Series(np.nan, index=table.index, dtype=object)
    event[upper.str.startswith("1:")] = True
    event[upper.str.startswith("0:")] = False
    words = upper.isin(list(EVENT_WORDS))
    event[words] = upper[words].map(EVENT_WORDS)
    bad = known & event.isna()
    if bad.any():
        raise InputError(
            f"{where}: {name}_STATUS holds {status[bad].iloc[0]!r} ({int(bad.sum())} cells); expected 1:... (event), "
            f"0:... (censored) or one of {', '.join(EVENT_WORDS)}."
        )
    months = _numbers(table[f"{name}_MONTHS"], f"{where}, {name}_MONTHS")
    place = f"{where}, endpoint {name}"
    negative = known & (months < 0)
    parts.note(
        "skipped", place, "patients have a negative follow-up time and were left out", list(table.index[negative])
    )
    timeless = known & months.isna()
    parts.note("skipped", place, "patients have no follow-up time and were left out", list(table.index[timeless]))
    parts.note("skipped", place, "patients have no known status and were left out", list(table.index[~known]))
    keep = known & months.notna() & ~negative
    if keep.any():
        parts.endpoints.append(
            Endpoint(
                name,
                tuple(table.index[keep]),
                months[keep].to_numpy(dtype=np.float64),
                event[keep].to_numpy(dtype=bool),
                f"{name}_MONTHS; {name}_STATUS: event = 1 or a word for it",
            )
        )


def _numbers(cells: pd.Series, where: str) -> pd.Series:
    text = cells.str.strip()
    values = pd.to_numeric(text, errors="coerce")
    bad = ~text.isin(MISSING) & ~np.isfinite(values)
    if bad.any():
        raise InputError(
            f"{where} holds {text[bad].iloc[0]!r} ({int(bad.sum())} cells); a finite number is needed"
            f"{number_hint(text[bad].iloc[0])}."
        )
    return values


def _add_columns(parts: CohortParts, table: pd.DataFrame, types: Mapping[str, str], where: str) -> None:
    typed = {}
    for column in table.columns:
        cells = table[column].str.strip()
        if cells.isin(MISSING).all():
            parts.note("skipped", where, "columns hold no value", [column])
        elif types.get(column) == "NUMBER":
            typed[column] = _numbers(table[column], f"{where}, {column}")
            unit = "months" if column.endswith("_MONTHS") else "years" if column == "AGE" else None
            parts.columns[column] = ColumnSpec(ColumnType.NUMBER, unit, where)
        else:
            words = cells.astype(object).where(~cells.isin(MISSING), None)
            typed[column] = words
            kind = ColumnType.CATEGORY if words.nunique() <= MAX_WORDS else ColumnType.TEXT
            parts.columns[column] = ColumnSpec(kind, None, where)
    parts.clinical.append(pd.DataFrame(typed, index=table.index))


def _add_samples(parts: CohortParts, table: pd.DataFrame, samples: Samples, path: Path) -> None:
    """Sample columns of the one sample that stands for each patient; ONCOTREE_CODE becomes the cohort's code."""
    chosen = one_sample_each(samples, table["SAMPLE_ID"], parts, path.name)
    types = dict(zip(table.columns, _types(path, len(table.columns)), strict=True))
    own = by_patient(table.set_index("SAMPLE_ID"), chosen).drop(columns="PATIENT_ID")
    if "ONCOTREE_CODE" in own.columns:
        codes = own.pop("ONCOTREE_CODE").str.strip()
        parts.oncotree |= {p: c for p, c in codes.items() if c not in MISSING}
    clash = [c for c in own.columns if c in parts.columns]
    _add_columns(parts, own.rename(columns={c: f"SAMPLE_{c}" for c in clash}), types, path.name)
