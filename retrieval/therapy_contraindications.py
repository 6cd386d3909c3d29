"""A therapy row against what the record says of the patient's body: medicines, laboratory values, ECOG, pregnancy.

What this module does not know: comorbidities (the record has no field for them, so a contraindication such as
autoimmune disease stays in the row for the reader), doses, interactions that the row's own contraindications do
not name, whether a pregnancy recorded once still lasts.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from encoders.patient import Biomarker, Lab, Patient
from retrieval.biomarker_values import plain
from retrieval.lexicon import canonical_drug, drug_class
from retrieval.passage import TherapyRow
from retrieval.therapy_findings import Findings

INTERACTION_CLASSES: tuple[tuple[str, re.Pattern[str]], ...] = (
    ("CYP3A inducer", re.compile(r"CYP3A[^:;.]*inducer", re.IGNORECASE)),
    ("CYP3A inhibitor", re.compile(r"CYP3A[^:;.]*inhibitor", re.IGNORECASE)),
    ("CYP2D6 inhibitor", re.compile(r"CYP2D6[^:;.]*inhibitor", re.IGNORECASE)),
    ("proton pump inhibitor", re.compile(r"proton pump", re.IGNORECASE)),
    ("H2 blocker", re.compile(r"H2 blocker|acid reduc", re.IGNORECASE)),
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
SAME_UNIT: Mapping[str, str] = dict.fromkeys(("109l", "x109l", "103ul", "x103ul", "kul", "thousul", "103mm3"), "109l")
"""Spellings of one unit, letters and digits only: 10^9/L and thousands per microlitre are the same figure."""

ECOG_OF_TRIALS = 2
NOT_HARMFUL_TO_A_FETUS = frozenset(("folate",))
DECIDED_BY_TRIMESTER = frozenset(("chemotherapy",))
"""Classes given in pregnancy after the first trimester in some centres: a caution, not an exclusion. Every other
class of cancer drug is excluded: its labels advise against use in pregnancy. Source: FDA labels, section 8.1."""
HCG_NAMES = frozenset(("hcg", "betahcg", "bhcg", "choriongonadotropin", "choriogonadotropin", "βhcg"))
HCG_RAISED_ABOVE = 25.0  # IU/L, above which pregnancy must be ruled out; some tumours make hCG themselves
PREGNANT_WORDS = frozenset(("pregnant", "positive", "yes", "true", "confirmed", "present"))


def check_medicines(patient: Patient, row: TherapyRow) -> Findings:
    """Medicines of a class, or by a name, that the row's contraindications give."""
    cautions = []
    for medication in patient.medications:
        kind = drug_class(medication.drug)
        name = canonical_drug(medication.drug) or medication.drug.strip().lower()
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
    return not named or bool(named & {canonical_drug(d) or d.lower() for d in row.drugs})


def check_laboratory(patient: Patient, row: TherapyRow) -> Findings:
    """Numeric contraindications ("creatinine clearance under 45 mL/min") against the newest value of that name."""
    excluded, cautions = [], []
    for text in row.contraindications:
        for limit in LIMIT.finditer(text):
            lab = None if _is_ecog(limit) else _latest_lab(patient, limit["name"])
            if lab is None:
                continue
            shown = f"{lab.name} is {lab.value:g} {lab.unit}".rstrip()
            if not _unit(lab.unit).startswith(_unit(limit["unit"])):  # mL/min against mL/min/1.73 m2 is compared
                cautions.append(f"{shown}, not comparable by unit: {text}")
            elif _breaks(lab.value, limit):
                (cautions if re.search(r"weigh|caution", text) else excluded).append(f"{shown}: {text}")
    return Findings(tuple(excluded), tuple(cautions))


def check_ecog(patient: Patient, row: TherapyRow) -> Findings:
    """The row's own limit on ECOG, and a caution beyond what trials admitted."""
    if patient.ecog is None:
        return Findings()
    limits = [(t, limit) for t in row.contraindications for limit in LIMIT.finditer(t) if _is_ecog(limit)]
    excluded = tuple(f"ECOG is {patient.ecog}: {t}" for t, limit in limits if _breaks(float(patient.ecog), limit))
    if patient.ecog <= ECOG_OF_TRIALS:
        return Findings(excluded)
    return Findings(
        excluded, (f"ECOG is {patient.ecog}; trials of systemic therapy mostly admitted ECOG 0 to {ECOG_OF_TRIALS}",)
    )


def check_pregnancy(patient: Patient, row: TherapyRow) -> Findings:
    """Drugs harmful to a fetus, where the record holds a pregnancy; a raised hCG without one is a caution."""
    if patient.sex == "male":
        return Findings()
    pregnancy = _pregnancy(patient)
    if pregnancy is None:
        lab = max((x for x in patient.labs if plain(x.name) in HCG_NAMES), key=lambda x: x.date or "", default=None)
        if lab is None or lab.value <= HCG_RAISED_ABOVE:
            return Findings()
        return Findings(cautions=(f"{lab.name} is {lab.value:g} {lab.unit}: rule out pregnancy before treatment",))
    excluded, cautions = [], []
    for drug in row.drugs:
        kind = drug_class(drug)
        if kind in DECIDED_BY_TRIMESTER:
            cautions.append(f"{pregnancy}: the trimester decides whether {drug} can be given")
        elif kind not in NOT_HARMFUL_TO_A_FETUS:
            excluded.append(f"{pregnancy}; {drug} may harm the fetus")
    return Findings(tuple(excluded), tuple(cautions))


def _pregnancy(patient: Patient) -> str | None:
    """ "pregnancy is recorded" with its date, by the newest status that says yes or no; None where there is none."""
    told = [b for b in patient.biomarkers if "pregnan" in b.name.lower() and _status(b) != "unknown"]
    latest = max(told, key=lambda b: b.date or "", default=None)
    if latest is None or _status(latest) not in PREGNANT_WORDS:
        return None
    return "pregnancy is recorded" + (f" on {latest.date}" if latest.date else "")


def _status(marker: Biomarker) -> str:
    return str(marker.value).strip().lower()


def _is_ecog(limit: re.Match[str]) -> bool:
    return limit["name"].strip().upper().endswith("ECOG")


def _unit(text: str) -> str:
    return SAME_UNIT.get(plain(text), plain(text))


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
