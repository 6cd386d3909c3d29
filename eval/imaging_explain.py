"""Do the heat maps show the lesion, and only because of what was learned?

A map counts when its highest voxel lies inside the segment, in the grid of its own series. The same is asked of
an encoder whose weights are drawn anew: a map that still points at the lesion then shows the picture, not the model
(Adebayo et al., NeurIPS 2018).

Not measured here: that what lies under the peak is what a radiologist would name.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass

import torch

from encoders.explain.explain import image_targets, in_series
from encoders.explain.grad_cam import grad_cam
from encoders.explain.maps import peak_inside
from encoders.explain.sanity import randomised_copy
from encoders.inputs import make_batch, read_inputs
from encoders.lesion_choice import lesion_mask
from encoders.models import Models, load_models
from encoders.patient import Patient
from encoders.synthetic.cohort import sample_case
from eval.benchmark import Better, Progress, Row
from eval.intervals import wilson

PEAK_BAR, RANDOM_BAR = 0.80, 0.30


@dataclass(frozen=True)
class Peak:
    """Where one map peaks. kind : "survival" or "molecular"; randomised : the encoder's weights were drawn anew."""

    kind: str
    randomised: bool
    inside: bool


def explanation_rows(*, n: int, seed: int, progress: Progress = None) -> tuple[Row, ...]:
    """For each kind of map: share of peaks inside the segment, with the trained and with random weights."""
    start = time.monotonic()
    models = load_models()
    peaks: list[Peak] = []
    for index in range(n):
        peaks += peaks_of(sample_case(index, seed).patient, models, seed=index)
        if progress and (index + 1) % 20 == 0:
            progress(f"heat maps: {index + 1}/{n} held-out patients")
    seconds = (time.monotonic() - start) / 4
    rows = []
    for kind in ("survival", "molecular"):
        for randomised, name, bar, better in (
            (False, "peak_inside", PEAK_BAR, Better.HIGHER),
            (True, "peak_inside_random_weights", RANDOM_BAR, Better.LOWER),
        ):
            found = [p.inside for p in peaks if p.kind == kind and p.randomised is randomised]
            share, count = sum(found) / len(found), len(found)
            interval = wilson(sum(found), count)
            note = f"maps of {n} synthetic patients"
            rows.append(Row(f"explain.{kind}_{name}", share, bar, better, count, seconds, interval, note))
    return tuple(rows)


def peaks_of(patient: Patient, models: Models, *, seed: int) -> Iterator[Peak]:
    """The peaks of every map of one patient; a flat map counts as outside. PET has no map of a molecular label."""
    inputs = read_inputs(patient)
    if not inputs.crops:
        return
    batch = make_batch([inputs], models.scale)
    with torch.no_grad():
        tokens = models.model.encode(batch)
    targets = image_targets(inputs, batch, tokens, models)
    own = models.model.image
    for randomised, encoder in ((False, own), (True, randomised_copy(own, seed=seed))):
        for task, target in targets.items():
            maps = grad_cam(encoder, batch.crops, batch.kind, target)
            for _, series, values in in_series(patient, inputs, task, maps):
                yield Peak(task.partition(":")[0], randomised, peak_inside(values, lesion_mask(series)))
