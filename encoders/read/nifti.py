"""NIfTI volumes -> ImagingSeries, in LPS. The modality must be told by a JSON sidecar; it is never guessed.

The sidecar (same name, .json) says {"Modality": "MR"}, and for CT or PET {"Units": "HU"} or {"Units": "SUVbw"};
without Units intensities are arbitrary. The file name is used only to word the ``role``.

What this module does not know: 4-D images (the first volume is read), label maps.
"""

from __future__ import annotations

import json
import re
import zlib
from pathlib import Path

import nibabel
import numpy as np
from nibabel.filebasedimages import ImageFileError

from encoders.errors import InputError
from encoders.patient import ImagingModality, ImagingSeries, IntensityUnit, SourceLocator
from encoders.read.dicom_role import ROLES

RAS_TO_LPS = np.diag([-1.0, -1.0, 1.0, 1.0])
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
    try:
        image = nibabel.load(path)
        data = np.asanyarray(image.dataobj, dtype=np.float32)
    except (ImageFileError, OSError, EOFError, ValueError, zlib.error) as error:
        reason = str(error).splitlines()[0]
        raise InputError(f"{name}: NIfTI file is truncated or damaged ({reason}); copy it again.") from error
    warnings = []
    if data.ndim == 4:
        if data.shape[3] > 1:
            warnings.append(f"{data.shape[3]} time points; the first was read")
        data = data[..., 0]
    if data.ndim != 3:
        return f"{name}: NIfTI with {data.ndim} axes; 3 are needed"
    if image.header["qform_code"] == 0 and image.header["sform_code"] == 0:
        warnings.append("no orientation in the file (qform and sform code 0); the axes may be mirrored")
    unit = _UNITS.get(str(sidecar.get("Units", "")).lower(), IntensityUnit.ARBITRARY)
    if unit is IntensityUnit.ARBITRARY and modality != ImagingModality.MR:
        warnings.append('intensities are arbitrary: the sidecar has no "Units" ("HU" or "SUVbw")')
    affine = RAS_TO_LPS @ np.asarray(image.affine, dtype=np.float64)
    spacing = np.linalg.norm(affine[:3, :3], axis=0)
    return ImagingSeries(
        modality=ImagingModality(modality),
        series_uid=str(sidecar.get("SeriesInstanceUID", name)),
        date=None,
        volume=np.ascontiguousarray(data.transpose(2, 1, 0)),
        unit=unit,
        spacing_mm=(float(spacing[2]), float(spacing[1]), float(spacing[0])),
        affine_lps=affine,
        source=SourceLocator(name),
        role=_role(path, sidecar, modality),
        body_part=str(sidecar.get("BodyPartExamined", "")) or None,
        warnings=tuple(warnings),
    )


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
