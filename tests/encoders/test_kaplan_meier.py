"""Kaplan-Meier of small groups counted by hand, with Greenwood's interval written out beside it."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from encoders.errors import InputError
from encoders.kaplan_meier import KaplanMeier, fit_kaplan_meier


def curve(*patients: tuple[float, bool]) -> KaplanMeier:
    months, event = zip(*patients, strict=True)
    return fit_kaplan_meier(np.array(months), np.array(event))


SIX = ((3, True), (5, False), (5, True), (8, True), (12, True), (20, False))
# months 3: 1 of 6 -> 5/6; 5: 1 of 5 (the last visit of month 5 is after the death) -> 4/6; 8: 1 of 3 -> 4/9;
# 12: 1 of 2 -> 2/9; 20: last visit


def test_six_patients_by_hand() -> None:
    found = curve(*SIX)
    assert found.months.tolist() == [3, 5, 8, 12, 20]
    assert found.survival_probability == pytest.approx([5 / 6, 4 / 6, 4 / 9, 2 / 9, 2 / 9])
    assert (found.n, found.events, found.median_months) == (6, 4, 8.0)


def test_a_last_visit_between_two_deaths_leaves_the_risk_set() -> None:
    found = curve((5, True), (8, False), (10, True), (10, True), (20, False))
    # 5 months: 1 of 5 dies -> 0.8; 10 months: 2 of the 3 left die -> 0.8 / 3
    assert found.survival_probability == pytest.approx([0.8, 0.8, 0.8 / 3, 0.8 / 3])


def test_the_interval_is_greenwoods_on_the_log_log_scale() -> None:
    share, greenwood = 4 / 9, 1 / (6 * 5) + 1 / (5 * 4) + 1 / (3 * 2)
    wide = np.exp(1.959964 * np.sqrt(greenwood) / -np.log(share))
    found = curve(*SIX).share_at(8)
    assert found is not None
    assert (found.lower, found.upper) == pytest.approx((share**wide, share ** (1 / wide)), abs=1e-5)


def test_number_at_risk_counts_an_event_of_the_same_month() -> None:
    found = curve(*SIX)
    assert [found.number_at_risk(m) for m in (0, 3, 4, 5, 5.1, 20, 21)] == [6, 6, 5, 5, 3, 1, 0]


def test_tied_deaths_share_one_step() -> None:
    found = curve((4, True), (4, True), (4, False), (9, True))
    assert found.months.tolist() == [4, 9]
    assert found.survival_probability == pytest.approx([0.5, 0.0])


def test_a_curve_that_just_touches_a_half_has_its_median_there() -> None:
    one_after_another = [(month, True) for month in range(1, 7)]  # 5/6 * 4/5 * 3/4 is a hair above 0.5 in floats
    assert curve(*one_after_another).median_months == 3.0


def test_a_median_that_is_not_reached_is_none() -> None:
    found = curve((5, True), (9, False), (30, False))
    assert found.median_months is None
    assert found.median_interval_months[1] is None
    assert curve((5, False), (9, False)).median_interval_months == (None, None)


def test_the_interval_of_the_median_is_where_the_band_crosses_a_half() -> None:
    found = curve(*[(float(m), True) for m in range(1, 21)])
    low, high = found.median_interval_months
    assert found.median_months == 10.0
    assert low is not None and found.lower[int(low) - 2] > 0.5 >= found.lower[int(low) - 1]
    assert high is not None and found.upper[int(high) - 2] > 0.5 >= found.upper[int(high) - 1]


def test_no_share_is_told_where_too_few_are_at_risk() -> None:
    found = curve(*[(10.0, False)] * 28, (50.0, True), (60.0, False))
    assert found.share_at(10) is not None
    assert found.share_at(12) is None
    assert found.probability_at(12) == 1.0


@given(st.lists(st.tuples(st.integers(0, 40), st.booleans()), min_size=1, max_size=60))
@settings(max_examples=60, deadline=None)
def test_the_curve_falls_inside_its_band_and_risk_sets_shrink(patients: list[tuple[int, bool]]) -> None:
    found = curve(*[(float(m), e) for m, e in patients])
    assert (np.diff(found.survival_probability) <= 1e-12).all()
    assert (found.lower <= found.survival_probability + 1e-9).all()
    assert (found.survival_probability <= found.upper + 1e-9).all()
    at_risk = [found.number_at_risk(m) for m in range(42)]
    assert at_risk[0] == found.n and at_risk == sorted(at_risk, reverse=True)


@pytest.mark.parametrize(
    ("months", "event", "said"),
    [([], [], "1 patient or more"), ([1.0], [True, False], "one of each"), ([-1.0], [True], "-1.0 months"),
     ([float("nan")], [True], "nan months")],
)  # fmt: skip
def test_what_cannot_be_estimated_is_refused(months: list[float], event: list[bool], said: str) -> None:
    with pytest.raises(InputError, match=said):
        fit_kaplan_meier(np.array(months), np.array(event, bool))
