"""Every feature against the consensus values of the IBSI 1 digital phantom, in four aggregations.

Origin of the phantom and the values: IBSI 1 (Zwanenburg et al., Radiology 2020, 10.1148/radiol.2020191145), reference
manual and its table of consensus values with tolerances.
"""

from __future__ import annotations

import numpy as np
import pytest

from encoders.radiomics import Aggregation, RadiomicsSettings, radiomics
from encoders.radiomics.cooccurrence import FEATURES as COOCCURRENCE
from encoders.radiomics.sizes import DEPENDENCE_FEATURES, RUN_FEATURES, ZONE_FEATURES

PHANTOM = """
14411 14611 41641 44641
14411 11611 x1311 44611
144xx 11111 11911 11611
144xx 11111 11111 11611
"""
"""Four slices of four rows of five voxels of 2 mm. Outside the region: the 9, and x, which is 1 in the image."""

ROWS = [line.split() for line in PHANTOM.strip().splitlines()]
MASK = np.array([[[c not in "x9" for c in row] for row in line] for line in ROWS])
IMAGE = np.array([[[1.0 if c == "x" else float(c) for c in row] for row in line] for line in ROWS])

MORPHOLOGY = {
    "volume": (556, 4),
    "vol_approx": (592, 4),
    "area_mesh": (388, 3),
    "av": (0.698, 0.004),
    "comp_1": (0.0411, 0.0003),
    "comp_2": (0.599, 0.004),
    "sph_dispr": (1.19, 0.01),
    "sphericity": (0.843, 0.005),
    "asphericity": (0.186, 0.001),
    "com": (0.672, 0.004),
    "diam": (13.1, 0.1),
    "pca_maj_axis": (11.4, 0.1),
    "pca_min_axis": (9.31, 0.06),
    "pca_least_axis": (8.54, 0.05),
    "pca_elongation": (0.816, 0.005),
    "pca_flatness": (0.749, 0.005),
}
"""Value and tolerance as published."""

STATISTICS = [
    "mean",
    "var",
    "skew",
    "kurt",
    "median",
    "min",
    "p10",
    "p90",
    "max",
    "iqr",
    "range",
    "mad",
    "rmad",
    "medad",
    "cov",
    "qcod",
    "energy",
    "rms",
]
STATISTICS_VALUES = "2.15 3.05 1.08 -0.355 1 1 1 4 6 3 5 1.55 1.11 1.15 0.812 0.6 567 2.77"
TONE = ["coarseness", "contrast", "busyness", "complexity", "strength"]

COOCCURRENCE_VALUES = {
    "3D_avg": "0.503 2.14 3.1 2.4 1.43 3.06 1.56 4.29 7.07 1.92 0.303 5.32 1.43 0.677 0.851 0.618 0.898 0.0604 0.157 "
    "5.06 7.07 16.6 145 -0.157 0.52",
    "3D_comb": "0.509 2.15 3.13 2.57 1.38 3.21 1.64 4.3 7.41 2.11 0.291 5.12 1.38 0.688 0.856 0.631 0.902 0.0574 0.183 "
    "5.19 7.41 17.4 147 -0.0288 0.269",
    "2_5D_avg": "0.489 2.2 3.22 2.48 1.46 3.11 1.61 4.41 7.48 2.01 0.286 5.39 1.46 0.668 0.847 0.606 0.897 0.0597 "
    "0.178 5.4 7.48 16.6 147 -0.124 0.487",
    "2_5D_comb": "0.492 2.2 3.24 2.61 1.44 3.23 1.67 4.41 7.65 2.14 0.277 5.29 1.44 0.673 0.85 0.613 0.899 0.0582 "
    "0.182 5.45 7.65 16.4 142 -0.0334 0.291",
}
RUN_VALUES = {
    "3D_avg": "0.705 3.06 0.603 9.7 0.352 8.54 2.39 17.6 21.8 0.43 26.9 0.513 0.68 3.46 0.574 2.43",
    "3D_comb": "0.729 2.76 0.607 9.64 0.372 8.67 2.16 15.6 281 0.43 328 0.501 0.68 3.48 0.598 2.62",
    "2_5D_avg": "0.665 3.46 0.58 10.3 0.296 9.03 2.79 17.9 19.5 0.413 22.3 0.461 0.632 3.58 0.758 2.52",
    "2_5D_comb": "0.68 3.27 0.585 10.2 0.312 9.05 2.63 17 77.1 0.412 83.2 0.445 0.632 3.59 0.767 2.76",
}
BY_NEIGHBOURHOOD = {
    "3D": {
        "szm": "0.255 550 0.253 15.6 0.0256 2.76 503 1490 1.4 0.28 1 0.2 0.0676 2.64 331 2.32",
        "ngl": "0.045 109 0.693 7.66 0.00963 0.736 102 235 37.9 0.512 4.86 0.0657 1 3.05 22.1 4.4 0.0533",
        "ngt": "0.0296 0.584 6.54 13.5 0.763",
    },
    "2_5D": {
        "szm": "0.368 34.2 0.368 16.2 0.0295 9.87 30.6 107 5.44 0.302 3.44 0.191 0.243 3.92 17.3 3.08",
        "ngl": "0.159 18.8 0.693 7.66 0.0477 3.07 17.2 50.8 37.9 0.512 12.4 0.167 1 3.05 3.27 3.36 0.122",
        "ngt": "0.0285 0.601 6.8 14.1 0.741",
    },
}
"""Published to three significant digits, tolerance 0."""


def rounded_alike(value: float, published: str) -> bool:
    """``value`` is the published figure within half a unit (and a hair) of its third significant digit."""
    figure = float(published)
    return abs(value - figure) <= 0.51 * 10.0 ** (np.floor(np.log10(abs(figure))) - 2)


def settings(aggregation=Aggregation.VOLUME_AVERAGED):
    return RadiomicsSettings(bin_width=1.0, aggregation=aggregation)


@pytest.fixture(scope="module", params=list(Aggregation), ids=lambda a: a.value)
def vector(request):
    return radiomics(IMAGE, MASK, (2.0, 2.0, 2.0), settings(request.param))


def expected(aggregation: Aggregation) -> dict[str, str]:
    nearby = BY_NEIGHBOURHOOD["2_5D" if aggregation.planar else "3D"]
    families = (
        ("stat", STATISTICS, STATISTICS_VALUES),
        ("ih", ["mode", "entropy", "uniformity"], "1 1.27 0.512"),
        ("cm", COOCCURRENCE, COOCCURRENCE_VALUES[aggregation.value]),
        ("rlm", RUN_FEATURES, RUN_VALUES[aggregation.value]),
        ("szm", ZONE_FEATURES, nearby["szm"]),
        ("ngl", DEPENDENCE_FEATURES, nearby["ngl"]),
        ("ngt", TONE, nearby["ngt"]),
    )
    return {
        f"{family}_{name}": value
        for family, names, values in families
        for name, value in zip(names, values.split(), strict=True)
    }


def test_phantom_is_the_published_one():
    assert (IMAGE.shape, MASK.sum(), IMAGE[MASK].sum()) == ((4, 4, 5), 74, 159)


def test_intensity_and_texture_have_the_consensus_values(vector):
    wanted = expected(vector.card.settings.aggregation)
    off = {n: (vector[n], v) for n, v in wanted.items() if not rounded_alike(vector[n], v)}
    assert not off


def test_shape_has_the_consensus_values_within_their_tolerance(vector):
    off = {n: vector[f"morph_{n}"] for n, (v, t) in MORPHOLOGY.items() if abs(vector[f"morph_{n}"] - v) > t}
    assert not off


def test_peaks_have_the_consensus_values_published_to_two_digits(vector):
    assert vector["loc_peak_loc"] == pytest.approx(2.6, abs=0.05)
    assert vector["loc_peak_glob"] == pytest.approx(3.1, abs=0.05)


def test_every_feature_given_has_a_consensus_value(vector):
    wanted = {*expected(vector.card.settings.aggregation), *(f"morph_{n}" for n in MORPHOLOGY)}
    assert set(vector.names) == wanted | {"loc_peak_loc", "loc_peak_glob"}
