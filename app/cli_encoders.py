"""`radomica encoders ...` and `radomica encode`: image encoders with their cards, and feature tables made with them.

Not known here: how anything is encoded. Imports that take seconds stand inside the commands.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from app.console import need_images, print_error, print_json, print_pairs, print_table, progress_line
from app.settings import apply_offline, read_settings
from encoders.errors import InputError, RadomicaError

if TYPE_CHECKING:
    from encoders.image_encoders.card import EncoderCard
    from encoders.image_encoders.encode import PatientEncoding, SeriesEncoder
    from encoders.image_encoders.golden import GoldenCheck

encoders_app = typer.Typer(no_args_is_help=True, help="Image encoders: their cards and golden outputs.")

JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]
SpecArgument = Annotated[
    str, typer.Argument(metavar="SPEC", help="cnn3d, vit3d, radiomics, hf:ID-OR-FOLDER or table:FILE.")
]
DeviceOption = Annotated[
    str | None, typer.Option("--device", help="cpu or cuda; default: as the encoder's card needs.")
]


@encoders_app.command("list")
def list_encoders(as_json: JsonOption = False) -> None:
    """The encoders that can be named, with width, input, licence and what each is for."""
    with progress_line("reading the cards"):
        rows = _rows()
    if as_json:
        print_json({"encoders": rows})
        return
    columns = ("spec", "width", "input", "licence", "what for")
    print_table(columns, [tuple(str(row[name]) for name in columns) for row in rows])
    for row in rows:
        if row["note"]:
            print_error(f"not usable as it is, {row['spec']}: {row['note']}")


def _rows() -> list[dict[str, Any]]:
    from encoders.image_encoders.known_models import KNOWN_MODELS  # noqa: PLC0415
    from encoders.image_encoders.registry import BUILT_IN, card_of  # noqa: PLC0415

    rows = []
    for spec in BUILT_IN:
        card, missing = card_of(spec)
        rows.append(_row(spec, card.width, _input(card), card.licence, card.purpose, missing or ""))
    slices = "slices through the lesion, 128 mm"
    for model in KNOWN_MODELS.values():
        rows.append(_row(f"hf:{model.hub_id}", model.width, slices, model.licence, model.purpose, model.refused or ""))
    any_model = "any transformers vision model with safetensors weights"
    rows.append(_row("hf:<hub id or folder>", "its own", slices, "its own", any_model, ""))
    rows.append(
        _row("table:<csv, parquet or npz>", "its own", "precomputed rows", "its own", "embeddings made before", "")
    )
    return rows


def _row(spec: str, width: int | str, reads: str, licence: str | None, purpose: str, note: str) -> dict[str, Any]:
    said = licence or "not stated"
    return {"spec": spec, "width": width, "input": reads, "licence": said, "what for": purpose, "note": note}


def _input(card: EncoderCard) -> str:
    recipe = card.recipe
    size = f", {recipe.field_of_view_mm:g} mm" if recipe.field_of_view_mm else ""
    return f"{recipe.cut.value}{size} ({', '.join(recipe.modalities)})" if recipe.modalities else recipe.cut.value


@encoders_app.command("show")
def show(spec: SpecArgument, as_json: JsonOption = False) -> None:
    """The card of one encoder: preprocessing, weights, licence, paper, limits."""
    _offline()
    with progress_line(f"opening {spec}"):
        from encoders.image_encoders.registry import card_of  # noqa: PLC0415

        card, missing = card_of(spec)
    if as_json:
        print_json({**card.to_dict(), "missing": missing})
        return
    print_pairs(_card_lines(card))
    if missing:
        print_error(missing)


def _card_lines(card: EncoderCard) -> dict[str, object]:
    recipe = card.recipe
    lines: dict[str, object] = {
        "encoder": f"{card.id} ({card.spec}), {card.family}",
        "width": card.width,
        "for": card.purpose,
        "input": _input(card),
        "size": " x ".join(map(str, recipe.size)) or "as it is",
    }
    for w in recipe.windows:
        span = f", {w.low:g} to {w.high:g}" if w.low is not None and w.high is not None else ""
        lines[f"window {w.modality}"] = f"{w.scaling.value}{span} ({w.unit})"
    if recipe.channels:
        lines["channels"] = "; ".join(recipe.channels)
    if recipe.mean:
        lines["mean, std"] = f"{list(recipe.mean)}, {list(recipe.std)}"
    lines |= {name: value for name, value in recipe.settings}
    lines |= {
        "recipe version": recipe.version,
        "pooling": card.pooling,
        "weights SHA-256": card.weights_sha256 or "no weights",
        "revision": card.revision or "none",
        "golden output": card.golden_digest or "none recorded; radomica encoders check records one",
        "licence": card.licence or "not stated",
        "paper": "; ".join(map(str, card.papers)) or "not known",
        "trained on": card.trained_on or "not known",
        "limits": card.limits,
    }
    return lines


@encoders_app.command("check")
def check(
    spec: Annotated[str | None, typer.Argument(metavar="SPEC", help="Default: every shipped encoder.")] = None,
    record: Annotated[bool, typer.Option("--record", help="Record the golden output anew: you vouch for it.")] = False,
    device: DeviceOption = None,
    as_json: JsonOption = False,
) -> None:
    """Compute the golden outputs again; exit code 1 when one differs from what was recorded."""
    _offline()
    with progress_line("checking") as progress:
        from encoders.image_encoders.registry import BUILT_IN  # noqa: PLC0415

        specs = (spec,) if spec else tuple(BUILT_IN)
        found = [_check(one, record=record, device=device, progress=progress, alone=spec is not None) for one in specs]
    if as_json:
        print_json({"ok": all(row["ok"] for row in found), "checks": found})
    else:
        print_table(("encoder", "", "found"), [(r["spec"], r["state"], r["found"]) for r in found])
    raise typer.Exit(0 if all(row["ok"] for row in found) else 1)


def _check(
    spec: str, *, record: bool, device: str | None, progress: Callable[[str], None], alone: bool
) -> dict[str, Any]:
    from encoders.errors import UnavailableError  # noqa: PLC0415
    from encoders.image_encoders.golden import check_golden, record_golden  # noqa: PLC0415
    from encoders.image_encoders.registry import BUILT_IN, load_image_encoder  # noqa: PLC0415

    progress(f"checking {spec}")
    try:
        encoder = load_image_encoder(spec, device=device)
    except UnavailableError as error:
        if alone:
            raise
        return {"spec": spec, "ok": True, "state": "not here", "found": str(error)}
    if record:
        golden = record_golden(encoder, shipped=spec in BUILT_IN)
        return {"spec": spec, "ok": True, "state": "recorded", "found": f"golden output {golden.digest}"}
    return _checked(check_golden(encoder, shipped=spec in BUILT_IN))


def _checked(result: GoldenCheck) -> dict[str, Any]:
    if not result.ok:
        return {"spec": result.spec, "ok": False, "state": "DIFFERS", "found": "; ".join(result.differences)}
    state = "recorded" if result.recorded_now else "same"
    found = (
        "first use; golden output recorded" if result.recorded_now else "recipe, weights and golden output as recorded"
    )
    return {"spec": result.spec, "ok": True, "state": state, "found": found}


def encode(
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="A patient folder, or a cohort of them.")],
    encoder: Annotated[str, typer.Option("--encoder", metavar="SPEC", help="See radomica encoders list.")],
    out: Annotated[Path, typer.Option("--out", metavar="FILE", help="Feature table: .csv, .npz or .parquet.")],
    cohort: Annotated[
        bool, typer.Option("--cohort", help="FOLDER holds one folder per patient (sure where there is a cohort.csv).")
    ] = False,
    device: DeviceOption = None,
    as_json: JsonOption = False,
) -> None:
    """Encode every lesion series of a patient or a cohort into a feature table that table:FILE reads back."""
    need_images(read_settings())
    _offline()
    if not folder.is_dir():
        raise InputError(f"{folder} is not a folder; give one patient's folder, or a cohort's.")
    with progress_line(f"opening {encoder}") as progress:
        from encoders.image_encoders.feature_table import check_format, write_feature_table  # noqa: PLC0415

        check_format(out)
        model = _open_unchanged(encoder, device)
        done: list[PatientEncoding] = []
        unread: dict[str, str] = {}
        for one in _patient_folders(folder, cohort=cohort):
            progress(f"encoding {one.name}")
            _encode_one(one, model, done, unread)
        skipped = {e.patient_id: dict(e.skipped) for e in done if e.skipped}
        note = {"skipped": skipped, "patients_not_read": unread}
        if not any(len(e.vectors) for e in done):
            reasons = [*unread.values(), *(r for of in skipped.values() for r in of.values())]
            raise InputError(f"nothing could be encoded: {'; '.join(dict.fromkeys(reasons))}")
        write_feature_table(out, done, model.card, note)
    counts = {
        "table": str(out),
        "rows": sum(len(e.vectors) for e in done),
        "width": model.card.width,
        "patients": len(done),
        "patients_without_rows": sum(not len(e.vectors) for e in done),
        "series_skipped": sum(map(len, skipped.values())),
        "patients_not_read": len(unread),
    }
    _print_encoded(counts, note, as_json=as_json)


def _open_unchanged(spec: str, device: str | None) -> SeriesEncoder:
    """The encoder, or exit code 1 when it is not what was recorded: rows of two recipes must not meet in one study."""
    from encoders.image_encoders.golden import check_golden  # noqa: PLC0415
    from encoders.image_encoders.registry import BUILT_IN, load_image_encoder  # noqa: PLC0415

    model = load_image_encoder(spec, device=device)
    checked = check_golden(model, shipped=spec in BUILT_IN)
    if not checked.ok:
        print_error(
            f"{spec} is not what was recorded: {'; '.join(checked.differences)}. Nothing is encoded; if the change is "
            f"meant, run `radomica encoders check {spec} --record`."
        )
        raise typer.Exit(1)
    return model


def _encode_one(folder: Path, model: SeriesEncoder, done: list[PatientEncoding], unread: dict[str, str]) -> None:
    """Add one patient's rows; a folder that cannot be read is kept in ``unread`` with the reason."""
    from encoders.image_encoders.encode import encode_patient  # noqa: PLC0415
    from encoders.read.folder import read_patient  # noqa: PLC0415

    try:
        patient = read_patient(folder)
    except RadomicaError as error:
        unread[folder.name] = str(error)
        return
    if any(e.patient_id == patient.patient_id for e in done):
        unread[folder.name] = f"patient {patient.patient_id} was read from another folder already"
        return
    done.append(encode_patient(patient, model))


def _patient_folders(folder: Path, *, cohort: bool) -> Iterator[Path]:
    if not cohort and not (folder / "cohort.csv").is_file():
        yield folder
        return
    inside = sorted(p for p in folder.iterdir() if p.is_dir() and not p.name.startswith("."))
    if not inside:
        raise InputError(f"{folder} holds no patient folders; give a cohort of one folder per patient.")
    yield from inside


def _print_encoded(counts: dict[str, Any], note: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        print_json({**counts, **note})
        return
    print_pairs({name.replace("_", " "): value for name, value in counts.items()})
    for patient, reasons in note["skipped"].items():
        for series, reason in reasons.items():
            print_error(f"skipped, {patient} {series}: {reason}")
    for name, reason in note["patients_not_read"].items():
        print_error(f"not read, {name}: {reason}")


def _offline() -> None:
    apply_offline(read_settings())
