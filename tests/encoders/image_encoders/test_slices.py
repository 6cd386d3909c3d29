"""Slices lie where they should: known fields, known places, and SimpleITK's resampling."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from encoders.image_encoders.card import Scaling, Window
from encoders.image_encoders.phantom import phantom
from encoders.image_encoders.slices import PLANES, key_point, lesion_pictures, sample_plane, to_gray
from encoders.patient import ImagingModality, ImagingSeries, IntensityUnit, Segment, SourceLocator

HERE = SourceLocator("made")
HU = Window("CT", "HU", Scaling.CLIP, -100.0, 300.0)


def series_of(volume, affine, spacing, segments=(), modality=ImagingModality.CT, unit=IntensityUnit.HU):
    return ImagingSeries(
        modality, "1.2", None, volume.astype(np.float32), unit, spacing, affine, HERE, "", None, (), segments
    )


def linear_field():
    """A turned, anisotropic CT whose value is x + 2 y + 4 z of LPS mm."""
    base = phantom(ImagingModality.CT)
    z, y, x = np.meshgrid(*(np.arange(n, dtype=float) for n in base.volume.shape), indexing="ij")
    lps = np.tensordot(base.affine_lps[:3, :3], np.stack([x, y, z]), 1) + base.affine_lps[:3, 3][:, None, None, None]
    return replace(base, volume=(lps[0] + 2 * lps[1] + 4 * lps[2]).astype(np.float32))


@pytest.mark.parametrize("plane", PLANES)
def test_a_plane_holds_the_values_of_its_places(plane):
    series = linear_field()
    centre = key_point(series, series.segments[0])
    across, down = PLANES[plane]
    found = sample_plane(series, centre, plane, 30.0, 20)  # 1.5 mm pixels, no smoothing: voxels are coarser
    offset = (np.arange(20) - 9.5) * 1.5
    weight = np.array([1.0, 2.0, 4.0])
    expected = centre @ weight + offset[:, None] * (down @ weight) + offset[None, :] * (across @ weight)
    np.testing.assert_allclose(found, expected, atol=1e-3)


def test_slices_are_oriented_as_they_are_read():
    """A dot to the patient's left, back and head stands right, below and above."""
    affine = np.diag([-2.0, -2.0, -2.0, 1.0])  # stored from the left, the back and the head
    affine[:3, 3] = 40.0
    volume = np.full((41, 41, 41), -1000.0)
    volume[10, 10, 10] = 300.0  # LPS (20, 20, 20): left, back, head
    mask = np.zeros(volume.shape, bool)
    mask[20, 20, 20] = True
    series = series_of(volume, affine, (2.0, 2.0, 2.0), (Segment("lesion", mask, HERE),))
    volume[10, 10, 20] = volume[20, 10, 10] = volume[10, 20, 10] = 300.0  # the same dot in each plane through 0
    series = replace(series, volume=volume.astype(np.float32))
    seen = {}
    for plane in PLANES:
        picture = sample_plane(series, np.zeros(3), plane, 82.0, 41)
        seen[plane] = tuple(int(i) for i in np.unravel_index(picture.argmax(), picture.shape))
    assert seen == {"axial": (30, 30), "coronal": (10, 30), "sagittal": (10, 30)}  # (row, column), middle at 20


def test_the_key_point_lies_in_the_slice_with_most_of_the_lesion():
    mask = np.zeros((5, 9, 9), bool)
    mask[1, 1:3, 1:3] = True
    mask[3, 4:8, 5:9] = True  # the fullest slice: x 5..8, y 4..7
    series = series_of(np.zeros(mask.shape), np.diag([1.0, 1.0, 5.0, 1.0]), (5.0, 1.0, 1.0))
    np.testing.assert_allclose(key_point(series, Segment("lesion", mask, HERE)), [6.5, 5.5, 15.0])
    sagittal = np.array([[0, 0, 2.0, 0], [1.0, 0, 0, 0], [0, -1.0, 0, 9.0], [0, 0, 0, 1.0]])  # slices along x
    series = series_of(np.zeros(mask.shape), sagittal, (2.0, 1.0, 1.0))
    # z = 9 - row now: rows 4..7 hold 4 voxels each, rows 1 and 2 hold 2; the lowest of the fullest is row 7
    np.testing.assert_allclose(key_point(series, Segment("lesion", mask, HERE)), [6.0, 6.5, 2.0])


def test_outside_the_volume_is_background():
    series = phantom(ImagingModality.CT)
    assert np.all(sample_plane(series, np.array([9e3, 0, 0]), "axial", 64.0, 8) == -1000.0)
    wide = sample_plane(series, key_point(series, series.segments[0]), "axial", 400.0, 40)
    assert wide[0, 0] == wide[-1, -1] == -1000.0


def test_windows_by_hand():
    series = phantom(ImagingModality.CT)
    values = np.array([[-500.0, -100.0, 100.0, 299.0, 300.0, 900.0]], np.float32)
    assert to_gray(values, series, HU).tolist() == [[0, 0, 128, 254, 255, 255]]
    mr = phantom(ImagingModality.MR)
    window = Window("MR", "arbitrary", Scaling.ROBUST_Z, -3.5, 3.5)
    sample = mr.volume[:, ::2, ::2]
    q25, q50, q75 = np.percentile(sample[sample > 0.1 * np.percentile(sample, 99)], (25, 50, 75))
    value = q50 + 2 * np.sinh(1.0) * (q75 - q25) / 1.349  # robust z of 2 sinh 1, so asinh(z / 2) is 1
    assert to_gray(np.array([value], np.float32), mr, window).tolist() == [164]  # (1 + 3.5) / 7 * 255 = 163.9


def test_pictures_are_gray_in_three_channels():
    series = phantom(ImagingModality.CT)
    found = lesion_pictures(series, series.segments[0], HU, tuple(PLANES), (64.0, 32))
    assert found.shape == (3, 32, 32, 3) and found.dtype == np.uint8
    assert np.array_equal(found[..., 0], found[..., 1]) and np.array_equal(found[..., 0], found[..., 2])
    assert len({p.tobytes() for p in found}) == 3


@pytest.mark.parametrize("plane", PLANES)
def test_agrees_with_simpleitk(plane):
    sitk = pytest.importorskip("SimpleITK")
    series = phantom(ImagingModality.CT)
    image = sitk.GetImageFromArray(series.volume)
    spacing = np.array(series.spacing_mm[::-1])
    image.SetSpacing(spacing.tolist())
    image.SetOrigin(series.affine_lps[:3, 3].tolist())
    image.SetDirection((series.affine_lps[:3, :3] / spacing).ravel().tolist())
    centre = key_point(series, series.segments[0])
    across, down = PLANES[plane]
    step, pixels = 1.6, 32
    corner = centre - (pixels - 1) / 2 * step * (across + down)
    grid = sitk.Image(pixels, pixels, 1, sitk.sitkFloat32)
    grid.SetSpacing([step, step, 1.0])
    grid.SetOrigin(corner.tolist())
    grid.SetDirection(np.stack([across, down, np.cross(across, down)], axis=1).ravel().tolist())
    known = sitk.GetArrayFromImage(sitk.Resample(image, grid, sitk.Transform(), sitk.sitkLinear, -1000.0))[0]
    found = sample_plane(series, centre, plane, step * pixels, pixels)
    inside = known > -1000.0
    assert inside.mean() > 0.8
    np.testing.assert_allclose(found[inside], known[inside], atol=0.02)
