"""Apply a mapping's rules to one raw table: ids, duplicates, clinical columns, outcomes, labels, blocks, folds.

What this module does not know: other tables of the cohort (assemble.py joins them), gene names, plausibility of values.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import pandas as pd

from encoders.cohorts.cohort import BlockKind, ColumnSpec, ColumnType, Endpoint, ImportNote
from encoders.cohorts.headers import separator_hint
from encoders.cohorts.mapped_outcome import mapped_endpoint
from encoders.cohorts.mapping import (
    BlockMap,
    ClinicalMap,
    IdRule,
    LabelMap,
    TableMap,
)
from encoders.cohorts.raw_table import RawTable
from encoders.cohorts.table_cells import number_cells, refuse_cells, text_cells
from encoders.errors import InputError

TCGA_PATIENT = re.compile(r"^(TCGA-[A-Z0-9]{2}-[A-Z0-9]{4})(-.*)?$")
_YEARS_AND_DAYS = re.compile(r"^(?:(\d+) years?)? ?(?:(\d+) days?)?$")


@dataclass(frozen=True)
class BlockPart:
    """A block before checks: kind, unit, values with patients in rows and features in columns."""

    name: str
    kind: BlockKind
    unit: str
    frame: pd.DataFrame


@dataclass(frozen=True)
class TableParts:
    """What one table gives; every frame is indexed by patient id, one row a patient."""

    where: str
    patient_ids: tuple[str, ...]
    clinical: pd.DataFrame
    columns: dict[str, ColumnSpec]
    endpoints: tuple[Endpoint, ...] = ()
    labels: pd.DataFrame = field(default_factory=pd.DataFrame)
    oncotree: dict[str, str] = field(default_factory=dict)
    blocks: tuple[BlockPart, ...] = ()
    fold_cells: dict[str, dict[str, str]] = field(default_factory=dict)
    notes: tuple[ImportNote, ...] = ()


def text_columns(table: TableMap) -> set[str]:
    """Columns whose cells must stay as written: ids, codes, and whatever a rule compares with words."""
    found = {table.id, table.oncotree_column}
    found |= {rule.column for rule in (*table.clinical, *table.label, *table.fold)}
    for outcome in table.outcome:
        found |= {outcome.time, outcome.time_event, outcome.time_censored, outcome.event}
    return {c for c in found if c is not None}


def patient_ids(cells: Sequence[str], rule: IdRule, where: str) -> list[str]:
    """Ids by the rule.

    Raises
    ------
    InputError: an empty id, or ids the rule does not fit (counted, with examples).
    """
    bad, made = [], []
    pattern = re.compile(rule.pattern) if rule.pattern else TCGA_PATIENT if rule.trim == "TCGA patient" else None
    for cell in cells:
        text = str(cell).strip()
        text = {"upper": text.upper(), "lower": text.lower()}.get(rule.case, text)
        for old, new in rule.replace.items():
            text = text.replace(old, new)
        found = pattern.match(text) if pattern else None
        if not text or (pattern is not None and found is None):
            bad.append(text)
        made.append(found.group(1) if found else text)
    if bad:
        raise InputError(
            f"{where}: {len(bad)} of {len(made)} ids do not fit the id rule "
            f"({rule.pattern or rule.trim}): {', '.join(repr(b) for b in bad[:5])}. Correct the rule or the table."
        )
    return made


def apply_table(raw: RawTable, table: TableMap) -> TableParts:
    """Everything the mapping takes from one table.

    Raises
    ------
    InputError: a column of the mapping is not there, a cell is not allowed, rows of one patient disagree.
    """
    frame, notes = raw.frame, list(raw.notes)
    _check_columns(raw, table)
    if table.id_by_row is not None:
        counted = frame.groupby("part").cumcount() if "part" in frame else pd.Series(range(len(frame)))
        prefix = frame["part"] + "-" if "part" in frame else table.id_by_row
        ids = list(prefix + (counted + 1).astype(str).str.zfill(4))
        what = "rows have no ids in the file; they are known by their number, as the mapping says"
        notes.append(ImportNote("defaulted", raw.where, what, len(frame)))
    else:
        ids = patient_ids(frame[table.id].tolist(), table.ids, raw.where)
    chosen = {rule.name: _columns_of(rule, raw, table) for rule in table.block}
    raw, ids, more = _one_row_each(raw, ids, table, chosen)
    frame = raw.frame
    notes += [*more, *_unused(raw, table, chosen)]
    index = pd.Index(ids, name="patient_id")
    clinical = {rule.name: _clinical(raw, rule, table) for rule in table.clinical}
    endpoints, labels = [], {}
    for outcome in table.outcome:
        endpoint, found = mapped_endpoint(raw, outcome, ids, table)
        endpoints.append(endpoint)
        notes += found
    for rule in table.label:
        labels[rule.name] = _label(raw, rule, table)
    blocks = []
    for rule in table.block:
        if not chosen[rule.name]:
            notes.append(ImportNote("skipped", raw.where, f"block {rule.name}: no column fits its rule", 0))
            continue
        values, found = _block(raw, rule, chosen[rule.name], table, index)
        blocks.append(BlockPart(rule.name, rule.kind, rule.unit, values))
        notes += found
    return TableParts(
        where=raw.where,
        patient_ids=tuple(ids),
        clinical=pd.DataFrame(clinical, index=index),
        columns={r.name: ColumnSpec(r.type, r.unit, f"{raw.where}: {r.column}") for r in table.clinical},
        endpoints=tuple(endpoints),
        labels=pd.DataFrame(labels, index=index),
        oncotree=_oncotree(raw, table, ids),
        blocks=tuple(blocks),
        fold_cells={r.column: dict(zip(ids, frame[r.column].astype(str).str.strip(), strict=True)) for r in table.fold},
        notes=tuple(notes),
    )


def _check_columns(raw: RawTable, table: TableMap) -> None:
    wanted = text_columns(table) - {None}
    gone = sorted(c for c in wanted if c not in raw.frame.columns)
    if gone:
        raise InputError(
            f"{raw.where}: no column {gone[0]!r} ({len(gone)} of the mapping's columns are missing); it has "
            f"{', '.join(map(str, raw.frame.columns[:8]))} ... Correct the mapping."
            f"{separator_hint(list(raw.frame.columns), table.separator or ',')}"
        )


def _columns_of(rule: BlockMap, raw: RawTable, table: TableMap) -> list[str]:
    """The columns a block's rule names, in the file's order, never one that another rule reads as words."""
    reserved = text_columns(table) | set(rule.exclude)
    free = [c for c in raw.frame.columns if c not in reserved]
    if rule.columns is not None:
        gone = [c for c in rule.columns if c not in raw.frame.columns]
        if gone:
            raise InputError(f"{raw.where}: block {rule.name}: no column {gone[0]!r}.")
        found = list(rule.columns)
    elif rule.pattern:
        found = [c for c in free if re.search(rule.pattern, c)]
    elif rule.rest:
        others = [r for r in table.block if not r.rest]
        found = [c for c in free if not any(_fits(r, c) for r in others)]
    else:
        found = [c for c in free if _fits(rule, c)]
    if not found and not rule.optional:
        raise InputError(
            f"{raw.where}: block {rule.name}: no column fits its rule; columns are "
            f"{', '.join(map(str, raw.frame.columns[:6]))} ... Correct it, or set optional = true."
        )
    return found


def _fits(rule: BlockMap, column: str) -> bool:
    if rule.columns is not None:
        return column in rule.columns
    if rule.pattern:
        return bool(re.search(rule.pattern, column))
    return column.startswith(rule.prefix or "") and column.endswith(rule.suffix or "")


def _unused(raw: RawTable, table: TableMap, chosen: dict[str, list[str]]) -> list[ImportNote]:
    used = text_columns(table).union(*chosen.values()) if chosen else text_columns(table)
    left = [c for c in raw.frame.columns if c not in used and not (c == "part" and table.id_by_row is not None)]
    what = "columns no rule of the mapping names were not read"
    return [ImportNote("skipped", raw.where, what, len(left), tuple(map(str, left)))] if left else []


def _one_row_each(
    raw: RawTable, ids: list[str], table: TableMap, chosen: dict[str, list[str]]
) -> tuple[RawTable, list[str], list[ImportNote]]:
    """One row a patient, by the table's stated rule; the reduced rows are counted."""
    twice = pd.Index(ids).duplicated()
    if not twice.any():
        return raw, ids, []
    frame = raw.frame
    used = [c for c in frame.columns if c in text_columns(table) - {table.id} or any(c in v for v in chosen.values())]
    first = frame[~twice].reset_index(drop=True)
    kept = [p for p, again in zip(ids, twice, strict=True) if not again]
    if table.duplicates != "first":
        own = frame[used]
        reference = own[~twice].set_axis(kept).loc[ids].set_axis(own.index)
        differs = (own != reference) & ~(own.isna() & reference.isna())
        measured = [c for c in used if any(c in v for v in chosen.values())]
        checked = differs if table.duplicates == "must agree" else differs.drop(columns=measured)
        if checked.to_numpy().any():
            column = checked.columns[checked.any()][0]
            patient = ids[int(np.flatnonzero(checked[column])[0])]
            raise InputError(
                f"{raw.where}: patient {patient} has several rows that disagree in column {column!r}; "
                'say duplicates = "first" or "mean" in the mapping, or keep one row a patient.'
            )
        if table.duplicates == "mean":
            means = frame[measured].apply(pd.to_numeric, errors="coerce").groupby(pd.Index(ids), sort=False).mean()
            first = first.assign(**means.loc[kept].reset_index(drop=True).to_dict("series"))
    what = f"rows repeat a patient and were reduced by the rule {table.duplicates!r}"
    repeated = tuple(dict.fromkeys(p for p, again in zip(ids, twice, strict=True) if again))
    note = ImportNote("reduced", raw.where, what, int(twice.sum()), repeated)
    origin = tuple(np.flatnonzero(~twice).tolist())
    return replace(raw, frame=first, origin=origin), kept, [note]


def _clinical(raw: RawTable, rule: ClinicalMap, table: TableMap) -> np.ndarray:
    cells = text_cells(raw, rule.column, table)
    if rule.values is not None:
        bad = cells.notna() & ~cells.isin(list(rule.values))
        refuse_cells(raw, rule.column, cells, bad, f"allowed by the mapping: {', '.join(rule.values)}")
        cells = cells.map(rule.values).where(cells.notna())
    if rule.type is ColumnType.NUMBER or rule.type is ColumnType.FLAG:
        if rule.form == "years and days":
            return _years(raw, rule.column, cells)
        values = number_cells(raw, rule.column, cells)
        if rule.type is ColumnType.FLAG:
            bad = pd.Series(~np.isnan(values) & ~np.isin(values, (0, 1)))
            refuse_cells(raw, rule.column, cells, bad, "a flag is 0 or 1")
        return values
    return cells.to_numpy(dtype=object)


def _years(raw: RawTable, column: str, cells: pd.Series) -> np.ndarray:
    """ "51 years 108 days" -> 51.296."""
    parts = cells.str.extract(_YEARS_AND_DAYS)
    refuse_cells(raw, column, cells, cells.notna() & parts.isna().all(axis=1), "expected '51 years 108 days'")
    numbers = parts.apply(pd.to_numeric).fillna(0).to_numpy(dtype=np.float64)
    years = numbers[:, 0] + numbers[:, 1] / 365.25
    return np.where(cells.notna(), years, np.nan)


def _label(raw: RawTable, rule: LabelMap, table: TableMap) -> np.ndarray:
    cells = text_cells(raw, rule.column, table)
    if rule.values is not None:
        bad = cells.notna() & ~cells.isin(list(rule.values))
        refuse_cells(raw, rule.column, cells, bad, f"allowed by the mapping: {', '.join(rule.values)}")
        cells = cells.map(rule.values).where(cells.notna())
    return cells.where(cells != "").to_numpy(dtype=object)


def _block(
    raw: RawTable, rule: BlockMap, columns: list[str], table: TableMap, index: pd.Index
) -> tuple[pd.DataFrame, list[ImportNote]]:
    """Numbers of a block; text, and infinite values unless the mapping says they mean missing, are refused."""
    part = raw.frame[columns]
    words = [c for c in columns if part[c].dtype.kind not in "fiub"]
    numbers = {}
    for column in words:
        cells = text_cells(raw, column, table)
        if rule.values is not None:
            bad = cells.notna() & ~cells.isin(list(rule.values))
            refuse_cells(raw, column, cells, bad, f"allowed by the mapping: {', '.join(rule.values)}")
            cells = cells.map(rule.values)
        numbers[column] = number_cells(raw, column, cells)
    matrix = np.empty((len(part), len(columns)), dtype=np.float32)
    plain = [c for c in columns if c not in numbers]
    place = {c: i for i, c in enumerate(columns)}
    if plain:
        matrix[:, [place[c] for c in plain]] = part[plain].to_numpy(dtype=np.float32, na_value=np.nan)
    for column, values in numbers.items():
        matrix[:, place[column]] = values
    infinite = np.isinf(matrix)
    notes = []
    if infinite.any():
        row, col = (int(i[0]) for i in np.nonzero(infinite))
        if rule.infinite == "refuse":
            raise InputError(
                f"{raw.where}: {raw.place(row)}, column {columns[col]!r} is infinite ({int(infinite.sum())} cells); "
                'correct it, or say infinite = "missing" for block ' + rule.name + "."
            )
        matrix[infinite] = np.nan
        notes.append(ImportNote("defaulted", raw.where, "infinite cells were taken as missing", int(infinite.sum())))
    names = [c.removeprefix(rule.prefix or "").removesuffix(rule.suffix or "") for c in columns]
    return pd.DataFrame(matrix, index=index, columns=names), notes


def _oncotree(raw: RawTable, table: TableMap, ids: Sequence[str]) -> dict[str, str]:
    if table.oncotree_column is not None:
        cells = text_cells(raw, table.oncotree_column, table)
        return {p: str(c) for p, c in zip(ids, cells, strict=True) if isinstance(c, str)}
    return dict.fromkeys(ids, table.oncotree_code) if table.oncotree_code else {}
