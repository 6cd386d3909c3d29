"""The deletion test by hand: what is deleted, what stays, and a score that rests on one column."""

from __future__ import annotations

import numpy as np
import pytest

from encoders.cohort_models.deletion import Deletion, deletion_test
from encoders.cohort_models.kernels import BlockScaler
from encoders.errors import InputError


def test_deleting_the_one_column_a_score_reads_takes_the_whole_score():
    rng = np.random.default_rng(0)
    blocks = {"genes": rng.normal(size=(60, 40)), "clinical": rng.normal(size=(60, 2))}
    scalers = {name: BlockScaler.fit(values) for name, values in blocks.items()}
    reads = {"genes": np.zeros((60, 40)), "clinical": np.full((60, 2), 99.0)}
    reads["genes"][:, 7] = -1.0  # the size of an attribution counts, not its sign

    def score(given):
        return given["genes"][:, 7] + 10 * given["clinical"][:, 0]

    found = deletion_test(score, blocks, reads, scalers, names=["genes"], seed=0)
    gap = np.abs(blocks["genes"][:, 7] - blocks["genes"][:, 7].mean())
    np.testing.assert_allclose(found.moved_by_top, gap)  # 2 of 40 columns; clinical ones are never deleted
    assert found.ratio > 5  # by chance in 1 of 20 draws


def test_columns_a_patient_lacks_or_that_never_vary_are_not_deleted():
    values = np.array([[0.0, 1.0, 5.0], [2.0, np.nan, 5.0], [4.0, 3.0, 5.0]])
    scalers = {"x": BlockScaler.fit(values)}
    seen = []

    def score(given):
        seen.append(given["x"])
        return np.zeros(3)

    most = {"x": np.array([[0.0, 1.0, 9.0]] * 3)}
    deletion_test(score, {"x": values}, most, scalers, names=["x"], seed=0)
    assert seen[1][:, 2].tolist() == [5.0, 5.0, 5.0]
    assert seen[1][0].tolist() == [0.0, 2.0, 5.0]  # the second column, to its mean
    assert seen[1][1, 0] == 2.0  # the patient lacks the second: the first is at its mean already
    assert np.isnan(seen[1][1, 1])


def test_ratio_by_hand_and_where_nothing_moves():
    zero = np.zeros(2)
    assert Deletion(zero, np.array([3.0, -1.0]), np.array([[1.0, 0.0], [0.0, 1.0]])).ratio == pytest.approx(2 / 0.5)
    assert np.isnan(Deletion(zero, zero, np.zeros((2, 2))).ratio)
    with pytest.raises(InputError, match="no block to delete columns of; the model reads a"):
        deletion_test(lambda _: zero, {"a": np.zeros((2, 1))}, {}, {}, names=[], seed=0)
