"""Feature by feature: what PyRadiomics calls it, and whether the two definitions agree.

Compared with the features' documentation (van Griethuysen et al., Cancer Res 2017, 10.1158/0008-5472.CAN-17-0339) and
with PyRadiomics' published baseline values (tests/encoders/test_radiomics.py reads this table).
What this module does not know: images. Resampling is not in the table: PyRadiomics interpolates by B-spline, here
it is trilinear, so vectors of resampled images differ in every feature.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from encoders.radiomics.cooccurrence import FEATURES as COOCCURRENCE
from encoders.radiomics.sizes import DEPENDENCE_FEATURES, RUN_FEATURES, ZONE_FEATURES

LEVELS = "GrayLevelNonUniformity GrayLevelNonUniformityNormalized"


@dataclass(frozen=True)
class Twin:
    """PyRadiomics' feature of the same kind.

    name : "class_Feature" as PyRadiomics prints it after "original_"
    difference : empty where the definitions agree, else what differs
    """

    name: str
    difference: str = ""


def _twins(prefix: str, ours: list[str], family: str, theirs: str) -> dict[str, Twin]:
    """One twin each, in order; "-" where PyRadiomics has none."""
    pairs = zip(ours, theirs.split(), strict=True)
    return {f"{prefix}_{name}": Twin(f"{family}_{other}") for name, other in pairs if other != "-"}


TWINS: Mapping[str, Twin] = {
    **_twins("morph", ["volume", "vol_approx"], "shape", "MeshVolume VoxelVolume"),
    **_twins("morph", ["area_mesh", "av"], "shape", "SurfaceArea SurfaceVolumeRatio"),
    **_twins("morph", ["sphericity", "diam"], "shape", "Sphericity Maximum3DDiameter"),
    **_twins("morph", ["pca_elongation", "pca_flatness"], "shape", "Elongation Flatness"),
    **{
        f"morph_pca_{ours}_axis": Twin(f"shape_{theirs}AxisLength", "covariance divided by V, in IBSI by V - 1")
        for ours, theirs in (("maj", "Major"), ("min", "Minor"), ("least", "Least"))
    },
    **_twins(
        "stat",
        ["mean", "var", "skew", "median", "min", "p10", "p90", "max", "iqr", "range", "mad", "rmad", "energy", "rms"],
        "firstorder",
        "Mean Variance Skewness Median Minimum 10Percentile 90Percentile Maximum InterquartileRange Range "
        "MeanAbsoluteDeviation RobustMeanAbsoluteDeviation Energy RootMeanSquared",
    ),
    "stat_kurt": Twin("firstorder_Kurtosis", "not excess kurtosis: 3 more than in IBSI"),
    **_twins("ih", ["entropy", "uniformity"], "firstorder", "Entropy Uniformity"),
    **_twins(
        "cm",
        COOCCURRENCE,
        "glcm",
        "MaximumProbability JointAverage SumSquares JointEntropy DifferenceAverage DifferenceVariance "
        "DifferenceEntropy SumAverage - SumEntropy JointEnergy Contrast - Id Idn Idm Idmn InverseVariance Correlation "
        "Autocorrelation ClusterTendency ClusterShade ClusterProminence Imc1 Imc2",
    ),
    **_twins(
        "rlm",
        RUN_FEATURES,
        "glrlm",
        "ShortRunEmphasis LongRunEmphasis LowGrayLevelRunEmphasis HighGrayLevelRunEmphasis "
        "ShortRunLowGrayLevelEmphasis ShortRunHighGrayLevelEmphasis LongRunLowGrayLevelEmphasis "
        f"LongRunHighGrayLevelEmphasis {LEVELS} RunLengthNonUniformity RunLengthNonUniformityNormalized "
        "RunPercentage GrayLevelVariance RunVariance RunEntropy",
    ),
    **_twins(
        "szm",
        ZONE_FEATURES,
        "glszm",
        "SmallAreaEmphasis LargeAreaEmphasis LowGrayLevelZoneEmphasis HighGrayLevelZoneEmphasis "
        "SmallAreaLowGrayLevelEmphasis SmallAreaHighGrayLevelEmphasis LargeAreaLowGrayLevelEmphasis "
        f"LargeAreaHighGrayLevelEmphasis {LEVELS} SizeZoneNonUniformity SizeZoneNonUniformityNormalized ZonePercentage "
        "GrayLevelVariance ZoneVariance ZoneEntropy",
    ),
    **_twins(
        "ngl",
        DEPENDENCE_FEATURES,
        "gldm",
        "SmallDependenceEmphasis LargeDependenceEmphasis LowGrayLevelEmphasis HighGrayLevelEmphasis "
        "SmallDependenceLowGrayLevelEmphasis SmallDependenceHighGrayLevelEmphasis LargeDependenceLowGrayLevelEmphasis "
        "LargeDependenceHighGrayLevelEmphasis GrayLevelNonUniformity - DependenceNonUniformity "
        "DependenceNonUniformityNormalized - GrayLevelVariance DependenceVariance DependenceEntropy -",
    ),
    **_twins(
        "ngt",
        ["coarseness", "contrast", "busyness", "complexity", "strength"],
        "ngtdm",
        "Coarseness Contrast Busyness Complexity Strength",
    ),
}
"""Our name -> PyRadiomics' feature. A feature of ours that is missing here has none."""

ONLY_IN_PYRADIOMICS: Mapping[str, str] = {
    "glcm_MCC": "maximal correlation coefficient; not in IBSI 1",
    "firstorder_TotalEnergy": "stat_energy times the voxel volume; not in IBSI 1",
    "shape_Maximum2DDiameterSlice": "not in IBSI 1; encoders.measure gives the RECIST diameters",
    "shape_Maximum2DDiameterColumn": "not in IBSI 1",
    "shape_Maximum2DDiameterRow": "not in IBSI 1",
}

SETTINGS_THAT_DIFFER: Mapping[str, str] = {
    "voxelArrayShift": "added to each intensity before Energy, TotalEnergy and RootMeanSquared; 0 here",
    "surface mesh": "PyRadiomics' half table treats a face with two diagonal corners one way or the other by where the "
    "cube's last corner lies; here the two are always joined. Seen: 0.08 % of area, 0.02 % of volume (brain1), none "
    "(breast1)",
}
"""What to set alike before comparing, and what cannot be."""

ONE_LEVEL: Mapping[str, float] = {
    "cm_corr": 1.0,
    "cm_info_corr1": 0.0,
    "ngt_coarseness": 1e6,
    "ngt_contrast": 0.0,
    "ngt_busyness": 0.0,
    "ngt_complexity": 0.0,
    "ngt_strength": 0.0,
}
"""Figures PyRadiomics gives by convention to a region of one grey level; here they are NaN."""
