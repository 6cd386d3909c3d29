"""Matching lesions between studies: plain cases are compared, doubtful ones are said to be unmatched."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from encoders.follow_up import follow_up
from encoders.lesion_change import LesionTrend
from encoders.measure import measure_patient
from encoders.patient import ImagingModality, ImagingSeries, IntensityUnit, Patient, Segment, SourceLocator
from encoders.prediction import FollowUpStatus, LesionFollowUp

WHERE = SourceLocator("ct")
BEFORE, NOW = "2024-01-10", "2024-06-01"


def study(date: str, *lesions: tuple[str, int], uid: str = "", role: str = "CT chest", proposed: bool = False):
    """A CT of 1 mm voxels; each lesion is a label and a length in mm (a bar two pixels wide)."""
    segments = []
    for row, (label, length) in enumerate(lesions):
        mask = np.zeros((3, 40, 80), bool)
        mask[1, 4 * row : 4 * row + 2, 2 : 2 + length] = True
        segments.append(Segment(label, mask, WHERE, proposed=proposed))
    return ImagingSeries(
        ImagingModality.CT, uid or f"{role} {date}", date, np.zeros((3, 40, 80), np.float32), IntensityUnit.HU,
        (1.0, 1.0, 1.0), np.eye(4), WHERE, role=role, body_part="CHEST", segments=tuple(segments),
    )  # fmt: skip


def compared(*imaging: ImagingSeries) -> tuple[LesionFollowUp, ...]:
    return follow_up(imaging, measure_patient(Patient("p", imaging=imaging)))[0]


def test_one_lesion_that_grew_by_hand() -> None:
    (row,) = compared(study(BEFORE, ("Lesion", 20)), study(NOW, ("Lesion", 30)))
    assert (row.status, row.date_before, row.date_now, row.measure) == (
        FollowUpStatus.COMPARED, BEFORE, NOW, "longest diameter",
    )  # fmt: skip
    assert row.change.trend is LesionTrend.GROWN
    assert (row.change.before_mm, row.change.now_mm) == (pytest.approx(20, abs=0.2), pytest.approx(30, abs=0.2))
    assert row.change.percent == pytest.approx(50, abs=1)


def test_the_order_of_the_series_does_not_matter() -> None:
    first, last = study(BEFORE, ("Lesion", 30)), study(NOW, ("Lesion", 20))
    assert compared(first, last) == compared(last, first)
    assert compared(first, last)[0].change.trend is LesionTrend.SHRUNK


def test_lesions_are_matched_by_label_whatever_their_order() -> None:
    rows = compared(study(BEFORE, ("Lesion A", 20), ("Lesion B", 40)), study(NOW, ("lesion_b", 20), ("LESION A", 21)))
    assert [(r.label, r.change.trend) for r in rows] == [
        ("lesion_b", LesionTrend.SHRUNK), ("LESION A", LesionTrend.STABLE),
    ]  # fmt: skip


@pytest.mark.parametrize("labels", [("Lesion 1", "Lesion 2"), ("GTV left", "GTV right"), ("liver met", "lung met")])
def test_single_lesions_whose_labels_speak_against_it_are_not_matched(labels: tuple[str, str]) -> None:
    (row,) = compared(study(BEFORE, (labels[0], 20)), study(NOW, (labels[1], 30)))
    assert (row.status, row.change) == (FollowUpStatus.NOT_MATCHED, None)


def test_single_lesions_of_vague_labels_are_taken_for_one() -> None:
    (row,) = compared(study(BEFORE, ("GTV", 20)), study(NOW, ("Lesion", 21)))
    assert row.change.trend is LesionTrend.STABLE and "only outlined lesion" in row.basis


def test_several_lesions_of_one_label_are_never_guessed() -> None:
    twins = (("Lesion", 20), ("Lesion", 40))
    (row,) = compared(study(BEFORE, *twins), study(NOW, *twins))
    assert (row.status, row.counts, row.change) == (FollowUpStatus.NOT_MATCHED, (2, 2), None)


def test_new_and_vanished_lesions_are_told_where_nothing_else_can_explain_them() -> None:
    one, two = ("Lesion 1", 20), ("Lesion 2", 15)
    new = compared(study(BEFORE, one), study(NOW, one, two))
    gone = compared(study(BEFORE, one, two), study(NOW, one))
    assert [(r.label, r.status) for r in new] == [
        ("Lesion 1", FollowUpStatus.COMPARED), ("Lesion 2", FollowUpStatus.NEW),
    ]  # fmt: skip
    assert [(r.label, r.status) for r in gone] == [
        ("Lesion 1", FollowUpStatus.COMPARED), ("Lesion 2", FollowUpStatus.VANISHED),
    ]  # fmt: skip


def test_a_renamed_lesion_is_not_called_new_and_vanished() -> None:
    kept = ("Lesion 1", 20)
    rows = compared(study(BEFORE, kept, ("Lesion 2", 15)), study(NOW, kept, ("Lesion 3", 15)))
    assert [r.status for r in rows] == [FollowUpStatus.COMPARED, FollowUpStatus.NOT_MATCHED]


def test_a_prior_study_without_outlines_gives_no_change() -> None:
    (row,) = compared(study(BEFORE), study(NOW, ("Lesion", 20)))
    assert (row.status, row.basis) == (FollowUpStatus.NOT_COMPARED, "it has no outlined lesion")


def test_a_series_of_another_body_region_is_no_prior() -> None:
    head = replace(study(BEFORE, ("Lesion", 20), role="CT head"), body_part="HEAD")
    assert compared(head, study(NOW, ("Lesion", 30))) == ()


def test_growth_is_judged_from_the_smallest_of_all_studies() -> None:
    studies = [study(d, ("Lesion", n)) for d, n in (("2023-01-01", 20), ("2023-06-01", 26), (NOW, 27))]
    (row,) = compared(*studies)
    assert row.date_before == "2023-06-01" and row.change.trend is LesionTrend.GROWN
    assert row.change.percent == pytest.approx(4, abs=1)


def test_nodes_are_compared_by_their_short_axis() -> None:
    (row,) = compared(study(BEFORE, ("LN 4R tumour", 20)), study(NOW, ("LN 4R tumour", 30)))
    assert row.measure == "short axis" and row.change.trend is LesionTrend.STABLE


def test_a_proposed_outline_is_not_compared() -> None:
    assert compared(study(BEFORE, ("Lesion", 20)), study(NOW, ("Lesion", 30), proposed=True)) == ()


def test_the_sum_is_of_the_five_largest_matched_lesions() -> None:
    names = [f"Lesion {n}" for n in range(1, 7)]
    before = study(BEFORE, *((name, 20 + 5 * i) for i, name in enumerate(names)))
    now = study(NOW, *((name, 22 + 5 * i) for i, name in enumerate(names)))
    imaging = (before, now)
    rows, (total,) = follow_up(imaging, measure_patient(Patient("p", imaging=imaging)))
    assert len(rows) == 6 and (total.count, total.left_out) == (5, 1)
    assert total.before_mm == pytest.approx(25 + 30 + 35 + 40 + 45, abs=1)
    assert total.now_mm - total.before_mm == pytest.approx(10, abs=0.2)
