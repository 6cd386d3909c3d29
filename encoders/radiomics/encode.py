"""A segment as a named vector of radiomics features.

What this module does not know or check: whether the mask outlines a lesion, whether two scanners' intensities compare,
which features say something about a disease.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from encoders.errors import ContractError
from encoders.patient import ImagingSeries, Segment
from encoders.radiomics.cooccurrence import cooccurrence
from encoders.radiomics.intensity import PEAK_RADIUS_MM, histogram, peaks, statistics
from encoders.radiomics.morphology import morphology
from encoders.radiomics.region import check_region, crop, discretise, level_grid, resample, without_outliers
from encoders.radiomics.settings import SETTINGS_BY_UNIT, VERSION, RadiomicsCard, RadiomicsSettings
from encoders.radiomics.sizes import dependences, run_lengths, zone_sizes
from encoders.radiomics.tone_difference import tone_differences
from encoders.right_angles import with_right_angles


@dataclass(frozen=True)
class RadiomicsVector:
    """Features of one region. NaN = not defined for this region (see ``undefined``), never 0 and never imputed here.

    names : IBSI tags, in a fixed order
    values : (F,) float64
    card : what made it; vectors may be compared only where ``card.version_hash`` is equal
    voxels : how many voxels the shape has on the grid the features were taken on
    left_out_voxels : of them, how many ``outlier_sd`` took out of the intensity mask
    """

    names: tuple[str, ...]
    values: NDArray[np.float64]
    card: RadiomicsCard
    voxels: int
    left_out_voxels: int = 0

    def __post_init__(self) -> None:
        if self.values.shape != (len(self.names),):
            raise ContractError(f"{len(self.names)} names but values of shape {self.values.shape}; give one each.")

    def __getitem__(self, name: str) -> float:
        """Value of one feature; ContractError when there is none of that name."""
        if name not in self.names:
            raise ContractError(f"no radiomics feature {name!r}; there are {len(self.names)}, {self.names[0]} first.")
        return float(self.values[self.names.index(name)])

    @property
    def undefined(self) -> tuple[str, ...]:
        """Names whose value is NaN."""
        return tuple(n for n, v in zip(self.names, self.values, strict=True) if np.isnan(v))

    def to_dict(self) -> Mapping[str, float]:
        """Name -> value."""
        return dict(zip(self.names, self.values.tolist(), strict=True))


def radiomics(
    volume: NDArray[np.floating],
    mask: NDArray[np.bool_],
    spacing_mm: tuple[float, float, float],
    settings: RadiomicsSettings | None = None,
) -> RadiomicsVector:
    """Every feature of one region.

    Parameters
    ----------
    volume : (Z, Y, X) float, finite inside the mask
    mask : (Z, Y, X) bool, at least one voxel; may be in several pieces, which are measured as one
    spacing_mm : (z, y, x), each > 0
    settings : default ``RadiomicsSettings()`` (bins of 25 units)

    Raises
    ------
    ContractError: shapes, dtype or spacing do not fit. InputError: empty mask, voxels that are not finite, or a minimum
    below ``bin_origin``. SettingsError: too many grey levels.

    References
    ----------
    Zwanenburg et al., Radiology 2020, 10.1148/radiol.2020191145 (IBSI 1) and its reference manual, arXiv 1612.07003.
    """
    settings = settings or RadiomicsSettings()
    check_region(volume, mask, spacing_mm)
    reach = PEAK_RADIUS_MM + (settings.resample_mm or 0.0)
    volume, mask = crop(volume, mask, int(np.ceil(reach / min(spacing_mm))) + 1)
    if settings.resample_mm is not None:
        # beyond the image, or in voxels no one measured, there is nothing to interpolate from
        volume, mask = resample(np.nan_to_num(volume), mask, spacing_mm, settings.resample_mm)
        spacing_mm = (settings.resample_mm,) * 3
    inside = without_outliers(volume, mask, settings.outlier_sd)
    intensities = volume[inside]
    levels, n_levels = discretise(intensities, settings)
    grid = level_grid(levels, inside, n_levels)
    found = {
        **morphology(volume, mask, inside, spacing_mm),
        **peaks(np.nan_to_num(volume), inside, spacing_mm),
        **statistics(intensities),
        **histogram(levels),
        **cooccurrence(grid, settings.aggregation),
        **run_lengths(grid, settings.aggregation),
        **zone_sizes(grid, settings.aggregation),
        **dependences(grid, settings.aggregation, settings.dependence_alpha),
        **tone_differences(grid, settings.aggregation),
    }
    names = tuple(found)
    card = RadiomicsCard("radiomics", VERSION, settings, names)
    return RadiomicsVector(names, np.array(list(found.values())), card, int(mask.sum()), int((mask & ~inside).sum()))


def encode_radiomics(
    series: ImagingSeries, segment: Segment, settings: RadiomicsSettings | None = None
) -> RadiomicsVector:
    """Radiomics of one segment of a series; the settings default to those of the series' unit.

    Features take the axes to be perpendicular, so a tilted stack is resampled first (encoders/right_angles.py).
    """
    settings = settings or SETTINGS_BY_UNIT[series.unit]
    upright = with_right_angles(replace(series, segments=(segment,)))
    series, segment = upright, upright.segments[0]
    return radiomics(series.volume, segment.mask.astype(bool), series.spacing_mm, settings)
