"""Lesion measurements from a segment: volume, the two axial diameters, mean and maximum intensity.

Diameters are taken on the slice with the largest area, between the outer edges of its pixels (a row of n pixels of s mm
measures n * s). What this module does not know or check: whether the segment is the tumour, whether two segments are
the same lesion, RECIST's choice of target lesions.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import ConvexHull
from scipy.spatial.distance import pdist, squareform

from encoders.patient import ImagingSeries, Patient, Segment
from encoders.prediction import Measurement

AXIAL_COSINE = 0.9
"""Axis Z counts as axial when it points within about 25 degrees of the patient's feet-head axis."""


def diameters(mask: NDArray[np.bool_], spacing_mm: tuple[float, float]) -> tuple[float, float]:
    """Longest diameter of a slice mask (Y, X) and the longest chord perpendicular to it, both in mm.

    Parameters
    ----------
    mask : (Y, X) bool, at least one pixel
    spacing_mm : (y, x)

    References
    ----------
    Therasse et al., J Natl Cancer Inst 2000 (bidimensional measurement). Deviation: the chord need not lie inside the
    lesion where its outline is concave.
    """
    y, x = np.nonzero(mask)
    step = np.array(spacing_mm)
    centres = np.stack([y, x], 1) * step
    half = step / 2
    edges = np.concatenate([centres + half * np.array(s) for s in ((1, 0), (-1, 0), (0, 1), (0, -1))])
    hull = edges[ConvexHull(edges).vertices]
    distance = squareform(pdist(hull))
    a, b = np.unravel_index(int(distance.argmax()), distance.shape)
    along = (hull[b] - hull[a]) / distance[a, b]
    across = np.array([-along[1], along[0]])
    return float(distance[a, b]), _longest_chord(edges @ along, edges @ across, float(step.min()))


def _longest_chord(position: NDArray[np.float64], offset: NDArray[np.float64], width: float) -> float:
    """Greatest spread of ``offset`` among points of nearly equal ``position`` (bins of ``width``)."""
    index = np.floor((position - position.min()) / width + 0.25).astype(int)
    low = np.full(index.max() + 1, np.inf)
    high = np.full(index.max() + 1, -np.inf)
    np.minimum.at(low, index, offset)
    np.maximum.at(high, index, offset)
    return float(np.max(high - low))


def measure_segment(series: ImagingSeries, segment: Segment) -> Measurement | None:
    """Measure one segment; None when its mask is empty."""
    area = segment.mask.sum(axis=(1, 2))
    if not area.any():
        return None
    key = int(area.argmax())
    longest, short = diameters(segment.mask[key], series.spacing_mm[1:])
    inside = series.volume[segment.mask]
    normal = series.affine_lps[:3, 2]
    axial = abs(normal[2]) >= AXIAL_COSINE * float(np.linalg.norm(normal))
    return Measurement(
        series_uid=series.series_uid,
        segment_label=segment.label,
        volume_ml=float(segment.mask.sum()) * float(np.prod(series.spacing_mm)) / 1000,
        longest_axial_diameter_mm=longest,
        short_axis_mm=min(short, longest),
        mean_intensity=float(inside.mean(dtype=np.float64)),
        max_intensity=float(inside.max()),
        intensity_unit=series.unit.value,
        key_slice=key,
        proposed=segment.proposed,
        note="" if axial else "diameters are in the acquisition plane, which is not axial",
    )


def measure_patient(patient: Patient) -> tuple[Measurement, ...]:
    """Every filled segment of every series, in order."""
    found = (measure_segment(series, segment) for series in patient.imaging for segment in series.segments)
    return tuple(m for m in found if m is not None)
