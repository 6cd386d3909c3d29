"""The commands `radomica cohort ...` on real cohorts: import, show, mappings. `cohort synth` stands in cli.py.

Not known here: any file format (encoders/cohorts).
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from app.console import print_json, print_pairs, print_table, progress_line

cohort_app = typer.Typer(no_args_is_help=True, help="Make synthetic cohorts; import real ones.")
JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]
NOTE_ORDER = ("warning", "skipped", "reduced", "renamed", "defaulted")


@cohort_app.command("import")
def cohort_import(
    source: Annotated[Path, typer.Argument(metavar="SOURCE", help="cBioPortal study, GDC folder, .h5ad, or tables.")],
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
        )
        cohort = import_cohort(source, settings)
        progress("writing the cohort")
        write_cohort_folder(cohort, out)
    _print_cohort(cohort, out, as_json=as_json)


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
