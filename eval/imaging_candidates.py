"""Does the candidate finder find the lesion when nobody outlined it, and how much else does it propose?

Held-out synthetic lung patients with their outlines taken away. A candidate hits when the centre of its mask lies in
the true lesion. Lesions whose uptake nowhere reaches the PET threshold cannot be found that way and are counted apart.

Not measured here: real patients. On the one real lung CT with an outlined tumour (4D-Lung 113, 68 mL, on the
mediastinum) the tumour is missed and one vessel is proposed.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, replace

import numpy as np

from encoders.lesion_candidates import PET_SUV, find_candidates
from encoders.patient import ImagingModality, ImagingSeries
from encoders.synthetic.cohort import sample_case
from eval.benchmark import Better, Progress, Row
from eval.intervals import wilson

HIT_BAR, FALSE_BAR = 0.90, 2.0


@dataclass(frozen=True)
class Search:
    """What was proposed in one series. hit : any candidate lies on the lesion; false : those that do not."""

    kind: str
    hit: bool
    false: int
    seconds: float


def candidate_rows(*, n: int, seed: int, progress: Progress = None) -> tuple[Row, ...]:
    """For CT and for PET of lesions above the threshold: share found, and false candidates a case."""
    found: list[Search] = []
    for index in range(n):
        found += [search(series) for series in sample_case(index, seed, "LUAD").patient.imaging]
        if progress and (index + 1) % 20 == 0:
            progress(f"candidates: {index + 1}/{n} held-out lung patients")
    rows: list[Row] = []
    for kind in ("ct", "pet"):
        mine = [s for s in found if s.kind == kind]
        every = [s for s in found if s.kind.endswith(kind)]
        seconds = sum(s.seconds for s in every) / 2
        hits, false = sum(s.hit for s in mine), sum(s.false for s in every) / len(every)
        cold = sum(s.kind == "cold pet" for s in found)
        note = f"{cold} PET lesions below SUV {PET_SUV} are not counted" if kind == "pet" else ""
        share = hits / len(mine)
        interval = wilson(hits, len(mine))
        rows.append(Row(f"candidates.{kind}_found", share, HIT_BAR, Better.HIGHER, len(mine), seconds, interval, note))
        rows.append(Row(f"candidates.{kind}_false", false, FALSE_BAR, Better.LOWER, len(every), seconds))
    return tuple(rows)


def search(series: ImagingSeries) -> Search:
    """Candidates of one series without its outlines, against its one true lesion."""
    truth = series.segments[0].mask
    start = time.monotonic()
    masks = [c.mask for c in find_candidates(replace(series, segments=()))]
    seconds = time.monotonic() - start
    hits = [bool(truth[tuple(np.argwhere(m).mean(0).round().astype(int))]) for m in masks]
    kind = "ct"
    if series.modality is ImagingModality.PT:
        kind = "pet" if float(series.volume[truth].max()) >= PET_SUV else "cold pet"
    return Search(kind, any(hits), hits.count(False), seconds)
