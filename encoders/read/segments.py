"""DICOM SEG -> segments in the grid of their source series.

A SEG names its source series; each of its pixels must fall on a voxel centre of that series (any flip, crop, padding or
exchange of axes), and is never resampled. Binary, fractional, overlapping and label-map SEGs are read.

What this module does not know: whether a segment is right, RTSTRUCT contours (rtstruct.py), masks of a series that is
not here.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from encoders.patient import ImagingSeries, Segment, SourceLocator
from encoders.read.attach import attach, referred_images
from encoders.read.dicom_frame import DicomFile, Frame, enhanced_frames
from encoders.read.dicom_pixels import broken, read_planes
from encoders.read.dicom_tags import items, number, text, whole

MASK_THRESHOLD = 0.5
"""A fractional segment counts where its share is at least this."""
OFF_GRID = 0.1
"""A SEG pixel may lie this many voxels from the nearest voxel centre of its series."""
SAME_STEP = 0.01
"""The SEG's pixel steps may differ from the series' voxel steps by this share."""


def attach_segments(
    series: Sequence[ImagingSeries], files: Sequence[DicomFile]
) -> tuple[tuple[ImagingSeries, ...], tuple[str, ...]]:
    """Give each SEG to its source series; what cannot be placed is returned with its reason.

    Raises
    ------
    InputError: a SEG that cannot be read.
    """
    return attach(series, files, _made_from, _read_segments)


def _made_from(file: DicomFile, series: Sequence[ImagingSeries]) -> tuple[int | None, str]:
    """Which of ``series`` a SEG says it was made from: by the series it names, else by its images."""
    named = {text(r, "SeriesInstanceUID") for r in items(file.header, "ReferencedSeriesSequence")} - {""}
    at = next((i for i, s in enumerate(series) if s.series_uid in named), None)
    if at is None and not named:
        images = {uid for uid, _ in referred_images(file)}
        at = next((i for i, s in enumerate(series) if images & set(s.sop_instance_uids)), None)
    told = ", ".join(sorted(named)) or "none named"
    return at, f"segmentation of a series that is not in the folder ({told})"


def _read_segments(file: DicomFile, series: ImagingSeries) -> tuple[list[Segment], list[str]]:
    described = {whole(about, "SegmentNumber"): about for about in items(file.header, "SegmentSequence")}
    frames = enhanced_frames(file)
    if isinstance(frames, str):
        return [], [f"{file.name}: a segmentation {frames}; its geometry is not known"]
    if not described:
        raise broken(file.name, "no segments are described")
    masks, outside, reason = _paint(file, frames, tuple(n for n in described if n is not None), series)
    if reason:
        return [], [f"{file.name}: its segments do not lie on its series' grid ({reason})"]
    segments, reasons = [], []
    for key, about in described.items():
        label = text(about, "SegmentLabel") or f"segment {key}"
        called = f"{file.name}: segment {key} ({label})"
        if outside.get(key or 0):
            reasons.append(f"{called} has {outside[key or 0]} pixels outside the series' slices; left out")
        if key not in masks:
            reasons.append(f"{called} is empty on the series' slices")
            continue
        category = items(about, "SegmentedPropertyCategoryCodeSequence")
        segments.append(
            Segment(
                label=label,
                mask=masks[key],
                source=SourceLocator(file.name, f"segment {key}"),
                proposed=text(about, "SegmentAlgorithmType") == "AUTOMATIC",
                kind=(text(category[0], "CodeMeaning") or None) if category else None,
            )
        )
    return segments, reasons


def _paint(
    file: DicomFile, frames: Sequence[Frame], described: tuple[int, ...], series: ImagingSeries
) -> tuple[dict[int, NDArray[np.bool_]], dict[int, int], str]:
    """Masks (Z, Y, X) by segment number, pixels outside the series by segment number, and why none can be painted."""
    label_map = text(file.header, "SegmentationType") == "LABELMAP"
    groups = items(file.header, "PerFrameFunctionalGroupsSequence")
    shared = items(file.header, "SharedFunctionalGroupsSequence")[:1]
    to_index = np.linalg.inv(series.affine_lps)
    full = number(file.header, "MaximumFractionalValue") if text(file.header, "SegmentationType") == "FRACTIONAL" else 1
    masks: dict[int, NDArray[np.bool_]] = {}
    outside: dict[int, int] = defaultdict(int)
    for index, pixels in read_planes(file, {f.index: f for f in frames}):
        place, reason = _placement(frames[index], to_index)
        if reason:
            return {}, {}, reason
        here = described if label_map else _segment_of((groups[index], *shared))
        for key in here:
            filled = pixels == key if label_map else pixels >= MASK_THRESHOLD * (full or 1)
            rows, columns = np.nonzero(filled)
            voxels = np.rint(np.column_stack([columns, rows, np.ones_like(rows)]) @ place).astype(int)[:, ::-1]
            within = ((voxels >= 0) & (voxels < series.volume.shape)).all(axis=1)
            outside[key] += int((~within).sum())
            if within.any():
                mask = masks.setdefault(key, np.zeros(series.volume.shape, dtype=bool))
                mask[tuple(voxels[within].T)] = True
    return masks, outside, ""


def _segment_of(groups: Sequence) -> tuple[int, ...]:
    """The segment a frame belongs to; () when the file does not say."""
    for group in groups:
        for found in items(group, "SegmentIdentificationSequence"):
            key = whole(found, "ReferencedSegmentNumber")
            return () if key is None else (key,)
    return ()


def _placement(frame: Frame, to_index: NDArray[np.float64]) -> tuple[NDArray[np.float64], str]:
    """(3, 3) matrix: (column, row, 1) of a SEG frame @ matrix = voxel (x, y, z) of the series; or why there is none."""
    along = np.multiply(frame.along_row, frame.spacing_mm[1])
    down = np.multiply(frame.along_column, frame.spacing_mm[0])
    steps = to_index[:3, :3] @ np.column_stack([along, down])
    start = to_index[:3, :3] @ np.array(frame.position) + to_index[:3, 3]
    exact = np.rint(steps)
    if (np.abs(exact).sum(axis=0) != 1).any() or np.abs(steps - exact).max() > SAME_STEP:
        return exact, "its pixels have another size or direction than the series' voxels"
    far = start + steps @ np.array([frame.shape[1] - 1, frame.shape[0] - 1])
    off = max(float(np.abs(p - np.rint(p)).max()) for p in (start, far))
    if off > OFF_GRID:
        return exact, f"its pixels lie {off:.2f} voxels from the series' voxel centres"
    return np.vstack([exact.T, np.rint(start)]), ""
