"""Rows of different sources about the same thing, linked and never merged: each keeps its own level and source.

Two rows name the same thing when gene, alteration class, drugs and disease agree (a disease also with one that
contains it). What this module does not know: which source is right, and whether two trials are one.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from encoders import oncotree
from retrieval.biomarker_rules import INACTIVATED_GENES
from retrieval.biomarker_values import analyte_and_score
from retrieval.importers.statements import Imported, SourceStatement
from retrieval.passage import BiomarkerRule, TherapyRow
from retrieval.therapy_rows import ALTERATION_KINDS


@dataclass(frozen=True)
class Link:
    """A statement of another source about the same gene, alteration class, drugs and disease as a row.

    agrees : both point the same way; a statement that the source says is not supported points the other way
    """

    row_id: str
    statement: SourceStatement
    agrees: bool

    def sentence(self) -> str:
        """One line to show beside the row, with the source's own level."""
        other = self.statement.row
        said = other.direction.value if self.statement.supports else f"no {other.direction.value}"
        verdict = "agrees" if self.agrees else "disagrees"
        pmid = f", PMID {other.pmid}" if other.pmid else ""
        return (
            f"{other.level_system} {other.level} {verdict}: {said} to {' + '.join(other.drugs)} with {other.rule.text} "
            f"in {other.disease_name} ({other.source}{pmid}, {other.row_id})."
        )


def link_rows(rows: Iterable[TherapyRow], sources: Iterable[Imported]) -> Mapping[str, tuple[Link, ...]]:
    """row_id -> the statements of all sources that name the same thing, in the order of the sources."""
    by_drugs: dict[frozenset[str], list[SourceStatement]] = defaultdict(list)
    for source in sources:
        for statement in source.statements:
            by_drugs[frozenset(statement.row.drugs)].append(statement)
    found: dict[str, tuple[Link, ...]] = {}
    for row in rows:
        links = tuple(
            Link(row.row_id, other, agrees=same_direction(row, other))
            for other in by_drugs.get(frozenset(row.drugs), ())
            if names_same(row, other.row)
        )
        if links:
            found[row.row_id] = links
    return found


def names_same(row: TherapyRow, other: TherapyRow) -> bool:
    """Whether two rows speak of the same drugs, alteration class and disease; directions are not compared."""
    return (
        frozenset(row.drugs) == frozenset(other.drugs)
        and same_disease(row.disease, other.disease)
        and same_alteration(row.rule, other.rule)
    )


def same_direction(row: TherapyRow, statement: SourceStatement) -> bool:
    """Whether a statement points as the row does; "does not support sensitivity" points to resistance."""
    return (row.direction is statement.row.direction) == statement.supports


def same_disease(one: str, other: str) -> bool:
    """The same code, or one contains the other; ANY is only ANY, because a basket says little of one tumour."""
    return one == other or one in oncotree.ancestors(other) or other in oncotree.ancestors(one)


def same_alteration(one: BiomarkerRule, other: BiomarkerRule) -> bool:
    """The same genes and classes: the same exon and kind, a shared protein change or codon, or both the whole gene.

    A co-mutation is part of it (ERBB2 amplified with PIK3CA mutated is not ERBB2 amplified); receptors, scores and
    wild types beside an alteration are not, because sources name them unevenly.
    """
    mine, theirs = _alterations(one), _alterations(other)
    if not mine and not theirs:
        return _same_without_alteration(one, other)
    return len(mine) == len(theirs) and all(any(_same_part(a, b) for b in theirs) for a in mine)


def _alterations(rule: BiomarkerRule) -> list[BiomarkerRule]:
    parts = [rule] if rule.kind in ALTERATION_KINDS else []
    parts += [BiomarkerRule("mutation", f"{gene} mutation", genes=(gene,)) for gene in rule.requires]
    return parts + [part for further in rule.also for part in _alterations(further)]


def _same_without_alteration(one: BiomarkerRule, other: BiomarkerRule) -> bool:
    if one.kind == other.kind == "biomarker":
        return _same_biomarker(one, other)
    return one.kind == other.kind == "wild_type" and set(one.absent) == set(other.absent)


def _same_part(one: BiomarkerRule, other: BiomarkerRule) -> bool:
    if not set(one.genes) & set(other.genes):
        return False
    if {one.kind, other.kind} == {"loss", "mutation"}:
        return _whole_gene(one) and _whole_gene(other) and bool(set(one.genes) & INACTIVATED_GENES)
    return one.kind == other.kind and (one.kind != "mutation" or _same_change(one, other))


def _same_biomarker(one: BiomarkerRule, other: BiomarkerRule) -> bool:
    same_name = analyte_and_score(one.biomarker or "") == analyte_and_score(other.biomarker or "")
    return same_name and (one.comparison, one.threshold) == (other.comparison, other.threshold)


def _whole_gene(rule: BiomarkerRule) -> bool:
    return not rule.variants and not rule.exons


def _same_change(one: BiomarkerRule, other: BiomarkerRule) -> bool:
    if _whole_gene(one) or _whole_gene(other):
        return _whole_gene(one) and _whole_gene(other)
    if one.exons or other.exons:
        return set(one.exons) == set(other.exons) and set(one.classes) == set(other.classes)
    return any(_covers(a, b) or _covers(b, a) for a in one.variants for b in other.variants)


def _covers(wanted: str, change: str) -> bool:
    """ "G12" covers "G12D"; a change covers itself."""
    return change == wanted or (wanted[-1].isdigit() and not change[-1].isdigit() and change[:-1] == wanted)
