"""What a DICOM header says in words of how a series was made, and which files are no image of a patient's tissue.

Set apart before pixels are read: localizers, secondary captures (screenshots) and dose reports.

What this module does not know: pixels, geometry, which series is read (encoders/series_choice.py).

References
----------
DICOM PS3.3 C.7.6.1.1.2 (Image Type), C.8.6.1 (SC Equipment), 10.5 (Anatomic Region), C.7.6.4 (Contrast/Bolus).
"""

from __future__ import annotations

import re

from pydicom import Dataset
from pydicom.uid import UID

from encoders.patient import SeriesHeader
from encoders.read.dicom_tags import items, text, texts

_LOCALIZER = re.compile(
    r"(?<![a-z])(?:(?:sur|pilot)?locali[sz]er|scout|topogram|scanogram|surview|scano)(?![a-z])", re.IGNORECASE
)
_DOSE_REPORT = re.compile(r"dose (?:report|info|record|summary)|patient protocol|exam protocol", re.IGNORECASE)
_PHANTOM = re.compile(
    r"(?<![a-z])phantom(?![a-z])|(?<![a-z])(?:daily|ct|mr|pet) ?qa(?![a-z])|quality (?:assurance|control)",
    re.IGNORECASE,
)


def why_apart(header: Dataset) -> str:
    """What a file is that is no image of tissue ("localizer image", ...); "" when it may be one."""
    image_type = {v.upper() for v in texts(header, "ImageType")}
    description = text(header, "SeriesDescription").replace("_", " ")
    if not image_type.isdisjoint(("LOCALIZER", "SCOUT")) or _LOCALIZER.search(description):
        return "localizer image"
    if _DOSE_REPORT.search(description):
        return "page of a dose report"
    if "Secondary Capture" in UID(text(header, "SOPClassUID")).name or "SCREEN SAVE" in image_type:
        return "screenshot (secondary capture)"
    return ""


def read_series_header(header: Dataset) -> SeriesHeader:
    """The words of one file's header; absent words are ""."""
    regions = [text(item, "CodeMeaning") for item in items(header, "AnatomicRegionSequence")]
    agents = [text(item, "CodeMeaning") for item in items(header, "ContrastBolusAgentSequence")]
    spoken = ("SeriesDescription", "ProtocolName", "StudyDescription", "PatientName", "PatientID")
    return SeriesHeader(
        study_uid=text(header, "StudyInstanceUID"),
        description=text(header, "SeriesDescription"),
        protocol=text(header, "ProtocolName"),
        study_description=text(header, "StudyDescription"),
        image_type=tuple(v.upper() for v in texts(header, "ImageType") if v),
        anatomic_regions=tuple(r for r in regions if r),
        kernel=text(header, "ConvolutionKernel"),
        contrast_agent=text(header, "ContrastBolusAgent") or ", ".join(a for a in agents if a),
        phantom=any(_PHANTOM.search(text(header, tag).replace("_", " ")) for tag in spoken),
        patient_sex={"F": "female", "M": "male"}.get(text(header, "PatientSex").strip().upper()),
        patient_age_years=_age_years(text(header, "PatientAge")),
    )


def _age_years(age: str) -> float | None:
    """An Age String ("063Y", "011M") in years; None when it is not one (DICOM PS3.5 6.2, VR AS)."""
    match = re.fullmatch(r"(\d{3})([DWMY])", age.strip().upper())
    return int(match[1]) / {"D": 365.25, "W": 52.18, "M": 12, "Y": 1}[match[2]] if match else None
