"""NIfTI beyond the plain case: against SimpleITK, several time points, lost voxels, shear, damage."""

from __future__ import annotations

import random
from pathlib import Path

import nibabel
import numpy as np
import pytest

from encoders.errors import InputError
from encoders.patient import ImagingSeries
from encoders.read.nifti import read_nifti

OBLIQUE = np.array([[-1.9, 0.1, 0.3, 10], [-0.1, 2.0, 0.2, -20], [-0.4, -0.2, 2.9, 30], [0, 0, 0, 1]])


def _write(folder: Path, data: np.ndarray, affine: np.ndarray | None = None) -> Path:
    (folder / "mr.json").write_text('{"Modality": "MR"}', encoding="utf-8")
    path = folder / "mr.nii"
    nibabel.save(nibabel.Nifti1Image(data, np.diag([-1.0, -1.0, 2.0, 1.0]) if affine is None else affine), path)
    return path


def _ramp(*shape: int) -> np.ndarray:
    return np.arange(np.prod(shape), dtype=np.float32).reshape(shape)


def _read(path: Path) -> ImagingSeries:
    found = read_nifti(path, path.name)
    assert isinstance(found, ImagingSeries), found
    return found


def test_voxels_and_affine_agree_with_simpleitk(tmp_path):
    SimpleITK = pytest.importorskip("SimpleITK")  # noqa: N806
    turned = OBLIQUE.copy()
    turned[:3, :3] = np.linalg.qr(OBLIQUE[:3, :3])[0] * [2.0, 2.1, 3.0]  # SimpleITK reads perpendicular axes alone
    path = _write(tmp_path, _ramp(3, 4, 5), turned)
    ours, image = _read(path), SimpleITK.ReadImage(str(path))
    affine = np.eye(4)
    affine[:3, :3] = np.array(image.GetDirection()).reshape(3, 3) * image.GetSpacing()
    affine[:3, 3] = image.GetOrigin()
    assert np.array_equal(ours.volume, SimpleITK.GetArrayFromImage(image))
    assert np.abs(ours.affine_lps - affine).max() < 1e-4
    assert ours.spacing_mm == pytest.approx(image.GetSpacing()[::-1])
    assert not any("sheared" in w for w in ours.warnings)


def test_a_sheared_affine_is_told_and_its_spacing_is_along_the_normal(tmp_path):
    series = _read(_write(tmp_path, _ramp(3, 4, 5), OBLIQUE))
    assert any("sheared" in w for w in series.warnings)
    assert series.spacing_mm[0] < np.linalg.norm(OBLIQUE[:3, 2])


def test_the_first_of_several_time_points_is_read_and_told(tmp_path):
    series = _read(_write(tmp_path, _ramp(3, 4, 5, 2)))
    assert series.volume.shape == (5, 4, 3)
    assert series.volume[0, 0, 1] == _ramp(3, 4, 5, 2)[1, 0, 0, 0]
    assert "2 time points; the first was read" in series.warnings


def test_voxels_that_are_not_numbers_are_replaced_and_counted(tmp_path):
    data = _ramp(3, 4, 5) + 7
    data[0, 0, :2] = np.nan, np.inf
    series = _read(_write(tmp_path, data))
    assert np.isfinite(series.volume).all()
    assert series.volume[0, 0, 0] == 9  # the smallest value that is left
    assert any("2 voxels are not numbers; the smallest value (9)" in w for w in series.warnings)


def test_a_flat_affine_and_a_lone_plane_are_set_apart(tmp_path):
    path = _write(tmp_path, _ramp(3, 4, 5))
    data = bytearray(path.read_bytes())
    data[280:328] = bytes(48)  # srow_x, srow_y, srow_z
    path.write_bytes(data)
    assert "without a usable affine" in read_nifti(path, "mr.nii")
    assert "3 axes are needed" in read_nifti(_write(tmp_path, _ramp(3, 4)), "mr.nii")


def test_damaged_files_are_read_or_refused_in_the_projects_words(tmp_path):
    whole = _write(tmp_path, _ramp(6, 6, 6)).read_bytes()
    path, refused = tmp_path / "mr.nii", 0
    for seed in range(200):
        draw = random.Random(seed)
        data = bytearray(whole)
        for _ in range(draw.randint(1, 8)):
            data[draw.randrange(348)] = draw.randrange(256)
        path.write_bytes(data[: draw.choice((len(data), draw.randrange(len(data))))])
        try:
            found = read_nifti(path, "mr.nii")
            assert isinstance(found, str | ImagingSeries)
        except InputError:
            refused += 1
    assert refused > 50
