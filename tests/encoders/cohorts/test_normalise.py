"""Normalisation against hand-counted values and reference libraries; ComBat against neuroCombat 0.2.12."""

from __future__ import annotations

import json

import numpy as np
import pytest
from scipy.stats import zscore

from encoders.cohorts.combat import fit_combat
from encoders.cohorts.normalise import (
    ZScore,
    counts_per_million,
    counts_to_tpm,
    fit_quantiles,
    fit_z_score,
    log2_plus_one,
)
from encoders.errors import InputError


def test_log_cpm_and_tpm_by_hand() -> None:
    counts = np.array([[10.0, 30.0], [0.0, 5.0]])
    np.testing.assert_allclose(counts_per_million(counts), [[250_000, 750_000], [0, 1_000_000]])
    np.testing.assert_allclose(counts_to_tpm(counts, np.array([1.0, 3.0])), [[500_000, 500_000], [0, 1_000_000]])
    np.testing.assert_allclose(log2_plus_one(np.array([0.0, 1.0, 7.0])), [0, 1, 3])


def test_negative_amounts_and_empty_profiles_are_refused() -> None:
    with pytest.raises(InputError, match="lowest value is -1"):
        log2_plus_one(np.array([[1.0, -1.0]]))
    with pytest.raises(InputError, match="1 patients have counts that sum to 0"):
        counts_per_million(np.array([[0.0, 0.0], [1.0, 1.0]]))
    with pytest.raises(InputError, match="2 genes need as many lengths above 0"):
        counts_to_tpm(np.array([[1.0, 1.0]]), np.array([1.0, 0.0]))


def test_z_agrees_with_scipy_and_is_against_the_reference_alone() -> None:
    rng = np.random.default_rng(0)
    train, test = rng.normal(3, 2, (30, 4)), rng.normal(9, 2, (5, 4))
    fitted = fit_z_score(train, list("abcd"), "made, train")
    np.testing.assert_allclose(fitted.apply(train, list("abcd")), zscore(train, ddof=1), rtol=1e-4, atol=1e-5)
    assert fitted.apply(test, list("abcd")).mean() > 2  # the test rows did not move the mean


def test_z_keeps_missing_values_and_sets_flat_features_to_zero() -> None:
    train = np.array([[1.0, 5.0, np.nan], [3.0, 5.0, np.nan]])
    fitted = fit_z_score(train, ["a", "flat", "never"], "made")
    z = fitted.apply(np.array([[2.0, 9.0, 1.0], [np.nan, np.nan, 1.0]]), ["a", "flat", "never"])
    np.testing.assert_array_equal(z, [[0, 0, np.nan], [np.nan, np.nan, np.nan]])


def test_a_fit_survives_its_model_card() -> None:
    fitted = fit_z_score(np.array([[1.0, 2.0], [4.0, 8.0]]), ["a", "b"], "made, train")
    again = ZScore.from_card(json.loads(json.dumps(fitted.to_card())))
    x = np.array([[2.0, 2.0]])
    np.testing.assert_array_equal(again.apply(x, ["a", "b"]), fitted.apply(x, ["a", "b"]))
    assert again.reference == "made, train"


def test_other_features_or_no_reference_are_refused() -> None:
    fitted = fit_z_score(np.ones((2, 2)), ["a", "b"], "made")
    with pytest.raises(InputError, match="the order differs"):
        fitted.apply(np.ones((1, 2)), ["b", "a"])
    with pytest.raises(InputError, match="name of its reference"):
        fit_z_score(np.ones((2, 2)), ["a", "b"], " ")


def test_quantiles_are_those_of_bolstad_and_ties_share_their_mean() -> None:
    values = np.array([[5.0, 2.0, 3.0, 4.0], [4.0, 1.0, 4.0, 2.0], [3.0, 4.0, 6.0, 8.0]])
    fitted = fit_quantiles(values, list("abcd"), "made")
    np.testing.assert_allclose(fitted.quantiles, [2, 3, 14 / 3, 17 / 3], rtol=1e-6)
    out = fitted.apply(values, list("abcd"))
    np.testing.assert_allclose(out[0], [17 / 3, 2, 3, 14 / 3], rtol=1e-6)
    np.testing.assert_allclose(out[1], [31 / 6, 2, 31 / 6, 3], rtol=1e-6)  # the two 4s share (14/3 + 17/3) / 2
    np.testing.assert_allclose(np.sort(out[2]), fitted.quantiles, rtol=1e-6)


def batches() -> tuple[np.ndarray, list[str], np.ndarray]:
    """12 rows of three batches with shifts in location and scale, in closed form, and an age."""
    i, j = np.arange(12)[:, None], np.arange(4)[None, :]
    shift = (np.arange(12) % 3 == 0)[:, None] * (1 + 0.5 * j)
    x = np.sin(i * (j + 1) * 0.7) + 0.3 * j + shift + 0.2 * np.cos(i + j * j)
    return x, [("a", "b", "c")[k % 3] for k in range(12)], (np.arange(12) * 7 % 5).astype(float)[:, None]


REFERENCE_ROWS = {
    "plain": {
        0: [0.606728, 0.967938, 1.150888, 1.54895],
        5: [0.079186, 1.526426, 1.117586, 2.630331],
        11: [1.07044, 1.233171, 1.128976, 1.452731],
    },
    "age kept": {
        0: [0.617768, 1.049591, 1.12709, 1.675645],
        5: [0.073435, 1.605363, 1.096268, 2.758715],
        11: [1.088255, 1.24718, 1.124321, 1.438939],
    },
}
"""Rows of ``batches`` corrected by neuroCombat 0.2.12 (numpy 2.4.6), without and with age as continuous covariate."""


@pytest.mark.parametrize("form", list(REFERENCE_ROWS))
def test_combat_agrees_with_neurocombat(form: str) -> None:
    x, batch, age = batches()
    kept = age if form == "age kept" else None
    corrected = fit_combat(x, list("wxyz"), batch, "made", kept).apply(x, batch, kept)
    for row, expected in REFERENCE_ROWS[form].items():
        np.testing.assert_allclose(corrected[row], expected, atol=2e-6)


def test_combat_brings_new_rows_of_a_shifted_batch_back() -> None:
    rng = np.random.default_rng(1)
    batch = ["a"] * 60 + ["b"] * 60
    features = [f"g{i}" for i in range(50)]
    x = rng.normal(0, 1, (120, 50)) + np.where(np.array(batch) == "b", 3.0, 0.0)[:, None]
    fitted = fit_combat(x, features, batch, "made")
    new = fitted.apply(rng.normal(3, 1, (200, 50)), ["b"] * 200) - fitted.apply(
        rng.normal(0, 1, (200, 50)), ["a"] * 200
    )
    assert abs(new.mean()) < 0.1


def test_combat_refuses_what_it_cannot_tell_apart() -> None:
    x, batch, _ = batches()
    fitted = fit_combat(x, list("wxyz"), batch, "made")
    with pytest.raises(InputError, match="batch 'd' was not among the fitted ones"):
        fitted.apply(x[:1], ["d"])
    with pytest.raises(InputError, match="confounded"):
        fit_combat(x, list("wxyz"), batch, "made", np.array([b == "a" for b in batch], dtype=float))
    with pytest.raises(InputError, match="'z' has 1"):
        fit_combat(x, list("wxyz"), [*batch[:-1], "z"], "made")
    with pytest.raises(InputError, match=r"1 features do not vary beyond batch and covariates \(x\)"):
        fit_combat(np.where(np.arange(4) == 1, 1.0, x), list("wxyz"), batch, "made")
