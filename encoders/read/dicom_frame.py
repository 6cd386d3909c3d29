"""One DICOM image plane, classic file or frame of an enhanced file, with its geometry checked once.

What this module does not know: other slices of the series, pixels.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydicom import Dataset

from encoders.errors import InputError
from encoders.read.dicom_tags import items, number, numbers, text, whole

PERPENDICULAR = 0.01
"""How far the two axes of an image may be from unit length and from a right angle."""
SPACING_MM = (1e-3, 100.0)
"""Pixel spacings (and slice thicknesses) outside this range are not a patient image's."""
FARTHEST_MM = 1e5
"""No scanner reports positions further than this from its origin."""

VOLUME_TAGS = (
    *("TemporalPositionIdentifier", "DiffusionBValue", "DiffusionGradientOrientation", "EchoNumbers", "EchoTime"),
    *("TriggerTime", "AcquisitionNumber", "ImageType", "AcquisitionTime"),
)
"""Tags of a classic file that may set one volume of a series apart from another, in the order they are tried."""
FRAME_VOLUME_TAGS = {
    "TemporalPositionIndex": "FrameContentSequence",
    "DiffusionBValue": "MRDiffusionSequence",
    "EffectiveEchoTime": "MREchoSequence",
    "NominalCardiacTriggerDelayTime": "CardiacSynchronizationSequence",
    "FrameAcquisitionNumber": "FrameContentSequence",
    "FrameType": "MRImageFrameTypeSequence",
    "FrameAcquisitionDateTime": "FrameContentSequence",
}
"""The same of one frame of an enhanced file, and the functional group that holds it."""


@dataclass(frozen=True)
class DicomFile:
    """One DICOM file's header (pixels left on disk) and where it lies.

    pixels_at : byte offset and length of native (uncompressed little-endian) pixel data; None = ask pydicom
    """

    path: Path
    name: str
    header: Dataset
    pixels_at: tuple[int, int] | None = None

    @cached_property
    def patient_id(self) -> str:
        return text(self.header, "PatientID")

    @cached_property
    def modality(self) -> str:
        return text(self.header, "Modality")

    @cached_property
    def sop_class(self) -> str:
        return text(self.header, "SOPClassUID")

    @cached_property
    def frames(self) -> int:
        """How many frames the header tells of; a classic file is one."""
        return max(whole(self.header, "NumberOfFrames") or 1, 1)


@dataclass(frozen=True)
class Frame:
    """One image plane.

    position : LPS mm of its first pixel's centre; along_row, along_column : unit vectors, LPS
    spacing_mm : (y, x); thickness_mm : None when the file does not tell
    slope, intercept : to modality units; rescale_type : None when there is no rescale
    acquired : order of acquisition among planes at one position
    group : of an enhanced file, functional group sequence -> its item for this frame; None for a classic file
    """

    file: DicomFile
    index: int
    shape: tuple[int, int]
    position: tuple[float, float, float]
    along_row: tuple[float, float, float]
    along_column: tuple[float, float, float]
    spacing_mm: tuple[float, float]
    thickness_mm: float | None
    slope: float
    intercept: float
    rescale_type: str | None
    acquired: tuple[float, ...]
    group: Callable[[str], Dataset] | None = field(default=None, compare=False)

    @property
    def uid(self) -> str:
        return text(self.file.header, "SOPInstanceUID")

    @property
    def volume_marks(self) -> dict[str, str]:
        """Tag -> value of what may set this plane's volume apart from others of the series (time_points.py)."""
        where = self.group or (lambda _: self.file.header)
        tags = FRAME_VOLUME_TAGS if self.group else dict.fromkeys(VOLUME_TAGS, "")
        return {tag: found for tag, sequence in tags.items() if (found := text(where(sequence), tag))}

    @property
    def normal(self) -> NDArray[np.float64]:
        return np.cross(self.along_row, self.along_column)


def classic_frame(file: DicomFile) -> Frame | str:
    """The plane of a one-frame file, or why its geometry is not known."""
    header = file.header
    needed = ("ImagePositionPatient", "ImageOrientationPatient", "PixelSpacing")
    missing = [t for t in needed if t not in header]
    if missing:
        return f"without {', '.join(missing)}"
    return _frame(file, 0, header, header, header, header, _acquired(header))


def enhanced_frames(file: DicomFile) -> list[Frame] | str:
    """The planes of an enhanced multi-frame file (functional groups), or why its geometry is not known."""
    shared = items(file.header, "SharedFunctionalGroupsSequence")
    own = items(file.header, "PerFrameFunctionalGroupsSequence")
    if not own:
        return "without functional groups"
    if len(own) != file.frames:
        return f"with {len(own)} functional groups for {file.frames} frames"
    frames = []
    for index, group in enumerate(own):

        def part(keyword: str, group: Dataset = group) -> Dataset:
            return next((found[0] for where in (group, *shared[:1]) if (found := items(where, keyword))), Dataset())

        frame = _frame(
            file,
            index,
            part("PlanePositionSequence"),
            part("PlaneOrientationSequence"),
            part("PixelMeasuresSequence"),
            part("PixelValueTransformationSequence"),
            (number(part("FrameContentSequence"), "TemporalPositionIndex") or 0.0, float(index)),
        )
        if isinstance(frame, str):
            return f"with frame {index + 1} {frame}"
        frames.append(replace(frame, group=part))
    return frames


def _frame(
    file: DicomFile,
    index: int,
    place: Dataset,
    turn: Dataset,
    measures: Dataset,
    transform: Dataset,
    acquired: tuple[float, ...],
) -> Frame | str:
    header = file.header
    rows, columns = whole(header, "Rows"), whole(header, "Columns")
    if not rows or not columns or min(rows, columns) < 1:
        return f"with Rows {rows} and Columns {columns}"
    position = numbers(place, "ImagePositionPatient", 3)
    axes = numbers(turn, "ImageOrientationPatient", 6)
    spacing = numbers(measures, "PixelSpacing", 2)
    unusable = _unusable(position, axes, spacing)
    if unusable or position is None or axes is None or spacing is None:
        return unusable
    slope, intercept = number(transform, "RescaleSlope"), number(transform, "RescaleIntercept")
    if slope == 0:
        raise InputError(
            f"{file.name}: RescaleSlope is 0, which turns every pixel into one value; export the series again."
        )
    told = slope is not None and intercept is not None
    kind = text(transform, "RescaleType") or ("HU" if transform is header else "")
    thickness = number(measures, "SliceThickness")
    return Frame(
        file=file,
        index=index,
        shape=(rows, columns),
        position=position,
        along_row=axes[:3],
        along_column=axes[3:],
        spacing_mm=spacing,
        thickness_mm=thickness if thickness and SPACING_MM[0] <= thickness <= SPACING_MM[1] else None,
        slope=1.0 if slope is None else slope,
        intercept=0.0 if intercept is None else intercept,
        rescale_type=kind if told else None,
        acquired=acquired,
    )


def _unusable(
    position: tuple[float, ...] | None, axes: tuple[float, ...] | None, spacing: tuple[float, ...] | None
) -> str:
    """What is wrong with the three geometry tags; "" when nothing is."""
    if position is None or max(map(abs, position)) > FARTHEST_MM:
        return f"with an ImagePositionPatient that is not 3 numbers within {FARTHEST_MM:g} mm"
    if axes is None:
        return "with an ImageOrientationPatient that is not 6 numbers"
    (a, b, c), (d, e, f) = axes[:3], axes[3:]
    off = (abs(a * a + b * b + c * c - 1), abs(d * d + e * e + f * f - 1), abs(a * d + b * e + c * f))
    if max(off) > PERPENDICULAR:
        return "with an ImageOrientationPatient that is not two perpendicular unit vectors"
    if spacing is None or not all(SPACING_MM[0] <= s <= SPACING_MM[1] for s in spacing):
        return f"with a PixelSpacing that is not two lengths of {SPACING_MM[0]:g} to {SPACING_MM[1]:g} mm"
    return ""


def _acquired(header: Dataset) -> tuple[float, ...]:
    tags = ("TemporalPositionIdentifier", "AcquisitionNumber", "AcquisitionTime", "InstanceNumber")
    return tuple(number(header, tag) or 0.0 for tag in tags)
