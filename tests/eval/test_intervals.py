"""Intervals and the stratified C-index against hand-worked and published figures."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from encoders.errors import ContractError, InputError
from eval.benchmark import BenchmarkResult, Better, Row
from eval.intervals import bootstrap, wilson
from eval.survival_metrics import stratified_concordance


def test_wilson_agrees_with_the_worked_figures() -> None:
    # 81 of 263 gives 0.2553-0.3662 (Newcombe, Stat Med 1998, table I, method 3)
    assert wilson(81, 263) == pytest.approx((0.2553, 0.3662), abs=5e-5)
    assert wilson(15, 148) == pytest.approx((0.0624, 0.1605), abs=5e-5)
    assert wilson(0, 20) == pytest.approx((0.0, 0.1611), abs=5e-5)


@given(st.integers(1, 400).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_wilson_holds_its_proportion(case: tuple[int, int]) -> None:
    low, high = wilson(*case)
    assert 0 <= low <= case[0] / case[1] <= high <= 1


def test_nothing_has_no_proportion() -> None:
    with pytest.raises(InputError, match="n = 0"):
        wilson(0, 0)
    with pytest.raises(InputError, match=r"outside 0\.\.3"):
        wilson(4, 3)


def test_the_bootstrap_of_a_mean_is_about_two_standard_errors_wide() -> None:
    x = np.random.default_rng(1).normal(size=400)
    low, high = bootstrap(lambda i: float(x[i].mean()), 400, seed=2)
    assert low < x.mean() < high
    assert high - low == pytest.approx(2 * 1.96 * x.std() / 20, rel=0.15)


def test_pairs_are_compared_within_a_cancer_only() -> None:
    # cancer a: 1 dies at 1 (risk 2), 2 at 2 (risk 1): concordant. cancer b: reversed: discordant.
    time, event = np.array([1.0, 2.0, 10.0, 20.0]), np.array([True] * 4)
    risk = np.array([2.0, 1.0, -5.0, -4.0])
    assert stratified_concordance(risk, time, event, ["a", "a", "b", "b"]) == 0.5
    # pooled over cancers every a patient outranks every b patient, which flatters the model
    assert stratified_concordance(risk, time, event, ["all"] * 4) == pytest.approx(5 / 6)


def test_a_stratum_without_an_event_adds_no_pair() -> None:
    c = stratified_concordance(
        np.array([2.0, 1.0, 0.0]), np.array([1.0, 2.0, 3.0]), np.array([True, True, False]), ["a", "a", "b"]
    )
    assert c == 1.0
    assert np.isnan(stratified_concordance(np.ones(2), np.ones(2), np.zeros(2, bool), ["a", "a"]))


def test_a_risk_that_is_not_a_number_is_refused() -> None:
    with pytest.raises(InputError, match="1 risk scores are not finite"):
        stratified_concordance(np.array([np.nan, 1.0]), np.ones(2), np.ones(2, bool), ["a", "a"])


def test_a_row_is_ok_on_the_good_side_of_its_bar_and_never_when_unmeasured() -> None:
    def row(value: float | None, better: Better) -> Row:
        return Row("r", value, 0.5, better, 3, 1.0)

    assert row(0.5, Better.HIGHER).ok and not row(0.49, Better.HIGHER).ok
    assert row(0.5, Better.LOWER).ok and not row(0.51, Better.LOWER).ok
    assert not row(None, Better.LOWER).ok
    assert BenchmarkResult("b", (row(None, Better.LOWER),), 0).exit_code == 1
    with pytest.raises(ContractError, match="unique row ids"):
        BenchmarkResult("b", (row(1, Better.HIGHER), row(1, Better.HIGHER)), 0)
