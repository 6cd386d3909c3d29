"""Evidence and the ledger: the only things a claim may cite.

An Evidence is one checkable fact with typed fields and the place it came from. The Ledger holds all
evidence of one case, in rank order, under ids whose letter is the kind (F1, I1, M1, P1, X1, S1, G1).
A claim writes values as references, ``{M1.variant}``; ``Ledger.fill`` puts the values in.

Not known here: how evidence is collected (assistant/collect.py) or checked (assistant/grounding.py).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum

from encoders.errors import ContractError

REFERENCE = re.compile(r"\{([FIMPXSG]\d+)\.([a-z0-9_]+)\}")
CITATION = re.compile(r"\[([FIMPXSG]\d+)\]")


class EvidenceKind(StrEnum):
    """The kinds, by the letter that opens their ids."""

    FACT = "F"
    IMAGE = "I"
    MOLECULAR = "M"
    PREDICTION = "P"
    EXPLANATION = "X"
    SIMILAR = "S"
    GUIDELINE = "G"


@dataclass(frozen=True)
class Field:
    """One typed value. ``display`` is what a reader sees ("0.74", "38 mm", "p.L858R"), unit included."""

    value: str | float | int | bool | tuple[str, ...] | None
    display: str
    unit: str | None = None


@dataclass(frozen=True)
class EvidenceSource:
    """Where the reader can open it: a file and place, a SOP UID + slice, a row id, a PMID or URL with its date."""

    file: str | None = None
    place: str | None = None
    series_uid: str | None = None
    slice_index: int | None = None
    row_id: str | None = None
    pmid: str | None = None
    url: str | None = None
    date: str | None = None


@dataclass(frozen=True)
class Evidence:
    """One checkable fact.

    type : what it is inside its kind; EVIDENCE_FIELDS lists each type's field names
    text : the whole fact as one plain sentence, values written out
    perceived : field names that a multimodal LLM must read from the soft tokens of ``perceived_from``
        ("imaging", "expression"); its view of the ledger leaves them out, the checker's view has them
    rank : higher = more important; decides what a small context keeps
    """

    id: str
    kind: EvidenceKind
    type: str
    text: str
    fields: Mapping[str, Field]
    source: EvidenceSource
    rank: float = 0.0
    perceived: tuple[str, ...] = ()
    perceived_from: str | None = None

    @property
    def hypothetical(self) -> bool:
        """True when it says what would be, on a changed copy of the patient; no claim may state it as fact."""
        return self.type.startswith("hypothetical_")

    def __post_init__(self) -> None:
        if not self.id.startswith(self.kind.value):
            raise ContractError(f"evidence id {self.id!r} must start with {self.kind.value!r}, the letter of its kind.")


# type -> (kind letter, field names). A builder may leave out a field it has no value for; it may not add others.
EVIDENCE_FIELDS: Mapping[str, tuple[str, tuple[str, ...]]] = {
    "demographics": ("F", ("age", "sex")),
    "diagnosis": ("F", ("disease", "oncotree", "histology", "stage", "tnm_edition", "grade", "date")),
    "performance": ("F", ("ecog",)),
    "treatment": ("F", ("drug", "line", "start", "response")),
    "medication": ("F", ("drug",)),
    "lab": ("F", ("name", "value", "date")),
    "note": ("F", ("title", "date", "quote")),
    "absent": ("F", ("modality", "reason", "would_change", "test")),
    "conflict": ("F", ("statement", "first", "second")),
    "series": ("I", ("modality", "role", "date", "slices", "spacing")),
    "series_verdict": ("I", ("modality", "role", "date", "slices", "spacing")),  # doubtful, refused, or not chosen
    "lesion": ("I", ("series", "volume", "longest_diameter", "short_axis", "mean_intensity", "max_intensity", "slice")),
    "proposed_lesion": (
        "I",
        ("series", "volume", "longest_diameter", "short_axis", "mean_intensity", "max_intensity", "slice"),
    ),
    "lesion_change": (
        "I",
        ("series", "lesion", "trend", "measure", "before", "now", "change", "smallest", "date_before", "date_now"),
    ),
    "lesion_sum": ("I", ("series", "count", "before", "now", "change", "date_before", "date_now")),
    "lesion_intensity": ("I", ("series", "mean", "p10", "p90", "suv_max", "suv_peak", "suv_mean", "ratio", "basis")),
    "appearance": ("I", ("attribute", "finding", "probability")),  # finding is perceived from imaging
    "variant": ("M", ("gene", "variant", "consequence", "allele_fraction", "depth", "effect")),
    "copy_number": ("M", ("gene", "call", "log2_ratio")),
    "fusion": ("M", ("name", "partner5", "partner3")),
    "biomarker": ("M", ("name", "value")),
    "expression_profile": ("M", ("attribute", "finding", "probability")),  # finding perceived from expression
    "pathway": ("M", ("pathway", "direction", "score")),
    "survival": (
        "P",
        (
            "risk_group",
            "percentile",
            "survival_12m",
            "survival_24m",
            "interval_12m",
            "interval_24m",
            "cohort",
            "reliability",
        ),
    ),
    "molecular_prediction": ("P", ("gene", "label", "probability", "input", "agreement")),
    "cancer_type_prediction": ("P", ("label", "probability", "agreement")),
    "contribution": ("X", ("top_modality", "direction", "shares")),
    "gene_attribution": ("X", ("genes_raising", "genes_lowering", "completeness_error")),
    "heatmap": ("X", ("series", "overlap", "deletion_test")),
    "similar_case": ("S", ("case", "similarity", "shared", "followup", "outcome")),
    "similar_summary": ("S", ("count", "median_survival", "alive_24m")),
    "neighbour_survival": (
        "S",
        (
            "count",
            "events",
            "median_survival",
            "median_interval",
            "alive_12m",
            "interval_12m",
            "alive_36m",
            "interval_level",
        ),
    ),
    # What a what-if answer adds to a copy of the ledger (assistant/what_if.py); never in a case's own ledger.
    "hypothetical_risk": (
        "P",
        (
            "change",
            "effect",
            "risk_group_now",
            "risk_group_then",
            "percentile_now",
            "percentile_then",
            "survival_24m_now",
            "survival_24m_then",
            "interval_24m_now",
            "interval_24m_then",
            "reliability",
            "assumption",
        ),
    ),
    "hypothetical_therapy": (
        "G",
        ("change", "effect", "drug", "biomarker", "disease", "level", "level_system", "line", "reason", "assumption"),
    ),
    "passage": ("G", ("title", "statement", "date")),
    "therapy": (
        "G",
        (
            "drug",
            "biomarker",
            "disease",
            "direction",
            "level",
            "level_system",
            "line",
            "approval",
            "trial",
            "status",
            "contraindications",
        ),
    ),
}


class Ledger:
    """All evidence of one case: unique ids, rank order, reference filling."""

    def __init__(self, evidence: tuple[Evidence, ...], left_out: tuple[str, ...] = ()) -> None:
        self._by_id: dict[str, Evidence] = {}
        for item in evidence:
            if item.id in self._by_id:
                raise ContractError(f"evidence id {item.id!r} is used twice; ids are unique within a case.")
            self._check_fields(item)
            self._by_id[item.id] = item
        self.left_out = left_out

    @staticmethod
    def _check_fields(item: Evidence) -> None:
        if item.type not in EVIDENCE_FIELDS:
            known = ", ".join(sorted(EVIDENCE_FIELDS))
            raise ContractError(f"evidence type {item.type!r} is unknown; allowed: {known}.")
        kind, allowed = EVIDENCE_FIELDS[item.type]
        if kind != item.kind.value:
            raise ContractError(f"evidence type {item.type!r} belongs to kind {kind}, not {item.kind.value}.")
        extra = set(item.fields) - set(allowed)
        if extra:
            raise ContractError(f"{item.id} ({item.type}) has fields {sorted(extra)}; allowed: {', '.join(allowed)}.")

    def __iter__(self) -> Iterator[Evidence]:
        return iter(self._by_id.values())

    def __len__(self) -> int:
        return len(self._by_id)

    def __contains__(self, evidence_id: str) -> bool:
        return evidence_id in self._by_id

    def __getitem__(self, evidence_id: str) -> Evidence:
        return self._by_id[evidence_id]

    def ids(self) -> tuple[str, ...]:
        """Every id, in ledger order."""
        return tuple(self._by_id)

    def of_type(self, *types: str) -> tuple[Evidence, ...]:
        """All evidence of these types, in ledger order."""
        return tuple(e for e in self if e.type in types)

    def fill(self, text: str) -> tuple[str, tuple[str, ...]]:
        """Replace references by the displayed values.

        Returns the text and the references that do not resolve (left in place as written).
        """
        unresolved: list[str] = []

        def value(match: re.Match[str]) -> str:
            item = self._by_id.get(match[1])
            if item is None or match[2] not in item.fields:
                unresolved.append(match[0])
                return match[0]
            return item.fields[match[2]].display

        return REFERENCE.sub(value, text), tuple(unresolved)
