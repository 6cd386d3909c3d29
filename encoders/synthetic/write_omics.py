"""Write expression, variants, copy number and fusions as the tables their pipelines write.

GDC STAR-counts TSV, GDC-like MAF (GRCh38), gene-level copy-number TSV, STAR-Fusion TSV. Gene ids are placeholders
("SYNG..."), never Ensembl ids. Does NOT know where the values come from.
"""

from __future__ import annotations

import csv
import io
import zlib
from pathlib import Path

import numpy as np

from encoders.patient import CopyNumber, Expression, Fusion, Variant

COMMENT = "# SYNTHETIC: generated, not a real person"
STAR_HEADER = (
    "gene_id", "gene_name", "gene_type", "unstranded", "stranded_first", "stranded_second", "tpm_unstranded",
    "fpkm_unstranded", "fpkm_uq_unstranded",
)  # fmt: skip
MAF_HEADER = (
    "Hugo_Symbol", "Entrez_Gene_Id", "Center", "NCBI_Build", "Chromosome", "Start_Position", "End_Position", "Strand",
    "Variant_Classification", "Variant_Type", "Reference_Allele", "Tumor_Seq_Allele1", "Tumor_Seq_Allele2",
    "Tumor_Sample_Barcode", "Mutation_Status", "HGVSc", "HGVSp_Short", "EXON", "t_depth", "t_ref_count", "t_alt_count",
    "FILTER",
)  # fmt: skip
LENGTH_KB = 2.0
"""Transcript length taken for every gene when counts are made from TPM."""
DEPTH = 20_000_000
"""Reads of a synthetic library."""


def _table(rows: list[tuple[object, ...]], comment: str | None) -> str:
    out = io.StringIO()
    if comment:
        out.write(comment + "\n")
    csv.writer(out, delimiter="\t", lineterminator="\n").writerows(rows)
    return out.getvalue()


def star_counts(expression: Expression) -> str:
    """The text of a GDC STAR-counts table; the TPM column holds the profile, counts follow from it."""
    rows: list[tuple[object, ...]] = [STAR_HEADER]
    tpm = expression.values.astype(np.float64)
    share = tpm / max(float(tpm.sum()), 1e-9)
    counts = np.rint(share * DEPTH).astype(np.int64)
    fpkm = counts / (LENGTH_KB * DEPTH / 1e6)
    for name in ("N_unmapped", "N_multimapping", "N_noFeature", "N_ambiguous"):
        reads = 100_000 + zlib.crc32(name.encode()) % 900_000
        rows.append((name, "", "", reads, reads, reads, "", "", ""))
    for i, gene in enumerate(expression.genes):
        n = int(counts[i])
        rows.append(
            (f"SYNG{i:08d}.1", gene, "protein_coding", n, n // 2, n - n // 2, f"{tpm[i]:.4f}", f"{fpkm[i]:.4f}",
             f"{fpkm[i]:.4f}")
        )  # fmt: skip
    return _table(rows, "# gene-model: SYNTHETIC placeholder ids, not a real person")


def _variant_type(variant: Variant) -> str:
    if "Ins" in variant.consequence:
        return "INS"
    return "DEL" if "Del" in variant.consequence else "SNP"


def maf(variants: tuple[Variant, ...], sample: str) -> str:
    """The text of a MAF; what is not known of a variant stays an empty cell."""
    rows: list[tuple[object, ...]] = [MAF_HEADER]
    for v in variants:
        alternate_reads = round((v.allele_fraction or 0) * (v.depth or 0))
        length = len(v.reference) if v.reference and v.reference != "-" else 1
        end = "" if v.position is None else v.position + length - 1
        rows.append(
            (v.gene, "", "SYNTHETIC", v.build.value if v.build else "", f"chr{v.chromosome}" if v.chromosome else "",
             v.position or "", end, "+", v.consequence, _variant_type(v), v.reference or "", v.reference or "",
             v.alternate or "", sample, "Germline" if v.germline else "Somatic", v.coding or "", v.protein or "",
             v.exon or "", v.depth or "", (v.depth or 0) - alternate_reads, alternate_reads, "PASS")
        )  # fmt: skip
    return _table(rows, COMMENT)


def copy_number_table(rows: tuple[CopyNumber, ...], sample: str) -> str:
    """The text of a gene-level copy-number table."""
    header = ("gene", "sample", "copies", "log2_ratio", "call")
    body = [(r.gene, sample, "" if r.copies is None else f"{r.copies:g}", r.log2_ratio, r.call) for r in rows]
    return _table([header, *body], None)


def fusion_table(fusions: tuple[Fusion, ...]) -> str:
    """The text of a STAR-Fusion table; breakpoints are not generated and stay empty."""
    header = ("#FusionName", "JunctionReadCount", "SpanningFragCount", "SpliceType", "LeftGene", "LeftBreakpoint",
              "RightGene", "RightBreakpoint", "PROT_FUSION_TYPE")  # fmt: skip
    body = [
        (f"{f.gene5}--{f.gene3}", 24, 11, "ONLY_REF_SPLICE", f.gene5, "", f.gene3, "", "INFRAME" if f.in_frame else ".")
        for f in fusions
    ]
    return _table([header, *body], None)


def write_text(path: Path, text: str) -> None:
    """Write UTF-8 text with Unix line ends, making the folder."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8", newline="\n")
