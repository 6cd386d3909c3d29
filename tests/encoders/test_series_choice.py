"""Which series is read: each preference by a pair made for it, studies of several dates, and no change on today's."""

from __future__ import annotations

from dataclasses import replace
from itertools import permutations

import numpy as np
import pytest

from encoders.patient import (
    ImagingModality,
    ImagingSeries,
    IntensityUnit,
    Patient,
    Segment,
    SeriesHeader,
    SeriesVerdict,
    SourceLocator,
    Validity,
)
from encoders.predict import predict
from encoders.radiology import crop_lesion, crop_series
from encoders.series_choice import StudyTime, choose_series, is_sharp

WHERE = SourceLocator("ct")


def make(uid: str, *, spacing_z: float = 2.0, slices: int = 40, lesion: bool = True, proposed: bool = False, **more):
    mask = np.zeros((slices, 8, 8), bool)
    mask[slices // 2, 3:5, 3:5] = lesion
    values = {
        "modality": ImagingModality.CT,
        "series_uid": uid,
        "date": "2024-03-01",
        "volume": np.zeros(mask.shape, np.float32),
        "unit": IntensityUnit.HU,
        "spacing_mm": (spacing_z, 2.0, 2.0),
        "affine_lps": np.diag([2.0, 2.0, spacing_z, 1.0]),
        "source": WHERE,
        "role": "CT chest",
        "segments": (Segment("lesion", mask, WHERE, proposed=proposed),),
    }
    return ImagingSeries(**{**values, **more})


def chosen(*series: ImagingSeries) -> list[str]:
    return [c.series_uid for c in choose_series(series) if c.chosen]


BEST = make("best")


@pytest.mark.parametrize(
    ("worse", "reason"),
    [
        (make("x", spacing_z=5.0, slices=16), "thicker slices (5.0 against 2.0 mm)"),
        (make("x", slices=20), "fewer slices (20 against 40)"),
        (make("x", header=SeriesHeader(kernel="B70f")), "sharp kernel (B70f)"),
        (make("x", header=SeriesHeader(image_type=("DERIVED", "SECONDARY"))), "derived from another series"),
        (make("x", proposed=True), "only proposed"),
        (make("x", unit=IntensityUnit.ARBITRARY), "no unit"),
        (make("x", validity=Validity(SeriesVerdict.DOUBTFUL, ("cut",))), "its validity is doubtful (cut)"),
        (make("x"), "no difference found"),
    ],
)
def test_of_two_series_of_the_same_thing_the_better_is_read_and_the_other_says_why(worse, reason):
    for order in ((BEST, worse), (worse, BEST)):
        by_uid = {c.series_uid: c for c in choose_series(order)}
        assert by_uid["best"].chosen
        assert by_uid["best"].reason == "chosen over 1 other series of the chest that show the same"
        assert not by_uid["x"].chosen
        assert "CT chest (40 slices of 2.0 mm) shows the same and is read instead" in by_uid["x"].reason
        assert reason in by_uid["x"].reason


def test_a_lesion_outline_decides_before_everything_else():
    thick = make("thick", spacing_z=5.0, slices=16)
    bare = make("thin", spacing_z=1.0, slices=80, lesion=False)
    told = {c.series_uid: c for c in choose_series((bare, thick))}
    assert told["thick"].chosen
    assert told["thin"].reason == "no lesion segment in series CT chest"


def test_a_refused_series_is_not_read_and_repeats_its_reasons():
    refused = make("r", spacing_z=1.0, validity=Validity(SeriesVerdict.REFUSED, ("every voxel holds 0", "a phantom")))
    told = {c.series_uid: c for c in choose_series((refused, BEST))}
    assert told["best"].chosen
    assert told["best"].reason == ""
    assert told["r"].reason == "refused: every voxel holds 0; a phantom"


@pytest.mark.parametrize(
    "other",
    [
        make("x", modality=ImagingModality.PT, unit=IntensityUnit.SUVBW, role="FDG-PET"),
        make("x", role="CT abdomen"),
        make("x", role="", body_part="HEAD"),
        make("x", modality=ImagingModality.MR, unit=IntensityUnit.ARBITRARY, role="T1 chest"),
    ],
)
def test_series_that_show_different_things_are_all_read(other):
    assert chosen(BEST, other) == ["best", "x"]
    assert all(c.reason == "" for c in choose_series((BEST, other)))


def test_mr_of_other_weightings_are_different_things():
    mr = {"modality": ImagingModality.MR, "unit": IntensityUnit.ARBITRARY}
    assert chosen(make("a", role="T2", **mr), make("b", role="T1", **mr), make("c", role="T2", **mr)) == ["a", "b"]


def test_slices_that_do_not_meet_in_one_frame_of_reference_are_different_things():
    far = np.diag([2.0, 2.0, 2.0, 1.0])
    far[2, 3] = 500.0
    unnamed = {"role": "CT", "frame_of_reference_uid": "1.9"}
    assert chosen(make("a", **unnamed), make("b", affine_lps=far, **unnamed)) == ["a", "b"]
    assert chosen(make("a", **unnamed), make("b", **unnamed)) == ["a"]
    assert chosen(make("a", **unnamed), make("b", affine_lps=far, role="CT")) == ["a"]  # nothing says they lie apart


def test_the_latest_study_is_read_and_earlier_ones_are_priors():
    old_pet = make("old-pet", date="2023-05-01", modality=ImagingModality.PT, role="FDG-PET")
    old = make("old", date="2023-05-01", spacing_z=1.0)
    told = {c.series_uid: c for c in choose_series((old, old_pet, BEST))}
    assert [u for u, c in told.items() if c.chosen] == ["best"]
    assert told["old"].study is told["old-pet"].study is StudyTime.PRIOR
    assert told["old"].reason.startswith("of an earlier study (2023-05-01) than the one read (2024-03-01): a prior")
    assert told["best"].study is StudyTime.CURRENT


def test_a_series_dated_a_day_later_in_the_same_study_is_of_the_same_time():
    header = SeriesHeader(study_uid="1.5")
    late = make("pet", date="2024-03-02", modality=ImagingModality.PT, role="FDG-PET", header=header)
    assert chosen(make("ct", header=header), late) == ["ct", "pet"]


def test_a_newer_study_without_an_outline_is_told_on_the_one_that_is_read():
    newer = make("newer", date="2024-09-09", lesion=False)
    told = {c.series_uid: c for c in choose_series((BEST, newer))}
    assert told["best"].chosen
    assert told["best"].reason == (
        "a newer study of 2024-09-09 holds no series that can be read, so this one of 2024-03-01 is read"
    )
    assert (told["newer"].chosen, told["newer"].study) == (False, StudyTime.NEWER)


def test_a_pet_within_four_weeks_is_read_beside_the_ct_and_one_a_day_older_is_a_prior():
    pet = {"modality": ImagingModality.PT, "role": "FDG-PET"}
    told = {c.series_uid: c for c in choose_series((BEST, make("pet", date="2024-02-02", **pet)))}
    assert told["pet"].chosen
    assert told["pet"].study is StudyTime.CURRENT
    told = {c.series_uid: c for c in choose_series((BEST, make("pet", date="2024-02-01", **pet)))}
    assert not told["pet"].chosen
    assert told["pet"].study is StudyTime.PRIOR


def test_of_one_time_point_the_better_series_is_read_and_of_equals_the_later():
    assert chosen(BEST, make("low dose", date="2024-03-11", spacing_z=5.0)) == ["best"]
    assert chosen(BEST, make("later", date="2024-03-11")) == ["later"]


def test_an_undated_series_is_read_unless_a_dated_one_shows_the_same():
    pet = make("pet", date=None, modality=ImagingModality.PT, role="FDG-PET")
    assert chosen(make("ct", date=None), pet) == ["ct", "pet"]
    told = {c.series_uid: c for c in choose_series((BEST, pet))}
    assert told["pet"].chosen
    assert told["pet"].study is StudyTime.UNDATED
    told = {c.series_uid: c for c in choose_series((BEST, make("ct", date=None)))}
    assert not told["ct"].chosen
    assert told["ct"].reason.endswith("undated, the other 2024-03-01")


def test_the_choice_does_not_depend_on_the_order_of_the_series():
    series = (BEST, make("a", spacing_z=5.0), make("b", date="2023-01-01"), make("c", role="CT abdomen"), make("d"))
    sets = {frozenset(chosen(*order)) for order in permutations(series)}
    assert sets == {frozenset(("best", "c"))}


@pytest.mark.parametrize("kernel", ["B70f", "Bl57d", "Br64f\\3", "LUNG", "BONEPLUS", "FC51", "YA"])
def test_sharp_kernels_of_the_vendors(kernel):
    assert is_sharp(kernel)


@pytest.mark.parametrize("kernel", ["B31f", "Br40d", "STANDARD", "SOFT", "FC18", ""])
def test_kernels_that_do_not_sharpen_or_do_not_tell(kernel):
    assert not is_sharp(kernel)


def test_every_series_of_todays_synthetic_patients_is_read_as_before(cases):
    for case in cases.values():
        crops, choices = crop_series(case.patient)
        assert all(c.chosen and c.reason == "" for c in choices)
        for crop, series in zip(crops, case.patient.imaging, strict=True):
            before = crop_lesion(series)
            assert crop.series_uid == series.series_uid
            np.testing.assert_array_equal(crop.image, before.image)


def test_a_prior_study_changes_nothing_in_the_prediction(cases, tiny_models):
    patient = cases["LUAD"].patient
    prior = tuple(
        replace(s, series_uid=f"{s.series_uid}.1", date="2001-01-01", volume=s.volume[::-1].copy())
        for s in patient.imaging
    )
    alone = predict(patient, models=tiny_models, explain=False)
    both = predict(replace(patient, imaging=(*prior, *patient.imaging)), models=tiny_models, explain=False)
    np.testing.assert_array_equal(both.embeddings.fused, alone.embeddings.fused)
    assert [p.value for p in both.predictions] == [p.value for p in alone.predictions]
    assert "a prior" in both.not_predicted["series:CT chest"]
    assert [c.study for c in both.series_choices] == [StudyTime.PRIOR] * 2 + [StudyTime.CURRENT] * 2


def test_series_of_one_name_that_are_not_read_each_keep_their_reason(tiny_models):
    patient = Patient("p", imaging=(make("a", date="2020-01-01"), make("b", date="2021-01-01"), BEST))
    got = predict(patient, models=tiny_models, explain=False).not_predicted
    assert "2020-01-01" in got["series:CT chest"]
    assert "2021-01-01" in got["series:CT chest #2"]
