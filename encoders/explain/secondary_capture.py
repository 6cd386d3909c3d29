"""A coloured picture of a heat map as a DICOM Secondary Capture that any viewer shows beside the study.

PS3.3 A.8.1. It stays in the patient's study, refers to the source series and to the slices it shows, and carries the
patient's tags as its source has them. What this module does not know: how the picture is drawn, or which words are
burned into it; it holds no pixel spacing, since a resampled picture is not for measuring.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import highdicom as hd
import numpy as np
from numpy.typing import NDArray
from pydicom import Dataset
from pydicom.sr.codedict import codes

from encoders.errors import ContractError
from encoders.explain.export import write_dicom

_BIPED = {"R": "R", "L": "L", "A": "A", "P": "P", "I": "F", "S": "H"}
"""Our edge letters -> DICOM's for a biped: inferior is F (foot), superior H (head)."""


def write_secondary_capture(
    picture: NDArray[np.uint8],
    shown: Sequence[Dataset],
    path: Path,
    *,
    label: str,
    edges: Mapping[str, str],
    description: str,
) -> Path:
    """Write an RGB picture (rows, columns, 3) as one Secondary Capture instance.

    Parameters
    ----------
    shown : the source slices in the picture, DICOM data sets of one series
    label : series description, at most 64 characters
    edges : "right" and "bottom" of the picture -> L, R, A, P, S or I
    description : what was done, in Derivation Description; at most 1024 characters

    Raises
    ------
    ContractError: the picture is not RGB of 8 bits, no slice, or slices of several series.

    Notes
    -----
    Burned In Annotation (0028,0301) is NO: it asks whether the pixels identify the patient, and the words drawn here
    name the method alone.
    """
    if picture.ndim != 3 or picture.shape[2] != 3 or picture.dtype != np.uint8:
        raise ContractError(f"the picture is {picture.dtype} {picture.shape}; the rule is uint8 (rows, columns, 3).")
    if len({str(s.SeriesInstanceUID) for s in shown}) != 1:
        raise ContractError(f"a secondary capture shows slices of one series; got {len(shown)} slices of several.")
    first = shown[0]
    made = hd.sc.SCImage.from_ref_dataset(
        ref_dataset=first,
        pixel_array=np.ascontiguousarray(picture),
        photometric_interpretation="RGB",
        bits_allocated=8,
        coordinate_system="PATIENT",
        patient_orientation=(_BIPED[edges["right"]], _BIPED[edges["bottom"]]),
        series_instance_uid=hd.UID(),
        series_number=901,
        sop_instance_uid=hd.UID(),
        instance_number=1,
        manufacturer="Radomica",
        manufacturer_model_name="heat map",
        software_versions="1",
        transfer_syntax_uid="1.2.840.10008.1.2.1",
    )
    made.SeriesDescription = label[:64]
    made.DerivationDescription = description[:1024]
    made.BurnedInAnnotation = "NO"
    made.SourceImageSequence = [_instance(s, purpose=True) for s in shown]  # PS3.3 C.12.4
    series = Dataset()  # PS3.3 C.12.2
    series.SeriesInstanceUID = first.SeriesInstanceUID
    series.ReferencedInstanceSequence = [_instance(s) for s in shown]
    made.ReferencedSeriesSequence = [series]
    return write_dicom(path, made)


def _instance(source: Dataset, *, purpose: bool = False) -> Dataset:
    item = Dataset()
    item.ReferencedSOPClassUID = source.SOPClassUID
    item.ReferencedSOPInstanceUID = source.SOPInstanceUID
    if purpose:
        why = codes.DCM.SourceImageForImageProcessingOperation
        item.PurposeOfReferenceCodeSequence = [hd.sr.CodedConcept.from_code(why)]
    return item
