"""The command `radomica`. Each command parses flags, calls one function of the packages below, and prints.

    radomica demo                          one synthetic patient, end to end
    radomica report FOLDER --out DIR       your patient folder
    radomica serve                         the page and the API on this machine

Exit codes: 0 done, 1 a check or benchmark row failed, 2 bad input or settings, 3 something needed is not there,
130 interrupted. Errors are one line on stderr; RADOMICA_DEBUG=1 shows the traceback.
Not known here: any science. Imports that take seconds stand inside the commands, so that --help is instant.
"""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.exceptions import TyperException

from app.cli_admin import audit_app, check_serve, key_app, user_app
from app.cli_ask import ask
from app.cli_cohort import cohort_app
from app.cli_deidentify import deidentify
from app.cli_encoders import encode, encoders_app
from app.cli_explain import explain
from app.cli_export import export
from app.cli_knowledge import knowledge_app
from app.cli_llm import llm_app
from app.cli_suites import SUITES, QuestionOptions, run_questions, suite_commands
from app.cli_train import SeedOption, train_app
from app.console import IMAGES_OFF, print_error, print_json, print_pairs, print_table, progress_line, say_images_off
from app.settings import Settings, apply_offline, read_settings
from encoders.errors import InputError, RadomicaError

app = typer.Typer(
    name="radomica",
    help="A multimodal oncology assistant whose every statement is checked against evidence. Research use only.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)
eval_app = typer.Typer(no_args_is_help=True, help="Measure.")
GROUPS = {
    "cohort": cohort_app,
    "train": train_app,
    "eval": eval_app,
    "llm": llm_app,
    "encoders": encoders_app,
    "knowledge": knowledge_app,
    "user": user_app,
    "key": key_app,
    "audit": audit_app,
}
for name, group in GROUPS.items():
    app.add_typer(group, name=name)
app.command("ask")(ask)
app.command("deidentify")(deidentify)
app.command("encode")(encode)
app.command("explain")(explain)
app.command("export")(export)

LLMOption = Annotated[
    str | None, typer.Option("--llm", metavar="SPEC", help="embedded, hf:ID, vllm:URL#MODEL or openai:URL#MODEL.")
]
OutOption = Annotated[Path, typer.Option("--out", metavar="DIR", help="Where to write.")]
NliOption = Annotated[
    str | None,
    typer.Option("--nli", metavar="ID|FOLDER", help="An NLI model reads each checked claim again; it only withholds."),
]
RemoteOption = Annotated[
    bool, typer.Option("--allow-remote", help="Let patient data go to an LLM address outside this network.")
]
NoImagesOption = Annotated[
    bool, typer.Option("--no-images", help="Read no image and run no image function; every output says so.")
]
WeightsOption = Annotated[Path | None, typer.Option("--out", metavar="DIR", help="Default: the shipped weights.")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]
FolderArgument = Annotated[Path, typer.Argument(metavar="FOLDER", help="A patient folder.")]


@app.command()
def demo(
    out: OutOption = Path("radomica-out/demo"),
    seed: SeedOption = 0,
    llm: LLMOption = None,
    allow_remote: RemoteOption = False,
    as_json: JsonOption = False,
) -> None:
    """Write one synthetic patient, read it back, and make its report. No network."""
    from app.make_report import clear_demo_case, write_demo_case  # noqa: PLC0415

    settings = _settings(llm, allow_remote=allow_remote)
    with progress_line("writing a synthetic patient") as progress:
        case = out / "case"
        clear_demo_case(case)
        write_demo_case(case, seed=seed)
        progress("loading the language model")
        written = _report(case, out, settings, seed=seed, progress=progress)
    _print_report(written, as_json=as_json, hint=True)


@app.command()
def report(
    folder: FolderArgument,
    out: OutOption,
    *,
    llm: LLMOption = None,
    seed: SeedOption = 0,
    allow_remote: RemoteOption = False,
    nli: NliOption = None,
    allow_mixed_ids: Annotated[
        bool, typer.Option("--allow-mixed-ids", help="Files name different patient ids, and you vouch they are one.")
    ] = False,
    reliance: Annotated[
        bool, typer.Option("--reliance", help="Also measure whether the statements follow the image.")
    ] = False,
    use_proposed: Annotated[
        bool, typer.Option("--use-proposed", help="Predict from lesions that only software outlined, and say so.")
    ] = False,
    no_images: NoImagesOption = False,
    as_json: JsonOption = False,
) -> None:
    """Read a patient folder and write report.html and report.json."""
    settings = _settings(llm, allow_remote=allow_remote, nli=nli, no_images=no_images)
    _check_folder(folder)
    with progress_line("loading the language model") as progress:
        written = _report(
            folder, out, settings, seed=seed, progress=progress, allow_mixed_ids=allow_mixed_ids, reliance=reliance,
            use_proposed=use_proposed,
        )  # fmt: skip
    _print_report(written, as_json=as_json, hint=False)


@app.command()
def chat(
    folder: FolderArgument,
    llm: LLMOption = None,
    allow_remote: RemoteOption = False,
    nli: NliOption = None,
    no_images: NoImagesOption = False,
) -> None:
    """Ask about one case in the terminal; type an evidence id (M1) to open it, /quit to leave."""
    from app.make_report import open_case, open_judge, open_llm  # noqa: PLC0415
    from app.terminal_chat import talk  # noqa: PLC0415

    settings = _settings(llm, allow_remote=allow_remote, nli=nli, no_images=no_images)
    _check_folder(folder)
    with progress_line("loading the language model") as progress:
        judge = open_judge(settings)
        model = open_llm(settings)
        context = open_case(folder, progress=progress, images=settings.images)
    say_images_off(settings)
    talk(context, model, judge=judge)


@app.command()
def serve(
    host: Annotated[str, typer.Option(help="Address; another than loopback needs a user first.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535)] = 7860,
    llm: LLMOption = None,
    allow_remote: RemoteOption = False,
    nli: NliOption = None,
    no_images: NoImagesOption = False,
) -> None:
    """The page and the API on this machine."""
    settings = _settings(llm, allow_remote=allow_remote, nli=nli, no_images=no_images)
    check_serve(host)
    with progress_line("starting the page and the API"):
        from app.api import serve_forever  # noqa: PLC0415
    serve_forever(settings, host=host, port=port)


@app.command()
def doctor(llm: LLMOption = None, as_json: JsonOption = False) -> None:
    """What is here, what is missing, and the fix for each. Exit code 3 when something needed is missing."""
    from app.doctor import exit_code, run_checks, to_dict  # noqa: PLC0415

    settings = _settings(llm, allow_remote=False)
    with progress_line("looking at this installation"):
        checks = run_checks(settings)
    if as_json:
        print_json(to_dict(checks))
    else:
        word = {True: "ok", False: "MISSING"}
        rows = [(c.name, word[c.ok] if c.needed or c.ok else "none", c.found, "" if c.ok else c.fix) for c in checks]
        print_table(("what", "", "found", "fix"), rows)
    raise typer.Exit(exit_code(checks))


@cohort_app.command("synth")
def cohort_synth(
    n: Annotated[int, typer.Option("--n", min=1, help="How many patients.")],
    out: OutOption,
    seed: SeedOption = 0,
    as_json: JsonOption = False,
) -> None:
    """Write synthetic patients in real formats (DICOM, SEG, MAF, STAR counts, mCODE, notes)."""
    with progress_line(f"writing {n} synthetic patients") as progress:
        from encoders.synthetic.cohort import write_cohort  # noqa: PLC0415

        write_cohort(n, out, seed, progress=progress)
    _print(as_json, {"patients": n, "folder": str(out), "synthetic": True})


@eval_app.command("run")
def eval_run(
    benchmark: Annotated[str, typer.Argument(help=f"{SUITES}; or smoke, fusion, ...")],
    *,
    out: OutOption = Path("radomica-out/eval"),
    data: Annotated[Path | None, typer.Option(help="Question file or folder, in its published form.")] = None,
    system: Annotated[str, typer.Option(help="llm, rag or assistant.")] = "llm",
    limit: Annotated[int | None, typer.Option(min=1, help="First N questions of each set.")] = None,
    llm: LLMOption = None,
    parallel: Annotated[int, typer.Option(min=1, help="Questions asked at once.")] = 1,
    judge: Annotated[str | None, typer.Option(metavar="SPEC", help="LLM that judges rubric answers.")] = None,
    ablations: Annotated[bool, typer.Option(help="Also run what each part is worth.")] = True,
    severity_weights: Annotated[str | None, typer.Option(help="minor=1,significant=3,unsafe=10")] = None,
    pictures: Annotated[
        Path | None, typer.Option(help="Folder of the questions' pictures; default: beside them.")
    ] = None,
    seed: SeedOption = 0,
    allow_remote: RemoteOption = False,
) -> None:
    """Ask a question set (the same --out goes on with a stopped run), or run a benchmark; the last line is JSON."""
    settings = _settings(llm, allow_remote=allow_remote)
    if benchmark in SUITES.split(", "):
        asked = QuestionOptions(data, system, limit, parallel, out, seed, judge, ablations, severity_weights, pictures)
        run_questions(settings, benchmark, asked)
    else:
        _eval_rows(benchmark, settings, out=out, seed=seed, only=())


for name, command in suite_commands().items():
    eval_app.command(name)(command)


@eval_app.command("smoke")
def eval_smoke(
    out: OutOption = Path("radomica-out/smoke"),
    llm: LLMOption = None,
    seed: SeedOption = 0,
    only: Annotated[list[str] | None, typer.Option("--only", help="Rows to run; may be given again.")] = None,
    allow_remote: RemoteOption = False,
) -> None:
    """The small benchmark; exit code 1 when a row misses its bar."""
    _eval_rows("smoke", _settings(llm, allow_remote=allow_remote), out=out, seed=seed, only=tuple(only or ()))


PLAIN_BENCHMARKS = {
    "imaging": "Heat maps against segments, and what the molecular reading rests on.",
    "fusion": "Predictions on real cohorts, cross-validated; the same --out goes on with a stopped run.",
    "grounding": "The checker on labelled claims, injected instructions, hostile servers.",
    "llm": "The same tokens from vLLM, seconds to the first sentence, time outside the LLM; needs a vLLM environment.",
    "therapy": "Therapy rows against CIViC and MOAlmanac, and short patients with the options expected.",
    "retrieval": "The right passage or none, patients kept apart, and a store that survives kill -9.",
    "suites": "The question harness: right counts, published forms, resumed after kill -9, fast, small.",
    "server": "A real server under load, how soon it is there, and what a kill leaves; minutes.",
}
"""Benchmarks whose command takes --out, --seed and --only alone -> what --help says; exit code 1 when a row misses."""


def _plain_benchmark(name: str) -> Callable[..., None]:
    def command(
        out: OutOption = Path(f"radomica-out/{name}"),
        seed: SeedOption = 0,
        only: Annotated[list[str] | None, typer.Option("--only", help="Groups to run; may be given again.")] = None,
    ) -> None:
        _eval_rows(name, _settings(None, allow_remote=False), out=out, seed=seed, only=tuple(only or ()))

    return command


for benchmark_name, says in PLAIN_BENCHMARKS.items():
    eval_app.command(benchmark_name, help=says)(_plain_benchmark(benchmark_name))


@llm_app.command("info")
def llm_info(llm: LLMOption = None, allow_remote: RemoteOption = False, as_json: JsonOption = False) -> None:
    """Which language model answers, how it is asked, and what runs it."""
    from app.make_report import open_llm  # noqa: PLC0415

    settings = _settings(llm, allow_remote=allow_remote)
    with progress_line("opening the language model"):
        model = open_llm(settings)
    known = {"spec": model.spec, "style": str(model.style), "takes_soft_tokens": model.takes_soft_tokens}
    _print(as_json, {**known, **model.versions()})


def _settings(llm: str | None, *, allow_remote: bool, nli: str | None = None, no_images: bool = False) -> Settings:
    settings = read_settings(llm=llm, allow_remote=allow_remote, nli=nli, no_images=no_images)
    apply_offline(settings)
    return settings


def _check_folder(folder: Path) -> None:
    if not folder.exists():
        raise InputError(f"{folder} is not there; give the folder (or zip) that holds one patient's files.")


def _report(
    folder: Path,
    out: Path,
    settings: Settings,
    *,
    seed: int,
    progress: Any,
    allow_mixed_ids: bool = False,
    reliance: bool = False,
    use_proposed: bool = False,
) -> Any:
    from app.make_report import open_case, open_judge, open_llm, write_report  # noqa: PLC0415

    judge = open_judge(settings)  # before the case is read: a name that cannot be loaded is said at once
    model = open_llm(settings)
    context = open_case(
        folder, progress=progress, allow_mixed_ids=allow_mixed_ids, use_proposed=use_proposed, images=settings.images
    )
    return write_report(context, model, out, seed=seed, progress=progress, reliance=reliance, judge=judge)


def _print_report(written: Any, *, as_json: bool, hint: bool) -> None:
    found = written.to_dict()
    if as_json:
        print_json(found)
        return
    if not found["image_functions"]:
        print_error(IMAGES_OFF)
    seconds = ", ".join(f"{k} {v:.1f} s" for k, v in found["timings_s"].items())
    pairs = {
        "report": written.html,
        "data": written.json,
        "case": found["case_id"] + (" (synthetic)" if found["synthetic"] else ""),
        "claims": written.claims_line(),
        "time": seconds,
    }
    if hint:
        pairs["next"] = "radomica serve   opens the page to read cases and ask questions"
    print_pairs(pairs)


def _eval_rows(name: str, settings: Settings, *, out: Path, seed: int, only: tuple[str, ...]) -> None:
    with progress_line(f"benchmark {name}") as progress:
        from eval.run import run_benchmark  # noqa: PLC0415

        result = run_benchmark(name, out=out, seed=seed, llm_spec=settings.llm, only=only, progress=progress)
    sys.stdout.write(result.to_json_line() + "\n")
    raise typer.Exit(result.exit_code)


def _print(as_json: bool, found: dict[str, Any]) -> None:
    if as_json:
        print_json(found)
    else:
        print_pairs(found)


def main(args: list[str] | None = None) -> None:
    """Entry of the `radomica` command: runs it, turns errors into one line and an exit code."""
    sys.exit(run_command(args))


def run_command(args: list[str] | None = None) -> int:
    """Run one command line and return its exit code."""
    try:
        result = typer.main.get_command(app).main(args, prog_name="radomica", standalone_mode=False)
    except (KeyboardInterrupt, typer.Abort):
        print_error("interrupted")
        return 130
    except TyperException as error:
        print_error(f"{error.format_message()} See radomica --help.")
        return 2
    except BrokenPipeError:
        sys.stderr.close()
        return 0
    except Exception as error:
        return _fail(error)
    return result if isinstance(result, int) else 0


def _fail(error: Exception) -> int:
    """One line for a known error, a second one for what only a developer can cure."""
    if os.environ.get("RADOMICA_DEBUG") == "1":
        traceback.print_exception(error)
    print_error(" ".join([str(error), *getattr(error, "__notes__", ())]))
    if isinstance(error, RadomicaError):
        return error.exit_code
    if isinstance(error, ModuleNotFoundError):
        print_error("a part of the installation is missing; radomica doctor says which.")
        return 3
    print_error(f"this is a bug in Radomica ({type(error).__name__}); RADOMICA_DEBUG=1 shows where.")
    return 1


if __name__ == "__main__":
    main()
