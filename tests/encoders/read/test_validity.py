"""Doubts about a series: each rule by a volume made for it, and none about a believable one."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from encoders.patient import ImagingModality, ImagingSeries, IntensityUnit, SourceLocator
from encoders.read.validity import find_doubts, with_doubts

CT, PT = (ImagingModality.CT, IntensityUnit.HU), (ImagingModality.PT, IntensityUnit.SUVBW)


def _series(volume: np.ndarray, kind=CT, spacing_mm=(3.0, 1.0, 1.0)) -> ImagingSeries:
    return ImagingSeries(
        modality=kind[0],
        series_uid="1.2.3",
        date=None,
        volume=volume.astype(np.float32),
        unit=kind[1],
        spacing_mm=spacing_mm,
        affine_lps=np.eye(4),
        source=SourceLocator("ct"),
        warnings=("an earlier one",),
    )


def _body(slices: int = 10, low: float = -1000, high: float = 1500) -> np.ndarray:
    """Every value from ``low`` to ``high`` once, so that none is common."""
    return np.linspace(low, high, slices * 400).reshape(slices, 20, 20)


def test_a_believable_ct_and_pet_raise_no_doubt():
    assert find_doubts(_series(_body())) == ()
    assert find_doubts(_series(_body(low=0, high=12), PT)) == ()
    assert with_doubts(_series(_body())).warnings == ("an earlier one",)


def _clipped(volume: np.ndarray) -> np.ndarray:
    return np.clip(volume, None, 1000)


@pytest.mark.parametrize(
    ("make", "kind", "doubt"),
    [
        (lambda: _body(slices=4), CT, "only 4 slice(s), 12.0 mm: too few"),
        (lambda: _clipped(_body()), CT, "20.0% of voxels hold the largest value, 1000: saturated"),
        (lambda: np.full((10, 20, 20), 7.0), CT, "every voxel holds 7: an empty image"),
        (lambda: _body(low=0, high=254), CT, "no voxel is below -200 HU (lowest 0)"),
        (lambda: _body(high=40000), CT, "the highest value is 40000 HU"),
        (lambda: _body(low=0, high=9000), PT, "the largest SUVbw is 9000"),
        (lambda: _body(low=0, high=0.01), PT, "the largest SUVbw is 0.01"),
    ],
)
def test_each_doubt_is_told_once_and_added_to_the_warnings(make: Callable[[], np.ndarray], kind, doubt):
    series = with_doubts(_series(make(), kind))
    assert series.warnings[0] == "an earlier one"
    assert len(series.warnings) == 2
    assert doubt in series.warnings[1]


def test_a_short_stack_of_thin_slices_is_doubted():
    (doubt,) = find_doubts(_series(_body(), spacing_mm=(1.0, 1.0, 1.0)))
    assert "only 10 slice(s), 10.0 mm" in doubt


def test_values_without_a_unit_are_not_judged_by_one():
    arbitrary = (ImagingModality.CT, IntensityUnit.ARBITRARY)
    assert find_doubts(_series(_body(low=0, high=254), arbitrary)) == ()
