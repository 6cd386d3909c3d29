"""NIfTI volumes -> ImagingSeries, in LPS. The modality must be told by a JSON sidecar; it is never guessed.

The sidecar (same name, .json) says {"Modality": "MR"}, and for CT or PET {"Units": "HU"} or {"Units": "SUVbw"};
without Units intensities are arbitrary. The file name is used only to word the ``role``.

What this module does not know: 4-D images beyond the first volume, label maps.
"""

from __future__ import annotations

import json
import re
import warnings
from pathlib import Path

import nibabel
import numpy as np
from nibabel.filebasedimages import ImageFileError
from nibabel.spatialimages import HeaderDataError, ImageDataError
from nibabel.wrapstruct import WrapStructError
from numpy.typing import NDArray

from encoders.errors import InputError
from encoders.patient import ImagingModality, ImagingSeries, IntensityUnit, SourceLocator
from encoders.read.dicom_pixels import MAX_VOLUME_BYTES
from encoders.read.dicom_role import ROLES
from encoders.read.dicom_tags import BROKEN

RAS_TO_LPS = np.diag([-1.0, -1.0, 1.0, 1.0])
SHEARED_SHARE = 0.9999
"""Slices whose step reaches less than this share of its length along their normal (0.8 degrees) are sheared."""
SMALLEST_VOXEL_MM3 = 1e-9
_UNITS = {"hu": IntensityUnit.HU, "suvbw": IntensityUnit.SUVBW, "suv": IntensityUnit.SUVBW}


def read_nifti(path: Path, name: str) -> ImagingSeries | str:
    """Read one NIfTI file; the text returned instead says why it is not read.

    Raises
    ------
    InputError: the file is cut short or not NIfTI, or the sidecar is not JSON.
    """
    sidecar = _sidecar(path, name)
    modality = str(sidecar.get("Modality", "")).upper().replace("PET", "PT").replace("MRI", "MR")
    if modality not in {m.value for m in ImagingModality}:
        return (
            f"{name}: NIfTI does not say its modality; put a file {_stem(path)}.json beside it that holds "
            '{"Modality": "CT"}, "MR" or "PT"'
        )
    loaded = _load(path, name)
    if isinstance(loaded, str):
        return loaded
    data, affine, remarks = loaded
    unit = _UNITS.get(str(sidecar.get("Units", "")).lower(), IntensityUnit.ARBITRARY)
    if unit is IntensityUnit.ARBITRARY and modality != ImagingModality.MR:
        remarks.append('intensities are arbitrary: the sidecar has no "Units" ("HU" or "SUVbw")')
    columns = affine[:3, :3]
    normal = np.cross(columns[:, 0], columns[:, 1])
    along = abs(float(columns[:, 2] @ normal) / float(np.linalg.norm(normal)))
    spacing = np.linalg.norm(columns, axis=0)
    if along < SHEARED_SHARE * spacing[2]:
        remarks.append("the affine is sheared (a tilted gantry?); the volume is not resampled")
    return ImagingSeries(
        modality=ImagingModality(modality),
        series_uid=str(sidecar.get("SeriesInstanceUID", name)),
        date=None,
        volume=np.ascontiguousarray(data.transpose(2, 1, 0)),
        unit=unit,
        spacing_mm=(along, float(spacing[1]), float(spacing[0])),
        affine_lps=affine,
        source=SourceLocator(name),
        role=_role(path, sidecar, modality),
        body_part=str(sidecar.get("BodyPartExamined", "")) or None,
        warnings=tuple(remarks),
    )


def _load(path: Path, name: str) -> tuple[NDArray[np.float32], NDArray[np.float64], list[str]] | str:
    """Voxels (X, Y, Z), affine to LPS and remarks; or why there is no volume."""
    remarks: list[str] = []
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            image = nibabel.load(path)
            shape = tuple(int(n) for n in image.shape)
            if len(shape) not in (3, 4) or min(shape) < 1:
                return f"{name}: NIfTI with axes of {shape} voxels; 3 axes are needed"
            if 4 * int(np.prod(shape[:3], dtype=object)) > MAX_VOLUME_BYTES:
                return f"{name}: NIfTI of {shape} voxels; at most {MAX_VOLUME_BYTES / 1e9:.1f} GB are allowed"
            first = image.dataobj[..., 0] if len(shape) == 4 else image.dataobj[...]
            data = np.asarray(first, dtype=np.float32)
            affine = RAS_TO_LPS @ np.asarray(image.affine, dtype=np.float64)
            told = image.header["qform_code"] != 0 or image.header["sform_code"] != 0
    except (ImageFileError, ImageDataError, HeaderDataError, WrapStructError, *BROKEN) as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise InputError(f"{name}: NIfTI file is truncated or damaged ({reason}); copy it again.") from error
    if not np.isfinite(affine).all() or abs(np.linalg.det(affine[:3, :3])) < SMALLEST_VOXEL_MM3:
        return f"{name}: NIfTI without a usable affine; its geometry is not known"
    if len(shape) == 4 and shape[3] > 1:
        remarks.append(f"{shape[3]} time points; the first was read")
    if not told:
        remarks.append("no orientation in the file (qform and sform code 0); the axes may be mirrored")
    lost = ~np.isfinite(data)
    if lost.all():
        return f"{name}: NIfTI without one finite voxel"
    if lost.any():
        floor = float(data[~lost].min())
        data = np.where(lost, np.float32(floor), data)
        remarks.append(f"{int(lost.sum())} voxels are not numbers; the smallest value ({floor:g}) stands in for them")
    return data, affine, remarks


def _stem(path: Path) -> str:
    return re.sub(r"\.nii(\.gz)?$", "", path.name, flags=re.IGNORECASE)


def _sidecar(path: Path, name: str) -> dict[str, object]:
    beside = path.with_name(f"{_stem(path)}.json")
    if not beside.is_file():
        return {}
    try:
        found = json.loads(beside.read_text(encoding="utf-8"))
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise InputError(f"{name}: its sidecar {beside.name} is not valid JSON ({error}).") from error
    return found if isinstance(found, dict) else {}


def _role(path: Path, sidecar: dict[str, object], modality: str) -> str:
    described = str(sidecar.get("SeriesDescription", ""))
    words = f"{described} {_stem(path)}".lower().replace("_", " ")
    if described in ROLES:
        return described
    if modality == "MR":
        if "flair" in words:
            return "FLAIR"
        if re.search(r"t1 ?(ce|c|gd|post)\b|t1.*(post|contrast)", words):
            return "T1 post-contrast"
    if modality == "PT" and "fdg" in words:
        return "FDG-PET"
    return described or modality
