"""Exported maps read back in the series' own geometry, by other libraries and by our own readers."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import nibabel
import numpy as np
import pydicom
import pytest
from PIL import Image

from encoders.errors import ContractError
from encoders.explain.export import write_dicom_segment, write_nifti, write_png
from encoders.patient import ImagingModality, ImagingSeries
from encoders.read.folder import read_patient
from encoders.synthetic.cohort import sample_case, write_case


@pytest.fixture(scope="module")
def case(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, ImagingSeries]:
    folder = tmp_path_factory.mktemp("case")
    write_case(sample_case(2, 99, "CCRCC"), folder)
    series = next(s for s in read_patient(folder).imaging if s.modality is ImagingModality.CT)
    return folder, series


def corner(series: ImagingSeries) -> np.ndarray:
    """A map that is 1 in a box near one corner and 0.3 beside it: no symmetry to hide a flip."""
    values = np.zeros(series.volume.shape, np.float32)
    values[1:4, 5:9, 2:5] = 1.0
    values[1:4, 9:12, 2:5] = 0.3
    return values


def test_nifti_keeps_each_voxel_at_its_place_in_the_patient(case, tmp_path: Path) -> None:
    _, series = case
    values = corner(series)
    image = nibabel.load(write_nifti(values, series, tmp_path / "map.nii.gz"))
    z, y, x = 2, 6, 3
    assert float(image.dataobj[x, y, z]) == 1.0
    ras = image.affine @ [x, y, z, 1]
    lps = series.affine_lps @ [x, y, z, 1]
    assert np.allclose(ras, [-lps[0], -lps[1], lps[2], 1])


def test_the_dicom_segment_refers_to_its_slices_and_reads_back_the_same(case, tmp_path: Path) -> None:
    folder, series = case
    values = corner(series)
    slices = [
        d for d in (pydicom.dcmread(p) for p in folder.rglob("*.dcm")) if d.SeriesInstanceUID == series.series_uid
    ]
    path = write_dicom_segment(values, series, slices, tmp_path / "hot.dcm", label="survival heat map")
    for source in slices:
        pydicom.dcmwrite(tmp_path / f"{source.SOPInstanceUID}.dcm", source)
    read = next(s for s in read_patient(tmp_path).imaging if s.series_uid == series.series_uid)
    (segment,) = [s for s in read.segments if "heat map" in s.label]
    assert np.array_equal(segment.mask, values >= 0.5)
    assert "research use only" in pydicom.dcmread(path).ContentDescription


def test_png_shows_one_slice(case, tmp_path: Path) -> None:
    _, series = case
    picture = np.asarray(Image.open(write_png(corner(series), series, 2, tmp_path / "slice.png")))
    assert picture[6, 3] == 255 and picture[10, 3] == 76 and picture[0, 0] == 0
    with pytest.raises(ContractError, match="slice 99 does not exist"):
        write_png(corner(series), series, 99, tmp_path / "none.png")


def test_what_does_not_fit_is_refused_and_writes_nothing(case, tmp_path: Path) -> None:
    _, series = case
    with pytest.raises(ContractError, match="paste it into the series"):
        write_nifti(np.zeros((2, 2, 2), np.float32), series, tmp_path / "map.nii.gz")
    with pytest.raises(ContractError, match="give every slice"):
        write_dicom_segment(corner(series), series, [], tmp_path / "hot.dcm", label="x")
    still = replace(series, sop_instance_uids=())
    with pytest.raises(ContractError, match="give every slice"):
        write_dicom_segment(corner(series), still, [], tmp_path / "hot.dcm", label="x")
    folder = case[0]
    every = (pydicom.dcmread(p) for p in folder.rglob("*.dcm"))
    slices = [d for d in every if d.SeriesInstanceUID == series.series_uid]
    filled = replace(series, sop_instance_uids=(series.sop_instance_uids[0], *series.sop_instance_uids[:-1]))
    with pytest.raises(ContractError, match="several slices of one SOP instance"):
        write_dicom_segment(corner(series), filled, slices, tmp_path / "hot.dcm", label="x")
    assert list(tmp_path.iterdir()) == []
