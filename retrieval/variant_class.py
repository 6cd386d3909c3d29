"""What kind of change one variant is: class, exon, and whether it is the protein change a rule names.

What this module does not know: transcripts (residue numbers are taken as those of the canonical one),
pathogenicity, splicing predictions; a promoter or intronic change has no class and matches no class.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from encoders.patient import Variant
from encoders.read.hgvs import one_letter

CONSEQUENCE_CLASSES: tuple[tuple[str, frozenset[str]], ...] = (
    (
        "truncating",
        frozenset(
            (
                *("nonsense_mutation", "frame_shift_del", "frame_shift_ins", "stop_gained", "frameshift_variant"),
                *("frameshift", "nonsense", "frameshift_truncation", "frameshift_elongation", "feature_truncation"),
            )
        ),
    ),
    (
        "splice",
        frozenset(("splice_site", "splice_acceptor_variant", "splice_donor_variant", "splice", "exon_skipping")),
    ),
    ("inframe_deletion", frozenset(("in_frame_del", "inframe_deletion"))),
    ("inframe_insertion", frozenset(("in_frame_ins", "inframe_insertion"))),
    ("missense", frozenset(("missense_mutation", "missense_variant", "missense"))),
)
"""Class -> MAF Variant_Classification and Sequence Ontology words, most severe first."""

EXON_RESIDUES: Mapping[str, Mapping[int, tuple[int, int]]] = {
    "EGFR": {18: (688, 728), 19: (729, 761), 20: (762, 823), 21: (824, 875)},
    "KIT": {9: (449, 514), 11: (550, 591), 13: (627, 664), 14: (664, 714), 17: (788, 828)},
    "PDGFRA": {12: (552, 596), 18: (814, 854)},
}
"""Gene -> exon -> first and last residue, used when a file names no exon. EGFR kinase exons of transcript
NM_005228; the mutations of each exon are reviewed in Kobayashi & Mitsudomi, Cancer Sci 2016, DOI 10.1111/cas.12996.
KIT (ENST00000288135) and PDGFRA (ENST00000257290) counted from the genomic exon bounds and codons of CIViC variants."""

MET_EXON14_CODING = re.compile(
    r"c\.(?:2888|2942|3028|3082)[+-]\d|c\.(?:2887|2941|3028|3082)[+-]?\d*_|c\.3028[ACGT]|c\.3082[ACGT]"
)
MET_EXON14_RESIDUES = frozenset((963, 981, 982, 1010, 1028))
"""Where changes skip MET exon 14: its splice sites (c.2888, c.3028 in NM_000245; 54 bases on in NM_001127500)
and its last codon, D1010 (D1028). Frampton et al., Cancer Discov 2015, DOI 10.1158/2159-8290.CD-15-0285."""

_SUBSTITUTION = re.compile(r"p\.([A-Z])(\d+)([A-Z])$")
_RANGE = re.compile(r"p\.([A-Z])(\d+)(?:_([A-Z*])(\d+))?(delins|ins|del|dup)?([A-Z]*)")
_RESIDUE = re.compile(r"p\.[A-Z*](\d+)")
_WORDED = (("splice", re.compile("splice")), ("truncating", re.compile(r"fs|\*$|\d+X$")))
_CODON = re.compile(r"[A-Z]\d+$")


def protein_change(text: str | None) -> str | None:
    """One spelling of a protein change: "p.Leu858Arg", "p.(L858R)", "L858R" -> "p.L858R"; frameshifts end at "fs"."""
    change = one_letter(text)
    return re.sub(r"^(p\.[A-Z]\d+).*fs.*$", r"\1fs", change) if change else None


def residue(variant: Variant) -> int | None:
    """The first residue changed, or None where the protein change is not given."""
    found = _RESIDUE.match(protein_change(variant.protein) or "")
    return int(found[1]) if found else None


def _class_of_protein(change: str | None) -> str | None:
    """The class a protein change speaks of by itself (net length for delins), or None."""
    if change is None or change.endswith("="):
        return None
    for name, pattern in _WORDED:
        if pattern.search(change):
            return name
    return _class_of_residues(change)


def _class_of_residues(change: str) -> str | None:
    if (same := _SUBSTITUTION.match(change)) is not None:
        return "missense" if same[1] != same[3] else None
    span = _RANGE.match(change)
    if span is None or span[5] is None:
        return None
    if span[5] in ("ins", "dup"):
        return "inframe_insertion"
    removed = int(span[4]) - int(span[2]) + 1 if span[4] else 1
    added = 0 if span[5] == "del" else len(span[6])  # "p.E746_A750delELREA" lists what went, not what came
    if added == removed:
        return "missense"
    return "inframe_insertion" if added > removed else "inframe_deletion"


def variant_class(variant: Variant) -> str | None:
    """missense, truncating, inframe_deletion, inframe_insertion or splice; None = no change of the protein we can name.

    The consequence the file gives decides; without a known one (a FHIR record often has none) the protein
    change does. A file's in-frame word yields to the protein change, because callers write deletion-insertions
    under either word.
    """
    words = {w.strip().lower() for w in re.split(r"[&,;]", variant.consequence) if w.strip()}
    from_protein = _class_of_protein(protein_change(variant.protein))
    for name, known in CONSEQUENCE_CLASSES:
        if words & known:
            return from_protein if name.startswith("inframe") and (from_protein or "").startswith("inframe") else name
    return from_protein


def exons(variant: Variant) -> frozenset[int]:
    """The exon as the file states it ("19/28", "exon 19"), else from EXON_RESIDUES; empty when not known."""
    stated = re.search(r"\d+", variant.exon or "")
    if stated:
        return frozenset((int(stated[0]),))
    place = residue(variant)
    if place is None:
        return frozenset()
    ranges = EXON_RESIDUES.get(variant.gene, {})
    return frozenset(number for number, (first, last) in ranges.items() if first <= place <= last)


def inactivates(variant: Variant) -> bool:
    """Whether the change ends or misplices the protein: truncating or splice; a missense change alone is not enough."""
    return variant_class(variant) in ("truncating", "splice")


def skips_met_exon14(variant: Variant) -> bool:
    """Whether a MET change is one known to skip exon 14: a splice-site change of it, or one at its last codon.

    Notes
    -----
    A splice-site variant of another MET exon is False; one with no position at all is False too, and a whole
    deletion of exon 14 told only by genomic position is not recognised.
    """
    if variant.gene != "MET":
        return False
    if re.search(r"exon.?14.?(skip|del)|metex14", f"{variant.protein or ''} {variant.consequence}", re.IGNORECASE):
        return True
    if variant.coding and MET_EXON14_CODING.search(variant.coding):
        return True
    place = residue(variant)
    if variant_class(variant) == "splice":
        return 14 in exons(variant) or place in MET_EXON14_RESIDUES
    # D1010 and D1028 are one codon in two numberings; T1010I is a common change of exon 14 that skips nothing
    is_last_codon = re.match(r"p\.D(1010|1028)[A-Z]$", protein_change(variant.protein) or "")
    return variant_class(variant) == "missense" and is_last_codon is not None


def is_protein_change(variant: Variant, wanted: str) -> bool:
    """Whether the variant is the change a rule names: "L858R" exactly, or "G12" = any missense of that codon."""
    change = protein_change(variant.protein)
    if change is None:
        return False
    target = protein_change(wanted)
    if _CODON.match(wanted.removeprefix("p.")):
        substitution = _SUBSTITUTION.match(change)
        return substitution is not None and f"p.{substitution[1]}{substitution[2]}" == target
    return change == target
