"""Made folds hold each patient once and keep the events' share."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from encoders.cohorts.cohort import Cohort, Endpoint, Split
from encoders.cohorts.splits import check_events, make_splits
from encoders.errors import InputError


def cohort(n: int, events: int, **extra: object) -> Cohort:
    ids = tuple(f"P{i:03d}" for i in range(n))
    event = np.arange(n) < events
    endpoint = Endpoint("OS", ids, np.full(n, 10.0), event)
    return Cohort("made", "made", pd.DataFrame(index=list(ids)), {}, {}, endpoints={"OS": endpoint}, **extra)


def test_every_patient_is_validated_once_and_events_are_spread() -> None:
    made = cohort(100, 25)
    folds = make_splits(made, "OS", n_folds=5, seed=3)
    held = [p for fold in folds for p in fold.ids("validation")]
    assert sorted(held) == list(made.patient_ids)
    for fold in folds:
        assert set(fold.parts) == set(made.patient_ids)
        assert sum(p < "P025" for p in fold.ids("validation")) == 5


def test_the_seed_decides_the_folds() -> None:
    made = cohort(40, 20)
    first, again, other = (make_splits(made, "OS", seed=s)[0].ids("validation") for s in (1, 1, 2))
    assert first == again != other


def test_fewer_events_than_folds_are_refused() -> None:
    with pytest.raises(InputError, match="only 3 patients in its smaller group"):
        make_splits(cohort(50, 3), "OS")


def test_an_all_censored_validation_part_is_counted() -> None:
    split = Split("0", {"P000": "train", "P001": "train", "P004": "validation", "P005": "validation"})
    notes = check_events(cohort(6, 2, splits={"given": (split,)}), "OS")
    assert [n.count for n in notes] == [2]
    assert "all censored for OS" in notes[0].what
    with pytest.raises(InputError, match="no endpoint 'PFS'; it has OS"):
        check_events(cohort(6, 2), "PFS")
