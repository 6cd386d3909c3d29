"""Measurements of shapes whose size is known."""

from __future__ import annotations

import csv
import gzip
import math
from pathlib import Path

import numpy as np
import pytest

from encoders.measure import diameters, measure_patient, measure_segment
from encoders.patient import ImagingModality, ImagingSeries, IntensityUnit, Patient, Segment, SourceLocator

WHERE = SourceLocator("ct")


def series(mask, *, spacing=(3.0, 2.0, 1.0), affine=None, volume=None):
    z, y, x = spacing
    affine = np.diag([x, y, z, 1.0]) if affine is None else affine
    volume = np.ones(mask.shape, np.float32) if volume is None else volume
    segment = Segment("Lesion", mask, WHERE, proposed=True)
    return ImagingSeries(
        ImagingModality.CT, "1.2", None, volume, IntensityUnit.HU, spacing, affine, WHERE, segments=(segment,)
    )


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
