"""Objects drawn on images (DICOM SEG, RTSTRUCT): the images they refer to, and giving each to its series.

What this module does not know: masks and contours (segments.py, rtstruct.py).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from pydicom import Dataset

from encoders.patient import ImagingSeries, Segment
from encoders.read.dicom_frame import DicomFile
from encoders.read.dicom_tags import items, numbers, text, texts
from encoders.read.time_points import ImageReference

FindSeries = Callable[[DicomFile, Sequence[ImagingSeries]], tuple[int | None, str]]
"""(file, series) -> which of the series it was drawn on, or None and why."""
ReadSegments = Callable[[DicomFile, ImagingSeries], tuple[list[Segment], list[str]]]
"""(file, its series) -> segments in the series' grid, and what was left out with its reason."""


def attach(
    series: Sequence[ImagingSeries], files: Sequence[DicomFile], find: FindSeries, read: ReadSegments
) -> tuple[tuple[ImagingSeries, ...], tuple[str, ...]]:
    """The series with the segments of every file added, and the reasons for what could not be placed."""
    placed = list(series)
    skipped: list[str] = []
    for file in sorted(files, key=lambda f: f.name):
        at, reason = find(file, placed)
        if at is None:
            skipped.append(f"{file.name}: {reason}")
            continue
        segments, reasons = read(file, placed[at])
        skipped.extend(reasons)
        placed[at] = replace(placed[at], segments=(*placed[at].segments, *segments))
    return tuple(placed), tuple(skipped)


def referred_images(file: DicomFile) -> frozenset[ImageReference]:
    """Every image (and frame, 0 = all) that a SEG or an RTSTRUCT says it was drawn on."""
    groups = (
        *items(file.header, "SharedFunctionalGroupsSequence"),
        *items(file.header, "PerFrameFunctionalGroupsSequence"),
    )
    sources = [
        source
        for group in groups
        for derived in items(group, "DerivationImageSequence")
        for source in items(derived, "SourceImageSequence")
    ]
    contours = [
        image
        for region in items(file.header, "ROIContourSequence")
        for contour in items(region, "ContourSequence")
        for image in items(contour, "ContourImageSequence")
    ]
    return frozenset(reference for image in (*sources, *contours) for reference in _references(image))


def _references(image: Dataset) -> list[ImageReference]:
    uid = text(image, "ReferencedSOPInstanceUID")
    count = len(texts(image, "ReferencedFrameNumber"))
    frames = numbers(image, "ReferencedFrameNumber", count) if count else None
    return [(uid, int(n)) for n in frames or (0,)] if uid else []
