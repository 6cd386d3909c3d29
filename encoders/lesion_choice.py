"""Which segments of a series are lesions: an outlined liver is not measured as one.

A segment's own words decide: its label, then what its file says it is. A label or kind that names a lesion ("GTV-1",
"Tumor_c40", "Neoplasm") makes it one; a kind or label that names an organ or a planning volume does not. A segment that
says neither is taken for the lesion only when it is the only one of its series.

Not checked: whether the outline is right, or the lesion is the patient's cancer.
"""

from __future__ import annotations

import re

import numpy as np
from numpy.typing import NDArray

from encoders.patient import ImagingSeries, Segment

_LESION = re.compile(
    r"gtv|lesion|tumou?r|nodule|neoplas|metast|carcinoma|cancer|malignan|glioma|(?:^|[^a-z])(?:mass|met|mets)(?:$|[^a-z])",
    re.I,
)
_LESION_KINDS = frozenset(
    ("GTV", "NEOPLASM", "MORPHOLOGICALLY ABNORMAL STRUCTURE", "MORPHOLOGICALLY ALTERED STRUCTURE")
)
_OTHER_KINDS = frozenset(
    ("ORGAN", "AVOIDANCE", "CTV", "PTV", "ITV", "CAVITY", "CONTRAST_AGENT", "DOSE_REGION", "CONTROL", "TISSUE",
     "ANATOMICAL STRUCTURE", "BODY SUBSTANCE", "PHYSICAL OBJECT", "SPATIAL AND RELATIONAL CONCEPT", "FUNCTION")
)  # fmt: skip
_ORGAN = re.compile(
    r"(?:^|[^a-z])(?:lungs?|liver|heart|spleen|kidneys?|bladder|bowel|brain|brainstem|spinal|cord|o?esophagus|stomach"
    r"|pancreas|prostate|rectum|femur|vertebra\w*|rib|ribs|aorta|trachea|body|skin|external|ptv|ctv|eyes?|lens|parotid)"
    r"(?:$|[^a-z])",
    re.I,
)


def is_lesion(segment: Segment) -> bool | None:
    """True or False by the segment's own words; None when they say neither.

    "Liver tumour" is a lesion: a lesion's word outweighs the organ it lies in.
    """
    if _LESION.search(segment.label):
        return True
    kind = (segment.kind or "").upper()
    if kind in _LESION_KINDS:
        return True
    return False if kind in _OTHER_KINDS or _ORGAN.search(segment.label) else None


def lesions(series: ImagingSeries) -> tuple[Segment, ...]:
    """The filled segments that are lesions, in the file's order; () when none is, or several say nothing of it."""
    filled = tuple(s for s in series.segments if s.mask.any())
    named = tuple(s for s in filled if is_lesion(s))
    if named:
        return named
    unsaid = tuple(s for s in filled if is_lesion(s) is None)
    return unsaid if len(filled) == len(unsaid) == 1 else ()


def lesion_mask(series: ImagingSeries) -> NDArray[np.bool_]:
    """(Z, Y, X) True inside any of the series' ``lesions``."""
    inside = np.zeros(series.volume.shape, dtype=bool)
    for segment in lesions(series):
        inside |= segment.mask
    return inside


def why_no_lesion(series: ImagingSeries) -> str:
    """Why ``lesions`` found none, naming the segments there are."""
    filled = [s.label for s in series.segments if s.mask.any()]
    shown = ", ".join(repr(label) for label in filled[:6]) + (" ..." if len(filled) > 6 else "")
    what = series.role or series.modality.value
    if not filled:
        return f"no lesion segment in series {what}"
    return f"no segment of series {what} is named as a lesion ({shown}); rename the lesion's segment, e.g. 'lesion'"
