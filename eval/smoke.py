"""The smoke benchmark: every row the first version must show, in one JSON object. ``radomica eval smoke``

Groups can be run alone: ``radomica eval smoke --only fusion``. Patients come from ``HELD_OUT_SEED + seed``, which no
training or calibration cohort uses. All patients but those of the group ``real`` are synthetic.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from assistant.llm.chat_model import ChatModel
from assistant.llm.resolve import load_llm
from eval.benchmark import SHARED_DATA, BenchmarkResult, Progress, Row, chosen_groups
from eval.smoke_fusion import fusion_rows
from eval.smoke_page import page_rows
from eval.smoke_real import real_rows
from eval.smoke_reports import demo_rows, held_out_rows, hostile_rows, subset_rows
from eval.smoke_soft_tokens import soft_token_rows

HELD_OUT_SEED = 70_000
"""First seed of the held-out patients."""


@dataclass(frozen=True)
class SmokeRun:
    """What every group gets. work : scratch folder, gone afterwards; out : where screenshots go, or None."""

    llm: ChatModel
    llm_spec: str
    seed: int
    work: Path
    out: Path | None
    shared: Path
    progress: Progress


GROUPS: dict[str, Callable[[SmokeRun], tuple[Row, ...]]] = {
    "demo": lambda r: demo_rows(seed=r.seed, work=r.work / "demo", llm_spec=r.llm_spec, progress=r.progress),
    "heldout": lambda r: held_out_rows(r.llm, n=40, seed=r.seed, progress=r.progress),
    "soft_tokens": lambda r: soft_token_rows(r.llm, n=100, seed=r.seed + 1, progress=r.progress),
    "subsets": lambda r: subset_rows(r.llm, seed=r.seed, progress=r.progress),
    "hostile": lambda r: hostile_rows(seed=r.seed, progress=r.progress),
    "fusion": lambda r: fusion_rows(n=600, seed=r.seed + 2, progress=r.progress),
    "page": lambda r: page_rows(work=r.work / "page", llm_spec=r.llm_spec, out=r.out, progress=r.progress),
    "real": lambda r: real_rows(r.llm, shared=r.shared, work=r.work, seed=r.seed, progress=r.progress),
}
"""Group -> its rows."""


def run_smoke(
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
    names = chosen_groups("smoke", GROUPS, only, progress)
    rows: list[Row] = []
    with tempfile.TemporaryDirectory(prefix="radomica-smoke-") as scratch:
        run = SmokeRun(
            load_llm(llm_spec), llm_spec, HELD_OUT_SEED + seed, Path(scratch), out, shared or SHARED_DATA, progress
        )
        for name in names:
            rows += GROUPS[name](run)
    return BenchmarkResult("smoke", tuple(rows), seed)
