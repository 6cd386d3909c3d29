"""Several volumes in one series: set apart by the tag that tells them apart, one read, none mixed."""

from __future__ import annotations

import highdicom as hd
import numpy as np
import pydicom
import pytest
from pydicom.dataset import Dataset
from pydicom.sr.codedict import codes

from encoders.read.dicom import read_header, read_imaging
from encoders.read.segments import attach_segments

LEVELS = (0.0, 2.0, 4.0)


def _volumes(count: int, tag: str, values: tuple, *, shuffled: bool = False):
    """Change for ``write_series``: slice number n belongs to volume (n - 1) // 3, or n % count when shuffled."""

    def change(made: Dataset, number: int) -> None:
        which = (number - 1) % count if shuffled else (number - 1) // len(LEVELS)
        setattr(made, tag, values[which])

    return change


@pytest.mark.parametrize(
    ("tag", "values", "first"),
    [
        ("TemporalPositionIdentifier", (2, 1), [4, 5, 6]),
        ("DiffusionBValue", (1000.0, 0.0), [4, 5, 6]),
        ("EchoTime", (90.0, 12.0), [4, 5, 6]),
        ("AcquisitionNumber", (1, 2), [1, 2, 3]),
        ("ImageType", (["ORIGINAL", "PRIMARY", "W"], ["ORIGINAL", "PRIMARY", "F"]), [4, 5, 6]),
    ],
)
def test_the_first_of_two_volumes_is_read_and_the_tag_named(tmp_path, write_series, one_series, tag, values, first):
    write_series(tmp_path, LEVELS * 2, change=_volumes(2, tag, values))
    series = one_series(tmp_path)
    assert series.volume[:, 0, 0].tolist() == [2 * n - 10 for n in first]
    (told,) = series.warnings
    assert told.startswith(f"3 of 6 slices share a position with another: 2 volumes by {tag} (")
    assert told.endswith("the first, was read, the others set apart")


def test_no_volume_is_mixed_from_two_however_the_files_lie(tmp_path, write_series, one_series):
    """Values 1 and 4, 2 and 5, 3 and 6 share a position; the volumes are 1, 5, 3 and 4, 2, 6."""
    write_series(tmp_path, LEVELS * 2, change=_volumes(2, "TemporalPositionIdentifier", (1, 2), shuffled=True))
    assert one_series(tmp_path).volume[:, 0, 0].tolist() == [2 * n - 10 for n in (1, 5, 3)]


def test_an_interrupted_acquisition_gives_way_to_the_full_one(tmp_path, write_series, one_series):
    def second(made: Dataset, number: int) -> None:
        made.AcquisitionNumber = 1 if number <= 2 else 2

    write_series(tmp_path, (0.0, 2.0, 0.0, 2.0, 4.0), change=second)
    series = one_series(tmp_path)
    assert series.volume[:, 0, 0].tolist() == [2 * n - 10 for n in (3, 4, 5)]
    assert "2, the first of the fullest, was read" in series.warnings[0]


def test_an_acquisition_number_of_its_own_for_each_slice_is_no_volume(tmp_path, write_series, one_series):
    def own(made: Dataset, number: int) -> None:
        made.AcquisitionNumber = number

    write_series(tmp_path / "even", LEVELS, change=own)
    assert one_series(tmp_path / "even").volume.shape[0] == 3
    assert one_series(tmp_path / "even").warnings == ()
    write_series(tmp_path / "doubled", (0.0, 2.0, 2.0, 4.0), change=own)
    series = one_series(tmp_path / "doubled")
    assert series.volume[:, 0, 0].tolist() == [2 * n - 10 for n in (1, 2, 4)]
    assert "no tag tells apart); the first acquired was read" in series.warnings[0]


def test_b_values_with_several_directions_need_both_tags(tmp_path, write_series, one_series):
    directions = ([0.0, 0.0, 0.0], [1.0, 0.0, 0.0], [0.0, 1.0, 0.0])

    def diffusion(made: Dataset, number: int) -> None:
        which = (number - 1) // 3
        made.DiffusionBValue = 0.0 if which == 0 else 800.0
        made.DiffusionGradientOrientation = directions[which]

    write_series(tmp_path, LEVELS * 3, modality="MR", change=diffusion)
    series = one_series(tmp_path)
    assert series.volume[:, 0, 0].tolist() == [2 * n - 10 for n in (1, 2, 3)]
    assert "3 volumes by DiffusionBValue and DiffusionGradientOrientation" in series.warnings[0]


def test_the_volume_a_segment_was_drawn_on_is_read_instead_of_the_first(tmp_path, write_series):
    paths = write_series(tmp_path, LEVELS * 2, change=_volumes(2, "TemporalPositionIdentifier", (1, 2)))
    sources = [pydicom.dcmread(p) for p in paths[3:]]
    for source in sources:  # what highdicom copies and the small slices lack
        source.FrameOfReferenceUID, source.PatientName, source.StudyID = "1.2.77", "", ""
        source.PatientBirthDate = source.PatientSex = source.AccessionNumber = source.StudyDate = source.StudyTime = ""
        source.PositionReferenceIndicator = source.ReferringPhysicianName = ""
    described = hd.seg.SegmentDescription(
        segment_number=1,
        segment_label="Lesion",
        segmented_property_category=codes.SCT.MorphologicallyAbnormalStructure,
        segmented_property_type=codes.SCT.Neoplasm,
        algorithm_type=hd.seg.SegmentAlgorithmTypeValues.MANUAL,
    )
    mask = np.zeros((3, 4, 5), np.uint8)
    mask[1, 1:3, 1:4] = 1
    hd.seg.Segmentation(
        sources, mask, hd.seg.SegmentationTypeValues.BINARY, [described], "1.2.99", 9, "1.2.98", 1,
        manufacturer="made up", manufacturer_model_name="none", software_versions="1", device_serial_number="0",
    ).save_as(tmp_path / "seg.dcm")  # fmt: skip
    reading = read_imaging([read_header(p, p.name) for p in sorted(tmp_path.iterdir())])
    (series,), skipped = attach_segments(reading.series, reading.segmentations)
    assert skipped == ()
    assert series.volume[:, 0, 0].tolist() == [2 * n - 10 for n in (4, 5, 6)]
    assert "2, the one outlined, was read" in series.warnings[0]
    assert int(series.segments[0].mask.sum()) == 6


def test_a_real_enhanced_fmri_is_its_first_time_point(open_data, read_folder):
    folder = open_data / "radiology/dicom2nifti_series/philips_enhanced/fmri/001"
    (series,) = read_folder(folder).series
    assert "24 of 32 slices share a position with another: 4 volumes by TemporalPositionIndex" in series.warnings[0]
    dataset = pydicom.dcmread(next(folder.iterdir()))
    groups = dataset.PerFrameFunctionalGroupsSequence
    first = [i for i, g in enumerate(groups) if g.FrameContentSequence[0].TemporalPositionIndex == 1]
    found = {float(plane.sum()) for plane in series.volume}
    rescaled = {
        float((dataset.pixel_array[i] * t.RescaleSlope + t.RescaleIntercept).astype(np.float32).sum())
        for i in first
        for t in groups[i].PixelValueTransformationSequence
    }
    assert sorted(found) == pytest.approx(sorted(rescaled), rel=1e-5)
