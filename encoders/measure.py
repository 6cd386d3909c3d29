"""Lesion measurements from a segment: volume, diameters, intensities, and the change of one diameter since before.

Diameters lie between the outer edges of the pixels (a row of n pixels of s mm measures n * s). ``measure_segment``
takes them on the slice with the largest area, ``recist_diameters`` on the slice where the lesion is longest. What this
module does not know or check: whether the segment is the tumour, whether two segments are the same lesion, RECIST's
choice and sum of target lesions.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import ConvexHull
from scipy.spatial.distance import pdist, squareform

from encoders.errors import InputError
from encoders.lesion_choice import lesions
from encoders.patient import ImagingSeries, IntensityUnit, Patient, Segment
from encoders.prediction import Measurement
from encoders.radiomics.intensity import PEAK_RADIUS_MM, local_means
from encoders.radiomics.region import crop

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
        note="" if _is_axial(series) else "diameters are in the acquisition plane, which is not axial",
    )


def measure_patient(patient: Patient) -> tuple[Measurement, ...]:
    """Every lesion (encoders/lesion_choice.py) of every series, in order; outlined organs are not lesions."""
    found = (measure_segment(series, segment) for series in patient.imaging for segment in lesions(series))
    return tuple(m for m in found if m is not None)


@dataclass(frozen=True)
class AxialDiameters:
    """Longest in-plane diameter of a lesion and the short axis perpendicular to it, on the same slice.

    slice_index : index on axis Z of that slice
    """

    longest_mm: float
    short_axis_mm: float
    slice_index: int


def recist_diameters(series: ImagingSeries, segment: Segment) -> AxialDiameters | None:
    """The longest diameter over all slices and its perpendicular (RECIST 1.1); None when the mask is empty.

    Raises
    ------
    InputError: the slices are not axial, so a diameter in them is not the one RECIST measures on axial images.

    Notes
    -----
    RECIST measures a lymph node by its short axis and any other lesion by its longest diameter; which one a segment is
    is not known here. Least sizes of a target (10 mm, node 15 mm; slices up to 5 mm) are not checked.

    References
    ----------
    Eisenhauer et al., Eur J Cancer 2009, 10.1016/j.ejca.2008.10.026.
    """
    if not _is_axial(series):
        raise InputError(
            "the slices are not axial; resample the series to axial slices before taking RECIST diameters."
        )
    filled = np.flatnonzero(segment.mask.any(axis=(1, 2)))
    if not filled.size:
        return None
    sizes = [diameters(segment.mask[z], series.spacing_mm[1:]) for z in filled]
    best = max(range(len(sizes)), key=lambda k: sizes[k])
    longest, short = sizes[best]
    return AxialDiameters(longest, min(short, longest), int(filled[best]))


@dataclass(frozen=True)
class LesionIntensity:
    """Intensities of one segment in ``unit``.

    suv_peak : highest mean of a 1 mL sphere centred in the lesion; None when the unit is not SUVbw
    """

    mean: float
    p10: float
    p90: float
    maximum: float
    unit: IntensityUnit
    suv_peak: float | None = None


def lesion_intensity(series: ImagingSeries, segment: Segment) -> LesionIntensity | None:
    """Mean, 10th and 90th percentile, maximum, and SUVpeak of a PET lesion; None when the mask is empty.

    Raises
    ------
    InputError: voxels of the lesion are not finite.

    Notes
    -----
    The sphere counts voxels whose centres lie within 6.2 mm; its centre lies in the lesion, its voxels may lie outside.
    PERCIST corrects for lean body mass (SULpeak); body weight is what the unit SUVbw says, and no weight is known here.

    References
    ----------
    Wahl et al., J Nucl Med 2009, 10.2967/jnumed.108.057307.
    """
    if not segment.mask.any():
        return None
    inside = series.volume[segment.mask].astype(np.float64)
    if not np.isfinite(inside).all():
        raise InputError(f"{int((~np.isfinite(inside)).sum())} voxels of the lesion are not finite; mask them first.")
    p10, p90 = (float(p) for p in np.percentile(inside, [10, 90]))
    peak = None
    if series.unit is IntensityUnit.SUVBW:
        reach = math.ceil(PEAK_RADIUS_MM / min(series.spacing_mm))
        volume, mask = crop(series.volume, segment.mask.astype(bool), reach)
        peak = float(local_means(volume, series.spacing_mm)[mask].max())
    return LesionIntensity(float(inside.mean()), p10, p90, float(inside.max()), series.unit, peak)


class LesionTrend(StrEnum):
    """What became of one lesion; named unlike RECIST's response, which is of the sum of all target lesions."""

    DISAPPEARED = "disappeared"
    SHRUNK = "shrunk"
    STABLE = "stable"
    GROWN = "grown"


SHRUNK_BY = 0.30
"""Least relative decrease from the reference to count as shrunk (RECIST 1.1, partial response)."""
GROWN_BY = 0.20
"""Least relative increase over the smallest earlier size to count as grown (RECIST 1.1, progression)."""
GROWN_BY_MM = 5.0
"""Least absolute increase that goes with it, mm."""
ROUNDING_MM = 1e-6
"""Sizes this near a threshold have reached it."""


@dataclass(frozen=True)
class LesionChange:
    """Change of the diameter of ONE lesion, by the thresholds RECIST 1.1 puts on the sum of diameters of all targets.

    percent : of ``before_mm``; negative = smaller
    percent_of_smallest : of the smallest earlier size, which growth is judged by
    """

    before_mm: float
    now_mm: float
    change_mm: float
    percent: float
    percent_of_smallest: float
    trend: LesionTrend

    def __str__(self) -> str:
        return (
            f"{self.before_mm:.0f} mm to {self.now_mm:.0f} mm ({self.percent:+.0f} %): {self.trend.value}; of this one "
            "lesion, not a response by the sum of diameters"
        )


def lesion_change(before_mm: float, now_mm: float, *, smallest_mm: float | None = None) -> LesionChange:
    """Change of one lesion's diameter from a reference study to now.

    Parameters
    ----------
    before_mm : diameter in the reference study (baseline, or the prior study where there is no other), above 0
    now_mm : the same diameter now; 0 = the lesion is no longer seen
    smallest_mm : smallest diameter of any study so far (nadir); None = ``before_mm``

    Raises
    ------
    InputError: a size that is not finite, ``before_mm`` or ``smallest_mm`` not above 0, ``smallest_mm`` above
    ``before_mm``.

    Notes
    -----
    Grown is judged first: a lesion 30 % below its baseline that has grown by 20 % and 5 mm from its nadir has grown.
    Not checked: that both are the same lesion, of the same kind of diameter, on like slices; new lesions. A node below
    10 mm short axis counts as normal in RECIST; here it has only shrunk.

    References
    ----------
    Eisenhauer et al., Eur J Cancer 2009, 10.1016/j.ejca.2008.10.026.
    """
    smallest = before_mm if smallest_mm is None else smallest_mm
    if not all(math.isfinite(size) for size in (before_mm, now_mm, smallest)):
        raise InputError(f"sizes {before_mm}, {now_mm}, {smallest} mm; each must be a finite number.")
    if before_mm <= 0 or smallest <= 0 or now_mm < 0:
        raise InputError(
            f"before {before_mm} mm, smallest {smallest} mm, now {now_mm} mm; the first two must be above 0, the last "
            "0 or more."
        )
    if smallest > before_mm + ROUNDING_MM:
        raise InputError(f"smallest_mm = {smallest} is above before_mm = {before_mm}; the nadir is the least of all.")
    growth = now_mm - smallest
    if now_mm == 0:
        trend = LesionTrend.DISAPPEARED
    elif growth >= GROWN_BY * smallest - ROUNDING_MM and growth >= GROWN_BY_MM - ROUNDING_MM:
        trend = LesionTrend.GROWN
    elif before_mm - now_mm >= SHRUNK_BY * before_mm - ROUNDING_MM:
        trend = LesionTrend.SHRUNK
    else:
        trend = LesionTrend.STABLE
    change = now_mm - before_mm
    return LesionChange(before_mm, now_mm, change, 100 * change / before_mm, 100 * growth / smallest, trend)


def _is_axial(series: ImagingSeries) -> bool:
    """Axis Z points within about 25 degrees of the patient's feet-head axis."""
    normal = series.affine_lps[:3, 2]
    return bool(abs(normal[2]) >= AXIAL_COSINE * float(np.linalg.norm(normal)))
