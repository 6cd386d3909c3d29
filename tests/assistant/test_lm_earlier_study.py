"""Training patients get what their cohort lacks, and the chain then tells what became of the lesions."""

from __future__ import annotations

import random

import pytest

from assistant.lm_earlier_study import COURSES, earlier_series, with_course
from encoders.errors import ContractError
from encoders.follow_up import follow_up
from encoders.measure import measure_patient
from encoders.patient import Patient
from encoders.synthetic.cohort import sample_case


@pytest.fixture(scope="module")
def patient() -> Patient:
    return sample_case(2, 5).patient  # one CT series


def told(patient: Patient, course: str) -> tuple[list[str], int]:
    """(status or trend of each lesion, sums of diameters)."""
    changed = with_course(patient, course, random.Random(1))
    rows, sums = follow_up(changed.imaging, measure_patient(changed))
    return sorted(r.change.trend.value if r.change else r.status.value for r in rows), len(sums)


def test_each_course_is_what_the_follow_up_finds(patient: Patient) -> None:
    assert told(patient, "same") == (["stable"], 0)
    assert told(patient, "sum") == (["stable", "stable"], 1)
    assert told(patient, "new") == (["new", "stable"], 0)
    assert told(patient, "vanished") == (["stable", "vanished"], 0)


@pytest.mark.parametrize(("course", "sign"), [("grown", 1), ("shrunk", -1)])
def test_a_lesion_grows_or_shrinks(course: str, sign: int, patient: Patient) -> None:
    changed = with_course(patient, course, random.Random(1))
    (row,), _ = follow_up(changed.imaging, measure_patient(changed))
    assert row.change is not None and sign * (row.change.now_mm - row.change.before_mm) > 0


def test_no_outline_is_left_and_nothing_is_compared(patient: Patient) -> None:
    changed = with_course(patient, "no outline", random.Random(1))
    assert all(not s.segments for s in changed.imaging) and len(changed.imaging) == len(patient.imaging)


def test_an_earlier_study_is_earlier_and_its_outline_is_never_empty(patient: Patient) -> None:
    now = next(s for s in patient.imaging if s.segments)
    before = earlier_series(now, grown_by=60)
    assert before.date is not None and now.date is not None and before.date < now.date
    assert before.segments[0].mask.any() and before.series_uid != now.series_uid


def test_what_cannot_be_made_is_an_error(patient: Patient) -> None:
    with pytest.raises(ContractError, match=f"allowed: {COURSES[0]}"):
        with_course(patient, "cured", random.Random(1))
    bare = with_course(patient, "no outline", random.Random(1))
    with pytest.raises(ContractError, match="needs both"):
        earlier_series(bare.imaging[0], grown_by=1)
    assert with_course(bare, "grown", random.Random(1)) is bare
