"""Enhanced multi-frame CT, MR and PT files -> ImagingSeries, through highdicom's volume builder.

What this module does not know: files whose frames are not one regular stack (several time points, b-values):
they are set apart with highdicom's reason.
"""

from __future__ import annotations

import highdicom as hd
import numpy as np

from encoders.errors import InputError
from encoders.patient import ImagingModality, ImagingSeries, IntensityUnit, SourceLocator
from encoders.read.dicom import _BROKEN, DicomFile, _broken, iso_date
from encoders.read.dicom_role import series_role


def read_multiframe(file: DicomFile) -> ImagingSeries | str:
    """Read one enhanced file; the text returned instead says why it is set apart.

    Raises
    ------
    InputError: the pixel data are cut short or cannot be decoded.
    """
    header = file.header
    frames = int(header.NumberOfFrames)
    if "SharedFunctionalGroupsSequence" not in header:
        return f"{file.name}: {frames} frames without functional groups; its geometry is not known"
    try:
        image = hd.imread(file.path)
        geometry = image.get_volume_geometry()
    except (InputError, *_BROKEN) as error:
        raise _broken(file.name, error) from error
    if geometry is None:
        return f"{file.name}: {frames} frames that are not one regular stack (several time points or gaps)"
    try:
        volume = image.get_volume(apply_modality_transform=True, dtype=np.float32)
    except _BROKEN as error:
        raise _broken(file.name, error) from error
    modality = ImagingModality(file.modality)
    rescaled = modality is ImagingModality.CT and _in_hounsfield(image)
    told = modality is ImagingModality.MR or rescaled
    affine = np.asarray(volume.affine)[:, [2, 1, 0, 3]]  # (slice, row, column) -> (column, row, slice)
    return ImagingSeries(
        modality=modality,
        series_uid=str(getattr(header, "SeriesInstanceUID", "") or file.name),
        date=iso_date(header),
        volume=np.ascontiguousarray(volume.array, dtype=np.float32),
        unit=IntensityUnit.HU if rescaled else IntensityUnit.ARBITRARY,
        spacing_mm=tuple(float(s) for s in volume.spacing),
        affine_lps=affine.astype(np.float64),
        source=SourceLocator(file.name, f"{frames} frames"),
        role=series_role(header),
        body_part=str(getattr(header, "BodyPartExamined", "") or "") or None,
        sop_instance_uids=(str(header.SOPInstanceUID),) * volume.array.shape[0],
        warnings=() if told else ("multi-frame file: intensities are arbitrary",),
    )


def _in_hounsfield(image: hd.Image) -> bool:
    """Whether the frames carry a rescale to HU (enhanced CT puts it in a functional group)."""
    groups = [*image.SharedFunctionalGroupsSequence, *image.PerFrameFunctionalGroupsSequence[:1]]
    kinds = [
        str(getattr(rescale, "RescaleType", ""))
        for group in groups
        for rescale in getattr(group, "PixelValueTransformationSequence", ())
    ]
    return kinds == ["HU"]
