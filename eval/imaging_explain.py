"""Do the heat maps show the lesion, and only because of what was learned?

A map counts when its highest voxel lies inside the segment, in the grid of its own series. The same is asked of
an encoder whose weights are drawn anew: a map that still points at the lesion then shows the picture, not the model
(Adebayo et al., NeurIPS 2018). And it is asked with the crop moved off the lesion, since a map that always points at
the middle of the crop finds a lesion that always lies there.

The report's method has bars; the other methods, and the vision transformer, are measured beside it without one.

Not measured here: that what lies under the peak is what a radiologist would name.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch

from encoders.errors import UnavailableError
from encoders.explain.crop_map import Target
from encoders.explain.image_targets import image_targets, in_series
from encoders.explain.maps import overlap
from encoders.explain.methods import REPORT_METHOD, Method, chosen_methods
from encoders.explain.sanity import cascade, deletion_curves, randomised_copy, rank_correlation, weight_randomisation
from encoders.inputs import Batch, PatientInputs, make_batch, read_inputs
from encoders.lesion_choice import lesion_mask, lesions
from encoders.models import Models, load_models
from encoders.patient import ImagingSeries, Patient, Segment
from encoders.registry import FUSION_OF, entry
from encoders.synthetic.cohort import sample_case
from eval.benchmark import Better, Progress, Row
from eval.intervals import wilson

PEAK_BAR, RANDOM_BAR, NO_BAR = 0.80, 0.30, 0.0
SLOW = ("occlusion", "integrated_gradients")
"""Methods of some ten seconds a patient; not measured with displaced crops, nor by the cascade."""
SLOW_SHARE, OTHER_SHARE = 0.06, 0.2
"""Shares of the patients that the slow methods, and the others without a bar, are measured on."""
DISPLACED_MM = (8.0, 14.0)
"""How far the crop is moved along each of the patient's axes, either way: least and most."""


@dataclass(frozen=True)
class Case:
    """One patient ready to be explained. target of each task; mask : series UID -> lesions as outlined."""

    patient: Patient
    inputs: PatientInputs
    batch: Batch
    targets: Mapping[str, Target]
    mask: Mapping[str, np.ndarray]


@dataclass(frozen=True)
class Found:
    """What one map shows. kind : "survival" or "molecular"; random_ : with weights drawn anew."""

    kind: str
    inside: float
    peak: bool
    random_peak: bool
    changed: bool
    deleted: bool | None


def explanation_rows(*, n: int, seed: int, progress: Progress = None) -> tuple[Row, ...]:
    """For each model and method, how often a map peaks in the lesion and passes its sanity tests.

    n : patients for the report's method; the others take ``OTHER_SHARE`` or ``SLOW_SHARE`` of them, at least 4
    """
    rows: list[Row] = []
    for name in FUSION_OF.values():
        try:
            models = load_models(entry(name).folder)
        except UnavailableError as error:
            rows.append(Row(f"explain.{name}", None, NO_BAR, Better.HIGHER, 0, 0.0, note=str(error)))
            continue
        for method in chosen_methods("all", models.model.image):
            with_bars = name == FUSION_OF["cnn3d"] and method.name == REPORT_METHOD
            share = 1.0 if with_bars else SLOW_SHARE if method.name in SLOW else OTHER_SHARE
            count = min(n, max(4, round(n * share)))
            if progress:
                progress(f"heat maps: {name}, {method.title}, {count} held-out patients")
            rows += _method_rows(f"explain.{name}.{method.name}", models, method, range(count), seed, bars=with_bars)
    return tuple(rows)


def case_of(patient: Patient, models: Models, *, displaced: np.random.Generator | None = None) -> Case | None:
    """The patient as the maps see it, None without a crop; ``displaced`` moves the crops off the lesion.

    Whatever is moved, ``mask`` holds the lesions as outlined.
    """
    seen = patient
    if displaced is not None:
        offset = displaced.choice([-1.0, 1.0], 3) * displaced.uniform(*DISPLACED_MM, 3)
        seen = replace(patient, imaging=tuple(_off_centre(s, offset) for s in patient.imaging))
    inputs = read_inputs(seen)
    if not inputs.crops:
        return None
    batch = make_batch([inputs], models.scale)
    with torch.no_grad():
        tokens = models.model.encode(batch)
    masks = {s.series_uid: lesion_mask(s) for s in patient.imaging}
    return Case(seen, inputs, batch, image_targets(inputs, batch, tokens, models), masks)


def _off_centre(series: ImagingSeries, offset_mm: np.ndarray) -> ImagingSeries:
    """The series with one voxel, ``offset_mm`` (LPS) from its largest lesion, outlined in its place: the crop's centre.

    The outline places the crop and is no input of the network. A place past the volume becomes its nearest voxel.
    """
    found = max(lesions(series), key=lambda s: int(s.mask.sum()), default=None)
    if found is None:
        return series
    centre = series.affine_lps @ np.array([*np.argwhere(found.mask).mean(0)[::-1], 1.0])
    index = np.linalg.inv(series.affine_lps) @ (centre + np.array([*offset_mm, 0.0]))
    mask = np.zeros_like(found.mask)
    mask[tuple(np.clip(np.round(index[2::-1]).astype(int), 0, np.array(mask.shape) - 1))] = True
    return replace(series, segments=(Segment(found.label, mask, found.source),))


def found_by(method: Method, case: Case, models: Models, *, seed: int, deletion: bool = True) -> Iterator[Found]:
    """What every map of one patient shows. PET has no map of a molecular label."""
    encoder, batch, targets = models.model.image, case.batch, list(case.targets.values())
    own = method.compute(encoder, batch.crops, batch.kind, targets)
    random = method.compute(randomised_copy(encoder, seed=seed), batch.crops, batch.kind, targets)
    for (task, target), maps, drawn in zip(case.targets.items(), own, random, strict=True):
        changed = weight_randomisation(maps.values, drawn.values)
        curves = deletion_curves(encoder, batch.crops, batch.kind, target, maps.values, seed=seed) if deletion else ()
        pairs = zip(
            in_series(case.patient, case.inputs, task, maps.values),
            in_series(case.patient, case.inputs, task, drawn.values),
            strict=True,
        )
        for (i, series, values), (_, _, random_values) in pairs:
            mask = case.mask[series.series_uid]
            inside, peak = overlap(values, mask)
            deleted = curves[i].passed if deletion else None
            yield Found(task.partition(":")[0], inside, peak, overlap(random_values, mask)[1], changed[i][0], deleted)


def _method_rows(
    prefix: str, models: Models, method: Method, patients: Sequence[int], seed: int, *, bars: bool
) -> Iterator[Row]:
    start = time.monotonic()
    found: list[Found] = []
    moved: list[Found] = []
    for index in patients:
        patient = sample_case(index, seed).patient
        if (case := case_of(patient, models)) is not None:
            found += found_by(method, case, models, seed=index)
        if method.name in SLOW:
            continue
        if (case := case_of(patient, models, displaced=np.random.default_rng([seed, index]))) is not None:
            moved += found_by(method, case, models, seed=index, deletion=False)
    seconds, note = time.monotonic() - start, f"maps of {len(patients)} synthetic patients"
    if bars:
        yield from _bar_rows(found, seconds, note)
    shares: list[tuple[str, Callable[[Found], bool | None], list[Found]]] = [
        ("peak_inside", lambda f: f.peak, found),
        ("peak_inside_random_weights", lambda f: f.random_peak, found),
        ("deletion_passed", lambda f: f.deleted, found),
        ("randomisation_passed", lambda f: f.changed, found),
        ("peak_inside_displaced", lambda f: f.peak, moved),
        ("peak_inside_displaced_random_weights", lambda f: f.random_peak, moved),
    ]
    for name, passed, over in shares:
        if over:
            yield _share(f"{prefix}.{name}", [bool(passed(f)) for f in over], seconds, f"no bar; {note}")
    mean = float(np.mean([f.inside for f in found]))
    yield Row(f"{prefix}.share_inside", mean, NO_BAR, Better.HIGHER, len(found), seconds, note=f"no bar; {note}")
    if method.name not in SLOW:
        yield _cascade_row(f"{prefix}.cascade", models, method, patients[: len(patients) // 5 or 1], seed)


def _bar_rows(found: Sequence[Found], seconds: float, note: str) -> Iterator[Row]:
    """The issue's two bars for the report's method, for each kind of map."""
    for kind in ("survival", "molecular"):
        over = [f for f in found if f.kind == kind]
        for name, hits, bar, better in (
            ("peak_inside", [f.peak for f in over], PEAK_BAR, Better.HIGHER),
            ("peak_inside_random_weights", [f.random_peak for f in over], RANDOM_BAR, Better.LOWER),
        ):
            yield _share(f"explain.{kind}_{name}", hits, seconds, note, bar=bar, better=better)


def _share(
    row_id: str,
    hits: Sequence[bool],
    seconds: float,
    note: str,
    *,
    bar: float = NO_BAR,
    better: Better = Better.HIGHER,
) -> Row:
    count = len(hits)
    return Row(row_id, sum(hits) / count, bar, better, count, seconds, wilson(sum(hits), count), note)


def _cascade_row(row_id: str, models: Models, method: Method, patients: Sequence[int], seed: int) -> Row:
    """Mean rank correlation with the true maps once every part is random; the note has it after each part."""
    start = time.monotonic()
    by_part: dict[str, list[float]] = {}
    for index in patients:
        case = case_of(sample_case(index, seed).patient, models)
        if case is None:
            continue
        batch, targets = case.batch, list(case.targets.values())
        own = method.compute(models.model.image, batch.crops, batch.kind, targets)
        for part, encoder in cascade(models.model.image, seed=index):
            for a, b in zip(own, method.compute(encoder, batch.crops, batch.kind, targets), strict=True):
                pairs = zip(a.values, b.values, strict=True)
                by_part.setdefault(part, []).extend(rank_correlation(x, y) for x, y in pairs)
    means = {part: float(np.mean(values)) for part, values in by_part.items()}
    told = ", ".join(f"{part} {value:.2f}" for part, value in means.items())
    count = len(next(iter(by_part.values())))
    note = f"no bar, lower is better; mean rank correlation after drawing anew, from the top: {told}"
    # an absolute value, so that a map that inverts does not look better than one that is lost
    return Row(row_id, abs(list(means.values())[-1]), NO_BAR, Better.HIGHER, count, time.monotonic() - start, note=note)
