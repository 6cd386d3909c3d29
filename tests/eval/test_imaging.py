"""The imaging benchmark: peaks are found in the series' own grid, a swap keeps nobody's own image."""

from __future__ import annotations

import numpy as np
import pytest

from encoders.errors import SettingsError
from encoders.explain.methods import METHODS
from encoders.explain.sanity import layers_from_top
from encoders.models import load_models
from encoders.synthetic.cohort import sample_case
from eval.imaging import run_imaging
from eval.imaging_explain import (
    DISPLACED_MM,
    NO_BAR,
    PEAK_BAR,
    RANDOM_BAR,
    _method_rows,
    case_of,
    found_by,
)
from eval.imaging_reliance import swapped_auc


def test_swapped_probabilities_are_at_chance_and_own_ones_are_not() -> None:
    truth = np.arange(200) % 2 == 0
    assert swapped_auc(truth, truth.astype(float), seed=1) == pytest.approx(0.5, abs=0.03)


def test_two_patients_swapped_get_each_other() -> None:
    assert swapped_auc(np.array([True, False]), np.array([1.0, 0.0]), seed=0) == 0.0


def test_trained_maps_peak_in_the_lesion_more_often_than_random_ones() -> None:
    models, found = load_models(), []
    for i in range(8):
        case = case_of(sample_case(i, 62).patient, models)
        found += found_by(METHODS["layercam"], case, models, seed=i, deletion=False)
    assert len(found) >= 16
    assert sum(f.peak for f in found) >= 0.8 * len(found)
    assert sum(f.peak for f in found) >= sum(f.random_peak for f in found) + 3


def test_a_displaced_crop_leaves_the_lesion_as_it_was_outlined() -> None:
    """The crop's centre moves 8 to 14 mm along each axis; what counts as inside does not move."""
    models, patient = load_models(), sample_case(1, 62).patient
    own = case_of(patient, models)
    moved = case_of(patient, models, displaced=np.random.default_rng(0))
    offsets = []
    for before, after in zip(own.inputs.crops, moved.inputs.crops, strict=True):
        assert before.series_uid == after.series_uid
        assert np.array_equal(own.mask[before.series_uid], moved.mask[before.series_uid])
        spacing = next(s.spacing_mm for s in patient.imaging if s.series_uid == before.series_uid)
        offset = np.abs((after.crop_to_lps - before.crop_to_lps)[:3, 3])
        assert np.all(offset >= DISPLACED_MM[0] - max(spacing)) and np.all(offset <= DISPLACED_MM[1] + max(spacing))
        offsets.append(offset)
    assert offsets


def test_the_reports_method_has_bars_and_the_cascade_names_its_parts() -> None:
    models = load_models()
    rows = {r.id: r for r in _method_rows("explain.m", models, METHODS["layercam"], range(1), 62, bars=True)}
    barred = {name for name in rows if not name.startswith("explain.m.")}
    assert barred == {f"explain.{k}_peak_inside{r}" for k in ("survival", "molecular") for r in ("", "_random_weights")}
    assert all(rows[n].bar == (RANDOM_BAR if n.endswith("weights") else PEAK_BAR) for n in barred)
    assert all(r.bar == NO_BAR and "no bar" in r.note for n, r in rows.items() if n not in barred)
    parts = [name for name, _ in layers_from_top(models.model.image)]
    told = rows["explain.m.cascade"].note
    assert [told.index(part) for part in parts] == sorted(told.index(part) for part in parts)
    assert {"deletion_passed", "randomisation_passed", "share_inside", "peak_inside_displaced"} <= {
        n.removeprefix("explain.m.") for n in rows
    }


def test_an_unknown_group_names_the_allowed_ones() -> None:
    with pytest.raises(SettingsError, match="explain, radiogenomics, reading, reliance"):
        run_imaging(only=("speed",))
