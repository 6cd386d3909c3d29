"""``radomica eval run``, ``compare``, ``site``, ``judge``, RAGAS and ``all``: questions, sites and the scoreboard."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from app.console import print_pairs, progress_line
from app.settings import Settings, apply_offline, read_settings
from encoders.errors import SettingsError

if TYPE_CHECKING:
    from eval.benchmark import BenchmarkResult
    from eval.suites.ask import Reply
    from eval.suites.item import Item
    from eval.suites.judge import Judge
    from eval.suites.run import RunConfig

SUITES = "mirage, pubmedqa, bioasq, medqa, medmcqa, mtbbench, vqa, healthbench, cases"


@dataclass(frozen=True)
class QuestionOptions:
    """What ``eval run SUITE`` is told beside its backend."""

    data: Path | None
    system: str
    limit: int | None
    parallel: int
    out: Path
    seed: int
    judge: str | None = None
    ablations: bool = True
    severity_weights: str | None = None
    pictures: Path | None = None


def run_questions(settings: Settings, suite: str, options: QuestionOptions) -> None:
    """Ask a question set; prints one JSON object on the last line.

    Raises
    ------
    SettingsError: no --data, an unknown system, or ``out`` holds another run.
    """
    if options.data is None:
        raise SettingsError(f"eval run {suite} needs --data, the set's file or folder in its published form.")
    with progress_line(f"questions of {suite}") as progress:
        from eval.suites.ablations import run_with_ablations  # noqa: PLC0415
        from eval.suites.ask import System  # noqa: PLC0415
        from eval.suites.read import read_suite  # noqa: PLC0415
        from eval.suites.run import run_suite  # noqa: PLC0415

        if options.system not in list(System):
            raise SettingsError(f"--system is {options.system!r}; allowed: {', '.join(System)}.")
        found = read_suite(suite, options.data)
        for problem in found.problems[:5]:
            progress(f"left out {problem.key}: {problem.reason}")
        search = None
        if options.system != System.LLM:
            from retrieval.search import search  # noqa: PLC0415
        config = _run_config(settings, suite, found.sha256, options)
        judge = None if options.judge is None else _judge(settings, options.judge)
        run = run_with_ablations if options.ablations else run_suite
        reply = _reply(settings, _pictures(found.items, options))
        metrics = run(
            config, found, reply, options.out, search=search, judge=judge, parallel=options.parallel, progress=progress
        )
    sys.stdout.write(json.dumps(metrics, allow_nan=False) + "\n")


def _run_config(settings: Settings, suite: str, sha256: str, options: QuestionOptions) -> RunConfig:
    from eval.suites.ask import System  # noqa: PLC0415
    from eval.suites.judge import PROMPT_SHA256  # noqa: PLC0415
    from eval.suites.run import RunConfig  # noqa: PLC0415
    from eval.suites.severity import read_weights  # noqa: PLC0415

    weights = options.severity_weights
    return RunConfig(
        suite, options.data.name if options.data else "", sha256, System(options.system), settings.llm, options.seed,
        options.limit, judge=options.judge, judge_prompt_sha256=PROMPT_SHA256 if options.judge else None,
        severity_weights=None if weights is None else {s.value: w for s, w in read_weights(weights).items()},
    )  # fmt: skip


def _pictures(items: Sequence[Item], options: QuestionOptions) -> Path | None:
    """Where the items' pictures lie: --pictures, else beside the question file; None where no item has one."""
    if options.data is None or not any(item.images for item in items):
        return None
    return options.pictures or (options.data if options.data.is_dir() else options.data.parent)


def _reply(settings: Settings, pictures: Path | None) -> Reply:
    from eval.suites.scripted import Scripted, is_scripted  # noqa: PLC0415
    from eval.suites.tokens import Counted  # noqa: PLC0415

    if is_scripted(settings.llm):
        return Scripted(settings.llm)
    from app.make_report import open_llm  # noqa: PLC0415

    llm = open_llm(settings)
    if pictures is None:
        return Counted(llm)
    from eval.suites.pictures import WithPictures  # noqa: PLC0415

    return WithPictures(Counted(llm), pictures, shown=getattr(llm, "images", None) is not None)


def _judge(settings: Settings, spec: str) -> Judge:
    """The judge's own backend; under the same rule for addresses as the model's."""
    from assistant.llm.chat_model import PromptStyle  # noqa: PLC0415
    from assistant.llm.resolve import load_llm  # noqa: PLC0415
    from eval.suites.judge import Judge  # noqa: PLC0415

    llm = load_llm(spec, allow_remote=settings.allow_remote)
    if llm.style is PromptStyle.COMPACT:
        raise SettingsError(f"--judge {spec} is a decoder that words ledgers alone; give a general LLM.")
    return Judge(spec, llm.generate)


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


def eval_export_ragas(
    run: Annotated[Path, typer.Argument(help="Run folder of `radomica eval run`.")],
    out: Annotated[Path, typer.Option(help="JSON lines to write, one an item, in RAGAS's fields.")],
) -> None:
    """Write a run's questions, answers and retrieved texts in the fields RAGAS reads."""
    from eval.suites.ragas import export_ragas  # noqa: PLC0415

    print_pairs({"written": out, **{k.replace("_", " "): v for k, v in export_ragas(run, out).items()}})


def eval_import_ragas(
    run: Annotated[Path, typer.Argument(help="Run folder the table was scored for.")],
    table: Annotated[Path, typer.Argument(help="The scored table: CSV, JSON or JSON lines.")],
    seed: Annotated[int, typer.Option(help="Same seed, same intervals.")] = 0,
) -> None:
    """Read RAGAS's scores into a run; NaN is counted and shown."""
    from eval.suites.ragas import import_ragas  # noqa: PLC0415
    from eval.suites.tables import markdown_rows, more_tables  # noqa: PLC0415

    (found,) = more_tables({"ragas": import_ragas(run, table, seed=seed)})
    sys.stdout.write("\n".join([found.note, "", *markdown_rows(found)]) + "\n")


def eval_judge(
    data: Annotated[Path, typer.Argument(help="Answers with physicians' labels, HealthBench's meta-evaluation form.")],
    judge: Annotated[list[str], typer.Option("--judge", metavar="SPEC", help="Who judges; twice to compare two.")],
    out: Annotated[Path, typer.Option(help="Where labels and figures go; goes on with a stopped run.")],
    *,
    parallel: Annotated[int, typer.Option(min=1, help="Criteria asked at once.")] = 1,
    seed: Annotated[int, typer.Option(help="Same seed, same result.")] = 0,
    allow_remote: Annotated[bool, typer.Option(help="Allow an LLM address outside this machine.")] = False,
) -> None:
    """How far a judge of rubric answers agrees with physicians, and two judges with each other."""
    settings = read_settings(llm=None, allow_remote=allow_remote)
    apply_offline(settings)
    with progress_line("judging") as progress:
        from eval.suites.agreement import iter_lines, run_agreement  # noqa: PLC0415

        judges = [_judge(settings, spec) for spec in judge]
        found = run_agreement(data, judges, out, seed=seed, parallel=parallel, progress=progress)
    sys.stdout.write("\n".join(iter_lines(found)) + "\n")


def eval_site(
    folder: Annotated[
        Path, typer.Argument(help="A patient folder a case, and its reference summary NAME.txt beside it.")
    ],
    out: Annotated[Path, typer.Option(help="Where site.md and site.json go.")] = Path("radomica-out/site"),
    llm: Annotated[str | None, typer.Option(help="Language model: embedded, hf:, vllm:, openai:.")] = None,
    *,
    ablations: Annotated[
        bool, typer.Option(help="Also the model alone, and cases with images, molecular data, notes gone or exchanged.")
    ] = True,
    severity_weights: Annotated[str | None, typer.Option(help="minor=1,significant=3,unsafe=10")] = None,
    seed: Annotated[int, typer.Option(help="Same seed, same result.")] = 0,
    allow_remote: Annotated[bool, typer.Option(help="Allow an LLM address outside this machine.")] = False,
) -> None:
    """Your own cases against your own reference summaries; nothing leaves the machine; a one-page result."""
    settings = read_settings(llm=llm, allow_remote=allow_remote)
    apply_offline(settings)
    with progress_line("site self-test") as progress:
        from app.make_report import open_llm  # noqa: PLC0415
        from encoders.read.folder import read_patient  # noqa: PLC0415
        from eval.site import SiteOptions, run_site  # noqa: PLC0415
        from eval.site_page import site_markdown  # noqa: PLC0415
        from eval.suites.severity import read_weights  # noqa: PLC0415

        options = SiteOptions(ablations, read_weights(severity_weights), seed)
        found = run_site(folder, open_llm(settings), out, read=read_patient, options=options, progress=progress)
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


def suite_commands() -> dict[str, Callable[..., None]]:
    """Name under ``radomica eval`` -> command."""
    return {
        "compare": eval_compare,
        "site": eval_site,
        "export-ragas": eval_export_ragas,
        "import-ragas": eval_import_ragas,
        "judge": eval_judge,
        "all": eval_all,
    }
