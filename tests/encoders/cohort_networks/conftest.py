"""A made cohort whose outcome lies in the genes of one pathway of one block, and settings that train in a second."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
import torch

from encoders.cohort_networks.plan import GeneKnowledge
from encoders.cohort_networks.settings import NetworkSettings, TrainingSettings

OPEN_DATA = Path(__file__).parents[3].parent / "shared/data/open"
QUICK = TrainingSettings(epochs=40, patience=10, learning_rate=5e-3, seeds=1, folds=2)


@pytest.fixture(scope="session", autouse=True)
def one_core() -> None:
    torch.set_num_threads(1)


@dataclass(frozen=True)
class MadeCohort:
    """blocks : "expression" (N, 50) genes G0.., "clinical" (N, 3) noise, "protein" (N, 4) noise; signal : (N,)."""

    blocks: dict[str, np.ndarray]
    months: np.ndarray
    event: np.ndarray
    signal: np.ndarray
    knowledge: GeneKnowledge


def make_cohort(size: int, seed: int) -> MadeCohort:
    """Hazard exp(1.5 x mean of genes G0..G9 / its SD); a tenth of the patients lack each block, none all."""
    rng = np.random.default_rng(seed)
    factor = rng.normal(size=size)
    genes = rng.normal(size=(size, 50))
    genes[:, :10] += factor[:, None]
    blocks = {"expression": genes, "clinical": rng.normal(size=(size, 3)), "protein": rng.normal(size=(size, 4))}
    time = rng.exponential(np.exp(-1.5 * factor)) * 12
    censored = rng.exponential(40, size)
    lack = rng.integers(0, 30, size)
    for i, values in enumerate(blocks.values()):
        values[lack == i] = np.nan
    sets = {"signal": [f"G{i}" for i in range(10)], "noise": [f"G{i}" for i in range(8, 25)], "few": ["G1", "X"]}
    features = {
        "expression": [f"G{i}" for i in range(50)],
        "clinical": list("abc"),
        "protein": list("defg"),
    }
    months, event = np.minimum(time, censored), time <= censored
    return MadeCohort(blocks, months, event, factor, GeneKnowledge(features, sets))


@pytest.fixture(scope="session")
def made() -> MadeCohort:
    return make_cohort(400, 1)


@pytest.fixture(scope="session")
def unseen() -> MadeCohort:
    return make_cohort(150, 2)


@pytest.fixture(scope="session")
def open_data() -> Path:
    """The folder of shared real data; tests that need it skip where it is absent."""
    if not OPEN_DATA.is_dir():
        pytest.skip("the shared real data are not beside this repository")
    return OPEN_DATA


@pytest.fixture(scope="session")
def quick() -> Callable[..., NetworkSettings]:
    """Settings of a small, quick network; changes by name."""
    return _quick


def _quick(**changes: object) -> NetworkSettings:
    return replace(NetworkSettings(wide=10, width=8, hidden=16, channels=2, dropout=0.3, training=QUICK), **changes)
