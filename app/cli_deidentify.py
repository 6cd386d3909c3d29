"""`radomica deidentify FOLDER --out DIR`: a copy of a patient folder without names; it says what it leaves."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from app.console import print_error, print_json, print_pairs, progress_line
from encoders.errors import InputError


def deidentify(
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="A patient folder.")],
    out: Annotated[Path | None, typer.Option("--out", metavar="DIR", help="Where the copy goes: a new folder.")] = None,
    *,
    keep_dates: Annotated[bool, typer.Option("--keep-dates", help="Keep dates and times in image headers.")] = False,
    keep_characteristics: Annotated[
        bool, typer.Option("--keep-characteristics", help="Keep sex, age, size and weight in image headers.")
    ] = False,
    check: Annotated[bool, typer.Option("--check", help="Only count what says who somebody is.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Copy a patient folder without names (DICOM PS3.15 Basic Profile, FHIR, notes), or --check what it gives away."""
    if not folder.is_dir():
        raise InputError(f"{folder} is no folder; give the folder that holds one patient's files.")
    if (out is None) != check:
        raise InputError("give either --out DIR for a copy, or --check.")
    with progress_line("looking for names") as progress:
        from app.deidentify import check_folder, deidentify_folder  # noqa: PLC0415  pydicom takes a moment
        from app.deidentify_dicom import Options  # noqa: PLC0415

        if out is None:
            found = check_folder(folder, progress=progress).to_dict()
        else:
            found = deidentify_folder(
                folder, out, Options(keep_dates, keep_characteristics), progress=progress
            ).to_dict()
    if as_json:
        print_json(found)
        return
    if out is None:
        print_pairs(
            {"files that name somebody": found["identified_files"], "burned-in text?": found["burned_in_files"]}
        )
        for line in found["files"]:
            counts = ", ".join(f"{v} {k}" for k, v in line.items() if k not in ("file", "kind", "warning", "n_files"))
            print_error(f"{line['file']} ({line['kind']}): {counts or 'nothing'} {line.get('warning', '')}".rstrip())
        return
    print_pairs(
        {"copied": f"{found['files']} files", "changed": ", ".join(f"{v} {k}" for k, v in found["changed"].items())}
    )
    for name, why in found["left_out"].items():
        print_error(f"left out {name}: {why}")
    if found["burned_in_files"]:
        print_error(f"{found['burned_in_files']} images may show a name in their pixels; look at them.")
    for line in found["not_done"]:
        print_error(f"not done: {line}")
