"""What a series shows, in a few fixed words, from its DICOM tags ("CT chest", "FDG-PET", "FLAIR").

What this module does not know: pixels. A series no rule fits keeps its own description, or its modality.
"""

from __future__ import annotations

import re

from pydicom import Dataset

from encoders.read.dicom_tags import items, text

ROLES = ("CT chest", "CT abdomen", "FDG-PET", "T1 post-contrast", "FLAIR", "T2", "T1", "DWI")
"""The fixed words a role may be (besides a series' own description)."""

_CONTRAST = re.compile(r"post|gad|\bgd\b|\+\s*c\b|\bc\+|\bce\b|dce|contrast|enhanced", re.IGNORECASE)
_NO_CONTRAST = re.compile(r"\bpre\b|non[- ]?contrast|without|native|unenhanced", re.IGNORECASE)
_REGIONS = {
    "CT chest": re.compile(r"chest|thorax|lung", re.IGNORECASE),
    "CT abdomen": re.compile(r"abdomen|kidney|renal|liver|abd", re.IGNORECASE),
}


def series_role(header: Dataset) -> str:
    """The role of a series, from its description, modality, body part, tracer and contrast tags."""
    modality = text(header, "Modality")
    description = text(header, "SeriesDescription") or text(header, "ProtocolName")
    if description in ROLES:
        return description
    body = text(header, "BodyPartExamined")
    rule = {"CT": _ct, "MR": _mr, "PT": _pet}.get(modality)
    found = rule(header, description, body) if rule else None
    return found or description or modality


def _ct(_: Dataset, description: str, body: str) -> str | None:
    for role, words in _REGIONS.items():
        if words.search(body) or (not body and words.search(description)):
            return role
    return None


def _mr(header: Dataset, description: str, _: str) -> str | None:
    if re.search(r"flair", description, re.IGNORECASE):
        return "FLAIR"
    if re.search(r"dwi|diffusion|adc", description, re.IGNORECASE):
        return "DWI"
    given = bool(text(header, "ContrastBolusAgent"))
    told = bool(_CONTRAST.search(description)) and not _NO_CONTRAST.search(description)
    if re.search(r"t1|mprage|spgr|dce|dynamic|vibe|thrive", description, re.IGNORECASE):
        return "T1 post-contrast" if given or told else "T1"
    if re.search(r"t2", description, re.IGNORECASE):
        return "T2"
    return None


def _pet(header: Dataset, description: str, _: str) -> str | None:
    drugs = items(header, "RadiopharmaceuticalInformationSequence")
    tracer = " ".join(text(d, "Radiopharmaceutical") for d in drugs) + " " + description
    if re.search(r"fdg|fluorodeoxyglucose|deoxyglucose", tracer, re.IGNORECASE):
        return "FDG-PET"
    return None
