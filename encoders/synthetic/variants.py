"""Which protein change a mutated gene carries, written as a pipeline would write it.

Job: turn a Genotype into Variant, CopyNumber and Fusion rows. A position is given only for recurrent variants whose
GRCh38 coordinates are well known; elsewhere position, alleles and protein change stay absent rather than invented.
Does NOT know expression, images or frequencies.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from numpy.random import Generator

from encoders.patient import CopyNumber, Fusion, GenomeBuild, SourceLocator, Variant
from encoders.synthetic.biology import Biology
from encoders.synthetic.genotype import COPY_NUMBER

MAF_FILE = "genomics/somatic.maf"
COPY_NUMBER_FILE = "genomics/copy_number.tsv"
FUSION_FILE = "genomics/fusions.tsv"


@dataclass(frozen=True)
class KnownVariant:
    """A recurrent variant; locus = (chromosome, 1-based GRCh38 position, reference, alternate) or None."""

    consequence: str
    protein: str | None
    coding: str | None = None
    exon: str | None = None
    locus: tuple[str, int, str, str] | None = None


def _missense(protein: str, coding: str, locus: tuple[str, int, str, str] | None = None, exon: str | None = None):
    return KnownVariant("Missense_Mutation", protein, coding, exon, locus)


def _stop(protein: str, coding: str, locus: tuple[str, int, str, str] | None = None):
    return KnownVariant("Nonsense_Mutation", protein, coding, None, locus)


_FRAMESHIFT = KnownVariant("Frame_Shift_Del", None)
_E746 = ("7", 55174772, "GGAATTAAGAGAAGC", "-")

KNOWN: Mapping[str, tuple[KnownVariant, ...]] = {
    "EGFR": (
        _missense("p.L858R", "c.2573T>G", ("7", 55191822, "T", "G"), "21/28"),
        KnownVariant("In_Frame_Del", "p.E746_A750del", "c.2235_2249del", "19/28", _E746),
        KnownVariant("In_Frame_Ins", "p.A767_V769dup", None, "20/28"),
    ),
    "KRAS": (
        _missense("p.G12C", "c.34G>T", ("12", 25245351, "C", "A"), "2/6"),
        _missense("p.G12V", "c.35G>T", ("12", 25245350, "C", "A"), "2/6"),
        _missense("p.G12D", "c.35G>A", ("12", 25245350, "C", "T"), "2/6"),
    ),
    "BRAF": (_missense("p.V600E", "c.1799T>A", ("7", 140753336, "A", "T"), "15/18"),),
    "MET": (KnownVariant("Splice_Site", "p.X1010_splice", None, None),),
    "ERBB2": (KnownVariant("In_Frame_Ins", "p.Y772_A775dup", "c.2313_2324dup", "20/27"),),
    "IDH1": (
        _missense("p.R132H", "c.395G>A", ("2", 208248388, "C", "T"), "4/10"),
        _missense("p.R132H", "c.395G>A", ("2", 208248388, "C", "T"), "4/10"),
        _missense("p.R132C", "c.394C>T", ("2", 208248389, "G", "A"), "4/10"),
    ),
    "PIK3CA": (
        _missense("p.H1047R", "c.3140A>G", ("3", 179234297, "A", "G"), "21/21"),
        _missense("p.E545K", "c.1633G>A", ("3", 179218303, "G", "A"), "10/21"),
        _missense("p.E542K", "c.1624G>A", ("3", 179218294, "G", "A"), "10/21"),
    ),
    "TP53": (
        _missense("p.R175H", "c.524G>A", ("17", 7675088, "C", "T"), "5/11"),
        _missense("p.R248Q", "c.743G>A", ("17", 7674220, "C", "T"), "7/11"),
        _missense("p.R273H", "c.818G>A", ("17", 7673802, "C", "T"), "8/11"),
        _missense("p.R273C", "c.817C>T", ("17", 7673803, "G", "A"), "8/11"),
        _missense("p.R282W", "c.844C>T", ("17", 7673776, "G", "A"), "8/11"),
    ),
    "AKT1": (_missense("p.E17K", "c.49G>A", ("14", 104780214, "C", "T")),),
    "TERT": (
        KnownVariant("5'Flank", None, "c.-124C>T", None, ("5", 1295113, "G", "A")),
        KnownVariant("5'Flank", None, "c.-146C>T", None, ("5", 1295135, "G", "A")),
    ),
    "PTEN": (
        _missense("p.R130Q", "c.389G>A", ("10", 87933148, "G", "A")),
        _stop("p.R233*", "c.697C>T", ("10", 87957915, "C", "T")),
    ),
    "STK11": (_stop("p.Q37*", "c.109C>T"), _missense("p.D194Y", "c.580G>T"), _FRAMESHIFT),
    "KEAP1": (_missense("p.G333C", "c.997G>T"), _missense("p.R320Q", "c.959G>A")),
    "NF1": (_stop("p.R1947*", "c.5839C>T"), _stop("p.R2450*", "c.7348C>T"), _FRAMESHIFT),
    "RB1": (_stop("p.R320*", "c.958C>T"), _stop("p.R445*", "c.1333C>T")),
    "SMARCA4": (_missense("p.T910M", "c.2729C>T"), _FRAMESHIFT),
    "CIC": (_missense("p.R215W", "c.643C>T"), _missense("p.R215Q", "c.644G>A")),
    "VHL": (_stop("p.R161*", "c.481C>T"), _missense("p.N78S", "c.233A>G"), _FRAMESHIFT),
    "BAP1": (_stop("p.R60*", "c.178C>T"), _stop("p.Q684*", "c.2050C>T"), _FRAMESHIFT),
    "MTOR": (_missense("p.S2215Y", "c.6644C>A"),),
    "CDH1": (_stop("p.Q23*", "c.67C>T"), _FRAMESHIFT),
    "ARID1A": (_stop("p.R1989*", "c.5965C>T"), _FRAMESHIFT),
    "CDKN2A": (_stop("p.R80*", "c.238C>T", ("9", 21971121, "G", "A")),),
    "BRCA1": (KnownVariant("Frame_Shift_Ins", "p.Q1756Pfs*74", "c.5266dup"),),
    "BRCA2": (KnownVariant("Frame_Shift_Del", "p.S1982Rfs*22", "c.5946del"),),
}
"""Gene -> recurrent variants to choose from; a gene not listed gets a frameshift without a position."""

_LOG2 = {"amplification": 2.2, "gain": 0.55, "neutral": 0.0, "loss": -0.6, "deep deletion": -2.4}
_COPIES = {"amplification": 9.0, "gain": 3.0, "neutral": 2.0, "loss": 1.0, "deep deletion": 0.0}
ALWAYS_REPORTED = ("EGFR", "ERBB2", "MET", "CDKN2A", "PTEN", "RB1", "MYC", "CCND1", "CDK4", "MDM2", "VHL", "FGFR1")
"""Genes in every copy-number table, neutral where nothing happened."""


def write_variants(biology: Biology, rng: Generator) -> tuple[Variant, ...]:
    """Small variants of the tumour (and germline BRCA1/2), one row of the MAF each, in order of gene."""
    rows: list[Variant] = []
    todo = [(g, False) for g in biology.genotype.mutated] + [(g, True) for g in biology.genotype.germline]
    for line, (gene, germline) in enumerate(todo, start=3):
        known = KNOWN.get(gene, (_FRAMESHIFT,))
        variant = known[int(rng.integers(len(known)))]
        depth = int(rng.integers(120, 620))
        fraction = float(rng.uniform(0.44, 0.56)) if germline else float(rng.uniform(0.08, 0.48))
        alternate_reads = max(8, round(depth * fraction))
        chromosome, position, reference, alternate = variant.locus or (None, None, None, None)
        rows.append(
            Variant(
                gene=gene,
                protein=variant.protein,
                consequence=variant.consequence,
                source=SourceLocator(MAF_FILE, f"line {line}"),
                coding=variant.coding,
                chromosome=chromosome,
                position=position,
                reference=reference,
                alternate=alternate,
                build=GenomeBuild.GRCH38,
                allele_fraction=alternate_reads / depth,
                depth=depth,
                exon=variant.exon,
                germline=germline,
            )
        )
    return tuple(rows)


def write_copy_number(biology: Biology, rng: Generator) -> tuple[CopyNumber, ...]:
    """One row per reported gene, sorted; neutral genes included."""
    code = biology.oncotree_code
    genes = sorted({*ALWAYS_REPORTED, *COPY_NUMBER[code], *biology.genotype.copy_number})
    rows = []
    for line, gene in enumerate(genes, start=2):
        call = biology.genotype.copy_number.get(gene, "neutral")
        log2 = round(_LOG2[call] + float(rng.normal(0, 0.07)), 3)
        rows.append(CopyNumber(gene, call, SourceLocator(COPY_NUMBER_FILE, f"line {line}"), log2, _COPIES[call]))
    return tuple(rows)


def write_fusions(biology: Biology) -> tuple[Fusion, ...]:
    """Fusions found by RNA sequencing; () when none."""
    return tuple(
        Fusion(five, three, SourceLocator(FUSION_FILE, f"line {line}"), in_frame=True)
        for line, (five, three) in enumerate(biology.genotype.fusions, start=2)
    )
