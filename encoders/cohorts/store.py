"""A cohort on disk: one folder, open formats, written whole or not at all.

    cohort.json            schema, name, source, licence, citation, genome build, units, counts, columns, every note
    patients.parquet       patient_id, oncotree_code, clinical.AGE (typed), OS_followup_months, OS_event, label.IDH ...
    blocks/NAME.parquet    patient_id + one float32 column a feature; NaN, or no row for the patient = not measured
    tables/NAME.parquet    long tables (mutations, segments, fusions): patient_id first, cells as read
    splits/NAME.csv        patient_id, fold, part (train, validation, test)

Columns of patients.parquet are named in cohort.json with their role, so no name has to be guessed. Parquet is read by
pandas, R (arrow) and DuckDB alike. What this module does not know: where the cohort came from.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from encoders.cohorts.cohort import Block, BlockKind, Cohort, ColumnSpec, ColumnType, Endpoint, ImportNote, Split
from encoders.cohorts.splits import split_of_pairs
from encoders.errors import InputError

SCHEMA = "radomica-cohort/1"
PATIENT, ONCOTREE = "patient_id", "oncotree_code"


def write_cohort_folder(cohort: Cohort, out: Path) -> None:
    """Write ``cohort`` as the folder ``out`` (module docstring).

    Raises
    ------
    InputError: ``out`` is there and not an empty folder.
    """
    check_free(out)
    out.parent.mkdir(parents=True, exist_ok=True)
    partial = out.with_name(f".{out.name}.partial-{os.getpid()}")
    partial.mkdir()
    try:
        _write(cohort, partial)
        if out.exists():
            out.rmdir()
        partial.rename(out)
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def check_free(out: Path) -> None:
    """Raise InputError when ``out`` already holds something."""
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise InputError(f"{out.name} already exists and is not an empty folder; choose another or remove it.")


def _write(cohort: Cohort, folder: Path) -> None:
    for name in ("blocks", "tables", "splits"):
        (folder / name).mkdir()
    _patients(cohort).to_parquet(folder / "patients.parquet", index=False)
    for name, block in cohort.blocks.items():
        columns = [pa.array(block.patient_ids), *(pa.array(block.values[:, i]) for i in range(len(block.features)))]
        names = [PATIENT, *(_feature_column(f) for f in block.features)]
        pq.write_table(pa.Table.from_arrays(columns, names=names), folder / "blocks" / f"{_file(name)}.parquet")
    for name, table in cohort.long_tables.items():
        table.to_parquet(folder / "tables" / f"{_file(name)}.parquet", index=False)
    for name, folds in cohort.splits.items():
        rows = [(p, split.fold, part) for split in folds for p, part in split.parts.items()]
        frame = pd.DataFrame(rows, columns=[PATIENT, "fold", "part"])
        frame.to_csv(folder / "splits" / f"{_file(name)}.csv", index=False, lineterminator="\n")
    text = json.dumps(_description(cohort), indent=1, ensure_ascii=False, allow_nan=False)
    (folder / "cohort.json").write_text(text + "\n", encoding="utf-8")


def _feature_column(feature: str) -> str:
    """A feature may be called patient_id too; the id column keeps its name."""
    return f"{feature} (feature)" if feature == PATIENT else feature


def _file(name: str) -> str:
    if not name or not all(c.isalnum() or c in "-_." for c in name) or name.startswith("."):
        raise InputError(f"{name!r} cannot name a file; letters, digits, - _ . are allowed. Rename it in the mapping.")
    return name


def _patients(cohort: Cohort) -> pd.DataFrame:
    frame = pd.DataFrame(index=cohort.clinical.index)
    frame[ONCOTREE] = pd.Series(dict(cohort.oncotree_codes), dtype=object).reindex(frame.index)
    parts = [frame]
    parts.append(cohort.clinical.add_prefix("clinical."))
    for name, endpoint in cohort.endpoints.items():
        known = endpoint.frame().reindex(frame.index)
        parts.append(
            pd.DataFrame(
                {f"{name}_followup_months": known["followup_months"], f"{name}_event": known["event"].astype("boolean")}
            )
        )
    if len(cohort.labels.columns):
        parts.append(cohort.labels.reindex(frame.index).add_prefix("label."))
    whole = pd.concat(parts, axis=1)
    return whole.rename_axis(PATIENT).reset_index()


def _description(cohort: Cohort) -> dict[str, object]:
    return {
        "schema": SCHEMA,
        "name": cohort.name,
        "source": cohort.source,
        "licence": cohort.licence,
        "citation": cohort.citation,
        "genome_build": cohort.genome_build,
        "counts": cohort.counts(),
        "clinical": {n: {"type": c.type.value, "unit": c.unit, "source": c.source} for n, c in cohort.columns.items()},
        "endpoints": {n: {"source": e.source} for n, e in cohort.endpoints.items()},
        "labels": [str(c) for c in cohort.labels.columns],
        "blocks": {n: {"kind": b.kind.value, "unit": b.unit} for n, b in cohort.blocks.items()},
        "batch_columns": dict(cohort.batch_columns),
        "long_tables": list(cohort.long_tables),
        "splits": list(cohort.splits),
        "notes": [
            {"kind": n.kind, "where": n.where, "what": n.what, "count": n.count, "examples": list(n.examples)}
            for n in cohort.notes
        ],
    }


def read_cohort_folder(folder: Path) -> Cohort:
    """Read a folder written by ``write_cohort_folder``.

    Raises
    ------
    InputError: no cohort.json, another schema, a missing or damaged file, a patient twice or in two parts of a fold.
    """
    path = folder / "cohort.json"
    if not path.is_file():
        raise InputError(f"{folder} is no cohort folder (no cohort.json); make one with radomica cohort import.")
    try:
        said = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise InputError(f"{path.name} of {folder.name} is damaged: {error}. Import the cohort again.") from error
    if said.get("schema") != SCHEMA:
        raise InputError(f"{folder.name} has schema {said.get('schema')!r}; {SCHEMA} is read. Import the cohort again.")
    patients = _parquet(folder / "patients.parquet").set_index(PATIENT)
    if patients.index.duplicated().any():
        twice = patients.index[patients.index.duplicated()][0]
        raise InputError(f"{folder.name}/patients.parquet: patient {twice} stands twice; one row a patient.")
    columns = {n: ColumnSpec(ColumnType(c["type"]), c["unit"], c["source"]) for n, c in said["clinical"].items()}
    clinical = patients[[f"clinical.{n}" for n in columns]].set_axis(list(columns), axis=1)
    labels = patients[[f"label.{n}" for n in said["labels"]]].set_axis(said["labels"], axis=1)
    codes = patients[ONCOTREE].dropna()
    return Cohort(
        name=said["name"],
        source=said["source"],
        licence=said["licence"],
        citation=said["citation"],
        genome_build=said["genome_build"],
        clinical=clinical,
        columns=columns,
        blocks={n: _read_block(folder, n, b) for n, b in said["blocks"].items()},
        endpoints={n: _read_endpoint(patients, n, e["source"]) for n, e in said["endpoints"].items()},
        labels=labels.loc[labels.notna().any(axis=1)] if said["labels"] else pd.DataFrame(),
        oncotree_codes=dict(zip(codes.index, codes.astype(str), strict=True)),
        long_tables={n: _parquet(folder / "tables" / f"{n}.parquet") for n in said["long_tables"]},
        splits={n: _read_splits(folder / "splits" / f"{n}.csv") for n in said["splits"]},
        notes=tuple(
            ImportNote(n["kind"], n["where"], n["what"], n["count"], tuple(n["examples"])) for n in said["notes"]
        ),
        batch_columns=said.get("batch_columns", {}),  # absent in folders written before there was a request
    )


def _parquet(path: Path) -> pd.DataFrame:
    try:
        return pd.read_parquet(path)
    except (OSError, pa.ArrowException) as error:
        raise InputError(f"{path.name} of a cohort folder cannot be read: {error}. Import the cohort again.") from error


def _read_block(folder: Path, name: str, said: Mapping[str, str]) -> Block:
    path = folder / "blocks" / f"{name}.parquet"
    try:
        table = pq.read_table(path)
    except (OSError, pa.ArrowException) as error:
        raise InputError(f"block {name} of {folder.name} cannot be read: {error}. Import the cohort again.") from error
    features = [f for f in table.column_names if f != PATIENT]
    values = np.empty((table.num_rows, len(features)), dtype=np.float32)
    for i, feature in enumerate(features):
        values[:, i] = table.column(feature).to_numpy()
    names = tuple(f.removesuffix(" (feature)") for f in features)
    return Block(BlockKind(said["kind"]), tuple(table.column(PATIENT).to_pylist()), names, values, said["unit"])


def _read_endpoint(patients: pd.DataFrame, name: str, source: str) -> Endpoint:
    time, event = patients[f"{name}_followup_months"], patients[f"{name}_event"]
    known = (time.notna() & event.notna()).to_numpy()
    return Endpoint(
        name,
        tuple(patients.index[known]),
        time[known].to_numpy(dtype=np.float64),
        event[known].to_numpy(dtype=bool),
        source,
    )


def _read_splits(path: Path) -> tuple[Split, ...]:
    """Folds in their order in the file; a patient in two parts of one fold is refused here too."""
    frame = pd.read_csv(path, dtype=str, keep_default_na=False)
    return tuple(
        split_of_pairs(str(fold), list(zip(rows[PATIENT], rows["part"], strict=True)), path.name)
        for fold, rows in frame.groupby("fold", sort=False)
    )
