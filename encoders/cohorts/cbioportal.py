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

from collections.abc import Mapping
from pathlib import Path

import pandas as pd

from encoders.cohorts.assemble import CohortParts, assemble
from encoders.cohorts.cbioportal_clinical import add_clinical
from encoders.cohorts.cohort import NOT_STATED, BlockKind, Cohort, ImportNote
from encoders.cohorts.gene_rows import numbers_of_genes, read_text_table
from encoders.cohorts.mapped_table import BlockPart
from encoders.cohorts.msi import add_msi
from encoders.cohorts.mutations import add_mutations, stated_build
from encoders.cohorts.samples import Samples, by_patient, one_sample_each
from encoders.errors import InputError

_NOT_SAMPLES = frozenset(
    ("Hugo_Symbol", "Entrez_Gene_Id", "Cytoband", "Gene Symbol", "Locus ID", "Composite.Element.REF")
)
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
    samples = add_clinical(parts, {m.get("datatype", ""): _data(folder, m) for m in of_kind.pop("CLINICAL", [])})
    parts.genome_build = stated_build(
        [m.get("reference_genome", m.get("reference_genome_id", "")) for m in (study, *metas)], f"{name}, meta files"
    )
    for meta in of_kind.pop("MUTATION_EXTENDED", []):
        _mutations(parts, folder, meta, samples, megabases)
    for meta in of_kind.pop("STRUCTURAL_VARIANT", []):
        _long(parts, folder, meta, samples, "structural_variants", "Sample_Id")
    for kind, group in of_kind.items():
        for meta in group:
            _profile(parts, folder, meta, samples, kind)
    if msi is not None:
        add_msi(parts, *msi)
    return assemble(parts)


def read_meta(path: Path) -> dict[str, str]:
    """The key: value lines of a meta file."""
    lines = (line.partition(":") for line in path.read_text(encoding="utf-8-sig").splitlines())
    return {key.strip(): value.strip() for key, _, value in lines if value.strip()}


def _data(folder: Path, meta: Mapping[str, str]) -> Path:
    path = folder / meta.get("data_filename", "")
    if not path.is_file():
        raise InputError(
            f"{path.name} is not in {folder.name}, though a meta file names it; add it or remove the meta file."
        )
    return path


def _profile(parts: CohortParts, folder: Path, meta: Mapping[str, str], samples: Samples, kind: str) -> None:
    """One table of numbers, or a note that it is not read."""
    datatype = meta.get("datatype", "").upper()
    where = meta.get("data_filename", kind)
    if kind == "COPY_NUMBER_ALTERATION" and datatype == "SEG":
        _long(parts, folder, meta, samples, "segments", "ID")
    elif kind == "COPY_NUMBER_ALTERATION" and datatype == "DISCRETE_LONG":
        _discrete_long(parts, read_text_table(_data(folder, meta)), samples, where)
    elif (kind, datatype) in _KINDS:
        name, block = _KINDS[(kind, datatype)]
        table = read_text_table(_data(folder, meta), numbers_but=_NOT_SAMPLES)
        _wide(parts, table, samples, where, (_free(parts, name, meta), block, _unit(meta)))
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
    if kind == "METHYLATION":
        return "beta value" if "beta" in words else NOT_STATED
    if kind == "MRNA_EXPRESSION" and "log" not in words:
        return next((u for u in ("RSEM", "TPM", "FPKM", "RPKM", "CPM") if u.lower() in words), NOT_STATED)
    return NOT_STATED


def _wide(
    parts: CohortParts, table: pd.DataFrame, samples: Samples, where: str, what: tuple[str, BlockKind, str]
) -> None:
    """Genes in rows, samples in columns -> a block, one sample a patient."""
    name, kind, unit = what
    gene_in = next((c for c in ("Hugo_Symbol", "Gene Symbol", "Composite.Element.REF") if c in table.columns), None)
    if gene_in is None:
        raise InputError(f"{where}: no column Hugo_Symbol; a gene table of cBioPortal has it.")
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


def _long(
    parts: CohortParts, folder: Path, meta: Mapping[str, str], samples: Samples, name: str, sample_in: str
) -> None:
    """A long table with the patient's id in front; rows of samples that do not stand for a patient are left out."""
    where = meta.get("data_filename", name)
    table = read_text_table(_data(folder, meta))
    if sample_in not in table.columns:
        raise InputError(f"{where}: no column {sample_in}.")
    build_in = next((c for c in ("NCBI_Build", "Ncbi_Build") if c in table.columns), None)
    if build_in is not None:
        parts.genome_build = stated_build([*table[build_in], parts.genome_build], where)
    chosen = one_sample_each(samples, table[sample_in], parts, where)
    patient = {sample: p for p, sample in chosen.items()}
    kept = table[table[sample_in].isin(patient)].copy()
    kept.insert(0, "patient_id", kept[sample_in].map(patient))
    parts.long_tables[name] = kept.reset_index(drop=True)


def _mutations(
    parts: CohortParts, folder: Path, meta: Mapping[str, str], samples: Samples, megabases: float | None
) -> None:
    where = meta.get("data_filename", "mutations")
    maf = read_text_table(_data(folder, meta))
    if "Tumor_Sample_Barcode" not in maf.columns:
        raise InputError(f"{where}: no column Tumor_Sample_Barcode; a MAF has it.")
    if "NCBI_Build" in maf.columns:
        parts.genome_build = stated_build([*maf["NCBI_Build"], parts.genome_build], where)
    listed = _case_list(folder / "case_lists" / "cases_sequenced.txt")
    if not listed:
        what = "no case list of sequenced samples; patients without any mutation row count as not sequenced"
        parts.notes.append(ImportNote("warning", where, what, 1))
    chosen = one_sample_each(samples, [*listed, *maf["Tumor_Sample_Barcode"]], parts, where)
    patient = {sample: p for p, sample in chosen.items()}
    kept = maf[maf["Tumor_Sample_Barcode"].isin(patient)].copy()
    kept.insert(0, "patient_id", kept["Tumor_Sample_Barcode"].map(patient))
    of_sample = _panels(folder)
    panels = {p: of_sample[s] for p, s in chosen.items() if s in of_sample}
    add_mutations(parts, kept, sorted(chosen), where, panels=panels, megabases=megabases)


def _case_list(path: Path) -> list[str]:
    return read_meta(path).get("case_list_ids", "").split() if path.is_file() else []


def _panels(folder: Path) -> dict[str, frozenset[str]]:
    """sample id -> genes of its mutation panel, from the gene panel matrix; samples without a panel had the exome."""
    path = folder / "data_gene_panel_matrix.txt"
    if not path.is_file():
        return {}
    matrix = read_text_table(path)
    if "mutations" not in matrix.columns:
        return {}
    genes = {}
    for file in sorted(folder.glob("data_gene_panel_*.txt")):
        said = read_meta(file) if file != path else {}
        if "stable_id" in said:
            genes[said["stable_id"]] = frozenset(said.get("gene_list", "").split())
    named = matrix[~matrix["mutations"].isin(["NA", "", "WXS", "WES", "WGS"])]
    gone = sorted(set(named["mutations"]) - set(genes))
    if gone:
        raise InputError(f"{path.name} names gene panel {gone[0]!r}, whose data_gene_panel_ file is not there; add it.")
    return {s: genes[p] for s, p in zip(named["SAMPLE_ID"], named["mutations"], strict=True)}
