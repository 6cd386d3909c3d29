"""Structured therapy rows matched against one patient: which are offered, which are excluded, and why.

A row is offered only when its disease and its biomarker rule hold and nothing in the record speaks against
it. What does not concern the patient (biomarker tested and absent) is left out; what concerns the patient but
must not be offered is kept with its reasons.

What this module does not know: doses, local approval and reimbursement, comorbidities, the patient's wishes;
whether a panel covered a gene. It ranks evidence, it does not recommend.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import replace

from encoders import oncotree
from encoders.patient import Patient
from retrieval.biomarker_rules import RuleResult, Truth, check_rule
from retrieval.lexicon import canonical_drug, drug_class
from retrieval.passage import Direction, TherapyMatch, TherapyRow
from retrieval.therapy_safety import check_record

DISEASE_ORDER = ("exact", "parent", "tumour_agnostic", "other_disease")
ALTERATION_KINDS = frozenset(("mutation", "amplification", "deletion", "loss", "fusion"))
LEVEL_RANKS: Mapping[str, Mapping[str, int]] = {
    "OncoKB": {"1": 0, "2": 1, "3A": 2, "3B": 3, "4": 4, "R1": 0, "R2": 2},
    "AMP/ASCO/CAP": {"IA": 0, "IB": 1, "IIC": 2, "IID": 3},
    "CIViC": {"A": 0, "B": 1, "C": 2, "D": 3, "E": 4},
    "ESCAT": {"IA": 0, "IB": 0, "IC": 0, "IIA": 1, "IIB": 1, "IIIA": 2, "IIIB": 2, "IVA": 3, "IVB": 3, "V": 4, "X": 5},
    "Regulatory": {"FDAAPPROVED": 0},
    "MOAlmanac": dict.fromkeys(("FDAAPPROVAL", "EMAAPPROVAL", "HSEAPPROVAL", "HCAPPROVAL", "HPRAAPPROVAL"), 0),
}
"""Level system -> level (letters and digits) -> strength, 0 the strongest. It orders rows; it equates nothing."""
UNKNOWN_LEVEL = 9
NOT_OFF_LABEL = ("adjuvant", "neoadjuvant", "maintenance")
ENDOCRINE = frozenset(
    (
        *("CYP17 inhibitor", "androgen receptor inhibitor", "GnRH agonist", "aromatase inhibitor", "SERD", "oral SERD"),
        *("SERM", "ER degrader", "progestin"),
    )
)
"""Classes that make no sense in another tumour, so a combination with one is never off-label."""
SETTING = ("evidence is ", "the row is for disease after ")
"""How a reason begins that speaks of line, stage or age alone: least worth telling among the excluded."""
MAX_OFF_LABEL = 3
"""Off-label rows kept for the same alterations; the strongest level and the fewest drugs first."""


def level_rank(row: TherapyRow) -> int:
    """Strength of a row's level inside its own system, 0 the strongest; UNKNOWN_LEVEL for an unlisted one."""
    level = re.sub(r"[^A-Z0-9]", "", re.sub(r"(?i)tier|level", "", row.level).upper())
    return LEVEL_RANKS.get(row.level_system, {}).get(level, UNKNOWN_LEVEL)


def disease_match(code: str | None, row_disease: str) -> str:
    """ "exact", "parent" (the row's disease contains the patient's), "tumour_agnostic" or "other_disease"."""
    if row_disease == "ANY":  # any solid tumour
        return "other_disease" if oncotree.is_blood_cancer(code) else "tumour_agnostic"
    if code == row_disease:
        return "exact"
    return "parent" if code is not None and row_disease in oncotree.ancestors(code) else "other_disease"


def match_rows(patient: Patient, rows: Iterable[TherapyRow]) -> tuple[TherapyMatch, ...]:
    """The rows that concern a patient, offered ones first.

    Returns
    -------
    Matches ordered by: offered before excluded (and there what is only of another line or stage last), disease
    (exact, parent, tumour-agnostic, other), level, sensitivity before resistance, then as given. ``excluded`` holds
    the reasons a row must not be offered.

    Raises
    ------
    ContractError: a row's rule kind or comparison is unknown.

    Notes
    -----
    A row of another disease (off-label) is kept only for a sensitivity row of the strongest level of its
    system, matched on a tumour alteration that no offered row of the patient's own disease already answers;
    at most MAX_OFF_LABEL of them for the same alterations, none sharing a drug with one before it.
    A resistance row with several drugs speaks against treatments that hold all of them, not against each drug.
    A row whose biomarker was not tested is kept, excluded, only where it asks for a wild type; the others are
    counted by ``untested_rows``.
    """
    found = [m for row in rows if (m := _match(patient, row)) is not None]
    resistant = [m for m in found if m.row.direction is Direction.RESISTANCE and not m.excluded]
    found = [_against_resistance(m, resistant) for m in found]
    own = [m for m in found if m.disease_match != "other_disease"]
    others = [m for m in found if m.disease_match == "other_disease" and _adds_to(own, m, patient)]
    return tuple(sorted((*own, *_fewest(others)), key=_order))


def _fewest(off_label: list[TherapyMatch]) -> list[TherapyMatch]:
    """Of many off-label rows on one alteration, a few that differ; a patient without a code keeps every row."""
    kept: list[TherapyMatch] = []
    for match in sorted(off_label, key=lambda m: (bool(m.excluded), level_rank(m.row), len(m.row.drugs))):
        alike = [m for m in kept if m.alteration_keys == match.alteration_keys]
        shared = any(_generics(m.row) & _generics(match.row) for m in alike)
        if match.excluded or (len(alike) < MAX_OFF_LABEL and not shared):
            kept.append(match)
    return kept


def _adds_to(own: list[TherapyMatch], off_label: TherapyMatch, patient: Patient) -> bool:
    """Whether an off-label row says something that the rows of the patient's own disease do not."""
    if off_label.excluded:  # kept only where coding the disease would decide
        code = patient.oncotree_code
        return code is None or code in oncotree.ancestors(off_label.row.disease)
    if any(set(m.row.drugs) == set(off_label.row.drugs) for m in own):
        return False
    shared = [m for m in own if m.excluded and _generics(m.row) & _generics(off_label.row)]
    if any(set(m.alteration_keys) & set(off_label.alteration_keys) for m in shared):
        return False  # the patient's own disease has this drug for this alteration, and says why not
    answered = {key for m in own if not m.excluded for key in m.alteration_keys}
    return not set(off_label.alteration_keys) <= answered


def untested_rows(patient: Patient, rows: Iterable[TherapyRow]) -> tuple[tuple[TherapyRow, str], ...]:
    """Rows of the patient's disease that cannot be judged because a test is missing, each with the reason."""
    missing = []
    for row in rows:
        if disease_match(patient.oncotree_code, row.disease) == "other_disease":
            continue
        result = check_rule(patient, row.rule)
        if result.truth is Truth.UNKNOWN:
            missing.append((row, result.reasons[0]))
    return tuple(missing)


def _order(match: TherapyMatch) -> tuple[bool, bool, int, int, bool]:
    resistance = match.row.direction is Direction.RESISTANCE
    place = DISEASE_ORDER.index(match.disease_match)
    setting_only = all(reason.startswith(SETTING) for reason in match.excluded)
    return bool(match.excluded), setting_only, place, level_rank(match.row), resistance


def _match(patient: Patient, row: TherapyRow) -> TherapyMatch | None:
    disease = disease_match(patient.oncotree_code, row.disease)
    if disease == "other_disease" and not (_may_be_off_label(row) and _of_one_kind(patient.oncotree_code, row)):
        return None
    result = check_rule(patient, row.rule)
    if not _concerns(row, result, disease):
        return None
    excluded, cautions = list(result.reasons), list(result.cautions)
    excluded += _left_out_disease(patient, row)
    if row.direction is Direction.SENSITIVITY:
        record = check_record(patient, row)
        excluded += record.excluded
        cautions += record.cautions
    if disease == "other_disease":
        narrower, reason = _other_disease(patient, row)
        (excluded if narrower else cautions).append(reason)
    matched_on = result.matched_on or ((f"diagnosis {row.disease_name}",) if row.rule.kind == "none" else ())
    return TherapyMatch(
        row=row,
        disease_match=disease,
        matched_on=tuple(dict.fromkeys(matched_on)),
        alteration_keys=tuple(dict.fromkeys(result.keys)),
        excluded=tuple(dict.fromkeys(excluded)),
        cautions=tuple(dict.fromkeys(cautions)),
    )


def _may_be_off_label(row: TherapyRow) -> bool:
    strongest = level_rank(row) == 0 and row.direction is Direction.SENSITIVITY
    tied = any(drug_class(d) in ENDOCRINE for d in row.drugs) or (row.line or "").startswith(NOT_OFF_LABEL)
    return strongest and row.rule.kind in ALTERATION_KINDS and not tied


def _of_one_kind(code: str | None, row: TherapyRow) -> bool:
    """Off-label is not taken from blood cancers to solid tumours or back; an uncoded patient may have either."""
    return code is None or oncotree.is_blood_cancer(code) == oncotree.is_blood_cancer(row.disease)


def _concerns(row: TherapyRow, result: RuleResult, disease: str) -> bool:
    """A rule that holds; or, in the patient's own disease, one that only its wild-type condition keeps from holding."""
    if result.truth is Truth.HOLDS:
        return True
    if disease == "other_disease" or not result.reasons:
        return False
    own_holds = row.rule.kind in ("wild_type", "none") or bool(result.keys)
    asks_wild_type = row.rule.kind == "wild_type" or bool(row.rule.absent)
    return own_holds and asks_wild_type


def _left_out_disease(patient: Patient, row: TherapyRow) -> list[str]:
    """A disease that the row's own disease contains but that its evidence leaves out."""
    code = patient.oncotree_code
    above = (code, *oncotree.ancestors(code)) if code is not None else ()
    return [
        f"the evidence for {row.disease_name} leaves out {oncotree.name(left_out) or left_out}"
        for left_out in row.not_in
        if left_out in above
    ]


def _other_disease(patient: Patient, row: TherapyRow) -> tuple[bool, str]:
    """(must be excluded, why) for a row of a disease that is not the patient's."""
    code = patient.oncotree_code
    if code is None:
        return True, f"the patient's disease is not coded; the evidence is for {row.disease_name}"
    if code in oncotree.ancestors(row.disease):
        return True, f"the evidence is for {row.disease_name}; the diagnosis is coded more broadly ({code})"
    return False, f"off-label: the evidence is for {row.disease_name}, not {oncotree.name(code) or code}"


def _generics(row: TherapyRow) -> frozenset[str]:
    return frozenset(canonical_drug(d) or d.lower() for d in row.drugs)


def _against_resistance(match: TherapyMatch, resistant: list[TherapyMatch]) -> TherapyMatch:
    """Exclude a sensitivity row whose drugs are all named by the patient's resistance rows; caution where some are."""
    if match.row.direction is not Direction.SENSITIVITY:
        return match
    excluded, cautions = list(match.excluded), list(match.cautions)
    own = _generics(match.row)
    for other in resistant:
        failing = _generics(other.row)
        if not failing <= own:
            continue
        why = (
            f"resistance to {', '.join(sorted(failing))}: {', '.join(other.matched_on)} "
            f"({other.row.level_system} {other.row.level}, {other.row.row_id})"
        )
        (excluded if failing == own else cautions).append(why)
    return replace(match, excluded=tuple(dict.fromkeys(excluded)), cautions=tuple(dict.fromkeys(cautions)))
