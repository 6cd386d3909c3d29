"""What a radiomics vector was made with: discretisation, resampling, aggregation, and the hash that names all of it.

What this module does not know: images, features' formulas.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from enum import StrEnum

from encoders.errors import SettingsError
from encoders.patient import IntensityUnit

VERSION = "1"
"""Raised whenever a formula changes, so that vectors of two definitions are never compared."""

MAX_LEVELS = 1024
"""More grey levels than this make co-occurrence matrices that say nothing and fill the memory."""


class Aggregation(StrEnum):
    """How the matrices of the directions become one figure; the values are the IBSI tables' own suffixes."""

    VOLUME_AVERAGED = "3D_avg"
    VOLUME_MERGED = "3D_comb"
    SLICES_AVERAGED = "2_5D_avg"
    SLICES_MERGED = "2_5D_comb"

    @property
    def planar(self) -> bool:
        """Neighbours are looked for within a slice only."""
        return self in (Aggregation.SLICES_AVERAGED, Aggregation.SLICES_MERGED)

    @property
    def merged(self) -> bool:
        """The directions share one matrix (else each has its own and the features are averaged)."""
        return self in (Aggregation.VOLUME_MERGED, Aggregation.SLICES_MERGED)


@dataclass(frozen=True)
class RadiomicsSettings:
    """Settings of one extraction; exactly one of ``bin_width`` and ``bin_count`` is set.

    bin_width : fixed bin size in the unit of the image (HU, SUVbw): for intensities with a meaning
    bin_count : fixed bin number between the minimum and maximum of the region: for arbitrary intensities (MR)
    bin_origin : lower edge of grey level 1 with ``bin_width``; None = the multiple of the bin width at or below the
        region's minimum
    resample_mm : edge of the isotropic voxels the image is brought to (trilinear); None = its own grid
    aggregation : see ``Aggregation``
    dependence_alpha : largest difference of grey levels that still counts as dependent (NGLDM)
    outlier_sd : intensities further than this many standard deviations from the mean leave the intensity mask (the
        shape keeps them); None = none leave
    """

    bin_width: float | None = 25.0
    bin_count: int | None = None
    bin_origin: float | None = None
    resample_mm: float | None = None
    aggregation: Aggregation = Aggregation.VOLUME_AVERAGED
    dependence_alpha: int = 0
    outlier_sd: float | None = None

    def __post_init__(self) -> None:
        if (self.bin_width is None) == (self.bin_count is None):
            raise SettingsError(
                f"bin_width = {self.bin_width} and bin_count = {self.bin_count}; set exactly one of them."
            )
        for name in ("bin_width", "bin_count", "resample_mm", "outlier_sd"):
            value = getattr(self, name)
            if value is not None and not value > 0:
                raise SettingsError(f"{name} = {value}; it must be above 0.")
        if self.bin_count is not None and self.bin_count > MAX_LEVELS:
            raise SettingsError(f"bin_count = {self.bin_count}; at most {MAX_LEVELS} grey levels are allowed.")
        if self.bin_origin is not None and self.bin_width is None:
            raise SettingsError("bin_origin is set without bin_width; it has no meaning with bin_count.")
        if self.dependence_alpha < 0:
            raise SettingsError(f"dependence_alpha = {self.dependence_alpha}; it must be 0 or more.")


SETTINGS_BY_UNIT: Mapping[IntensityUnit, RadiomicsSettings] = {
    IntensityUnit.HU: RadiomicsSettings(bin_width=25.0),
    IntensityUnit.SUVBW: RadiomicsSettings(bin_width=0.5, bin_origin=0.0),
    IntensityUnit.ARBITRARY: RadiomicsSettings(bin_width=None, bin_count=32),
}
"""Starting point per unit: fixed bins where the unit has a meaning, a fixed number where it has none.

25 HU is the value of IBSI 1 configuration C; 0.5 SUV from Leijenaar et al., Sci Rep 2015, 10.1038/srep11075.
"""


@dataclass(frozen=True)
class RadiomicsCard:
    """Names the encoder that made a vector: equal ``version_hash`` = the same features by the same definitions."""

    name: str
    version: str
    settings: RadiomicsSettings
    features: tuple[str, ...]
    reference: str = "IBSI 1: Zwanenburg et al., Radiology 2020, 10.1148/radiol.2020191145"

    @property
    def version_hash(self) -> str:
        """SHA-256 over version, settings and feature names (first 16 hexadecimal digits)."""
        content = {"name": self.name, "version": self.version, "features": self.features} | asdict(self.settings)
        return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:16]
