"""Genes: variants and states ("EGFR wild type", "ALK rearranged", "MET amplified") in a note against sequencing.

A gene state is read where it follows the gene's name, or a list of genes, with nothing but small words between, or
where "no" stands before gene and alteration. "Negative" and "positive" alone mean a fusion for the fusion genes and a
mutation for the others; HER2's are left to contradictions_markers.py.

What this module does not know: which genes a panel covers (an absent gene counts as not altered, as elsewhere), when
sequencing was done (the tables carry no date: a resistance mutation that came later differs from an earlier note).
"""

# ruff: noqa: E501  a pattern reads better unwrapped
from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from assistant.contradictions_scope import Case, Clause, Disagreement, placed
from assistant.normalise import one_letter_variant
from encoders.patient import Note, Patient, SourceLocator
from retrieval.variant_class import exons, skips_met_exon14, variant_class

_VARIANT = re.compile(
    r"\b([A-Z][A-Z0-9]{1,7})\s+(?:(?:exon \d+|mutation|variant):?\s+)?"
    r"(p\.\(?[A-Za-z]{1,3}\d+(?:[A-Za-z]{3}|[A-Z*])\)?|[A-Z]\d{2,4}[A-Z*])(?!\w)"
)
_GENE = re.compile(r"\b(?:IDH|RAS|[A-Z][A-Z0-9]{1,7}(?:/neu)?)\b")
_FAMILIES = {"IDH": ("IDH1", "IDH2"), "RAS": ("KRAS", "NRAS", "HRAS")}
"""A family's name -> its genes; a family is altered when one of them is, wild type when none is."""
_FUSION_GENES = frozenset(("ALK", "ROS1", "RET", "NTRK1", "NTRK2", "NTRK3"))
_OWN_ASSAY = frozenset(("ERBB2", "ESR1", "PGR", "CD274", "MGMT"))
"""Genes whose bare "positive" and "negative" are immunohistochemistry."""

_SMALL = (
    r"(?:[\s,/:=()-]|\band\b|\bor\b|\bis\b|\bwas\b|\bare\b|\bwere\b|\bgene\b|\bstatus\b|\btumou?r\b|\bexon \d+\b|"
    r"\b(?-i:IDH|[A-Z][A-Z0-9]{1,7})\b){0,30}?"
)
_LOST = r"(?:negative|not (?:detected|found|present|identified|seen)|absent|(?:was|were|is|are) not (?:detected|found|present|identified))"
_SHOWN = r"(?:positive|detected|found|present|confirmed|identified)"
_STATES: tuple[tuple[str, bool, str], ...] = (
    ("mutation", False, rf"wild[- ]?type|\bwt\b|unmutated|not mutated|non-?mutated|no (?:\w+ )?mutations?\b|mutations?[\s:-]+(?:(?:was|were|is) )?{_LOST}"),
    ("fusion", False, rf"not rearranged|no (?:\w+ )?(?:rearrangement|fusion|translocation)|(?:rearrangement|fusion|translocation)[\s:-]+(?:(?:was|is) )?{_LOST}"),
    ("amplification", False, rf"not amplified|non-?amplified|no amplification|amplification[\s:-]+(?:(?:was|is) )?{_LOST}"),
    ("mutation", True, rf"mutated|mutant|mutations?[\s:-]+(?:(?:was|were|is) )?{_SHOWN}"),
    ("fusion", True, rf"rearranged|(?:rearrangement|fusion|translocation)[\s:-]+(?:(?:was|is) )?{_SHOWN}"),
    ("amplification", True, rf"amplified|amplification[\s:-]+(?:(?:was|is) )?{_SHOWN}"),
    ("bare", False, r"neg(?:ative)?\b"),
    ("bare", True, r"pos(?:itive)?\b"),
)  # fmt: skip
_AFTER = tuple((kind, held, re.compile(rf"(?i){_SMALL}(?:{words})")) for kind, held, words in _STATES)
_NO_ALTERATION = re.compile(
    r"\b(?i:no|without|lacks?|absence of|negative for)\s+(?:[a-z]+\s+){0,2}((?:(?-i:IDH|RAS|[A-Z][A-Z0-9]{1,7})\b(?:\s*(?:,|/|or|and|nor)\s*)?){1,20})"
    r"[\s-]*(mutation|variant|alteration|rearrangement|fusion|translocation|amplification)"
)
_LIST = r"((?:(?-i:IDH|RAS|[A-Z][A-Z0-9]{1,7})\b(?:\s*(?:,|/|\bor\b|\band\b|\bnor\b)\s*){0,4}){1,20})"
_ALTERED_IN = re.compile(
    rf"(?i)\b(mutation|alteration|variant|rearrangement|fusion|translocation|amplification)s?\s+(?:in|of|involving|affecting)\s+(?:the\s+)?{_LIST}"
)
_SEEN = re.compile(r"(?i)identif|reveal|show|detect|found|harbou?r|carr(?:y|ies)|demonstrat|confirm|positive")
_EXON = re.compile(
    r"(?i)\b((?-i:[A-Z][A-Z0-9]{1,7}))\W+(?:\w+\W+){0,2}?exon[- ]?(\d+)[- ](del|ins|skip)\w*"
    r"|\bexon[- ]?(\d+)[- ](del|ins|skip)\w*\s+(?:\w+\s+)?(?:in|of)\s+(?:the\s+)?((?-i:[A-Z][A-Z0-9]{1,7}))\b"
)
_EXON_CLASS = {"del": "inframe_deletion", "ins": "inframe_insertion"}
_NOT_SEEN_AFTER = re.compile(
    rf"(?i)\W+(?:(?:immuno\w+|IHC|mutation|variant|status|stain\w*)\W+)?(?:(?:is|was)\W+)?{_LOST}\b"
)
_KIND_OF_WORD = {
    "rearrangement": "fusion",
    "translocation": "fusion",
    "fusion": "fusion",
    "amplification": "amplification",
}
_LEDGER_KIND = {"mutation": "variant", "fusion": "fusion", "amplification": "copy_number"}
_WORDS = {"mutation": ("mutated", "wild type"), "fusion": ("rearranged", "not rearranged"),
          "amplification": ("amplified", "not amplified")}  # fmt: skip


def _genes_of(name: str) -> tuple[str, ...]:
    from retrieval.lexicon import canonical_gene  # noqa: PLC0415  the lexicon reads its files on first use

    if name in _FAMILIES:
        return _FAMILIES[name]
    gene = canonical_gene(name.removesuffix("/neu"))
    return (gene,) if gene else ()


def _is_among(symbol: str, genes: Sequence[str]) -> bool:
    """Whether a table's gene, under whatever name it writes, is one of these."""
    return symbol in genes or any(g in genes for g in _genes_of(symbol))


def find_variant(case: Case, clause: Clause, note: Note) -> Iterator[Disagreement]:
    """A protein change the note reports and sequencing does not, or denies and sequencing reports."""
    patient = case.patient
    if patient.variants is None or not clause.is_stated:
        return
    for match in _VARIANT.finditer(clause.text):
        genes, change = _genes_of(match[1]), one_letter_variant(match[2])
        if not genes:
            continue
        held = [v for v in patient.variants if _is_among(v.gene, genes)]
        known = [one_letter_variant(v.protein or "") for v in held]
        denied = True if _NOT_SEEN_AFTER.match(clause.text[match.end() :]) else clause.denial_of(match[0])
        if denied is not None and denied == (change in known):
            said = f"{genes[0]} {change} was not found" if denied else f"{genes[0]} {change}"
            yield _against_sequencing(patient, "mutation", match[1], said, genes)
    if (match := _EXON.search(clause.text)) and (denied := clause.denial_of(match[0])) is not None:
        yield from _exon(patient, match, denied=denied)


def _exon(patient: Patient, match: re.Match[str], *, denied: bool) -> Iterator[Disagreement]:
    """ "EGFR exon 19 deletion" against the class and exon of the gene's variants; silent where those are not known."""
    name, number, change = match[1] or match[6], int(match[2] or match[4]), (match[3] or match[5]).lower()
    genes = _genes_of(name)
    held = [v for v in patient.variants or () if _is_among(v.gene, genes)]
    if change == "skip":
        found = any(skips_met_exon14(v) for v in held)
    elif any(variant_class(v) == _EXON_CLASS[change] and not exons(v) for v in held):
        return
    else:
        found = any(variant_class(v) == _EXON_CLASS[change] and number in exons(v) for v in held)
    if genes and found == denied and not (change == "skip" and genes != ("MET",)):
        worded = {"del": "deletion", "ins": "insertion", "skip": "skipping"}[change]
        said = f"{name} exon {number} {worded}" + (" was not found" if denied else "")
        yield _against_sequencing(patient, "mutation", name, said, genes)


def find_gene_state(case: Case, clause: Clause, note: Note) -> Iterator[Disagreement]:
    """A gene called altered or unaltered where sequencing says the reverse."""
    if not clause.is_stated:
        return
    for name, kind, altered in gene_states(clause.text):
        genes = _genes_of(name)
        held = _is_altered(case.patient, genes, kind)
        if held is not None and held != altered:
            said = f"{name} {_WORDS[kind][0 if altered else 1]}"
            yield _against_sequencing(case.patient, kind, name, said, genes)


def gene_states(text: str) -> tuple[tuple[str, str, bool], ...]:
    """(gene as written, "mutation" | "fusion" | "amplification", altered) of every state a clause gives a gene."""
    found: dict[tuple[str, str], bool] = {}
    for match in _NO_ALTERATION.finditer(text):
        found |= {(gene, _kind_of(match[2])): False for gene in _known_genes(match[1])}
    for match in _ALTERED_IN.finditer(text):
        lost = bool(re.search(r"(?i)\b(?:no|not|without|never)\b", text[: match.start()]))
        if lost or _SEEN.search(text):
            found |= {(gene, _kind_of(match[1])): not lost for gene in _known_genes(match[2])}
    for match in _GENE.finditer(text):
        state = _state_after(match[0], text[match.end() :])
        if state is not None:
            found.setdefault((match[0], state[0]), state[1])
    return tuple((gene, kind, altered) for (gene, kind), altered in found.items())


def _known_genes(text: str) -> list[str]:
    return [gene for gene in _GENE.findall(text) if _genes_of(gene)]


def _kind_of(word: str) -> str:
    return _KIND_OF_WORD.get(word.lower(), "mutation")


def _state_after(name: str, rest: str) -> tuple[str, bool] | None:
    """(kind, altered) as the words after a gene's name say; None where they say nothing of it."""
    genes = _genes_of(name)
    if not genes or re.match(r"(?:-|::)[A-Z]", rest):  # the 5' partner: a fusion is told by its 3' gene
        return None
    kind, altered = next(((k, a) for k, a, pattern in _AFTER if pattern.match(rest)), ("", False))
    if kind != "bare":
        return (kind, altered) if kind else None
    if genes[0] in _OWN_ASSAY:
        return None
    return ("fusion" if genes[0] in _FUSION_GENES else "mutation"), altered


def _is_altered(patient: Patient, genes: Sequence[str], kind: str) -> bool | None:
    if kind == "mutation":
        table = patient.variants
        hits = [v for v in table or () if _is_among(v.gene, genes) and "silent" not in v.consequence.lower()]
    elif kind == "fusion":
        table = patient.fusions
        hits = [f for f in table or () if f.gene5 in genes or f.gene3 in genes]
    else:
        table = patient.copy_number
        hits = [c for c in table or () if c.gene in genes and c.call == "amplification"]
    return None if table is None else bool(hits)


def _against_sequencing(patient: Patient, kind: str, name: str, said: str, genes: Sequence[str]) -> Disagreement:
    source, held = _held(patient, kind, genes)
    what = {"mutation": "variant", "fusion": "fusion", "amplification": "amplification"}[kind]
    found = f"reports {held}" if held else f"reports no {name} {what}"
    return Disagreement(_LEDGER_KIND[kind], name, said, f"{placed('sequencing', source)} {found}", source, "sequencing")


def _held(patient: Patient, kind: str, genes: Sequence[str]) -> tuple[SourceLocator | None, str]:
    """(place, what the table says of these genes); the table's file alone where it says nothing of them."""
    if kind == "mutation":
        rows = [
            (v.source, f"{v.gene} {one_letter_variant(v.protein or v.consequence)}", v.gene)
            for v in patient.variants or ()
        ]
    elif kind == "fusion":
        rows = [
            (f.source, f"{f.gene5}-{f.gene3}", f.gene3 if f.gene3 in genes else f.gene5) for f in patient.fusions or ()
        ]
    else:
        rows = [(c.source, f"{c.gene} {c.call}", c.gene) for c in patient.copy_number or ()]
    mine = [(source, said) for source, said, gene in rows if _is_among(gene, genes)]
    if mine:
        return mine[0][0], ", ".join(said for _, said in mine[:4])
    return (SourceLocator(rows[0][0].file) if rows else None), ""
