"""Why a therapy row is offered, excluded or not shown for a patient: one sentence a rule, for every row.

The sentences name the rule and what the record holds. What this module does not know: anything the checks behind
it do not know (biomarker_rules.py, therapy_safety.py, therapy_contraindications.py).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from encoders import oncotree
from encoders.patient import Patient
from retrieval.biomarker_rules import RuleResult, Truth, check_rule
from retrieval.passage import Direction, TherapyMatch, TherapyRow
from retrieval.therapy_rows import disease_match, match_rows
from retrieval.therapy_safety import next_line, record_checks, wanted_before


class Standing(StrEnum):
    """What became of a row: offered; excluded with reasons; speaking against its drugs; or not about the patient."""

    OFFERED = "offered"
    EXCLUDED = "excluded"
    AGAINST = "against"
    NOT_SHOWN = "not shown"


@dataclass(frozen=True)
class Reason:
    """One rule of a row, whether it speaks for the row, and the sentence that says so."""

    rule: str  # "disease", "biomarker", "line", "stage", "medicines", ...
    holds: bool
    sentence: str


@dataclass(frozen=True)
class Explanation:
    """All reasons of one row, those that decide first."""

    row_id: str
    standing: Standing
    reasons: tuple[Reason, ...]

    def decisive(self) -> tuple[Reason, ...]:
        """The reasons that decide: the failing rules of a row not offered, every rule of one that is."""
        failing = tuple(r for r in self.reasons if not r.holds)
        return self.reasons if self.standing in (Standing.OFFERED, Standing.AGAINST) else failing


@dataclass(frozen=True)
class BothSides:
    """What speaks for and against one set of drugs in one patient, each row with its own level."""

    drugs: tuple[str, ...]
    positive: tuple[TherapyMatch, ...]
    negative: tuple[TherapyMatch, ...]


def explain_rows(patient: Patient, rows: Sequence[TherapyRow]) -> tuple[Explanation, ...]:
    """Every row with its standing and its reasons, in the order of ``rows``; none is left out."""
    matches = {m.row.row_id: m for m in match_rows(patient, rows)}
    return tuple(_explain(patient, row, matches.get(row.row_id)) for row in rows)


def both_sides(matches: Iterable[TherapyMatch]) -> tuple[BothSides, ...]:
    """Drug sets with an offered or excluded sensitivity row, and the resistance rows that name any of their drugs."""
    found = tuple(matches)
    against = [m for m in found if m.row.direction is Direction.RESISTANCE]
    by_drugs: dict[frozenset[str], list[TherapyMatch]] = {}
    for match in found:
        if match.row.direction is Direction.SENSITIVITY:
            by_drugs.setdefault(frozenset(match.row.drugs), []).append(match)
    return tuple(
        BothSides(tuple(positive[0].row.drugs), tuple(positive), tuple(m for m in against if drugs & set(m.row.drugs)))
        for drugs, positive in by_drugs.items()
    )


def _explain(patient: Patient, row: TherapyRow, match: TherapyMatch | None) -> Explanation:
    reasons = [_disease(patient, row), _biomarker(check_rule(patient, row.rule), row)]
    if row.direction is Direction.SENSITIVITY:
        reasons += _record(patient, row)
    said = " ".join(r.sentence for r in reasons)
    others = [reason for reason in (match.excluded if match else ()) if reason not in said]
    reasons += [Reason("other rows", False, f"Not offered: {reason}.") for reason in others]
    standing = _standing(row, match)
    if standing is Standing.NOT_SHOWN and all(r.holds for r in reasons):
        reasons.append(Reason("off-label", False, _left_out(row)))
    return Explanation(row.row_id, standing, tuple(sorted(reasons, key=lambda r: r.holds)))


def _standing(row: TherapyRow, match: TherapyMatch | None) -> Standing:
    if match is None:
        return Standing.NOT_SHOWN
    if match.excluded:
        return Standing.EXCLUDED
    return Standing.AGAINST if row.direction is Direction.RESISTANCE else Standing.OFFERED


def _disease(patient: Patient, row: TherapyRow) -> Reason:
    code = patient.oncotree_code
    own = "an uncoded diagnosis" if code is None else f"{oncotree.name(code) or code} ({code})"
    place = disease_match(code, row.disease)
    words = {
        "exact": f"The row is for {row.disease_name}, which is the diagnosis.",
        "parent": f"The row is for {row.disease_name}, which contains {own}.",
        "tumour_agnostic": f"The row is for {row.disease_name}, whatever the tumour.",
        "other_disease": f"The row is for {row.disease_name}; the record holds {own}.",
    }
    return Reason("disease", place != "other_disease", words[place])


def _biomarker(result: RuleResult, row: TherapyRow) -> Reason:
    if row.rule.kind == "none" and not row.rule.absent:
        return Reason("biomarker", True, "The row asks for no biomarker.")
    if result.truth is Truth.HOLDS:
        return Reason("biomarker", True, f"The row asks for {row.rule.text}; found: {', '.join(result.matched_on)}.")
    why = "; ".join(result.reasons) or "tested and not found"
    return Reason("biomarker", False, f"The row asks for {row.rule.text}; {why}.")


def _record(patient: Patient, row: TherapyRow) -> list[Reason]:
    reasons = []
    for name, found in record_checks(patient, row):
        reasons += [Reason(name, False, f"Not offered: {reason}.") for reason in found.excluded]
        reasons += [Reason(name, True, f"To weigh: {caution}.") for caution in found.cautions]
        if name == "line" and row.lines_allowed and not (found.excluded or found.cautions):
            shown = ", ".join(str(n) for n in row.lines_allowed)
            reasons.append(Reason(name, True, f"The row is for line {shown}; the next line is {next_line(patient)}."))
        if name == "drugs needed before" and (row.after or row.after_all) and not found.excluded:
            reasons.append(
                Reason(name, True, f"The row is for disease after {wanted_before(row)}; all of it was given.")
            )
    return reasons


def _left_out(row: TherapyRow) -> str:
    if row.direction is Direction.RESISTANCE:
        return "Resistance in another disease is not carried over."
    return "Off-label rows are shown only where they add to the patient's own disease."
