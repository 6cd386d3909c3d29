"""Gene expression of one sample: GDC STAR counts, or a gene/value table (TSV or CSV) with HGNC symbols.

Which column is read, in this order: (1) a column of a known unit (tpm_unstranded, fpkm, tpm, count ...);
(2) the only numeric column; (3) of several sample columns, the one whose name is, or begins with, the
patient's id; otherwise the table is refused (with allow_any_sample the first one is read, and said).

What this module does not know: alias symbols (a gene is kept as written) and batch effects.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from encoders.errors import InputError
from encoders.patient import Expression, SourceLocator
from encoders.read.reading import Reading
from encoders.read.sniff import read_text
from encoders.read.table import Table, gene_column, numbers, read_table

UNIT_COLUMNS = {
    "tpm_unstranded": "TPM",
    "tpm": "TPM",
    "log2_tpm": "log2 TPM+1",
    "log2_tpm_plus_1": "log2 TPM+1",
    "log2(tpm+1)": "log2 TPM+1",
    "fpkm_unstranded": "FPKM",
    "fpkm": "FPKM",
    "zscore": "z-score",
    "z_score": "z-score",
    "z-score": "z-score",
    "unstranded": "counts",
    "count": "counts",
    "counts": "counts",
}
"""Column name (lower case) -> unit, best first."""

LINEAR_UNITS = frozenset(("TPM", "FPKM", "counts"))
"""Units in which values of two rows of one symbol may be added."""

_ID_COLUMNS = frozenset(("entrez_gene_id", "entrez", "gene_id", "ensembl", "ensembl_id", "gene_type", "cytoband"))
UNSTATED = "unstated"


def read_expression(
    path: Path, name: str, *, patient_ids: Sequence[str] = (), allow_any_sample: bool = False, unit: str | None = None
) -> Reading[Expression]:
    """Read one sample's expression; ``unit`` overrides an unstated one (from a meta file).

    Raises
    ------
    InputError: no gene column, text or NaN where a number is needed (file, line and gene named), or
        several samples of which none is this patient's.
    """
    table = read_table(path, read_text(path, name), name)
    genes_in = gene_column(table.frame.columns)
    if genes_in is None:
        raise InputError(f"{name}: no gene column; name one of them gene, gene_name or Hugo_Symbol.")
    keep = _gene_rows(table, genes_in)
    table = Table(frame=keep, first_line=table.first_line, comments=table.comments)
    column, stated, warnings, samples = _value_column(table, genes_in, name, patient_ids, allow_any_sample)
    genes = [g.strip() for g in table.frame[genes_in]]
    values = _checked_numbers(table, column, genes, name)
    unit = stated if stated != UNSTATED or unit is None else unit
    if unit == UNSTATED:
        warnings.append(f"{name}: the unit of column {column!r} is not stated; values are used as read.")
    symbols, merged, repeated = _merge(genes, values, unit)
    if repeated:
        how = "added" if unit in LINEAR_UNITS else "kept at their first row"
        warnings.append(f"{name}: {repeated} rows repeat a gene symbol; their values were {how}.")
    expression = Expression(
        genes=symbols,
        values=merged.astype(np.float32),
        unit=unit,
        source=SourceLocator(name, f"column {column}"),
    )
    return Reading(expression, sample_ids=samples, warnings=tuple(warnings))


def _gene_rows(table: Table, genes_in: str) -> pd.DataFrame:
    """Rows with a gene; STAR's N_unmapped ... N_ambiguous rows are counters, not genes. Line numbers stay as index."""
    first = table.frame.iloc[:, 0].str.strip()
    counters = first.str.match(r"^(N_|__)(unmapped|multimapping|noFeature|ambiguous|no_feature|not_aligned)")
    blank = (table.frame == "").all(axis=1)
    return table.frame[~counters & ~blank]


def _checked_numbers(table: Table, column: str, genes: Sequence[str], name: str) -> np.ndarray:
    """The values, once every row is known to name a gene."""
    if not genes:
        raise InputError(f"{name}: the table has a header and no gene rows; export it again.")
    empty = next((i for i, gene in enumerate(genes) if not gene), None)
    if empty is not None:
        line = table.line(empty)
        raise InputError(f"{name}: line {line} has no gene name; remove the row or name the gene.")
    return numbers(table, column, genes, name)


def _value_column(
    table: Table, genes_in: str, name: str, patient_ids: Sequence[str], allow_any_sample: bool
) -> tuple[str, str, list[str], tuple[str, ...]]:
    for known, unit in UNIT_COLUMNS.items():
        column = table.column(known)
        if column is not None:
            return column, unit, [], ()
    others = [
        c for c in table.frame.columns if c != genes_in and c.lower().replace(" ", "_") not in _ID_COLUMNS and c.strip()
    ]
    numeric = [c for c in others if pd.to_numeric(table.frame[c], errors="coerce").notna().any()]
    if not numeric:
        found = table.frame[others[0]].iloc[0] if others and len(table.frame) else "nothing"
        raise InputError(
            f"{name}: no column of numbers beside the gene column {genes_in!r} (first value found: {found!r}); "
            "expression values must be numbers."
        )
    if len(numeric) == 1:
        generic = numeric[0].lower() in ("value", "expression")
        return numeric[0], UNSTATED, [], () if generic else (numeric[0],)
    column, warnings = choose_sample(numeric, name, patient_ids, allow_any_sample)
    return column, UNSTATED, warnings, (column,)


def choose_sample(
    samples: Sequence[str], name: str, patient_ids: Sequence[str], allow_any_sample: bool
) -> tuple[str, list[str]]:
    """The one sample of this patient among several (module docstring, rule 3), and what to warn of.

    Raises
    ------
    InputError: none or several of the samples belong to the patient.
    """
    mine = [s for s in samples if any(belongs(s, patient) for patient in patient_ids)]
    if len(mine) == 1:
        return mine[0], [f"{name}: holds {len(samples)} samples; {mine[0]!r} is this patient's and was read."]
    if allow_any_sample:
        taken = (mine or list(samples))[0]
        return taken, [
            f"{name}: holds {len(samples)} samples; the first one taken, {taken!r}, may be another person's."
        ]
    what = f"{len(mine)} of them begin with the patient's id" if mine else "none is named after the patient"
    raise InputError(
        f"{name}: holds {len(samples)} samples ({', '.join(samples[:3])} ...) and {what}"
        f"{' (' + ', '.join(patient_ids) + ')' if patient_ids else ''}. "
        "Keep this patient's sample only, in a table of its own."
    )


def belongs(sample: str, patient: str) -> bool:
    """Whether a sample is named after the patient: the same id, or the id followed by a non-alphanumeric suffix."""
    sample, patient = sample.strip().lower(), patient.strip().lower()
    return bool(patient) and (sample == patient or (sample.startswith(patient) and not sample[len(patient)].isalnum()))


def _merge(genes: Sequence[str], values: np.ndarray, unit: str) -> tuple[tuple[str, ...], np.ndarray, int]:
    """One value per symbol: repeated symbols are added in linear units, else the first row stays."""
    series = pd.Series(values, index=pd.Index(genes))
    repeated = int(series.index.duplicated().sum())
    if not repeated:
        return tuple(genes), values, 0
    grouped = series.groupby(level=0, sort=False)
    merged = grouped.sum() if unit in LINEAR_UNITS else grouped.first()
    return tuple(merged.index), merged.to_numpy(), repeated
