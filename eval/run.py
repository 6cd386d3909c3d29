"""Benchmarks by name: ``radomica eval NAME`` runs one and prints its JSON on the last line.

Not known here: how flags are parsed (app/cli.py) or what a benchmark measures (its own file).
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

from encoders.errors import SettingsError
from eval.benchmark import BenchmarkResult, Progress
from eval.fusion import run_fusion
from eval.grounding import run_grounding
from eval.imaging import run_imaging
from eval.llm import run_llm
from eval.retrieval import run_retrieval
from eval.scoreboard import keep_rows
from eval.server import run_server
from eval.smoke import run_smoke
from eval.suites.benchmark import run_suites_benchmark
from eval.therapy import run_therapy
from retrieval.added_documents import documents_at

BENCHMARKS: dict[str, Callable[..., BenchmarkResult]] = {
    "smoke": run_smoke,
    "imaging": run_imaging,
    "fusion": run_fusion,
    "grounding": run_grounding,
    "llm": run_llm,
    "therapy": run_therapy,
    "retrieval": run_retrieval,
    "suites": run_suites_benchmark,
    "server": run_server,
}
"""Name -> function(seed, llm_spec, shared, progress, only). Later benchmarks register here."""


def run_benchmark(
    name: str,
    *,
    out: Path | None = None,
    seed: int = 0,
    llm_spec: str = "embedded",
    shared: Path | None = None,
    only: tuple[str, ...] = (),
    progress: Progress = None,
) -> BenchmarkResult:
    """Run one benchmark; with ``out``, also keep its rows in ``NAME.json`` there (scoreboard.py).

    The user's added documents are not searched meanwhile, so that no figure depends on them.

    Raises
    ------
    SettingsError: no benchmark of that name.
    """
    if name not in BENCHMARKS:
        raise SettingsError(f"no benchmark {name!r}; allowed: {', '.join(sorted(BENCHMARKS))}.")
    with TemporaryDirectory(prefix="radomica-no-documents-") as nothing, documents_at(Path(nothing)):
        result = BENCHMARKS[name](seed=seed, llm_spec=llm_spec, shared=shared, only=only, out=out, progress=progress)
    if out is not None:
        keep_rows(out, result)
    return result
