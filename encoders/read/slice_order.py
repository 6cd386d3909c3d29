"""Slices of one series, in any order -> one stack along the slice normal, with what is odd about it.

Rules: slices of another orientation are set apart; the same SOP instance twice counts once; of several slices
at one position the first acquired stays; gaps and uneven steps are warned of, never interpolated.

What this module does not know: pixels and units.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from pydicom import Dataset

if TYPE_CHECKING:
    from encoders.read.dicom import DicomFile

SAME_POSITION_MM = 0.01
"""Positions closer than this along the normal are one slice position."""
UNEVEN_SHARE = 0.02
"""Steps that differ from the median by more than this share are uneven."""
GAP_SHARE = 1.5
"""A step longer than this many median steps means slices are missing."""
TILT_DEGREES = 0.5
"""The slice step may lean this far from the normal before it is called a tilt."""


@dataclass(frozen=True)
class Stack:
    """Files in order along the normal; spacing (z, y, x) in mm; affine (x, y, z, 1) -> LPS mm."""

    files: tuple[DicomFile, ...]
    spacing_mm: tuple[float, float, float]
    affine_lps: NDArray[np.float64]
    warnings: tuple[str, ...]


def order_slices(files: Sequence[DicomFile]) -> Stack:
    """Sort the slices of one series by position along their normal."""
    warnings: list[str] = []
    files = _one_of_each(files, warnings)
    files = _one_orientation(files, warnings)
    rows, columns = _axes(files[0].header)
    normal = np.cross(rows, columns)
    files = sorted(files, key=lambda f: (float(_position(f.header) @ normal), *_acquired(f.header), f.name))
    files = _one_a_position(files, normal, warnings)
    positions = np.array([_position(f.header) for f in files])
    step, spacing_z = _step(positions, normal, files[0].header, warnings)
    spacing_y, spacing_x = (float(v) for v in files[0].header.PixelSpacing)
    affine = np.eye(4)
    affine[:3, 0] = rows * spacing_x
    affine[:3, 1] = columns * spacing_y
    affine[:3, 2] = step
    affine[:3, 3] = positions[0]
    return Stack(tuple(files), (spacing_z, spacing_y, spacing_x), affine, tuple(warnings))


def _axes(header: Dataset) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Unit vectors along a row (column index grows) and along a column (row index grows), LPS."""
    values = np.array([float(v) for v in header.ImageOrientationPatient])
    return values[:3], values[3:]


def _position(header: Dataset) -> NDArray[np.float64]:
    return np.array([float(v) for v in header.ImagePositionPatient])


def _acquired(header: Dataset) -> tuple[float, ...]:
    """Order of acquisition for slices at one position."""
    return tuple(
        float(getattr(header, tag, 0) or 0)
        for tag in ("TemporalPositionIdentifier", "AcquisitionNumber", "AcquisitionTime", "InstanceNumber")
    )


def _one_of_each(files: Sequence[DicomFile], warnings: list[str]) -> list[DicomFile]:
    kept = list({str(f.header.SOPInstanceUID): f for f in reversed(files)}.values())
    if len(kept) < len(files):
        warnings.append(f"{len(files) - len(kept)} file(s) repeat a slice (same SOP instance) and were read once")
    return kept


def _one_orientation(files: Sequence[DicomFile], warnings: list[str]) -> list[DicomFile]:
    def plane(file: DicomFile) -> tuple[object, ...]:
        header = file.header
        known = all(tag in header for tag in ("ImagePositionPatient", "ImageOrientationPatient", "PixelSpacing"))
        if not known:
            return ()
        turned = tuple(round(float(v), 3) for v in header.ImageOrientationPatient)
        return (turned, tuple(round(float(v), 4) for v in header.PixelSpacing), header.Rows, header.Columns)

    planes = Counter(plane(f) for f in files if plane(f))
    main = planes.most_common(1)[0][0]
    kept = [f for f in files if plane(f) == main]
    if len(kept) < len(files):
        warnings.append(
            f"{len(files) - len(kept)} of {len(files)} slices have another orientation, spacing or size; set apart"
        )
    return kept


def _one_a_position(files: Sequence[DicomFile], normal: NDArray[np.float64], warnings: list[str]) -> list[DicomFile]:
    kept: list[DicomFile] = []
    for file in files:
        here = float(_position(file.header) @ normal)
        if kept and here - float(_position(kept[-1].header) @ normal) < SAME_POSITION_MM:
            continue
        kept.append(file)
    if len(kept) < len(files):
        warnings.append(
            f"{len(files) - len(kept)} of {len(files)} slices share a position with another "
            "(several time points or contrasts, or doubled slices); the first acquired was read"
        )
    return kept


def _step(
    positions: NDArray[np.float64], normal: NDArray[np.float64], header: Dataset, warnings: list[str]
) -> tuple[NDArray[np.float64], float]:
    """The vector (mm, LPS) from one slice to the next, and its length along the normal."""
    if len(positions) == 1:
        thickness = float(getattr(header, "SliceThickness", 0) or 0)
        if thickness <= 0:
            thickness = float(header.PixelSpacing[0])
            warnings.append(f"one slice without SliceThickness; {thickness:g} mm (its pixel spacing) stands in for it")
        return normal * thickness, thickness
    steps = np.diff(positions @ normal)
    median = float(np.median(steps))
    gaps = np.flatnonzero(steps > GAP_SHARE * median)
    for gap in gaps:
        warnings.append(
            f"slices are missing: {steps[gap]:.2f} mm between slices {gap + 1} and {gap + 2} (usual {median:.2f} mm)"
        )
    small = np.abs(steps - median) > UNEVEN_SHARE * median
    if small.any() and not gaps.size:
        warnings.append(f"slice steps are uneven: {steps.min():.2f} to {steps.max():.2f} mm; the median is used")
    vectors = np.diff(positions, axis=0)
    step = (positions[-1] - positions[0]) / (len(positions) - 1) if not small.any() else np.median(vectors, axis=0)
    along = float(step @ normal)
    tilt = float(np.degrees(np.arccos(np.clip(along / np.linalg.norm(step), -1, 1))))
    if tilt > TILT_DEGREES:
        warnings.append(
            f"the gantry was tilted by {tilt:.1f} degrees; the affine is sheared, the volume is not resampled"
        )
    return step, along
