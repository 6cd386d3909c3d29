"""How far folds agree, counted by hand and against scipy."""

import numpy as np
import pandas as pd
import pytest
from scipy.stats import spearmanr

from encoders.cohort_runs.stability import stability_over_folds


def test_three_folds_counted_by_hand():
    """Top 2 of 4: {a, b}, {a, c}, {a, b}: Jaccard 1/3, 1, 1/3."""
    folds = [pd.Series(dict(zip("abcd", v, strict=True))) for v in ((4, 3, 2, 1), (4, 2, 3, 1), (8, 7, 2, 1))]
    found = stability_over_folds(folds, top=2)
    assert found.jaccard == pytest.approx((1 / 3 + 1 + 1 / 3) / 3)
    assert found.spearman == pytest.approx((0.8 + 1.0 + 0.8) / 3)
    assert found.table.loc["a", "share_of_folds_in_top"] == 1
    assert found.table.loc["b", "share_of_folds_in_top"] == pytest.approx(2 / 3)
    assert list(found.table.index[:2]) == ["a", "b"]


def test_rank_correlation_agrees_with_scipy_ties_included():
    rng = np.random.default_rng(0)
    folds = [pd.Series(rng.integers(0, 5, 60).astype(float)) for _ in range(3)]
    pairs = [spearmanr(folds[a], folds[b]).statistic for a, b in ((0, 1), (0, 2), (1, 2))]
    assert stability_over_folds(folds).spearman == pytest.approx(np.mean(pairs))


def test_a_feature_that_a_fold_lacks_has_no_importance_there():
    found = stability_over_folds([pd.Series({"a": 2.0, "b": 1.0}), pd.Series({"a": 2.0})], top=1)
    assert found.table.loc["b", "mean_importance"] == 0.5


def test_features_without_weight_are_never_on_top_and_one_fold_has_no_agreement():
    found = stability_over_folds([pd.Series({"a": 0.0, "b": 0.0})], top=1)
    assert found.table["share_of_folds_in_top"].sum() == 0
    assert found.spearman is None
    assert found.jaccard is None
