"""The verdict on a series: each rule by a series made for it, none for a believable one, and in a prediction."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from encoders.patient import (
    ImagingModality,
    ImagingSeries,
    IntensityUnit,
    Segment,
    SeriesHeader,
    SeriesVerdict,
    SourceLocator,
)
from encoders.predict import predict
from encoders.read.dicom import read_header, read_imaging
from encoders.read.rtstruct import attach_structures
from encoders.read.validity import LEARNED, LEARNED_WITH_CONTRAST, find_doubts, find_refusals, with_verdict
from encoders.series_kind import SERIES_KINDS, series_kind
from encoders.synthetic.cohort import sample_case
from encoders.synthetic.imaging import PLANS

CT, PT = (ImagingModality.CT, IntensityUnit.HU), (ImagingModality.PT, IntensityUnit.SUVBW)
MR = (ImagingModality.MR, IntensityUnit.ARBITRARY)


def _series(volume: np.ndarray, kind=CT, spacing_mm=(3.0, 1.0, 1.0), **more: object) -> ImagingSeries:
    values: dict[str, object] = {
        "modality": kind[0],
        "series_uid": "1.2.3",
        "date": None,
        "volume": volume.astype(np.float32),
        "unit": kind[1],
        "spacing_mm": spacing_mm,
        "affine_lps": np.eye(4),
        "source": SourceLocator("ct"),
        "warnings": ("an earlier one",),
    }
    return ImagingSeries(**{**values, **more})


def _body(slices: int = 10, low: float = -1000, high: float = 1500) -> np.ndarray:
    """Every value from ``low`` to ``high`` once, so that none is common."""
    return np.linspace(low, high, slices * 400).reshape(slices, 20, 20)


def _lesion(*box: slice) -> tuple[Segment, ...]:
    mask = np.zeros((10, 20, 20), bool)
    mask[box] = True
    return (Segment("lesion", mask, SourceLocator("seg")),)


INSIDE = _lesion(slice(4, 6), slice(8, 12), slice(8, 12))


def test_a_believable_ct_and_pet_raise_no_doubt():
    for series in (_series(_body(), segments=INSIDE), _series(_body(low=0, high=12), PT, segments=INSIDE)):
        judged = with_verdict(series)
        assert judged.validity.verdict is SeriesVerdict.OK
        assert judged.validity.reasons == ()
        assert judged.warnings == ("an earlier one",)


def _clipped(volume: np.ndarray) -> np.ndarray:
    return np.clip(volume, None, 1000)


@pytest.mark.parametrize(
    ("make", "kind", "doubt"),
    [
        (lambda: _body(slices=4), CT, "only 4 slice(s), 12.0 mm: too few"),
        (lambda: _clipped(_body()), CT, "20.0% of voxels hold the largest value, 1000: saturated"),
        (lambda: _body(low=-100, high=254), CT, "no voxel is below -200 HU (lowest -100)"),
        (lambda: _body(high=40000), CT, "the highest value is 40000 HU"),
        (lambda: _body(low=0, high=9000), PT, "the largest SUVbw is 9000"),
        (lambda: _body(low=0, high=0.01), PT, "the largest SUVbw is 0.01"),
    ],
)
def test_each_doubt_is_told_once_and_added_to_the_warnings(make: Callable[[], np.ndarray], kind, doubt):
    series = with_verdict(_series(make(), kind))
    assert series.validity.verdict is SeriesVerdict.DOUBTFUL
    assert len(series.validity.reasons) == 1
    assert doubt in series.validity.reasons[0]
    assert series.warnings == ("an earlier one", *series.validity.reasons)


def test_a_short_stack_of_thin_slices_is_doubted():
    (doubt,) = find_doubts(_series(_body(), spacing_mm=(1.0, 1.0, 1.0)))
    assert "only 10 slice(s), 10.0 mm" in doubt


def test_mr_has_no_unit_to_be_judged_by():
    assert find_doubts(_series(_body(low=0, high=254), MR)) == find_refusals(_series(_body(low=0, high=254), MR)) == ()


@pytest.mark.parametrize(
    ("box", "doubt"),
    [
        ((slice(0, 3), slice(8, 12), slice(8, 12)), "reaches the first slice"),
        ((slice(7, 10), slice(8, 12), slice(8, 12)), "reaches the last slice"),
        ((slice(4, 6), slice(0, 4), slice(8, 12)), "reaches the border of the field of view"),
        ((slice(4, 6), slice(8, 12), slice(16, 20)), "reaches the border of the field of view"),
    ],
)
def test_a_lesion_cut_by_the_edge_is_doubted(box, doubt):
    judged = with_verdict(_series(_body(), segments=_lesion(*box)))
    assert judged.validity.verdict is SeriesVerdict.DOUBTFUL
    assert doubt in judged.validity.reasons[0]


def _full_lesion() -> np.ndarray:
    volume = _body()
    volume[INSIDE[0].mask] = 1500.0
    return volume


@pytest.mark.parametrize(
    ("make", "kind", "more", "reason"),
    [
        (lambda: np.full((10, 20, 20), 7.0), CT, {}, "every voxel holds 7: an empty image"),
        (lambda: _body() > 0, MR, {}, "hold only 2 values: a mask or a drawing"),
        (lambda: _body(low=0, high=254), CT, {}, "an 8-bit picture of a CT"),
        (_body, (ImagingModality.CT, IntensityUnit.ARBITRARY), {}, "a CT in arbitrary units"),
        (_body, (ImagingModality.PT, IntensityUnit.ARBITRARY), {}, "a PET in arbitrary units; the networks read SUVbw"),
        (lambda: np.clip(_body(), None, 0), CT, {}, "60% of voxels hold the largest value, 0: saturated beyond use"),
        (_full_lesion, CT, {"segments": INSIDE}, "100% of the lesion holds the largest value"),
        (
            _body,
            CT,
            {"segments": _lesion(slice(0, 10), slice(8, 12), slice(8, 12))},
            "the first and the last of 10 slice(s)",
        ),
        (_body, MR, {"header": SeriesHeader(image_type=("DERIVED", "PRIMARY", "ADC"))}, "computed map (ImageType ADC)"),
        (_body, MR, {"header": SeriesHeader(description="ep2d_diff_b1000_ADC")}, "computed map (SeriesDescription"),
        (_body, CT, {"header": SeriesHeader(image_type=("DERIVED", "SECONDARY", "MIP"))}, "a projection"),
        (_body, CT, {"header": SeriesHeader(phantom=True)}, "a phantom"),
    ],
)
def test_each_refusal_is_told_and_outweighs_doubts(make, kind, more, reason):
    judged = with_verdict(_series(make(), kind, **more))
    assert judged.validity.verdict is SeriesVerdict.REFUSED
    assert reason in judged.validity.reasons[0]
    assert f"not read by the networks: {judged.validity.reasons[0]}" in judged.warnings


def test_a_single_slice_cannot_hold_the_lesion_outlined_on_it():
    mask = np.zeros((1, 20, 20), bool)
    mask[0, 8:12, 8:12] = True
    segments = (Segment("tumour", mask, SourceLocator("seg")),)
    assert "the stack does not hold it" in find_refusals(_series(_body(1), segments=segments))[0]


@pytest.mark.parametrize(
    "words",
    [
        {"description": "t2_tse_tra"},
        {"description": "Adcock lesion follow-up"},
        {"description": "Faint contrast"},
        {"image_type": ("ORIGINAL", "PRIMARY", "M", "ND", "NORM")},
        {"image_type": ("DERIVED", "PRIMARY", "AXIAL")},
    ],
)
def test_words_that_only_resemble_a_maps_are_not_refused(words):
    assert find_refusals(_series(_body(), MR, header=SeriesHeader(**words))) == ()


# Against the patient's cancer.


@pytest.mark.parametrize(
    ("code", "kind", "more", "doubt"),
    [
        (
            "GB",
            MR,
            {"body_part": "KNEE", "role": "FLAIR"},
            "it shows the limb (by BodyPartExamined); the primary of Gl",
        ),
        ("LUAD", CT, {"header": SeriesHeader(description="CT HEAD")}, "it shows the head (by SeriesDescription)"),
        ("LUAD", CT, {"body_part": "CHEST", "header": SeriesHeader(protocol="knee")}, "disagrees on the body part"),
        ("DIFG", CT, {"body_part": "HEAD"}, "CT is not what the networks learned Diffuse Glioma from"),
        ("BRCA", MR, {"body_part": "BREAST", "role": "T2"}, "MR other is not what the networks learned"),
        ("CCRCC", CT, {"header": SeriesHeader(contrast_agent="")}, "no contrast agent is named"),
        ("CCRCC", CT, {"header": SeriesHeader(contrast_agent="", description="non-contrast enhanced")}, "no contrast"),
    ],
)
def test_a_series_that_does_not_fit_the_cancer_is_doubted(code, kind, more, doubt):
    series = _series(_body(), kind, **more)
    assert find_doubts(series) == ()
    (told,) = find_doubts(series, code)
    assert doubt in told
    assert find_refusals(series) == ()


@pytest.mark.parametrize(
    ("code", "kind", "more"),
    [
        ("LUAD", CT, {"body_part": "CHESTABDPELVIS"}),
        ("LUAD", PT, {"header": SeriesHeader(description="WB 3D FDG")}),
        ("BRCA", MR, {"body_part": "THORAX", "role": "T1 post-contrast"}),
        ("CCRCC", CT, {"header": SeriesHeader(contrast_agent="iohexol", description="with and without")}),
        ("CCRCC", CT, {"header": SeriesHeader(contrast_agent=None)}),
        ("CCRCC", CT, {"header": SeriesHeader(contrast_agent="", description="abdomen portal venous")}),
        ("MEL", MR, {"body_part": "KNEE"}),
        (None, MR, {"body_part": "KNEE"}),
    ],
)
def test_a_series_that_fits_the_cancer_or_cannot_be_judged_is_not_doubted(code, kind, more):
    low = 0 if kind is PT else -1000
    assert find_doubts(_series(_body(low=low, high=12 if kind is PT else 1500), kind, **more), code) == ()


def test_what_the_networks_learned_is_what_the_synthetic_cohort_holds():
    assert set(LEARNED) == set(PLANS)
    for code, plans in PLANS.items():
        made = [_series(_body(), (p.modality, p.unit), role=p.role, body_part=p.body_part) for p in plans]
        assert [SERIES_KINDS[series_kind(s)] for s in made] == list(LEARNED[code])
    assert set(LEARNED_WITH_CONTRAST) <= set(LEARNED)


# Real files.


def test_verdicts_on_real_series(open_data: Path, read_folder):
    root = open_data / "radiology"
    lung = [p for p in sorted((root / "lung_ct_rtstruct_4DLung_113_HM10395").rglob("*")) if p.is_file()]
    reading = read_imaging([read_header(p, p.name) for p in lung])
    (series,), _ = attach_structures(reading.series, reading.structure_sets)
    assert with_verdict(series, "LUAD").validity.verdict is SeriesVerdict.OK
    (told,) = with_verdict(series, "DIFG").validity.reasons[:1]
    assert "it shows the chest (by BodyPartExamined); the primary of Diffuse Glioma lies in the head" in told
    (phantom,) = read_folder(root / "rt_utils/mock_data").series
    assert "a phantom" in find_refusals(phantom)[0]
    (mapped,) = read_imaging([read_header(root / PERFUSION, "perfusion")]).series
    assert any("a computed map (ImageType RCBF)" in r for r in find_refusals(mapped))


PERFUSION = "transfer_syntaxes_ct/CT0012.fragmented_no_bot_jpeg_baseline.51.dcm"


# The way into the prediction; into the report: tests/assistant/test_series_validity.py.


def test_a_patient_whose_every_series_is_refused_says_so():
    patient = sample_case(7, seed=11, oncotree="CCRCC").patient
    empty = with_verdict(replace(patient.imaging[0], volume=np.zeros_like(patient.imaging[0].volume)))
    got = predict(replace(patient, imaging=(empty,)), explain=False)
    assert "every image series was refused (CT abdomen: every voxel holds 0" in got.not_predicted["molecular:BAP1"]
