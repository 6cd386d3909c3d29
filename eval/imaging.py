"""The imaging benchmark. ``radomica eval imaging``; one group alone with ``--only explain``.

Not known here: what a group measures (its own file).
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from encoders.errors import SettingsError
from eval.benchmark import BenchmarkResult, Progress, Row
from eval.imaging_explain import explanation_rows
from eval.imaging_reading import reading_rows
from eval.imaging_reliance import reliance_rows

HELD_OUT_SEED = 80_000
"""First seed of the held-out patients."""

GROUPS: dict[str, Callable[[int, Progress], tuple[Row, ...]]] = {
    "explain": lambda seed, progress: explanation_rows(n=100, seed=seed, progress=progress),
    "reading": lambda seed, progress: reading_rows(seed=seed, progress=progress),
    "reliance": lambda seed, progress: reliance_rows(n=600, seed=seed + 1, progress=progress),
}
"""Group -> its rows, from (seed, progress)."""


def run_imaging(
    *,
    seed: int = 0,
    llm_spec: str = "embedded",
    shared: Path | None = None,
    only: tuple[str, ...] = (),
    out: Path | None = None,
    progress: Progress = None,
) -> BenchmarkResult:
    """Run the groups named in ``only`` (all by default) and return their rows.

    Raises
    ------
    SettingsError: ``only`` names a group that does not exist.
    """
    unknown = set(only) - set(GROUPS)
    if unknown:
        raise SettingsError(f"no imaging group {sorted(unknown)}; allowed: {', '.join(GROUPS)}.")
    rows: list[Row] = []
    for name in only or tuple(GROUPS):
        if progress:
            progress(f"group {name}")
        rows += GROUPS[name](HELD_OUT_SEED + seed, progress)
    return BenchmarkResult("imaging", tuple(rows), seed)
