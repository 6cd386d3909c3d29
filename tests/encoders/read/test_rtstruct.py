"""RTSTRUCT contours into voxels: hand-counted squares, holes, odd contours, and a real lung tumour's known volume."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, RTStructureSetStorage, generate_uid

from encoders.patient import ImagingSeries
from encoders.read.dicom import read_header, read_imaging
from encoders.read.rtstruct import attach_structures

Points = Sequence[tuple[float, float, float]]
SIDE = 20


def _square(low: float, high: float, z: float) -> Points:
    return [(low, low, z), (high, low, z), (high, high, z), (low, high, z)]


def _contour(points: Points, kind: str) -> Dataset:
    made = Dataset()
    made.ContourGeometricType, made.NumberOfContourPoints = kind, len(points)
    made.ContourData = [f"{v:g}" for point in points for v in point]
    return made


def _write_rtstruct(
    path: Path, rois: dict[str, Sequence[Points | tuple[str, Points]]], *, series: str = "1.2.3.4", kind: str = "GTV"
) -> None:
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID = RTStructureSetStorage, generate_uid()
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    made = FileDataset(None, {}, file_meta=meta, preamble=b"\0" * 128)
    made.SOPClassUID, made.SOPInstanceUID = meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID
    made.Modality, made.PatientID = "RTSTRUCT", "P-001"
    one, study, space = Dataset(), Dataset(), Dataset()
    one.SeriesInstanceUID = series
    study.RTReferencedSeriesSequence, space.RTReferencedStudySequence = [one], [study]
    made.ReferencedFrameOfReferenceSequence = [space]
    made.StructureSetROISequence, made.ROIContourSequence, made.RTROIObservationsSequence = [], [], []
    for number, (name, contours) in enumerate(rois.items(), start=1):
        about, drawn, observed = Dataset(), Dataset(), Dataset()
        about.ROINumber, about.ROIName = number, name
        drawn.ReferencedROINumber = observed.ReferencedROINumber = number
        observed.RTROIInterpretedType = kind
        drawn.ContourSequence = [
            _contour(c[1], c[0]) if isinstance(c[0], str) else _contour(c, "CLOSED_PLANAR") for c in contours
        ]
        made.StructureSetROISequence.append(about)
        made.ROIContourSequence.append(drawn)
        made.RTROIObservationsSequence.append(observed)
    made.save_as(path, enforce_file_format=True)


@pytest.fixture
def read_with_rois(tmp_path, write_series) -> Callable[..., tuple[ImagingSeries, tuple[str, ...]]]:
    """A CT of 1 mm voxels, 20 x 20 x 4 from the LPS origin, with the given ROIs."""

    def grid(made: Dataset, _: int) -> None:
        made.Rows = made.Columns = SIDE
        made.PixelSpacing, made.SliceThickness = [1, 1], 1.0
        made.ImagePositionPatient = [0, 0, made.ImagePositionPatient[2]]
        made.PixelData = bytes(2 * SIDE * SIDE)

    def read(rois, **options):
        write_series(tmp_path, (0.0, 1.0, 2.0, 3.0), change=grid)
        _write_rtstruct(tmp_path / "rt.dcm", rois, **options)
        files = [read_header(p, p.name) for p in sorted(tmp_path.iterdir())]
        reading = read_imaging(files)
        (series,), skipped = attach_structures(reading.series, reading.structure_sets)
        return series, skipped

    return read


def test_a_square_holds_the_voxels_whose_centres_it_encloses(read_with_rois):
    series, skipped = read_with_rois({"GTV-1": [_square(4.5, 9.5, 1.0), _square(4.5, 9.5, 2.0)]})
    (segment,) = series.segments
    assert skipped == ()
    assert (segment.label, segment.kind, segment.proposed) == ("GTV-1", "GTV", False)
    assert segment.source.file == "rt.dcm"
    assert segment.mask.sum(axis=(1, 2)).tolist() == [0, 25, 25, 0]
    assert np.argwhere(segment.mask[1]).min(axis=0).tolist() == [5, 5]


def test_a_contour_inside_another_is_a_hole(read_with_rois):
    series, _ = read_with_rois({"ring": [_square(2.5, 12.5, 0.0), _square(5.5, 8.5, 0.0)]})
    assert int(series.segments[0].mask.sum()) == 100 - 9
    assert not series.segments[0].mask[0, 7, 7]


def test_an_island_in_a_hole_is_filled_and_xor_contours_count_alike(read_with_rois):
    nested = [("CLOSEDPLANAR_XOR", _square(low, 16 - low, 0.0)) for low in (0.5, 3.5, 5.5)]
    series, _ = read_with_rois({"target": nested})
    assert int(series.segments[0].mask.sum()) == 15**2 - 9**2 + 5**2


def test_a_keyhole_is_a_hole(read_with_rois):
    outer, inner = _square(2.5, 12.5, 0.0), _square(5.5, 8.5, 0.0)[::-1]
    keyhole = [*outer, outer[0], *inner, inner[0]]
    series, _ = read_with_rois({"ring": [keyhole]})
    assert int(series.segments[0].mask.sum()) == 100 - 9


def test_each_roi_keeps_its_name_and_overlap_is_allowed(read_with_rois):
    series, _ = read_with_rois({"CTV": [_square(1.5, 6.5, 0.0)], "Heart": [_square(4.5, 9.5, 0.0)]})
    assert [s.label for s in series.segments] == ["CTV", "Heart"]
    assert int((series.segments[0].mask & series.segments[1].mask).sum()) == 4


@pytest.mark.parametrize(
    ("extra", "reason"),
    [
        (_square(1.5, 6.5, 40.0), "1 of 2 contours lie on no slice of the series"),
        ([(1.5, 1.5, 0.0), (6.5, 1.5, 0.0), (6.5, 6.5, 3.0)], "1 of 2 contours are not parallel to the slices"),
        (("POINT", [(3.0, 3.0, 0.0)]), "1 of 2 contours are points or open lines"),
        (("OPEN_PLANAR", _square(1.5, 6.5, 0.0)), "1 of 2 contours are points or open lines"),
        (_square(4.5, 9.5, 1.3), "1 of 2 contours lie between slices, beside a nearer contour"),
    ],
)
def test_a_contour_that_cannot_be_filled_is_counted_and_the_rest_kept(read_with_rois, extra, reason):
    series, skipped = read_with_rois({"GTV": [_square(4.5, 9.5, 1.0), extra]})
    assert int(series.segments[0].mask.sum()) == 25
    assert skipped == (f"rt.dcm: ROI 'GTV': {reason}",)


def test_slices_skipped_between_contours_are_told(read_with_rois):
    series, skipped = read_with_rois({"GTV": [_square(4.5, 9.5, 0.0), _square(4.5, 9.5, 3.0)]})
    assert series.segments[0].mask.any(axis=(1, 2)).tolist() == [True, False, False, True]
    assert skipped == ("rt.dcm: ROI 'GTV': 2 slices between its contours have none and stay empty",)


def test_a_roi_off_the_image_is_left_out_with_the_reason(read_with_rois):
    series, skipped = read_with_rois({"far": [_square(100.5, 120.5, 1.0)]})
    assert series.segments == ()
    assert skipped == ("rt.dcm: ROI 'far' covers no voxel of its series; left out",)


def test_the_body_outline_is_not_a_region(read_with_rois):
    series, skipped = read_with_rois({"BODY": [_square(0.5, 18.5, 1.0)]}, kind="EXTERNAL")
    assert series.segments == ()
    assert "ROI 'BODY' is of type EXTERNAL" in skipped[0]


def test_contours_of_another_series_are_not_placed(read_with_rois):
    series, skipped = read_with_rois({"GTV": [_square(4.5, 9.5, 1.0)]}, series="9.9.9")
    assert series.segments == ()
    assert skipped == ("rt.dcm: contours of a series that is not in the folder (9.9.9)",)


def _real(open_data: Path, *patterns: str):
    root = open_data / "radiology"
    files = [read_header(p, p.name) for pattern in patterns for p in sorted(root.glob(pattern))]
    reading = read_imaging(files)
    return attach_structures(reading.series, reading.structure_sets)


def test_a_real_lung_tumour_has_its_known_volume_and_density(open_data: Path):
    (series,), skipped = _real(open_data, "lung_ct_rtstruct_4DLung_113_HM10395/*/*.dcm")
    found = {s.label: s.mask for s in series.segments}
    assert set(found) == {"Tumor_c40", "LN_c40", "Carina_c40", "Vertebra_c40"}
    voxel_ml = float(np.prod(series.spacing_mm)) / 1000
    assert int(found["Tumor_c40"].sum()) == pytest.approx(23611, rel=0.01)
    assert found["Tumor_c40"].sum() * voxel_ml == pytest.approx(67.63, rel=0.01)
    assert found["Vertebra_c40"].sum() * voxel_ml == pytest.approx(9.81, rel=0.01)
    assert float(series.volume[found["Tumor_c40"]].mean()) == pytest.approx(-21.7, abs=0.2)
    assert float(series.volume[found["Vertebra_c40"]].mean()) == pytest.approx(172.6, rel=0.01)
    assert found["Tumor_c40"].any(axis=(1, 2)).sum() == 28
    assert skipped == ("1-1.dcm: ROI 'LN_c40': 9 of 21 contours lie on no slice of the series",)


@pytest.mark.parametrize(("name", "rois"), [("rt", 1), ("invalid_reference_rt", 4), ("non_existent_reference_rt", 4)])
def test_sets_with_bad_references_are_placed_by_what_is_right_in_them(open_data: Path, name: str, rois: int):
    (series,), _ = _real(open_data, "rt_utils/mock_data/ct_*.dcm", f"rt_utils/mock_data/{name}.dcm")
    assert len(series.segments) == rois
    assert all(s.mask.any() for s in series.segments)
