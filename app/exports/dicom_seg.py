"""The lesion outlines of a patient folder as DICOM SEG, one file a series, each referring to its source slices.

The outlines are those the folder holds (SEG, RTSTRUCT), which every file says; Radomica draws none of them. Lesions the
report measured in outlines that software proposed are not written: report.json does not hold those masks.
Not checked: that an outline is right.
"""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from typing import Any

import highdicom as hd
import numpy as np
from pydicom import Dataset
from pydicom.sr.codedict import codes

from app.exports.dicom_archive import pack
from app.exports.dicom_source import (
    LONG,
    MANUFACTURER,
    SourceSeries,
    check_same_patient,
    make_uid,
    reported_lesions,
    software_version,
    stamp,
    tracking_uid,
    with_pixels,
)
from encoders.errors import InputError
from encoders.lesion_choice import lesions
from encoders.patient import Segment

_TYPES = {t.value: t for t in hd.seg.SegmentAlgorithmTypeValues}


def write_segs(report: Mapping[str, Any], sources: Sequence[SourceSeries]) -> bytes:
    """A zip of DICOM SEG files and a README.txt that names what is left out, and why.

    Raises
    ------
    InputError: no lesion outline in the folder that can be written.
    """
    check_same_patient(report, sources)
    files: dict[str, bytes] = {}
    left_out = [
        f"{e['id']}: measured in an outline that software proposed; report.json does not hold the mask"
        for e in reported_lesions(report)
        if e["type"] == "proposed_lesion"
    ]
    for source in sources:
        name = f"{source.series.modality.value}-{len(files) + 1}.dcm"
        outlined = lesions(source.series)
        if not outlined:
            left_out.append(f"series {source.series.series_uid}: no lesion outline in the folder")
        elif not source.one_file_a_slice:
            left_out.append(
                f"series {source.series.series_uid}: one file of many frames, or filled-in slices; a segment here "
                "refers to slices of one file each"
            )
        else:
            files[name] = _segmentation(report, source, outlined)
    if not files:
        raise InputError(f"no lesion outline of the folder can be written as DICOM SEG: {'; '.join(left_out)}.")
    return pack("Lesion outlines of the patient's files as DICOM SEG; Radomica drew none of them.", files, left_out)


def _segmentation(report: Mapping[str, Any], source: SourceSeries, outlined: Sequence[Segment]) -> bytes:
    uid = source.series.series_uid
    made = hd.seg.Segmentation(
        source_images=[with_pixels(s) for s in source.slices],
        pixel_array=np.stack([s.mask for s in outlined], axis=-1).astype(np.uint8),
        segmentation_type=hd.seg.SegmentationTypeValues.BINARY,
        segment_descriptions=[_description(report, source, s, n) for n, s in enumerate(outlined, start=1)],
        series_instance_uid=make_uid(report, "seg series", uid),
        series_number=911,
        sop_instance_uid=make_uid(report, "seg", uid),
        instance_number=1,
        manufacturer=MANUFACTURER,
        manufacturer_model_name="report",
        software_versions=software_version(report),
        device_serial_number="0",
        content_description="outlines of the patient's files; research use only"[:LONG],
        series_description="Radomica copy of lesion outlines, research use only"[:LONG],
    )
    stamp(made, report)
    packed = io.BytesIO()
    made.save_as(packed)
    return packed.getvalue()


def _description(
    report: Mapping[str, Any], source: SourceSeries, segment: Segment, number: int
) -> hd.seg.SegmentDescription:
    """How a segment was drawn is copied from the SEG it comes from; from other files it is a person's or proposed."""
    original = _original(source, segment)
    kind = str(original.get("SegmentAlgorithmType", "")) if original is not None else ""
    algorithm = _TYPES.get(kind) or _TYPES["AUTOMATIC" if segment.proposed else "MANUAL"]
    named = str(original.get("SegmentAlgorithmName", "") or "") if original is not None else ""
    identification = hd.AlgorithmIdentificationSequence(
        name=(named or "not stated in the source file")[:LONG],
        version="not stated",
        family=codes.DCM.ArtificialIntelligence,
    )
    return hd.seg.SegmentDescription(
        segment_number=number,
        segment_label=segment.label[:LONG],
        segmented_property_category=codes.SCT.MorphologicallyAbnormalStructure,
        segmented_property_type=codes.SCT.Lesion,
        algorithm_type=algorithm,
        algorithm_identification=None if algorithm is _TYPES["MANUAL"] else identification,
        tracking_uid=tracking_uid(report, source.series.series_uid, segment.label),
        tracking_id=segment.label[:LONG],
    )


def _original(source: SourceSeries, segment: Segment) -> Dataset | None:
    seg = source.segmentations.get(segment.source.file)
    number = segment.source.place.removeprefix("segment ")
    for item in seg.SegmentSequence if seg is not None else ():
        if str(item.get("SegmentNumber")) == number:
            return item
    return None
