"""DICOM series: order, units and geometry by hand-computed slices, and agreement with real files' known values."""

from __future__ import annotations

import csv
import math
import re
from pathlib import Path

import numpy as np
import pytest
from pydicom.dataset import Dataset

from encoders.errors import InputError
from encoders.patient import IntensityUnit
from encoders.read.dicom import read_header, read_imaging
from encoders.read.segments import attach_segments


def test_slices_are_sorted_by_position_and_rescaled_by_their_own_slope(tmp_path, write_series, one_series):
    def own_slope(made: Dataset, number: int) -> None:
        made.RescaleSlope = number

    write_series(tmp_path, (4.0, 0.0, 2.0), change=own_slope)
    series = one_series(tmp_path)
    # stored value = slope = slice number, intercept -10; numbers 2, 3, 1 lie at z 0, 2, 4
    assert series.volume[:, 0, 0].tolist() == [4 - 10, 9 - 10, 1 - 10]
    assert series.unit is IntensityUnit.HU
    assert series.volume.dtype == np.float32
    assert series.warnings == ()


def test_geometry_maps_the_last_voxel_to_its_lps_position(tmp_path, write_series, one_series):
    write_series(tmp_path)
    series = one_series(tmp_path)
    assert series.spacing_mm == (2.0, 0.5, 0.75)
    corner = series.affine_lps @ np.array([4, 3, 2, 1])  # column 4, row 3, slice 2
    assert corner.tolist() == [-10 + 4 * 0.75, -20 + 3 * 0.5, 4.0, 1.0]


def test_sop_instance_uids_follow_the_slices(tmp_path, write_series, one_series):
    write_series(tmp_path / "a")
    write_series(tmp_path / "b", (4.0, 2.0, 0.0), series="1.2.9")
    forward, backward = one_series(tmp_path / "a"), one_series(tmp_path / "b")
    assert forward.volume[:, 0, 0].tolist() == backward.volume[::-1, 0, 0].tolist()
    assert len(set(forward.sop_instance_uids)) == 3


def test_several_series_are_told_apart(tmp_path, write_series, read_folder):
    write_series(tmp_path, series="1.2.1")
    write_series(tmp_path, (0.0, 1.0), series="1.2.2")
    assert sorted(s.volume.shape[0] for s in read_folder(tmp_path).series) == [2, 3]


@pytest.mark.parametrize(
    ("positions", "warning"),
    [
        ((0.0, 2.0, 4.0, 8.0, 10.0), r"slices are missing: 4\.00 mm between slices 3 and 4"),
        ((0.0, 2.0, 4.5, 6.5), "slice steps are uneven"),
        ((0.0, 2.0, 2.0, 4.0), "1 of 4 slices share a position"),
    ],
)
def test_odd_stacks_are_read_with_a_warning(tmp_path, write_series, positions, warning, one_series):
    write_series(tmp_path, positions)
    (told,) = one_series(tmp_path).warnings
    assert re.search(warning, told)


def test_the_same_slice_twice_counts_once(tmp_path, write_series, one_series):
    (path, *_) = write_series(tmp_path)
    (tmp_path / "copy.dcm").write_bytes(path.read_bytes())
    series = one_series(tmp_path)
    assert series.volume.shape[0] == 3
    assert any("repeat a slice" in w for w in series.warnings)


def test_a_localizer_is_set_apart(tmp_path, write_series, read_folder):
    def localizer(made: Dataset, number: int) -> None:
        made.ImageType = ["ORIGINAL", "PRIMARY", "LOCALIZER"] if number == 1 else ["ORIGINAL", "PRIMARY", "AXIAL"]

    write_series(tmp_path, change=localizer)
    reading = read_folder(tmp_path)
    assert reading.series[0].volume.shape[0] == 2
    assert any("localizer" in s for s in reading.skipped)


def test_a_slice_of_another_orientation_is_set_apart(tmp_path, write_series, one_series):
    def turned(made: Dataset, number: int) -> None:
        if number == 3:
            made.ImageOrientationPatient = [0, 1, 0, 0, 0, -1]

    write_series(tmp_path, change=turned)
    series = one_series(tmp_path)
    assert series.volume.shape[0] == 2
    assert any("another orientation" in w for w in series.warnings)


def test_ct_without_rescale_is_not_called_hounsfield(tmp_path, write_series, one_series):
    def bare(made: Dataset, _: int) -> None:
        del made.RescaleSlope, made.RescaleIntercept

    write_series(tmp_path, change=bare)
    series = one_series(tmp_path)
    assert series.unit is IntensityUnit.ARBITRARY
    assert any("RescaleSlope" in w for w in series.warnings)


def test_a_series_without_geometry_is_skipped_with_the_tag_named(tmp_path, write_series, read_folder):
    def flat(made: Dataset, _: int) -> None:
        del made.PixelSpacing

    write_series(tmp_path, change=flat)
    reading = read_folder(tmp_path)
    assert reading.series == ()
    assert any("without PixelSpacing" in s for s in reading.skipped)


# PET: 70 kg, 370 MBq of F-18 (6586.2 s) given one half-life before the scan: factor = 70000 * 2 / 370e6.


def _pet(made: Dataset, _: int) -> None:
    made.Units, made.DecayCorrection, made.CorrectedImage = "BQML", "START", ["ATTN", "DECY", "SCAT"]
    made.PatientWeight = 70.0
    drug = Dataset()
    drug.Radiopharmaceutical, drug.RadionuclideTotalDose = "Fluorodeoxyglucose", 370e6
    drug.RadionuclideHalfLife, drug.RadiopharmaceuticalStartTime = 6586.2, "081013.8"  # 6586.2 s before 10:00:00
    made.RadiopharmaceuticalInformationSequence = [drug]


def test_suv_of_a_hand_computed_pet(tmp_path, write_series, one_series):
    write_series(tmp_path, modality="PT", change=_pet)
    series = one_series(tmp_path)
    assert series.unit is IntensityUnit.SUVBW
    assert series.role == "FDG-PET"
    assert series.volume[0, 0, 0] == pytest.approx((2 * 1 - 10) * 70000 * 2 / 370e6, rel=1e-5)


def test_suv_with_admin_decay_correction_needs_no_delay(tmp_path, write_series, one_series):
    def admin(made: Dataset, number: int) -> None:
        _pet(made, number)
        made.DecayCorrection = "ADMIN"

    write_series(tmp_path, modality="PT", change=admin)
    assert one_series(tmp_path).volume[2, 0, 0] == pytest.approx((2 * 3 - 10) * 70000 / 370e6, rel=1e-5)


@pytest.mark.parametrize(
    ("tag", "value", "reason"),
    [
        ("Units", "CNTS", "Units is CNTS"),
        ("DecayCorrection", "NONE", "DecayCorrection is NONE"),
        ("CorrectedImage", ["ATTN"], "ATTN and DECY are needed"),
        ("PatientWeight", None, "PatientWeight"),
        ("RadiopharmaceuticalInformationSequence", [], "0 radiopharmaceuticals"),
        ("SeriesTime", None, "start time is absent"),
    ],
)
def test_each_missing_precondition_leaves_pet_arbitrary_with_its_reason(
    tmp_path, write_series, tag, value, reason, one_series
):
    def without(made: Dataset, number: int) -> None:
        _pet(made, number)
        setattr(made, tag, value)

    write_series(tmp_path, modality="PT", change=without)
    series = one_series(tmp_path)
    assert series.unit is IntensityUnit.ARBITRARY
    assert any(reason in w for w in series.warnings)


@pytest.mark.parametrize(
    ("tag", "value", "reason"),
    [
        ("RadionuclideTotalDose", 370.0, "would be MBq"),
        ("RadionuclideHalfLife", None, "RadionuclideHalfLife"),
        ("RadiopharmaceuticalStartTime", None, "injection time"),
    ],
)
def test_each_odd_tracer_tag_leaves_pet_arbitrary_with_its_reason(
    tmp_path, write_series, tag, value, reason, one_series
):
    def without(made: Dataset, number: int) -> None:
        _pet(made, number)
        setattr(made.RadiopharmaceuticalInformationSequence[0], tag, value)

    write_series(tmp_path, modality="PT", change=without)
    series = one_series(tmp_path)
    assert series.unit is IntensityUnit.ARBITRARY
    assert any(reason in w for w in series.warnings)


# Real files.


def test_one_image_in_many_transfer_syntaxes_decodes_to_the_listed_values(open_data: Path):
    with (open_data / "radiology/dicom_manifest.csv").open(encoding="utf-8") as handle:
        rows = [r for r in csv.DictReader(handle) if r["path"].startswith("transfer_syntaxes_ct/CTImage")]
    rows = [r for r in rows if r["pixel_array_with_pydicom3_pylibjpeg"] == "ok" and r["array_shape"] == "512x512"]
    assert len(rows) >= 8
    for row in rows:
        header = read_header(open_data / "radiology" / row["path"], row["path"])
        found = read_imaging([header])
        if not found.series:
            assert any("geometry is not known" in s for s in found.skipped)
            continue
        (series,) = found.series
        slope, intercept = float(header.header.RescaleSlope), float(header.header.RescaleIntercept)
        assert series.volume.min() == pytest.approx(float(row["min"]) * slope + intercept), row["path"]
        assert series.volume.max() == pytest.approx(float(row["max"]) * slope + intercept), row["path"]


def test_the_liver_segmentation_lies_on_its_ct(open_data: Path):
    folder = open_data / "radiology/dcmqi_seg/segmentations"
    files = [read_header(p, p.name) for p in sorted((folder / "ct-3slice").glob("*.dcm"))]
    liver = next(p for p in (open_data / "radiology/dcmqi_seg").rglob("liver.dcm"))
    reading = read_imaging([*files, read_header(liver, liver.name)])
    (series,), skipped = attach_segments(reading.series, reading.segmentations)
    assert skipped == ()
    assert [(s.label, int(s.mask.sum())) for s in series.segments] == [("Liver", 107098)]
    assert -50 < float(np.median(series.volume[series.segments[0].mask])) < 200  # liver tissue, HU


def test_a_segmentation_without_its_series_is_skipped_with_the_reason(open_data: Path):
    liver = next(p for p in (open_data / "radiology/dcmqi_seg").rglob("liver.dcm"))
    reading = read_imaging([read_header(liver, "liver.dcm")])
    assert reading.series == ()
    _, (reason,) = attach_segments(reading.series, reading.segmentations)
    assert "liver.dcm: segmentation of a series that is not in the folder" in reason


def test_a_pet_phantom_without_suv_tags_is_not_called_suv(open_data: Path, one_series):
    series = one_series(open_data / "radiology/pet_phantom_pet_recon_1")
    assert series.unit is IntensityUnit.ARBITRARY
    assert series.volume.shape == (45, 192, 192)
    assert any("SUV is not computed" in w for w in series.warnings)


def test_suv_of_a_real_flt_slice_agrees_with_the_formula(open_data: Path, one_series):
    folder = open_data / "radiology/pet_acrin_flt"
    (path,) = [p for p in folder.rglob("*") if p.is_file()]
    header = read_header(path, path.name).header
    series = one_series(folder)
    drug = header.RadiopharmaceuticalInformationSequence[0]

    def seconds(clock: object) -> float:
        text = str(clock)
        return int(text[:2]) * 3600 + int(text[2:4]) * 60 + float(text[4:])

    delay = seconds(header.SeriesTime) - seconds(drug.RadiopharmaceuticalStartTime)
    left = float(drug.RadionuclideTotalDose) * math.exp(-math.log(2) * delay / float(drug.RadionuclideHalfLife))
    stored = __import__("pydicom").dcmread(path).pixel_array * float(header.RescaleSlope) + float(
        header.RescaleIntercept
    )
    assert series.unit is IntensityUnit.SUVBW
    assert series.volume[0] == pytest.approx(stored * float(header.PatientWeight) * 1000 / left, rel=1e-4)
    assert 0 < delay < 3 * 3600
    assert 1 < series.volume.max() < 40


@pytest.mark.parametrize("vendor", ["ge", "siemens", "philips", "generic/compressed", "generic/compressed_rle"])
def test_real_series_of_each_vendor_are_even_stacks(open_data: Path, vendor: str, one_series):
    series = one_series(open_data / "radiology/dicom2nifti_series" / vendor)
    assert series.volume.shape[0] == 4
    assert not any("missing" in w or "uneven" in w for w in series.warnings)


def test_a_tilted_gantry_and_an_uneven_series_are_told(open_data: Path, one_series):
    failing = open_data / "radiology/dicom2nifti_series/failing"
    assert any("gantry was tilted" in w for w in one_series(failing / "gantrytilting").warnings)
    assert one_series(failing / "sliceincrement").warnings != ()


def test_a_truncated_real_file_is_refused(open_data: Path):
    path = open_data / "radiology/pydicom_test_files/MR_truncated.dcm"
    with pytest.raises(InputError, match=r"MR_truncated\.dcm: DICOM file is truncated or damaged"):
        read_imaging([read_header(path, path.name)])


def test_every_real_dicom_file_is_read_set_apart_or_refused(open_data: Path):
    root = open_data / "radiology"
    outcomes = {"read": 0, "apart": 0, "refused": 0}
    for folder in ("pydicom_test_files", "pydicom_charset_files", "highdicom", "rt_utils"):
        for path in sorted((root / folder).rglob("*.dcm")):
            try:
                header = read_header(path, path.name)
                found = read_imaging([header]) if header else None
            except InputError as error:
                assert path.name in str(error)
                outcomes["refused"] += 1
                continue
            outcomes["read" if found and found.series else "apart"] += 1
    assert outcomes["read"] >= 10
    assert outcomes["refused"] >= 1
