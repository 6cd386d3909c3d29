"""From a patient folder to heat maps on disk: NIfTI, pictures, DICOM SEG and Secondary Capture, and a page of them all.

Not known here: how a map is computed (encoders/explain/), how it is drawn (app/map_pictures.py).
"""

from __future__ import annotations

import io
import itertools
import json
import re
from collections.abc import Callable
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

from encoders.atomic_write import write_atomically
from encoders.errors import InputError
from encoders.registry import entry

if TYPE_CHECKING:
    from encoders.explain.maps import HeatMap

Progress = Callable[[str], None]


def write_maps(folder: Path, out: Path, *, method: str, model: str = "fusion", progress: Progress) -> dict[str, Any]:
    """Explain one patient; write every map, summary.json and index.html into ``out``, and return the summary.

    The summary: ``model``, its ``weights_sha256``, and ``maps``, one entry a map with its sanity tests, its overlap,
    its files (names inside ``out``) and what was left out.

    Raises
    ------
    InputError: nothing at ``folder``, or no series with a lesion segment.
    SettingsError: no such model or method, or a method that the model cannot answer.
    UnavailableError: the model's weights are not here.
    """
    from encoders.explain.maps import heat_maps  # noqa: PLC0415  loads torch
    from encoders.models import load_models  # noqa: PLC0415
    from encoders.read.folder import read_patient  # noqa: PLC0415

    if not folder.exists():
        raise InputError(f"{folder} is not there; give the folder (or zip) that holds one patient's files.")
    models = load_models(entry(model).folder)
    progress("reading the patient folder")
    patient = read_patient(folder, progress=progress)
    progress(f"explaining by {method}")
    found = heat_maps(patient, method=method, models=models)
    if not found:
        raise InputError(
            f"{folder.name} has no series with a lesion segment; add a DICOM SEG or RTSTRUCT of the lesion."
        )
    progress("writing the maps")
    sources = _dicom_slices(folder, {uid for m in found for uid in m.series.sop_instance_uids})
    names: set[str] = set()
    maps = [_write(m, _free_name(m, names), out, sources) for m in found]
    summary = {"research_use_only": True, "model": model, "weights_sha256": models.sha256, "maps": maps}
    write_atomically(out / "summary.json", json.dumps(summary, indent=1, allow_nan=False) + "\n")
    write_atomically(out / "index.html", _page(summary))
    return summary


def _write(one: HeatMap, name: str, out: Path, sources: dict[str, Any]) -> dict[str, Any]:
    """The files of one map, and its entry in the summary."""
    from app.map_pictures import montage, overlay  # noqa: PLC0415
    from encoders.explain.export import write_nifti  # noqa: PLC0415

    shown = overlay(one)
    written = {
        "nifti": write_nifti(one.values, one.series, out / f"{name}.nii.gz"),
        "png": _save(shown.picture, out / f"{name}-slice{shown.slices[0] + 1}.png"),
        "montage": _save(montage(one).picture, out / f"{name}-montage.png"),
    }
    dicom, left_out = _write_dicom(one, shown, name, out, sources)
    return {
        "series": one.series.role or one.series.modality.value,
        "series_uid": one.series.series_uid,
        "task": one.task,
        "method": one.method.name,
        "title": one.title,
        "meaning": one.method.meaning,
        "share_inside_lesion": round(one.inside, 3),
        "peak_inside_lesion": one.peak_inside,
        **_sanity(one),
        "files": {kind: path.name for kind, path in (written | dicom).items()},
        "left_out": left_out,
    }


def _sanity(one: HeatMap) -> dict[str, Any]:
    curve = one.deletion
    passed, rho = one.randomisation
    completeness = None
    if one.completeness is not None:
        error, difference = one.completeness
        completeness = {"error": round(error, 5), "of_difference": round(difference, 5)}
    return {
        "deletion_test": {
            "passed": curve.passed,
            "figure": round(curve.figure, 4),
            "fractions_deleted": list(curve.fractions),
            "fall_marked_first": [round(x, 4) for x in curve.marked],
            "fall_random": [round(x, 4) for x in curve.random],
        },
        "weight_randomisation_test": {"passed": passed, "rank_correlation": round(rho, 3)},
        "completeness": completeness,
        "failed": list(one.failed),
    }


def _write_dicom(
    one: HeatMap, shown: Any, name: str, out: Path, sources: dict[str, Any]
) -> tuple[dict[str, Path], list[str]]:
    """DICOM files of one map, and why one is missing."""
    import numpy as np  # noqa: PLC0415

    from app.map_pictures import RESEARCH_USE, caption  # noqa: PLC0415
    from encoders.explain.export import HOT, write_dicom_segment  # noqa: PLC0415
    from encoders.explain.secondary_capture import write_secondary_capture  # noqa: PLC0415

    uids = one.series.sop_instance_uids
    if not uids or any(uid not in sources for uid in uids):
        return {}, ["no DICOM SEG and no secondary capture: the slices of the series are not DICOM files in the folder"]
    label = f"{'FAILED TEST, ' if one.failed else ''}{one.task} heat map, {one.method.name}"
    written = {
        "secondary_capture": write_secondary_capture(
            np.asarray(shown.picture),
            [sources[uids[i]] for i in shown.slices],
            out / f"{name}-capture.dcm",
            label=f"research use only: {label}",
            edges=shown.edges,
            description=f"{RESEARCH_USE} {caption(one)}",
        )
    }
    if len(set(uids)) < len(uids):
        return written, ["no DICOM SEG: the series has filled-in slices, or one file of many frames"]
    if float(one.values.max()) < HOT:
        return written, ["no DICOM SEG: the map is flat"]
    segment = write_dicom_segment(one.values, one.series, [sources[u] for u in uids], out / f"{name}.dcm", label=label)
    return {**written, "dicom_seg": segment}, []


def _page(summary: dict[str, Any]) -> str:
    from jinja2 import Environment, StrictUndefined  # noqa: PLC0415

    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    text = (files("app.render") / "maps.html.jinja").read_text(encoding="utf-8")
    return environment.from_string(text).render(**summary)


def _save(picture: Any, path: Path) -> Path:
    packed = io.BytesIO()
    picture.save(packed, format="PNG")
    write_atomically(path, packed.getvalue())
    return path


def _dicom_slices(folder: Path, wanted: set[str]) -> dict[str, Any]:
    """SOP instance UID -> data set of the source slices; none for a zip, whose maps then have no DICOM files."""
    import pydicom  # noqa: PLC0415
    from pydicom.errors import InvalidDicomError  # noqa: PLC0415

    found: dict[str, Any] = {}
    for path in sorted(folder.rglob("*")) if folder.is_dir() else ():
        if not path.is_file():
            continue
        try:
            header = pydicom.dcmread(path, stop_before_pixels=True, specific_tags=["SOPInstanceUID"])
        except (InvalidDicomError, OSError):
            continue  # not DICOM: notes, tables
        uid = str(header.get("SOPInstanceUID", ""))
        if uid in wanted:
            found[uid] = pydicom.dcmread(path)
    return found


def _free_name(one: HeatMap, taken: set[str]) -> str:
    """A file name of the map's own; two series of one role get numbers."""
    text = f"{one.series.role or one.series.modality.value} {one.task} {one.method.name}".lower()
    stem = re.sub(r"[^a-z0-9+]+", "-", text).strip("-")
    numbered = (f"{stem}-{n}" for n in itertools.count(2))
    name = next(n for n in itertools.chain((stem,), numbered) if n not in taken)
    taken.add(name)
    return name
