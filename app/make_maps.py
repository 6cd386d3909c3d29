"""From a patient folder to heat maps on disk: NIfTI, a PNG of the hottest slice, a DICOM SEG where slices are DICOM.

Not known here: how a map is computed (encoders/explain/).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from encoders.errors import InputError

if TYPE_CHECKING:
    from encoders.explain.maps import HeatMap

Progress = Callable[[str], None]


def write_maps(folder: Path, out: Path, *, method: str, progress: Progress) -> list[dict[str, Any]]:
    """Explain one patient and write every map into ``out``; one entry a map, with its files and what was left out.

    Raises
    ------
    InputError: no series with a lesion segment.
    """
    from encoders.explain.maps import heat_maps  # noqa: PLC0415  loads torch
    from encoders.read.folder import read_patient  # noqa: PLC0415

    progress("reading the patient folder")
    patient = read_patient(folder, progress=progress)
    progress(f"explaining by {method}")
    found = heat_maps(patient, method=method)
    if not found:
        raise InputError(
            f"{folder.name} has no series with a lesion segment; add a DICOM SEG or RTSTRUCT of the lesion."
        )
    progress("writing the maps")
    sources = _dicom_slices(folder, {uid for m in found for uid in m.series.sop_instance_uids})
    return [_write(m, out, sources) for m in found]


def _write(one: HeatMap, out: Path, sources: dict[str, Any]) -> dict[str, Any]:
    from encoders.explain.export import HOT, write_dicom_segment, write_nifti, write_png  # noqa: PLC0415

    name = _file_name(f"{one.series.role or one.series.modality.value} {one.task} {one.method}")
    hottest = int(one.values.max(axis=(1, 2)).argmax())
    files = {
        "nifti": str(write_nifti(one.values, one.series, out / f"{name}.nii.gz")),
        "png": str(write_png(one.values, one.series, hottest, out / f"{name}-slice{hottest + 1}.png")),
    }
    uids: Sequence[str] = one.series.sop_instance_uids
    left_out = ""
    if not uids or any(uid not in sources for uid in uids):
        left_out = "no DICOM SEG: the slices of the series are not single DICOM files in the folder"
    elif len(set(uids)) < len(uids):
        left_out = "no DICOM SEG: the series has filled-in slices, or one file of many frames"
    elif float(one.values.max()) < HOT:
        left_out = "no DICOM SEG: the map is flat"
    else:
        label = f"{one.task} heat map, {one.method}"
        slices = [sources[uid] for uid in uids]
        path = write_dicom_segment(one.values, one.series, slices, out / f"{name}.dcm", label=label)
        files["dicom_seg"] = str(path)
    return {
        "series": one.series.role or one.series.modality.value,
        "task": one.task,
        "method": one.method,
        "share_inside_lesion": round(one.inside, 3),
        "peak_inside_lesion": one.peak_inside,
        "deletion_test": {"passed": bool(one.deletion[0]), "figure": round(float(one.deletion[1]), 4)},
        "files": files,
        "left_out": left_out,
    }


def _dicom_slices(folder: Path, wanted: set[str]) -> dict[str, Any]:
    """SOP instance UID -> data set of the source slices; none for a zip, whose maps then have no DICOM SEG."""
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


def _file_name(text: str) -> str:
    return re.sub(r"[^a-z0-9+]+", "-", text.lower()).strip("-")
