"""Small variants from VCF 4.x (plain or gzip) annotated by VEP (CSQ or ANN) or SnpEff (ANN).

Of several annotations of one allele the one marked PICK or CANONICAL is taken, else MANE, else the first
protein-changing one. The tumour is the sample called TUMOR (any case), or the header's tumor_sample, or the only one.

What this module does not know: structural variants (counted as skipped), and a VCF without annotation: its genes
are not known, so it gives no variants and says so.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from encoders.errors import InputError
from encoders.patient import GenomeBuild, SourceLocator, Variant
from encoders.read.genome_build import build_named, build_of_contig, one_build
from encoders.read.hgvs import is_silent, one_letter
from encoders.read.reading import Reading
from encoders.read.sniff import read_text
from encoders.read.variants import PASSED

NO_ANNOTATION = "no gene annotation (INFO CSQ or ANN); annotate it with VEP or SnpEff"


@dataclass
class _Header:
    builds: list[GenomeBuild | None] = field(default_factory=list)
    annotation: str | None = None  # "CSQ" or "ANN"
    fields: tuple[str, ...] = ()
    tumour: str | None = None
    samples: tuple[str, ...] = ()


def read_vcf(path: Path, name: str) -> Reading[tuple[Variant, ...] | None]:
    """Read a VCF; the value is None when nothing in it names genes.

    Raises
    ------
    InputError: mixed or unsupported genome builds, no #CHROM line, a row with too few columns.
    """
    header, rows = _split(read_text(path, name), name)
    build = one_build(header.builds, name)
    warnings = () if build else (f"{name}: the genome build is not stated in the header.",)
    if header.annotation is None:
        return Reading(None, warnings=warnings, skipped=(f"{name}: {len(rows)} rows: {NO_ANNOTATION}",))
    left_out: Counter[str] = Counter()
    kept = []
    for line_number, cells in rows:
        if len(cells) < 8:
            raise InputError(f"{name}: line {line_number} has {len(cells)} columns; a VCF row has at least 8.")
        for alternate in cells[4].split(","):
            found = _variant(cells, alternate, header, build, SourceLocator(name, f"line {line_number}"))
            if isinstance(found, str):
                left_out[found] += 1
            else:
                kept.append(found)
    skipped = tuple(f"{name}: {n} {what}" for what, n in sorted(left_out.items()))
    return Reading(tuple(kept), warnings=warnings, skipped=skipped)


def tumour_sample(path: Path, name: str) -> str | None:
    """The name of the tumour's sample; None where the file has no sample column or calls it only TUMOR.

    Raises
    ------
    InputError: no #CHROM line, or several samples of which none is told to be the tumour.
    """
    header, _ = _split(read_text(path, name), name)
    if not header.samples:
        return None
    place = _tumour_place(header)
    if place is None:
        raise InputError(
            f"{name}: has {len(header.samples)} samples ({', '.join(header.samples[:3])}) and none is told to be the "
            "tumour (a sample called TUMOR, or ##tumor_sample=); write one file a sample (bcftools +split)."
        )
    sample = header.samples[place].strip()
    return None if sample.lower() in _TUMOUR_WORDS else sample


_TUMOUR_WORDS = ("tumor", "tumour")


def _tumour_place(header: _Header) -> int | None:
    """Which sample column is the tumour's: the header's tumor_sample, the one called TUMOR, or the only one."""
    names = header.samples
    tumour = next((i for i, s in enumerate(names) if s == header.tumour), None)
    if tumour is None:
        tumour = next((i for i, s in enumerate(names) if s.lower() in _TUMOUR_WORDS), None)
    return 0 if tumour is None and len(names) == 1 else tumour


def _split(text: str, name: str) -> tuple[_Header, list[tuple[int, list[str]]]]:
    header, rows, seen = _Header(), [], False
    for number, line in enumerate(text.splitlines(), start=1):
        if line.startswith("##"):
            _header_line(line, header, name)
        elif line.startswith("#CHROM"):
            seen = True
            header.samples = tuple(line.split("\t")[9:])
        elif line.strip():
            if not seen:
                raise InputError(f"{name}: line {number} comes before the #CHROM line; the header is cut short.")
            rows.append((number, line.split("\t")))
    if not seen:
        raise InputError(f"{name}: no #CHROM line; the file is cut short. Copy it again.")
    return header, rows


def _header_line(line: str, header: _Header, name: str) -> None:
    if line.startswith(("##reference=", "##assembly=")):
        header.builds.append(build_named(line.split("=", 1)[1], name))
    elif line.startswith("##contig="):
        assembly = re.search(r"assembly=([^,>]+)", line)
        if assembly:
            header.builds.append(build_named(assembly.group(1).strip('"'), name))
        size = re.search(r"ID=([^,>]+).*length=(\d+)", line)
        if size:
            header.builds.append(build_of_contig(size.group(1), int(size.group(2)), name))
    elif line.startswith("##tumor_sample="):
        header.tumour = line.split("=", 1)[1].strip()
    elif line.startswith(("##INFO=<ID=CSQ,", "##INFO=<ID=ANN,")):
        header.annotation = line[11:14]
        described = re.search(r"(?:Format:|annotations:)\s*'?([^\"]+)", line)
        columns = described.group(1).rstrip("'> ").split("|") if described else []
        header.fields = tuple(c.strip().strip("'").split(" / ")[0] for c in columns)


def _variant(
    cells: Sequence[str], alternate: str, header: _Header, build: GenomeBuild | None, source: SourceLocator
) -> Variant | str:
    """The variant of one alternate allele, or the reason it is left out."""
    flags = [f for f in cells[6].split(";") if f]
    if any(flag not in PASSED for flag in flags):
        return "variants whose FILTER is not PASS were left out"
    if not re.fullmatch(r"[ACGTNacgtn]+", alternate):
        return "structural variants and symbolic alleles were left out"
    if _not_called(cells, header, cells[4].split(",").index(alternate)):
        return "variants that the tumour's genotype does not have were left out"
    annotation = _annotation(cells, alternate, header)
    if annotation is None:
        return "variants without an annotation of a gene were left out"
    consequence = annotation["consequence"]
    if is_silent(consequence, annotation["gene"]):
        return "variants that do not change a protein were left out"
    fraction, depth = _support(cells, header, cells[4].split(",").index(alternate))
    return Variant(
        gene=annotation["gene"],
        protein=one_letter(annotation["protein"]),
        consequence=consequence,
        source=source,
        coding=annotation["coding"].rsplit(":", 1)[-1] or None,
        chromosome=cells[0].removeprefix("chr"),
        position=int(cells[1]),
        reference=cells[3],
        alternate=alternate,
        build=build,
        allele_fraction=fraction,
        depth=depth,
        exon=annotation["exon"] or None,
    )


_FIELD_NAMES = {
    "allele": ("Allele",),
    "consequence": ("Consequence", "Annotation"),
    "gene": ("SYMBOL", "Gene_Name"),
    "protein": ("HGVSp", "HGVS.p"),
    "coding": ("HGVSc", "HGVS.c"),
    "exon": ("EXON", "Rank"),
    "pick": ("PICK",),
    "canonical": ("CANONICAL",),
    "mane": ("MANE_SELECT", "MANE"),
}


def _annotation(cells: Sequence[str], alternate: str, header: _Header) -> Mapping[str, str] | None:
    info = next((i for i in cells[7].split(";") if i.startswith(f"{header.annotation}=")), None)
    if info is None:
        return None
    places = {
        key: next((header.fields.index(n) for n in names if n in header.fields), None)
        for key, names in _FIELD_NAMES.items()
    }
    entries = []
    for entry in info.split("=", 1)[1].split(","):
        parts = entry.split("|")
        entries.append({k: parts[p].strip() if p is not None and p < len(parts) else "" for k, p in places.items()})
    alleles = {alternate, alternate[1:] or "-", "-" if len(cells[3]) > len(alternate) else alternate}
    mine = [e for e in entries if e["gene"] and (e["allele"] in alleles or "," not in cells[4])]
    for rule in (
        lambda e: e["pick"] == "1",
        lambda e: e["canonical"] == "YES",
        lambda e: bool(e["mane"]),
        lambda e: not is_silent(e["consequence"], e["gene"]),
    ):
        chosen = next((e for e in mine if rule(e)), None)
        if chosen:
            return chosen
    return mine[0] if mine else None


def _sample_values(cells: Sequence[str], place: int) -> Mapping[str, str]:
    return dict(zip(cells[8].split(":"), cells[9 + place].split(":"), strict=False))


def _not_called(cells: Sequence[str], header: _Header, allele: int) -> bool:
    """Whether the tumour's genotype is called whole and has not this allele; "./1" and no genotype leave it open."""
    tumour = _tumour_place(header)
    if len(cells) < 10 or tumour is None:
        return False
    called = re.split(r"[/|]", _sample_values(cells, tumour).get("GT", "."))
    return all(c.isdigit() for c in called) and str(allele + 1) not in called


def _support(cells: Sequence[str], header: _Header, allele: int) -> tuple[float | None, int | None]:
    """Allele fraction and depth of the tumour sample, from AD (and DP), or AF."""
    if len(cells) < 10:
        return None, None
    tumour = _tumour_place(header)
    if tumour is None:
        return None, None
    values = _sample_values(cells, tumour)
    counts = [int(c) if c.isdigit() else None for c in values.get("AD", "").split(",")]
    depth = int(values["DP"]) if values.get("DP", "").isdigit() else None
    if len(counts) > allele + 1 and counts[allele + 1] is not None:
        if depth is None and None not in counts:
            depth = sum(c for c in counts if c is not None)
        return (counts[allele + 1] / depth if depth else None), depth
    fractions = values.get("AF", "").split(",")
    try:
        return float(fractions[allele]), depth
    except (ValueError, IndexError):
        return None, depth
