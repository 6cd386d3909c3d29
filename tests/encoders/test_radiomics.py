"""Radiomics against PyRadiomics' published values, by hand, and by properties."""

from __future__ import annotations

import csv
import gzip
import math
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from encoders.errors import ContractError, InputError, SettingsError
from encoders.patient import ImagingModality, ImagingSeries, IntensityUnit, Segment, SourceLocator
from encoders.radiomics import Aggregation, RadiomicsSettings, encode_radiomics, radiomics
from encoders.radiomics.pyradiomics_names import ONE_LEVEL, ONLY_IN_PYRADIOMICS, TWINS
from encoders.radiomics.region import discretise
from encoders.radiomics.surface_mesh import triangles, volume_mm3

OPEN = Path(__file__).parents[3] / "shared/data/open/radiology/pyradiomics"
needs_data = pytest.mark.skipif(
    not OPEN.is_dir(), reason="shared/data/open/radiology/pyradiomics is not on this machine"
)
SPACING = {"brain1": (6.5, 0.78125, 0.78125), "breast1": (2.1, 0.664062, 0.664062)}
KINDS = ("shape", "firstorder", "glcm", "glrlm", "glszm", "gldm", "ngtdm")
PLAIN = RadiomicsSettings(bin_width=25.0)


@cache
def published(column: str) -> dict[str, float]:
    """PyRadiomics' value of each feature in one column of its baseline tables."""
    found = {}
    for kind in KINDS:
        with (OPEN / f"baseline/baseline_{kind}.csv").open() as handle:
            for row in csv.DictReader(handle):
                if row["featureName"].startswith("original_") and row.get(column):
                    found[row["featureName"].removeprefix("original_")] = float(row[column])
    return found


@cache
def nrrd(name: str) -> np.ndarray:
    """(Z, Y, X) of a gzip NRRD file."""
    header, data = (OPEN / name).read_bytes().split(b"\n\n", 1)
    fields = dict(line.split(": ", 1) for line in header.decode().splitlines() if ": " in line and line[0] != "#")
    dtype = {"int": "<i4", "short": "<i2", "unsigned short": "<u2"}[fields["type"]]
    sizes = [int(n) for n in fields["sizes"].split()]
    return np.frombuffer(gzip.decompress(data), dtype).reshape(sizes[::-1])


def of_case(case: str, settings: RadiomicsSettings, *, shift: float = 0.0):
    image = nrrd(f"{case}_image.nrrd").astype(np.float64) + shift
    return radiomics(image, nrrd(f"{case}_label.nrrd") == 1, SPACING[case], settings)


def agreeing(vector, column: str, *, without: tuple[str, ...] = ()) -> list[str]:
    """Features compared with a column, after failing on any that is off by more than 1e-3 relative."""
    values = published(column)
    pairs = {n: (vector[n], values[t.name]) for n, t in TWINS.items() if not t.difference and t.name in values}
    pairs = {n: p for n, p in pairs.items() if n not in without}
    off = {n: p for n, p in pairs.items() if not math.isclose(*p, rel_tol=1e-3)}
    assert not off
    return list(pairs)


@needs_data
@pytest.mark.parametrize("case", SPACING)
def test_features_defined_alike_equal_the_published_values(case):
    compared = agreeing(of_case(case, PLAIN), case, without=("stat_energy", "stat_rms"))
    assert len(compared) == 96


@needs_data
@pytest.mark.parametrize("case", SPACING)
def test_energy_equals_the_published_value_after_its_shift_of_2000(case):
    vector, values = of_case(case, PLAIN, shift=2000.0), published(case)
    assert vector["stat_energy"] == pytest.approx(values["firstorder_Energy"], rel=1e-6)
    assert vector["stat_rms"] == pytest.approx(values["firstorder_RootMeanSquared"], rel=1e-6)


@needs_data
@pytest.mark.parametrize("case", SPACING)
def test_named_differences_are_what_they_are_said_to_be(case):
    vector, values = of_case(case, PLAIN), published(case)
    assert vector["stat_kurt"] + 3 == pytest.approx(values["firstorder_Kurtosis"], rel=1e-6)
    for name in ("morph_pca_maj_axis", "morph_pca_min_axis", "morph_pca_least_axis"):
        population = vector[name] * math.sqrt((vector.voxels - 1) / vector.voxels)
        assert population == pytest.approx(values[TWINS[name].name], rel=1e-6)
    assert {n for n, t in TWINS.items() if t.difference} == {
        "stat_kurt",
        "morph_pca_maj_axis",
        "morph_pca_min_axis",
        "morph_pca_least_axis",
    }


@needs_data
@pytest.mark.parametrize("case", SPACING)
@pytest.mark.parametrize(
    ("column", "settings"),
    [
        ("2d", RadiomicsSettings(bin_width=25.0, aggregation=Aggregation.SLICES_AVERAGED)),
        ("FBN", RadiomicsSettings(bin_width=None, bin_count=64)),
        ("resegmentation", RadiomicsSettings(bin_width=25.0, outlier_sd=3.0)),
    ],
)
def test_other_settings_equal_the_published_values(case, column, settings):
    assert len(agreeing(of_case(case, settings), f"{case}_{column}")) >= 65


@needs_data
@pytest.mark.parametrize("case", SPACING)
def test_one_grey_level_is_nan_where_pyradiomics_has_a_convention(case):
    """The baseline's flat region: bins so wide that there is one."""
    vector, values = of_case(case, RadiomicsSettings(bin_width=5000.0)), published(f"{case}_flatRegion")
    assert set(vector.undefined) == set(ONE_LEVEL)
    assert {n: values[TWINS[n].name] for n in ONE_LEVEL} == pytest.approx(ONE_LEVEL, abs=1e-12)
    for name, twin in TWINS.items():
        if twin.name in values and name not in ONE_LEVEL:
            assert vector[name] == pytest.approx(values[twin.name], rel=1e-3, abs=1e-9), name


@needs_data
def test_every_feature_of_the_baseline_is_in_one_of_the_two_tables():
    names = {t.name for t in TWINS.values()} | set(ONLY_IN_PYRADIOMICS)
    assert set(published("brain1")) == names


def ball(radius: int) -> np.ndarray:
    z, y, x = np.mgrid[-radius : radius + 1, -radius : radius + 1, -radius : radius + 1]
    return z**2 + y**2 + x**2 <= radius**2


def noise(shape, seed=3) -> np.ndarray:
    return np.random.default_rng(seed).normal(100, 60, shape)


def test_mesh_of_one_voxel_is_an_octahedron_with_vertices_half_a_voxel_out():
    mesh = triangles(np.ones((1, 1, 1), bool), (2.0, 3.0, 4.0))
    assert len(mesh) == 8
    assert volume_mm3(mesh) == pytest.approx(2 * 3 * 4 / 6)


@pytest.mark.parametrize("seed", range(3))
def test_mesh_of_any_mask_is_closed_and_turned_one_way(seed):
    """Each edge is walked as often one way as the other: no hole, no triangle turned over."""
    mesh = triangles(np.random.default_rng(seed).random((7, 8, 9)) < 0.5, (1.0, 1.0, 1.0))
    walked: dict[tuple, int] = {}
    for corners in map(lambda t: [tuple(v) for v in t], mesh.tolist()):
        for a, b in zip(corners, corners[1:] + corners[:1], strict=True):
            walked[a, b] = walked.get((a, b), 0) + 1
    assert all(walked.get((b, a)) == n for (a, b), n in walked.items())


def test_voxels_that_touch_by_an_edge_are_one_piece_of_mesh():
    apart = volume_mm3(triangles(np.ones((1, 1, 1), bool), (1.0, 1.0, 1.0)))
    touching = volume_mm3(triangles(np.array([[[True, False], [False, True]]]), (1.0, 1.0, 1.0)))
    assert touching > 2 * apart


def test_a_ball_is_nearly_a_sphere_of_its_size():
    mask = ball(12)
    vector = radiomics(noise(mask.shape), mask, (1.0, 1.0, 1.0))
    assert vector["morph_volume"] == pytest.approx(4 / 3 * math.pi * 12**3, rel=0.03)
    assert vector["morph_diam"] == pytest.approx(25, abs=0.1)
    assert 0.9 < vector["morph_sphericity"] < 1
    assert vector["morph_pca_elongation"] == pytest.approx(1) == vector["morph_pca_flatness"]


def test_two_voxels_by_hand():
    """Levels 1 and 3, side by side along X, 1 x 1 x 2 mm."""
    volume = np.array([[[0.0, 50.0]]])
    vector = radiomics(volume, np.ones((1, 1, 2), bool), (1.0, 1.0, 2.0))
    assert (vector["stat_mean"], vector["stat_var"], vector["stat_kurt"]) == (25, 625, -2)
    assert (vector["ih_entropy"], vector["ih_uniformity"]) == (1, 0.5)
    assert (vector["cm_contrast"], vector["cm_joint_max"], vector["cm_joint_entr"]) == (4, 0.5, 1)
    assert vector["cm_corr"] == -1
    assert (vector["rlm_sre"], vector["rlm_r_perc"], vector["rlm_hgre"]) == (1, 1, 5)
    assert (vector["szm_glnu"], vector["szm_z_perc"], vector["ngl_lde"]) == (1, 1, 1)
    assert vector["ngt_contrast"] == pytest.approx((0.25 * 4 * 2) / 2 * (2 + 2) / 2)
    assert vector["morph_vol_approx"] == 4
    assert vector["morph_pca_maj_axis"] == pytest.approx(4 * math.sqrt(2))


def test_one_voxel_gives_nan_by_name_and_no_warning():
    vector = radiomics(np.array([[[7.0]]]), np.ones((1, 1, 1), bool), (1.0, 1.0, 1.0))
    assert {"stat_skew", "stat_kurt", "cm_contrast", "ngt_coarseness", "morph_pca_elongation"} <= set(vector.undefined)
    assert np.isfinite([vector["stat_mean"], vector["morph_volume"], vector["rlm_sre"], vector["szm_zs_entr"]]).all()


@pytest.mark.parametrize("turn", [(1, 2), (0, 2), (0, 1)])
def test_turning_the_region_by_a_right_angle_changes_nothing(turn):
    mask = noise((5, 6, 7), seed=1) > 90
    volume = np.abs(noise(mask.shape))
    before = radiomics(volume, mask, (1.0, 1.0, 1.0))
    after = radiomics(np.rot90(volume, axes=turn), np.rot90(mask, axes=turn), (1.0, 1.0, 1.0))
    assert after.to_dict() == pytest.approx(before.to_dict(), rel=1e-6, nan_ok=True)


def test_what_lies_outside_the_mask_changes_only_the_peaks():
    mask = np.zeros((6, 8, 8), bool)
    mask[1:5, 2:6, 2:7] = True
    volume = np.abs(noise(mask.shape))
    other = np.where(mask, volume, 1e4)
    a, b = (radiomics(v, mask, (2.0, 1.0, 1.0)).to_dict() for v in (volume, other))
    assert {n for n in a if a[n] != pytest.approx(b[n], nan_ok=True)} == {"loc_peak_loc", "loc_peak_glob"}


def test_resampling_keeps_the_volume_and_equals_a_grid_already_of_that_size():
    mask = np.pad(ball(8), 2)
    volume = noise(mask.shape)
    coarse = RadiomicsSettings(resample_mm=1.0)
    same = radiomics(volume, mask, (1.0, 1.0, 1.0), coarse)
    assert same.to_dict() == pytest.approx(radiomics(volume, mask, (1.0, 1.0, 1.0)).to_dict(), rel=1e-6, nan_ok=True)
    stretched = radiomics(volume, mask, (2.0, 1.0, 1.0), coarse)
    assert stretched["morph_volume"] == pytest.approx(2 * same["morph_volume"], rel=0.05)


def test_bins_start_at_the_multiple_below_the_minimum_or_where_they_are_told():
    values = np.array([-30.0, -25.0, 0.0, 24.9, 25.0])
    assert discretise(values, PLAIN)[0].tolist() == [1, 2, 3, 3, 4]
    assert discretise(values, RadiomicsSettings(bin_origin=-100.0))[0].tolist() == [3, 4, 5, 5, 6]
    assert discretise(values, RadiomicsSettings(bin_width=None, bin_count=2))[0].tolist() == [1, 1, 2, 2, 2]
    assert discretise(np.array([0.3, 0.6, 0.7]), RadiomicsSettings(bin_width=0.1))[0].tolist() == [1, 4, 5]


def test_card_hash_tells_settings_apart_and_repeats():
    mask, volume = ball(2), noise((5, 5, 5))
    first, again = (radiomics(volume, mask, (1.0, 1.0, 1.0)).card for _ in range(2))
    other = radiomics(volume, mask, (1.0, 1.0, 1.0), RadiomicsSettings(bin_width=10.0)).card
    assert first.version_hash == again.version_hash != other.version_hash
    assert first.name == "radiomics" and first.settings.bin_width == 25.0


@pytest.mark.parametrize(
    ("unit", "width", "count"),
    [(IntensityUnit.HU, 25.0, None), (IntensityUnit.SUVBW, 0.5, None), (IntensityUnit.ARBITRARY, None, 32)],
)
def test_a_series_is_binned_by_its_unit(unit, width, count):
    where = SourceLocator("image")
    mask = ball(3)
    volume = np.abs(noise(mask.shape) / 20).astype(np.float32)
    segment = Segment("lesion", mask, where)
    series = ImagingSeries(
        ImagingModality.CT, "1.2", None, volume, unit, (1.0, 1.0, 1.0), np.eye(4), where, segments=(segment,)
    )
    settings = encode_radiomics(series, segment).card.settings
    assert (settings.bin_width, settings.bin_count) == (width, count)


class TestFailures:
    def test_empty_mask(self):
        with pytest.raises(InputError, match="mask is empty"):
            radiomics(np.ones((2, 2, 2)), np.zeros((2, 2, 2), bool), (1.0, 1.0, 1.0))

    def test_voxels_that_are_not_finite(self):
        volume = np.ones((2, 2, 2))
        volume[0, 0, 0] = np.nan
        with pytest.raises(InputError, match="1 voxels of the region are not finite"):
            radiomics(volume, np.ones((2, 2, 2), bool), (1.0, 1.0, 1.0))

    def test_shapes_that_do_not_fit(self):
        with pytest.raises(ContractError, match="both must be the same"):
            radiomics(np.ones((2, 2, 2)), np.ones((2, 2, 3), bool), (1.0, 1.0, 1.0))

    def test_a_label_image_for_a_mask(self):
        with pytest.raises(ContractError, match="compare with the label first"):
            radiomics(np.ones((2, 2, 2)), np.ones((2, 2, 2), np.uint8), (1.0, 1.0, 1.0))

    def test_both_ways_of_binning(self):
        with pytest.raises(SettingsError, match="exactly one"):
            RadiomicsSettings(bin_width=25.0, bin_count=32)

    def test_too_many_levels(self):
        with pytest.raises(SettingsError, match="use a wider bin"):
            radiomics(np.arange(8.0).reshape(2, 2, 2), np.ones((2, 2, 2), bool), (1.0,) * 3, RadiomicsSettings(1e-3))

    def test_a_minimum_below_the_first_bin(self):
        with pytest.raises(InputError, match="below bin_origin"):
            radiomics(np.full((1, 1, 2), -5.0), np.ones((1, 1, 2), bool), (1.0,) * 3, RadiomicsSettings(bin_origin=0.0))

    def test_a_region_too_small_for_the_new_grid(self):
        mask = np.zeros((4, 4, 4), bool)
        mask[0, 0, 0] = True
        with pytest.raises(InputError, match="no voxel is left after resampling"):
            radiomics(np.ones((4, 4, 4)), mask, (1.0, 1.0, 1.0), RadiomicsSettings(resample_mm=4.0))

    def test_a_feature_there_is_not(self):
        with pytest.raises(ContractError, match="no radiomics feature 'stat_men'"):
            radiomics(np.ones((1, 1, 1)), np.ones((1, 1, 1), bool), (1.0, 1.0, 1.0))["stat_men"]
