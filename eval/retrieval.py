"""The retrieval benchmark: ``radomica eval retrieval``, the right passage or none, from a store that loses nothing.

Groups: ``pubmedqa`` and ``bioasq`` (labelled questions; the shipped order beside its parts), ``floor`` (nothing, once
the labelled passages are gone), ``scale`` (a million made vectors), ``cold`` (first start), ``crash`` (a writer killed
at random moments), ``scope`` (cross-patient queries beside adds and deletes).
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from eval.benchmark import SHARED_DATA, BenchmarkResult, Progress, Row, run_groups
from eval.retrieval_cold import cold_rows
from eval.retrieval_crash import crash_rows
from eval.retrieval_quality import quality_rows
from eval.retrieval_scale import scale_rows
from eval.retrieval_scope import scope_rows

GROUPS: dict[str, Callable[[int, Path, Progress], tuple[Row, ...]]] = {
    "pubmedqa": lambda *given: quality_rows("pubmedqa", *given),
    "bioasq": lambda *given: quality_rows("bioasq", *given),
    "floor": lambda *given: quality_rows("floor", *given),
    "scale": scale_rows,
    "cold": cold_rows,
    "crash": lambda seed, _, progress: crash_rows(seed=seed, progress=progress),
    "scope": lambda seed, _, progress: scope_rows(seed=seed, progress=progress),
}
"""Group -> its rows."""


def run_retrieval(
    *,
    seed: int = 0,
    llm_spec: str = "embedded",
    shared: Path | None = None,
    only: tuple[str, ...] = (),
    out: Path | None = None,
    progress: Progress = None,
) -> BenchmarkResult:
    """Run the groups named in ``only`` (all by default); no language model is asked.

    Raises
    ------
    SettingsError: ``only`` names a group that does not exist.
    """
    return run_groups("retrieval", GROUPS, only, seed, shared or SHARED_DATA, progress, seed=seed, progress=progress)
