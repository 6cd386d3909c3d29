"""Lesion measurements of one patient: volume, RECIST 1.1 diameters and intensities of every outlined lesion.

How each figure is taken: encoders/lesion_size.py, encoders/lesion_intensity.py; what became of a lesion since an
earlier study: encoders/follow_up.py. What this module does not know or check: whether the segment is the tumour.
"""

from __future__ import annotations

import numpy as np

from encoders.lesion_choice import lesions
from encoders.lesion_intensity import lesion_intensity, surrounding_ratio
from encoders.lesion_size import in_plane_diameters, is_axial, why_not_measurable
from encoders.patient import ImagingSeries, Patient, Segment
from encoders.prediction import Measurement
from encoders.series_choice import show_the_same

NOT_AXIAL = "diameters are in the acquisition plane, which is not axial"


def measure_segment(series: ImagingSeries, segment: Segment, *, prior: bool = False) -> Measurement | None:
    """Measure one segment; None when its mask is empty.

    Diameters are the longest over all slices and its perpendicular; where the slices are not axial they are in the
    slices' own plane and ``note`` says so. Percentiles and SUVpeak are None where voxels of the lesion are not finite.
    """
    size = in_plane_diameters(series, segment)
    if size is None:
        return None
    inside = series.volume[segment.mask]
    finite = bool(np.isfinite(inside).all())
    intensity = lesion_intensity(series, segment) if finite else None
    return Measurement(
        series_uid=series.series_uid,
        segment_label=segment.label,
        volume_ml=float(segment.mask.sum()) * float(np.prod(series.spacing_mm)) / 1000,
        longest_axial_diameter_mm=size.longest_mm,
        short_axis_mm=size.short_axis_mm,
        mean_intensity=float(inside.mean(dtype=np.float64)),
        max_intensity=float(inside.max()),
        intensity_unit=series.unit.value,
        key_slice=size.slice_index,
        proposed=segment.proposed,
        note="" if is_axial(series) else NOT_AXIAL,
        date=series.date,
        prior=prior,
        not_measurable=why_not_measurable(
            series, segment.label, longest_mm=size.longest_mm, short_axis_mm=size.short_axis_mm
        ),
        p10_intensity=intensity.p10 if intensity else None,
        p90_intensity=intensity.p90 if intensity else None,
        suv_peak=intensity.suv_peak if intensity else None,
        surrounding_ratio=surrounding_ratio(series, segment) if finite else None,
    )


def measure_patient(patient: Patient) -> tuple[Measurement, ...]:
    """Every lesion (encoders/lesion_choice.py) of every series, in order; outlined organs are not lesions.

    ``prior`` marks the lesions of a series when a later one that shows the same holds a lesion a person outlined.
    """
    found = []
    for series in patient.imaging:
        prior = any(_supersedes(other, series) for other in patient.imaging)
        found += [measure_segment(series, segment, prior=prior) for segment in lesions(series)]
    return tuple(m for m in found if m is not None)


def _supersedes(later: ImagingSeries, series: ImagingSeries) -> bool:
    if not (later.date and series.date and later.date > series.date):
        return False
    return any(not s.proposed for s in lesions(later)) and show_the_same(later, series)
