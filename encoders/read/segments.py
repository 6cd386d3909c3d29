"""DICOM SEG -> segments in the grid of their source series, through highdicom.

A SEG names its source series; the mask is moved to that series' grid by flips, crops and padding, never resampled.

What this module does not know: whether a segment is right, RTSTRUCT contours, masks of a series that is not here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import highdicom as hd
import numpy as np
from numpy.typing import NDArray

from encoders.patient import ImagingSeries, Segment, SourceLocator
from encoders.read.dicom import _BROKEN, DicomFile, _broken

MASK_THRESHOLD = 0.5
"""A fractional segment counts where its share is at least this."""


def attach_segments(
    series: Sequence[ImagingSeries], files: Sequence[DicomFile]
) -> tuple[tuple[ImagingSeries, ...], tuple[str, ...]]:
    """Give each SEG to its source series; what cannot be placed is returned with its reason.

    Raises
    ------
    InputError: a SEG that cannot be read.
    """
    placed = {s.series_uid: s for s in series}
    skipped: list[str] = []
    for file in sorted(files, key=lambda f: f.name):
        source = _source_series(file)
        if source not in placed:
            skipped.append(
                f"{file.name}: segmentation of a series that is not in the folder ({source or 'none named'})"
            )
            continue
        segments, reasons = _read_segments(file, placed[source])
        skipped.extend(reasons)
        placed[source] = replace(placed[source], segments=(*placed[source].segments, *segments))
    return tuple(placed[s.series_uid] for s in series), tuple(skipped)


def _source_series(file: DicomFile) -> str:
    references = getattr(file.header, "ReferencedSeriesSequence", None) or ()
    return str(references[0].SeriesInstanceUID) if references else ""


def _read_segments(file: DicomFile, series: ImagingSeries) -> tuple[list[Segment], list[str]]:
    try:
        seg = hd.seg.segread(file.path)
        numbers = list(seg.segment_numbers)
    except _BROKEN as error:
        raise _broken(file.name, error) from error
    target = hd.VolumeGeometry(
        affine=series.affine_lps[:, [2, 1, 0, 3]],
        spatial_shape=series.volume.shape,
        coordinate_system=hd.CoordinateSystemNames.PATIENT,
    )
    segments, reasons = [], []
    for number in numbers:
        described = seg.get_segment_description(number)
        try:
            mask = _mask(seg, number, target)
        except _BROKEN as error:
            reasons.append(
                f"{file.name}: segment {number} does not lie on its series' grid ({str(error).splitlines()[0]})"
            )
            continue
        if not mask.any():
            reasons.append(f"{file.name}: segment {number} ({described.segment_label}) is empty on the series' slices")
            continue
        automatic = described.algorithm_type == hd.seg.SegmentAlgorithmTypeValues.AUTOMATIC
        place = SourceLocator(file.name, f"segment {number}")
        segments.append(Segment(described.segment_label, mask, place, proposed=automatic))
    return segments, reasons


def _mask(seg: hd.seg.Segmentation, number: int, target: hd.VolumeGeometry) -> NDArray[np.bool_]:
    """Mask (Z, Y, X) of one segment in the target's grid."""
    volume = seg.get_volume(segment_numbers=[number], combine_segments=False, allow_missing_positions=True)
    volume = volume.with_array(np.asarray(volume.array)[..., 0].astype(np.float32))
    matched = volume.match_geometry(target)
    return np.asarray(matched.array) >= MASK_THRESHOLD
