"""A heat map as files other programs open: NIfTI with its values, DICOM SEG of its hottest part.

Each keeps the geometry of the source series; the DICOM SEG also refers to its slices. Files are written whole or not
at all. What this module does not know: whether the map should be believed (sanity.py).
"""

from __future__ import annotations

import gzip
import io
from collections.abc import Sequence
from pathlib import Path

import highdicom as hd
import nibabel
import numpy as np
from numpy.typing import NDArray
from pydicom import Dataset
from pydicom.sr.codedict import codes

from encoders.atomic_write import write_atomically
from encoders.errors import ContractError
from encoders.patient import ImagingSeries
from encoders.read.nifti import RAS_TO_LPS

HOT = 0.5
"""A voxel belongs to the exported segment from this share of the map's maximum."""


def _checked(values: NDArray[np.float32], series: ImagingSeries) -> NDArray[np.float32]:
    if values.shape != series.volume.shape:
        raise ContractError(
            f"the map has shape {values.shape}, its series {series.volume.shape}; paste it into the series first."
        )
    return values


def write_nifti(values: NDArray[np.float32], series: ImagingSeries, path: Path) -> Path:
    """Write a map (Z, Y, X) as .nii.gz in the series' geometry, RAS as NIfTI has it.

    Raises
    ------
    ContractError: the map is not on the grid of ``series``.
    """
    data = np.ascontiguousarray(_checked(values, series).transpose(2, 1, 0), dtype=np.float32)  # (X, Y, Z)
    image = nibabel.Nifti1Image(data, RAS_TO_LPS @ series.affine_lps)  # its own inverse
    image.header.set_xyzt_units("mm")
    packed = io.BytesIO()
    with gzip.GzipFile(fileobj=packed, mode="wb", mtime=0) as stream:
        stream.write(image.to_bytes())
    write_atomically(path, packed.getvalue())
    return path


def write_dicom_segment(
    values: NDArray[np.float32], series: ImagingSeries, slices: Sequence[Dataset], path: Path, *, label: str
) -> Path:
    """Write where a map is at least ``HOT`` as a DICOM SEG that refers to the source slices.

    Parameters
    ----------
    slices : the source series' DICOM data sets, in any order
    label : what the map explains, at most 64 characters

    Raises
    ------
    ContractError: another grid, slices that are not the series' or not one file each, or a map without a hot voxel.
    """
    mask = _checked(values, series) >= HOT
    by_uid = {str(s.SOPInstanceUID): s for s in slices}
    absent = [uid for uid in series.sop_instance_uids if uid not in by_uid]
    if absent or len(series.sop_instance_uids) != len(mask):
        raise ContractError(
            f"{len(absent)} of {len(series.sop_instance_uids)} slices of the series are not among the data sets given "
            f"for {len(mask)} map slices; give every slice of the source series."
        )
    if len(set(series.sop_instance_uids)) < len(mask):
        raise ContractError(
            "the series has several slices of one SOP instance (filled in, or one file of many frames); a segment can "
            "refer to slices of one file each only. Export the map as NIfTI."
        )
    if not mask.any():
        raise ContractError(f"no voxel of the map reaches {HOT}; there is nothing to write as a segment.")
    description = hd.seg.SegmentDescription(
        segment_number=1,
        segment_label=label[:64],
        segmented_property_category=codes.SCT.SpatialAndRelationalConcept,
        segmented_property_type=codes.DCM.SelectedRegion,
        algorithm_type=hd.seg.SegmentAlgorithmTypeValues.AUTOMATIC,
        algorithm_identification=hd.AlgorithmIdentificationSequence(
            name="Radomica heat map", version="1", family=codes.DCM.ArtificialIntelligence
        ),
    )
    made = hd.seg.Segmentation(
        source_images=[by_uid[uid] for uid in series.sop_instance_uids],
        pixel_array=mask.astype(np.uint8),
        segmentation_type=hd.seg.SegmentationTypeValues.BINARY,
        segment_descriptions=[description],
        series_instance_uid=hd.UID(),
        series_number=900,
        sop_instance_uid=hd.UID(),
        instance_number=1,
        manufacturer="Radomica",
        manufacturer_model_name="heat map",
        software_versions="1",
        device_serial_number="0",
        content_description=f"research use only: {label}"[:64],
    )
    return write_dicom(path, made)


def write_dicom(path: Path, made: Dataset) -> Path:
    """Write a DICOM object whole or not at all; returns ``path``."""
    packed = io.BytesIO()
    made.save_as(packed)
    write_atomically(path, packed.getvalue())
    return path
