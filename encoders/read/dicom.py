"""DICOM image series -> ImagingSeries: sorted along the slice normal, in HU, SUVbw or arbitrary units.

Axes: volume (Z, Y, X) = (slice, row, column); affine maps (column, row, slice) indices to LPS millimetres.
Read: CT, MR and PT, classic one-frame files (any order, several series) and enhanced multi-frame files.
Set apart with a reason: localizers, screenshots, dose reports, colour, other modalities, SR, files without pixels or
geometry, and of several volumes in one series (time points, b-values) all but one. A tilted gantry keeps the exact
sheared affine; encoders/right_angles.py resamples for those who need right angles.

What this module does not know: which series matters (encoders/series_choice.py), registration between series.
"""

from __future__ import annotations

import re
import warnings
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np
import pydicom
from numpy.typing import NDArray
from pydicom import Dataset
from pydicom.uid import UID

from encoders.patient import ImagingModality, ImagingSeries, IntensityUnit, SourceLocator
from encoders.read.attach import referred_images
from encoders.read.dicom_frame import DicomFile, Frame, classic_frame, enhanced_frames
from encoders.read.dicom_pixels import NATIVE, broken, has_magic, read_volume
from encoders.read.dicom_role import series_role
from encoders.read.dicom_tags import BROKEN, text
from encoders.read.series_header import read_series_header, why_apart
from encoders.read.slice_order import Stack, order_slices
from encoders.read.suv import scan_start, suv_factor
from encoders.read.time_points import ImageReference

SEGMENTATION_CLASS = "1.2.840.10008.5.1.4.1.1.66.4"
STRUCTURE_SET_CLASS = "1.2.840.10008.5.1.4.1.1.481.3"
DIRECTORY_CLASS = "1.2.840.10008.1.3.10"
READ_MODALITIES = tuple(m.value for m in ImagingModality)
GREY = ("MONOCHROME1", "MONOCHROME2", "")

_PIXEL_TAG = b"\xe0\x7f\x10\x00"


@dataclass(frozen=True)
class ImagingReading:
    """Every series of a folder, what was set apart, and the SEG and RTSTRUCT files for segments.py and rtstruct.py."""

    series: tuple[ImagingSeries, ...]
    segmentations: tuple[DicomFile, ...]
    skipped: tuple[str, ...]
    structure_sets: tuple[DicomFile, ...] = ()


def read_header(path: Path, name: str) -> DicomFile | None:
    """The header of one DICOM file; None for a DICOMDIR (an index, not an image).

    Raises
    ------
    InputError: the file begins like DICOM and cannot be read.
    """
    try:
        with warnings.catch_warnings(), path.open("rb") as handle:
            warnings.simplefilter("ignore")  # pydicom's remarks on oddly spelt values
            header = pydicom.dcmread(handle, stop_before_pixels=True, force=not has_magic(handle))
            pixels_at = _native_pixels(header, handle)
            sop_class = text(header, "SOPClassUID")
            directory = DIRECTORY_CLASS in (sop_class, text(header.file_meta, "MediaStorageSOPClassUID"))
            if directory or "DirectoryRecordSequence" in header:
                return None
            image = UID(sop_class).name.endswith("Image Storage")
    except BROKEN as error:
        raise broken(name, error) from error
    if not sop_class:
        raise broken(name, "no SOP Class UID in the data set; the header is cut short")
    if image and "Rows" not in header:
        raise broken(name, "an image without Rows and Columns; the header is cut short")
    return DicomFile(path, name, header, pixels_at)


def _native_pixels(header: Dataset, handle: BinaryIO) -> tuple[int, int] | None:
    """Where uncompressed pixels lie, from the element at which dcmread stopped; None when they do not lie there."""
    syntax = text(header.file_meta, "TransferSyntaxUID")
    if syntax not in NATIVE or handle.closed:
        return None
    start, element = handle.tell(), handle.read(12)
    if element[:4] != _PIXEL_TAG or len(element) < 12:
        return None
    if syntax == pydicom.uid.ImplicitVRLittleEndian:
        return start + 8, int.from_bytes(element[4:8], "little")
    return (start + 12, int.from_bytes(element[8:12], "little")) if element[4:6] in (b"OW", b"OB") else None


def read_imaging(files: Sequence[DicomFile]) -> ImagingReading:
    """Read every CT, MR and PT series among ``files``.

    Raises
    ------
    InputError: pixel data of an image is cut short or cannot be decoded (file named).
    """
    skipped: list[str] = []
    segmentations = tuple(f for f in files if f.sop_class == SEGMENTATION_CLASS)
    structure_sets = tuple(f for f in files if f.sop_class == STRUCTURE_SET_CLASS)
    groups: dict[tuple[str, str], list[DicomFile]] = defaultdict(list)
    others: Counter[str] = Counter()
    for file in files:
        if file.modality in READ_MODALITIES and "Rows" in file.header:
            groups[text(file.header, "SeriesInstanceUID") or file.name, file.modality].append(file)
        elif file.sop_class not in (SEGMENTATION_CLASS, STRUCTURE_SET_CLASS):
            others[file.modality or "no modality"] += 1
    for modality, count in sorted(others.items()):
        skipped.append(
            f"{count} DICOM file(s) of modality {modality}: not read "
            f"({', '.join(READ_MODALITIES)}, SEG and RTSTRUCT are)"
        )
    series: list[ImagingSeries] = []
    drawn_on = frozenset[ImageReference]().union(*(referred_images(f) for f in (*segmentations, *structure_sets)))
    for _, members in sorted(groups.items()):
        for found in _read_group(members, drawn_on):
            (skipped if isinstance(found, str) else series).append(found)
    return ImagingReading(tuple(series), segmentations, tuple(skipped), structure_sets)


def _read_group(members: list[DicomFile], drawn_on: frozenset[ImageReference]) -> Iterable[ImagingSeries | str]:
    """The series of one SeriesInstanceUID, or reasons for what is set apart."""
    members = sorted(members, key=lambda f: f.name)
    colour = [f for f in members if text(f.header, "PhotometricInterpretation") not in GREY]
    if colour:
        found = text(colour[0].header, "PhotometricInterpretation")
        yield f"{colour[0].name}: {len(colour)} image(s) in colour ({found}) set apart; grey-scale planes are read"
        members = [f for f in members if f not in colour]
    apart = {f.name: what for f in members if (what := why_apart(f.header))}
    for what, count in Counter(apart.values()).items():
        first = next(name for name, found in apart.items() if found == what)
        yield f"{first}: {count} {what}(s) set apart"
    members = [f for f in members if f.name not in apart]
    for file in members:
        if file.frames > 1:
            frames = enhanced_frames(file)
            if isinstance(frames, str):
                yield f"{file.name}: {file.frames} frames {frames}; its geometry is not known"
            else:
                yield _read_stack(order_slices(frames, drawn_on), ())
    single = [f for f in members if f.frames == 1]
    planes = [_plane(f) for f in single]
    usable = [p for p in planes if isinstance(p, Frame)]
    unusable = [(f.name, p) for f, p in zip(single, planes, strict=True) if isinstance(p, str)]
    if usable:
        told = tuple(f"{len(unusable)} of {len(single)} slices {unusable[0][1]}; set apart" for _ in unusable[:1])
        yield _read_stack(order_slices(usable, drawn_on), told)
    elif unusable:
        yield f"{unusable[0][0]}: series of {len(unusable)} {unusable[0][1]}; its geometry is not known"


def _plane(file: DicomFile) -> Frame | str:
    """The one plane of a file: classic, or an enhanced file that holds one frame."""
    if "PerFrameFunctionalGroupsSequence" not in file.header:
        return classic_frame(file)
    frames = enhanced_frames(file)
    return frames if isinstance(frames, str) else frames[0]


def _read_stack(stack: Stack, told: tuple[str, ...]) -> ImagingSeries:
    """Decode the slices of an ordered stack and put them in their unit."""
    file = stack.frames[0].file
    modality = ImagingModality(file.modality)
    remarks = [*told, *stack.warnings]
    volume = read_volume(stack)
    unit = _to_unit(modality, volume, stack, remarks)
    one_file = len({id(f.file) for f in stack.frames}) == 1
    kind = "frames" if one_file and file.frames > 1 else "slices"
    uids = [f.uid for f in stack.frames]
    of_slot = np.searchsorted(stack.slots, np.arange(stack.depth), side="right") - 1  # a filled slice: the one below
    return ImagingSeries(
        modality=modality,
        series_uid=text(file.header, "SeriesInstanceUID") or file.name,
        date=iso_date(file.header),
        volume=volume,
        unit=unit,
        spacing_mm=stack.spacing_mm,
        affine_lps=stack.affine_lps,
        source=SourceLocator(file.name if one_file else str(Path(file.name).parent), f"{len(uids)} {kind}"),
        role=series_role(file.header),
        body_part=text(file.header, "BodyPartExamined") or None,
        sop_instance_uids=tuple(uids[i] for i in of_slot),
        warnings=tuple(remarks),
        frame_of_reference_uid=text(file.header, "FrameOfReferenceUID") or None,
        header=read_series_header(file.header),
    )


def _to_unit(modality: ImagingModality, volume: NDArray[np.float32], stack: Stack, remarks: list[str]) -> IntensityUnit:
    """Name the unit of ``volume``, scaling PET to SUVbw in place; what keeps it arbitrary is added to ``remarks``."""
    if modality is ImagingModality.CT:
        reason = next((r for f in stack.frames if (r := not_hounsfield(f))), None)
        if reason is None:
            return IntensityUnit.HU
        remarks.append(f"intensities are arbitrary: {reason}")
    if modality is ImagingModality.PT:
        headers = [f.file.header for f in stack.frames]
        start = scan_start(headers)
        factors = [suv_factor(h, start) for h in headers]
        bad = next((f.reason for f in factors if f.factor is None), None)
        if bad is None:
            remarks.extend(sorted({f.warning for f in factors if f.warning}))
            scale = np.interp(np.arange(stack.depth), stack.slots, [f.factor or 0.0 for f in factors])
            volume *= scale.astype(np.float32)[:, None, None]
            return IntensityUnit.SUVBW
        remarks.append(f"SUV is not computed, intensities are arbitrary: {bad}")
    return IntensityUnit.ARBITRARY


def not_hounsfield(frame: Frame) -> str | None:
    """Why a CT slice's rescaled values are not Hounsfield units, or None when they are."""
    if frame.rescale_type is None:
        return "RescaleSlope or RescaleIntercept is absent, so values are not Hounsfield units"
    return None if frame.rescale_type == "HU" else f"RescaleType is {frame.rescale_type!r}, not HU"


def iso_date(header: Dataset) -> str | None:
    """The series' (else acquisition's, else study's) date as yyyy-mm-dd; None when absent or malformed."""
    for tag in ("SeriesDate", "AcquisitionDate", "StudyDate"):
        found = text(header, tag)
        if re.fullmatch(r"[0-9]{8}", found):
            return f"{found[:4]}-{found[4:6]}-{found[6:]}"
    return None
