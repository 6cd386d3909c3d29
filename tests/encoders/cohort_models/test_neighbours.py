"""Nearest patients in a fitted model's own space, against distances worked out by hand, and their survival."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from encoders.cohort_models import multi_kernel
from encoders.cohort_models import neighbours as module
from encoders.cohort_models.kernels import KERNELS
from encoders.cohort_models.likelihoods import CoxLikelihood
from encoders.cohort_models.metrics import concordance
from encoders.cohort_models.multi_kernel import SHARE, MultiKernelModel, assemble, standardise
from encoders.cohort_models.neighbours import NONE, nearest, outcome_of_neighbours
from encoders.errors import InputError


def assembled(values: dict[str, np.ndarray], likelihood: CoxLikelihood, weights: list[float]) -> MultiKernelModel:
    """A model at given weights ("a, linear", "a, gaussian", "b, linear" ...), every share 1: no search, so quick."""
    scalers, rows = standardise(values)
    effects = [(name, form) for name in rows for form in KERNELS]
    given = {f"{name}, {form}": weight for (name, form), weight in zip(effects, weights, strict=True)}
    given |= {f"{name}, {SHARE}": 1.0 for name in rows}
    return assemble(scalers, rows, likelihood, given)


def model_of(values: dict[str, np.ndarray], weights: list[float]) -> MultiKernelModel:
    rng = np.random.default_rng(0)
    count = len(next(iter(values.values())))
    return assembled(values, CoxLikelihood(rng.exponential(20.0, count), rng.random(count) < 0.7), weights)


def names(count: int, prefix: str = "p") -> list[str]:
    return [f"{prefix}{i}" for i in range(count)]


@pytest.fixture(scope="module")
def blocks() -> dict[str, np.ndarray]:
    rng = np.random.default_rng(1)
    return {"a": rng.normal(size=(60, 4)), "b": rng.normal(size=(60, 3))}


@pytest.fixture(scope="module")
def new() -> dict[str, np.ndarray]:
    rng = np.random.default_rng(2)
    return {"a": rng.normal(size=(7, 4)), "b": rng.normal(size=(7, 3))}


def test_with_a_linear_kernel_alone_the_distance_is_the_straight_line(blocks, new) -> None:
    model = model_of(blocks, [2.0, 0.0, 0.0, 0.0])
    found = nearest(model, new, 5, ids=names(60), new_ids=names(7, "n"))
    fitted, asked = model.training["a"], model.standardised(new)["a"]
    straight = np.linalg.norm(asked[:, None] - fitted[None], axis=2) * np.sqrt(2.0 / model.kernels[0].scale)
    assert found.index.tolist() == np.argsort(straight, axis=1)[:, :5].tolist()
    assert found.distance == pytest.approx(np.sort(straight, axis=1)[:, :5])
    cosine = (asked @ fitted.T) / np.outer(np.linalg.norm(asked, axis=1), np.linalg.norm(fitted, axis=1))
    assert found.similarity == pytest.approx(np.take_along_axis(cosine, found.index, 1))


def test_a_block_without_weight_makes_nobody_alike(blocks, new) -> None:
    other = {"a": new["a"], "b": np.roll(new["b"], 1, axis=0)}
    model = model_of(blocks, [1.0, 0.5, 0.0, 0.0])
    found = [nearest(model, n, 5, ids=names(60), new_ids=names(7, "n")).index for n in (new, other)]
    assert (found[0] == found[1]).all()


def test_features_in_the_index_find_the_same_neighbours_as_all_pairs(blocks, new) -> None:
    model = model_of(blocks, [1.0, 0.5, 0.3, 0.7])
    pairs, features = (
        nearest(model, new, 8, ids=names(60), new_ids=names(7, "n"), through_features=way) for way in (False, True)
    )
    assert (pairs.index == features.index).all()
    assert (features.distance <= pairs.distance + 1e-5).all()  # what lies outside the fitted patients' span is left out


def test_a_patient_is_never_his_own_neighbour(blocks) -> None:
    model = model_of(blocks, [1.0, 0.5, 0.3, 0.7])
    again = {name: values[:6] for name, values in blocks.items()}
    for way in (False, True):
        found = nearest(model, again, 59, ids=names(60), new_ids=names(6), through_features=way)
        assert (found.index != np.arange(6)[:, None]).all()
        assert (found.candidates == 59).all() and (found.index != NONE).all()
        stranger = nearest(model, again, 1, ids=names(60), new_ids=names(6, "n"), through_features=way)
        assert stranger.index[:, 0].tolist() == list(range(6))
        assert stranger.distance[:, 0] == pytest.approx(0.0, abs=2e-3)
        assert stranger.similarity[:, 0] == pytest.approx(1.0, abs=1e-5)


def test_only_patients_with_every_block_of_the_new_one_are_compared(blocks, new) -> None:
    part = {"a": blocks["a"], "b": blocks["b"].copy()}
    part["b"][12:] = np.nan  # 12 fitted patients have both blocks
    model = model_of(part, [1.0, 0.5, 0.3, 0.7])
    for way in (False, True):
        both = nearest(model, new, 20, ids=names(60), new_ids=names(7, "n"), through_features=way)
        assert (both.candidates == 12).all() and both.index[:, :12].max() < 12
        assert (both.index[:, 12:] == NONE).all() and np.isinf(both.distance[:, 12:]).all()
        assert np.isnan(both.similarity[:, 12:]).all()


def test_a_new_patient_without_a_block_is_compared_by_the_others(blocks, new, monkeypatch) -> None:
    model = model_of(blocks, [1.0, 0.5, 0.3, 0.7])
    alone = model_of({"a": blocks["a"]}, [1.0, 0.5])
    monkeypatch.setitem(model._restricted, frozenset({"a"}), alone)  # its weights would be fitted: slow
    found = nearest(model, {"a": new["a"]}, 5, ids=names(60), new_ids=names(7, "n"))
    expected = nearest(alone, {"a": new["a"]}, 5, ids=names(60), new_ids=names(7, "n"))
    assert (found.index == expected.index).all() and found.distance == pytest.approx(expected.distance)


def test_ties_keep_the_order_of_the_fitted_patients() -> None:
    rows = np.array([[1.0], [1.0], [0.0], [0.0], [2.0], [2.0]])
    model = model_of({"a": rows}, [1.0, 0.0])
    found = nearest(model, {"a": np.array([[1.0]])}, 4, ids=names(6), new_ids=["n"])
    assert found.index.tolist() == [[0, 1, 2, 3]]


def test_outcomes_are_those_of_the_neighbours_and_too_few_give_none(blocks, new) -> None:
    model = model_of(blocks, [1.0, 0.5, 0.3, 0.7])
    months, event = np.arange(1.0, 61.0), np.arange(60) % 2 == 0
    found = nearest(model, new, 12, ids=names(60), new_ids=names(7, "n"))
    curves = outcome_of_neighbours(found, months, event)
    for curve, rows in zip(curves, found.index, strict=True):
        assert curve is not None
        assert curve.followup_months.tolist() == sorted(months[rows]) and curve.events == event[rows].sum()
    few = nearest(model, new, 9, ids=names(60), new_ids=names(7, "n"))
    assert outcome_of_neighbours(few, months, event) == (None,) * 7


@pytest.mark.parametrize(("k", "ids", "new_ids"), [(0, 60, 7), (5, 59, 7), (5, 60, 6)])
def test_what_does_not_fit_is_refused(k: int, ids: int, new_ids: int, blocks, new) -> None:
    model = model_of(blocks, [1.0, 0.5, 0.3, 0.7])
    with pytest.raises(InputError, match="one id each"):
        nearest(model, new, k, ids=names(ids), new_ids=names(new_ids, "n"))


def test_a_large_cohort_is_searched_through_the_index(blocks, new, monkeypatch) -> None:
    monkeypatch.setattr(module, "MOST_DENSE", 50)
    model, seen = model_of(blocks, [1.0, 0.5, 0.3, 0.7]), []
    by_features = module._by_features
    monkeypatch.setattr(module, "_by_features", lambda *a: seen.append(1) or by_features(*a))
    nearest(model, new, 5, ids=names(60), new_ids=names(7, "n"))
    assert seen


def test_with_landmarks_a_patient_who_is_one_finds_himself_under_another_id(blocks, monkeypatch) -> None:
    monkeypatch.setattr(multi_kernel, "MOST_DENSE", 50)
    monkeypatch.setattr(multi_kernel, "LANDMARKS", 20)
    model = model_of(blocks, [1.0, 0.5, 0.3, 0.7])
    shown = np.flatnonzero([(row == model.kernels[0].rows).all(axis=1).any() for row in model.training["a"]])
    assert len(shown) == 20
    again = {name: values[shown] for name, values in blocks.items()}
    found = nearest(model, again, 3, ids=names(60), new_ids=names(20, "n"), through_features=True)
    assert found.index[:, 0].tolist() == shown.tolist()


OPEN = Path(__file__).parents[4] / "shared/data/open/omics_survival"


@pytest.mark.skipif(not OPEN.is_dir(), reason="shared/data/open/omics_survival is not on this machine")
def test_on_a_real_cohort_the_neighbours_survival_orders_patients_it_never_saw() -> None:
    from encoders.cohort_models.design import Design  # noqa: PLC0415
    from encoders.cohort_runs.cross_validation import outcome_of, parts_of, read_task  # noqa: PLC0415
    from encoders.cohorts.import_cohort import ImportSettings, import_cohort  # noqa: PLC0415

    cohort = import_cohort(OPEN, ImportSettings(mapping="porpoise-gbmlgg"))
    outcome = outcome_of(cohort, read_task("OS"))
    fitted, held = parts_of(next(iter(cohort.splits.values()))[0], outcome)
    place = {p: i for i, p in enumerate(outcome.patient_ids)}
    a, b = (np.array([place[p] for p in ids]) for ids in (fitted, held))
    design = Design.fit(cohort, fitted)
    values = design.values(cohort, fitted)
    equal = [0.3] * (2 * len(standardise(values)[0]))  # no search for weights: quick
    model = assembled(values, CoxLikelihood(outcome.months[a], outcome.event[a]), equal)
    given = {n: v for n, v in design.values(cohort, held).items() if n in model.scalers}
    found = nearest(model, given, 30, ids=fitted, new_ids=held)
    curves = outcome_of_neighbours(found, outcome.months[a], outcome.event[a])
    risk = np.array([1 - c.probability_at(36) for c in curves if c is not None])
    assert len(risk) == len(held)
    assert concordance(outcome.months[b], outcome.event[b], risk) > 0.7
