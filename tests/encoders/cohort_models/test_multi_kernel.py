"""The default cohort model: what it finds, what it ignores, absent blocks, intervals, saving, explaining."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.optimize import minimize

from encoders.checkpoints import CARD_FILE
from encoders.cohort_models import multi_kernel
from encoders.cohort_models.attribution import integrated_gradients
from encoders.cohort_models.design import Design
from encoders.cohort_models.kernels import BlockScaler, Kernel
from encoders.cohort_models.laplace import evidence_slope, find_mode, fit_weights
from encoders.cohort_models.likelihoods import BernoulliLikelihood, CoxLikelihood
from encoders.cohort_models.metrics import area_under_curve, concordance, interval_coverage
from encoders.cohort_models.multi_kernel import fit_label, fit_survival
from encoders.cohort_models.saved_model import load_survival, save_survival
from encoders.cohort_models.stacking import left_out_scores, let_in, shares
from encoders.cohort_models.survival_model import fit_calibrated
from encoders.errors import ContractError, InputError


def made(count: int, seed: int = 0, *, signal: float = 1.5):
    """Blocks of which "told" carries the risk and "noise" nothing, with months and events."""
    rng = np.random.default_rng(seed)
    told, noise = rng.normal(size=(count, 5)), rng.normal(size=(count, 40))
    risk = signal * told[:, 0]
    months, censored = rng.exponential(20 * np.exp(-risk)), rng.exponential(40, count)
    return {"told": told, "noise": noise}, np.minimum(months, censored), months <= censored, risk


@pytest.fixture(scope="module")
def fitted():
    blocks, months, event, _ = made(160)
    return fit_survival(blocks, months, event)


def test_the_block_that_tells_the_risk_gets_the_weight_and_orders_new_patients(fitted):
    blocks, months, event, _ = made(300, seed=1)
    assert concordance(months, event, fitted.score(blocks)) > 0.75
    weight = fitted.weights
    assert weight["told, linear"] > 0.2
    assert weight["told, share"] > 0.5
    assert weight["noise, share"] < 0.05


def test_a_block_that_says_nothing_hardly_costs():
    blocks, months, event, _ = made(160)
    new, later, happened, _ = made(300, seed=1)
    alone = fit_survival({"told": blocks["told"]}, months, event).score({"told": new["told"]})
    both = fit_survival(blocks, months, event).score(new)
    assert concordance(later, happened, both) > concordance(later, happened, alone) - 0.01


def test_the_mode_is_the_maximum_of_the_posterior():
    blocks, months, event, _ = made(40)
    rows = BlockScaler.fit(blocks["told"]).transform(blocks["told"])
    kernel = Kernel.fit("told", "linear", rows).across(rows) + 0.1 * np.eye(40)
    likelihood = CoxLikelihood(months, event)
    mode = find_mode(kernel, likelihood)
    inverse = np.linalg.inv(kernel)
    reference = minimize(lambda f: -likelihood.value(f) + 0.5 * f @ inverse @ f, np.zeros(40), method="BFGS")
    np.testing.assert_allclose(mode.score, reference.x, atol=2e-3)


def test_a_start_far_off_does_not_break_the_search():
    blocks, months, event, _ = made(40)
    rows = BlockScaler.fit(blocks["told"]).transform(blocks["told"])
    kernel = Kernel.fit("told", "linear", rows).across(rows) + 1e-8 * np.eye(40)
    far = find_mode(kernel, CoxLikelihood(months, event), np.full(40, 1e6))
    near = find_mode(kernel, CoxLikelihood(months, event))
    np.testing.assert_allclose(far.score, near.score, atol=1e-4)


def test_the_evidence_of_a_gaussian_likelihood_is_exact():
    class Gaussian:
        def __init__(self, y):
            self.y = y

        def value(self, f):
            return float(-0.5 * ((self.y - f) ** 2).sum() - 0.5 * len(f) * np.log(2 * np.pi))

        def derivatives(self, f):
            return self.y - f, np.eye(len(f))

        def hessian_slope(self, f, covariance):
            return np.zeros(len(f))

    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(30, 3)), rng.normal(size=30)
    kernel = x @ x.T / 3
    joint = kernel + np.eye(30)
    exact = -0.5 * y @ np.linalg.solve(joint, y) - 0.5 * np.linalg.slogdet(joint)[1] - 15 * np.log(2 * np.pi)
    assert find_mode(kernel, Gaussian(y)).evidence == pytest.approx(exact, abs=1e-6)
    fit = fit_weights([kernel], Gaussian(x @ np.array([1.0, 0.0, 0.0]) * 1.5 + 0.1 * y))
    assert fit.weights[0] > 0.5


@pytest.mark.parametrize("ties", [False, True])
def test_the_slope_of_the_evidence_agrees_with_finite_differences(ties):
    blocks, months, event, _ = made(40)
    months = np.ceil(months / 4) if ties else months
    rows = {name: BlockScaler.fit(values).transform(values) for name, values in blocks.items()}
    kernels = [Kernel.fit(name, form, row).across(row) for name, row in rows.items() for form in ("linear", "gaussian")]
    weights = np.array([0.5, 0.2, 1.0, 0.05])
    for likelihood in (CoxLikelihood(months, event), BernoulliLikelihood(event)):
        _, slope = evidence_slope(weights, kernels, likelihood)
        step = 1e-3
        for m in range(4):
            up, down = (
                find_mode(
                    sum(
                        w * np.exp(sign * step * (i == m)) * k
                        for i, (w, k) in enumerate(zip(weights, kernels, strict=True))
                    )
                    + 1e-8 * np.eye(40),
                    likelihood,
                ).evidence
                for sign in (1, -1)
            )
            assert slope[m] == pytest.approx((up - down) / (2 * step), abs=2e-4)


def test_the_score_is_the_sum_of_own_fits_times_their_shares(fitted):
    blocks, months, event, _ = made(160)
    new, *_ = made(12, seed=11)
    share = {name: fitted.weights[f"{name}, share"] for name in blocks}
    own = {name: fit_survival({name: blocks[name]}, months, event).score({name: new[name]}) for name in blocks}
    np.testing.assert_allclose(fitted.score(new), sum(share[n] * own[n] for n in blocks), rtol=1e-6, atol=1e-9)
    assert share["told"] > 0.5
    assert share["noise"] == 0


def test_shares_are_those_of_the_highest_penalised_likelihood_and_noise_gets_none():
    rng = np.random.default_rng(3)
    risk = rng.normal(size=(120, 2))
    months = rng.exponential(10, 120) * np.exp(-risk.sum(axis=1))
    likelihood = CoxLikelihood(months, np.ones(120, bool))
    scores = {"one": risk[:, 0], "two": risk[:, 1], "noise": rng.normal(size=120)}
    found = shares(scores, likelihood)
    assert found["one"] > 0.6 and found["two"] > 0.6 and found["noise"] < 0.1

    def height(share):
        total = sum(share[name] * scores[name] for name in scores)
        return likelihood.value(total) - 3 * sum(share[name] * scores[name].std() for name in scores)

    for name in scores:
        for step in (0.97, 1.03):
            assert height({**found, name: found[name] * step}) <= height(found) + 1e-6


def test_left_out_scores_come_from_fits_without_the_patient():
    blocks, months, event, _ = made(60)
    model = fit_survival({"told": blocks["told"]}, months, event)
    fit, likelihood = model.fitted.alone["told"], model.likelihood
    found = left_out_scores(fit, likelihood)
    rank = np.argsort(np.lexsort((months, event)))
    by_hand = np.zeros(60)
    for fold in (rank % 5, (rank + rank // 5) % 5, (rank + 2 * (rank // 5)) % 5):
        for k in range(5):
            rows = np.flatnonzero(fold != k)
            mode = find_mode(fit.kernel[np.ix_(rows, rows)], CoxLikelihood(months[rows], event[rows]))
            by_hand[fold == k] += fit.kernel[np.ix_(fold == k, rows)] @ mode.alpha
    np.testing.assert_allclose(found, by_hand / 3, atol=1e-10)
    assert concordance(months, event, model.score({"told": blocks["told"]})) > concordance(months, event, found) > 0.7


def test_a_block_on_probation_is_let_in_only_where_it_adds_to_the_rest():
    rng = np.random.default_rng(5)
    risk = rng.normal(size=(150, 2))
    months = rng.exponential(10, 150) * np.exp(-2 * risk[:, 0] - 0.15 * risk[:, 1])
    likelihood = CoxLikelihood(months, np.ones(150, bool))
    scores = {"clinical": 2 * risk[:, 0], "image": 0.15 * risk[:, 1]}
    assert shares(scores, likelihood)["image"] > 0  # it says something
    assert let_in(scores, likelihood, frozenset()) == ("clinical", "image")
    assert let_in(scores, likelihood, frozenset({"image"})) == ("clinical",)  # but too little
    strong = {**scores, "clinical": 0.2 * rng.normal(size=150), "image": 2 * risk[:, 0]}
    assert "image" in let_in(strong, likelihood, frozenset({"image"}))
    assert let_in({"image": scores["image"]}, likelihood, frozenset({"image"})) == ("image",)


def test_a_block_kept_out_says_nothing_until_the_others_are_absent():
    blocks, months, event, _ = made(160)
    weak = {"told": blocks["told"], "image": blocks["told"][:, :1] + 2 * np.random.default_rng(1).normal(size=(160, 1))}
    model = fit_survival(weak, months, event, probation=frozenset({"image"}))
    assert model.weights["image, share"] == 0 < model.weights["told, share"]
    new = made(20, seed=4)[0]["told"]
    given = {"told": new, "image": new[:, :1]}
    np.testing.assert_allclose(model.score(given), model.score({**given, "image": -given["image"]}))
    assert np.ptp(model.score({"image": given["image"]})) > 0


def test_two_events_cannot_weigh_two_blocks():
    rng = np.random.default_rng(0)
    event = np.zeros(30, bool)
    event[:2] = True
    with pytest.raises(InputError, match="leaving patients out needs 3"):
        fit_survival({"a": rng.normal(size=(30, 2)), "b": rng.normal(size=(30, 2))}, np.arange(30.0), event)


def test_a_block_that_was_constant_may_be_given_and_says_nothing():
    blocks, months, event, _ = made(80)
    model = fit_survival({**blocks, "flat": np.ones((80, 3))}, months, event)
    new, *_ = made(5, seed=12)
    np.testing.assert_allclose(model.score({**new, "flat": np.full((5, 3), 7.0)}), model.score(new))
    assert not any("flat" in effect for effect in model.weights)
    with pytest.raises(InputError, match="allowed blocks"):
        model.score({**new, "other": np.ones((5, 3))})


def test_weights_of_other_effects_are_refused(fitted):
    rows = {name: row for name, row in fitted.training.items()}
    again = multi_kernel.assemble(fitted.scalers, rows, fitted.likelihood, fitted.weights)
    new, *_ = made(5, seed=13)
    np.testing.assert_allclose(again.score(new), fitted.score(new), atol=1e-6)
    with pytest.raises(ContractError, match="these blocks have noise, gaussian"):
        multi_kernel.assemble(fitted.scalers, rows, fitted.likelihood, {"told, linear": 1.0})


def test_absent_blocks_are_scored_by_a_model_that_never_saw_them(fitted):
    blocks, months, event, _ = made(160)
    new, *_ = made(20, seed=2)
    without = {"told": new["told"], "noise": np.full_like(new["noise"], np.nan)}
    alone = fit_survival({"told": blocks["told"]}, months, event)
    np.testing.assert_allclose(fitted.score(without), alone.score({"told": new["told"]}), rtol=1e-6)
    np.testing.assert_allclose(fitted.score({"told": new["told"]}), fitted.score(without))
    mixed = {name: values.copy() for name, values in new.items()}
    mixed["noise"][3:5] = np.nan
    whole, part = fitted.score(new), fitted.score(mixed)
    np.testing.assert_allclose(np.delete(part, [3, 4]), np.delete(whole, [3, 4]))
    np.testing.assert_allclose(part[3:5], fitted.score(without)[3:5])


def test_a_patient_with_nothing_and_unknown_blocks_are_refused(fitted):
    new, *_ = made(2)
    with pytest.raises(InputError, match="2 patients have none of the blocks"):
        fitted.score({name: np.full_like(v, np.nan) for name, v in new.items()})
    with pytest.raises(InputError, match="allowed blocks: told, noise"):
        fitted.score({"image": new["told"]})
    with pytest.raises(InputError, match="4 columns given, 5 were fitted"):
        fitted.score({"told": new["told"][:, :4], "noise": new["noise"]})


def test_parts_of_the_blocks_add_up_to_the_score(fitted):
    new, *_ = made(10, seed=3)
    np.testing.assert_allclose(sum(fitted.block_scores(new).values()), fitted.score(new), atol=1e-10)


def test_permuting_patients_or_columns_changes_nothing():
    blocks, months, event, _ = made(80)
    new, *_ = made(15, seed=4)
    order, columns = np.random.default_rng(0).permutation(80), np.random.default_rng(1).permutation(40)
    one = fit_survival(blocks, months, event).score(new)
    shuffled = {"told": blocks["told"][order], "noise": blocks["noise"][order][:, columns]}
    two = fit_survival(shuffled, months[order], event[order]).score({**new, "noise": new["noise"][:, columns]})
    np.testing.assert_allclose(one, two, atol=1e-3)


def test_landmarks_agree_with_all_pairs(monkeypatch):
    blocks, months, event, _ = made(240)
    new, later, happened, _ = made(200, seed=5)
    dense = fit_survival(blocks, months, event)
    monkeypatch.setattr(multi_kernel, "MOST_DENSE", 100)
    monkeypatch.setattr(multi_kernel, "LANDMARKS", 120)
    sparse = fit_survival(blocks, months, event)
    assert np.corrcoef(dense.score(new), sparse.score(new))[0, 1] > 0.98
    assert concordance(later, happened, sparse.score(new)) > 0.75
    ratio = np.sqrt(sparse.score_variance(new) / dense.score_variance(new))
    assert 0.7 < np.median(ratio) < 1.4


def test_labels_are_learned_with_interactions_no_line_can_draw():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(300, 2))
    label = x[:, 0] * x[:, 1] > 0
    model = fit_label({"x": x[:200]}, label[:200])
    assert area_under_curve(label[200:], model.score({"x": x[200:]})) > 0.9
    assert model.weights["x, gaussian"] > 10 * model.weights["x, linear"]


def test_integrated_gradients_are_complete_and_name_the_column(fitted):
    new, *_ = made(25, seed=6)
    new["noise"][0] = np.nan
    found = integrated_gradients(fitted, new)
    assert (found.completeness_error <= 1e-6 + 0.01 * np.abs(found.explained)).all()
    assert np.abs(found.values["told"]).mean(axis=0).argmax() == 0
    assert not found.values["noise"][0].any()


def test_intervals_of_the_risk_cover_it_and_event_times_fall_where_they_should():
    blocks, months, event, _ = made(300)
    new, later, happened, risk = made(600, seed=7)
    model = fit_calibrated(blocks, months, event)
    low, high = model.interval(new)
    centred = risk - risk.mean() + model.risk_score(new).mean()
    assert 0.7 < np.mean((low <= centred) & (centred <= high)) <= 1.0
    last = np.array(
        [model.survival_probability({k: v[i : i + 1] for k, v in new.items()}, [later[i]])[0, 0] for i in range(600)]
    )
    assert 0.86 <= interval_coverage(last, happened) <= 0.94
    curves = model.survival_probability(new, np.array([0.0, 6.0, 24.0]))
    assert (curves[:, 0] == 1).all() and (np.diff(curves, axis=1) <= 0).all()
    start, end = model.event_time_interval(new)
    assert (start <= end).all()


def test_a_patient_unlike_the_cohort_is_flagged():
    blocks, months, event, _ = made(160)
    model = fit_calibrated(blocks, months, event)
    new, *_ = made(200, seed=8)
    assert np.mean(model.out_of_distribution(new) > model.ood_limit) < 0.06
    strange = {name: 3 * values for name, values in new.items()}
    assert np.mean(model.out_of_distribution(strange) > model.ood_limit) > 0.9


def test_a_saved_model_scores_the_same_and_says_that_it_holds_patient_data(tmp_path):
    blocks, months, event, _ = made(60)
    model = fit_calibrated(blocks, months, event)
    design = Design({name: tuple(f"{name}{i}" for i in range(v.shape[1])) for name, v in blocks.items()}, (), {})
    card = {"id": "made", "training": {}, "metrics": {}, "limits": "made for a test"}
    save_survival(tmp_path, model, design, (months, event), card)
    read, columns, said = load_survival(tmp_path)
    new, *_ = made(9, seed=9)
    np.testing.assert_allclose(read.risk_score(new), model.risk_score(new), atol=1e-5)
    np.testing.assert_allclose(read.interval(new)[0], model.interval(new)[0], atol=1e-4)
    assert columns == replace(design)
    assert "keep it like the cohort itself" in said["patient_data"]
    assert (tmp_path / CARD_FILE).is_file()


def test_constant_columns_alone_are_refused():
    with pytest.raises(InputError, match="no block has a column that varies"):
        fit_label({"x": np.ones((6, 2))}, np.array([True, False] * 3))


def test_bernoulli_scores_shift_with_nothing_but_the_features():
    label = np.array([True] * 15 + [False] * 5)
    assert BernoulliLikelihood(label).offset == pytest.approx(np.log(3))
