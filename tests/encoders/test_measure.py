"""Measurements of shapes whose size is known."""

from __future__ import annotations

import csv
import gzip
import math
from pathlib import Path

import numpy as np
import pytest

from encoders.errors import InputError
from encoders.lesion_change import LesionTrend, lesion_change
from encoders.lesion_intensity import lesion_intensity
from encoders.lesion_size import diameters, recist_diameters
from encoders.measure import measure_patient, measure_segment
from encoders.patient import ImagingModality, ImagingSeries, IntensityUnit, Patient, Segment, SourceLocator

WHERE = SourceLocator("ct")


def series(mask, *, spacing=(3.0, 2.0, 1.0), affine=None, volume=None, unit=IntensityUnit.HU):
    z, y, x = spacing
    affine = np.diag([x, y, z, 1.0]) if affine is None else affine
    volume = np.ones(mask.shape, np.float32) if volume is None else volume
    segment = Segment("Lesion", mask, WHERE, proposed=True)
    return ImagingSeries(ImagingModality.CT, "1.2", None, volume, unit, spacing, affine, WHERE, segments=(segment,))


def test_one_row_of_pixels_measures_count_times_spacing():
    mask = np.zeros((9, 9), bool)
    mask[4, 2:7] = True
    longest, short = diameters(mask, (2.0, 1.5))
    assert longest == pytest.approx(5 * 1.5)
    assert short == pytest.approx(2.0)


def test_ellipse_has_its_two_axes():
    y, x = np.mgrid[-30:31, -30:31]
    mask = (x / 24) ** 2 + (y / 10) ** 2 <= 1
    longest, short = diameters(mask, (1.0, 1.0))
    assert longest == pytest.approx(48, abs=1.5)
    assert short == pytest.approx(20, abs=1.5)


def test_turning_the_ellipse_keeps_its_axes():
    y, x = np.mgrid[-40:41, -40:41]
    u, v = (x + y) / math.sqrt(2), (x - y) / math.sqrt(2)
    longest, short = diameters((u / 24) ** 2 + (v / 10) ** 2 <= 1, (1.0, 1.0))
    assert longest == pytest.approx(48, abs=1.5)
    assert short == pytest.approx(20, abs=1.8)


def test_box_by_hand():
    mask = np.zeros((6, 10, 20), bool)
    mask[2, 3:5, 4:8] = True
    mask[3, 3:6, 4:10] = True
    volume = np.zeros(mask.shape, np.float32)
    volume[mask] = 10
    volume[3, 3, 4] = 36
    got = measure_segment(series(mask, volume=volume), series(mask).segments[0])
    assert got.volume_ml == pytest.approx((8 + 18) * 6 / 1000)
    assert got.key_slice == 3
    assert got.mean_intensity == pytest.approx(11)
    assert (got.max_intensity, got.intensity_unit, got.proposed, got.note) == (36, "HU", True, "")
    assert got.longest_axial_diameter_mm == pytest.approx(math.hypot(5, 6), abs=1.2)


def test_sagittal_slices_are_said_not_to_be_axial():
    mask = np.ones((2, 3, 3), bool)
    sagittal = np.array([[0, 0, 3.0, 0], [1, 0, 0, 0], [0, -2.0, 0, 0], [0, 0, 0, 1]])
    got = measure_segment(series(mask, affine=sagittal), series(mask).segments[0])
    assert "not axial" in got.note


def test_empty_segments_are_left_out():
    assert measure_patient(Patient("p", imaging=(series(np.zeros((2, 3, 3), bool)),))) == ()


def ellipsoid(axes_mm, spacing):
    """Voxels whose centres lie in an ellipsoid of half axes (z, y, x) in mm, centred between no voxels."""
    half = [math.ceil(a / s) + 1 for a, s in zip(axes_mm, spacing, strict=True)]
    grid = np.meshgrid(*(np.arange(-h, h + 1) * s for h, s in zip(half, spacing, strict=True)), indexing="ij")
    return sum((g / a) ** 2 for g, a in zip(grid, axes_mm, strict=True)) <= 1


def turned(degrees, spacing):
    """Affine of slices tipped by ``degrees`` about the patient's left-right axis."""
    c, s = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    z, y, x = spacing
    return np.array([[x, 0, 0, 0], [0, y * c, -z * s, 0], [0, y * s, z * c, 0], [0, 0, 0, 1.0]])


@pytest.mark.parametrize("spacing", [(1.0, 1.0, 1.0), (5.0, 0.7, 0.7), (3.0, 0.5, 1.0)])
def test_ellipsoid_of_known_axes_on_any_grid(spacing):
    mask = ellipsoid((15.0, 10.0, 20.0), spacing)
    one = series(mask, spacing=spacing)
    got = recist_diameters(one, one.segments[0])
    assert got.longest_mm == pytest.approx(40, abs=1.5 * max(spacing[1:]))
    assert got.short_axis_mm == pytest.approx(20, abs=2 * max(spacing[1:]))
    assert got.slice_index == mask.shape[0] // 2
    volume_ml = measure_segment(one, one.segments[0]).volume_ml
    # seven slices of 5 mm cut an ellipsoid of 30 mm to within 3 %
    assert volume_ml == pytest.approx(4 / 3 * math.pi * 15 * 10 * 20 / 1000, rel=0.03)


def test_tipped_slices_keep_in_plane_sizes_until_they_are_not_axial():
    spacing = (2.0, 1.0, 1.0)
    mask = ellipsoid((10.0, 8.0, 16.0), spacing)
    straight, tipped, upright = (series(mask, spacing=spacing, affine=turned(d, spacing)) for d in (0, 20, 60))
    segment = straight.segments[0]
    assert recist_diameters(tipped, segment) == recist_diameters(straight, segment)
    assert measure_segment(tipped, segment).note == ""
    assert "not axial" in measure_segment(upright, segment).note
    with pytest.raises(InputError, match="slices are not axial"):
        recist_diameters(upright, segment)


def test_longest_slice_need_not_be_the_largest():
    mask = np.zeros((3, 12, 12), bool)
    mask[0, 2:8, 2:8] = True
    mask[2, 5, 1:11] = True
    one = series(mask, spacing=(1.0, 1.0, 1.0))
    got = recist_diameters(one, one.segments[0])
    assert (got.longest_mm, got.short_axis_mm, got.slice_index) == (pytest.approx(10), pytest.approx(1), 2)
    measured = measure_segment(one, one.segments[0])
    assert (measured.longest_axial_diameter_mm, measured.key_slice) == (pytest.approx(10), 2)


def test_nothing_to_measure_in_an_empty_mask():
    one = series(np.zeros((2, 3, 3), bool))
    assert recist_diameters(one, one.segments[0]) is None
    assert lesion_intensity(one, one.segments[0]) is None


def test_percentiles_of_eleven_voxels_by_hand():
    mask = np.ones((1, 1, 11), bool)
    volume = np.arange(0.0, 110.0, 10.0, dtype=np.float32).reshape(mask.shape)
    one = series(mask, volume=volume)
    got = lesion_intensity(one, one.segments[0])
    assert (got.mean, got.p10, got.p90, got.maximum) == (50, 10, 90, 100)
    assert (got.unit, got.suv_peak) == (IntensityUnit.HU, None)


def test_suv_peak_of_a_hot_voxel_is_its_share_of_the_sphere():
    """Voxels of 5 mm: the centre and its six neighbours lie within 6.2 mm, the edge neighbours (7.1 mm) do not."""
    mask = np.zeros((7, 7, 7), bool)
    mask[3, 3, 3] = True
    volume = np.zeros(mask.shape, np.float32)
    volume[3, 3, 3] = 14.0
    one = series(mask, spacing=(5.0, 5.0, 5.0), volume=volume, unit=IntensityUnit.SUVBW)
    got = lesion_intensity(one, one.segments[0])
    assert (got.maximum, got.suv_peak) == (14, pytest.approx(2))


def test_suv_peak_is_the_hottest_sphere_not_the_one_at_the_maximum():
    mask = np.zeros((5, 5, 13), bool)
    mask[2, 2, 2:11] = True
    volume = np.zeros(mask.shape, np.float32)
    volume[2, 2, 2] = 10.0
    volume[1:4, 1:4, 8:11] = 6.0
    one = series(mask, spacing=(5.0, 5.0, 5.0), volume=volume, unit=IntensityUnit.SUVBW)
    assert lesion_intensity(one, one.segments[0]).suv_peak == pytest.approx(6)


def test_suv_peak_of_even_uptake_is_that_uptake_up_to_the_image_border():
    mask = np.ones((3, 4, 4), bool)
    one = series(mask, spacing=(3.0, 2.0, 2.0), volume=np.full(mask.shape, 4, np.float32), unit=IntensityUnit.SUVBW)
    assert lesion_intensity(one, one.segments[0]).suv_peak == pytest.approx(4)


@pytest.mark.parametrize(
    ("before", "now", "trend"),
    [
        (50.0, 35.0, LesionTrend.SHRUNK),
        (50.0, 35.1, LesionTrend.STABLE),
        (50.0, 60.0, LesionTrend.GROWN),
        (50.0, 59.9, LesionTrend.STABLE),
        (20.0, 24.9, LesionTrend.STABLE),
        (20.0, 25.0, LesionTrend.GROWN),
        (50.0, 0.0, LesionTrend.DISAPPEARED),
        (30.0, 30.0, LesionTrend.STABLE),
    ],
)
def test_recist_thresholds_on_one_lesion(before, now, trend):
    assert lesion_change(before, now).trend is trend


def test_change_by_hand_and_said_to_be_of_one_lesion():
    got = lesion_change(40.0, 30.0)
    assert (got.change_mm, got.percent, got.percent_of_smallest) == (-10, -25, -25)
    assert str(got) == ("40 mm to 30 mm (-25 %): stable; of this one lesion, not a response by the sum of diameters")


def test_growth_is_judged_from_the_smallest_size_and_before_shrinkage():
    got = lesion_change(50.0, 30.0, smallest_mm=20.0)
    assert (got.trend, got.percent, got.percent_of_smallest) == (LesionTrend.GROWN, -40, 50)


@pytest.mark.parametrize(
    ("before", "now", "smallest", "match"),
    [
        (0.0, 10.0, None, "must be above 0"),
        (10.0, -1.0, None, "0 or more"),
        (10.0, math.nan, None, "finite number"),
        (10.0, 10.0, 12.0, "nadir is the least"),
    ],
)
def test_sizes_that_cannot_be_compared(before, now, smallest, match):
    with pytest.raises(InputError, match=match):
        lesion_change(before, now, smallest_mm=smallest)


def test_a_lesion_with_voxels_that_are_not_finite():
    mask = np.ones((1, 2, 2), bool)
    one = series(mask, volume=np.full(mask.shape, np.nan, np.float32))
    with pytest.raises(InputError, match="4 voxels of the lesion are not finite"):
        lesion_intensity(one, one.segments[0])


OPEN = Path(__file__).parents[3] / "shared/data/open/radiology/pyradiomics"


def read_nrrd(path):
    """(volume Z, Y, X; header) of a gzip NRRD file."""
    header, data = path.read_bytes().split(b"\n\n", 1)
    fields = dict(line.split(": ", 1) for line in header.decode().splitlines() if ": " in line and line[0] != "#")
    dtype = {"int": "<i4", "short": "<i2", "unsigned short": "<u2"}[fields["type"]]
    sizes = [int(n) for n in fields["sizes"].split()]
    return np.frombuffer(gzip.decompress(data), dtype).reshape(sizes[::-1])


@pytest.mark.skipif(not OPEN.is_dir(), reason="shared/data/open/radiology/pyradiomics is not on this machine")
@pytest.mark.parametrize(
    ("case", "spacing"), [("brain1", (6.5, 0.78125, 0.78125)), ("breast1", (2.1, 0.664062, 0.664062))]
)
def test_diameter_volume_and_intensity_agree_with_pyradiomics(case, spacing):
    """Published reference values of the PyRadiomics test set.

    Its mesh also has points half-way between slices, so where the outline changes from slice to slice (brain1) its
    in-slice diameter may only be larger than one taken on a slice.
    """
    tables = {}
    for kind in ("shape", "firstorder"):
        with (OPEN / f"baseline/baseline_{kind}.csv").open() as handle:
            tables |= {row["featureName"]: row[case] for row in csv.DictReader(handle)}
    mask, image = (read_nrrd(OPEN / f"{case}_{part}.nrrd") for part in ("label", "image"))
    mask = mask == 1
    widest = max(diameters(s, spacing[1:])[0] for s in mask if s.any())
    reference = float(tables["original_shape_Maximum2DDiameterSlice"])
    assert 0.85 * reference <= widest <= reference * (1 + 1e-4)
    if case == "breast1":
        assert widest == pytest.approx(reference, rel=1e-4)
    one = series(mask, spacing=spacing, volume=image.astype(np.float32))
    got = measure_segment(one, one.segments[0])
    assert got.volume_ml * 1000 == pytest.approx(float(tables["original_shape_VoxelVolume"]), rel=1e-4)
    assert got.mean_intensity == pytest.approx(float(tables["original_firstorder_Mean"]), rel=1e-4)
    assert got.max_intensity == float(tables["original_firstorder_Maximum"])
