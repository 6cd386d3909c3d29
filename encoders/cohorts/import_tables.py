"""A folder of tables and a mapping -> a cohort.

    cohort = import_tables(Path("omics_survival"), find_mapping("porpoise-blca"))

What this module does not know: any particular cohort; those are TOML files in mappings/.
"""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from encoders.cohorts.assemble import CohortParts, assemble
from encoders.cohorts.cohort import GENE_KINDS, NOT_STATED, Cohort, ImportNote, Split
from encoders.cohorts.mapped_table import TableParts, apply_table, patient_ids, text_columns
from encoders.cohorts.mapping import CohortMapping, FoldMap, SplitMap
from encoders.cohorts.msi import add_msi
from encoders.cohorts.raw_table import read_raw
from encoders.cohorts.splits import part_name, split_of_pairs
from encoders.cohorts.variant_files import add_variant_files
from encoders.errors import InputError


def import_tables(folder: Path, mapping: CohortMapping) -> Cohort:
    """Read every table of a mapping under ``folder``.

    Raises
    ------
    InputError: see raw_table, mapped_table, assemble; each names the file, the place and the rule.
    """
    parts = CohortParts(
        name=mapping.name,
        source=mapping.title or mapping.name,
        licence=mapping.licence,
        citation=mapping.citation,
        genome_build=mapping.genome_build,
    )
    for table in mapping.table:
        raw = read_raw(folder, table, text_columns(table))
        if raw is None:
            parts.notes.append(ImportNote("skipped", ", ".join(table.files), "optional table is not there", 1))
            continue
        given = apply_table(raw, table)
        parts.add_table(given)
        for rule in table.fold:
            parts.splits[rule.name] = _splits_of_column(given, rule)
    for rule in mapping.split:
        folds = _splits_of_files(folder, rule)
        if folds is None:
            parts.notes.append(ImportNote("skipped", rule.files, "optional split files are not there", 1))
        else:
            parts.splits[rule.name] = folds
    if mapping.mutations is not None:
        add_variant_files(parts, folder, mapping.mutations)
    if mapping.msi is not None:
        add_msi(parts, mapping.msi.column, mapping.msi.tool)
    genes = [block.name for block in parts.blocks if block.kind in GENE_KINDS]
    if parts.genome_build == NOT_STATED and genes:
        parts.note("defaulted", mapping.name, "blocks of genes whose genome build the mapping does not state", genes)
    return assemble(parts)


def _splits_of_column(given: TableParts, rule: FoldMap) -> list[Split]:
    cells = given.fold_cells[rule.column]
    where = f"{given.where}, column {rule.column}"
    if rule.part is None:
        pairs = [(patient, part_name(cell, where)) for patient, cell in cells.items()]
        return [split_of_pairs("0", pairs, where)]
    folds = sorted(set(cells.values()))
    return [
        split_of_pairs(k, [(p, rule.part if cell == k else "train") for p, cell in cells.items()], where) for k in folds
    ]


def _splits_of_files(folder: Path, rule: SplitMap) -> list[Split] | None:
    """One file a fold, its columns named after the parts, its cells patient ids."""
    found = []
    for fold in rule.folds:
        path = folder / rule.files.replace("{fold}", fold)
        where = str(path.relative_to(folder))
        if not path.is_file():
            if rule.optional:
                return None
            raise InputError(f"{where} is not in {folder.name}; the mapping reads the folds {', '.join(rule.folds)}.")
        frame = pd.read_csv(path, dtype=str, keep_default_na=False)
        pairs = []
        for column in frame.columns:
            if column == "" or column.startswith("Unnamed"):
                continue
            cells = [c.strip() for c in frame[column] if c.strip()]
            part = part_name(column, where)
            pairs += [(p, part) for p in patient_ids(cells, rule.ids, where)]
        found.append(split_of_pairs(fold, pairs, where))
    return found
