"""What speaks against trusting a series: too few slices, saturation, emptiness, values its unit does not allow.

Each doubt becomes one of the series' warnings, so that the report shows it beside what was measured. Nothing is
removed: a reader may still want to see the series.

What this module does not know: anatomy, artefacts, whether the tumour is in the field of view.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from encoders.patient import ImagingModality, ImagingSeries, IntensityUnit

FEWEST_SLICES = 8
"""Fewer slices are a sample of the organ, not a volume."""
SHORTEST_MM = 20.0
"""A stack that reaches less far along its normal cannot hold most lesions whole."""
SATURATED_SHARE = 0.005
"""More voxels than this share at the largest value means the largest values were cut off."""
AIR_HU = -200.0
"""A CT of a patient holds voxels below this, inside or around the patient."""
HIGHEST_HU = 32767.0
"""No CT stores a higher value; scanners with an extended scale reach about 30,000."""
BELIEVABLE_SUV = (0.05, 500.0)
"""A PET's largest SUVbw lies in this range; outside it weight, dose or scale are wrong."""


def with_doubts(series: ImagingSeries) -> ImagingSeries:
    """The series with every doubt about it added to its warnings."""
    doubts = find_doubts(series)
    return replace(series, warnings=(*series.warnings, *doubts)) if doubts else series


def find_doubts(series: ImagingSeries) -> tuple[str, ...]:
    """What speaks against trusting the series, in words."""
    values = series.volume
    low, high = float(values.min()), float(values.max())
    if low == high:
        return (*_extent(series), f"every voxel holds {low:g}: an empty image")
    return tuple(d for d in (*_extent(series), _saturated(values, high), _out_of_unit(series, low, high)) if d)


def _extent(series: ImagingSeries) -> tuple[str, ...]:
    slices, reach = series.volume.shape[0], series.volume.shape[0] * series.spacing_mm[0]
    if slices >= FEWEST_SLICES and reach >= SHORTEST_MM:
        return ()
    return (
        f"only {slices} slice(s), {reach:.1f} mm: too few for a volume ({FEWEST_SLICES} slices and {SHORTEST_MM:g} mm "
        "are needed); what is measured or predicted from it is doubtful",
    )


def _saturated(values: NDArray[np.float32], high: float) -> str:
    share = float((values == high).mean())
    return f"{share:.1%} of voxels hold the largest value, {high:g}: saturated" if share > SATURATED_SHARE else ""


def _out_of_unit(series: ImagingSeries, low: float, high: float) -> str:
    if series.modality is ImagingModality.CT and series.unit is IntensityUnit.HU:
        if low > AIR_HU:
            return f"no voxel is below {AIR_HU:g} HU (lowest {low:g}): no air, so cropped or not Hounsfield units"
        if high > HIGHEST_HU:
            return f"the highest value is {high:g} HU; {HIGHEST_HU:g} is the most a CT stores"
    if series.unit is IntensityUnit.SUVBW and not BELIEVABLE_SUV[0] <= high <= BELIEVABLE_SUV[1]:
        return (
            f"the largest SUVbw is {high:g}; {BELIEVABLE_SUV[0]:g} to {BELIEVABLE_SUV[1]:g} is believable, "
            "so weight, dose or scale may be wrong"
        )
    return ""
