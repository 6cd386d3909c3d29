"""The candidate benchmark counts hits and false candidates as they are."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from encoders.patient import ImagingModality, ImagingSeries, IntensityUnit, Segment, SourceLocator
from eval.imaging_candidates import search

WHERE = SourceLocator("pt")


def pet(lesion_suv: float) -> ImagingSeries:
    """Two cubes of 4^3 voxels of 4 mm: the lesion, and a hotter one nobody outlined."""
    volume = np.ones((12, 30, 30), np.float32)
    volume[3:7, 3:7, 3:7] = lesion_suv
    volume[3:7, 20:24, 20:24] = 15.0
    mask = np.zeros(volume.shape, bool)
    mask[3:7, 3:7, 3:7] = True
    return ImagingSeries(
        ImagingModality.PT, "1", None, volume, IntensityUnit.SUVBW, (4.0, 4.0, 4.0), np.eye(4), WHERE,
        segments=(Segment("Lesion", mask, WHERE),),
    )  # fmt: skip


def test_a_hit_and_a_false_candidate_by_hand() -> None:
    got = search(pet(9.0))
    assert (got.kind, got.hit, got.false) == ("pet", True, 1)


def test_a_lesion_below_the_threshold_is_counted_apart() -> None:
    got = search(pet(3.0))
    assert (got.kind, got.hit, got.false) == ("cold pet", False, 1)


def test_the_outlines_given_are_not_seen_by_the_finder() -> None:
    series = pet(9.0)
    organ = replace(series, segments=(*series.segments, Segment("Heart", series.volume > 10, WHERE, kind="ORGAN")))
    assert search(organ).false == 1
