"""Exported maps read back in the series' own geometry, by other libraries and by our own readers."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import nibabel
import numpy as np
import pydicom
import pytest
from pydicom.uid import SecondaryCaptureImageStorage

from encoders.errors import ContractError
from encoders.explain.export import write_dicom_segment, write_nifti
from encoders.explain.secondary_capture import write_secondary_capture
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


def slices_of(folder: Path, series: ImagingSeries) -> list[pydicom.Dataset]:
    every = (pydicom.dcmread(p) for p in folder.rglob("*.dcm"))
    return [d for d in every if d.SeriesInstanceUID == series.series_uid]


def captured(folder: Path, series: ImagingSeries, path: Path, *, edges: dict[str, str]) -> tuple[np.ndarray, list]:
    """Write a picture of four colours as a secondary capture of two slices; (picture, the slices)."""
    picture = np.zeros((20, 30, 3), np.uint8)
    picture[:10, :15], picture[:10, 15:], picture[10:, :15] = (255, 0, 0), (0, 255, 0), (0, 0, 255)
    shown = [s for s in slices_of(folder, series) if s.SOPInstanceUID in series.sop_instance_uids[3:5]]
    write_secondary_capture(picture, shown, path, label="research use only: test", edges=edges, description="by hand")
    return picture, shown


def test_the_secondary_capture_stays_in_the_study_and_names_its_slices(case, tmp_path: Path) -> None:
    folder, series = case
    picture, shown = captured(folder, series, tmp_path / "capture.dcm", edges={"right": "L", "bottom": "I"})
    read = pydicom.dcmread(tmp_path / "capture.dcm")
    assert read.SOPClassUID == SecondaryCaptureImageStorage
    assert np.array_equal(read.pixel_array, picture)
    for tag in ("StudyInstanceUID", "PatientID", "PatientName", "PatientBirthDate", "PatientSex", "StudyDate"):
        assert read.get(tag) == shown[0].get(tag), tag
    assert read.SeriesInstanceUID != series.series_uid
    (referenced,) = read.ReferencedSeriesSequence
    assert referenced.SeriesInstanceUID == series.series_uid
    named = {item.ReferencedSOPInstanceUID for item in referenced.ReferencedInstanceSequence}
    assert named == set(series.sop_instance_uids[3:5])
    assert {item.ReferencedSOPInstanceUID for item in read.SourceImageSequence} == named
    assert list(read.PatientOrientation) == ["L", "F"]  # inferior is the foot in DICOM
    assert read.SeriesDescription == "research use only: test" and read.BurnedInAnnotation == "NO"
    assert "PixelSpacing" not in read


def test_a_secondary_capture_in_the_folder_changes_nothing_that_is_read(case, tmp_path: Path) -> None:
    folder, series = case
    for source in slices_of(folder, series):
        pydicom.dcmwrite(tmp_path / f"{source.SOPInstanceUID}.dcm", source)
    before = read_patient(tmp_path)
    captured(folder, series, tmp_path / "capture.dcm", edges={"right": "L", "bottom": "P"})
    after = read_patient(tmp_path)
    assert [s.series_uid for s in after.imaging] == [s.series_uid for s in before.imaging]
    assert np.array_equal(after.imaging[0].volume, before.imaging[0].volume)


def test_a_secondary_capture_of_what_is_not_one_picture_is_refused(case, tmp_path: Path) -> None:
    folder, series = case
    shown = slices_of(folder, series)[:1]
    rest = {"label": "x", "edges": {"right": "L", "bottom": "P"}, "description": "x"}
    with pytest.raises(ContractError, match=r"uint8 \(rows, columns, 3\)"):
        write_secondary_capture(np.zeros((4, 4), np.uint8), shown, tmp_path / "x.dcm", **rest)
    with pytest.raises(ContractError, match="slices of one series"):
        write_secondary_capture(np.zeros((4, 4, 3), np.uint8), [], tmp_path / "x.dcm", **rest)
    assert list(tmp_path.iterdir()) == []


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
