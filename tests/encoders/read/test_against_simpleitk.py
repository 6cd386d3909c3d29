"""Every multi-slice series of the shared real data: the voxels and the geometry SimpleITK reads."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from encoders.patient import ImagingSeries
from encoders.read.dicom import read_header, read_imaging

SimpleITK = pytest.importorskip("SimpleITK", reason="SimpleITK is in the dev extra")

SERIES = (
    "lung_ct_rtstruct_4DLung_113_HM10395/CT",
    "dcmqi_seg/segmentations/ct-3slice",
    "dcmqi_seg/segmentations/23x38x3/image",
    "dicom2nifti_series/ge/anatomical/001",
    "dicom2nifti_series/siemens/anatomical/001",
    "dicom2nifti_series/philips/anatomical/001",
    "dicom2nifti_series/generic/compressed/001",
    "dicom2nifti_series/generic/compressed_jpeg/001",
    "dicom2nifti_series/generic/compressed_rle/001",
    "dwv_mr_bbmri_6slices",
    "pydicom_test_files/dicomdirtests/98892001/CT5N",
)
"""Even, untilted, MONOCHROME2 series. The other four have tests of their own below."""


def _ours(folder: Path) -> ImagingSeries:
    files = [read_header(p, p.name) for p in sorted(folder.iterdir())]
    (series,) = read_imaging([f for f in files if f is not None]).series
    return series


def _theirs(folder: Path):
    """SimpleITK's image of the one series in ``folder``, without its remarks on uneven slices."""
    reader = SimpleITK.ImageSeriesReader()
    reader.SetFileNames(SimpleITK.ImageSeriesReader.GetGDCMSeriesFileNames(str(folder)))
    SimpleITK.ProcessObject.SetGlobalWarningDisplay(False)
    return reader.Execute()


def _affine(image) -> np.ndarray:
    affine = np.eye(4)
    affine[:3, :3] = np.array(image.GetDirection()).reshape(3, 3) * image.GetSpacing()
    affine[:3, 3] = image.GetOrigin()
    return affine


def _slice_of(path: Path) -> np.ndarray:
    return SimpleITK.GetArrayFromImage(SimpleITK.ReadImage(str(path)))[0]


@pytest.mark.parametrize("name", SERIES)
def test_voxels_and_affine_agree_on_every_even_series(open_data: Path, name: str):
    folder = open_data / "radiology" / name
    ours, image = _ours(folder), _theirs(folder)
    theirs, affine = SimpleITK.GetArrayFromImage(image), _affine(image)
    if affine[:3, 2] @ ours.affine_lps[:3, 2] < 0:  # the same stack, counted from its other end
        theirs = theirs[::-1]
        affine[:3, 3] += affine[:3, 2] * (len(theirs) - 1)
        affine[:3, 2] *= -1
    assert np.array_equal(ours.volume, theirs.astype(np.float32))
    assert np.abs(ours.affine_lps - affine).max() < 1e-4


def test_a_monochrome1_pet_agrees_once_simpleitks_inversion_is_undone(open_data: Path):
    """MONOCHROME1 says how to show a value, not what it means; SimpleITK mirrors the stored values (0 <-> 65535)."""
    folder = open_data / "radiology/pet_phantom_pet_recon_1"
    ours, image = _ours(folder), _theirs(folder)
    for k, theirs in enumerate(SimpleITK.GetArrayFromImage(image)):
        assert np.allclose(ours.volume[k], theirs.max() - theirs, rtol=1e-6, atol=1e-2)
    assert ours.volume.min() == 0  # no activity outside the phantom
    assert np.abs(ours.affine_lps - _affine(image)).max() < 1e-4


def test_slices_beyond_a_long_gap_are_set_apart_where_simpleitk_stretches_the_stack(open_data: Path):
    """One slice at z -99 and three from 103 on: SimpleITK gives four slices 68 mm apart."""
    folder = open_data / "radiology/pydicom_test_files/dicomdirtests/77654033/CT2"
    ours = _ours(folder)
    assert ours.volume.shape == (3, 16, 16)
    assert ours.spacing_mm[0] == pytest.approx(1.25)
    assert any("3 of 4 slices; the others set apart" in w for w in ours.warnings)
    for k, path in enumerate(sorted(folder.iterdir())[1:]):
        assert np.array_equal(ours.volume[k], _slice_of(path).astype(np.float32))


def test_a_tilted_series_keeps_simpleitks_voxels_and_each_slices_own_position(open_data: Path):
    folder = open_data / "radiology/dicom2nifti_series/failing/gantrytilting/001"
    ours = _ours(folder)
    assert np.array_equal(ours.volume, SimpleITK.GetArrayFromImage(_theirs(folder)).astype(np.float32))
    for k, path in enumerate(sorted(folder.iterdir())):
        position = [float(v) for v in read_header(path, path.name).header.ImagePositionPatient]
        assert (ours.affine_lps @ [0, 0, k, 1])[:3] == pytest.approx(position, abs=1e-4)


def test_a_series_with_a_missing_slice_keeps_each_slice_at_its_own_position(open_data: Path):
    folder = open_data / "radiology/dicom2nifti_series/failing/sliceincrement/001"
    ours = _ours(folder)
    assert ours.volume.shape[0] == 5
    for k, path in zip((0, 1, 2, 4), sorted(folder.iterdir()), strict=True):
        position = [float(v) for v in read_header(path, path.name).header.ImagePositionPatient]
        assert (ours.affine_lps @ [0, 0, k, 1])[:3] == pytest.approx(position, abs=1e-4)
        assert np.array_equal(ours.volume[k], _slice_of(path).astype(np.float32))
    assert ours.volume[3] == pytest.approx((ours.volume[2] + ours.volume[4]) / 2)


def test_a_multi_frame_file_has_simpleitks_voxels(open_data: Path):
    folder = open_data / "radiology/dcmqi_seg/segmentations/23x38x3/multiframe"
    (path,) = folder.iterdir()
    image = SimpleITK.ReadImage(str(path))
    ours = _ours(folder)
    assert sorted(ours.volume.sum(axis=(1, 2))) == sorted(
        SimpleITK.GetArrayFromImage(image).astype(np.float32).sum(axis=(1, 2))
    )
    assert ours.spacing_mm == pytest.approx(image.GetSpacing()[::-1])
