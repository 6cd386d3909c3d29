"""Small variants from MAF tables: protein-changing, PASS, in one genome build. VCF is vcf.py's.

What this module does not know: whether a variant drives the tumour. Silent and filtered rows are counted, not kept.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from encoders.errors import InputError
from encoders.patient import GenomeBuild, SourceLocator, Variant
from encoders.read.expression import choose_sample
from encoders.read.genome_build import build_named, one_build
from encoders.read.hgvs import is_silent, one_letter
from encoders.read.reading import Reading
from encoders.read.sniff import read_text
from encoders.read.table import Table, read_table

PASSED = frozenset(("", ".", "PASS", "NA", "common_in_exac_pass"))


def read_maf(
    path: Path, name: str, *, patient_ids: Sequence[str] = (), allow_any_sample: bool = False
) -> Reading[tuple[Variant, ...]]:
    """Read a MAF: one sample's protein-changing variants.

    Raises
    ------
    InputError: mixed or unsupported genome builds, a position that is no number, or several samples
        of which none is this patient's.
    """
    table = read_table(path, read_text(path, name), name)
    rows, samples, warnings = _one_sample(table, name, patient_ids, allow_any_sample)
    build = _build(table, rows, name)
    if build is None and rows:
        warnings.append(f"{name}: the genome build is not stated (no NCBI_Build); positions are not used.")
    germline = "germline" in Path(name).name.lower() and table.column("mutation_status") is None
    if germline:
        warnings.append(f"{name}: no Mutation_Status column; its variants are taken as germline after the file's name")
    columns = {key: table.column(*names) for key, names in _COLUMNS.items()}
    left_out: Counter[str] = Counter()
    kept = []
    for row in rows:
        cells = {key: table.frame[column].iloc[row].strip() if column else "" for key, column in columns.items()}
        reason = _left_out(cells)
        if reason:
            left_out[reason] += 1
            continue
        kept.append(_variant(cells, build, SourceLocator(name, f"line {table.line(row)}"), germline))
    skipped = tuple(f"{name}: {n} {what}" for what, n in sorted(left_out.items()))
    return Reading(tuple(kept), sample_ids=samples, warnings=tuple(warnings), skipped=skipped)


_COLUMNS = {
    "gene": ("hugo_symbol",),
    "class": ("variant_classification",),
    "protein": ("hgvsp_short", "protein_change", "hgvsp", "amino_acid_change"),
    "protein_long": ("hgvsp",),
    "coding": ("hgvsc", "cdna_change"),
    "chromosome": ("chromosome",),
    "position": ("start_position",),
    "reference": ("reference_allele",),
    "allele1": ("tumor_seq_allele1",),
    "allele2": ("tumor_seq_allele2",),
    "alt_count": ("t_alt_count",),
    "ref_count": ("t_ref_count",),
    "depth": ("t_depth",),
    "fraction": ("t_vaf", "vaf", "tumor_f"),
    "filter": ("filter",),
    "status": ("mutation_status",),
    "exon": ("exon_number", "exon"),
}


def _one_sample(
    table: Table, name: str, patient_ids: Sequence[str], allow_any_sample: bool
) -> tuple[list[int], tuple[str, ...], list[str]]:
    column = table.column("tumor_sample_barcode")
    gene = table.column("hugo_symbol")
    filled = [i for i, g in enumerate(table.frame[gene]) if g.strip()]
    if column is None:
        return filled, (), []
    cells = table.frame[column].str.strip()
    samples = list(dict.fromkeys(cells.iloc[i] for i in filled if cells.iloc[i]))
    if len(samples) <= 1:
        return filled, tuple(samples), []
    chosen, warnings = choose_sample(samples, name, patient_ids, allow_any_sample)
    return [i for i in filled if cells.iloc[i] == chosen], (chosen,), warnings


def _build(table: Table, rows: Sequence[int], name: str) -> GenomeBuild | None:
    column = table.column("ncbi_build")
    if column is None:
        return None
    stated = dict.fromkeys((table.frame[column].iloc[i].strip(), i) for i in rows)
    found: dict[str, int] = {}
    for text, row in stated:
        found.setdefault(text, row)
    builds = []
    for text, row in found.items():
        where = f"{name}: line {table.line(row)}"
        build = build_named(text, where) if text else None
        if text and build is None:
            raise InputError(
                f"{where}: genome build {text!r} is not known; allowed are {', '.join(b.value for b in GenomeBuild)}."
            )
        builds.append(build)
    return one_build(builds, name)


def _left_out(cells: dict[str, str]) -> str | None:
    flags = [f for f in cells["filter"].split(";") if f]
    if any(flag not in PASSED for flag in flags):
        return "variants whose FILTER is not PASS were left out"
    if cells["gene"] in ("Unknown", ".", "-"):
        return "variants outside any gene were left out"
    if is_silent(cells["class"], cells["gene"]):
        return "variants that do not change a protein were left out"
    if cells["status"].lower() in ("wildtype", "loh", "none"):
        return "rows that are not variants (wild type, LOH) were left out"
    return None


def _variant(cells: dict[str, str], build: GenomeBuild | None, source: SourceLocator, germline: bool) -> Variant:
    alternate = next((a for a in (cells["allele2"], cells["allele1"]) if a and a != cells["reference"]), None)
    alt, ref = _count(cells["alt_count"]), _count(cells["ref_count"])
    depth = _count(cells["depth"])
    if depth is None and alt is not None and ref is not None:
        depth = alt + ref
    fraction = alt / depth if alt is not None and depth else _fraction(cells["fraction"])
    return Variant(
        gene=cells["gene"],
        protein=one_letter(cells["protein"]) or one_letter(cells["protein_long"]),
        consequence=cells["class"],
        source=source,
        coding=cells["coding"].rsplit(":", 1)[-1] or None,
        chromosome=cells["chromosome"].removeprefix("chr") or None,
        position=_position(cells["position"], source),
        reference=cells["reference"] or None,
        alternate=alternate,
        build=build,
        allele_fraction=fraction,
        depth=depth,
        exon=cells["exon"] if cells["exon"] not in ("", ".") else None,
        germline=germline or cells["status"].lower() == "germline",
    )


def _position(text: str, source: SourceLocator) -> int | None:
    if text in ("", ".", "NA", "-"):
        return None
    try:
        return int(float(text))
    except ValueError as error:
        raise InputError(
            f"{source.file}: {source.place}: Start_Position is {text!r}; a whole number is needed."
        ) from error


def _count(text: str) -> int | None:
    """Read counts are often left empty or '.'; that means not reported, not 0."""
    try:
        value = int(float(text))
    except ValueError:
        return None
    return value if value >= 0 else None


def _fraction(text: str) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return value if 0 <= value <= 1 else None
