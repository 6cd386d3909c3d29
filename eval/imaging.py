"""The imaging benchmark. ``radomica eval imaging``; one group alone with ``--only explain``.

Not known here: what a group measures (its own file).
"""

from __future__ import annotations

from eval.benchmark import Registry, grouped_benchmark
from eval.imaging_candidates import candidate_rows
from eval.imaging_explain import explanation_rows
from eval.imaging_reading import reading_rows
from eval.imaging_reliance import reliance_rows
from eval.radiogenomics import radiogenomics_rows

HELD_OUT_SEED = 80_000
"""First seed of the held-out patients."""

GROUPS: Registry = {
    "candidates": lambda seed, _, progress: candidate_rows(n=60, seed=HELD_OUT_SEED + seed + 2, progress=progress),
    "explain": lambda seed, _, progress: explanation_rows(n=60, seed=HELD_OUT_SEED + seed, progress=progress),
    "radiogenomics": lambda seed, shared, progress: radiogenomics_rows(shared=shared, seed=seed, progress=progress),
    "reading": lambda seed, _, progress: reading_rows(seed=seed, progress=progress),
    "reliance": lambda seed, _, progress: reliance_rows(n=600, seed=HELD_OUT_SEED + seed + 1, progress=progress),
}
"""Group -> its rows, from (seed, folder of the shared real data, progress)."""


run_imaging = grouped_benchmark("imaging", GROUPS)
