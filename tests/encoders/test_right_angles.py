"""A tilted stack on a right-angled grid: the same tissue at the same place, as SimpleITK resamples it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy.ndimage import binary_erosion

from encoders.patient import ImagingModality, ImagingSeries, IntensityUnit, Segment, SourceLocator
from encoders.radiology import crop_lesion
from encoders.radiomics.encode import encode_radiomics
from encoders.read.dicom import read_header, read_imaging
from encoders.right_angles import is_sheared, slice_shift, with_right_angles

WHERE = SourceLocator("ct")
TILTED = Path(__file__).parents[2].parent / "shared/data/open/radiology/dicom2nifti_series/failing/gantrytilting/001"


def ball(affine: np.ndarray, spacing_mm, *, radius_mm: float = 14.0, centre=(40.0, 40.0, 24.0)) -> ImagingSeries:
    """A ball of 60 HU in -100 HU, softened over 4 mm, on the grid of ``affine``."""
    z, y, x = np.indices((24, 60, 60))
    lps = np.tensordot(affine[:3, :3], np.stack([x, y, z]), axes=1) + affine[:3, 3][:, None, None, None]
    away = np.linalg.norm(lps - np.array(centre)[:, None, None, None], axis=0)
    volume = np.interp(away, (radius_mm - 2, radius_mm + 2), (60.0, -100.0)).astype(np.float32)
    segments = (Segment("lesion", away <= radius_mm, WHERE),)
    unit = IntensityUnit.HU
    return ImagingSeries(ImagingModality.CT, "1", None, volume, unit, spacing_mm, affine, WHERE, segments=segments)


STRAIGHT = np.diag([1.5, 1.5, 2.0, 1.0])
SHEARED = STRAIGHT.copy()
SHEARED[1, 2], SHEARED[1, 3] = 0.75, -9.0  # half a row further back with each slice: 20.6 degrees


def test_slices_shift_by_half_a_row_and_the_new_axes_are_perpendicular():
    series = ball(SHEARED, (2.0, 1.5, 1.5))
    assert slice_shift(series) == pytest.approx([0.0, 0.5])
    upright = with_right_angles(series)
    assert not is_sheared(upright)
    axes = upright.affine_lps[:3, :3]
    assert axes.T @ axes == pytest.approx(np.diag([1.5**2, 1.5**2, 4.0]))
    assert upright.volume.shape == (24, 60 + 12, 60)  # 23 half rows, rounded up
    for k in (0, 2, 12):  # whole rows: the slice itself, moved
        assert np.array_equal(upright.volume[k, k // 2 : k // 2 + 60], series.volume[k])
    assert np.array_equal(upright.volume[1, 1:60], (series.volume[1, :-1] + series.volume[1, 1:]) / 2)
    assert set(np.unique(upright.volume[0, 60:])) == {-1000.0}


def test_a_series_with_right_angles_is_returned_itself():
    series = ball(STRAIGHT, (2.0, 1.5, 1.5))
    assert with_right_angles(series) is series
    turned = STRAIGHT.copy()
    turned[:3, :3] = np.array([[0.8, 0, 0.6], [0, 1, 0], [-0.6, 0, 0.8]]) @ STRAIGHT[:3, :3]
    assert not is_sheared(ball(turned, (2.0, 1.5, 1.5)))


@pytest.mark.parametrize("sign", [1, -1])
def test_the_ball_stays_where_it_is_and_as_large_as_it_is(sign):
    affine = SHEARED.copy()
    affine[1, 2:] *= (sign, sign)
    upright = with_right_angles(series := ball(affine, (2.0, 1.5, 1.5)))
    for one in (series, upright):
        mask = one.segments[0].mask
        centre = one.affine_lps @ [*np.argwhere(mask).mean(0)[::-1], 1.0]
        assert centre[:3] == pytest.approx([40, 40, 24], abs=0.1)
        assert mask.sum() * np.prod(one.spacing_mm) == pytest.approx(4 / 3 * np.pi * 14**3, rel=0.03)


def test_the_crop_is_right_with_the_sheared_affine_as_it_is():
    straight, sheared = (crop_lesion(ball(a, (2.0, 1.5, 1.5))) for a in (STRAIGHT, SHEARED))
    upright = crop_lesion(with_right_angles(ball(SHEARED, (2.0, 1.5, 1.5))))
    middle = (slice(9, 23),) * 3  # inside every grid; centroids differ by less than 0.1 mm
    assert np.abs(sheared.image[middle] - straight.image[middle]).max() < 0.02
    assert np.abs(upright.image[middle] - straight.image[middle]).max() < 0.02


def test_radiomics_of_a_tilted_ball_are_those_of_the_ball():
    straight, sheared = ball(STRAIGHT, (2.0, 1.5, 1.5)), ball(SHEARED, (2.0, 1.5, 1.5))
    expected, found = (encode_radiomics(s, s.segments[0]) for s in (straight, sheared))
    as_it_is = encode_radiomics(replace(sheared, affine_lps=STRAIGHT), sheared.segments[0])
    for name in ("morph_sphericity", "morph_pca_elongation"):
        assert found[name] == pytest.approx(expected[name], rel=0.03), name
    assert found["morph_diam"] == pytest.approx(expected["morph_diam"], abs=1.5)  # one voxel
    assert as_it_is["morph_pca_elongation"] < 0.95 * expected["morph_pca_elongation"]  # without it a ball is an egg


def test_a_real_tilted_ct_agrees_with_simpleitk():
    """SimpleITK has no sheared images, so each slice is an image of its own there, resampled on our new grid."""
    SimpleITK = pytest.importorskip("SimpleITK", reason="SimpleITK is in the dev extra")  # noqa: N806
    if not TILTED.is_dir():
        pytest.skip("the shared real data are not beside this repository")
    (series,) = read_imaging([read_header(p, p.name) for p in sorted(TILTED.iterdir())]).series
    assert is_sheared(series)
    upright = with_right_angles(series)
    assert upright.volume.shape[1:] > series.volume.shape[1:]
    direction = upright.affine_lps[:3, :3] / np.array(upright.spacing_mm[::-1])
    checked = 0
    for k, path in enumerate(sorted(TILTED.iterdir())):
        slice_ = SimpleITK.ReadImage(str(path), SimpleITK.sitkFloat32)
        grid = SimpleITK.Image([upright.volume.shape[2], upright.volume.shape[1], 1], SimpleITK.sitkFloat32)
        grid.SetSpacing((*upright.spacing_mm[:0:-1], slice_.GetSpacing()[2]))
        grid.SetDirection(direction.ravel().tolist())
        grid.SetOrigin((upright.affine_lps @ [0, 0, k, 1])[:3].tolist())
        theirs = SimpleITK.GetArrayFromImage(
            SimpleITK.Resample(slice_, grid, SimpleITK.Transform(), SimpleITK.sitkLinear, -1e4)
        )[0]
        inside = binary_erosion(theirs > -9e3)  # beyond the last pixel centre SimpleITK repeats it, we give air
        assert inside.mean() > 0.8
        assert np.abs(upright.volume[k] - theirs)[inside].max() < 0.05  # HU
        checked += int(inside.sum())
    assert checked > 900_000
