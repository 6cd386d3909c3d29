"""``radomica eval run`` and ``eval compare``: question sets asked of any backend; ``eval all``: the scoreboard."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from app.console import progress_line
from app.settings import Settings, apply_offline, read_settings
from encoders.errors import SettingsError

if TYPE_CHECKING:
    from eval.benchmark import BenchmarkResult

SUITES = "mirage, pubmedqa, bioasq, medqa, medmcqa, mtbbench, vqa, healthbench, cases"


def run_questions(
    settings: Settings, suite: str, *, data: Path | None, system: str, limit: int | None, parallel: int, out: Path,
    seed: int,
) -> None:  # fmt: skip
    """Ask a question set; prints one JSON object on the last line.

    Raises
    ------
    SettingsError: no --data, an unknown system, or ``out`` holds another run.
    """
    if data is None:
        raise SettingsError(f"eval run {suite} needs --data, the set's file or folder in its published form.")
    with progress_line(f"questions of {suite}") as progress:
        from eval.suites.ask import System  # noqa: PLC0415
        from eval.suites.read import read_suite  # noqa: PLC0415
        from eval.suites.run import RunConfig, run_suite  # noqa: PLC0415
        from eval.suites.scripted import Scripted, is_scripted  # noqa: PLC0415

        if system not in list(System):
            raise SettingsError(f"--system is {system!r}; allowed: {', '.join(System)}.")
        found = read_suite(suite, data)
        for problem in found.problems[:5]:
            progress(f"left out {problem.key}: {problem.reason}")
        search = None
        if system != System.LLM:
            from retrieval.search import search  # noqa: PLC0415
        config = RunConfig(suite, data.name, found.sha256, System(system), settings.llm, seed, limit)
        if is_scripted(settings.llm):
            scripted = Scripted(settings.llm)
            reply, versions = scripted, scripted.versions()
        else:
            from app.make_report import open_llm  # noqa: PLC0415

            llm = open_llm(settings)
            reply, versions = (lambda _, request: llm.generate(request)), llm.versions()
        metrics = run_suite(
            config, found, reply, out, versions=versions, search=search, parallel=parallel, progress=progress
        )
    sys.stdout.write(json.dumps(metrics, allow_nan=False) + "\n")


def eval_compare(
    first: Annotated[Path, typer.Argument(help="Run folder.")],
    second: Annotated[Path, typer.Argument(help="Run folder of the same items.")],
    out: Annotated[Path | None, typer.Option(help="Also write the comparison here, as JSON.")] = None,
    seed: Annotated[int, typer.Option(help="Same seed, same intervals.")] = 0,
) -> None:
    """Two runs of the same items: paired differences with intervals, and the items that flipped."""
    from encoders.atomic_write import write_atomically  # noqa: PLC0415
    from eval.suites.compare import compare_runs, comparison_markdown  # noqa: PLC0415

    found = compare_runs(first, second, seed=seed)
    if out is not None:
        write_atomically(out, json.dumps(found, indent=1, allow_nan=False) + "\n")
    sys.stdout.write(comparison_markdown(found))


def eval_site(
    folder: Annotated[
        Path, typer.Argument(help="A patient folder a case, and its reference summary NAME.txt beside it.")
    ],
    out: Annotated[Path, typer.Option(help="Where site.md and site.json go.")] = Path("radomica-out/site"),
    llm: Annotated[str | None, typer.Option(help="Language model: embedded, hf:, vllm:, openai:.")] = None,
    *,
    ablations: Annotated[
        bool, typer.Option(help="Also report every case without images, molecular data, notes.")
    ] = True,
    seed: Annotated[int, typer.Option(help="Same seed, same result.")] = 0,
    allow_remote: Annotated[bool, typer.Option(help="Allow an LLM address outside this machine.")] = False,
) -> None:
    """Your own cases against your own reference summaries; nothing leaves the machine; a one-page result."""
    settings = read_settings(llm=llm, allow_remote=allow_remote)
    apply_offline(settings)
    with progress_line("site self-test") as progress:
        from app.make_report import open_llm  # noqa: PLC0415
        from encoders.read.folder import read_patient  # noqa: PLC0415
        from eval.site import run_site, site_markdown  # noqa: PLC0415

        found = run_site(
            folder, open_llm(settings), out, read=read_patient, ablations=ablations, seed=seed, progress=progress
        )
    sys.stdout.write(site_markdown(found))


def eval_all(
    out: Annotated[Path, typer.Option(help="Where rows are kept, one file a benchmark.")] = Path("radomica-out/board"),
    only: Annotated[list[str] | None, typer.Option("--only", help="Benchmarks to run; may be given again.")] = None,
    readme: Annotated[Path | None, typer.Option(help="Put the table between the marks of this file.")] = None,
    *,
    shown: Annotated[bool, typer.Option("--show", help="Run nothing, show what was measured.")] = False,
    seed: Annotated[int, typer.Option(help="Same seed, same output.")] = 0,
) -> None:
    """Run every benchmark and show one table: figure, bar, command; exit code 1 when a row misses its bar."""
    from eval.run import BENCHMARKS, run_benchmark  # noqa: PLC0415
    from eval.scoreboard import board, into_readme, run_all  # noqa: PLC0415

    names = tuple(only or BENCHMARKS)
    unknown = sorted(set(names) - set(BENCHMARKS))
    if unknown:
        raise SettingsError(f"no benchmark {', '.join(unknown)}; allowed: {', '.join(BENCHMARKS)}.")
    if shown:
        missed, table = board(out)
    else:
        with progress_line("benchmarks") as progress:

            def run(name: str) -> BenchmarkResult:
                return run_benchmark(name, out=out / name, seed=seed, progress=progress)

            missed, table = run_all(names, run, out, progress=progress)
    if readme is not None:
        into_readme(readme, table)
    sys.stdout.write(table)
    raise typer.Exit(int(missed > 0))
