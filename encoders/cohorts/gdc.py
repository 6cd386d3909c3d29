"""A folder of GDC files -> a cohort: the sample sheet says whose file is whose, the clinical table who they are.

Read by the sheet's Data Type: Gene Expression Quantification (STAR counts: TPM, or counts by choice), Masked Somatic
Mutation (MAF, gz), Gene Level Copy Number, copy-number segments, miRNA, Methylation Beta Value, Protein Expression
Quantification. Files may stand
in folders named after their file id or beside the sheet. The genome build is what the MAFs say. What this module does
not know: images, reads, controlled data; a manifest alone names no patient, so without the sample sheet only MAFs
could be joined, and the folder is refused.

References
----------
Grossman R.L. et al., N Engl J Med 2016;375:1109 (GDC), DOI 10.1056/NEJMp1607591; docs of GDC data release 32 and later.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from encoders.cohorts.assemble import CohortParts, assemble
from encoders.cohorts.cohort import NOT_STATED, BlockKind, Cohort, ImportNote
from encoders.cohorts.gdc_clinical import add_clinical, clinical_file
from encoders.cohorts.gene_rows import numbers_of_genes, read_text_table
from encoders.cohorts.mapped_table import BlockPart
from encoders.cohorts.mutations import add_mutations, stated_build
from encoders.cohorts.samples import Samples, one_sample_each
from encoders.cohorts.segments import check_segments
from encoders.errors import InputError

EXPRESSION_COLUMNS = {"TPM": "tpm_unstranded", "counts": "unstranded", "FPKM": "fpkm_unstranded"}
"""Unit -> column of an augmented STAR counts file."""


@dataclass(frozen=True)
class PerSample:
    """One data type with a file a sample: the block it gives, its feature and value columns, its unit."""

    block: str
    kind: BlockKind
    feature: str | int
    value: str | int
    unit: str


PER_SAMPLE = {
    "Gene Level Copy Number": PerSample(
        "copy_number_copies", BlockKind.OTHER, "gene_name", "copy_number", "copies (ploidy not taken out)"
    ),
    "miRNA Expression Quantification": PerSample(
        "mirna", BlockKind.MIRNA, "miRNA_ID", "reads_per_million_miRNA_mapped", "RPM"
    ),
    "Methylation Beta Value": PerSample("methylation", BlockKind.METHYLATION, 0, 1, "beta value"),
    "Protein Expression Quantification": PerSample(
        "protein", BlockKind.PROTEIN, "peptide_target", "protein_expression", "RPPA, level 4"
    ),
}

SEGMENTS = {
    "Copy Number Segment": "segments_unmasked",
    "Masked Copy Number Segment": "segments",
    "Allele-specific Copy Number Segment": "segments_allele_specific",
}
"""Data type -> long table; masked = germline segments taken out by the GDC."""

_GENCODE = re.compile(r"^#\s*gene-model:\s*GENCODE v(\d+)(lift37)?")
FIRST_GRCH38_GENCODE = 20
"""GENCODE releases 20 and later are made on GRCh38, 3d to 19 on GRCh37 (gencodegenes.org/human/releases.html)."""


def sample_sheet(folder: Path) -> Path | None:
    """The GDC sample sheet of a folder, by its name or its columns."""
    for path in sorted(folder.glob("*.tsv")):
        with path.open(encoding="utf-8-sig", errors="replace") as stream:
            if {"File ID", "File Name", "Case ID"} <= set(stream.readline().rstrip("\n").split("\t")):
                return path
    return None


def import_gdc(folder: Path, *, unit: str = "TPM", megabases: float | None = None) -> Cohort:
    """Read a folder of GDC downloads.

    unit : which column of the STAR counts is read: TPM, counts or FPKM
    megabases : denominator of the mutational burden; None = no burden is derived

    Raises
    ------
    InputError: no sample sheet, a file it names is not there, mixed builds, text in numbers.
    """
    if unit not in EXPRESSION_COLUMNS:
        raise InputError(f"unit {unit!r} is not in STAR counts; allowed: {', '.join(EXPRESSION_COLUMNS)}.")
    path = sample_sheet(folder)
    if path is None:
        raise InputError(
            f"{folder.name}: no GDC sample sheet (a .tsv with File ID, File Name, Case ID); a manifest names no one. "
            "Download the sample sheet from the cart and put it into the folder."
        )
    sheet = read_text_table(path)
    projects = sorted({p for cell in sheet.get("Project ID", pd.Series(dtype=str)) for p in cell.split(", ") if p})
    parts = CohortParts(name="-".join(projects).lower() or folder.name, source=f"GDC {', '.join(projects)}")
    clinical = clinical_file(folder)
    if clinical is None:
        what = "no GDC clinical table (clinical.tsv or .json of the cart); patients have no outcome"
        parts.notes.append(ImportNote("warning", folder.name, what, 1))
        supplements = sorted(p.name for p in folder.rglob("*clinical*.xml"))
        parts.note("skipped", folder.name, "clinical XML files are not read", supplements)
    else:
        add_clinical(parts, clinical)
    specs = {"Gene Expression Quantification": _expression(unit), **PER_SAMPLE}
    for data_type, rows in sheet.groupby("Data Type", sort=True):
        if data_type in specs:
            _add_per_sample(parts, folder, rows, specs[data_type])
        elif data_type == "Masked Somatic Mutation":
            _add_mafs(parts, folder, rows, megabases)
        elif data_type in SEGMENTS:
            _add_segments(parts, folder, rows, data_type)
        else:
            parts.note("skipped", path.name, f"files of data type {data_type} are not read", rows["File Name"].tolist())
    _unlisted(parts, folder, sheet)
    if parts.genome_build == NOT_STATED:
        parts.notes.append(ImportNote("defaulted", path.name, "genome build is stated by no file read", 1))
    return assemble(parts)


def _expression(unit: str) -> PerSample:
    return PerSample("expression", BlockKind.EXPRESSION, "gene_name", EXPRESSION_COLUMNS[unit], unit)


def _place(folder: Path, row: pd.Series) -> Path:
    for path in (folder / row["File ID"] / row["File Name"], folder / row["File Name"]):
        if path.is_file():
            return path
    raise InputError(
        f"{row['File Name']} of the sample sheet is not in {folder.name} (neither beside the sheet nor in the folder "
        f"{row['File ID']}); download it, or take its line out of the sheet."
    )


def _samples(rows: pd.DataFrame) -> Samples:
    """Samples of a sheet; a file of a tumour and its normal lists both, the tumour first as its type says."""
    patient, kind = {}, {}
    types = rows["Sample Type"] if "Sample Type" in rows else _types_of_new_sheets(rows)
    for cases, ids, words in zip(rows["Case ID"], rows["Sample ID"], types, strict=True):
        names, sorts = ids.split(", "), words.split(", ")
        for i, sample in enumerate(names):
            patient[sample] = cases.split(", ")[min(i, cases.count(","))]
            kind[sample] = sorts[min(i, len(sorts) - 1)]
    return Samples(patient, kind)


def _types_of_new_sheets(rows: pd.DataFrame) -> pd.Series:
    """Since release 40 a sheet has Tissue Type (Tumor, Normal) and Tumor Descriptor (Primary, Metastatic ...)."""
    if not {"Tissue Type", "Tumor Descriptor"} <= set(rows.columns):
        return pd.Series("", rows.index)
    pairs = zip(rows["Tissue Type"], rows["Tumor Descriptor"], strict=True)
    words = [
        ", ".join(
            "Normal" if t == "Normal" else d for t, d in zip(tissue.split(", "), tumour.split(", "), strict=False)
        )
        for tissue, tumour in pairs
    ]
    return pd.Series(words, rows.index)


def _tumour_sample(ids: str, samples: Samples) -> str:
    names = ids.split(", ")
    return next((s for s in names if samples.rank(s) is not None), names[0])


def _add_per_sample(parts: CohortParts, folder: Path, rows: pd.DataFrame, spec: PerSample) -> None:
    samples = _samples(rows)
    rows = rows.assign(sample=[_tumour_sample(ids, samples) for ids in rows["Sample ID"]])
    where = f"block {spec.block}"
    spare = rows["sample"].duplicated()
    parts.note(
        "reduced", where, "further files of a sample were left out (first file name)", rows["File Name"][spare].tolist()
    )
    rows = rows.sort_values("File Name").drop_duplicates("sample").set_index("sample")
    chosen = one_sample_each(samples, sorted(rows.index), parts, where)
    columns = {}
    for patient, sample in sorted(chosen.items()):
        if spec.kind is BlockKind.EXPRESSION:
            _gene_model(_place(folder, rows.loc[sample]), parts)
        columns[patient] = _values(parts, _place(folder, rows.loc[sample]), spec, first=not columns)
    if not columns:
        parts.notes.append(ImportNote("warning", where, "no tumour sample in the sheet", 1))
        return
    frame = pd.DataFrame(columns).T.astype(np.float32).rename_axis("patient_id")
    parts.blocks.append(BlockPart(spec.block, spec.kind, spec.unit, frame))


def _values(parts: CohortParts, path: Path, spec: PerSample, *, first: bool) -> pd.Series:
    """One sample's values by feature; what was reduced is noted for the first file only, since all are alike."""
    sink = parts if first else CohortParts("", "")
    table = _headerless(path) if isinstance(spec.feature, int) else read_text_table(path, sink)
    for column in (spec.feature, spec.value):
        if column not in table.columns:
            raise InputError(f"{path.name}: no column {column!r}; found {', '.join(map(str, table.columns[:6]))}.")
    counters = table.iloc[:, 0].str.match(r"^N_(unmapped|multimapping|noFeature|ambiguous)$")
    frame = numbers_of_genes(table[~counters], spec.feature, [spec.value], spec.unit, path.name, sink)
    return frame.iloc[:, 0]


def _headerless(path: Path) -> pd.DataFrame:
    return pd.read_csv(path, sep="\t", header=None, dtype=str, keep_default_na=False)


def _add_segments(parts: CohortParts, folder: Path, rows: pd.DataFrame, data_type: str) -> None:
    """One long table of a kind of segments, the patient's id in front; one tumour sample a patient."""
    samples = _samples(rows)
    rows = rows.assign(sample=[_tumour_sample(ids, samples) for ids in rows["Sample ID"]])
    chosen = one_sample_each(samples, rows["sample"], parts, data_type)
    of_sample = {sample: patient for patient, sample in chosen.items()}
    frames = []
    for _, row in rows[rows["sample"].isin(of_sample)].sort_values("File Name").iterrows():
        table = read_text_table(_place(folder, row), parts)
        check_segments(table, row["File Name"])
        table.insert(0, "patient_id", of_sample[row["sample"]])
        frames.append(table.assign(file=row["File Name"]))
    if frames:
        parts.long_tables[SEGMENTS[data_type]] = pd.concat(frames, ignore_index=True).fillna("")


def _unlisted(parts: CohortParts, folder: Path, sheet: pd.DataFrame) -> None:
    """Files in folders of their own, as the GDC client writes them, that the sheet does not name."""
    named = set(sheet["File Name"])
    there = [p.name for p in sorted(folder.glob("*/*")) if p.is_file() and p.name not in named]
    unlisted = [n for n in there if n.endswith((".tsv", ".txt", ".gz", ".vcf")) and n != "annotations.txt"]
    parts.note("warning", folder.name, "files are not in the sample sheet and were not read", unlisted)


def _gene_model(path: Path, parts: CohortParts) -> None:
    """The genome build the gene model of a STAR counts file stands for ("# gene-model: GENCODE v36")."""
    with path.open(encoding="utf-8-sig", errors="replace") as stream:
        found = _GENCODE.search(stream.readline())
    if found:
        build = "GRCh38" if int(found.group(1)) >= FIRST_GRCH38_GENCODE and not found.group(2) else "GRCh37"
        parts.genome_build = stated_build([build, parts.genome_build], path.name)


def _add_mafs(parts: CohortParts, folder: Path, rows: pd.DataFrame, megabases: float | None) -> None:
    """Every MAF of the sheet; a patient whose MAF has no row was sequenced all the same."""
    samples = _samples(rows)
    frames, sequenced = [], []
    for _, row in rows.sort_values("File Name").iterrows():
        maf = read_text_table(_place(folder, row), parts)
        if "NCBI_Build" in maf.columns:
            parts.genome_build = stated_build([*maf["NCBI_Build"], parts.genome_build], row["File Name"])
        sequenced.append(_tumour_sample(row["Sample ID"], samples))
        frames.append(maf.assign(sample=sequenced[-1]))
    chosen = one_sample_each(samples, sequenced, parts, "MAF files")
    patient = {sample: p for p, sample in chosen.items()}
    whole = pd.concat(frames, ignore_index=True).fillna("")
    kept = whole[whole["sample"].isin(patient)].copy()
    kept.insert(0, "patient_id", kept["sample"].map(patient))
    add_mutations(parts, kept.drop(columns="sample"), sorted(chosen), "MAF files", megabases=megabases)
