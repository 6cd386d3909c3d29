"""`radomica export`: a report in other forms.

Not known here: how a form is made (app/exports/). Imports that take seconds stand inside the command.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from app.console import need_images, print_json, print_pairs, progress_line
from app.settings import read_settings
from encoders.errors import InputError


def export(
    report: Annotated[Path, typer.Argument(metavar="REPORT", help="report.json, or the folder that holds it.")],
    form: Annotated[
        str, typer.Option("--form", metavar="A,B", help="html, json, md, pdf, docx, fhir, sr, seg, sc; or all.")
    ] = "pdf",
    patient: Annotated[
        Path | None,
        typer.Option("--patient", metavar="FOLDER", help="The patient's files; sr, seg and sc refer to its images."),
    ] = None,
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="Where to write.")] = Path("radomica-out/export"),
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Write a report as PDF, DOCX, Markdown, FHIR, DICOM SR, SEG or secondary capture."""
    from app.exports import FORMATS, export_report  # noqa: PLC0415

    forms = _forms(form, patient)
    if any(FORMATS[name].needs_images for name in forms):
        need_images(read_settings())
    data = read_report(report)
    written = {}
    with progress_line("reading the report") as progress:
        for name in forms:
            progress(f"writing {name}")
            written[name] = str(export_report(data, name, out, patient_folder=patient))
    if as_json:
        print_json({"case_id": data["case_id"], "files": written})
    else:
        print_pairs(written)


def read_report(path: Path) -> dict[str, Any]:
    """The mapping report.json holds.

    Raises
    ------
    InputError: no such file, or not a JSON object.
    """
    path = path / "report.json" if path.is_dir() else path
    if not path.is_file():
        raise InputError(f"{path} is not there; give the report.json that `radomica report` wrote.")
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise InputError(f"{path} is not JSON ({error}); give the report.json that `radomica report` wrote.") from error
    if not isinstance(data, dict):
        raise InputError(f"{path} holds a JSON {type(data).__name__}; a report is an object.")
    return data


def _forms(asked: str, patient: Path | None) -> list[str]:
    """The forms of --form; "all" leaves out those that need images when no patient folder is given."""
    from app.exports import FORMATS  # noqa: PLC0415

    if asked.strip() == "all":
        return [f.name for f in FORMATS.values() if patient is not None or not f.needs_images]
    names = [n.strip() for n in asked.split(",") if n.strip()]
    unknown = [n for n in names if n not in FORMATS]
    if unknown or not names:
        raise InputError(f"--form {asked!r}: allowed are {', '.join(FORMATS)}, or all; several with commas.")
    return names
