"""Body regions: by words as headers write them, by content of made and real CTs, and where primaries lie."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from encoders import oncotree
from encoders.body_region import (
    PRIMARY_REGIONS,
    BodyRegion,
    find_region,
    overlapping,
    primary_regions,
    region_by_content,
    regions_in_words,
)
from encoders.patient import ImagingModality, ImagingSeries, IntensityUnit, SeriesHeader, SourceLocator
from encoders.read.dicom import read_header, read_imaging
from encoders.synthetic.cohort import sample_case

R = BodyRegion
OPEN = Path(__file__).parents[2].parent / "shared/data/open/radiology"


def _series(volume=None, **more) -> ImagingSeries:
    values = {
        "modality": ImagingModality.CT,
        "series_uid": "1",
        "date": None,
        "volume": np.zeros((2, 4, 4), np.float32) if volume is None else volume.astype(np.float32),
        "unit": IntensityUnit.HU,
        "spacing_mm": (3.0, 2.0, 2.0),
        "affine_lps": np.diag([2.0, 2.0, 3.0, 1.0]),
        "source": SourceLocator("ct"),
    }
    return ImagingSeries(**{**values, **more})


@pytest.mark.parametrize(
    ("words", "regions"),
    [
        ("CHESTABDPELVIS", (R.CHEST, R.ABDOMEN, R.PELVIS)),
        ("HEADNECK", (R.HEAD, R.NECK)),
        ("BRAIN", (R.HEAD,)),
        ("TSPINE", (R.SPINE,)),
        ("MR thoracic spine w/o", (R.SPINE,)),
        ("Thorax^1_ThoraxRoutine", (R.CHEST,)),
        ("KNEE", (R.LIMB,)),
        ("PET WB CTAC", (R.WHOLE_BODY,)),
        ("skull base to mid-thigh", (R.WHOLE_BODY,)),
        ("t1_mprage_sag Schaedel", (R.HEAD,)),
        ("head first supine", ()),
        ("liver neuroendocrine", (R.ABDOMEN,)),
        ("alarm worship tiptoed", ()),
        ("", ()),
    ],
)
def test_regions_in_words_as_headers_write_them(words, regions):
    assert regions_in_words(words) == regions


def test_the_first_tag_that_tells_is_the_source_and_a_contradiction_is_told():
    header = SeriesHeader(description="Abdomen portal", study_description="CT knee")
    found = find_region(_series(header=header))
    assert (found.regions, found.source) == ((R.ABDOMEN,), "SeriesDescription")
    assert found.disagrees == "SeriesDescription says abdomen, StudyDescription limb"
    agreeing = find_region(_series(body_part="CHEST", header=SeriesHeader(anatomic_regions=("Lung structure",))))
    assert (agreeing.source, agreeing.disagrees) == ("BodyPartExamined", "")


def test_silence_is_unknown():
    found = find_region(_series())
    assert (found.regions, found.source, found.words) == ((), "", "unknown body part")


def test_the_breast_lies_on_the_chest_and_the_whole_body_on_everything():
    assert overlapping((R.BREAST,), (R.CHEST,))
    assert overlapping((R.WHOLE_BODY,), (R.LIMB,))
    assert not overlapping((R.HEAD,), (R.CHEST,))
    assert not overlapping((), (R.CHEST,))


def test_every_oncotree_tissue_has_its_regions():
    tissues = {code for code, node in oncotree.table().items() if node.parent is None}
    assert set(PRIMARY_REGIONS) == tissues
    assert primary_regions("GB") == {R.HEAD, R.SPINE}
    assert primary_regions("LUAD") == {R.CHEST}
    assert primary_regions("NOT-A-CODE") == primary_regions(None) == primary_regions("MEL") == frozenset()


# Content: disks in air, 2 mm pixels, 3 mm slices.


def _disk(volume: np.ndarray, radius_mm: float, value: float, centre_mm=(0.0, 0.0)) -> None:
    y, x = (2.0 * (np.arange(n) - n / 2) for n in volume.shape[1:])
    inside = (y[:, None] - centre_mm[0]) ** 2 + (x[None] - centre_mm[1]) ** 2 <= radius_mm**2
    volume[:, inside] = value


def _trunk(inner_hu: float) -> np.ndarray:
    volume = np.full((30, 200, 200), -1000.0)
    _disk(volume, 150, 40)
    _disk(volume, 50, inner_hu, (0, -70))
    _disk(volume, 50, inner_hu, (0, 70))
    return volume


def _skull(ring_hu: float) -> np.ndarray:
    volume = np.full((30, 200, 200), -1000.0)
    _disk(volume, 85, 40)
    _disk(volume, 80, ring_hu)
    _disk(volume, 72, 35)
    return volume


def test_enclosed_lung_is_a_chest_and_gas_or_open_air_is_not():
    assert region_by_content(_series(_trunk(-850))) is R.CHEST
    assert region_by_content(_series(_trunk(-1000))) is None  # gas, as in a distended bowel
    assert region_by_content(_series(_trunk(40))) is None
    assert region_by_content(_series(_trunk(-850)[:, 60:140, 60:140])) is None  # cut by the field of view


def test_a_ring_of_bone_around_brain_is_a_head_and_an_open_ring_is_not():
    assert region_by_content(_series(_skull(900))) is R.HEAD
    assert region_by_content(_series(_skull(100))) is None
    open_ring = _skull(900)
    open_ring[:, :95, 90:110] = 40
    assert region_by_content(_series(open_ring)) is None


def test_content_is_only_judged_in_hounsfield_units_on_axial_slices():
    assert region_by_content(_series(_skull(900), unit=IntensityUnit.ARBITRARY)) is None
    turned = np.array([[2.0, 0, 0, 0], [0, 0, 3.0, 0], [0, 2.0, 0, 0], [0, 0, 0, 1]])
    assert region_by_content(_series(_skull(900), affine_lps=turned)) is None


def test_content_agrees_with_the_header_of_synthetic_and_real_cts():
    for code, region in (("LUAD", R.CHEST), ("CCRCC", None)):
        assert region_by_content(sample_case(3, seed=5, oncotree=code).patient.imaging[0]) is region
    if not OPEN.is_dir():
        pytest.skip("the shared real data are not beside this repository")
    head = read_imaging([read_header(OPEN / "pydicom_test_files/J2K_pixelrep_mismatch.dcm", "head")]).series[0]
    lung = OPEN / "lung_ct_rtstruct_4DLung_113_HM10395/CT"
    chest = read_imaging([read_header(p, p.name) for p in sorted(lung.iterdir())]).series[0]
    assert (head.body_part, region_by_content(head)) == ("HEAD", R.HEAD)
    assert (chest.body_part, region_by_content(chest)) == ("LUNG", R.CHEST)
