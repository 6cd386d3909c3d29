"""Shapley values of blocks: hand-counted games, the sum, blocks that say nothing, sampled against exact."""

import numpy as np
import pytest

from encoders.cohort_models.multi_kernel import fit_survival
from encoders.cohort_models.shapley import block_shapley, exact_shapley, sampled_shapley

GLOVES = {"": 0.0, "l": 0.0, "r": 0.0, "s": 0.0, "lr": 1.0, "ls": 1.0, "rs": 0.0, "lrs": 1.0}
"""One left glove (l), two right ones (r, s); a pair is worth 1. Shapley: l 2/3, r and s 1/6 each."""


def gloves(names: frozenset[str]) -> np.ndarray:
    return np.array([GLOVES["".join(sorted(names))]])


def test_the_glove_game_counted_by_hand():
    found = exact_shapley("lrs", gloves)
    assert {k: round(float(v[0]), 12) for k, v in found.items()} == {
        "l": round(2 / 3, 12), "r": round(1 / 6, 12), "s": round(1 / 6, 12)
    }  # fmt: skip


def test_two_blocks_share_what_they_repeat():
    """a alone 2, b alone 2, both 3: each gives (2 + 1) / 2."""
    worth = {frozenset(): 0.0, frozenset("a"): 2.0, frozenset("b"): 2.0, frozenset("ab"): 3.0}
    found = exact_shapley("ab", lambda s: np.array([worth[s]]))
    assert found["a"][0] == found["b"][0] == 1.5


def test_sampled_orders_add_up_to_the_whole_and_come_near_the_exact_values():
    for permutations in (1, 2, 7):
        few = sampled_shapley("lrs", gloves, permutations=permutations, seed=0)
        assert sum(v[0] for v in few.values()) == pytest.approx(1.0)
    many = sampled_shapley("lrs", gloves, permutations=2000, seed=0)
    assert many["l"][0] == pytest.approx(2 / 3, abs=0.03)


@pytest.fixture(scope="module")
def fitted():
    rng = np.random.default_rng(1)
    blocks = {"told": rng.normal(size=(120, 3)), "noise": rng.normal(size=(120, 4)), "late": rng.normal(size=(120, 2))}
    blocks["late"][90:] = np.nan
    months = rng.exponential(10 * np.exp(-1.5 * blocks["told"][:, 0]))
    return fit_survival(blocks, months, np.ones(120, bool)), blocks


def test_values_of_a_patient_add_up_to_the_score_with_and_without_a_block(fitted):
    model, blocks = fitted
    some = {name: values[85:95] for name, values in blocks.items()}
    found = block_shapley(model, some)
    np.testing.assert_allclose(sum(found.values.values()) + found.empty, model.score(some), atol=1e-8)
    assert (found.values["late"][5:] == 0).all()  # absent there
    assert np.abs(found.values["told"]).mean() > 5 * np.abs(found.values["noise"]).mean()
    assert found.method == "exact over all subsets of the blocks"


def test_with_many_blocks_the_number_of_permutations_is_said_and_the_sum_still_holds():
    rng = np.random.default_rng(2)
    blocks = {f"b{i}": rng.normal(size=(60, 2)) for i in range(7)}
    model = fit_survival(blocks, rng.exponential(10 * np.exp(-blocks["b0"][:, 0])), np.ones(60, bool))
    found = block_shapley(model, {name: values[:4] for name, values in blocks.items()}, permutations=4)
    np.testing.assert_allclose(
        sum(found.values.values()), model.score({n: v[:4] for n, v in blocks.items()}), atol=1e-8
    )
    assert found.method.startswith("4 permutations drawn where a patient has more than 6 blocks")
