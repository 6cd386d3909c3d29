"""DICOM image series -> ImagingSeries: sorted along the slice normal, in HU, SUVbw or arbitrary units.

Axes: volume (Z, Y, X) = (slice, row, column); affine maps (column, row, slice) indices to LPS millimetres.
Read: CT, MR and PT, classic one-frame files (any order, several series) and enhanced multi-frame files.
Set apart with a reason: localizers, other modalities, RTSTRUCT, SR, files without pixels or geometry.

What this module does not know: which series matters, registration between series, gantry-tilt resampling
(the affine is sheared and a warning says so), diffusion and perfusion time points beyond the first.
"""

from __future__ import annotations

import warnings
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pydicom
from numpy.typing import NDArray
from pydicom import Dataset
from pydicom.errors import InvalidDicomError

from encoders.errors import InputError
from encoders.patient import ImagingModality, ImagingSeries, IntensityUnit, SourceLocator
from encoders.read.dicom_role import series_role
from encoders.read.slice_order import Stack, order_slices
from encoders.read.suv import scan_start, suv_factor

SEGMENTATION_CLASS = "1.2.840.10008.5.1.4.1.1.66.4"
DIRECTORY_CLASS = "1.2.840.10008.1.3.10"
READ_MODALITIES = tuple(m.value for m in ImagingModality)

_BROKEN = (ValueError, RuntimeError, AttributeError, KeyError, IndexError, TypeError, NotImplementedError, OSError)
"""What pydicom and its decoders raise on pixel data that is cut short or not decodable."""


@dataclass(frozen=True)
class DicomFile:
    """One DICOM file's header (pixels left on disk) and where it lies."""

    path: Path
    name: str
    header: Dataset

    @property
    def patient_id(self) -> str:
        return str(getattr(self.header, "PatientID", "") or "").strip()

    @property
    def modality(self) -> str:
        return str(getattr(self.header, "Modality", "") or "").strip()

    @property
    def sop_class(self) -> str:
        return str(getattr(self.header, "SOPClassUID", "") or "")


@dataclass(frozen=True)
class ImagingReading:
    """Every series of a folder, what was set apart, and the segmentation files for segments.py."""

    series: tuple[ImagingSeries, ...]
    segmentations: tuple[DicomFile, ...]
    skipped: tuple[str, ...]


def read_header(path: Path, name: str) -> DicomFile | None:
    """The header of one DICOM file; None for a DICOMDIR (an index, not an image).

    Raises
    ------
    InputError: the file begins like DICOM and cannot be read.
    """
    try:
        header = _read_quietly(path, header_only=True)
        sop_class = str(getattr(header, "SOPClassUID", "") or getattr(header.file_meta, "MediaStorageSOPClassUID", ""))
        getattr(header, "PatientID", None)
    except (InvalidDicomError, *_BROKEN) as error:
        raise _broken(name, error) from error
    if sop_class == DIRECTORY_CLASS or "DirectoryRecordSequence" in header:
        return None
    if "SOPClassUID" not in header:
        raise _broken(name, "no SOP Class UID in the data set; the header is cut short")
    if header.SOPClassUID.name.endswith("Image Storage") and "Rows" not in header:
        raise _broken(name, "an image without Rows and Columns; the header is cut short")
    return DicomFile(path, name, header)


def read_imaging(files: Sequence[DicomFile]) -> ImagingReading:
    """Read every CT, MR and PT series among ``files``.

    Raises
    ------
    InputError: pixel data of an image is cut short or cannot be decoded (file named).
    """
    skipped: list[str] = []
    images = [f for f in files if f.modality in READ_MODALITIES and "Rows" in f.header]
    segmentations = tuple(f for f in files if f.sop_class == SEGMENTATION_CLASS)
    others = Counter(
        f.modality or "no modality" for f in files if f not in images and f.sop_class != SEGMENTATION_CLASS
    )
    for modality, count in sorted(others.items()):
        skipped.append(
            f"{count} DICOM file(s) of modality {modality}: not read ({', '.join(READ_MODALITIES)} and SEG are)"
        )
    groups: dict[str, list[DicomFile]] = defaultdict(list)
    for file in images:
        groups[str(getattr(file.header, "SeriesInstanceUID", "") or file.name)].append(file)
    series: list[ImagingSeries] = []
    for _, members in sorted(groups.items()):
        for found in _read_group(members):
            (skipped if isinstance(found, str) else series).append(found)
    return ImagingReading(tuple(series), segmentations, tuple(skipped))


def _read_group(members: list[DicomFile]) -> Iterable[ImagingSeries | str]:
    """The series of one SeriesInstanceUID, or reasons for what is set apart."""
    from encoders.read.dicom_multiframe import read_multiframe  # noqa: PLC0415  highdicom takes a second to import

    members = sorted(members, key=lambda f: f.name)
    frames = [f for f in members if int(getattr(f.header, "NumberOfFrames", 1) or 1) > 1]
    for file in frames:
        yield read_multiframe(file)
    single = [f for f in members if f not in frames]
    localizers = [f for f in single if "LOCALIZER" in [str(v) for v in getattr(f.header, "ImageType", ()) or ()]]
    if localizers:
        yield f"{localizers[0].name}: {len(localizers)} localizer image(s) set apart"
    single = [f for f in single if f not in localizers]
    if not single:
        return
    missing = [
        t for t in ("ImagePositionPatient", "ImageOrientationPatient", "PixelSpacing") if t not in single[0].header
    ]
    if missing:
        yield f"{single[0].name}: series of {len(single)} without {', '.join(missing)}; its geometry is not known"
        return
    yield _read_stack(order_slices(single))


def _read_stack(stack: Stack) -> ImagingSeries:
    """Decode the slices of an ordered stack and put them in their unit."""
    first = stack.files[0].header
    modality = ImagingModality(str(first.Modality))
    slices = [decode_slice(file) for file in stack.files]
    remarks = list(stack.warnings)
    unit, volume = _in_unit(modality, slices, [f.header for f in stack.files], remarks)
    folder = str(Path(stack.files[0].name).parent)
    return ImagingSeries(
        modality=modality,
        series_uid=str(getattr(first, "SeriesInstanceUID", "") or stack.files[0].name),
        date=iso_date(first),
        volume=volume,
        unit=unit,
        spacing_mm=stack.spacing_mm,
        affine_lps=stack.affine_lps,
        source=SourceLocator(folder if len(stack.files) > 1 else stack.files[0].name, f"{len(slices)} slices"),
        role=series_role(first),
        body_part=str(getattr(first, "BodyPartExamined", "") or "") or None,
        sop_instance_uids=tuple(str(f.header.SOPInstanceUID) for f in stack.files),
        warnings=tuple(remarks),
    )


def decode_slice(file: DicomFile) -> NDArray[np.float32]:
    """Pixels of one file (Y, X), rescaled by its own slope and intercept.

    Raises
    ------
    InputError: pixel data missing, cut short, in colour, or not decodable.
    """
    try:
        dataset = _read_quietly(file.path, header_only=False)
        pixels = dataset.pixel_array
    except (InvalidDicomError, *_BROKEN) as error:
        raise _broken(file.name, error) from error
    if pixels.ndim != 2:
        raise _broken(file.name, f"pixels of shape {pixels.shape}; one grey-scale slice (rows, columns) is needed")
    slope = float(getattr(dataset, "RescaleSlope", 1) or 1)
    intercept = float(getattr(dataset, "RescaleIntercept", 0) or 0)
    return (pixels.astype(np.float32) * np.float32(slope) + np.float32(intercept)).astype(np.float32)


def _in_unit(
    modality: ImagingModality, slices: list[NDArray[np.float32]], headers: list[Dataset], remarks: list[str]
) -> tuple[IntensityUnit, NDArray[np.float32]]:
    """Stack the slices (Z, Y, X) and name their unit; what keeps it arbitrary is added to ``remarks``."""
    volume = np.stack(slices)
    if modality is ImagingModality.CT:
        reason = not_hounsfield(headers[0])
        if reason is None:
            return IntensityUnit.HU, volume
        remarks.append(f"intensities are arbitrary: {reason}")
    if modality is ImagingModality.PT:
        start = scan_start(headers)
        factors = [suv_factor(h, start) for h in headers]
        bad = next((f.reason for f in factors if f.factor is None), None)
        if bad is None:
            remarks.extend(sorted({f.warning for f in factors if f.warning}))
            scale = np.array([f.factor for f in factors], dtype=np.float32)
            return IntensityUnit.SUVBW, volume * scale[:, None, None]
        remarks.append(f"SUV is not computed, intensities are arbitrary: {bad}")
    return IntensityUnit.ARBITRARY, volume


def not_hounsfield(header: Dataset) -> str | None:
    """Why a CT slice's rescaled values are not Hounsfield units, or None when they are."""
    if "RescaleSlope" not in header or "RescaleIntercept" not in header:
        return "RescaleSlope or RescaleIntercept is absent, so values are not Hounsfield units"
    kind = str(getattr(header, "RescaleType", "") or "HU")
    return None if kind == "HU" else f"RescaleType is {kind!r}, not HU"


def iso_date(header: Dataset) -> str | None:
    """The series' (else acquisition's, else study's) date as yyyy-mm-dd; None when absent or malformed."""
    for tag in ("SeriesDate", "AcquisitionDate", "StudyDate"):
        text = str(getattr(header, tag, "") or "")
        if len(text) == 8 and text.isdigit():
            return f"{text[:4]}-{text[4:6]}-{text[6:]}"
    return None


def _read_quietly(path: Path, *, header_only: bool) -> Dataset:
    """dcmread without pydicom's remarks on oddly spelt values, which a reader of reports cannot act on."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        return pydicom.dcmread(path, stop_before_pixels=header_only, force=not _has_magic(path))


def _has_magic(path: Path) -> bool:
    with path.open("rb") as handle:
        handle.seek(128)
        return handle.read(4) == b"DICM"


def _broken(name: str, error: object) -> InputError:
    text = str(error).split("\n")[0]
    kind = f"{type(error).__name__}: " if isinstance(error, BaseException) else ""
    return InputError(
        f"{name}: DICOM file is truncated or damaged ({kind}{text}). "
        "Export the series again, or remove this file to read the patient without it."
    )
