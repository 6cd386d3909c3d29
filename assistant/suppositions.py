"""Whether a question supposes what the case does not record: a "what if" without the words "what if".

"Which options at stage IV?" of a patient in stage II, "Were she HER2 positive, ...", "Would sotorasib open up with KRAS
G12C?". The words alone cannot tell ("at stage IV" is a fact of a patient in stage IV), so the changes they name are
held against the ledger.

Not known here: what a change does (what_if.py). Not checked: suppositions without a value ("if it had spread").
"""

from __future__ import annotations

import re

from assistant.evidence import Ledger
from assistant.what_if import (
    BiomarkerChange,
    Change,
    CopyNumberChange,
    EcogChange,
    FusionChange,
    StageChange,
    TreatmentChange,
    VariantChange,
)
from assistant.what_if_question import is_what_if, read_changes

_SUPPOSED = re.compile(
    r"(?i)\bwould\b|\binstead\b|\bpretend\b|\b(?:let['’]?s|let us) (?:say|assume|imagine)\b|\bpresum"
    r"|\bin (?:the )?(?:case|event) of\b|^\W*(?:were|had)\b.*,\s*(?:what|which|how|then)\b"
    r"|\b(?:scenario|counterfactual)\b|\bpicture (?:her|him|them|this|the)\b|^\W*say\b"
    r"|^\W*should\b.*\b(?:surface|turn up|be found|emerge|appear|come back)\b"
)
_CLINICAL = re.compile(
    r"(?i)\b(?:at|with|in|for|under|given|as|to|were|being|of)\s+(?:an? )?(?:stage|ecog|performance)\b"
)

_GROUP = re.compile(r"^([0IV]*)(.*)", re.DOTALL)


def supposes(question: str, ledger: Ledger) -> bool:
    """Whether a question asks about a patient other than the recorded one."""
    if is_what_if(question):
        return True
    supposed = _SUPPOSED.search(question) is not None
    if not supposed and not _CLINICAL.search(question):
        return False
    unrecorded = [c for c in read_changes(question) if not _recorded(c, ledger)]
    return any(supposed or isinstance(c, StageChange | EcogChange) for c in unrecorded)


def _recorded(change: Change, ledger: Ledger) -> bool:
    """Whether the ledger holds what a change names, so that it changes nothing; an unrecorded stage is no other one."""
    if isinstance(change, StageChange):
        stages = [s.removeprefix("stage ") for s in _values(ledger, "diagnosis", "stage")]
        return not stages or any(_same_stage(s, change.stage) for s in stages)
    if isinstance(change, EcogChange):
        held = _values(ledger, "performance", "ecog")
        return not held or f"ECOG {change.ecog}" in held
    if isinstance(change, BiomarkerChange):
        value = f"{change.value:g}" if isinstance(change.value, float) else change.value
        return any(_same(e.fields["value"].display, value) for e in ledger.of_type("biomarker")
                   if e.fields["name"].display.startswith(change.name.split()[0]))  # fmt: skip
    if isinstance(change, TreatmentChange):
        return any(change.drug in e.text.lower() for e in ledger.of_type("treatment"))
    return _gene_recorded(change, ledger)


def _gene_recorded(change: VariantChange | CopyNumberChange | FusionChange, ledger: Ledger) -> bool:
    kind = {"variant": "variant", "copy_number": "copy_number", "fusion": "fusion"}[change.kind]
    found = [e for e in ledger.of_type(kind) if re.search(rf"\b{re.escape(change.gene)}\b", e.text)]
    if isinstance(change, CopyNumberChange):
        return (change.call == "neutral") == (not found)
    if change.action == "removed":
        return not found
    protein = (change.protein or "").removeprefix("p.") if isinstance(change, VariantChange) else ""
    return any(protein in e.text for e in found)


def _same_stage(held: str, asked: str) -> bool:
    """Whether two stages may be the same: IIIA and III are, II and III are not, "pT2 N0" may be any."""
    group, rest = _GROUP.findall(held.upper())[0]
    other, more = _GROUP.findall(asked)[0]
    return not group or (group == other and (rest.startswith(more) or more.startswith(rest)))


def _values(ledger: Ledger, kind: str, field: str) -> list[str]:
    return [e.fields[field].display for e in ledger.of_type(kind) if field in e.fields]


def _same(held: str, asked: str) -> bool:
    return re.search(rf"(?<![\w.]){re.escape(asked.lower())}(?![\w.])", held.lower()) is not None
