"""Lesion measurements of a report as a DICOM structured report (Comprehensive 3D SR, TID 1500).

Values are those of report.json, in UCUM units. A lesion that a DICOM SEG of the folder outlines refers to that segment
(TID 1411); any other refers to the slice it was measured on (TID 1501). Percentiles have no code here and stay out.
Not known here: how anything was measured. Not checked: that it is right.

References
----------
DICOM PS3.16 TID 1500, 1411, 1501; CID 7470 (linear), 7472 (volume), 7464 (intensity).
"""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import highdicom as hd
from pydicom import Dataset
from pydicom.sr.codedict import Code, codes

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
)
from assistant.report import RESEARCH_USE
from encoders.errors import InputError

_UNITS: Mapping[str, Code] = {
    "mm": Code("mm", "UCUM", "millimeter"),
    "mL": Code("mL", "UCUM", "milliliter"),
    "HU": codes.cid7181.HounsfieldUnit,
    "SUVbw": codes.cid7181.StandardizedUptakeValueBodyWeight,
    "arbitrary units": Code("1", "UCUM", "no units"),
}
_INTENSITY: Mapping[str, Code] = {
    "HU": codes.DCM.AttenuationCoefficient,
    "SUVbw": codes.DCM.StandardizedUptakeValue,
    "arbitrary units": codes.DCM.MRSignalIntensity,
}
_SIZES: tuple[tuple[str, Code], ...] = (
    ("longest_diameter", codes.SCT.LongAxis),
    ("short_axis", codes.SCT.ShortAxis),
    ("volume", codes.SCT.Volume),
)
_PROCEDURE: Mapping[str, Code] = {
    "CT": codes.LN.CTUnspecifiedBodyRegion,
    "MR": codes.LN.MRIUnspecifiedBodyRegion,
    "PT": codes.LN.PETUnspecifiedBodyRegion,
}


def write_sr(report: Mapping[str, Any], sources: Sequence[SourceSeries]) -> bytes:
    """The structured report as the bytes of a DICOM file.

    Raises
    ------
    InputError: the report holds no lesion measurement, or none of a DICOM series of the folder.
    """
    check_same_patient(report, sources)
    by_uid = {s.series.series_uid: s for s in sources}
    placed = [e for e in reported_lesions(report) if e["source"]["series_uid"] in by_uid]
    if not placed:
        raise InputError(
            "the report holds no lesion measurement on a DICOM series of the folder; outline a lesion (DICOM SEG or "
            "RTSTRUCT) and make the report again."
        )
    groups, evidence = [], {}
    for item in placed:
        source = by_uid[item["source"]["series_uid"]]
        group, referred = _group(report, item, source)
        groups.append(group)
        evidence |= {str(d.SOPInstanceUID): d for d in referred}
    used = [by_uid[uid] for uid in dict.fromkeys(e["source"]["series_uid"] for e in placed)]
    left_out = len(reported_lesions(report)) - len(placed)
    latest_first = sorted(evidence.values(), key=lambda d: str(d.get("StudyDate", "")), reverse=True)
    made = _document(report, groups, latest_first, used, left_out)  # it belongs to the study of the first
    packed = io.BytesIO()
    made.save_as(packed)
    return packed.getvalue()


def _document(
    report: Mapping[str, Any],
    groups: Sequence[Any],
    evidence: Sequence[Dataset],
    used: Sequence[SourceSeries],
    left_out: int,
) -> Dataset:
    observer = hd.sr.ObserverContext(
        observer_type=codes.DCM.Device,
        observer_identifying_attributes=hd.sr.DeviceObserverIdentifyingAttributes(
            uid=make_uid(report, "device", software_version(report)),
            name=MANUFACTURER,
            manufacturer_name=MANUFACTURER,
            model_name=f"{MANUFACTURER} {software_version(report)}",
        ),
    )
    content = hd.sr.MeasurementReport(
        observation_context=hd.sr.ObservationContext(observer_device_context=observer),
        procedure_reported=[_PROCEDURE[m] for m in dict.fromkeys(s.series.modality.value for s in used)],
        imaging_measurements=groups,
        title=codes.DCM.ImagingMeasurementReport,
    )
    for text in _comments(report, left_out):
        content[0].ContentSequence.append(
            hd.sr.TextContentItem(
                name=codes.DCM.Comment, value=text, relationship_type=hd.sr.RelationshipTypeValues.CONTAINS
            )
        )
    made = hd.sr.Comprehensive3DSR(
        evidence=evidence,
        content=content[0],
        series_instance_uid=make_uid(report, "sr series"),
        series_number=910,
        sop_instance_uid=make_uid(report, "sr"),
        instance_number=1,
        manufacturer=MANUFACTURER,
        is_complete=True,
        is_final=False,
        is_verified=False,
        manufacturer_model_name="report",
        software_versions=software_version(report),
        device_serial_number="0",
        series_description="Radomica measurements, research use only"[:LONG],
    )
    stamp(made, report)
    return made


def _comments(report: Mapping[str, Any], left_out: int) -> Iterator[str]:
    yield RESEARCH_USE
    yield f"Values of Radomica report {report['report_id']}; no person has verified them."
    if report.get("synthetic"):
        yield "SYNTHETIC patient: generated data, not a real person."
    if left_out:
        yield f"{left_out} lesion measurement(s) of the report are not here: their series is no DICOM series."


def _group(report: Mapping[str, Any], item: Mapping[str, Any], source: SourceSeries) -> tuple[Any, list[Dataset]]:
    """One lesion's measurement group, and the instances it refers to."""
    label = str(item["source"].get("row_id") or "lesion")
    proposed = item["type"] == "proposed_lesion"
    words = f"{item['id']} {label}" + (", outline proposed by software, not confirmed" if proposed else "")
    shared = {
        "tracking_identifier": hd.sr.TrackingIdentifier(
            uid=tracking_uid(report, source.series.series_uid, label), identifier=words
        ),
        "finding_type": codes.SCT.Lesion,
        "finding_category": codes.SCT.MorphologicallyAbnormalStructure,
        "algorithm_id": hd.sr.AlgorithmIdentification(name=MANUFACTURER, version=software_version(report)),
        "measurements": list(_measurements(report, item)),
    }
    found = None if proposed else _segment_of(source, label)
    if found is not None:
        seg, number = found
        referred = hd.sr.ReferencedSegment(
            sop_class_uid=str(seg.SOPClassUID),
            sop_instance_uid=str(seg.SOPInstanceUID),
            segment_number=number,
            source_series=hd.sr.SourceSeriesForSegmentation(source.series.series_uid),
        )
        group = hd.sr.VolumetricROIMeasurementsAndQualitativeEvaluations(referenced_segment=referred, **shared)
        return group, [seg, *source.slices]
    shown, frame = _measured_slice(item, source)
    image = hd.sr.SourceImageForMeasurementGroup(
        referenced_sop_class_uid=str(shown.SOPClassUID),
        referenced_sop_instance_uid=str(shown.SOPInstanceUID),
        referenced_frame_numbers=frame,
    )
    return hd.sr.MeasurementsAndQualitativeEvaluations(source_images=[image], **shared), [shown]


def _segment_of(source: SourceSeries, label: str) -> tuple[Dataset, int] | None:
    """The DICOM SEG and segment number that outline this lesion; None where no SEG does, or several of one label."""
    named = [s for s in source.series.segments if s.label == label and s.source.file in source.segmentations]
    if len(named) != 1:
        return None
    number = named[0].source.place.removeprefix("segment ")
    return (source.segmentations[named[0].source.file], int(number)) if number.isdigit() else None


def _measured_slice(item: Mapping[str, Any], source: SourceSeries) -> tuple[Dataset, list[int] | None]:
    uids = source.series.sop_instance_uids
    index = int(item["source"].get("slice_index") or 0)
    if not 0 <= index < len(uids):
        raise InputError(
            f"{item['id']} was measured on slice {index + 1}, and the series has {len(uids)}; the folder is not the "
            "one the report was made from."
        )
    # In a file of many frames the frame is not told: slices are sorted by place, frames need not be.
    return source.headers[uids[index]], None


def _measurements(report: Mapping[str, Any], item: Mapping[str, Any]) -> Iterator[Any]:
    for name, code in _SIZES:
        yield from _measurement(item, name, code)
    bright = _intensity_evidence(report, item)
    unit = (item["fields"].get("mean_intensity") or {}).get("unit") or ""
    if unit in _INTENSITY:
        code = _INTENSITY[unit]
        yield from _measurement(item, "mean_intensity", code, codes.SCT.Mean)
        yield from _measurement(item, "max_intensity", code, codes.SCT.Maximum)
        if bright is not None:
            yield from _measurement(bright, "suv_peak", code, codes.DCM.PeakValueWithinROI)


def _measurement(item: Mapping[str, Any], name: str, code: Code, derivation: Code | None = None) -> Iterator[Any]:
    field = item["fields"].get(name)
    if field is None or field["unit"] not in _UNITS or not isinstance(field["value"], (int, float)):
        return
    yield hd.sr.Measurement(name=code, value=float(field["value"]), unit=_UNITS[field["unit"]], derivation=derivation)


def _intensity_evidence(report: Mapping[str, Any], item: Mapping[str, Any]) -> Mapping[str, Any] | None:
    where = [item["source"].get(k) for k in ("series_uid", "row_id")]
    return next(
        (e for e in report["evidence"] if e["type"] == "lesion_intensity"
         and [e["source"].get(k) for k in ("series_uid", "row_id")] == where), None
    )  # fmt: skip
