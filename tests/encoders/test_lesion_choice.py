"""A lesion is chosen by what its outline is called, never by being the largest outline."""

from __future__ import annotations

import numpy as np
import pytest

from encoders.lesion_choice import is_lesion, lesion_mask, lesions, why_no_lesion
from encoders.measure import measure_patient
from encoders.patient import ImagingModality, ImagingSeries, IntensityUnit, Patient, Segment, SourceLocator
from encoders.radiology import lesion_segment

WHERE = SourceLocator("rs.dcm")


def segment(label: str, size: int = 2, kind: str | None = None) -> Segment:
    mask = np.zeros((8, 16, 16), bool)
    mask[1 : 1 + size, 2 : 2 + size, 2 : 2 + size] = True
    return Segment(label, mask, WHERE, kind=kind)


def series(*segments: Segment) -> ImagingSeries:
    volume = np.zeros((8, 16, 16), np.float32)
    return ImagingSeries(
        ImagingModality.CT, "1", None, volume, IntensityUnit.HU, (3.0, 1.0, 1.0), np.eye(4), WHERE, role="CT chest",
        segments=segments,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("label", "kind", "expected"),
    [
        ("Lesion", None, True), ("GTV-1", "ORGAN", True), ("Tumor_c40", "ORGAN", True), ("Liver tumour", None, True),
        ("primary", "GTV", True), ("Left mass", None, True), ("roi 1", "Morphologically Altered Structure", True),
        ("Liver", "Anatomical Structure", False), ("Lung_L", None, False), ("PTV 60", None, False),
        ("x", "ORGAN", False),
        ("Massachusetts", None, None), ("segment 1", None, None), ("Method", None, None),
    ],
)  # fmt: skip
def test_a_segment_is_what_it_says(label: str, kind: str | None, expected: bool | None) -> None:
    assert is_lesion(segment(label, kind=kind)) is expected


def test_a_large_organ_is_not_taken_for_the_lesion() -> None:
    both = series(segment("Liver", 6), segment("GTV", 2))
    chosen = lesion_segment(both)
    assert chosen is not None and chosen.label == "GTV"
    assert [m.segment_label for m in measure_patient(Patient("p", imaging=(both,)))] == ["GTV"]


def test_one_unnamed_outline_is_the_lesion_and_two_are_not() -> None:
    assert [s.label for s in lesions(series(segment("roi 1")))] == ["roi 1"]
    assert lesions(series(segment("roi 1"), segment("roi 2"))) == ()
    assert lesions(series(segment("roi 1"), segment("Heart", 4))) == ()


def test_the_reason_names_the_outlines_there_are() -> None:
    assert "'Heart', 'Lung_L'" in why_no_lesion(series(segment("Heart"), segment("Lung_L")))
    assert why_no_lesion(series()) == "no lesion segment in series CT chest"


def test_the_mask_joins_the_lesions_and_leaves_the_organs_out() -> None:
    both = series(segment("Liver", 6), segment("GTV", 2))
    assert lesion_mask(both).sum() == 2**3
    assert not lesion_mask(series(segment("Liver", 6))).any()
