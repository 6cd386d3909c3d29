"""A therapy row against the course of the disease: line, stage, age, earlier drugs; and every check by its name.

What this module does not know: biomarkers and diseases (retrieval/biomarker_rules.py), medicines, laboratory
values, ECOG and pregnancy (retrieval/therapy_contraindications.py), whether treatments are missing in the record.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

from encoders import oncotree
from encoders.patient import Patient, Treatment
from retrieval.lexicon import canonical_drug, drug_class
from retrieval.passage import TherapyRow
from retrieval.therapy_contraindications import check_ecog, check_laboratory, check_medicines, check_pregnancy
from retrieval.therapy_findings import Findings, join_findings
from retrieval.treatment_words import (
    CHEMOTHERAPY,
    ENDOCRINE_OF_BREAST,
    ENDOCRINE_TREATMENT,
    PLATINUM,
    PLATINUM_DRUGS,
    drugs_of,
)

CURATIVE_LINES = ("adjuvant", "neoadjuvant")
EARLY_STAGES = re.compile(r"^(0|I|II)([ABC]\d?)?$")
STAGE_SPAN = re.compile(r"stages? ([IV]+[ABC]?)\b(?: (?:to|or|-) ([IV]+[ABC]?)\b)?")
PAEDIATRIC = re.compile(r"p(?:a)?ediatric|children|under 18", re.IGNORECASE)
ADULT_FROM_YEARS = 18
STAGE = re.compile(r"\b(IV|III|II|I|0)([ABC]?\d?)\b")
PROGRESSED = re.compile(r"(?i)progress|\bPD\b|resist|refractory")
NO_CROSS_RESISTANCE = frozenset(("chemotherapy", "folate", "GnRH agonist", "bisphosphonate", "corticosteroid"))
"""Classes too broad for failure of one drug to say anything of another."""


def check_record(patient: Patient, row: TherapyRow) -> Findings:
    """Everything in the record but the biomarker that speaks against a sensitivity row."""
    return join_findings(found for _, found in record_checks(patient, row))


def record_checks(patient: Patient, row: TherapyRow) -> Iterator[tuple[str, Findings]]:
    """(name of the rule, what it found) for every check of the record, in the order a reader asks."""
    for name, check in _CHECKS:
        yield name, check(patient, row)


def next_line(patient: Patient) -> int | None:
    """The line of treatment to come: last recorded line + 1, 1 with no treatment, None where no line is recorded."""
    if not patient.treatments:
        return 1
    lines = [t.line for t in patient.treatments if t.line is not None]
    return max(lines) + 1 if lines else None


def _line(patient: Patient, row: TherapyRow) -> Findings:
    coming = next_line(patient)
    if (row.line or "").startswith("neoadjuvant") and coming != 1:
        said = "no treatment has a line" if coming is None else f"the next line of this patient is {coming}"
        return Findings(excluded=(f"evidence is for treatment before surgery as the first; {said}",))
    if not row.lines_allowed:
        return Findings()
    shown = ", ".join(str(n) for n in row.lines_allowed)
    if coming is None:
        return Findings(cautions=(f"evidence is for line {shown}; the record gives no line numbers",))
    if coming in row.lines_allowed:
        return Findings()
    return Findings(excluded=(f"evidence is for line {shown}; the next line of this patient is {coming}",))


def stage_group(stage: str | None) -> str | None:
    """ "Stage IIIA", "pT2 N1, IIIA", "3A" -> "IIIA"; None where no stage group is found."""
    text = re.sub(r"(?i)\bstage\b", " ", stage or "").strip()
    arabic = re.fullmatch(r"([1-4])([A-Ca-c]?\d?)", text)
    if arabic:
        return ("I", "II", "III", "IV")[int(arabic[1]) - 1] + arabic[2].upper()
    found = STAGE.search(text.upper())
    return found[0] if found else None


def _stage(patient: Patient, row: TherapyRow) -> Findings:
    """Adjuvant evidence needs a resectable stage, any other line advanced disease (retrieval/corpus/builtin.py).

    The stages of leukaemias and lymphomas (Rai, Ann Arbor) say nothing of this; only a line that states one asks.
    """
    stage = stage_group(patient.diagnosis.stage)
    line = (row.line or "").lower()
    if line.startswith(CURATIVE_LINES) or STAGE_SPAN.search(row.line or ""):
        return _stated_stage(stage, row.line or "")
    if stage is None or not line or oncotree.is_blood_cancer(row.disease):
        return Findings()
    if EARLY_STAGES.match(stage):
        reason = f"evidence is for advanced disease; recorded stage is {stage}"
        return Findings(cautions=(reason,)) if patient.treatments else Findings(excluded=(reason,))
    if stage.startswith("III"):
        return Findings(
            cautions=(f"evidence is for advanced disease; stage {stage} may be treated with curative intent",)
        )
    return Findings()


def _stated_stage(stage: str | None, line: str) -> Findings:
    """Rows whose line states stages ("stage IB to IIIA", "stage III"); adjuvant and neoadjuvant without one: not IV."""
    if stage is None:
        return Findings(cautions=(f"evidence is {line}; no stage is recorded",))
    span = STAGE_SPAN.search(line)
    inside = not stage.startswith("IV")
    if span is not None:
        inside = _stage_order(span[1], low=True) <= _stage_order(stage) <= _stage_order(span[2] or span[1], low=False)
    return Findings() if inside else Findings(excluded=(f"evidence is {line}; recorded stage is {stage}",))


def _stage_order(stage: str, *, low: bool = True) -> tuple[int, str]:
    """Sortable stage; "II" as an upper bound covers IIC."""
    found = STAGE.search(stage)
    number, letter = (found[1], found[2][:1]) if found else ("IV", "")
    return ("0", "I", "II", "III", "IV").index(number), letter or ("" if low else "Z")


def _age(patient: Patient, row: TherapyRow) -> Findings:
    """Evidence from children is not offered to an adult."""
    if not PAEDIATRIC.search(f"{row.line or ''} {row.rule.text} {row.approval or ''}"):
        return Findings()
    if patient.age_years is None:
        return Findings(cautions=("evidence is from children; no age is recorded",))
    if patient.age_years >= ADULT_FROM_YEARS:
        return Findings(excluded=(f"evidence is from children; age at diagnosis is {patient.age_years:.0f} years",))
    return Findings()


def _generic(drug: str) -> str:
    return canonical_drug(drug) or drug.strip().lower()


def _when(treatment: Treatment) -> str:
    return f" in line {treatment.line}" if treatment.line is not None else ""


def _given(patient: Patient) -> list[tuple[str, str, bool]]:
    """(drug, " in line 2" or "", whether the disease progressed) for every drug of every recorded treatment."""
    return [
        (drug, _when(t), PROGRESSED.search(t.response or "") is not None)
        for t in patient.treatments
        for drug in drugs_of(t.drug)
    ]


def _earlier_drugs(patient: Patient, row: TherapyRow) -> Findings:
    """Drugs given before that end the row's use, that failed, or that failed and share a class with the row's."""
    excluded, cautions = [], []
    barred = {_generic(d) for d in row.not_after}
    own = {_generic(d): drug_class(d) for d in row.drugs}
    given = _given(patient)
    failed = {drug for drug, _, progressed in given if progressed}
    for drug, when, _ in given:
        kind = drug_class(drug)
        if drug in barred:
            excluded.append(f"{drug} was given{when}; the row does not apply after it")
        elif drug in own and drug in failed and own.keys() <= failed:
            excluded.append(f"{drug} was given{when} and the disease progressed")
        elif drug in own and drug in failed:  # a new partner may restore it, as in HER2CLIMB or BOND
            cautions.append(f"{drug} was given{when} and the disease progressed")
        elif drug in own:
            cautions.append(f"{drug} was given{when}")
        elif drug in failed and kind is not None and kind not in NO_CROSS_RESISTANCE and kind in own.values():
            alike = next(name for name, its in own.items() if its == kind)
            cautions.append(f"the disease progressed on {drug}{when}, a {kind} as {alike} is")
    return Findings(tuple(excluded), tuple(cautions))


def wanted_before(row: TherapyRow) -> str:
    """What must have been given before, in words: "EGFR TKI, and cisplatin or carboplatin"."""
    parts = [" or ".join(group) for group in row.after_all]
    if row.after and row.after_at_least > 1:
        parts.append(f"{row.after_at_least} or more of {', '.join(row.after)}")
    elif row.after:
        parts.append(" or ".join(row.after))
    return ", and ".join(parts)


def _needed_before(patient: Patient, row: TherapyRow) -> Findings:
    """A row for disease after certain drugs, against what was given."""
    if not (row.after or row.after_all):
        return Findings()
    wanted = wanted_before(row)
    given = _given(patient)
    if not given:
        return Findings(excluded=(f"the row is for disease after {wanted}; the record holds no treatment",))
    fitting = [g for g in given if _is_wanted(g[0], frozenset((*row.after, *(d for g in row.after_all for d in g))))]
    lacking = _lacking_before(given, row)
    if lacking:
        held = ", ".join(sorted({drug for drug, _, _ in given}))
        also = f", not {' nor '.join(lacking)}" if fitting else ""
        return Findings(excluded=(f"the row is for disease after {wanted}; the record holds {held}{also}",))
    if (row.line or "").startswith("maintenance") and all(progressed for _, _, progressed in fitting):
        drug, when, _ = fitting[0]
        return Findings(excluded=(f"the row is for disease held by {drug}; it progressed on it{when}",))
    return Findings()


def _lacking_before(given: list[tuple[str, str, bool]], row: TherapyRow) -> list[str]:
    """The conditions on earlier drugs that the record does not meet, in words."""
    drugs = {drug for drug, _, _ in given}
    lacking = [" or ".join(g) for g in row.after_all if not any(_is_wanted(d, frozenset(g)) for d in drugs)]
    found = sum(_is_wanted(d, frozenset(row.after)) for d in drugs)
    if row.after and found < row.after_at_least:
        lacking.append(" or ".join(row.after) if row.after_at_least == 1 else f"{row.after_at_least} of the drugs")
    return lacking


def _is_wanted(drug: str, after: frozenset[str]) -> bool:
    """A drug, its class, or words of the record for an unnamed platinum drug, chemotherapy or endocrine treatment."""
    if drug == PLATINUM:
        return bool(after & (PLATINUM_DRUGS | {CHEMOTHERAPY}))
    if drug == ENDOCRINE_TREATMENT:
        return bool(after & ENDOCRINE_OF_BREAST)
    return drug in after or drug_class(drug) in after


_CHECKS: tuple[tuple[str, Callable[[Patient, TherapyRow], Findings]], ...] = (
    ("line", _line),
    ("stage", _stage),
    ("age", _age),
    ("earlier drugs", _earlier_drugs),
    ("drugs needed before", _needed_before),
    ("medicines", check_medicines),
    ("laboratory values", check_laboratory),
    ("ECOG", check_ecog),
    ("pregnancy", check_pregnancy),
)
