"""The commands `radomica cohort ...` on real cohorts: import, show, predict, mappings. `cohort synth` stands in cli.py.

Not known here: any file format (encoders/cohorts).
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from app.console import print_json, print_pairs, print_table, progress_line

cohort_app = typer.Typer(no_args_is_help=True, help="Make synthetic cohorts; import real ones.")
JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]
NOTE_ORDER = ("warning", "skipped", "reduced", "renamed", "normalised", "defaulted")


@cohort_app.command("import")
def cohort_import(  # noqa: PLR0913, PLR0917 - an option of the command is an argument of the function
    source: Annotated[
        Path, typer.Argument(metavar="SOURCE", help="cBioPortal study, GDC files, VCFs, .h5ad, or tables.")
    ],
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="Where to write the cohort.")],
    mapping: Annotated[
        str | None, typer.Option(metavar="NAME|FILE.toml", help="What stands in which table (see cohort mappings).")
    ] = None,
    unit: Annotated[str, typer.Option("--unit", help="GDC STAR counts: TPM, counts or FPKM.")] = "TPM",
    exome_mb: Annotated[
        float | None, typer.Option("--exome-mb", metavar="MB", help="Megabases sequenced, to derive TMB.")
    ] = None,
    msi_column: Annotated[
        str | None, typer.Option("--msi-column", metavar="COLUMN", help="cBioPortal column that tells MSI.")
    ] = None,
    msi_tool: Annotated[str, typer.Option("--msi-tool", help="words, MSIsensor or MANTIS.")] = "words",
    log2: Annotated[
        list[str] | None, typer.Option("--log2", metavar="BLOCK", help="Take log2(x + 1) of this block of amounts.")
    ] = None,
    z: Annotated[
        list[str] | None,
        typer.Option("--z", metavar="BLOCK=COHORT", help="Turn a block into z-scores against another imported cohort."),
    ] = None,
    batch: Annotated[
        list[str] | None,
        typer.Option("--batch", metavar="BLOCK=COLUMN", help="Training corrects the block for this column (ComBat)."),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Read a cohort in one of the field's formats and write the folder that training reads."""
    with progress_line(f"reading {source.name}") as progress:
        from encoders.cohorts.import_cohort import ImportSettings, import_cohort  # noqa: PLC0415
        from encoders.cohorts.store import check_free, write_cohort_folder  # noqa: PLC0415

        check_free(out)
        settings = ImportSettings(
            mapping=mapping,
            expression_unit=unit,
            exome_megabases=exome_mb,
            msi_column=msi_column,
            msi_tool=msi_tool,
            log2=tuple(log2 or ()),
            z_references={block: Path(folder) for block, folder in _pairs(z, "--z").items()},
            batch_columns=_pairs(batch, "--batch"),
        )
        cohort = import_cohort(source, settings)
        progress("writing the cohort")
        write_cohort_folder(cohort, out)
    _print_cohort(cohort, out, as_json=as_json)


def _pairs(given: list[str] | None, option: str) -> dict[str, str]:
    """BLOCK=VALUE options as a dictionary."""
    pairs = [text.partition("=") for text in given or []]
    for block, _, value in pairs:
        if not block or not value:
            raise typer.BadParameter(f"{option} takes BLOCK=VALUE; found {block!r}.")
    return {block: value for block, _, value in pairs}


@cohort_app.command("show")
def cohort_show(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="A cohort written by cohort import.")],
    as_json: JsonOption = False,
) -> None:
    """What an imported cohort holds, and what was left out and why."""
    from encoders.cohorts.store import read_cohort_folder  # noqa: PLC0415

    _print_cohort(read_cohort_folder(folder), folder, as_json=as_json)


@cohort_app.command("mappings")
def cohort_mappings(as_json: JsonOption = False) -> None:
    """The mappings shipped here, for --mapping NAME."""
    from encoders.cohorts.mapping import built_in_mappings, find_mapping  # noqa: PLC0415

    rows = [(name, find_mapping(name).title) for name in built_in_mappings()]
    if as_json:
        print_json({"mappings": dict(rows)})
    else:
        print_table(("name", "what"), rows)


@cohort_app.command("predict")
def cohort_predict(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="A run folder written by `train cohort`.")],
    cohort: Annotated[Path, typer.Argument(metavar="COHORT", help="A cohort written by cohort import.")],
    out: Annotated[Path, typer.Option("--out", metavar="FILE", help="Where to write: .json, or .csv.")],
    patient: Annotated[
        list[str] | None, typer.Option("--patient", metavar="ID", help="A patient; may be given again. Default: all.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Predict with the model of a finished run for patients of a cohort. Research use only."""
    with progress_line(f"reading {run.name}") as progress:
        from encoders.atomic_write import write_atomically  # noqa: PLC0415
        from encoders.cohort_runs.predict import as_table, load_run_model, predict_cohort  # noqa: PLC0415
        from encoders.cohorts.store import read_cohort_folder  # noqa: PLC0415
        from encoders.errors import SettingsError  # noqa: PLC0415

        if out.suffix not in (".json", ".csv"):
            raise SettingsError(f"--out {out.name}: predictions are written as .json or .csv.")
        model, given = load_run_model(run), read_cohort_folder(cohort)
        progress(f"predicting with {model.card['id']}")
        found = predict_cohort(model, given, patient)
        text = json.dumps(found, indent=1, ensure_ascii=False, allow_nan=False) + "\n"
        write_atomically(out, text if out.suffix == ".json" else as_table(found).to_csv(index=False))
    said = {k: v for k, v in found.items() if k != "patients"} | {"predicted_patients": len(found["patients"])}
    if as_json:
        print_json({**said, "file": str(out)})
    else:
        print_pairs({k.replace("_", " "): _words(v) for k, v in said.items()} | {"file": out})


def _words(value: Any) -> str:
    """A value of one line; "none" where nothing was found."""
    if isinstance(value, dict):
        return "; ".join(f"{k}: {_words(v)}" for k, v in value.items()) or "none"
    if isinstance(value, list):
        return ", ".join(map(str, value)) or "none"
    return str(value)


def _print_cohort(cohort: Any, folder: Path, *, as_json: bool) -> None:
    counts = cohort.counts()
    notes = sorted(cohort.notes, key=lambda n: NOTE_ORDER.index(n.kind))
    if as_json:
        said = [{"kind": n.kind, "text": n.text(), "count": n.count} for n in notes]
        print_json(
            {"name": cohort.name, "folder": str(folder), "genome_build": cohort.genome_build, **counts, "notes": said}
        )
        return
    endpoints = ", ".join(f"{n} {e['events']} of {e['patients']}" for n, e in counts["endpoints"].items())
    print_pairs(
        {
            "cohort": f"{cohort.name}: {cohort.source}",
            "patients": counts["patients"],
            "events": endpoints or "no survival endpoint",
            "splits": ", ".join(f"{n} ({k} folds)" for n, k in counts["splits"].items()) or "none given",
            "genome build": cohort.genome_build,
            "licence": cohort.licence,
            "folder": folder,
        }
    )
    rows = [(n, b["kind"], str(b["patients"]), str(b["features"]), b["unit"]) for n, b in counts["blocks"].items()]
    print_table(("block", "kind", "patients", "features", "unit"), rows)
    print_table(("", "where and what"), [(n.kind, n.text()) for n in notes])
