"""How bright a lesion is: mean, percentiles and peak in its series' unit, and its signal against its surroundings.

What this module does not know or check: whether the segment is the tumour; lean body mass (SUL); the reference organs
of PERCIST (liver, blood pool).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy.ndimage import distance_transform_edt

from encoders.errors import InputError
from encoders.patient import ImagingModality, ImagingSeries, IntensityUnit, Segment
from encoders.radiomics.intensity import PEAK_RADIUS_MM, local_means
from encoders.radiomics.region import crop

SHELL_MM = (3.0, 10.0)
"""The surroundings of a lesion: voxels this far from its edge; nearer ones are partly lesion."""
SHELL_VOXELS = 100
"""Fewest voxels of signal the surroundings need."""
SIGNAL_SHARE = 0.1
"""Voxels above this share of the series' 99th percentile hold signal, the others are air or bone."""


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


def surrounding_ratio(series: ImagingSeries, segment: Segment) -> float | None:
    """Median signal of an MR lesion over the median signal of the tissue ``SHELL_MM`` around it; no unit.

    Returns
    -------
    the ratio, or None: not MR, an empty mask, fewer than ``SHELL_VOXELS`` voxels of signal around it, no signal.

    Notes
    -----
    MR intensities have no unit, but one factor scales a whole series, and a ratio is free of it. A receive coil's
    falling sensitivity is not corrected, which is why the surroundings are near. Voxels of any other outline of the
    series, and those without signal, are left out. What the surroundings are (oedema, vessel) is not known.
    """
    if series.modality is not ImagingModality.MR or not segment.mask.any():
        return None
    reach = math.ceil(SHELL_MM[1] / min(series.spacing_mm)) + 1
    volume, mask = crop(series.volume, segment.mask.astype(bool), reach)
    outlined = np.logical_or.reduce([s.mask for s in series.segments] + [segment.mask])
    others, _ = crop(outlined, segment.mask.astype(bool), reach)
    away = distance_transform_edt(~mask, sampling=series.spacing_mm)
    signal = SIGNAL_SHARE * float(np.percentile(series.volume[:, ::2, ::2], 99))
    shell = (away > SHELL_MM[0]) & (away <= SHELL_MM[1]) & ~others.astype(bool) & (volume > signal)
    if int(shell.sum()) < SHELL_VOXELS:
        return None
    around = float(np.median(volume[shell]))
    return float(np.median(volume[mask])) / around if around > 0 else None
