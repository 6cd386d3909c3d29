"""Codes of FHIR records that readers are sure of: cancer types to OncoTree, biomarkers, stages, cancer drugs.

A code that is not here gives None: the display text is kept as histology, nothing is guessed.

What this module does not know: histology behind an ICD-10 organ code (C34 is LUNG, not LUAD).
"""

from __future__ import annotations

import re
from importlib.resources import files

from encoders import oncotree

ICD10 = {
    "C34": "LUNG",
    "C50": "BREAST",
    "C64": "KIDNEY",
    "C71": "BRAIN",
    "C61": "PROSTATE",
    "C25": "PANCREAS",
    "C18": "BOWEL",
    "C19": "BOWEL",
    "C20": "BOWEL",
    "C16": "STOMACH",
    "C15": "STOMACH",
    "C22": "LIVER",
    "C67": "BLADDER",
    "C53": "CERVIX",
    "C54": "UTERUS",
    "C56": "OVARY",
    "C73": "THYROID",
    "C43": "MEL",
    "C62": "TESTIS",
    "C37": "THYMUS",
    "C45.0": "PLMESO",
    "C92.0": "AML",
    "C92.1": "CML",
    "C91.1": "CLLSLL",
    "C90.0": "PCM",
    "C81": "HL",
    "C82": "FL",
    "C83.1": "MCL",
    "C83.3": "DLBCLNOS",
    "D45": "PV",
    "D46": "MDS",
    "D47.3": "ET",
}
"""ICD-10(-CM) category -> OncoTree code of the same breadth."""

SNOMED = {
    "254637007": "NSCLC",
    "254632001": "SCLC",
    "254626006": "LUAD",
    "254634000": "LUSC",
    "363358000": "LUNG",
    "254837009": "BREAST",
    "408643008": "IDC",
    "278054005": "ILC",
    "254915003": "CCRCC",
    "702391001": "RCC",
    "393563007": "GB",
    "399068003": "PROSTATE",
    "363406005": "BOWEL",
    "363418001": "PANCREAS",
}
"""SNOMED CT disorder -> OncoTree code."""

ICDO3 = {("LUNG", "8140"): "LUAD", ("LUNG", "8070"): "LUSC", ("BREAST", "8500"): "IDC", ("BREAST", "8520"): "ILC"}
"""(organ, ICD-O-3 morphology without behaviour) -> OncoTree code; also used with SNOMED morphologies below."""

SNOMED_MORPHOLOGY = {"35917007": "8140", "28899001": "8070", "82711006": "8500", "89740008": "8520"}
"""SNOMED CT morphology (adenocarcinoma, squamous, infiltrating duct, lobular) -> ICD-O-3."""

_CLEAN = re.compile(r"\s*\((disorder|morphologic abnormality|finding)\)\s*$", re.IGNORECASE)
_SPELLINGS = {
    "diffuse glioma": "DIFG",
    "clear cell carcinoma of kidney": "CCRCC",
    "glioblastoma": "GB",
    "clear cell renal cell carcinoma": "CCRCC",
    "invasive breast carcinoma": "BRCA",
    "infiltrating duct carcinoma of breast": "IDC",
    "adenocarcinoma of lung": "LUAD",
    "malignant melanoma": "MEL",
    "multiple myeloma": "PCM",
    "chronic myeloid leukemia": "CML",
    "chronic lymphocytic leukemia": "CLLSLL",
    "diffuse large b-cell lymphoma": "DLBCLNOS",
}


def clean_display(text: str | None) -> str | None:
    """A display without SNOMED's "(disorder)" tail; None when empty."""
    cleaned = _CLEAN.sub("", text or "").strip()
    return cleaned or None


def code_of_name(text: str | None) -> str | None:
    """The OncoTree code whose name (or a fixed spelling of it) is exactly ``text``, any case."""
    wanted = (clean_display(text) or "").lower()
    named = {node.name.lower(): code for code, node in oncotree.table().items()}
    return _SPELLINGS.get(wanted) or named.get(wanted)


def refine(code: str | None, morphology: str | None) -> str | None:
    """Narrow an organ ("LUNG", "NSCLC") by a morphology code (ICD-O-3 "8140/3" or SNOMED); else the code as it is."""
    if code is None or not morphology:
        return code
    icdo = SNOMED_MORPHOLOGY.get(morphology, morphology).split("/")[0]
    for organ in (code, *oncotree.ancestors(code)):
        narrow = ICDO3.get((organ, icdo))
        if narrow and code in oncotree.ancestors(narrow):
            return narrow
    return code


HGNC = {
    "HGNC:3236": "EGFR",
    "HGNC:11998": "TP53",
    "HGNC:6407": "KRAS",
    "HGNC:3430": "ERBB2",
    "HGNC:1097": "BRAF",
    "HGNC:1100": "BRCA1",
    "HGNC:1101": "BRCA2",
    "HGNC:3467": "ESR1",
    "HGNC:8975": "PIK3CA",
    "HGNC:427": "ALK",
    "HGNC:5382": "IDH1",
    "HGNC:950": "BAP1",
    "HGNC:12687": "VHL",
    "HGNC:9588": "PTEN",
}
"""HGNC id -> approved symbol, for records that write a gene's full name beside it."""

BIOMARKERS = (
    ("ER", frozenset(("16112-5", "40556-3", "85310-1")), re.compile(r"o?estrogen receptor|^er\b", re.IGNORECASE)),
    ("PR", frozenset(("16113-3", "40557-1")), re.compile(r"progesterone receptor|^pr\b", re.IGNORECASE)),
    (
        "HER2 FISH",
        frozenset(),
        re.compile(r"(her-?2|erbb2).*(fish|in situ|gene)", re.IGNORECASE),
    ),
    (
        "HER2 IHC",
        frozenset(("18474-7", "48676-1", "72383-3")),
        re.compile(r"her2|her-2|erbb2 protein|\bhuman epidermal growth factor receptor 2", re.IGNORECASE),
    ),
    ("PD-L1", frozenset(), re.compile(r"pd-?l1|programmed (cell )?death (1 )?ligand", re.IGNORECASE)),
    ("MSI", frozenset(("62862-8", "81695-9")), re.compile(r"microsatellite|^msi\b", re.IGNORECASE)),
    (
        "TMB",
        frozenset(("94076-7",)),
        re.compile(r"tumou?r mutation(al)? burden|^tmb\b|mutations?/megabase", re.IGNORECASE),
    ),
    ("Ki-67", frozenset(), re.compile(r"ki-?67", re.IGNORECASE)),
    ("MGMT", frozenset(), re.compile(r"mgmt", re.IGNORECASE)),
)
"""Biomarker name, its LOINC codes we are sure of, and the words of a display that mean it."""

PREGNANCY_STATUS = "pregnancy status"
PREGNANCY_LOINC = "82810-3"
PREGNANCY_ANSWERS = {
    "LA15173-0": "pregnant",
    "LA26683-5": "not pregnant",
    "LA4489-6": "unknown",
    "77386006": "pregnant",
    "60001007": "not pregnant",
}
"""LOINC and SNOMED CT answers to a pregnancy status, as the International Patient Summary (HL7 FHIR IPS) maps them."""

STAGE_GROUPS = {"21902-2": "pathologic", "21908-9": "clinical", "21914-7": "other"}
"""LOINC of a stage group observation -> its kind; pathologic is preferred, then clinical."""

ECOG_LOINC = "89247-1"
ECOG_ANSWERS = {"LA9622-7": 0, "LA9623-5": 1, "LA9624-3": 2, "LA9625-0": 3, "LA9626-8": 4}

ANTINEOPLASTIC = frozenset(files("encoders.read").joinpath("antineoplastic.txt").read_text("utf-8").split())
"""Generic names (INN) of medicines whose use is cancer treatment; a closed list, one word each."""

_CONJUGATES = ("trastuzumab deruxtecan", "trastuzumab emtansine", "sacituzumab govitecan", "enfortumab vedotin",
               "datopotamab deruxtecan", "mirvetuximab soravtansine")  # fmt: skip


def antineoplastic(text: str) -> str | None:
    """The generic name of the cancer medicine named in ``text``, lower case; None when there is none on the list."""
    lower = text.lower()
    pair = next((name for name in _CONJUGATES if name in lower), None)
    if pair:
        return pair
    return next((word for word in re.findall(r"[a-z]+", lower) if word in ANTINEOPLASTIC), None)
