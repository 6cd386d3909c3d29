"""A source's words for an alteration ("EXON 19 DELETION", "EML4-ALK L1196M") as a biomarker rule.

What this module does not know: expression, haplotypes and germline polymorphisms of drug metabolism
(those words give None), and which transcript a residue was counted on.
"""

from __future__ import annotations

import re

from retrieval.lexicon import canonical_gene
from retrieval.passage import BiomarkerRule

_VARIANT = re.compile(r"[A-Z]\d+(?:[A-Z*]|FS)?")
_RANGE = re.compile(r"[A-Z]\d+(?:_[A-Z]\d+)?(?:DEL|INS|DUP|DELINS)[A-Z]*")
_EXON = re.compile(
    r"EXON (\d+)(?: (?:IN-FRAME )?\(?(DELETION|INSERTION|MUTATION|VARIANT|SPLICE SITE|SKIPPING(?: MUTATION)?)S?\)?)?"
)
_EXON_CLASSES = {"DELETION": ("inframe_deletion",), "INSERTION": ("inframe_insertion",)}
_FUSION = re.compile(r"(?:[A-Z0-9-]+ )?(?:FUSIONS?|REARRANGEMENTS?)")
_WHOLE_GENE = (
    (
        "mutation",
        re.compile(
            r"(?:SOMATIC |GERMLINE |ONCOGENIC |ACTIVATING |PATHOGENIC |TKD |LIKELY )*(?:MUTATIONS?|VARIANTS?)"
            r"|GAIN-OF-FUNCTION(?: MUTATIONS?)?"
        ),
    ),
    (
        "loss",
        re.compile(
            r"LOSS(?:[- ]OF[- ]FUNCTION)?(?: MUTATIONS?)?"
            r"|(?:DELETERIOUS|TRUNCATING|NONSENSE|FRAMESHIFT|SPLICE SITE) (?:MUTATION|VARIANT)S?"
        ),
    ),
    ("deletion", re.compile(r"(?:DEEP |HOMOZYGOUS )?DELETION")),
    ("amplification", re.compile(r"AMPLIFICATION")),
)
"""Rule kind -> words that mean the whole gene, whatever the change."""
_PARTNERS = re.compile(r"([A-Z0-9]+)(?:-|::)([A-Z0-9]+)(?: FUSION| E\d+-E\d+)?")
_AFTER_FUSION = re.compile(r"(?:[A-Z0-9]+(?:-|::)[A-Z0-9]+|[A-Z0-9]+ FUSION) ([A-Z]\d+[A-Z]?)")
_RAS_EXON_2 = ("G12", "G13")
"""Exon 2 of KRAS and NRAS means codons 12 and 13 in the trials of EGFR antibodies (Karapetis et al., N Engl J Med
2008, DOI 10.1056/NEJMoa0804385)."""


def rule_from_words(gene: str, words: str) -> BiomarkerRule | None:
    """The rule of a gene's alteration in words; None for words this module does not read.

    Parameters
    ----------
    gene : HGNC symbol
    words : as the source writes it, any case
    """
    said = " ".join(words.upper().split())
    text = f"{gene} {words}"
    if gene == "MGMT" and said == "PROMOTER METHYLATION":
        return BiomarkerRule("biomarker", text, biomarker="MGMT", comparison="=", threshold="methylated")
    if said in ("WILD TYPE", "WILDTYPE"):
        return BiomarkerRule("wild_type", text, absent=(gene,))
    for kind, pattern in _WHOLE_GENE:
        if pattern.fullmatch(said):
            return BiomarkerRule(kind, text, genes=(gene,))
    return _fusion(gene, said, text) or _changes(gene, said, text)


def _fusion(gene: str, said: str, text: str) -> BiomarkerRule | None:
    if resistant := _AFTER_FUSION.fullmatch(said):
        return BiomarkerRule("mutation", text, genes=(gene,), variants=(resistant[1],))
    if _FUSION.fullmatch(said):
        return BiomarkerRule("fusion", text, genes=(gene,))
    partners = _PARTNERS.fullmatch(said)
    if partners and gene in {canonical_gene(p) or p for p in partners.groups()}:
        return BiomarkerRule("fusion", text, genes=(gene,))
    return None


def _changes(gene: str, said: str, text: str) -> BiomarkerRule | None:
    exon = _EXON.fullmatch(said)
    if exon and gene in ("KRAS", "NRAS") and exon[1] == "2":
        return BiomarkerRule("mutation", text, genes=(gene,), variants=_RAS_EXON_2)
    if exon:
        kind = exon[2] or ""
        if kind.startswith(("SKIPPING", "SPLICE")):
            classes: tuple[str, ...] = ("splice",)
        else:
            classes = _EXON_CLASSES.get(kind, ())
        return BiomarkerRule("mutation", text, genes=(gene,), exons=(int(exon[1]),), classes=classes)
    parts = said.removeprefix("P.").split("/")
    if all(_VARIANT.fullmatch(p) or _RANGE.fullmatch(p) for p in parts):
        return BiomarkerRule("mutation", text, genes=(gene,), variants=tuple(_hgvs(p) for p in parts))
    return None


def _hgvs(change: str) -> str:
    """ "V569_L576DEL" -> "V569_L576del"; a substitution stays as it is."""
    return re.sub(r"DELINS|DEL|INS|DUP|FS", lambda m: m[0].lower(), change) if _RANGE.fullmatch(change) else change
