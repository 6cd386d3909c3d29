"""Heat maps of one patient by any method, each in its series' grid, with its sanity tests and its overlap.

What this module does not know: files (export.py), words of the report.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from encoders.explain.crop_map import Target
from encoders.explain.image_targets import image_targets, in_series
from encoders.explain.methods import REPORT_METHOD, Method, chosen_methods
from encoders.explain.sanity import DeletionCurve, deletion_curves, randomised_copy, weight_randomisation
from encoders.inputs import Batch, PatientInputs, make_batch, read_inputs
from encoders.lesion_choice import lesion_mask
from encoders.models import Models, load_models
from encoders.patient import ImagingSeries, Patient


@dataclass(frozen=True)
class HeatMap:
    """One map. values : (Z, Y, X) float32 in [0, 1] on the grid of ``series``.

    inside : share of the map's total inside the lesion's segment; peak_inside : whether its maximum lies there
    deletion, randomisation : the sanity tests (sanity.py); randomisation = (passed, rank correlation)
    completeness : (error, difference explained) over all series; None for relative maps
    """

    task: str
    method: Method
    series: ImagingSeries
    values: NDArray[np.float32]
    inside: float
    peak_inside: bool
    deletion: DeletionCurve
    randomisation: tuple[bool, float]
    completeness: tuple[float, float] | None = None

    @property
    def failed(self) -> tuple[str, ...]:
        """Names of the sanity tests that the map failed."""
        tests = {"deletion": self.deletion.passed, "weight randomisation": self.randomisation[0]}
        return tuple(name for name, passed in tests.items() if not passed)

    @property
    def title(self) -> str:
        """The method, with what it is not and which tests failed; the name to print beside the map."""
        notes = ["attention, not attribution, the same for every task"] if self.method.name == "rollout" else []
        notes += [f"FAILED: {', '.join(self.failed)}"] if self.failed else []
        return "; ".join([self.method.title, *notes])


def heat_maps(patient: Patient, *, method: str = REPORT_METHOD, models: Models | None = None) -> tuple[HeatMap, ...]:
    """Maps of the risk and of the molecular label for every series with a lesion; () when there is none.

    method : a name of ``METHODS``, or "all" for every one that works on the model

    Raises
    ------
    SettingsError: no method of that name, or one that the model's image encoder cannot answer.
    """
    models = models or load_models()
    chosen = chosen_methods(method, models.model.image)
    inputs = read_inputs(patient)
    if not inputs.crops:
        return ()
    batch = make_batch([inputs], models.scale)
    with torch.no_grad():
        tokens = models.model.encode(batch)
    targets = image_targets(inputs, batch, tokens, models)
    return tuple(found for one in chosen for found in maps_of(patient, inputs, batch, models, targets, one))


def maps_of(
    patient: Patient,
    inputs: PatientInputs,
    batch: Batch,
    models: Models,
    targets: Mapping[str, Target],
    method: Method,
    *,
    seed: int = 0,
) -> list[HeatMap]:
    """The maps of some targets by one method; ``seed`` draws the random weights and the random deletions."""
    encoder, wanted = models.model.image, list(targets.values())
    own = method.compute(encoder, batch.crops, batch.kind, wanted)
    random = method.compute(randomised_copy(encoder, seed=seed), batch.crops, batch.kind, wanted)
    found = []
    for (task, target), maps, drawn in zip(targets.items(), own, random, strict=True):
        changed = weight_randomisation(maps.values, drawn.values)
        deleted = deletion_curves(encoder, batch.crops, batch.kind, target, maps.values, seed=seed)
        for i, series, values in in_series(patient, inputs, task, maps.values):
            inside, at_peak = overlap(values, lesion_mask(series))
            found.append(
                HeatMap(task, method, series, values, inside, at_peak, deleted[i], changed[i], maps.completeness)
            )
    return found


def overlap(values: NDArray[np.float32], mask: NDArray[np.bool_]) -> tuple[float, bool]:
    """(share of the map's total inside ``mask``, whether its maximum lies there)."""
    total = float(values.sum(dtype=np.float64))
    if total == 0:
        return 0.0, False
    return float(values[mask].sum(dtype=np.float64)) / total, peak_inside(values, mask)


def peak_inside(values: NDArray[np.float32], mask: NDArray[np.bool_]) -> bool:
    """Whether the largest value of a map lies in ``mask``; False for a map that is 0 everywhere."""
    return bool(values.max() > 0 and mask[np.unravel_index(int(values.argmax()), values.shape)])
