"""`radomica train ...`: make the shipped weights again, train on a cohort, train the adapters of another LLM.

Not known here: how anything is trained. Imports that take seconds stand inside the commands.
"""

from __future__ import annotations

from dataclasses import asdict, replace
from importlib.resources import files
from pathlib import Path
from typing import Annotated

import typer

from app.console import print_json, print_table, progress_line

train_app = typer.Typer(no_args_is_help=True, help="Train the shipped models again, or others of your own.")

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
        train_cohort(cohort, task=task, out=out, seed=seed)  # every other choice is `train cohort`'s
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
def train_cohort(  # noqa: PLR0913, PLR0917 - an option of the command is an argument of the function
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="A cohort written by `cohort import`.")],
    out: Annotated[Path | None, typer.Option(metavar="DIR", help="The run folder to write or go on with.")] = None,
    task: Annotated[
        str,
        typer.Option(
            help="survival, an endpoint (PFS), a label and its positive words (IDH=mutated), several labels at once "
            "(IDH=mutated,MGMT=methylated), or response:COLUMN (CR, PR, SD, PD)."
        ),
    ] = "survival",
    model: Annotated[
        list[str] | None,
        typer.Option(
            "--model",
            help="A model by name (see `train models`), or networks, baselines, all; may be given again. A network "
            "named first is the run's own model; else the default is. The default always runs.",
        ),
    ] = None,
    block: Annotated[
        list[str] | None, typer.Option("--block", help="A block to read; may be given again. Default: all.")
    ] = None,
    loss: Annotated[str, typer.Option(help="Survival loss of networks: cox or 'discrete hazard'.")] = "cox",
    align: Annotated[
        tuple[str, str] | None,
        typer.Option(metavar="BLOCK BLOCK", help="Networks align these blocks' embeddings (contrastive loss)."),
    ] = None,
    weight: Annotated[
        str | None, typer.Option(metavar="COLUMN", help="Clinical number column of sample weights, 0 or more.")
    ] = None,
    epochs: Annotated[int | None, typer.Option(min=1, help="Most epochs of a network; default: its own.")] = None,
    baselines: Annotated[
        bool, typer.Option("--baselines/--no-baselines", help="The linear and tree models beside every run.")
    ] = True,
    report: Annotated[
        bool,
        typer.Option("--report/--no-report", help="Calibration, subgroups, explanations and run.html."),
    ] = True,
    subgroup: Annotated[
        list[str] | None,
        typer.Option(metavar="COLUMN", help="A column to group by, beside sex, age, ancestry, stage; again for more."),
    ] = None,
    repeats: Annotated[int, typer.Option(min=1, help="Times self-made folds are drawn; given folds run once.")] = 1,
    seed: SeedOption = 0,
) -> None:
    """Cross-validate and fit models of a real cohort; figures, predictions and the model go into a run folder."""
    with progress_line(f"reading {folder.name}") as progress:
        from encoders.cohort_runs.models import FitOptions, check_options, choose_models  # noqa: PLC0415
        from encoders.cohort_runs.run_folder import RunSettings, train_on_cohort  # noqa: PLC0415
        from encoders.cohort_runs.tasks import read_task  # noqa: PLC0415
        from encoders.cohorts.store import read_cohort_folder  # noqa: PLC0415
        from encoders.errors import SettingsError  # noqa: PLC0415

        if out is None:
            raise SettingsError("training on an imported cohort writes a run folder; say where with --out DIR.")
        wanted = read_task(task)
        settings = RunSettings(
            task=wanted,
            models=choose_models(model or (), wanted.kind, baselines=baselines),
            blocks=tuple(block) if block else None,
            repeats=repeats,
            seed=seed,
            options=FitOptions(loss=loss, align=align, weight_column=weight, epochs=epochs),
            report=report,
            subgroups=tuple(subgroup or ()),
        )
        check_options(settings.models, wanted.kind, settings.options)
        figures = train_on_cohort(read_cohort_folder(folder), settings, out, progress=progress)
    print_json({name: value for name, value in figures.items() if not name.endswith("explanations")})


@train_app.command("models")
def train_models(as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False) -> None:
    """The models `train cohort` knows by name, what each can predict, and where it comes from."""
    from encoders.cohort_runs.models import GROUPS, model_entries  # noqa: PLC0415
    from encoders.cohort_runs.tasks import TaskKind  # noqa: PLC0415

    entries = model_entries()
    if as_json:
        print_json({"models": [asdict(e) for e in entries], "groups": list(GROUPS)})
        return
    every = set(TaskKind)
    rows = [
        (e.name, e.role, f"{e.encoder}; {e.fusion}", "all" if set(e.tasks) == every else ", ".join(e.tasks), e.source)
        for e in entries
    ]
    print_table(("name", "role", "encoder; fusion", "tasks", "source"), rows)


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


@train_app.command("pairs")
def train_pairs(
    out: Annotated[Path, typer.Option(metavar="DIR", help="Where to write the pairs.")],
    n: Annotated[int, typer.Option("--n", min=20, help="Pairs to draw.")] = 8000,
    patients: Annotated[int, typer.Option(min=20, help="Synthetic patients to draw them from.")] = 600,
    seed: SeedOption = 0,
) -> None:
    """Write training pairs of adapters from the synthetic cohort; a site adds its own in the same form."""
    with progress_line("sampling patients") as progress:
        from assistant.adapter_training.draw_pairs import write_synthetic_pairs  # noqa: PLC0415
        from assistant.llm.locations import home_folder  # noqa: PLC0415
        from assistant.lm_cases import load_cases  # noqa: PLC0415

        cache = home_folder() / "cache"
        cases = load_cases(patients, seed=seed, cache=cache, keep_evidence=True, progress=progress)
        command = f"radomica train pairs --n {n} --patients {patients} --seed {seed}"
        card = write_synthetic_pairs(out, cases, n, seed, {"command": command})
    print_json(card)


@train_app.command("adapters")
def train_adapters(  # noqa: PLR0913, PLR0917 - an option of the command is an argument of the function
    llm: Annotated[str, typer.Option(metavar="ID", help="The LLM: a hub id or a model folder.")],
    pairs: Annotated[Path | None, typer.Option(metavar="DIR", help="Pairs written by `train pairs`.")] = None,
    out: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Where to write; default: where hf: looks for this LLM's.")
    ] = None,
    stage: Annotated[str, typer.Option(help="align (LLM frozen), instruct (LoRA), or both.")] = "both",
    adapter: Annotated[str, typer.Option(help="mlp or perceiver.")] = "mlp",
    tokens: Annotated[int, typer.Option(min=1, help="Soft tokens of each modality.")] = 4,
    steps: Annotated[int, typer.Option(min=1, help="Optimiser steps of each stage.")] = 600,
    batch: Annotated[int, typer.Option(min=1, help="Pairs at once.")] = 4,
    accumulate: Annotated[int, typer.Option(min=1, help="Batches of one step.")] = 2,
    lora_rank: Annotated[int, typer.Option(min=1, help="Rank of the LoRA update.")] = 16,
    checkpointing: Annotated[
        bool, typer.Option("--checkpointing", help="Activations made twice: less memory, slower.")
    ] = False,
    merge: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Do not train: write the LLM with what --out holds merged in.")
    ] = None,
    seed: SeedOption = 0,
    device: DeviceOption = None,
) -> None:
    """Train the adapters of any LLM, in two stages; a run that was stopped goes on when called again."""
    with progress_line("preparing the training") as progress:
        from assistant.adapter_training.save import merge_trained  # noqa: PLC0415
        from assistant.adapter_training.settings import AdapterSettings  # noqa: PLC0415
        from assistant.adapter_training.train import train_adapters as train  # noqa: PLC0415
        from assistant.llm.locations import adapter_folder  # noqa: PLC0415
        from encoders.compute import training_device  # noqa: PLC0415
        from encoders.errors import SettingsError  # noqa: PLC0415

        target = out or adapter_folder(llm)
        if merge is not None:
            print_json(merge_trained(llm, target, merge))
            return
        if pairs is None:
            raise SettingsError("--pairs is missing; write some with `radomica train pairs --out DIR` and name DIR.")
        settings = AdapterSettings(
            stage=stage,
            adapter=adapter,
            tokens=tokens,
            steps=steps,
            batch=batch,
            accumulate=accumulate,
            lora_rank=lora_rank,
            gradient_checkpointing=checkpointing,
            device=training_device(device),
        )
        card = train(llm, pairs, target, seed=seed, settings=settings, progress=progress)
    print_json({"out": str(target), "metrics": card["metrics"], "llm_hash": card["llm_hash"], "lora": card["lora"]})


@train_app.command("routing")
def train_routing(
    out: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Where to write; default: the shipped weights.")
    ] = None,
) -> None:
    """Train the classifier that finds a question's topic, on every phrasing of assistant/prompts; seconds."""
    with progress_line("reading the phrasings"):
        from assistant.question_classifier import SHIPPED, train_classifier  # noqa: PLC0415

        card = train_classifier(out or Path(str(files("assistant") / SHIPPED)))
    print_json({k: v for k, v in card.items() if k != "topics"})
