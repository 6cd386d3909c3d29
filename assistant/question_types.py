"""The kinds of question a clinician asks, and the names in a question that only one value can answer.

Not known here: any patient, or how a question finds its topic (question_routing.py).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from enum import StrEnum

from assistant.evidence import Evidence, Ledger
from retrieval.biomarker_values import analyte_and_score


class QuestionType(StrEnum):
    """What a question is about; the fixed plan of the agent is chosen by it."""

    FACT = "fact"
    FINDING = "finding"
    VARIANT = "variant"
    RISK = "risk and why"
    OPTIONS = "options and why not"
    GUIDELINES = "guidelines"
    SIMILAR = "similar cases"
    MISSING = "what is missing"
    COMPARE = "compare with prior"
    WHAT_IF = "what if"
    OTHER = "other"


_TOPICS: Mapping[QuestionType, tuple[str, ...]] = {
    QuestionType.FACT: (
        "patient", "diagnosis", "performance", "prior treatment", "medicines", "laboratory", "notes", "conflicts",
    ),
    QuestionType.FINDING: (
        "images", "size", "intensity", "appearance", "margin", "necrosis", "texture", "enhancement", "uptake",
        "expression", "proliferation", "immune infiltration", "pathways",
    ),
    QuestionType.VARIANT: ("variants", "copy number", "fusions", "biomarkers", "image prediction of genes"),
    QuestionType.RISK: ("risk", "why this risk", "heat map", "predicted cancer type"),
    QuestionType.OPTIONS: ("therapy options", "excluded therapies"),
    QuestionType.GUIDELINES: ("guidelines",),
    QuestionType.SIMILAR: ("similar cases",),
    QuestionType.MISSING: ("missing data",),
    QuestionType.COMPARE: ("change",),
    QuestionType.WHAT_IF: ("what if",),
}  # fmt: skip
TYPE_OF_TOPIC: Mapping[str, QuestionType] = {topic: kind for kind, topics in _TOPICS.items() for topic in topics}
"""Topic (assistant/prompts/topics.txt) -> question type; any other topic is OTHER."""

WHAT_IF_TOPIC = "what if"

LABS: Mapping[str, tuple[str, ...]] = {
    "creatinine": ("creatinine",),
    "kidney function": ("creatinine", "egfr", "clearance", "gfr"),
    "renal function": ("creatinine", "egfr", "clearance", "gfr"),
    "liver function": ("alt", "ast", "bilirubin", "alanine", "aspartate"),
    "liver enzyme": ("alt", "ast", "alanine", "aspartate"),
    "bilirubin": ("bilirubin",),
    "platelet": ("platelet",),
    "neutrophil": ("neutrophil",),
    "white cell": ("leukocyte", "white", "wbc"),
    "white blood": ("leukocyte", "white", "wbc"),
    "haemoglobin": ("haemoglobin", "hemoglobin"),
    "hemoglobin": ("haemoglobin", "hemoglobin"),
    "ldh": ("ldh", "lactate"),
    "lactate dehydrogenase": ("ldh", "lactate"),
    "albumin": ("albumin",),
    "potassium": ("potassium",),
    "sodium": ("sodium",),
    "calcium": ("calcium",),
    "glucose": ("glucose",),
    "hba1c": ("hba1c",),
    "psa": ("psa", "prostate"),
    "ca-125": ("ca-125", "ca125", "ca 125"),
    "ca 19-9": ("ca 19-9", "ca19-9"),
    "cea": ("cea", "carcinoembryonic"),
    "afp": ("afp", "fetoprotein"),
    "inr": ("inr",),
    "tsh": ("tsh", "thyrotropin"),
    "troponin": ("troponin",),
}
"""How a laboratory value is asked for -> what a recorded name must hold to answer."""

BIOMARKERS: Mapping[str, str] = {
    "microsatellite": "MSI", "msi": "MSI", "mismatch repair": "MSI", "mmr": "MSI",
    "mutational burden": "TMB", "mutation burden": "TMB", "tmb": "TMB",
    "pd-l1": "PDL1", "pdl1": "PDL1", "mgmt": "MGMT", "1p/19q": "1P19Q",
    "estrogen receptor": "ER", "oestrogen receptor": "ER", "progesterone receptor": "PR",
}  # fmt: skip
"""How a biomarker is asked for -> its analyte (retrieval/biomarker_values.py)."""


DIAGNOSIS_FIELDS: Mapping[str, tuple[str, str]] = {
    "stage": ("stage", "clinical or pathological staging (TNM and stage group)"),
    "staging": ("stage", "clinical or pathological staging (TNM and stage group)"),
    "grade": ("grade", "the pathology report with the tumour's grade"),
    "histology": ("histology", "the pathology report of a biopsy or resection"),
    "histological type": ("histology", "the pathology report of a biopsy or resection"),
}
"""How a part of the diagnosis is asked for -> its field of a diagnosis evidence, what would tell it."""


def _asked(question: str, names: Mapping[str, object]) -> list[str]:
    low = question.lower()
    return [name for name in names if re.search(rf"(?<![a-z0-9]){re.escape(name)}s?(?![a-z0-9])", low)]


def names_biomarker(question: str) -> bool:
    """Whether a question names a biomarker other than a gene."""
    return bool(_asked(question, BIOMARKERS))


def lacking(question: str, topic: str, ledger: Ledger) -> str | None:
    """The test for a value, biomarker or part of the diagnosis the question names and the ledger lacks; else None.

    Without it, "what is the creatinine?" would be answered by the haemoglobin, which is true and no answer.
    """
    if topic == "laboratory":
        asked = _asked(question, LABS)
        held = _names(ledger.of_type("lab"))
        if asked and not any(part in name for a in asked for part in LABS[a] for name in held):
            return f"a current blood test with {' and '.join(asked)}"
    if topic == "diagnosis":
        asked = _asked(question, DIAGNOSIS_FIELDS)
        held = {name for e in ledger.of_type("diagnosis") for name in e.fields}
        if asked and not held & {DIAGNOSIS_FIELDS[a][0] for a in asked}:
            return " and ".join(dict.fromkeys(DIAGNOSIS_FIELDS[a][1] for a in asked))
    if topic == "biomarkers":
        asked = _asked(question, BIOMARKERS)
        analytes = {analyte_and_score(name)[0] for name in _names(ledger.of_type("biomarker"))}
        if asked and not analytes & {BIOMARKERS[a] for a in asked}:
            return f"immunohistochemistry or a panel that reports {' and '.join(a.upper() for a in asked)}"
    return None


def _names(found: tuple[Evidence, ...]) -> list[str]:
    return [e.fields["name"].display.lower() for e in found if "name" in e.fields]
