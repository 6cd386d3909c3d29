"""DICOM RTSTRUCT -> segments in the grid of their series: polygons filled by the even-odd rule, slice by slice.

A voxel belongs to a region when its centre lies inside an odd number of the region's contours on that slice, so a
contour drawn inside another (or a keyhole) is a hole. Contours stay on their slices; nothing is interpolated.

What this module does not know: whether a contour is right, points and open lines (told, not filled), volumes swept
between slices, dose.

References
----------
DICOM PS3.3 C.8.8.6 (ROI Contour Module: CLOSED_PLANAR, keyholes, CLOSEDPLANAR_XOR).
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.path import Path as Outline
from numpy.typing import NDArray
from pydicom import Dataset

from encoders.patient import ImagingSeries, Segment, SourceLocator
from encoders.read.attach import attach, referred_images
from encoders.read.dicom_frame import DicomFile
from encoders.read.dicom_tags import items, text, value, whole

CLOSED = ("CLOSED_PLANAR", "CLOSEDPLANAR_XOR")
OFF_SLICE = 0.5
"""A contour further than this many slice steps from every slice lies on none."""
FLAT = 0.2
"""A contour whose points spread over more slice steps than this is not parallel to the slices."""
SAME_PLANE = 0.01
"""Contours closer than this many slice steps lie in one plane; the nearest plane of a slice is filled."""
NOT_REGIONS = frozenset(("EXTERNAL", "SUPPORT", "BOLUS", "FIXATION", "ISOCENTER", "REGISTRATION", "MARKER"))
"""RT ROI interpreted types that are the patient's outline or equipment, not a region in the patient."""


@dataclass(frozen=True)
class _Region:
    number: int | None
    name: str
    kind: str
    automatic: bool
    frame_of_reference: str
    contours: tuple[Dataset, ...]


def attach_structures(
    series: Sequence[ImagingSeries], files: Sequence[DicomFile]
) -> tuple[tuple[ImagingSeries, ...], tuple[str, ...]]:
    """Give each structure set to the series it was drawn on; what cannot be placed is returned with its reason.

    A set is placed by the series it names, else by the images its contours name, else by its frame of reference when
    exactly one series shares it.
    """
    return attach(series, files, _drawn_on, _read_regions)


def _drawn_on(file: DicomFile, series: Sequence[ImagingSeries]) -> tuple[int | None, str]:
    """Which of ``series`` the contours were drawn on, or why none."""
    frames = items(file.header, "ReferencedFrameOfReferenceSequence")
    named = {
        text(one, "SeriesInstanceUID")
        for frame in frames
        for study in items(frame, "RTReferencedStudySequence")
        for one in items(study, "RTReferencedSeriesSequence")
    } - {""}
    images = {uid for uid, _ in referred_images(file)}
    for at, one in enumerate(series):
        if one.series_uid in named:
            return at, ""
    shared = [len(images & set(one.sop_instance_uids)) for one in series]
    if any(shared):
        return int(np.argmax(shared)), ""
    here = {text(frame, "FrameOfReferenceUID") for frame in frames} - {""}
    same = [at for at, one in enumerate(series) if one.frame_of_reference_uid in here]
    if len(same) == 1 and not named:
        return same[0], ""
    told = ", ".join(sorted(named)) or "none named"
    return None, f"contours of a series that is not in the folder ({told})"


def _regions(file: DicomFile) -> list[_Region]:
    named = {whole(r, "ROINumber"): r for r in items(file.header, "StructureSetROISequence")}
    observed = {
        whole(o, "ReferencedROINumber"): text(o, "RTROIInterpretedType")
        for o in items(file.header, "RTROIObservationsSequence")
    }
    regions = []
    for drawn in items(file.header, "ROIContourSequence"):
        number = whole(drawn, "ReferencedROINumber")
        about = named.get(number, Dataset())
        regions.append(
            _Region(
                number=number,
                name=text(about, "ROIName") or f"ROI {number}",
                kind=observed.get(number, "").upper(),
                automatic=text(about, "ROIGenerationAlgorithm") == "AUTOMATIC",
                frame_of_reference=text(about, "ReferencedFrameOfReferenceUID"),
                contours=items(drawn, "ContourSequence"),
            )
        )
    return regions


def _read_regions(file: DicomFile, series: ImagingSeries) -> tuple[list[Segment], list[str]]:
    segments, reasons = [], []
    uids = frozenset(series.sop_instance_uids)
    for region in _regions(file):
        called = f"{file.name}: ROI {region.name!r}"
        if region.kind in NOT_REGIONS:
            reasons.append(f"{called} is of type {region.kind}, not a region in the patient; set apart")
            continue
        if _other_space(region, series) and not _drawn_on_slices(region, uids):
            reasons.append(f"{called} was drawn in another frame of reference than its series; not placed")
            continue
        mask, remarks = fill_contours(region.contours, series)
        reasons.extend(f"{called}: {remark}" for remark in remarks)
        if not mask.any():
            reasons.append(f"{called} covers no voxel of its series; left out")
            continue
        place = SourceLocator(file.name, f"ROI {region.number}")
        segments.append(Segment(region.name, mask, place, proposed=region.automatic, kind=region.kind or None))
    return segments, reasons


def _other_space(region: _Region, series: ImagingSeries) -> bool:
    both = (region.frame_of_reference, series.frame_of_reference_uid or "")
    return all(both) and both[0] != both[1]


def _drawn_on_slices(region: _Region, uids: frozenset[str]) -> bool:
    """Whether the contours name slices of the series, which outweighs a frame of reference some writers invent."""
    images = (i for contour in region.contours for i in items(contour, "ContourImageSequence"))
    return any(text(i, "ReferencedSOPInstanceUID") in uids for i in images)


def fill_contours(contours: Sequence[Dataset], series: ImagingSeries) -> tuple[NDArray[np.bool_], list[str]]:
    """Mask (Z, Y, X) of one region, and what of it could not be filled.

    contours : items of ContourSequence, points in LPS mm
    """
    mask = np.zeros(series.volume.shape, dtype=bool)
    to_index = np.linalg.inv(series.affine_lps)
    left_out: Counter[str] = Counter()
    planes: dict[int, list[tuple[float, NDArray[np.float64]]]] = defaultdict(list)
    for contour in contours:
        points = _points(contour)
        if points is None:
            left_out["are points or open lines"] += 1
            continue
        index = points @ to_index[:3, :3].T + to_index[:3, 3]  # (N, 3): column, row, slice
        height, spread = float(index[:, 2].mean()), float(np.ptp(index[:, 2]))
        k = round(height)
        if spread > FLAT:
            left_out["are not parallel to the slices"] += 1
        elif abs(height - k) > OFF_SLICE or not 0 <= k < mask.shape[0]:
            left_out["lie on no slice of the series"] += 1
        else:
            planes[k].append((abs(height - k), index[:, :2]))
    for k, found in planes.items():
        nearest = min(off for off, _ in found)
        for off, outline in found:
            if off - nearest > SAME_PLANE:
                left_out["lie between slices, beside a nearer contour"] += 1
            else:
                _flip_inside(mask[k], outline)
    remarks = [f"{n} of {len(contours)} contours {why}" for why, n in sorted(left_out.items())]
    empty = set(range(min(planes), max(planes))) - set(planes) if planes else set()
    if empty:
        remarks.append(f"{len(empty)} slices between its contours have none and stay empty")
    return mask, remarks


def _points(contour: Dataset) -> NDArray[np.float64] | None:
    """(N, 3) LPS mm of a closed contour of at least three points; None when it is not one."""
    if text(contour, "ContourGeometricType") not in CLOSED:
        return None
    try:
        flat = np.array([float(v) for v in value(contour, "ContourData") or ()])  # type: ignore[attr-defined]
    except (TypeError, ValueError, OverflowError):
        return None
    if flat.size < 9 or flat.size % 3 or not np.isfinite(flat).all() or np.abs(flat).max() > 1e5:
        return None
    return flat.reshape(-1, 3)


def _flip_inside(plane: NDArray[np.bool_], outline: NDArray[np.float64]) -> None:
    """Flip the pixels of ``plane`` (Y, X) whose centre lies inside ``outline`` (N, 2: column, row)."""
    low = np.maximum(np.ceil(outline.min(axis=0)), 0).astype(int)
    high = np.minimum(np.floor(outline.max(axis=0)) + 1, plane.shape[::-1]).astype(int)
    if (high <= low).any():
        return
    columns, rows = np.meshgrid(np.arange(low[0], high[0]), np.arange(low[1], high[1]))
    inside = Outline(outline).contains_points(np.column_stack([columns.ravel(), rows.ravel()]))
    plane[low[1] : high[1], low[0] : high[0]] ^= inside.reshape(rows.shape)
