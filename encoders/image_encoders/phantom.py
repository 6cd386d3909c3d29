"""The fixed phantom series whose embedding is an encoder's golden output: closed form, no random numbers, no file.

An ellipsoidal lesion with a gradient and waves in an ellipsoidal body, on a grid that is anisotropic, turned by 12
degrees about the patient's axis and stored head first, so that a change of spacing, axis order, orientation, window,
interpolation or lesion choice changes what an encoder makes of it. Not anatomy: no claim that it looks like a patient.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from encoders.patient import ImagingModality, ImagingSeries, IntensityUnit, Segment, SourceLocator

SHAPE = (22, 60, 52)
SPACING_MM = (4.0, 1.7, 1.9)
_TURN = np.deg2rad(12.0)
_CENTRE_LPS_MM = np.array([24.0, -31.0, 57.0])
_LESION_MM = (np.array([7.0, -5.0, 3.0]), np.array([16.0, 11.0, 9.0]))
"""Offset from the phantom's centre, and semi-axes."""
_BODY_MM = np.array([46.0, 44.0, 60.0])
_UNITS = {
    ImagingModality.CT: (IntensityUnit.HU, "CT", -840.0, 35.0, 55.0, 900.0),
    ImagingModality.PT: (IntensityUnit.SUVBW, "FDG-PET", 1.1, 7.5, 2.0, 27.0),
    ImagingModality.MR: (IntensityUnit.ARBITRARY, "T1 post-contrast", 320.0, 610.0, 120.0, 9000.0),
}
"""Unit, role, body level, lesion level, height of the waves, level of a spot that every window clips."""
_SPOT_MM = 7.0
"""Radius of the spot, at the phantom's centre."""


def phantom(modality: ImagingModality) -> ImagingSeries:
    """The phantom as a series of one modality, with one segment "lesion"."""
    unit, role, body_level, lesion_level, wave, spot_level = _UNITS[modality]
    affine = _affine()
    x, y, z = _positions(affine)
    offset, half = _LESION_MM
    r2 = ((x - offset[0]) / half[0]) ** 2 + ((y - offset[1]) / half[1]) ** 2 + ((z - offset[2]) / half[2]) ** 2
    inside_body = (x / _BODY_MM[0]) ** 2 + (y / _BODY_MM[1]) ** 2 + (z / _BODY_MM[2]) ** 2 <= 1
    texture = wave * (np.sin(x / 3.1) * np.cos(y / 4.3) + 0.06 * z)
    body = body_level + 0.25 * wave * np.sin((x + 2 * y) / 11.0)
    volume = np.where(r2 <= 1, lesion_level + texture, body)
    volume = np.where(x**2 + y**2 + z**2 <= _SPOT_MM**2, spot_level, volume)
    outside = -1000.0 if modality is ImagingModality.CT else 0.0
    return ImagingSeries(
        modality=modality,
        series_uid=f"phantom-{modality.value}",
        date=None,
        volume=np.where(inside_body, volume, outside).astype(np.float32),
        unit=unit,
        spacing_mm=SPACING_MM,
        affine_lps=affine,
        source=SourceLocator("phantom"),
        role=role,
        segments=(Segment("lesion", r2 <= 1, SourceLocator("phantom")),),
    )


def _affine() -> NDArray[np.float64]:
    """Voxel index (x, y, z, 1) -> LPS mm: turned about z, first slice at the head."""
    cos, sin = np.cos(_TURN), np.sin(_TURN)
    directions = np.array([[cos, -sin, 0.0], [sin, cos, 0.0], [0.0, 0.0, -1.0]])
    affine = np.eye(4)
    affine[:3, :3] = directions * np.array(SPACING_MM[::-1])
    middle = (np.array(SHAPE[::-1]) - 1) / 2
    affine[:3, 3] = _CENTRE_LPS_MM - affine[:3, :3] @ middle
    return affine


def _positions(affine: NDArray[np.float64]) -> NDArray[np.float64]:
    """(3, Z, Y, X): LPS mm of every voxel, from the phantom's centre."""
    z, y, x = np.meshgrid(*(np.arange(n, dtype=np.float64) for n in SHAPE), indexing="ij")
    place = np.tensordot(affine[:3, :3], np.stack([x, y, z]), axes=1) + affine[:3, 3][:, None, None, None]
    return place - _CENTRE_LPS_MM[:, None, None, None]
