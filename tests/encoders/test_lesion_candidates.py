"""Candidates: found where they are plain, not beside a lesion, and not read by the networks by themselves."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from encoders.lesion_candidates import MOST_CANDIDATES, find_candidates, propose_lesions, with_proposed
from encoders.measure import measure_patient
from encoders.patient import ImagingModality, ImagingSeries, IntensityUnit, Patient, Segment, SourceLocator
from encoders.predict import predict
from encoders.synthetic.cohort import sample_case

WHERE = SourceLocator("pt")


def pet(*spots: tuple[int, float], unit: IntensityUnit = IntensityUnit.SUVBW) -> ImagingSeries:
    """A PET of 4 mm voxels (0.064 mL); each spot is a cube of some voxels a side, hottest in its middle voxel."""
    volume = np.full((20, 60, 60), 1.0, np.float32)
    for row, (side, highest) in enumerate(spots):
        at = 8 * row + 2
        volume[4 : 4 + side, at : at + side, 4 : 4 + side] = 0.5 * highest
        volume[4 + side // 2, at + side // 2, 4 + side // 2] = highest
    return ImagingSeries(
        ImagingModality.PT, "1", "2024-01-01", volume, unit, (4.0, 4.0, 4.0), np.diag([4.0, 4.0, 4.0, 1.0]), WHERE,
        role="FDG-PET",
    )  # fmt: skip


def test_hot_regions_by_hand() -> None:
    """3^3 voxels are 1.7 mL; 2^3 are 0.5 mL, too small; SUV 7 gives edges of 3.5, below the threshold."""
    found = find_candidates(pet((3, 9.0), (2, 20.0), (3, 7.0), (4, 12.0)))
    assert [int(s.mask.sum()) for s in found] == [64, 27]
    assert [s.label for s in found] == ["Proposed lesion 1", "Proposed lesion 2"] and all(s.proposed for s in found)


def test_an_outline_is_cut_to_41_percent_of_its_maximum() -> None:
    series = pet((5, 20.0))
    series.volume[4, 2, 4] = 5.0  # above 4.0, below 41 % of 20
    (found,) = find_candidates(series)
    assert int(found.mask.sum()) == 124


def test_at_most_five_are_proposed() -> None:
    assert len(find_candidates(pet(*[(3, 10.0 + n) for n in range(7)]))) == MOST_CANDIDATES


def test_no_candidates_without_suv_and_none_beside_a_lesion() -> None:
    assert find_candidates(pet((4, 12.0), unit=IntensityUnit.ARBITRARY)) == ()
    series = pet((4, 12.0))
    mask = np.zeros(series.volume.shape, bool)
    mask[0, 0, 0] = True
    assert find_candidates(replace(series, segments=(Segment("Lesion", mask, WHERE),))) == ()
    assert find_candidates(replace(series, segments=(Segment("Liver", mask, WHERE, kind="ORGAN"),)))


def test_only_the_newest_study_is_searched() -> None:
    newest, older = pet((4, 12.0)), replace(pet((4, 12.0)), series_uid="2", date="2023-01-01")
    assert {uid for uid, _ in propose_lesions(Patient("p", imaging=(older, newest)))} == {"1"}


@pytest.fixture(scope="module")
def bare() -> tuple[Patient, np.ndarray]:
    """A synthetic lung patient without outlines, and the true lesion of the CT."""
    patient = sample_case(0, 81_000, "LUAD").patient
    truth = patient.imaging[0].segments[0].mask
    return replace(patient, imaging=tuple(replace(s, segments=()) for s in patient.imaging)), truth


def test_a_lung_nodule_is_found_and_measured_as_proposed(bare: tuple[Patient, np.ndarray]) -> None:
    patient, truth = bare
    masks = [s.mask for s in find_candidates(patient.imaging[0])]
    assert max(2 * (m & truth).sum() / (m.sum() + truth.sum()) for m in masks) > 0.8
    measured = measure_patient(with_proposed(patient, propose_lesions(patient)))
    assert measured and all(m.proposed for m in measured)


def test_the_networks_read_a_proposed_outline_only_when_told_to(bare: tuple[Patient, np.ndarray]) -> None:
    patient, _ = bare
    plain = predict(patient, explain=False)
    assert plain.measurements and plain.proposed
    assert not any("imaging" in p.inputs for p in plain.predictions)
    told = predict(with_proposed(patient, propose_lesions(patient)), explain=False)
    image = [p for p in told.predictions if "imaging" in p.inputs]
    assert image and all(p.on_proposed_outline for p in image)
    assert not any(p.on_proposed_outline for p in told.predictions if "imaging" not in p.inputs)
    assert told.proposed == ()
