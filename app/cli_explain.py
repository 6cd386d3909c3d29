"""`radomica explain`: heat maps of a patient's images on disk.

Not known here: how a map is made. Imports that take seconds stand inside the command.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from app.console import need_images, print_error, print_json, print_pairs, print_table, progress_line
from app.settings import read_settings


def explain(
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="A patient folder.")],
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="Where to write.")] = Path("radomica-out/maps"),
    method: Annotated[
        str,
        typer.Option(
            metavar="NAME",
            help="learned_cam, layercam, gradcam, gradcam++, occlusion, integrated_gradients; rollout and grad_rollout "
            "with --model fusion-vit3d; all: every one that works on the model (minutes).",
        ),
    ] = "learned_cam",
    model: Annotated[str, typer.Option(metavar="NAME", help="fusion (3D CNN) or fusion-vit3d.")] = "fusion",
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Write heat maps of a patient's images as NIfTI, PNG, DICOM SEG and secondary capture, with their sanity tests."""
    from app.make_maps import write_maps  # noqa: PLC0415

    need_images(read_settings())
    with progress_line("loading the model") as progress:
        found = write_maps(folder, out, method=method, model=model, progress=progress)
    if as_json:
        print_json({**found, "folder": str(out)})
        return
    columns = ("series", "explains", "method", "in lesion", "peak in lesion", "deletion test", "random weights")
    print_table(columns, [_row(m) for m in found["maps"]])
    print_pairs({"written to": out, "all maps on a page": out / "index.html"})
    for m in found["maps"]:
        for why in m["left_out"]:
            print_error(f"{m['series']}, {m['task']}: {why}")


def _row(m: dict[str, Any]) -> tuple[str, ...]:
    words = {True: "passed", False: "failed"}
    title = m["title"]
    if m["completeness"]:
        title += f" (completeness error {m['completeness']['error']} of {m['completeness']['of_difference']})"
    return (
        m["series"],
        m["task"],
        title,
        f"{m['share_inside_lesion']:.0%}",
        "yes" if m["peak_inside_lesion"] else "no",
        words[m["deletion_test"]["passed"]],
        words[m["weight_randomisation_test"]["passed"]],
    )
