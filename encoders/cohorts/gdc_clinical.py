"""The clinical table of a GDC cart: one row a patient, typed columns, overall survival from vital status and days.

GDC writes one row for each diagnosis and treatment; the patient's first primary row is used and the rest counted. Old
exports name columns "case_submitter_id", new ones "cases.submitter_id"; both are read. Ages are in days.
What this module does not know: treatments, follow-up events, progression.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd

from encoders.cohorts.assemble import CohortParts
from encoders.cohorts.cohort import DAYS_PER_MONTH, ColumnSpec, ColumnType, Endpoint
from encoders.cohorts.gene_rows import read_text_table
from encoders.errors import InputError

MISSING = frozenset(("", "'--", "--", "not reported", "Not Reported", "Unknown", "unknown", "NA"))
_CASE = ("cases.submitter_id", "case_submitter_id", "submitter_id")
_WORDS = {
    "sex": ("demographic.gender", "gender", "demographic.sex_at_birth", "sex_at_birth"),
    "race": ("demographic.race", "race"),
    "primary_diagnosis": ("diagnoses.primary_diagnosis", "primary_diagnosis"),
    "stage": ("diagnoses.ajcc_pathologic_stage", "ajcc_pathologic_stage"),
    "grade": ("diagnoses.tumor_grade", "tumor_grade"),
    "project_id": ("project.project_id", "cases.project.project_id", "project_id"),
}
_VITAL = ("demographic.vital_status", "vital_status")
_DEATH = ("demographic.days_to_death", "days_to_death")
_LAST = ("diagnoses.days_to_last_follow_up", "days_to_last_follow_up")
_AGE = ("diagnoses.age_at_diagnosis", "age_at_diagnosis")


def clinical_file(folder: Path) -> Path | None:
    """The clinical table of a folder: a .tsv with a case column and a vital status, else the cart's .json of cases."""
    for path in sorted(folder.glob("*.tsv")):
        with path.open(encoding="utf-8-sig", errors="replace") as stream:
            columns = set(stream.readline().rstrip("\n").split("\t"))
        if columns & set(_CASE) and columns & set(_VITAL):
            return path
    for path in sorted(folder.glob("*.json")):
        with path.open(encoding="utf-8-sig", errors="replace") as stream:
            start = stream.read(65536)
        if start.lstrip().startswith("[") and '"submitter_id"' in start and '"demographic"' in start:
            return path
    return None


def _table_of_json(path: Path) -> pd.DataFrame:
    """Cases of a clinical .json as the rows of the .tsv: one a diagnosis, columns named as the GDC nests them.

    Raises
    ------
    InputError: no JSON list of cases with submitter_id.
    """
    try:
        cases = json.loads(path.read_text(encoding="utf-8-sig"))
    except ValueError as error:
        raise InputError(f"{path.name}: is no JSON ({error}); download the clinical file again.") from error
    bad = [i for i, case in enumerate(cases) if not isinstance(case, dict) or not case.get("submitter_id")]
    if bad:
        raise InputError(f"{path.name}: case {bad[0] + 1} has no submitter_id ({len(bad)} such); every case needs one.")
    rows = []
    for case in cases:
        own = {"cases.submitter_id": case["submitter_id"]}
        for part in ("project", "demographic"):
            own |= {f"{part}.{key}": value for key, value in (case.get(part) or {}).items()}
        for diagnosis in case.get("diagnoses") or [{}]:
            rows.append(own | {f"diagnoses.{key}": value for key, value in diagnosis.items()})
    flat = [{k: "" if v is None else str(v) for k, v in row.items() if not isinstance(v, dict | list)} for row in rows]
    return pd.DataFrame(flat, dtype=str).fillna("")


def _column(table: pd.DataFrame, names: tuple[str, ...]) -> pd.Series | None:
    """The first of the columns that is there, missing words as None."""
    found = next((n for n in names if n in table.columns), None)
    if found is None:
        return None
    cells = table[found].str.strip()
    return cells.astype(object).where(~cells.isin(MISSING), None)


def _days(table: pd.DataFrame, names: tuple[str, ...], where: str) -> pd.Series:
    cells = _column(table, names)
    if cells is None:
        return pd.Series(np.nan, index=table.index)
    values = pd.to_numeric(cells, errors="coerce")
    bad = cells.notna() & ~np.isfinite(values.astype(float))
    if bad.any():
        raise InputError(
            f"{where}: {names[-1]} holds {cells[bad].iloc[0]!r} ({int(bad.sum())} cells); days are needed."
        )
    return values.astype(float)


def add_clinical(parts: CohortParts, path: Path) -> None:
    """Read the clinical table into ``parts``.

    Raises
    ------
    InputError: no case column, a vital status that is neither Alive nor Dead, text where days are needed.
    """
    table = _table_of_json(path) if path.suffix == ".json" else read_text_table(path, parts)
    case_in = next(n for n in _CASE if n in table.columns)
    table = table.rename(columns={case_in: "patient_id"})
    primary = table.get("diagnoses.classification_of_tumor", pd.Series("", table.index)).str.lower() == "primary"
    table = table.assign(_later=~primary).sort_values(["patient_id", "_later"], kind="stable")
    twice = table["patient_id"].duplicated()
    what = "rows repeat a patient (diagnoses, treatments); the first, primary one was kept"
    parts.note("reduced", path.name, what, table["patient_id"][twice].tolist())
    table = table[~twice].set_index("patient_id")
    typed = {}
    for name, names in _WORDS.items():
        cells = _column(table, names)
        if cells is not None and cells.notna().any():
            typed[name] = cells
            parts.columns[name] = ColumnSpec(ColumnType.CATEGORY, None, f"{path.name}: {names[-1]}")
    age = _days(table, _AGE, path.name) / 365.25
    if age.notna().any():
        typed["age_years"] = age
        parts.columns["age_years"] = ColumnSpec(ColumnType.NUMBER, "years", f"{path.name}: age_at_diagnosis in days")
    parts.clinical.append(pd.DataFrame(typed, index=table.index))
    _add_survival(parts, table, path.name)


def _add_survival(parts: CohortParts, table: pd.DataFrame, where: str) -> None:
    vital = _column(table, _VITAL)
    bad = vital.notna() & ~vital.isin(["Alive", "Dead"])
    if bad.any():
        raise InputError(f"{where}: vital_status holds {vital[bad].iloc[0]!r}; expected Alive or Dead.")
    event = vital == "Dead"
    days = _days(table, _DEATH, where).where(event, _days(table, _LAST, where))
    place = f"{where}, endpoint OS"
    reasons = {
        "patients have no known vital status and were left out": vital.isna(),
        "patients have no follow-up time and were left out": vital.notna() & days.isna(),
        "patients have a negative follow-up time and were left out": vital.notna() & (days < 0),
    }
    for what, rows in reasons.items():
        parts.note("skipped", place, what, list(table.index[rows]))
    keep = vital.notna() & (days >= 0)
    if keep.any():
        parts.endpoints.append(
            Endpoint(
                "OS",
                tuple(table.index[keep]),
                days[keep].to_numpy(dtype=np.float64) / DAYS_PER_MONTH,
                event[keep].to_numpy(dtype=bool),
                "days_to_death (Dead) or days_to_last_follow_up (Alive); vital_status",
            )
        )
