"""Label models: calibrated probabilities, cross-conformal sets counted by hand, reading back what was written."""

import numpy as np
import pytest

from encoders.cohort_models.design import Design
from encoders.cohort_models.label_model import cross_conformal_p_values, fit_calibrated_label
from encoders.cohort_models.saved_model import load_label, load_survival, save_label
from encoders.cohort_runs.reliability import label_slope_intercept
from encoders.errors import InputError, UnavailableError


def made(n: int, seed: int) -> tuple[dict[str, np.ndarray], np.ndarray]:
    rng = np.random.default_rng(seed)
    values = rng.normal(size=(n, 8))
    return {"genes": values}, rng.random(n) < 1 / (1 + np.exp(-1.5 * values[:, 0] + 0.8))


@pytest.fixture(scope="module")
def fitted():
    return fit_calibrated_label(*made(200, 0))


def test_p_values_counted_by_hand():
    """Fitted: no scored -2, 0; yes scored -1, 1, 3; one inner model scores the new patient 0."""
    scores, label = np.array([-2.0, 0.0, -1.0, 1.0, 3.0]), np.array([False, False, True, True, True])
    found = cross_conformal_p_values(scores, label, np.zeros(5, int), np.array([[0.0]]))
    # no: of -2, 0 only 0 fits no better than 0 -> (1 + 1) / 3; yes: -1 fits no better -> (1 + 1) / 4
    np.testing.assert_allclose(found, [[2 / 3, 2 / 4]])


def test_each_fitted_patient_is_compared_with_the_new_one_by_its_own_inner_model():
    scores, label, fold_of = np.array([1.0, 1.0]), np.array([True, True]), np.array([0, 1])
    found = cross_conformal_p_values(scores, label, fold_of, np.array([[0.0], [2.0]]))  # model 0 says 0, model 1 says 2
    assert found[0, 1] == pytest.approx((1 + 1) / 3)  # only the second fits no better


def test_sets_cover_nine_in_ten_of_new_patients_of_either_class(fitted):
    blocks, label = made(3000, 1)
    inside = fitted.p_values(blocks) > 0.1
    covered = inside[np.arange(3000), label.astype(int)]
    for of in (label, ~label):
        assert 0.85 < covered[of].mean() < 0.96  # 200 fitted patients leave about +-3 points


def test_probabilities_of_new_patients_need_no_further_calibration(fitted):
    blocks, label = made(3000, 2)
    slope, intercept = label_slope_intercept(fitted.log_odds(blocks), label)
    assert 0.75 < slope.value < 1.35
    assert abs(intercept.value) < 0.3
    low, high = fitted.interval(blocks)
    share = fitted.probability(blocks)
    assert ((low < share) & (share < high)).all()
    assert (low > 0).all()
    assert (high < 1).all()


def test_what_is_written_reads_back_the_same(fitted, tmp_path):
    design = Design({"genes": tuple("ABCDEFGH")}, (), {})
    save_label(tmp_path, fitted, design, {"id": "x", "training": {}, "metrics": {}, "limits": "none"})
    again, columns, card = load_label(tmp_path)
    blocks, _ = made(30, 3)
    np.testing.assert_allclose(again.probability(blocks), fitted.probability(blocks), atol=1e-6)
    np.testing.assert_allclose(again.p_values(blocks), fitted.p_values(blocks), atol=1e-6)
    assert columns.blocks == design.blocks
    assert "ids of the training patients" in card["patient_data"]
    with pytest.raises(UnavailableError, match="holds a multi-kernel logistic model, not a multi-kernel Cox one"):
        load_survival(tmp_path)


def test_a_patient_far_from_all_fitted_ones_is_flagged(fitted):
    far = {"genes": np.full((1, 8), 9.0)}
    assert fitted.out_of_distribution(far)[0] > fitted.ood_limit
    assert fitted.out_of_distribution({"genes": np.zeros((1, 8))})[0] < fitted.ood_limit


def test_too_few_of_a_class_are_refused():
    blocks, _ = made(40, 4)
    with pytest.raises(InputError, match="40 patients, 1 of the rarer class"):
        fit_calibrated_label(blocks, np.arange(40) == 0)
