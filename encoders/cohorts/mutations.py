"""Mutations of many samples: a long table, flags (patients x genes), and burden over a stated number of megabases.

Counted as a mutation: what changes the protein (encoders/read/hgvs.py), FILTER passed, somatic. A patient who was
sequenced and has no such mutation is a row of 0; one who was not sequenced has no row; a gene off the patient's panel
is NaN. What this module does not know: drivers, clonality, germline; burden over another panel than the one stated.

References
----------
Burden as nonsynonymous coding mutations a megabase: Friends of Cancer Research TMB harmonisation,
Merino D.M. et al., J Immunother Cancer 2020;8:e000147, DOI 10.1136/jitc-2019-000147.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import pandas as pd

from encoders.cohorts.assemble import CohortParts
from encoders.cohorts.cohort import NOT_STATED, BlockKind, ColumnSpec, ColumnType, ImportNote
from encoders.cohorts.mapped_table import BlockPart
from encoders.errors import InputError
from encoders.gene_symbols import approved_symbol
from encoders.read.genome_build import build_named, one_build
from encoders.read.hgvs import SILENT, is_silent
from encoders.read.variants import PASSED

TMB = "tmb_mutations_per_megabase"
NOT_CODING = frozenset(
    (
        *("Splice_Region", "Targeted_Region", "Translation_Start_Site_Region", "5'Flank", "upstream_gene_variant"),
        *("splice_region_variant", "splice_polypyrimidine_tract_variant", "splice_donor_region_variant"),
        "splice_donor_5th_base_variant",
    )
)
"""Classes (MAF, Sequence Ontology) that are kept as findings and are no coding change for the burden."""


def stated_build(cells: Iterable[str], where: str) -> str:
    """The one genome build of a column of build names; "not stated" when all are empty.

    Raises
    ------
    InputError: several builds, one that is not supported, or a word that names none.
    """
    builds = []
    for text in dict.fromkeys(str(c).strip() for c in cells):
        if text in ("", "NA", "nan", ".", NOT_STATED):
            continue
        build = build_named(text, where)
        if build is None:
            raise InputError(f"{where}: genome build {text!r} is not known; allowed are GRCh37 and GRCh38.")
        builds.append(build)
    found = one_build(builds, where)
    return found.value if found else NOT_STATED


def kept_mutations(maf: pd.DataFrame, where: str) -> tuple[pd.DataFrame, list[ImportNote]]:
    """Rows that change a protein, passed their filter and are somatic, with gene symbols approved; the rest is counted.

    maf : text cells with Hugo_Symbol, Variant_Classification; FILTER and Mutation_Status where there
    """
    for column in ("Hugo_Symbol", "Variant_Classification"):
        if column not in maf.columns:
            raise InputError(f"{where}: no column {column}; a MAF has it.")
    gene = maf["Hugo_Symbol"].fillna("").str.strip()
    silent = pd.Series(
        [is_silent(c, g) for c, g in zip(maf["Variant_Classification"].fillna(""), gene, strict=True)], index=maf.index
    )
    reasons = {"rows name no gene": gene.isin(["", "Unknown", ".", "-"])}
    if "FILTER" in maf.columns:
        flags = maf["FILTER"].fillna("").str.split(";")
        reasons["variants did not pass their FILTER"] = flags.map(lambda cell: any(f not in PASSED for f in cell))
    if "Mutation_Status" in maf.columns:
        status = maf["Mutation_Status"].fillna("").str.lower()
        reasons["variants are germline, wild type or loss of heterozygosity"] = status.isin(
            ["germline", "wildtype", "loh", "none"]
        )
    reasons["variants do not change a protein"] = silent
    notes, left = [], pd.Series(False, index=maf.index)
    for what, rows in reasons.items():
        new = rows & ~left
        left |= new
        if new.any():
            notes.append(ImportNote("skipped", where, f"{what}; left out", int(new.sum())))
    kept = maf[~left].copy()
    kept["Hugo_Symbol"], renamed = approved_genes(kept["Hugo_Symbol"].str.strip(), where)
    return kept, [*notes, *renamed]


def approved_genes(names: pd.Series, where: str) -> tuple[pd.Series, list[ImportNote]]:
    """Names of genes in a list of alterations under their approved symbols; those without one stay as written.

    Two names of one gene become one here, as rows of a list are findings; columns of measurements are never merged
    (encoders/gene_symbols.py). Unknown names are counted where the flags are made (assemble.py).
    """
    approved = {name: approved_symbol(name) or name for name in dict.fromkeys(names)}
    changed = tuple(f"{old} -> {new}" for old, new in approved.items() if old != new)
    what = "gene names were brought to their approved symbol"
    notes = [ImportNote("renamed", where, what, len(changed), changed)] if changed else []
    return names.map(approved), notes


def mutation_flags(
    kept: pd.DataFrame, sequenced: Sequence[str], panels: Mapping[str, frozenset[str]] | None = None
) -> pd.DataFrame:
    """Flags (patients x genes) float32: 1 = at least one kept mutation, 0 = none, NaN = gene off the patient's panel.

    kept : columns patient_id, Hugo_Symbol
    sequenced : every patient who was sequenced
    panels : patient -> genes of the panel; a patient without entry had the whole exome
    """
    genes = sorted(set(kept["Hugo_Symbol"]).union(*(panels or {}).values()))
    flags = pd.DataFrame(np.zeros((len(sequenced), len(genes)), np.float32), index=list(sequenced), columns=genes)
    row = {p: i for i, p in enumerate(sequenced)}
    column = {g: i for i, g in enumerate(genes)}
    values = flags.to_numpy(copy=True)
    for patient, panel in (panels or {}).items():
        if patient in row:
            values[row[patient], [column[g] for g in genes if g not in panel]] = np.nan
    places = [(row[p], column[g]) for p, g in zip(kept["patient_id"], kept["Hugo_Symbol"], strict=True) if p in row]
    if places:
        rows, columns = np.array(places).T
        values[rows, columns] = 1.0
    return pd.DataFrame(values, index=pd.Index(sequenced, name="patient_id"), columns=genes)


def add_mutations(
    parts: CohortParts,
    maf: pd.DataFrame,
    sequenced: Sequence[str],
    where: str,
    *,
    panels: Mapping[str, frozenset[str]] | None = None,
    megabases: float | None = None,
) -> None:
    """Add the long table, the flags and, where megabases are stated, the burden.

    maf : text cells with the column patient_id
    """
    kept, notes = kept_mutations(maf, where)
    parts.notes += notes
    parts.long_tables["mutations"] = kept
    if not len(sequenced):
        return
    flags = mutation_flags(kept, sequenced, panels)
    if len(flags.columns):
        parts.blocks.append(BlockPart("mutations", BlockKind.MUTATIONS, "mutated 0/1", flags))
    if megabases is None:
        parts.notes.append(
            ImportNote("skipped", where, "burden (TMB) not derived: no megabases stated", len(sequenced))
        )
        return
    on_panel = [p for p in sequenced if p in (panels or {})]
    parts.note("skipped", TMB, "patients had a gene panel of unstated size; no burden for them", on_panel)
    add_burden(parts, kept, [p for p in sequenced if p not in (panels or {})], megabases)


def _is_coding(consequence: str) -> bool:
    """Whether any part ("missense_variant&splice_region_variant") changes the coding sequence or a splice site."""
    return any(part.strip() not in SILENT | NOT_CODING for part in re.split(r"[&,]", consequence))


def add_burden(parts: CohortParts, kept: pd.DataFrame, sequenced: Sequence[str], megabases: float) -> None:
    """The clinical column ``TMB``: kept coding mutations of each sequenced patient over ``megabases``."""
    classes = {cell: _is_coding(cell) for cell in set(kept["Variant_Classification"])}
    coding = kept["Variant_Classification"].map(classes).astype(bool)
    count = kept.loc[coding, "patient_id"].value_counts()
    burden = count.reindex(list(sequenced)).fillna(0).astype(float) / megabases
    parts.clinical.append(burden.rename(TMB).rename_axis("patient_id").to_frame())
    how = f"nonsynonymous somatic mutations / {megabases:g} Mb"
    parts.columns[TMB] = ColumnSpec(ColumnType.NUMBER, "mutations/Mb", how)
    parts.notes.append(ImportNote("defaulted", TMB, f"patients have a burden derived as {how}", len(sequenced)))
