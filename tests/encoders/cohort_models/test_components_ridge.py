"""The ridge of all blocks: agreement with scikit-survival, when it is let in, and that every reader sees it."""

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sksurv.linear_model import CoxPHSurvivalAnalysis
from sksurv.util import Surv

from encoders.cohort_models import multi_kernel
from encoders.cohort_models.attribution import integrated_gradients
from encoders.cohort_models.components_ridge import COMPONENTS, component_projections, fit_ridge
from encoders.cohort_models.likelihoods import BernoulliLikelihood, CoxLikelihood
from encoders.cohort_models.multi_kernel import RIDGE, fit_survival
from encoders.cohort_models.shapley import block_shapley
from encoders.cohort_models.stacking import folds, rise_of
from encoders.cohort_models.survival_model import fit_calibrated
from encoders.errors import ContractError


def many_blocks(count: int, seed: int = 0, blocks: int = 6):
    """Blocks that each tell a little, months and events: too few events to divide shares well."""
    rng = np.random.default_rng(seed)
    made = {f"b{i}": rng.normal(size=(count, 2)) for i in range(blocks)}
    risk = 0.35 * sum(values[:, 0] for values in made.values())
    months, censored = rng.exponential(10 * np.exp(-risk)), rng.exponential(30, count)
    return made, np.minimum(months, censored), months <= censored


@pytest.fixture(scope="module")
def with_ridge():
    model = fit_survival(*many_blocks(80))
    assert model.fitted.ridge is not None
    return model


def _divisions(likelihood):
    return [folds(likelihood, repeat) for repeat in range(2)]


@pytest.mark.parametrize("penalty", [1.0, 100.0])
def test_coefficients_agree_with_scikit_survival(penalty):
    blocks, months, event = many_blocks(80)
    likelihood = CoxLikelihood(months, event)
    found = fit_ridge(blocks, likelihood, _divisions(likelihood), penalty)
    x = np.hstack([values - values.mean(axis=0) for values in blocks.values()])
    reference = CoxPHSurvivalAnalysis(alpha=penalty, ties="breslow", tol=1e-12).fit(x, Surv.from_arrays(event, months))
    np.testing.assert_allclose(np.concatenate(list(found.coefficients.values())), reference.coef_, atol=1e-6)


def test_coefficients_of_a_label_agree_with_scikit_learn():
    blocks, _, label = many_blocks(80)
    likelihood = BernoulliLikelihood(label)
    found = fit_ridge(blocks, likelihood, _divisions(likelihood), 10.0)
    x = np.hstack([values - values.mean(axis=0) for values in blocks.values()])
    # the intercept is the prevalence's log odds here: given as a column that is as good as not shrunk
    offset = np.full((80, 1), likelihood.offset * 1e4)
    reference = LogisticRegression(C=0.1, fit_intercept=False, tol=1e-10, max_iter=5000).fit(
        np.hstack([offset, x]), label
    )
    np.testing.assert_allclose(np.concatenate(list(found.coefficients.values())), reference.coef_[0, 1:], atol=0.02)


def test_left_out_scores_come_from_fits_without_the_patient():
    blocks, months, event = many_blocks(60)
    likelihood = CoxLikelihood(months, event)
    fold = folds(likelihood)
    found = fit_ridge(blocks, likelihood, [fold], 10.0)
    x = np.hstack([values - values.mean(axis=0) for values in blocks.values()])
    for k in range(int(fold.max()) + 1):
        rest = fold != k
        part = CoxPHSurvivalAnalysis(alpha=10.0, tol=1e-12).fit(x[rest], Surv.from_arrays(event[rest], months[rest]))
        np.testing.assert_allclose(found.left_out[~rest], x[~rest] @ part.coef_, atol=1e-6)


def test_wide_blocks_share_their_components_and_narrow_ones_keep_their_columns():
    rng = np.random.default_rng(0)
    rows = {"wide": rng.normal(size=(70, 50)), "narrow": rng.normal(size=(70, 3)), "broad": rng.normal(size=(70, 60))}
    rows = {name: row - row.mean(axis=0) for name, row in rows.items()}
    found = component_projections(rows)
    assert {p.shape[1] for p in found.values()} == {3 + COMPONENTS}
    x = sum(rows[name] @ found[name] for name in rows)
    np.testing.assert_allclose(x[:, :3], rows["narrow"])
    spread = x[:, 3:].std(axis=0, ddof=1)
    assert spread[0] == pytest.approx(1.0) and (np.diff(spread) <= 1e-9).all()
    correlated = np.corrcoef(x[:, 3:].T) - np.eye(COMPONENTS)
    assert np.abs(correlated).max() < 1e-6


def test_it_is_let_in_where_many_blocks_tell_a_little_and_kept_out_where_one_tells_all(with_ridge):
    assert with_ridge.weights[RIDGE[1]] > 0
    rng = np.random.default_rng(0)
    told, noise = rng.normal(size=(160, 5)), rng.normal(size=(160, 40))
    months = rng.exponential(20 * np.exp(-1.5 * told[:, 0]))
    alone = fit_survival({"told": told, "noise": noise}, months, np.ones(160, bool))
    assert alone.fitted.ridge is None and not set(RIDGE) & set(alone.weights)
    single = fit_survival({"b0": many_blocks(80)[0]["b0"]}, *many_blocks(80)[1:])
    assert single.fitted.ridge is None


def test_a_block_kept_out_on_probation_is_kept_out_of_the_ridge():
    blocks, months, event = many_blocks(80)
    image = {"image": np.random.default_rng(9).normal(size=(80, 2))}
    model = fit_survival(blocks | image, months, event, probation=frozenset({"image"}))
    assert model.weights["image, share"] == 0
    assert model.fitted.ridge is not None and "image" not in model.fitted.ridge.coefficients
    new = many_blocks(5, seed=3)[0]
    shown = [model.score(new | {"image": np.full((5, 2), value)}) for value in (-3.0, 3.0)]
    np.testing.assert_allclose(*shown)


def test_parts_shapley_values_and_attributions_add_up_to_the_score_with_it(with_ridge):
    new = many_blocks(8, seed=1)[0]
    new["b1"][2] = np.nan
    score = with_ridge.score(new)
    np.testing.assert_allclose(sum(with_ridge.block_scores(new).values()), score, atol=1e-10)
    np.testing.assert_allclose(sum(block_shapley(with_ridge, new).values.values()), score, atol=1e-8)
    found = integrated_gradients(with_ridge, new)
    assert (found.completeness_error <= 1e-6 + 0.01 * np.abs(found.explained)).all()
    assert not found.values["b1"][2].any()


def test_absent_blocks_are_scored_by_a_ridge_that_never_saw_them(with_ridge):
    blocks, months, event = many_blocks(80)
    new = many_blocks(6, seed=1)[0]
    left = {name: values for name, values in new.items() if name not in ("b0", "b1")}
    alone = fit_survival({name: blocks[name] for name in left}, months, event)
    np.testing.assert_allclose(with_ridge.score(left), alone.score(left), rtol=1e-6)


def test_saved_weights_make_it_again_and_half_of_them_are_refused(with_ridge):
    again = multi_kernel.assemble(with_ridge.scalers, with_ridge.training, with_ridge.likelihood, with_ridge.weights)
    new = many_blocks(6, seed=2)[0]
    np.testing.assert_allclose(again.score(new), with_ridge.score(new), atol=1e-6)
    np.testing.assert_allclose(again.fitted.out_of_fold(), with_ridge.fitted.out_of_fold(), atol=1e-6)
    half = {name: value for name, value in with_ridge.weights.items() if name != RIDGE[0]}
    with pytest.raises(ContractError, match="perhaps all blocks, penalty"):
        multi_kernel.assemble(with_ridge.scalers, with_ridge.training, with_ridge.likelihood, half)


def test_the_spread_of_the_score_counts_it(with_ridge):
    new = many_blocks(6, seed=2)[0]
    assert (with_ridge.score_variance(new) > 0).all()
    model = fit_calibrated(*many_blocks(80))
    low, high = model.interval(new)
    assert (low < model.risk_score(new)).all() and (model.risk_score(new) < high).all()


def test_the_error_of_a_rise_is_that_of_resampled_patients():
    rng = np.random.default_rng(4)
    risk, other = rng.normal(size=(2, 300))
    months = rng.exponential(10, 300) * np.exp(-risk)
    likelihood = CoxLikelihood(months, np.ones(300, bool))
    better = risk + 0.5 * other
    rise, error = rise_of(better, other, likelihood)
    drawn = [rng.integers(0, 300, 300) for _ in range(300)]
    parts = [(CoxLikelihood(months[i], np.ones(300, bool)), i) for i in drawn]
    by_bootstrap = np.std([p.discrimination(better[i]) - p.discrimination(other[i]) for p, i in parts])
    assert rise > 0.1
    assert error == pytest.approx(by_bootstrap, rel=0.5)
