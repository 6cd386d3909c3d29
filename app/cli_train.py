"""`radomica train ...`: make the shipped weights again, from the synthetic cohort.

Not known here: how anything is trained. Imports that take seconds stand inside the commands.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from app.console import print_json, progress_line

train_app = typer.Typer(no_args_is_help=True, help="Train the shipped models again.")

SeedOption = Annotated[int, typer.Option("--seed", help="Same seed, same output.")]
DeviceOption = Annotated[str | None, typer.Option("--device", help="cpu or cuda; default: a GPU where there is one.")]


@train_app.command("fusion")
def train_fusion(
    out: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Where to write; default: the shipped weights.")
    ] = None,
    n: Annotated[int, typer.Option("--n", min=20, help="Training patients.")] = 3000,
    seed: SeedOption = 0,
    cohort: Annotated[
        Path | None, typer.Option(metavar="DIR", help="A cohort to train on: of `cohort import`, or of `cohort synth`.")
    ] = None,
    task: Annotated[
        str, typer.Option(help="For an imported cohort: survival, an endpoint, or LABEL=WORD|WORD.")
    ] = "survival",
    image: Annotated[str, typer.Option(help="Image encoder: cnn3d or vit3d.")] = "cnn3d",
    epochs: Annotated[int | None, typer.Option(min=1, help="Epochs of the image encoder.")] = None,
    device: DeviceOption = None,
) -> None:
    """Train on a cohort: an imported one, or the synthetic one that the shipped models come from."""
    if cohort is not None and (cohort / "cohort.json").is_file():
        train_cohort(cohort, task=task, out=out, seed=seed)
        return
    with progress_line("preparing the training") as progress:
        from encoders.compute import training_device  # noqa: PLC0415
        from encoders.registry import FUSION_OF, entry  # noqa: PLC0415
        from encoders.train import train_fusion as train  # noqa: PLC0415
        from encoders.train_stages import image_recipe  # noqa: PLC0415

        config = image_recipe(image, device=training_device(device))
        if epochs is not None:
            config = replace(config, image_epochs=epochs)
        target = out or entry(FUSION_OF[image]).folder
        metrics = train(n=n, seed=seed, out=target, cohort=cohort, config=config, progress=progress)
    print_json(metrics)


@train_app.command("cohort")
def train_cohort(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="A cohort written by `cohort import`.")],
    out: Annotated[Path | None, typer.Option(metavar="DIR", help="The run folder to write or go on with.")] = None,
    task: Annotated[
        str, typer.Option(help="survival, an endpoint (PFS), or a label and its positive words (IDH=mutated).")
    ] = "survival",
    model: Annotated[
        list[str] | None, typer.Option("--model", help="A model to compare beside the default; may be given again.")
    ] = None,
    block: Annotated[
        list[str] | None, typer.Option("--block", help="A block to read; may be given again. Default: all.")
    ] = None,
    repeats: Annotated[int, typer.Option(min=1, help="Times self-made folds are drawn; given folds run once.")] = 1,
    seed: SeedOption = 0,
) -> None:
    """Cross-validate and fit a model of a real cohort; figures, predictions and the model go into a run folder."""
    with progress_line(f"reading {folder.name}") as progress:
        from encoders.cohort_runs.cross_validation import DEFAULT_MODEL, read_task  # noqa: PLC0415
        from encoders.cohort_runs.run_folder import RunSettings, train_on_cohort  # noqa: PLC0415
        from encoders.cohorts.store import read_cohort_folder  # noqa: PLC0415
        from encoders.errors import SettingsError  # noqa: PLC0415

        if out is None:
            raise SettingsError("training on an imported cohort writes a run folder; say where with --out DIR.")
        settings = RunSettings(
            task=read_task(task),
            models=tuple(dict.fromkeys((DEFAULT_MODEL, *(model or ())))),
            blocks=tuple(block) if block else None,
            repeats=repeats,
            seed=seed,
        )
        figures = train_on_cohort(read_cohort_folder(folder), settings, out, progress=progress)
    print_json(figures)


@train_app.command("lm")
def train_lm(
    out: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Where to write; default: the shipped weights.")
    ] = None,
    minutes: Annotated[float | None, typer.Option(min=0.1, help="How long to train.")] = None,
    steps: Annotated[int | None, typer.Option(min=1, help="How many steps, instead of minutes.")] = None,
    patients: Annotated[int, typer.Option(min=20, help="Synthetic patients to sample.")] = 1200,
    start_from: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Go on from the decoder of an earlier run.")
    ] = None,
    seed: SeedOption = 0,
    device: DeviceOption = None,
) -> None:
    """Train the embedded decoder and its adapters on ledger-to-report pairs."""
    with progress_line("preparing the training") as progress:
        from assistant.llm.locations import SHIPPED_LM  # noqa: PLC0415
        from assistant.lm_train import DEFAULT_STEPS, LMSettings  # noqa: PLC0415
        from assistant.lm_train import train_lm as train  # noqa: PLC0415
        from encoders.compute import training_device  # noqa: PLC0415

        where = training_device(device)
        metrics = train(
            out=out or SHIPPED_LM,
            seed=seed,
            minutes=minutes,
            steps=DEFAULT_STEPS if steps is None and minutes is None else steps,
            n_patients=patients,
            settings=LMSettings(
                start_from=str(start_from) if start_from else None, device=where, bfloat16=where == "cuda"
            ),
            progress=progress,
        )
    print_json(metrics)
