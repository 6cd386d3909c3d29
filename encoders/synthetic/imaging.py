"""Image series of a synthetic patient: anatomy, lesion, scanner. Volumes are in the values the DICOM files will hold.

Job: choose where the lesion sits, paint it, then add the scanner: noise, blur, and a site effect on intensity. The
site is confounded with the clinical state (advanced patients are scanned at two of the four sites more often).
Does NOT know files or DICOM tags beyond UIDs, roles and dates.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.random import Generator
from pydicom.uid import generate_uid
from scipy.ndimage import gaussian_filter

from encoders.patient import ImagingModality, ImagingSeries, IntensityUnit, Segment, SourceLocator
from encoders.synthetic.anatomy import Body, abdomen_ct, breast_mr, head_mr, thorax_ct, thorax_pet
from encoders.synthetic.biology import Biology
from encoders.synthetic.canvas import Array, Grid, Point, smooth_noise
from encoders.synthetic.lesion import (
    Parts,
    Shape,
    lesion_parts,
    paint_breast_mr,
    paint_glioma_flair,
    paint_glioma_t1,
    paint_kidney_ct,
    paint_lung_ct,
    paint_lung_pet,
)

CT_GRID = Grid((40, 128, 128), (3.0, 2.6, 2.6), (4.0, -180.0, -320.0))
PET_GRID = Grid((30, 64, 64), (4.0, 5.4, 5.4), (4.0, -180.0, -320.0))
HEAD_GRID = Grid((32, 112, 112), (4.0, 2.0, 2.0), (1.0, 6.0, 42.0))
FLAIR_GRID = Grid((30, 112, 112), (4.4, 2.0, 2.0), (1.0, 6.0, 42.0))
BREAST_GRID = Grid((36, 112, 112), (3.0, 2.8, 2.8), (0.0, -40.0, -150.0))

SEGMENT_LABEL = "Lesion"
CT_NOISE_HU = (6.0, 7.5, 9.5, 12.0)
CT_OFFSET_HU = (-4.0, 0.0, 3.0, 6.0)
MR_SCALE = (1.6, 2.4, 3.4, 4.8)
MR_NOISE = (2.5, 3.0, 3.5, 4.5)
"""Per site 0..3: noise SD, offset, and gain of the scanner."""


@dataclass(frozen=True)
class SeriesPlan:
    """What is fixed about a series before its voxels exist."""

    key: str
    modality: ImagingModality
    unit: IntensityUnit
    role: str
    body_part: str
    grid: Grid


PLANS: Mapping[str, tuple[SeriesPlan, ...]] = {
    "LUAD": (
        SeriesPlan("ct_chest", ImagingModality.CT, IntensityUnit.HU, "CT chest", "CHEST", CT_GRID),
        SeriesPlan("pet_fdg", ImagingModality.PT, IntensityUnit.SUVBW, "FDG-PET", "CHEST", PET_GRID),
    ),
    "DIFG": (
        SeriesPlan("mr_t1_post", ImagingModality.MR, IntensityUnit.ARBITRARY, "T1 post-contrast", "BRAIN", HEAD_GRID),
        SeriesPlan("mr_flair", ImagingModality.MR, IntensityUnit.ARBITRARY, "FLAIR", "BRAIN", FLAIR_GRID),
    ),
    "CCRCC": (SeriesPlan("ct_abdomen", ImagingModality.CT, IntensityUnit.HU, "CT abdomen", "ABDOMEN", CT_GRID),),
    "BRCA": (
        SeriesPlan("mr_dce", ImagingModality.MR, IntensityUnit.ARBITRARY, "T1 post-contrast", "BREAST", BREAST_GRID),
    ),
}


def make_uid(patient_id: str, *parts: str) -> str:
    """A DICOM UID that depends on the patient and the parts only."""
    return str(generate_uid(entropy_srcs=[patient_id, *parts]))


def scan_site(biology: Biology, rng: Generator) -> int:
    """Scanner site 0..3; advanced clinical state makes sites 2 and 3 more likely (a confounder)."""
    late = rng.random() < (0.62 if biology.parts["clinical"] > 0 else 0.38)
    return int(rng.integers(2)) + (2 if late else 0)


def lesion_centre(code: str, radius: float, rng: Generator) -> Point:
    """A believable place for the lesion, mm from the grid's centre."""
    side = float(rng.choice((-1.0, 1.0)))
    u, v, w = (float(rng.uniform(-1, 1)) for _ in range(3))
    if code == "LUAD":
        return side * 80 + 12 * u, -4 + 36 * v, 12 + 16 * w
    if code == "DIFG":
        return side * (34 + 8 * u), 32 * v, 6 + 14 * w
    if code == "CCRCC":
        return side * (62 + 10 + 0.45 * radius + 4 * u), 36 - 8 + 12 * v, 24 * w
    return side * (74 + 12 * u), -36 + 12 * v, 14 * w


def sample_imaging(biology: Biology, patient_id: str, date: str, rng: Generator) -> tuple[ImagingSeries, ...]:
    """All series of one patient, each with its lesion segment."""
    code = biology.oncotree_code
    body = Body.sample(rng)
    site = scan_site(biology, rng)
    centre = lesion_centre(code, biology.radius_mm, rng)
    shape = Shape.sample(biology, centre, rng)
    series = []
    for plan in PLANS[code]:
        parts = lesion_parts(shape, biology, plan.grid)
        volume = _SCANS[plan.key](Scene(plan.grid, body, biology, shape, parts), site, rng)
        uid = make_uid(patient_id, plan.key)
        locator = SourceLocator(f"imaging/{plan.key}", f"series {uid}")
        seg = SourceLocator(f"imaging/{plan.key}_seg.dcm", "segment 1")
        series.append(
            ImagingSeries(
                modality=plan.modality,
                series_uid=uid,
                date=date,
                volume=volume,
                unit=plan.unit,
                spacing_mm=plan.grid.spacing_mm,
                affine_lps=plan.grid.affine_lps(),
                source=locator,
                role=plan.role,
                body_part=plan.body_part,
                sop_instance_uids=tuple(make_uid(patient_id, plan.key, str(k)) for k in range(plan.grid.shape[0])),
                segments=(Segment(SEGMENT_LABEL, parts.mask(plan.grid.shape), seg),),
            )
        )
    return tuple(series)


@dataclass(frozen=True)
class Scene:
    """What one series shows: a body with a lesion on a grid."""

    grid: Grid
    body: Body
    biology: Biology
    shape: Shape
    parts: Parts


def _chest_ct(scene: Scene, site: int, rng: Generator) -> Array:
    volume = thorax_ct(scene.grid, scene.body, rng)
    paint_lung_ct(volume, scene.parts, scene.biology)
    return _ct_scanner(volume, site, rng)


def _chest_pet(scene: Scene, site: int, rng: Generator) -> Array:
    volume = thorax_pet(scene.grid, scene.body, rng)
    paint_lung_pet(volume, scene.parts, scene.biology, _uptake(scene.biology, rng))
    return _pet_scanner(volume, rng)


def _abdomen_ct(scene: Scene, site: int, rng: Generator) -> Array:
    volume = abdomen_ct(scene.grid, scene.body, rng)
    paint_kidney_ct(volume, scene.parts, scene.biology, scene.shape, scene.grid)
    return _ct_scanner(volume, site, rng)


def _head_t1(scene: Scene, site: int, rng: Generator) -> Array:
    volume = head_mr(scene.grid, scene.body, rng, flair=False)
    paint_glioma_t1(volume, scene.parts, scene.biology)
    return _mr_scanner(volume, site, rng)


def _head_flair(scene: Scene, site: int, rng: Generator) -> Array:
    volume = head_mr(scene.grid, scene.body, rng, flair=True)
    paint_glioma_flair(volume, scene.parts, scene.biology)
    return _mr_scanner(volume, site, rng)


def _breast(scene: Scene, site: int, rng: Generator) -> Array:
    volume = breast_mr(scene.grid, scene.body, rng)
    paint_breast_mr(volume, scene.parts, scene.biology, scene.shape, scene.grid)
    return _mr_scanner(volume, site, rng)


_SCANS: Mapping[str, Callable[[Scene, int, Generator], Array]] = {
    "ct_chest": _chest_ct,
    "pet_fdg": _chest_pet,
    "ct_abdomen": _abdomen_ct,
    "mr_t1_post": _head_t1,
    "mr_flair": _head_flair,
    "mr_dce": _breast,
}


def _uptake(biology: Biology, rng: Generator) -> float:
    """Lesion SUVbw before blur: about 2.6 when low, about 10 when high."""
    return float(np.exp(rng.normal(np.log(10.5 if biology.positive("uptake") else 2.6), 0.16)))


def _ct_scanner(volume: Array, site: int, rng: Generator) -> Array:
    """Blur, noise, site offset; whole HU in -1024..2000."""
    volume = gaussian_filter(volume, (0.35, 0.45, 0.45))
    noise = CT_NOISE_HU[site] * rng.standard_normal(volume.shape, dtype=np.float32)
    volume += gaussian_filter(noise, (0, 0.5, 0.5)) * 1.7 + CT_OFFSET_HU[site]
    return np.clip(np.rint(volume), -1024, 2000).astype(np.float32)


def _mr_scanner(volume: Array, site: int, rng: Generator) -> Array:
    """Blur, coil bias, Rician noise, site gain; whole numbers from 0."""
    volume = gaussian_filter(volume, (0.25, 0.5, 0.5))
    coarse = smooth_noise((6, 6, 6), 1.4, rng)
    index = [np.linspace(0, 5, n) for n in volume.shape]
    volume *= 1 + 0.05 * _upsample(coarse, index)
    real = volume + MR_NOISE[site] * rng.standard_normal(volume.shape, dtype=np.float32)
    imaginary = MR_NOISE[site] * rng.standard_normal(volume.shape, dtype=np.float32)
    return np.clip(np.rint(np.hypot(real, imaginary) * MR_SCALE[site]), 0, 4095).astype(np.float32)


def _upsample(coarse: Array, index: list[np.ndarray]) -> Array:
    """Separable linear interpolation of a small field."""
    for axis, at in enumerate(index):
        low = np.minimum(at.astype(int), coarse.shape[axis] - 2)
        share = (at - low).astype(np.float32).reshape([-1 if a == axis else 1 for a in range(3)])
        coarse = np.take(coarse, low, axis) * (1 - share) + np.take(coarse, low + 1, axis) * share
    return coarse


def _pet_scanner(volume: Array, rng: Generator) -> Array:
    """Point-spread blur and count noise; SUVbw from 0, in steps of 0.001."""
    volume = gaussian_filter(volume, (0.75, 0.6, 0.6))
    noise = gaussian_filter(rng.standard_normal(volume.shape, dtype=np.float32), 0.6) * 2.2
    volume += 0.07 * np.sqrt(np.maximum(volume, 0.02)) * noise
    return (np.rint(np.clip(volume, 0, 32) * 1000) / 1000).astype(np.float32)
