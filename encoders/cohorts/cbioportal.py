"""A cBioPortal study folder -> a cohort: every meta_*.txt names a data file, what it holds and its datatype.

Read: clinical patients and samples (four # lines above the header), mRNA, mutations (MAF), discrete copy number (wide
and long), log2 copy number, SEG, methylation, protein, structural variants, gene panels, case lists (who was
sequenced). Not read, and counted: generic assays, gene sets, GISTIC peaks, resources, timelines. Endpoints are the
pairs X_STATUS / X_MONTHS of the clinical tables; "1:..." or a word listed here means the event. What this module does
not know: liftover, and units that the study's own words do not tell.

References
----------
Cerami E. et al., Cancer Discovery 2012;2:401, DOI 10.1158/2159-8290.CD-12-0095; File-Formats.md of cBioPortal.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import pandas as pd

from encoders.cohorts.assemble import CohortParts, assemble
from encoders.cohorts.cbioportal_alterations import (
    add_study_fusions,
    add_study_mutations,
    add_study_segments,
    data_file,
    read_meta,
)
from encoders.cohorts.cbioportal_clinical import add_clinical
from encoders.cohorts.cohort import NOT_STATED, BlockKind, Cohort, ImportNote
from encoders.cohorts.gene_rows import numbers_of_genes, read_text_table
from encoders.cohorts.headers import separator_hint
from encoders.cohorts.mapped_table import BlockPart
from encoders.cohorts.msi import add_msi
from encoders.cohorts.mutations import stated_build
from encoders.cohorts.samples import Samples, by_patient, one_sample_each
from encoders.errors import InputError

_FEATURE_COLUMNS = ("Hugo_Symbol", "Gene Symbol", "Composite.Element.REF", "ENTITY_STABLE_ID")
_NOT_SAMPLES = frozenset((*_FEATURE_COLUMNS, "Entrez_Gene_Id", "Cytoband", "Locus ID"))
_KINDS = {
    ("MRNA_EXPRESSION", "CONTINUOUS"): ("expression", BlockKind.EXPRESSION),
    ("MRNA_EXPRESSION", "Z-SCORE"): ("expression_zscore", BlockKind.EXPRESSION),
    ("COPY_NUMBER_ALTERATION", "DISCRETE"): ("copy_number", BlockKind.COPY_NUMBER),
    ("COPY_NUMBER_ALTERATION", "LOG2-VALUE"): ("copy_number_log2", BlockKind.COPY_NUMBER_LOG2),
    ("COPY_NUMBER_ALTERATION", "CONTINUOUS"): ("copy_number_log2", BlockKind.COPY_NUMBER_LOG2),
    ("METHYLATION", "CONTINUOUS"): ("methylation", BlockKind.METHYLATION),
    ("PROTEIN_LEVEL", "LOG2-VALUE"): ("protein", BlockKind.PROTEIN),
    ("PROTEIN_LEVEL", "CONTINUOUS"): ("protein", BlockKind.PROTEIN),
    ("PROTEIN_LEVEL", "Z-SCORE"): ("protein_zscore", BlockKind.PROTEIN),
}


def is_study(folder: Path) -> bool:
    """Whether a folder is a cBioPortal study (it holds meta_study.txt)."""
    return (folder / "meta_study.txt").is_file()


def import_study(folder: Path, *, megabases: float | None = None, msi: tuple[str, str] | None = None) -> Cohort:
    """Read a study.

    megabases : denominator of the mutational burden; None = no burden is derived
    msi : (clinical column, tool) from which MSI status is made

    Raises
    ------
    InputError: no meta_study.txt or clinical table, a named file that is not there, mixed builds, text in numbers.
    """
    if not is_study(folder):
        raise InputError(f"{folder.name}: no meta_study.txt; a cBioPortal study folder has one.")
    study = read_meta(folder / "meta_study.txt")
    name = study.get("cancer_study_identifier", folder.name)
    parts = CohortParts(name=name, source=study.get("name", name), citation=study.get("citation", ""))
    metas = [read_meta(p) for p in sorted(folder.glob("meta_*.txt")) if p.name != "meta_study.txt"]
    of_kind: dict[str, list[Mapping[str, str]]] = {}
    for meta in metas:
        of_kind.setdefault(meta.get("genetic_alteration_type", "RESOURCE"), []).append(meta)
    samples = add_clinical(parts, _clinical_files(parts, folder, of_kind.pop("CLINICAL", [])))
    parts.genome_build = stated_build(
        [m.get("reference_genome", m.get("reference_genome_id", "")) for m in (study, *metas)], f"{name}, meta files"
    )
    if mafs := of_kind.pop("MUTATION_EXTENDED", []):
        add_study_mutations(parts, folder, mafs, samples, megabases)
    if fusions := of_kind.pop("STRUCTURAL_VARIANT", []):
        add_study_fusions(parts, folder, fusions, samples)
    if segments := [m for m in metas if m.get("datatype", "").upper() == "SEG"]:
        add_study_segments(parts, folder, segments, samples)
    for kind, group in of_kind.items():
        for meta in (m for m in group if m not in segments):
            _profile(parts, folder, meta, samples, kind)
    _unread(parts, folder, metas)
    if parts.genome_build == NOT_STATED:
        parts.notes.append(ImportNote("defaulted", name, "genome build is stated by no file of the study", 1))
    if msi is not None:
        add_msi(parts, *msi)
    return assemble(parts)


def _clinical_files(parts: CohortParts, folder: Path, metas: Sequence[Mapping[str, str]]) -> dict[str, Path]:
    """Datatype -> clinical table; other clinical files (timelines) are counted.

    Raises
    ------
    InputError: two tables of one datatype.
    """
    found: dict[str, Path] = {}
    for meta in metas:
        datatype, path = meta.get("datatype", ""), data_file(folder, meta)
        if datatype not in ("PATIENT_ATTRIBUTES", "SAMPLE_ATTRIBUTES"):
            what = f"clinical table of datatype {datatype or 'none'} is not read"
            parts.notes.append(ImportNote("skipped", path.name, what, 1))
        elif datatype in found:
            raise InputError(f"{found[datatype].name} and {path.name} are both {datatype}; put them into one table.")
        else:
            found[datatype] = path
    return found


def _unread(parts: CohortParts, folder: Path, metas: Sequence[Mapping[str, str]]) -> None:
    """Data files that stand in the folder and that no meta file names."""
    named = {meta.get("data_filename", "") for meta in metas}
    there = [p.name for p in sorted(folder.glob("data_*")) if p.is_file() and not p.name.startswith("data_gene_panel")]
    unread = [name for name in there if name not in named]
    parts.note("warning", folder.name, "data files are named by no meta file and were not read", unread)


def _profile(parts: CohortParts, folder: Path, meta: Mapping[str, str], samples: Samples, kind: str) -> None:
    """One table of numbers, or a note that it is not read."""
    datatype = meta.get("datatype", "").upper()
    where = meta.get("data_filename", kind)
    if kind == "COPY_NUMBER_ALTERATION" and datatype == "DISCRETE_LONG":
        _discrete_long(parts, read_text_table(data_file(folder, meta), parts), samples, where)
    elif (kind, datatype) in _KINDS:
        name, block = _KINDS[(kind, datatype)]
        table = read_text_table(data_file(folder, meta), parts, numbers_but=_NOT_SAMPLES)
        _wide(parts, table, samples, where, (_free(parts, name, meta), block, _unit(meta)))
    elif kind == "GENERIC_ASSAY" and meta.get("generic_assay_type", "").upper() == "METHYLATION":
        named = {c.strip() for c in meta.get("generic_entity_meta_properties", "").split(",")} | {"NAME", "DESCRIPTION"}
        table = read_text_table(data_file(folder, meta), parts).drop(columns=sorted(named), errors="ignore")
        _wide(parts, table, samples, where, (_free(parts, "methylation", meta), BlockKind.METHYLATION, _unit(meta)))
    elif kind not in ("CANCER_TYPE", "GENE_PANEL_MATRIX"):
        parts.notes.append(ImportNote("skipped", where, f"table of type {kind} {datatype} is not read", 1))


def _free(parts: CohortParts, name: str, meta: Mapping[str, str]) -> str:
    """The block's usual name, or with the profile's stable id where that name is taken."""
    taken = {block.name for block in parts.blocks}
    return name if name not in taken else f"{name}_{meta.get('stable_id', len(taken))}"


def _unit(meta: Mapping[str, str]) -> str:
    """Only what the meta file says: z-score, log2, beta; an amount (RSEM, TPM, FPKM) when its words name one."""
    kind, datatype = meta.get("genetic_alteration_type", ""), meta.get("datatype", "").upper()
    words = f"{meta.get('profile_name', '')} {meta.get('profile_description', '')}".lower()
    if datatype == "Z-SCORE":
        return "z-score"
    if kind == "COPY_NUMBER_ALTERATION":
        return "GISTIC -2..2" if datatype.startswith("DISCRETE") else "log2 ratio"
    if kind in ("METHYLATION", "GENERIC_ASSAY"):
        return "beta value" if "beta" in words else NOT_STATED
    if kind == "MRNA_EXPRESSION" and "log" not in words:
        return next((u for u in ("RSEM", "TPM", "FPKM", "RPKM", "CPM") if u.lower() in words), NOT_STATED)
    return NOT_STATED


def _wide(
    parts: CohortParts, table: pd.DataFrame, samples: Samples, where: str, what: tuple[str, BlockKind, str]
) -> None:
    """Genes in rows, samples in columns -> a block, one sample a patient."""
    name, kind, unit = what
    gene_in = next((c for c in _FEATURE_COLUMNS if c in table.columns), None)
    if gene_in is None:
        hint = separator_hint(list(table.columns), "\t")
        found = ", ".join(map(str, table.columns[:6]))
        raise InputError(f"{where}: no column {' or '.join(_FEATURE_COLUMNS)}; found {found}.{hint} Correct the table.")
    if not len(table):
        raise InputError(f"{where}: a header and no row; at least one gene is needed. Leave out its meta file.")
    columns = [c for c in table.columns if c not in _NOT_SAMPLES]
    chosen = one_sample_each(samples, columns, parts, where)
    if not chosen:
        raise InputError(
            f"{where}: none of its {len(columns)} samples ({', '.join(columns[:3])}) is in the clinical sample table."
        )
    frame = numbers_of_genes(table, gene_in, list(chosen.values()), unit, where, parts)
    parts.blocks.append(BlockPart(name, kind, unit, by_patient(frame.T, chosen)))


def _discrete_long(parts: CohortParts, table: pd.DataFrame, samples: Samples, where: str) -> None:
    """One row a gene and sample -> a block."""
    for column in ("Hugo_Symbol", "Sample_Id", "Value"):
        if column not in table.columns:
            raise InputError(f"{where}: no column {column}; a DISCRETE_LONG table has it.")
    named = table["Hugo_Symbol"].str.strip() != ""
    parts.note("skipped", where, "rows name no gene", table.index[~named].tolist())
    rows = table[named]
    twice = rows.duplicated(["Hugo_Symbol", "Sample_Id"])
    parts.note(
        "reduced", where, "rows repeat a gene and sample; the first was kept", rows["Hugo_Symbol"][twice].tolist()
    )
    wide = rows[~twice].pivot(index="Hugo_Symbol", columns="Sample_Id", values="Value").fillna("").reset_index()
    _wide(parts, wide, samples, where, ("copy_number", BlockKind.COPY_NUMBER, "GISTIC -2..2"))
