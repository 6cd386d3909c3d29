"""Subgroups: columns found by name, pairs counted by hand and against scikit-survival, too few said so."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import roc_auc_score
from sksurv.metrics import concordance_index_censored

from encoders.cohort_runs.subgroups import Grouping, HeldOut, _Pairs, groupings_of, subgroup_table
from encoders.cohorts.cohort import Cohort, ColumnSpec, ColumnType
from encoders.errors import SettingsError

IDS = ("a", "b", "c", "d")


def cohort_of(**columns: tuple[ColumnSpec, list]) -> Cohort:
    table = pd.DataFrame({name: values for name, (_, values) in columns.items()}, index=IDS)
    return Cohort("made", "made", table, {name: spec for name, (spec, _) in columns.items()}, {})


def held_out(n: int, *, survival: bool = True, seed: int = 0, folds: int = 1) -> HeldOut:
    rng = np.random.default_rng(seed)
    score = rng.normal(size=n)
    months, censored = np.round(rng.exponential(20 * np.exp(-score))), np.round(rng.exponential(40, n))
    event = months <= censored if survival else rng.random(n) < 1 / (1 + np.exp(-score))
    ids = np.array([f"P{i}" for i in range(n)])
    fold = np.array([str(i % folds) for i in range(n)])
    return HeldOut(ids, fold, np.round(score, 1), np.minimum(months, censored), event, np.full(n, 0.5), survival)


def test_columns_are_found_by_name_and_grouped():
    word, years = ColumnSpec(ColumnType.CATEGORY), ColumnSpec(ColumnType.NUMBER, "years")
    cohort = cohort_of(
        AGE=(years, [49.9, 50.0, 74.0, 75.0]),
        sex=(word, ["female", "male", None, "male"]),
        RACE=(word, ["x", "y", "x", "y"]),
        ajcc_pathologic_stage=(word, ["Stage IIA", "Stage IIB", "Stage IV", "unknown"]),
        stage_of_life=(word, ["a", "a", "a", "a"]),
        dosage=(years, [1.0, 2.0, 3.0, 4.0]),
    )
    found, passed = groupings_of(replace(cohort, labels=pd.DataFrame({"ethnicity": ["h", "n", "h", "n"]}, index=IDS)))
    words = {g.column: list(g.words) for g in found}
    assert words["AGE"] == ["under 50", "50-64", "65-74", "75 and over"]
    assert words["sex"] == ["female", "male", "male"]
    assert words["ajcc_pathologic_stage"] == ["II", "II", "IV", "unknown"]
    assert {g.column: g.name for g in found}["RACE"] == "ancestry"
    assert {g.column: g.name for g in found}["ethnicity"] == "ancestry"
    assert "dosage" not in words
    assert passed == ("stage_of_life: 1 different words; 2 to 12 are a grouping",)


def test_an_age_that_is_not_in_years_is_passed_over_and_said():
    found, passed = groupings_of(cohort_of(age_days=(ColumnSpec(ColumnType.NUMBER, "days"), [1.0, 2.0, 3.0, 4.0])))
    assert found == ()
    assert passed == ("age_days: its unit is days, years are needed",)
    with pytest.raises(SettingsError, match="no column 'race' to group by; the cohort has age_days"):
        groupings_of(cohort_of(age_days=(ColumnSpec(ColumnType.NUMBER, "days"), [1.0, 2.0, 3.0, 4.0])), ["race"])


def test_pairs_of_one_fold_agree_with_scikit_survival_and_scikit_learn_ties_included():
    held = held_out(80)
    reference = concordance_index_censored(held.event, held.months, held.score)[0]
    assert _Pairs(held).figure(np.ones(80)) == pytest.approx(reference)
    label = held_out(80, survival=False)
    assert _Pairs(label).figure(np.ones(80)) == pytest.approx(roc_auc_score(label.event, label.score))


def test_a_patient_drawn_twice_counts_as_two_copies():
    held, times = held_out(40), np.random.default_rng(3).integers(0, 4, 40)
    copy = np.repeat(np.arange(40), times)
    reference = concordance_index_censored(held.event[copy], held.months[copy], held.score[copy])[0]
    assert _Pairs(held).figure(times.astype(float)) == pytest.approx(reference, abs=1e-6)


def test_scores_of_different_folds_are_never_compared():
    """Fold 0: both pairs right. Fold 1 scores 100 higher and right too; across folds every pair would be wrong."""
    ids, fold = np.array(list("abcd")), np.array(list("0011"))
    held = HeldOut(
        ids, fold, np.array([2.0, 1.0, 102.0, 101.0]), np.array([1.0, 2.0, 3.0, 4.0]), np.ones(4, bool), None, True
    )
    assert _Pairs(held).figure(np.ones(4)) == 1.0


def test_a_group_that_is_served_worse_shows_a_gap_and_a_small_one_is_said_to_be_too_few():
    held = held_out(300, seed=1, folds=3)
    word = np.array(["good"] * 140 + ["bad"] * 140 + ["rare"] * 20)
    score = np.where(word == "bad", np.random.default_rng(5).normal(size=300), held.score)
    event = np.where(word == "rare", np.arange(300) % 4 == 0, held.event)
    held = replace(held, score=score, event=event)
    rows = subgroup_table(held, [Grouping("site", "site", pd.Series(word, index=held.patient_id))])
    found = {row.word: row for row in rows}
    assert found["bad"].gap < 0
    assert found["bad"].gap_interval[1] < 0
    assert found["good"].interval[0] < found["good"].figure < found["good"].interval[1]
    assert (found["rare"].n, found["rare"].events, found["rare"].figure) == (20, 5, None)
    assert found["rare"].why == "too few: under 10 events"
    members = word == "good"
    assert found["good"].observed_over_expected == pytest.approx(event[members].sum() / (0.5 * members.sum()))


def test_a_patient_held_out_in_two_folds_is_counted_once():
    held = held_out(60)
    twice = HeldOut(
        np.tile(held.patient_id, 2), np.repeat(["0", "1"], 60), np.tile(held.score, 2), np.tile(held.months, 2),
        np.tile(held.event, 2), np.tile(held.expected, 2), True,
    )  # fmt: skip
    row = subgroup_table(twice, [Grouping("sex", "sex", pd.Series("female", index=held.patient_id))])[0]
    assert row.n == 60
    assert row.events == held.event.sum()
    assert row.gap is None
    assert row.why == "the rest is too few for a gap"
