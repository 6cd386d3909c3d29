"""Which evidence each report section is written from, in which order, and how much of it.

The order inside a section is the order it is read in; ``LIMITS`` keeps the summary short and says nothing twice.
Variants and therapy rows are never cut: a reader must be able to trust that all of them are named.

Not known here: how a section is worded (assistant/prompt.py) or checked (assistant/grounding.py).
"""

from __future__ import annotations

from collections.abc import Mapping

from assistant.evidence import Evidence, Ledger
from assistant.report import SECTION_TITLES
from encoders.errors import ContractError

SECTION_TYPES: Mapping[str, tuple[str, ...]] = {
    "summary": ("demographics", "diagnosis", "performance", "treatment", "variant", "therapy", "survival"),
    "imaging": (
        "series",
        "series_verdict",
        "lesion",
        "proposed_lesion",
        "lesion_change",
        "lesion_sum",
        "lesion_intensity",
        "appearance",
        "heatmap",
    ),
    "molecular": ("variant", "copy_number", "fusion", "biomarker", "expression_profile", "pathway"),
    "predictions": (
        "survival",
        "cancer_type_prediction",
        "molecular_prediction",
        "contribution",
        "gene_attribution",
    ),
    "similar_cases": ("neighbour_survival", "similar_summary", "similar_case"),
    "therapy": ("therapy", "passage"),
    "uncertainties": ("conflict", "absent", "medication", "lab", "note"),
}
"""Section id -> evidence types, in reading order."""

LIMITS: Mapping[tuple[str, str], int] = {
    ("summary", "variant"): 1,
    ("summary", "therapy"): 1,
    ("summary", "survival"): 1,
    ("summary", "treatment"): 3,
    ("similar_cases", "similar_case"): 3,
    ("molecular", "pathway"): 4,
    ("molecular", "copy_number"): 8,
    ("predictions", "contribution"): 2,
    ("predictions", "gene_attribution"): 2,
    ("therapy", "passage"): 3,
    ("uncertainties", "lab"): 4,
    ("uncertainties", "medication"): 4,
    ("uncertainties", "note"): 2,
}
"""(section, type) -> how many of that type the section may hold, highest rank first. Absent = all."""


OUTDONE: Mapping[str, str] = {"similar_summary": "neighbour_survival"}
"""Type -> type that says the same from more cases. Where the ledger holds the second, the first is told in no section
and no answer: a reader has no use for a median of five beside one of thirty. It can still be cited."""


def is_outdone(item: Evidence, ledger: Ledger) -> bool:
    """Whether other evidence of the ledger says what ``item`` says, better."""
    return item.type in OUTDONE and bool(ledger.of_type(OUTDONE[item.type]))


def _summary_worthy(item: Evidence) -> bool:
    """A summary offers a therapy only when its row is offered and points to benefit."""
    if item.type != "therapy":
        return True
    words = {name: str(item.fields[name].value).lower() for name in ("direction", "status") if name in item.fields}
    return words.get("direction") != "resistance" and not words.get("status", "").startswith(("excluded", "not"))


def section_evidence(ledger: Ledger, section: str) -> tuple[Evidence, ...]:
    """Evidence of one section, types in reading order, higher rank first inside a type.

    Raises
    ------
    ContractError: the section id is not one of ``SECTION_TYPES``.
    """
    if section not in SECTION_TYPES:
        raise ContractError(f"section {section!r} is unknown; allowed: {', '.join(SECTION_TITLES)}.")
    chosen: list[Evidence] = []
    for kind in SECTION_TYPES[section]:
        found = sorted(ledger.of_type(kind), key=lambda item: -item.rank)
        found = [item for item in found if not is_outdone(item, ledger)]
        if section == "summary":
            found = [item for item in found if _summary_worthy(item)]
        chosen.extend(found[: LIMITS.get((section, kind), len(found))])
    return tuple(chosen)
