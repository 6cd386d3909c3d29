"""Odd but real-world DICOM: colour, scouts, per-slice rescale, gaps, drift, lying headers, every transfer syntax."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pydicom
import pytest
from pydicom.dataset import Dataset
from pydicom.uid import DeflatedExplicitVRLittleEndian, JPEGLSLossless, RLELossless

from encoders.errors import InputError
from encoders.patient import IntensityUnit
from encoders.read.dicom import read_header, read_imaging
from encoders.read.dicom_directory import absent_files
from encoders.read.folder import read_patient
from encoders.read.segments import attach_segments
from encoders.read.sniff import FileKind, sniff
from encoders.read.suv import suv_factor

# What is set apart.


def test_a_colour_screenshot_of_a_ct_series_is_set_apart(tmp_path, write_series, read_folder):
    def colour(made: Dataset, number: int) -> None:
        if number == 3:
            made.PhotometricInterpretation, made.SamplesPerPixel, made.PlanarConfiguration = "RGB", 3, 0
            made.BitsAllocated = made.BitsStored = 8
            made.HighBit, made.PixelData = 7, bytes(4 * 5 * 3)

    write_series(tmp_path, change=colour)
    reading = read_folder(tmp_path)
    assert reading.series[0].volume.shape[0] == 2
    assert any("1 image(s) in colour (RGB) set apart" in s for s in reading.skipped)


@pytest.mark.parametrize("named", ["Scout", "Topogram 0.6 T80f", "3-plane Localizer"])
def test_a_series_named_as_a_scout_is_set_apart(tmp_path, write_series, named, read_folder):
    def scout(made: Dataset, _: int) -> None:
        made.SeriesDescription = named

    write_series(tmp_path, change=scout)
    reading = read_folder(tmp_path)
    assert reading.series == ()
    assert "3 localizer image(s) set apart" in reading.skipped[0]


def test_ct_and_pet_that_share_a_series_uid_are_told_apart(tmp_path, write_series, read_folder):
    write_series(tmp_path, modality="CT")
    write_series(tmp_path, modality="PT")
    assert sorted(s.modality.value for s in read_folder(tmp_path).series) == ["CT", "PT"]


@pytest.mark.parametrize(
    ("tag", "value", "reason"),
    [
        ("ImageOrientationPatient", [1, 0, 0, 1, 0, 0], "not two perpendicular unit vectors"),
        ("ImageOrientationPatient", [1, 0, 0, 0, 1], "not 6 numbers"),
        ("PixelSpacing", [0, 0.5], "not two lengths"),
        ("ImagePositionPatient", [0, 0], "not 3 numbers"),
    ],
)
def test_a_slice_of_impossible_geometry_is_set_apart_and_told(tmp_path, write_series, tag, value, reason, one_series):
    def impossible(made: Dataset, number: int) -> None:
        if number == 3:
            setattr(made, tag, value)

    write_series(tmp_path, change=impossible)
    series = one_series(tmp_path)
    assert series.volume.shape[0] == 2
    assert reason in series.warnings[0]


# Stacks.


def test_a_missing_slice_is_filled_in_between_and_keeps_later_slices_in_place(tmp_path, write_series, one_series):
    write_series(tmp_path, (0.0, 2.0, 6.0, 8.0))  # values 2 * number - 10: -8, -6, -4, -2
    series = one_series(tmp_path)
    assert series.volume[:, 0, 0].tolist() == [-8, -6, -5, -4, -2]
    assert (series.affine_lps @ [0, 0, 3, 1])[2] == 6.0
    assert len(series.sop_instance_uids) == 5
    assert series.sop_instance_uids[2] == series.sop_instance_uids[1]
    assert series.warnings == (
        "slices are missing: 4.00 mm between slices 2 and 3 (usual 2.00 mm); 1 filled by linear interpolation",
    )


def test_a_gap_too_long_to_fill_ends_the_stack(tmp_path, write_series, one_series):
    write_series(tmp_path, (0.0, 2.0, 4.0, 30.0, 32.0))
    series = one_series(tmp_path)
    assert series.volume.shape[0] == 3
    assert "too many to fill" in series.warnings[0]
    assert "3 of 5 slices; the others set apart" in series.warnings[1]


def test_uneven_steps_tell_how_far_slices_lie_from_their_place(tmp_path, write_series, one_series):
    write_series(tmp_path, (0.0, 2.0, 4.6, 6.6))
    series = one_series(tmp_path)
    assert series.spacing_mm[0] == pytest.approx(2.2)
    assert "2.00 to 2.60 mm; their mean 2.20 mm is used, so that slices lie up to 0.20 mm" in series.warnings[0]


def test_a_tilted_gantry_keeps_the_slice_distance_along_the_normal(tmp_path, write_series, one_series):
    def tilted(made: Dataset, _: int) -> None:
        made.ImageOrientationPatient = [1, 0, 0, 0, 0.8, -0.6]  # the normal is (0, 0.6, 0.8); steps stay along z

    write_series(tmp_path, change=tilted)
    series = one_series(tmp_path)
    assert series.spacing_mm[0] == pytest.approx(2.0 * 0.8)
    assert series.affine_lps[:3, 2].tolist() == pytest.approx([0, 0, 2])
    assert abs(np.linalg.det(series.affine_lps[:3, :3])) == pytest.approx(np.prod(series.spacing_mm))
    assert "tilted by 36.9 degrees" in series.warnings[0]


def test_orientations_that_differ_by_rounding_are_one_series(tmp_path, write_series, one_series):
    def jitter(made: Dataset, number: int) -> None:
        made.ImageOrientationPatient = [1, 0.00049 + 0.00002 * number, 0, 0, 1, 0]

    write_series(tmp_path, change=jitter)
    assert one_series(tmp_path).volume.shape[0] == 3


def test_time_points_are_read_once_the_first_acquired(tmp_path, write_series, one_series):
    def second(made: Dataset, number: int) -> None:
        made.AcquisitionNumber = 1 if number <= 3 else 2

    write_series(tmp_path, (0.0, 2.0, 4.0, 0.0, 2.0, 4.0), change=second)
    series = one_series(tmp_path)
    assert series.volume[:, 0, 0].tolist() == [-8, -6, -4]
    assert "3 of 6 slices share a position" in series.warnings[0]


# Values.


def test_rescale_slope_of_zero_is_refused(tmp_path, write_series, read_folder):
    def flat(made: Dataset, _: int) -> None:
        made.RescaleSlope = 0

    write_series(tmp_path, change=flat)
    with pytest.raises(InputError, match=r"RescaleSlope is 0"):
        read_folder(tmp_path)


def test_one_slice_that_is_not_in_hounsfield_units_makes_the_series_arbitrary(tmp_path, write_series, one_series):
    def other(made: Dataset, number: int) -> None:
        if number == 2:
            made.RescaleType = "US"

    write_series(tmp_path, change=other)
    series = one_series(tmp_path)
    assert series.unit is IntensityUnit.ARBITRARY
    assert "RescaleType is 'US'" in series.warnings[0]


def test_bits_above_bits_stored_are_not_image(tmp_path, write_series, one_series):
    def overlay(made: Dataset, number: int) -> None:
        made.BitsStored, made.HighBit, made.PixelRepresentation = 12, 11, 1
        made.PixelData = np.full((4, 5), 0x5FFF if number == 1 else 0x0007, dtype=np.uint16).tobytes()

    write_series(tmp_path, change=overlay)
    series = one_series(tmp_path)
    assert series.volume[:, 0, 0].tolist() == [2 * -1 - 10, 2 * 7 - 10, 2 * 7 - 10]  # 0xFFF is -1 in 12 bits


def test_a_header_that_promises_more_pixels_than_a_file_can_hold_is_refused(tmp_path, write_series, read_folder):
    def lying(made: Dataset, _: int) -> None:
        made.Rows = made.Columns = 60000

    write_series(tmp_path, change=lying)
    with pytest.raises(InputError, match=r"cannot lie in|would fill"):
        read_folder(tmp_path)


@pytest.mark.parametrize("syntax", [RLELossless, JPEGLSLossless, DeflatedExplicitVRLittleEndian])
def test_a_series_is_the_same_volume_in_another_transfer_syntax(tmp_path, write_series, syntax, one_series):
    (tmp_path / "other").mkdir()
    for path in write_series(tmp_path / "plain"):
        dataset = pydicom.dcmread(path)
        if syntax.is_encapsulated:
            dataset.compress(syntax, generate_instance_uid=False)
        else:
            dataset.file_meta.TransferSyntaxUID = syntax
        dataset.save_as(tmp_path / "other" / path.name, enforce_file_format=True)
    expected, found = one_series(tmp_path / "plain"), one_series(tmp_path / "other")
    assert np.array_equal(found.volume, expected.volume)
    assert np.array_equal(found.affine_lps, expected.affine_lps)


@pytest.mark.parametrize("name", ["RLE", "bigendian", "expb", "implicit", "jp2klossless", "jpeg_ls_lossless"])
def test_a_real_mr_slice_is_the_same_in_each_transfer_syntax(open_data: Path, name: str):
    folder = open_data / "radiology/pydicom_test_files"
    (expected,) = read_imaging([read_header(folder / "MR_small.dcm", "plain")]).series
    (found,) = read_imaging([read_header(folder / f"MR_small_{name}.dcm", name)]).series
    assert np.array_equal(found.volume, expected.volume)
    assert np.array_equal(found.affine_lps, expected.affine_lps)


def test_one_real_slice_is_the_same_in_each_lossless_syntax_and_close_in_each_lossy_one(open_data: Path):
    folder = open_data / "radiology/transfer_syntaxes_ct"
    expected = read_imaging([read_header(folder / "CTImage.dcm", "plain")]).series[0].volume
    lossy = {"1.2.840.10008.1.2.4.50": 40.0, "1.2.840.10008.1.2.4.51": 8.0}  # 8 and 12 bits of about 4,400 HU
    paths = sorted(folder.glob("CTImage.dcm_*"))
    seen = 0
    for path in paths:
        syntax = path.name.split("_")[-1].removesuffix(".dcm")
        if syntax == "1.2.840.10008.1.2.4.53":  # no decoder reads this retired process
            with pytest.raises(InputError, match=r"which cannot be decoded here"):
                read_imaging([read_header(path, path.name)])
            continue
        found = read_imaging([read_header(path, path.name)]).series[0].volume
        error = float(np.abs(np.clip(found, -1024, None) - np.clip(expected, -1024, None)).mean())
        assert error <= lossy.get(syntax, 0.0), (path.name, error)
        seen += 1
    assert seen >= 9


# PET.


def _pet(**changes: object) -> Dataset:
    made, drug = Dataset(), Dataset()
    made.Units, made.DecayCorrection, made.CorrectedImage, made.PatientWeight = "BQML", "START", ["ATTN", "DECY"], 70.0
    made.SeriesDate, made.SeriesTime, made.TimezoneOffsetFromUTC = "20240301", "100000", "+0100"
    drug.RadionuclideTotalDose, drug.RadionuclideHalfLife = 370e6, 3600.0
    drug.RadiopharmaceuticalStartDateTime = "20240301080000+0000"  # 09:00 on the scanner's clock
    made.RadiopharmaceuticalInformationSequence = [drug]
    for tag, value in changes.items():
        setattr(drug if tag in drug else made, tag, value)
    return made


def _factor(made: Dataset):
    from encoders.read.suv import scan_start  # noqa: PLC0415

    return suv_factor(made, scan_start([made]))


def test_an_injection_time_with_its_own_utc_offset_is_put_on_the_scanners_clock():
    assert _factor(_pet()).factor == pytest.approx(70000 / (370e6 / 2))


def test_one_correction_alone_is_not_read_letter_by_letter():
    found = _factor(_pet(CorrectedImage="DECY"))
    assert found.factor is None
    assert "CorrectedImage is ['DECY']" in found.reason


@pytest.mark.filterwarnings("ignore:Invalid value for VR TM")
@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"PatientWeight": 70000.0}, "PatientWeight is 70000"),
        ({"RadionuclideTotalDose": 370.0}, "would be MBq"),
        ({"RadionuclideTotalDose": 370e12}, "no patient is given this much"),
        ({"RadionuclideHalfLife": 6.0}, "nothing is left"),
        ({"RadiopharmaceuticalStartDateTime": "20240228080000"}, "50.0 h after injection"),
        ({"SeriesTime": "250000"}, "absent or not a time"),
    ],
)
def test_impossible_weight_dose_and_times_leave_no_factor(change, reason):
    found = _factor(_pet(**change))
    assert found.factor is None
    assert reason in found.reason


# SEG.


def _segmented(open_data: Path, *names: str):
    root = open_data / "radiology"
    slices = sorted((root / "dcmqi_seg/segmentations/ct-3slice").iterdir())
    reading = read_imaging([read_header(p, p.name) for p in (*slices, *(root / n for n in names))])
    (series,), skipped = attach_segments(reading.series, reading.segmentations)
    return series, skipped


@pytest.mark.parametrize(
    "name", ["dcmqi_seg/segmentations/liver.dcm", "pydicom_data/liver_expb.dcm", "pydicom_data/liver_j2k.dcm"]
)
def test_a_seg_is_the_same_mask_in_each_transfer_syntax(open_data: Path, name: str):
    SimpleITK = pytest.importorskip("SimpleITK")  # noqa: N806
    series, skipped = _segmented(open_data, name)
    (liver,) = series.segments
    reference = open_data / "radiology/dcmqi_seg/segmentations/liver_seg.nrrd"
    assert skipped == ()
    assert int(liver.mask.sum()) == 107098
    assert liver.kind == "Tissue"
    assert np.array_equal(liver.mask, SimpleITK.GetArrayFromImage(SimpleITK.ReadImage(str(reference))) > 0)


def test_overlapping_segments_are_each_kept_whole(open_data: Path):
    series, _ = _segmented(open_data, "dcmqi_seg/segmentations/partial_overlaps.dcm")
    assert len(series.segments) == 5
    assert len({s.label for s in series.segments}) == 5
    dataset = pydicom.dcmread(open_data / "radiology/dcmqi_seg/segmentations/partial_overlaps.dcm")
    drawn = {about.SegmentLabel: 0 for about in dataset.SegmentSequence}
    for frame, group in zip(dataset.pixel_array, dataset.PerFrameFunctionalGroupsSequence, strict=True):
        number = group.SegmentIdentificationSequence[0].ReferencedSegmentNumber
        drawn[dataset.SegmentSequence[number - 1].SegmentLabel] += int(frame.sum())
    assert {s.label: int(s.mask.sum()) for s in series.segments} == drawn
    assert sum(s.mask.astype(int) for s in series.segments).max() > 1


def test_a_seg_whose_frames_are_not_all_there_is_left_out_with_the_reason(open_data: Path):
    series, skipped = _segmented(open_data, "pydicom_test_files/liver_1frame.dcm")
    assert series.segments == ()
    assert "3 functional groups for 1 frames" in skipped[0]


# Files and folders.


def test_dicom_without_its_preamble_is_known_by_its_first_element(open_data: Path):
    for name in ("pydicom_data/JLSL_RGB_ILV0.dcm", "pydicom_data/OT-PAL-8-face.dcm", "pydicom_test_files/rtstruct.dcm"):
        assert sniff(open_data / "radiology" / name, name).kind is FileKind.DICOM, name


def test_a_text_is_not_dicom(tmp_path):
    path = tmp_path / "note.txt"
    path.write_text("CT of the chest\n", encoding="utf-8")
    assert sniff(path, "note.txt").kind is FileKind.NOTE


def test_a_dicomdir_tells_which_of_its_files_were_lost(open_data: Path):
    folder = open_data / "radiology/pydicom_test_files/dicomdirtests"
    (told,) = absent_files(folder / "DICOMDIR", "DICOMDIR")
    assert told.startswith("DICOMDIR: ")
    assert "are not in the folder" in told
    assert absent_files(folder / "DICOMDIR-empty.dcm", "empty") == ()


def test_a_series_from_a_folder_carries_its_doubts(tmp_path, write_series):
    write_series(tmp_path)
    patient = read_patient(tmp_path)
    assert any("only 3 slice(s), 6.0 mm" in w for w in patient.imaging[0].warnings)
    assert any("too few for a volume" in w for w in patient.warnings)
