"""The DICOM images of a patient folder that a report speaks of: volumes with their outlines, and their data sets.

Not known here: what is written from them. Tables, notes and records of the folder are not read.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import highdicom as hd
import pydicom
from pydicom import Dataset

from app.exports.fhir_codes import NAMESPACE
from encoders.errors import InputError
from encoders.patient import ImagingSeries
from encoders.read.dicom import read_header, read_imaging
from encoders.read.dicom_frame import DicomFile
from encoders.read.rtstruct import attach_structures
from encoders.read.segments import attach_segments
from encoders.read.sniff import FileKind, sniff

MANUFACTURER = "Radomica"
LONG = 64
"""Characters of a DICOM LO value (PS3.5 6.2)."""


@dataclass(frozen=True)
class SourceSeries:
    """One image series as read, with the header of each of its files by SOP instance UID.

    segmentations : file name of a DICOM SEG that outlines it -> its header
    """

    series: ImagingSeries
    headers: Mapping[str, Dataset]
    segmentations: Mapping[str, Dataset]

    @property
    def slices(self) -> tuple[Dataset, ...]:
        """The data sets in the order of axis Z; a file of many frames stands once."""
        return tuple(self.headers[uid] for uid in dict.fromkeys(self.series.sop_instance_uids))

    @property
    def one_file_a_slice(self) -> bool:
        """False for enhanced multi-frame files and for series with filled-in slices."""
        uids = self.series.sop_instance_uids
        return len(uids) == self.series.volume.shape[0] == len(set(uids))


def read_sources(folder: Path) -> tuple[SourceSeries, ...]:
    """Every DICOM series of the folder, with the outlines that SEG and RTSTRUCT files give it.

    Raises
    ------
    InputError: no DICOM image in the folder; a damaged file (named).
    """
    files = _dicom_files(folder)
    reading = read_imaging(files)
    if not reading.series:
        raise InputError(
            f"{folder.name}: no DICOM images ({len(files)} DICOM files looked at); a DICOM export refers to the "
            "patient's own CT, MR or PET series. NIfTI images have no DICOM identity to refer to."
        )
    series, _ = attach_segments(reading.series, reading.segmentations)
    series, _ = attach_structures(series, reading.structure_sets)
    headers = {str(f.header.SOPInstanceUID): f for f in files if "SOPInstanceUID" in f.header}
    segs = {f.name: f.header for f in reading.segmentations}
    return tuple(
        SourceSeries(
            one,
            {uid: headers[uid].header for uid in one.sop_instance_uids if uid in headers},
            {s.source.file: segs[s.source.file] for s in one.segments if s.source.file in segs},
        )
        for one in series
        if one.sop_instance_uids
    )


def _dicom_files(folder: Path) -> list[DicomFile]:
    found = []
    for path in sorted(p for p in folder.rglob("*") if p.is_file()):
        name = path.relative_to(folder).as_posix()
        if sniff(path, name).kind is FileKind.DICOM:
            header = read_header(path, name)
            if header is not None:
                found.append(header)
    return found


def with_pixels(header: Dataset) -> Dataset:
    """The whole data set of a header read without pixels."""
    return pydicom.dcmread(header.filename)


def reported_lesions(report: Mapping[str, Any]) -> tuple[Mapping[str, Any], ...]:
    """The lesion measurements of a report (evidence of type lesion and proposed_lesion) that name a series."""
    kinds = ("lesion", "proposed_lesion")
    return tuple(e for e in report["evidence"] if e["type"] in kinds and e["source"].get("series_uid"))


def check_same_patient(report: Mapping[str, Any], sources: Sequence[SourceSeries]) -> None:
    """The folder must hold a series the report speaks of.

    Raises
    ------
    InputError: it holds none of them, so that it is another patient's (or another study's) folder.
    """
    told = {e["source"]["series_uid"] for e in report["evidence"] if e["source"].get("series_uid")}
    if not told:
        raise InputError("the report speaks of no image series, so that there is nothing to write as DICOM.")
    if told.isdisjoint(s.series.series_uid for s in sources):
        raise InputError(
            f"none of the {len(told)} image series of the report is among the {len(sources)} DICOM series of the "
            "folder; give the folder that the report was made from. NIfTI images cannot be referred to."
        )


def make_uid(report: Mapping[str, Any], *parts: str) -> hd.UID:
    """The same UID for the same part of the same report, under 2.25 (PS3.5 B.2): repeated, an export is the same."""
    return hd.UID.from_uuid(str(uuid.uuid5(NAMESPACE, "\0".join((str(report["report_id"]), *parts)))))


def tracking_uid(report: Mapping[str, Any], series_uid: str, label: str) -> hd.UID:
    """What ties a lesion's segment and its measurements together."""
    return make_uid(report, "lesion", series_uid, label)


def stamp(made: Dataset, report: Mapping[str, Any]) -> None:
    """Content and creation time are the report's, so that a repeated export says the same."""
    when = datetime.fromisoformat(str(report["created"]))  # no time zone tag: it would also claim the study's times
    made.ContentDate = made.InstanceCreationDate = when.strftime("%Y%m%d")
    made.ContentTime = made.InstanceCreationTime = when.strftime("%H%M%S")
    made.SeriesDate, made.SeriesTime = made.ContentDate, made.ContentTime


def software_version(report: Mapping[str, Any]) -> str:
    """The version of Radomica that made the report."""
    return str(report["versions"].get("radomica") or "unknown")[:LONG]
