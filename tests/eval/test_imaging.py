"""The imaging benchmark: peaks are found in the series' own grid, a swap keeps nobody's own image."""

from __future__ import annotations

import numpy as np
import pytest

from encoders.errors import SettingsError
from encoders.models import load_models
from encoders.synthetic.cohort import sample_case
from eval.imaging import run_imaging
from eval.imaging_explain import peaks_of
from eval.imaging_reliance import swapped_auc


def test_swapped_probabilities_are_at_chance_and_own_ones_are_not() -> None:
    truth = np.arange(200) % 2 == 0
    assert swapped_auc(truth, truth.astype(float), seed=1) == pytest.approx(0.5, abs=0.03)


def test_two_patients_swapped_get_each_other() -> None:
    assert swapped_auc(np.array([True, False]), np.array([1.0, 0.0]), seed=0) == 0.0


def test_trained_maps_peak_in_the_lesion_more_often_than_random_ones() -> None:
    models = load_models()
    peaks = [p for i in range(8) for p in peaks_of(sample_case(i, 62).patient, models, seed=i)]
    own = [p.inside for p in peaks if not p.randomised]
    random = [p.inside for p in peaks if p.randomised]
    assert len(own) == len(random) >= 16
    assert sum(own) > 2 * sum(random)


def test_an_unknown_group_names_the_allowed_ones() -> None:
    with pytest.raises(SettingsError, match="explain, radiogenomics, reading, reliance"):
        run_imaging(only=("speed",))
