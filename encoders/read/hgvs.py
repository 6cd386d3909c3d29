"""Protein changes in one spelling: HGVS p. with one-letter amino acids ("p.L858R"), and what a consequence means.

What this module does not know: transcripts; a change is rewritten, never recomputed.
"""

from __future__ import annotations

import re
from urllib.parse import unquote

THREE_TO_ONE = {
    "Ala": "A",
    "Arg": "R",
    "Asn": "N",
    "Asp": "D",
    "Cys": "C",
    "Gln": "Q",
    "Glu": "E",
    "Gly": "G",
    "His": "H",
    "Ile": "I",
    "Leu": "L",
    "Lys": "K",
    "Met": "M",
    "Phe": "F",
    "Pro": "P",
    "Ser": "S",
    "Thr": "T",
    "Trp": "W",
    "Tyr": "Y",
    "Val": "V",
    "Sec": "U",
    "Pyl": "O",
    "Ter": "*",
    "Xaa": "X",
}

_THREE_LETTERS = re.compile("|".join(THREE_TO_ONE))

SILENT = frozenset(
    (
        *("Silent", "Intron", "3'UTR", "5'UTR", "3'Flank", "5'Flank", "IGR", "RNA", "lincRNA"),
        *("synonymous_variant", "intron_variant", "intergenic_variant", "intergenic_region", "intragenic_variant"),
        *("upstream_gene_variant", "downstream_gene_variant", "3_prime_UTR_variant", "5_prime_UTR_variant"),
        *("non_coding_transcript_exon_variant", "non_coding_transcript_variant", "intragenic", "stop_retained_variant"),
        *("regulatory_region_variant", "TF_binding_site_variant", "start_retained_variant", "NMD_transcript_variant"),
    )
)
"""Consequences that leave the protein as it is (MAF classes and Sequence Ontology terms)."""

PROMOTER_GENES = frozenset(("TERT",))
"""Genes whose promoter variants are kept although they change no protein."""
_PROMOTER = frozenset(("5'Flank", "upstream_gene_variant"))


def one_letter(change: str | None) -> str | None:
    """ "ENSP1:p.Leu858Arg" -> "p.L858R"; "L858R" -> "p.L858R"; "" and "." -> None; "p.?" and "p.=" stay None."""
    text = unquote(change or "").strip()
    text = text.rsplit(":", 1)[-1].strip("()")
    text = text.removeprefix("p.").strip("()")
    if text in ("", ".", "-", "?", "=", "NA"):
        return None
    return "p." + _THREE_LETTERS.sub(lambda m: THREE_TO_ONE[m.group()], text)


def is_silent(consequence: str, gene: str) -> bool:
    """Whether every part of the consequence ("a&b") leaves the protein as it is; promoter variants of TERT are kept."""
    parts = [part.strip() for part in re.split(r"[&,]", consequence)]
    if gene in PROMOTER_GENES and any(part in _PROMOTER for part in parts):
        return False
    return all(part in SILENT for part in parts)
