"""Label baselines: they find a signal, refuse too few patients, and are what scikit-learn gives."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from encoders.cohort_models.label_baselines import LABEL_BASELINES
from encoders.errors import InputError


@pytest.mark.parametrize("name", LABEL_BASELINES)
def test_each_finds_the_signal_of_one_column_and_copes_with_absent_values(name):
    rng = np.random.default_rng(0)
    x = rng.normal(size=(160, 6))
    label = x[:, 0] + 0.5 * rng.normal(size=160) > 0
    best = roc_auc_score(label[100:], x[100:, 0])
    x[rng.random(x.shape) < 0.05] = np.nan
    train, new = {"a": x[:100]}, {"a": x[100:]}
    score = LABEL_BASELINES[name](train, label[:100], new, None)
    assert np.isfinite(score).all()
    assert best > 0.85
    assert roc_auc_score(label[100:], score) > best - 0.12


@pytest.mark.parametrize("name", LABEL_BASELINES)
def test_each_refuses_a_class_of_four(name):
    label = np.arange(30) < 4
    blocks = {"a": np.random.default_rng(0).normal(size=(30, 3))}
    with pytest.raises(InputError, match="4 training patients in the smaller class"):
        LABEL_BASELINES[name](blocks, label, blocks, None)
