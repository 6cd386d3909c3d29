"""The radiogenomics benchmark: no leakage, figures that agree with a library, rows that say what they are."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import roc_auc_score

from encoders.errors import InputError
from eval.radiogenomic_cohorts import QUESTIONS, Cohort, Question, slice_features
from eval.radiogenomics import _fitted_log_odds, auc, held_out_scores, question_row, radiogenomics_rows

OPEN = Path(__file__).parents[3] / "shared/data/open"
needs_data = pytest.mark.skipif(
    not (OPEN / "radiogenomics").is_dir(), reason="shared/data/open/radiogenomics is not on this machine"
)


def cohort(*, signal: float, patients: int = 80, columns: int = 30, seed: int = 0) -> Cohort:
    """Noise columns, the first ten shifted by ``signal`` standard deviations in the positives."""
    rng = np.random.default_rng(seed)
    label = np.arange(patients) % 4 == 0
    values = rng.normal(size=(patients, columns))
    values[:, :10] += signal * label[:, None]
    frame = pd.DataFrame(values, index=[f"P{n}" for n in range(patients)])
    return Cohort({"only": frame}, label.astype(int))


def test_auc_by_hand():
    assert auc(np.array([0.1, 0.4, 0.35, 0.8]), np.array([0, 0, 1, 1])) == 0.75
    assert auc(np.array([1.0, 1.0]), np.array([0, 1])) == 0.5
    assert np.isnan(auc(np.array([1.0, 2.0]), np.array([1, 1])))


def test_auc_equals_scikit_learn():
    rng = np.random.default_rng(4)
    score, label = rng.integers(0, 9, 60).astype(float), rng.integers(0, 2, 60)
    assert auc(score, label) == pytest.approx(roc_auc_score(label, score))


def test_features_that_tell_are_found_among_noise():
    found = cohort(signal=1.5)
    assert auc(held_out_scores(found, seed=0, repeats=1), found.label) > 0.9


def test_noise_is_chance_however_many_columns_there_are():
    """Were anything fitted on the held-out patients, 200 columns on 80 patients would look like signal."""
    figures = [
        auc(held_out_scores(found, seed=0, repeats=1), found.label)
        for found in (cohort(signal=0.0, columns=200, seed=s) for s in range(5))
    ]
    assert 0.35 < np.mean(figures) < 0.65


def test_a_held_out_patients_label_and_values_reach_no_model():
    """Neither the labels of the held-out part nor a wild value in it change another held-out patient's score."""
    found = cohort(signal=1.0)
    view = found.views["only"]
    train, test = np.arange(60), np.arange(60, 80)
    plain = _fitted_log_odds(view, found.label, train, test)
    flipped = found.label.copy()
    flipped[test] = 1 - flipped[test]
    assert np.array_equal(plain, _fitted_log_odds(view, flipped, train, test))
    wild = view.copy()
    wild.iloc[79] = 1e6
    assert np.array_equal(plain[:-1], _fitted_log_odds(wild, found.label, train, test)[:-1])


def test_same_seed_same_scores_other_seed_other_folds():
    found = cohort(signal=1.0)
    first, again, other = (held_out_scores(found, seed=s, repeats=1) for s in (0, 0, 1))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


def test_missing_values_and_a_column_without_any_value_are_borne():
    found = cohort(signal=1.5)
    frame = found.views["only"].copy()
    frame.iloc[::7, 1] = np.nan
    frame["empty"] = np.nan
    gaps = Cohort({"only": frame}, found.label)
    assert auc(held_out_scores(gaps, seed=0, repeats=1), gaps.label) > 0.9


def test_views_are_averaged():
    found = cohort(signal=1.5)
    frame = found.views["only"]
    twice = Cohort({"a": frame, "b": frame}, found.label)
    one, two = (held_out_scores(c, seed=0, repeats=1) for c in (found, twice))
    assert two == pytest.approx(one)


def test_a_row_holds_the_interval_the_counts_and_the_reference():
    found = Cohort(cohort(signal=0.3).views, cohort(signal=0.3).label, left_out=7)
    row = question_row(Question("toy", lambda root: found, 0.5, "a reference of .5"), found, seed=0)
    assert row.id == "radiogenomics.toy" and row.n == 80 and row.ok
    assert row.interval[0] < row.value < row.interval[1]
    assert "20 of 80 positive, 30 columns" in row.note and "a reference of .5" in row.note
    assert "7 patients left out" in row.note


def test_a_row_without_a_known_figure_says_so():
    found = cohort(signal=0.0)
    row = question_row(Question("toy", lambda root: found, None, "no figure known"), found, seed=0)
    assert row.bar == 0 and "reported without a bar" in row.note


def test_absent_data_give_unmeasured_rows():
    rows = radiogenomics_rows(shared=None, seed=0)
    assert [r.id for r in rows] == [f"radiogenomics.{q.id}" for q in QUESTIONS]
    assert all(r.value is None and not r.ok and "not here" in r.note for r in rows)


def test_a_sequence_that_was_not_acquired_is_left_out():
    image = np.random.default_rng(0).integers(40, 200, (20, 20, 3)).astype(np.uint8)
    mask = np.zeros((20, 20), bool)
    mask[5:12, 6:14] = True
    every = slice_features(image, mask)
    image[..., 2] = image[..., 1]
    without = slice_features(image, mask)
    assert {n.split("_")[0] for n in every} == {"morph", "flair", "pre", "post", "uptake"}
    assert {n.split("_")[0] for n in without} == {"morph", "flair", "pre"}
    assert every["uptake_stat_mean"] == pytest.approx(every["post_stat_mean"] - every["pre_stat_mean"])


def test_brightness_of_the_scanner_does_not_matter():
    image = np.random.default_rng(0).integers(40, 120, (20, 20, 3)).astype(np.uint8)
    mask = np.zeros((20, 20), bool)
    mask[5:12, 6:14] = True
    assert slice_features(image * 2, mask) == pytest.approx(slice_features(image, mask), nan_ok=True)


class TestFailures:
    def test_a_patient_twice(self):
        frame = pd.DataFrame({"x": [1.0, 2.0]}, index=["P1", "P1"])
        with pytest.raises(InputError, match="'P1' has several rows"):
            Cohort({"only": frame}, np.array([0, 1]))

    def test_one_class(self):
        with pytest.raises(InputError, match="both 0 and 1"):
            Cohort({"only": pd.DataFrame({"x": [1.0, 2.0]})}, np.array([1, 1]))

    def test_views_of_other_patients(self):
        a, b = (pd.DataFrame({"x": [1.0, 2.0]}, index=names) for names in (["P1", "P2"], ["P2", "P1"]))
        with pytest.raises(InputError, match="same patients"):
            Cohort({"a": a, "b": b}, np.array([0, 1]))

    def test_fewer_positives_than_folds(self):
        frame = pd.DataFrame({"x": np.arange(10.0)})
        with pytest.raises(InputError, match="rarer class has 2 patients"):
            held_out_scores(Cohort({"only": frame}, np.array([1, 1] + [0] * 8)), seed=0)


@needs_data
@pytest.mark.parametrize(
    ("name", "patients", "positives"),
    [("ucsf.idh", 333, 68), ("ucsf.mgmt", 276, 193), ("tcga.idh1", 113, 55), ("worc.gist", 246, 125)],
)
def test_real_cohorts_have_the_patients_of_their_files(name, patients, positives):
    found = next(q for q in QUESTIONS if q.id == name).read(OPEN / "radiogenomics")
    assert (len(found.label), int(found.label.sum())) == (patients, positives)


@needs_data
def test_idh_of_ucsf_is_read_from_the_image_above_the_bar():
    question = next(q for q in QUESTIONS if q.id == "ucsf.idh")
    found = question.read(OPEN / "radiogenomics")
    assert auc(held_out_scores(found, seed=0, repeats=1), found.label) >= question.bar
