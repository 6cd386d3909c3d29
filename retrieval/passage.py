"""The retrieval contract: passages, therapy rows, similar cases, and what a search returns.

Not known here: how anything is indexed or matched.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from encoders.kaplan_meier import KaplanMeier


@dataclass(frozen=True)
class Passage:
    """A piece of a guideline summary, or of one patient's own note.

    text : the passage in full; statement : its key sentence, quotable on its own
    patient_id : set for a note (only that patient's queries can see it); None for guidelines
    source : title of the document; pmid / url : where to read the original; date : ISO, of the source
    section / page : where in the document (headings joined by " > "; 1-based PDF page); None = not known
    version / licence : as given when the document was added; document_id : its id in ``radomica knowledge list``
    sha256 : of the text, for documents that were added; "" for built-in passages and the notes of a patient folder
    """

    passage_id: str
    title: str
    text: str
    statement: str
    source: str
    pmid: str | None = None
    url: str | None = None
    date: str | None = None
    oncotree: tuple[str, ...] = ()  # diseases it is about; empty = any
    topics: tuple[str, ...] = ()
    patient_id: str | None = None
    locator: str = ""
    section: str | None = None
    page: int | None = None
    version: str | None = None
    licence: str | None = None
    document_id: str | None = None
    sha256: str = ""


@dataclass(frozen=True)
class Query:
    """A search: free text, limited to diseases and to one patient's notes."""

    text: str
    oncotree_code: str | None = None
    patient_id: str | None = None
    k: int = 5


@dataclass(frozen=True)
class Hit:
    """A passage found, with its score (higher = better) and the rank each retriever gave it.

    near_duplicates : ids of passages that say the same and were left out for this one
    """

    passage: Passage
    score: float
    ranks: Mapping[str, int]
    near_duplicates: tuple[str, ...] = ()


class Direction(StrEnum):
    """What the row says about the drug in a patient with the biomarker."""

    SENSITIVITY = "sensitivity"
    RESISTANCE = "resistance"


@dataclass(frozen=True)
class BiomarkerRule:
    """When a therapy row applies. Empty fields do not restrict.

    kind : "mutation" | "amplification" | "deletion" | "loss" | "fusion" | "biomarker" | "wild_type" | "none"
    genes : any one of them; variants : HGVS p. without "p." (L858R), any one of them
    classes : variant classes, any one: missense, truncating, inframe_deletion, inframe_insertion, splice, any
    exons : exon numbers, any one; absent : genes that must be sequenced and NOT altered (RAS wild type)
    biomarker / comparison / threshold : e.g. "PD-L1", ">=", 50 ; or "MSI", "=", "MSI-H"
    requires : gene symbols that must also be mutated (co-mutation)
    also : further rules that must hold as well ("HER2-positive" beside "ER positive")
    """

    kind: str
    text: str  # as a clinician reads it: "EGFR exon 19 deletion"
    genes: tuple[str, ...] = ()
    variants: tuple[str, ...] = ()
    classes: tuple[str, ...] = ()
    exons: tuple[int, ...] = ()
    absent: tuple[str, ...] = ()
    biomarker: str | None = None
    comparison: str | None = None
    threshold: float | str | None = None
    requires: tuple[str, ...] = ()
    also: tuple[BiomarkerRule, ...] = ()


@dataclass(frozen=True)
class TherapyRow:
    """One structured piece of therapy evidence, written as facts with their sources."""

    row_id: str
    drugs: tuple[str, ...]
    disease: str  # OncoTree code, or "ANY" for tumour-agnostic
    disease_name: str
    rule: BiomarkerRule
    direction: Direction
    level: str
    level_system: str  # "OncoKB", "AMP/ASCO/CAP", "CIViC", "ESCAT"
    source: str
    reviewed: str  # ISO date
    line: str | None = None
    approval: str | None = None
    trial: str | None = None
    pmid: str | None = None
    statement: str = ""  # one sentence, own words, the fact the row stands for
    contraindications: tuple[str, ...] = ()
    monitoring: tuple[str, ...] = ()
    lines_allowed: tuple[int, ...] = ()
    not_after: tuple[str, ...] = ()  # drugs after which the row no longer applies
    after: tuple[str, ...] = ()  # drugs or drug classes, one of which must have been given before
    after_at_least: int = 1  # how many different drugs of ``after`` must have been given
    after_all: tuple[tuple[str, ...], ...] = ()  # groups of drugs or classes; one of each must have been given before
    not_in: tuple[str, ...] = ()  # OncoTree codes the row does not apply to, though its disease contains them
    imported_from: str | None = None  # the source a user imported it from, with its version; None = built in


@dataclass(frozen=True)
class TherapyMatch:
    """A row that applies to a patient (or was excluded), and why.

    disease_match : "exact" | "parent" | "tumour_agnostic" | "other_disease" (= off-label)
    matched_on : the patient's alterations in words, e.g. ("EGFR p.L858R",)
    alteration_keys : keys of the matched alterations: "variant:EGFR:p.L858R", "copy_number:ERBB2",
        "fusion:EML4-ALK", "biomarker:PD-L1"; they let the ledger link the row to its M evidence
    excluded : reasons the row must not be offered to this patient (empty = offered)
    cautions : contraindications or interactions to weigh
    links : what imported sources say of the same drugs, alteration and disease, one sentence each, never merged
    """

    row: TherapyRow
    disease_match: str
    matched_on: tuple[str, ...]
    alteration_keys: tuple[str, ...]
    excluded: tuple[str, ...] = ()
    cautions: tuple[str, ...] = ()
    links: tuple[str, ...] = ()


@dataclass(frozen=True)
class SimilarCase:
    """A neighbour in the reference cohort: cosine similarity of fused embeddings, never the patient himself."""

    case_id: str
    similarity: float
    oncotree_code: str
    shared: tuple[str, ...]  # features both have, in words
    followup_months: float
    event: bool  # True = death happened
    features: Mapping[str, str] = field(default_factory=dict)
    cohort: str = ""
    synthetic: bool = False
    differing: tuple[str, ...] = ()  # features both are known to have, in different values; the most telling first


@dataclass(frozen=True)
class NeighbourSurvival:
    """Kaplan-Meier curves of the reference cases nearest to a patient, and of all they were chosen from.

    neighbours : None where there are too few to draw one; ``reason`` then says how many
    reference : all comparable cases, the neighbours among them, the patient never
    oncotree_code : the one cancer of the cases; None = the patient's is not recorded and every cancer is in
    """

    neighbours: KaplanMeier | None
    reference: KaplanMeier | None
    oncotree_code: str | None
    cohort: str
    synthetic: bool
    reason: str = ""


@dataclass(frozen=True)
class Retrieved:
    """All that retrieval found for one patient."""

    passages: tuple[Hit, ...]
    therapies: tuple[TherapyMatch, ...]
    similar_cases: tuple[SimilarCase, ...]
    skipped: tuple[str, ...] = ()  # what could not be searched, and why
    versions: Mapping[str, str] = field(default_factory=dict)
    neighbour_survival: NeighbourSurvival | None = None  # None = no reference cohort or no embedding
