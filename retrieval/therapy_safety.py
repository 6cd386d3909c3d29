"""A therapy row against the rest of the record: line, stage, earlier drugs, medicines, laboratory values, ECOG.

What this module does not know: biomarkers and diseases (retrieval/biomarker_rules.py), comorbidities (the
record has no field for them, so a contraindication such as autoimmune disease stays in the row for the
reader), doses, interactions that the row's own contraindications do not name.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from encoders.patient import Lab, Patient
from retrieval.biomarker_values import plain
from retrieval.lexicon import canonical_drug, drug_class
from retrieval.passage import TherapyRow

CURATIVE_LINES = ("adjuvant", "neoadjuvant")
EARLY_STAGES = re.compile(r"^(0|I|II)([ABC]\d?)?$")
STAGE_SPAN = re.compile(r"stages? ([IV]+[ABC]?) (?:to|or|-) ([IV]+[ABC]?)")
PAEDIATRIC = re.compile(r"p(?:a)?ediatric|children|under 18", re.IGNORECASE)
ADULT_FROM_YEARS = 18
STAGE = re.compile(r"\b(IV|III|II|I|0)([ABC]?\d?)\b")

INTERACTION_CLASSES: tuple[tuple[str, re.Pattern[str]], ...] = (
    ("CYP3A inducer", re.compile(r"CYP3A[^:;.]*inducer", re.IGNORECASE)),
    ("CYP3A inhibitor", re.compile(r"CYP3A[^:;.]*inhibitor", re.IGNORECASE)),
    ("CYP2D6 inhibitor", re.compile(r"CYP2D6[^:;.]*inhibitor", re.IGNORECASE)),
    ("proton pump inhibitor", re.compile(r"proton pump", re.IGNORECASE)),
    ("QT-prolonging", re.compile(r"QT-prolonging|QTc|long QT|torsade", re.IGNORECASE)),
    ("anticoagulant", re.compile(r"anticoagul|bleeding|haemorrhag", re.IGNORECASE)),
    ("corticosteroid", re.compile(r"corticosteroid|immunosuppress", re.IGNORECASE)),
)
"""Word of a medicine's class (retrieval/knowledge/drugs.tsv) -> how a contraindication names it."""

LIMIT = re.compile(
    r"(?P<name>[A-Za-z][A-Za-z \-]*?) (?P<sign>under|below|above|over|<=|>=|<|>|at least|at most) "
    r"(?P<figure>\d+(?:\.\d+)?) ?(?P<unit>[A-Za-z%µ/0-9^*.\-]*)"
)
BELOW = frozenset(("under", "below", "<", "<=", "at most"))
LAB_NAMES: Mapping[str, str] = {
    **dict.fromkeys(("qtc", "qtcinterval", "qtcf", "qtinterval"), "qtc"),
    **dict.fromkeys(("lvef", "ejectionfraction", "leftventricularejectionfraction"), "lvef"),
    **dict.fromkeys(("creatinineclearance", "crcl", "egfr", "gfr", "estimatedgfr", "renalclearance"), "clearance"),
    **dict.fromkeys(("platelets", "plateletcount", "platelet"), "platelets"),
    **dict.fromkeys(("neutrophils", "anc", "absoluteneutrophilcount", "neutrophilcount"), "neutrophils"),
}


@dataclass(frozen=True)
class Findings:
    """Reasons not to offer a row, and cautions to weigh."""

    excluded: tuple[str, ...] = ()
    cautions: tuple[str, ...] = ()


def check_record(patient: Patient, row: TherapyRow) -> Findings:
    """Everything in the record but the biomarker that speaks against a sensitivity row."""
    parts = (
        _line(patient, row),
        _stage(patient, row),
        _age(patient, row),
        _earlier_drugs(patient, row),
        _medicines(patient, row),
        _limits(patient, row),
    )
    return Findings(
        tuple(dict.fromkeys(reason for p in parts for reason in p.excluded)),
        tuple(dict.fromkeys(caution for p in parts for caution in p.cautions)),
    )


def next_line(patient: Patient) -> int | None:
    """The line of treatment to come: last recorded line + 1, 1 with no treatment, None where no line is recorded."""
    if not patient.treatments:
        return 1
    lines = [t.line for t in patient.treatments if t.line is not None]
    return max(lines) + 1 if lines else None


def _line(patient: Patient, row: TherapyRow) -> Findings:
    if not row.lines_allowed:
        return Findings()
    coming = next_line(patient)
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
    """Adjuvant evidence needs a resectable stage, any other line advanced disease (retrieval/corpus/builtin.py)."""
    stage = stage_group(patient.diagnosis.stage)
    line = (row.line or "").lower()
    if line.startswith(CURATIVE_LINES):
        return _curative_stage(stage, row.line or "")
    if stage is None or not line:
        return Findings()
    if EARLY_STAGES.match(stage):
        reason = f"evidence is for advanced disease; recorded stage is {stage}"
        return Findings(cautions=(reason,)) if patient.treatments else Findings(excluded=(reason,))
    if stage.startswith("III"):
        return Findings(
            cautions=(f"evidence is for advanced disease; stage {stage} may be treated with curative intent",)
        )
    return Findings()


def _curative_stage(stage: str | None, line: str) -> Findings:
    """Adjuvant and neoadjuvant rows: stage IV never, and inside "stage IB to IIIA" where the line gives a range."""
    if stage is None:
        return Findings(cautions=(f"evidence is {line}; no stage is recorded",))
    span = STAGE_SPAN.search(line)
    inside = not stage.startswith("IV")
    if span is not None:
        inside = _stage_order(span[1], low=True) <= _stage_order(stage) <= _stage_order(span[2], low=False)
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


def _earlier_drugs(patient: Patient, row: TherapyRow) -> Findings:
    excluded, cautions = [], []
    barred = {_generic(d) for d in row.not_after}
    own = {_generic(d) for d in row.drugs}
    for treatment in patient.treatments:
        drug = _generic(treatment.drug)
        when = f" in line {treatment.line}" if treatment.line is not None else ""
        if drug in barred:
            excluded.append(f"{drug} was given{when}; the row does not apply after it")
        elif drug in own and re.search(r"(?i)progress|\bPD\b|resist|refractory", treatment.response or ""):
            excluded.append(f"{drug} was given{when} and the disease progressed")
        elif drug in own:
            cautions.append(f"{drug} was given{when}")
    return Findings(tuple(excluded), tuple(cautions))


def _medicines(patient: Patient, row: TherapyRow) -> Findings:
    """Medicines of a class the row's contraindications name."""
    cautions = []
    for medication in patient.medications:
        kind = drug_class(medication.drug)
        name = _generic(medication.drug)
        for text in row.contraindications:
            if re.search(rf"\b{re.escape(name)}\b", text, re.IGNORECASE) and name not in row.drugs:
                cautions.append(f"takes {name}: {text}")
            elif kind is not None and _names_class(text, kind) and _concerns(text, row):
                cautions.append(f"takes {name} ({kind}): {text}")
    return Findings(cautions=tuple(dict.fromkeys(cautions)))


def _names_class(text: str, kind: str) -> bool:
    if kind.startswith("moderate") and "moderate" not in text.lower():
        return False
    return any(word in kind and pattern.search(text) for word, pattern in INTERACTION_CLASSES)


def _concerns(text: str, row: TherapyRow) -> bool:
    """A contraindication that names cancer drugs ("lower exposure of erlotinib") concerns only rows with those."""
    named = {found for word in re.findall(r"[a-z]{5,}", text.lower()) if (found := canonical_drug(word))}
    return not named or bool(named & {_generic(d) for d in row.drugs})


def _limits(patient: Patient, row: TherapyRow) -> Findings:
    """Numeric contraindications ("creatinine clearance under 45 mL/min", "ECOG above 2") against the record."""
    excluded, cautions = [], []
    for text in row.contraindications:
        for limit in LIMIT.finditer(text):
            if limit["name"].strip().upper().endswith("ECOG"):
                if patient.ecog is not None and _breaks(float(patient.ecog), limit):
                    excluded.append(f"ECOG is {patient.ecog}: {text}")
                continue
            lab = _latest_lab(patient, limit["name"])
            if lab is None:
                continue
            shown = f"{lab.name} is {lab.value:g} {lab.unit}".rstrip()
            if not plain(lab.unit).startswith(plain(limit["unit"])):  # mL/min against mL/min/1.73 m2 is compared
                cautions.append(f"{shown}, not comparable by unit: {text}")
                continue
            if _breaks(lab.value, limit):
                (cautions if re.search(r"weigh|caution", text) else excluded).append(f"{shown}: {text}")
    if patient.ecog is not None and patient.ecog >= 3:
        cautions.append(f"ECOG is {patient.ecog}; trials of systemic therapy mostly admitted ECOG 0 to 2")
    return Findings(tuple(excluded), tuple(cautions))


def _breaks(value: float, limit: re.Match[str]) -> bool:
    sign, figure = limit["sign"], float(limit["figure"])
    if sign in ("<=", ">=", "at most", "at least") and value == figure:
        return True
    return value < figure if sign in BELOW else value > figure


def _latest_lab(patient: Patient, name: str) -> Lab | None:
    """The newest laboratory value of that name; the last words of a phrase count ("QTc" in "a QTc")."""
    words = name.split()
    for start in range(len(words)):
        wanted = LAB_NAMES.get(plain(" ".join(words[start:])), plain(" ".join(words[start:])))
        same = [lab for lab in patient.labs if LAB_NAMES.get(plain(lab.name), plain(lab.name)) == wanted]
        if same:
            return max(same, key=lambda lab: lab.date or "")
    return None
