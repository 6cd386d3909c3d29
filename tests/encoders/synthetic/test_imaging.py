"""Synthetic volumes: units, geometry, and lesions that show what the truth says."""

from __future__ import annotations

import numpy as np
import pytest

from encoders.patient import ImagingModality
from encoders.synthetic.biology import RADIUS_MM
from encoders.synthetic.cohort import sample_case
from encoders.vocabulary import CANCERS

ROLES = {
    "LUAD": ["CT chest", "FDG-PET"],
    "DIFG": ["T1 post-contrast", "FLAIR"],
    "CCRCC": ["CT abdomen"],
    "BRCA": ["T1 post-contrast"],
}


@pytest.fixture(scope="module")
def cases():
    return {code: [sample_case(i, 33, code) for i in range(6)] for code in CANCERS}


def test_roles_and_one_lesion_per_series(cases):
    for code, group in cases.items():
        for case in group:
            assert [s.role for s in case.patient.imaging] == ROLES[code]
            for series in case.patient.imaging:
                assert [s.label for s in series.segments] == ["Lesion"]
                assert series.segments[0].mask.any()
                assert len(series.sop_instance_uids) == series.volume.shape[0]


def test_lesion_volume_is_that_of_its_radius(cases):
    """A sphere of the hidden radius, within a factor of two (margins and voxels differ)."""
    for code, group in cases.items():
        low, high = RADIUS_MM[code]
        for case in group:
            radius = case.truth.latent["radius_mm"]
            assert low <= radius <= high
            series = case.patient.imaging[0]
            volume = series.segments[0].mask.sum() * np.prod(series.spacing_mm)
            assert 0.5 < volume / (4 / 3 * np.pi * radius**3) < 2.0


def test_units_are_believable(cases):
    for group in cases.values():
        for case in group:
            for series in case.patient.imaging:
                if series.modality is ImagingModality.CT:
                    assert series.volume.min() >= -1024
                    assert (series.volume < -900).mean() > 0.2  # air around the body
                    assert series.volume.max() > 200  # bone
                if series.modality is ImagingModality.PT:
                    assert series.volume.min() >= 0
                    assert series.volume.max() < 33


def test_segments_of_two_series_meet_in_space(cases):
    for code in ("LUAD", "DIFG"):
        for case in cases[code]:
            centres = []
            for series in case.patient.imaging:
                z, y, x = np.argwhere(series.segments[0].mask).mean(0)
                centres.append((series.affine_lps @ [x, y, z, 1])[:3])
            assert np.linalg.norm(centres[0] - centres[1]) < 3.0


def test_uptake_is_seen_on_the_pet():
    for i in range(12):
        case = sample_case(i, 34, "LUAD")
        pet = case.patient.imaging[1]
        peak = pet.volume[pet.segments[0].mask].max()
        assert (peak > 4.5) == (case.truth.appearance["uptake"] == "high")


def test_necrosis_is_seen_in_the_lesion_centre():
    """On T1, every glioma with necrosis is darker in its centre, against its shell, than every one without."""
    ratios: dict[str, list[float]] = {"present": [], "absent": []}
    for i in range(12):
        case = sample_case(i, 35, "DIFG")
        t1 = case.patient.imaging[0]
        mask = t1.segments[0].mask
        at = np.argwhere(mask)
        away = np.linalg.norm((at - at.mean(0)) * t1.spacing_mm, axis=1)
        values = t1.volume[mask]
        radius = case.truth.latent["radius_mm"]
        ratio = values[away < 0.3 * radius].mean() / values[away > 0.65 * radius].mean()
        ratios[case.truth.appearance["necrosis"]].append(float(ratio))
    assert ratios["present"] and ratios["absent"]
    assert max(ratios["present"]) < min(ratios["absent"]), ratios
