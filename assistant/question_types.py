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
    "ca 15-3": ("ca 15-3", "ca15-3"),
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


ASKED_FIELDS: Mapping[str, tuple[tuple[str, tuple[str, ...]], ...]] = {
    "variant": (
        (r"allele (?:fraction|frequency)|vaf|share of (?:the )?reads|fraction of (?:the )?reads", ("allele_fraction",)),
        (r"depth|deep(?:ly)?|coverage|covered|reads", ("depth",)),
        (r"kind of|sort of|type of|consequence|truncat|frameshift|missense|nonsense", ("consequence",)),
    ),
    "copy_number": ((r"log2|log ratio|how strong", ("log2_ratio",)),),
    "lesion": (
        (r"slice\b|which cut|which image", ("slice",)),
        (r"volumes?|millilit\w+|ml|cc|cubic", ("volume",)),
        (r"short(?:est)? (?:axis|diameter)|narrow\w*", ("short_axis",)),
        (r"diameters?|wide|widest|across|length|long|longest|large|big|size|millimet\w+|measure\w*|dimensions?|extent",
         ("longest_diameter",)),
        (r"mean (?:intensity|signal)", ("mean_intensity",)),
    ),
    "series": (
        (r"when|dates?|how old|how recent|latest|last", ("date",)),
        (r"how many slices|slices|images", ("slices",)),
        (r"spacing|resolution|voxel|thick\w*", ("spacing",)),
    ),
    "diagnosis": ((r"when|date", ("date",)), (r"grades?|graded", ("grade",)), (r"stages?|staged|tnm", ("stage",))),
    "treatment": (
        (r"when|since|start\w*", ("start",)), (r"respon\w+|work|worked|help\w*|outcome", ("response",)),
        (r"which line|what line", ("line",)),
    ),
    "survival": (
        (r"two years?|2 years?|24|second year", ("survival_24m",)),
        (r"one year|a year|1 year|12|twelve|one-year|first year", ("survival_12m",)),
        (r"percentiles?|where does|compared|rank\w*|among", ("percentile",)),
        (r"trust|reliab\w+|rely|sure|certain|confiden\w+", ("reliability",)),
        (r"risk|stratum|category|prognosis|outlook", ("risk_group",)),
    ),
    "molecular_prediction": (
        (r"probab\w+|sure|certain|confiden\w+", ("probability",)),
        (r"agree\w*|tall\w+|match\w*|right|correct|confirm\w*|consistent|fit|fits", ("label", "agreement")),
    ),
    "contribution": (
        (r"shares?|how much|per ?cent|proportions?|split|breakdown", ("shares",)),
        (r"raises?|lowers?|up|down|direction|pull|push", ("top_modality", "direction")),
        (r"which|what|most|mainly|heaviest|why|reason|behind", ("top_modality",)),
    ),
    "similar_case": (
        (r"share|in common|overlap", ("shared",)), (r"how (?:similar|alike|close)|similarity", ("similarity",)),
        (r"surviv\w*|died|dead|alive|outcome|became|happened|course|fare", ("outcome",)),
    ),
    "therapy": (
        (
            r"look out|watch\w*|caution\w*|contraindicat\w+|beware|monitor\w*|mind|risks?|toxic\w*",
            ("contraindications",),
        ),
        (r"evidence|level|how good|how strong|tier", ("level",)), (r"which line|what line|in which setting", ("line",)),
        (r"trial|study", ("trial",)),
    ),
    "absent": (
        (r"why|reason", ("reason",)), (r"order|test|investigation|request|examination", ("test",)),
        (r"change|inform|tell us|affect", ("would_change",)),
    ),
    "heatmap": ((r"deletion|sanity|hold\w* up", ("deletion_test",)), (r"overlap|inside|fall|much", ("overlap",))),
}  # fmt: skip
"""Evidence type -> (words of a question, fields they ask for), tried in turn; a true answer without them is none."""


_COMPARED = re.compile(
    r"\b(?:smaller|bigger|larger|grown|growth|shrunk|shrink\w*|shrank|progress(?:ed|ion)|regress\w*|responded|respond(?:ing)?"
    r"|baseline|follow-?up|then and now|stable|differ\w*|changed?)\b|\bgr(?:ow|ew)\b"
)
_EARLIER = re.compile(
    r"\b(?:previous|prior|earlier|former|old(?:er)?|last|before|since|ago|against|compared?|comparison|then"
    r"|january|february|march|april|may|june|july|august|september|october|november|december)\b"
)
_IMAGED = re.compile(
    r"\b(?:tumou?r|lesion|nodule|mass|glioma|cancer|scan|ct|mri?|pet|imaging|images?|study|exam\w*|size|diameters?"
    r"|measured?|millimet\w+|it|growth|smaller|bigger|larger)\b"
)
_NOT_OF_SIZE = re.compile(
    r"\b(?:rna|express\w*|cells?|quick\w*|fast|rapid\w*|treatments?|therap\w+|drugs?|patients?|cases?|risk|surviv\w*"
    r"|diagnos\w*|results?|sequenc\w*|management|plan|weight|lab\w*|creatinine|haemoglobin|differentiat\w*"
    r"|different (?:components?|parts?|kinds?|tissues?)|grow\w* into"
    r"|(?:larg|bigg|small)er than (?:\d|a |one|two|three|four|five))\b"
)


def compares_with_prior(question: str) -> bool:
    """Whether a question asks what became of a lesion since an earlier study: a change of size, or an earlier scan."""
    low = question.lower()
    if _NOT_OF_SIZE.search(low):
        return False
    if _COMPARED.search(low):
        return bool(_EARLIER.search(low) or _IMAGED.search(low))
    earlier = (
        _EARLIER.search(low.replace("last", "")) is not None
        and re.search(r"\b(?:scan|ct|mri?|pet|imaging|study)\b", low) is not None
    )
    return (
        earlier
        and re.search(r"\b(?:large|big|size|millimet\w+|measured?|differen\w+|diameters?|mm)\b", low) is not None
    )


_PROTEIN_CHANGE = re.compile(r"\b[A-Z]\d{2,4}(?:[A-Z]|fs\b)")


def unheld_change(question: str, ledger: Ledger) -> str | None:
    """A protein change the question names ("K27M") of which no evidence of the case speaks; None where all are held."""
    held = " ".join(e.text for e in ledger)
    return next((m[0] for m in _PROTEIN_CHANGE.finditer(question) if m[0] not in held), None)


def asked_fields(question: str, evidence_type: str) -> tuple[str, ...]:
    """The fields of one type of evidence that a question's words ask for; () when it names none."""
    low = question.lower()
    for words, fields in ASKED_FIELDS.get(evidence_type, ()):
        if re.search(rf"(?<![a-z0-9])(?:{words})(?![a-z0-9])", low):
            return fields
    return ()


def _asked(question: str, names: Mapping[str, object]) -> list[str]:
    low = question.lower()
    return [name for name in names if re.search(rf"(?<![a-z0-9]){re.escape(name)}s?(?![a-z0-9])", low)]


def names_biomarker(question: str) -> bool:
    """Whether a question names a biomarker other than a gene."""
    return bool(_asked(question, BIOMARKERS))


def names_laboratory_value(question: str) -> bool:
    """Whether a question names a laboratory value."""
    return bool(_asked(question, LABS))


_LABORATORY = re.compile(
    r"(?i)\blab(?:s|orator\w+)?\b|\bblood\w*\b|\bvalues?\b|\bchemistry\b|\bha?ematolog\w+\b|\bcounts?\b|\bresults?\b"
    r"|\banalytes?\b|\bmeasur\w+\b|\babnormal\w*\b|\bmarkers?\b|\bserum\b|\borgan\b"
)
"""Words that ask for laboratory values at large; without one, only a value the record names is an answer."""

_OF_PET = re.compile(r"(?i)\b(?:fdg|suv(?:max|peak|mean)?|pet)\b")


def lacking(question: str, topic: str, ledger: Ledger) -> str | None:
    """The test for a value, biomarker or part of the diagnosis the question names and the ledger lacks; else None.

    Without it, "what is the creatinine?" would be answered by the haemoglobin, which is true and no answer.
    """
    modalities = {e.fields["modality"].display for e in ledger.of_type("series") if "modality" in e.fields}
    if TYPE_OF_TOPIC.get(topic) is QuestionType.FINDING and _OF_PET.search(question) and "PT" not in modalities:
        return "an FDG-PET with the tags SUV needs"
    if topic == "laboratory":
        asked = _asked(question, LABS)
        held = _names(ledger.of_type("lab"))
        if asked and not any(part in name for a in asked for part in LABS[a] for name in held):
            return f"a current blood test with {' and '.join(asked)}"
        named = any(word in question.lower() for name in held for word in re.findall(r"[a-z0-9]{3,}", name))
        if not asked and not named and not _LABORATORY.search(question):
            return "a current laboratory report with the value asked for"
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
