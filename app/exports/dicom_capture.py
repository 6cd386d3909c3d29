"""The key slices of a report as DICOM secondary captures with the research-use words burned in.

The pictures are those of report.json (8-bit, resampled), so that the files hold no pixel spacing and are not for
measuring; each refers to its source series and slice.

References
----------
DICOM PS3.3 A.8.1, C.7.6.1 (Burned In Annotation), C.12.2, C.12.4.
"""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import highdicom as hd
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont
from pydicom import Dataset
from pydicom.sr.codedict import codes

from app.exports.dicom_archive import pack
from app.exports.dicom_source import (
    LONG,
    MANUFACTURER,
    SourceSeries,
    check_same_patient,
    make_uid,
    software_version,
    stamp,
)
from app.exports.document import picture_png
from assistant.report import RESEARCH_USE
from encoders.errors import InputError

_BIPED = {"R": "R", "L": "L", "A": "A", "P": "P", "I": "F", "S": "H"}
"""Edge letters -> DICOM's for a biped: inferior is F (foot), superior H (head)."""
_BAND, _SIZE = 15, 11
_AMBER = (255, 205, 80)


def write_captures(report: Mapping[str, Any], sources: Sequence[SourceSeries]) -> bytes:
    """A zip of secondary captures and a README.txt that names what is left out, and why.

    Raises
    ------
    InputError: the report has no key slice of a DICOM series of the folder.
    """
    check_same_patient(report, sources)
    by_uid = {s.series.series_uid: s for s in sources}
    files: dict[str, bytes] = {}
    left_out: list[str] = []
    for shown in (report.get("figures") or {}).get("slices") or ():
        source = by_uid.get(str(shown.get("series_uid")))
        if source is None or str(shown.get("sop_uid")) not in source.headers:
            left_out.append(f"{shown.get('role')}: its slice is not a DICOM file of the folder")
            continue
        for kind, png in _pictures(shown):
            name = f"{shown['modality']}-slice{shown['slice_number']}-{kind}-{len(files) + 1}.dcm"
            files[name] = _capture(report, shown, kind, png, source.headers[str(shown["sop_uid"])], len(files) + 1)
    if not files:
        raise InputError(
            "the report has no key slice that can be written as DICOM"
            + (f": {'; '.join(left_out)}." if left_out else "; it holds no pictures.")
        )
    return pack("Key slices of a Radomica report as DICOM secondary captures.", files, left_out)


def _pictures(shown: Mapping[str, Any]) -> Iterator[tuple[str, bytes]]:
    for kind in ("plain", "heatmap"):
        png = picture_png(shown.get(kind))
        if png is not None:
            yield kind, png


def burn_in(png: bytes, lines: Sequence[str]) -> NDArray[np.uint8]:
    """RGB picture (rows, columns, 3) with one band of text a line under it."""
    with Image.open(io.BytesIO(png)) as opened:
        picture = opened.convert("RGB")
    whole = Image.new("RGB", (picture.width, picture.height + _BAND * len(lines)))
    whole.paste(picture)
    draw, font = ImageDraw.Draw(whole), ImageFont.load_default(_SIZE)
    for number, line in enumerate(lines):
        draw.text((3, picture.height + number * _BAND + 1), line, fill=_AMBER, font=font)
    return np.asarray(whole, dtype=np.uint8)


def _words(shown: Mapping[str, Any], kind: str) -> list[str]:
    first, _, rest = RESEARCH_USE.partition(". ")
    lines = [f"{first.upper()}.", rest, f"{shown['role']}, slice {shown['slice_number']} of {shown['slice_count']}"]
    if shown.get("proposed"):
        lines.append("The outline is proposed, not confirmed by a person.")
    if kind == "heatmap":
        lines.append(f"Heat map of {shown.get('heatmap_task')}: {shown.get('heatmap_method')}")
    return lines


def _capture(
    report: Mapping[str, Any], shown: Mapping[str, Any], kind: str, png: bytes, source: Dataset, number: int
) -> bytes:
    edges = shown.get("orientation") or {}
    oriented = all(edges.get(side) in _BIPED for side in ("right", "bottom"))
    made = hd.sc.SCImage.from_ref_dataset(
        ref_dataset=source,
        pixel_array=np.ascontiguousarray(burn_in(png, _words(shown, kind))),
        photometric_interpretation="RGB",
        bits_allocated=8,
        coordinate_system="PATIENT",
        patient_orientation=(_BIPED[edges["right"]], _BIPED[edges["bottom"]]) if oriented else None,
        series_instance_uid=make_uid(report, "sc series"),
        series_number=912,
        sop_instance_uid=make_uid(report, "sc", str(shown["sop_uid"]), kind),
        instance_number=number,
        manufacturer=MANUFACTURER,
        manufacturer_model_name="report",
        software_versions=software_version(report),
        transfer_syntax_uid="1.2.840.10008.1.2.1",
    )
    made.SeriesDescription = "Radomica key slices, research use only"[:LONG]
    made.DerivationDescription = " ".join([*_words(shown, kind), "Resampled to 8 bits; not for measuring."])[:1024]
    made.BurnedInAnnotation = "YES"
    made.SourceImageSequence = [_instance(source, purpose=True)]
    series = Dataset()
    series.SeriesInstanceUID = source.SeriesInstanceUID
    series.ReferencedInstanceSequence = [_instance(source)]
    made.ReferencedSeriesSequence = [series]
    stamp(made, report)
    packed = io.BytesIO()
    made.save_as(packed)
    return packed.getvalue()


def _instance(source: Dataset, *, purpose: bool = False) -> Dataset:
    item = Dataset()
    item.ReferencedSOPClassUID = source.SOPClassUID
    item.ReferencedSOPInstanceUID = source.SOPInstanceUID
    if purpose:
        why = codes.DCM.SourceImageForImageProcessingOperation
        item.PurposeOfReferenceCodeSequence = [hd.sr.CodedConcept.from_code(why)]
    return item
