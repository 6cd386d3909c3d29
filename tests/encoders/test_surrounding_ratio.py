"""Signal of an MR lesion against its surroundings: hand-made signals, and when no ratio is given."""

from __future__ import annotations

import numpy as np
import pytest

from encoders.lesion_intensity import SHELL_MM, surrounding_ratio
from encoders.patient import ImagingModality, ImagingSeries, IntensityUnit, Segment, SourceLocator

WHERE = SourceLocator("mr")


def brain(*, lesion: float = 300.0, around: float = 100.0, scale: float = 1.0, modality=ImagingModality.MR, others=()):
    """A uniform block of 2 mm voxels in air, with a cube of another signal in its middle."""
    volume = np.zeros((40, 40, 40), np.float32)
    volume[4:36, 4:36, 4:36] = around
    mask = np.zeros(volume.shape, bool)
    mask[17:23, 17:23, 17:23] = True
    volume[mask] = lesion
    segments = (Segment("Lesion", mask, WHERE), *others)
    return ImagingSeries(
        modality, "1", None, volume * scale, IntensityUnit.ARBITRARY, (2.0, 2.0, 2.0), np.eye(4), WHERE,
        segments=segments,
    )  # fmt: skip


def ratio(series: ImagingSeries) -> float | None:
    return surrounding_ratio(series, series.segments[0])


def test_the_ratio_of_two_uniform_signals() -> None:
    assert ratio(brain()) == pytest.approx(3.0)


def test_the_scanners_scale_does_not_matter() -> None:
    assert ratio(brain(scale=0.013)) == pytest.approx(3.0)


def test_other_outlines_and_air_are_no_surroundings() -> None:
    wide = np.zeros((40, 40, 40), bool)
    wide[10:30, 10:30, 10:19] = True
    series = brain(others=(Segment("Ventricle", wide, WHERE),))
    series.volume[wide & ~series.segments[0].mask] = 900.0
    series.volume[:, :16] = 0.0
    assert ratio(series) == pytest.approx(3.0)


def test_what_touches_the_lesion_is_not_counted() -> None:
    series = brain()
    rim = np.zeros(series.volume.shape, bool)
    rim[16:24, 16:24, 16:24] = True  # one voxel, 2 mm: nearer than the shell begins
    assert SHELL_MM[0] > 2.0
    series.volume[rim & ~series.segments[0].mask] = 5000.0
    assert ratio(series) == pytest.approx(3.0)


def test_no_ratio_for_ct_for_an_empty_mask_and_without_surroundings() -> None:
    assert ratio(brain(modality=ImagingModality.CT)) is None
    series = brain()
    empty = Segment("Lesion", np.zeros(series.volume.shape, bool), WHERE)
    assert surrounding_ratio(series, empty) is None
    alone = brain(around=0.0)
    assert ratio(alone) is None
