"""The lesion: shape and parts from the hidden biology, painted into a background of any modality.

Appearance attributes are drawn strongly; the molecular cue (ground-glass rim for EGFR, dark FLAIR centre for IDH1,
bright specks for BAP1, satellite nodules for ERBB2) has an amplitude that follows ``Biology.cue`` and so is noisy.
These cues are teaching devices loosely inspired by radiology; they are NOT validated imaging signs.
Does NOT know anatomy, scanners or files.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray
from scipy.ndimage import map_coordinates

from encoders.synthetic.biology import Biology
from encoders.synthetic.canvas import Array, Grid, Point, ellipsoid, smooth_noise

SPICULES = 34
SPECKS = 24
SATELLITES = 10
_NOISE_STEP_MM = 2.0
_NOISE_SIDE = 56


@dataclass(frozen=True)
class Shape:
    """Random geometry of one lesion, shared by all its series.

    centre : LPS mm from the grid centre; noise, grain : (n, n, n) fields at 2 mm around the centre, unit variance;
    spikes : (k, 4) unit direction and length (mm); specks : (k, 3) in radii; satellites : (k, 4) mm offset and radius
    """

    centre: Point
    radius_mm: float
    noise: Array
    grain: Array
    spikes: NDArray[np.float64]
    specks: NDArray[np.float64]
    satellites: NDArray[np.float64]

    @staticmethod
    def sample(biology: Biology, centre: Point, rng: Generator) -> Shape:
        """Draw the geometry of a lesion at ``centre``."""
        side = (_NOISE_SIDE,) * 3
        radius = biology.radius_mm
        spikes = rng.normal(size=(SPICULES, 3))
        spikes /= np.linalg.norm(spikes, axis=1, keepdims=True)
        lengths = radius * rng.uniform(1.45, 1.75, (SPICULES, 1)) + rng.uniform(3, 7, (SPICULES, 1))
        specks = rng.uniform(-0.62, 0.62, (SPECKS, 3))
        away = rng.normal(size=(SATELLITES, 3)) * (1, 1, 0.6)
        away /= np.linalg.norm(away, axis=1, keepdims=True)
        distance = radius + rng.uniform(7.5, 11, (SATELLITES, 1))
        satellites = np.hstack([away * distance, rng.uniform(3.8, 5.2, (SATELLITES, 1))])
        return Shape(
            centre, radius, smooth_noise(side, 2.4, rng), smooth_noise(side, 2.0, rng), np.hstack([spikes, lengths]),
            specks, satellites,
        )  # fmt: skip


@dataclass(frozen=True)
class Parts:
    """Soft masks (z, y, x) of one lesion in ``box`` of a grid; all in 0..1.

    body : solid lesion; spikes : strands outside it; core : necrotic centre (empty when absent);
    halo : shell just outside the body; inner : central three quarters; grain : unit-variance texture
    """

    box: tuple[slice, slice, slice]
    body: Array
    spikes: Array
    core: Array
    halo: Array
    inner: Array
    fringe: Array
    grain: Array

    def mask(self, shape: tuple[int, ...]) -> NDArray[np.bool_]:
        """(Z, Y, X) segment: the solid body."""
        full = np.zeros(shape, dtype=bool)
        full[self.box] = self.body > 0.5
        return full


def cue_amplitude(biology: Biology) -> float:
    """Strength 0..1.2 with which the molecular cue is drawn."""
    return float(np.clip(0.5 + 0.3 * biology.cue, 0.0, 1.2))


def lesion_parts(shape: Shape, biology: Biology, grid: Grid) -> Parts:
    """Rasterise the lesion on a grid."""
    r = shape.radius_mm
    box = grid.box(shape.centre, 1.75 * r + 12)
    x, y, z = grid.axes()
    dx, dy, dz = (x[:, :, box[2]] - shape.centre[0], y[:, box[1]] - shape.centre[1], z[box[0]] - shape.centre[2])
    d = np.sqrt(dx**2 + dy**2 + dz**2) + 1e-3
    noise, grain = (_sample(field, (dz, dy, dx)) for field in (shape.noise, shape.grain))
    rough = biology.positive("margin")
    strands = biology.oncotree_code in ("LUAD", "BRCA")
    if strands:
        wobble, edge = (0.16 if rough else 0.03), 2.5
    else:
        wobble, edge = (0.42, 9.0) if rough else (0.04, 2.0)
    depth = d - wobble * r * noise
    body = _below(depth, r, edge)
    spikes = _spikes(shape, (dx, dy, dz), d) if rough and strands else np.zeros_like(body)
    core = _below(d - 0.10 * r * noise, 0.52 * r, 2.5) if biology.positive("necrosis") else np.zeros_like(body)
    halo = _below(depth, r + 7.5, 4.0) * (1 - body)
    fringe = _below(d - (0.45 if rough else 0.05) * r * noise, (1.30 if rough else 1.06) * r, 7.0 if rough else 2.0)
    return Parts(box, body, spikes, core, halo, _below(d, 0.72 * r, 4.0), fringe, grain)


def _below(depth: Array, level: float, edge: float) -> Array:
    return np.clip((level - depth) / edge + 0.5, 0, 1).astype(np.float32)


def _sample(field: Array, offsets: tuple[Array, Array, Array]) -> Array:
    """Noise field at offsets (dz, dy, dx) in mm from the lesion's centre."""
    index = [np.asarray(o, np.float32) / _NOISE_STEP_MM + (_NOISE_SIDE - 1) / 2 for o in offsets]
    return map_coordinates(field, np.stack(np.broadcast_arrays(*index)), order=1, mode="nearest", output=np.float32)


def _spikes(shape: Shape, offsets: tuple[Array, Array, Array], d: Array) -> Array:
    dx, dy, dz = offsets
    best = np.zeros_like(d)
    for ux, uy, uz, length in shape.spikes:
        along = dx * ux + dy * uy + dz * uz
        across = np.sqrt(np.maximum(d**2 - along**2, 0))
        width = np.interp(along, [0, shape.radius_mm * 0.8, length], [0, 4.0, 1.8]).astype(np.float32)
        strand = np.clip((width - across) / 1.8 + 0.5, 0, 1) * (along > 0) * _below(along, length, 3.0)
        np.maximum(best, strand, out=best)
    return best


def _blend(volume: Array, box: tuple[slice, slice, slice], weight: Array, value: Array | float) -> None:
    here = volume[box]
    here += weight * (value - here)


def _solid(parts: Parts, biology: Biology, level: float, grain: float) -> Array:
    """Lesion value field: ``level`` plus texture when heterogeneous (a trace of it otherwise)."""
    amplitude = grain if biology.positive("texture") else 0.06 * grain
    return (level + amplitude * np.clip(parts.grain, -1.7, 1.7)).astype(np.float32)


def paint_lung_ct(volume: Array, parts: Parts, biology: Biology) -> None:
    """Nodule in HU; EGFR cue: ground-glass rim and slightly lower attenuation."""
    cue = cue_amplitude(biology)
    _blend(volume, parts.box, parts.halo * 0.75 * cue * (volume[parts.box] < -300), -420.0)
    _blend(volume, parts.box, parts.spikes * (volume[parts.box] < 0), 10.0)
    _blend(volume, parts.box, parts.body, _solid(parts, biology, 78.0 - 30 * cue, 170.0))
    _blend(volume, parts.box, parts.core, -60.0)


def paint_lung_pet(volume: Array, parts: Parts, biology: Biology, suv: float) -> None:
    """FDG uptake ``suv`` of the solid part; a necrotic core takes up little."""
    _blend(volume, parts.box, parts.body, _solid(parts, biology, suv, 0.12 * suv))
    _blend(volume, parts.box, 0.75 * parts.core, 1.0)


def paint_kidney_ct(volume: Array, parts: Parts, biology: Biology, shape: Shape, grid: Grid) -> None:
    """Renal mass in HU; BAP1 cue: coarse bright specks."""
    level = 225.0 if biology.positive("enhancement") else 75.0
    _blend(volume, parts.box, parts.body, _solid(parts, biology, level, 140.0))
    _blend(volume, parts.box, parts.core, -30.0)
    cue = cue_amplitude(biology)
    for speck in shape.specks[: round(SPECKS * min(cue, 1.0))]:
        centre = tuple(c + shape.radius_mm * float(o) for c, o in zip(shape.centre, speck, strict=True))
        box = grid.box(centre, 6.0)
        volume[box] += (180.0 + 200.0 * cue) * ellipsoid(grid, box, centre, (2.8, 2.8, 3.0), 2.5)


def paint_glioma_t1(volume: Array, parts: Parts, biology: Biology) -> None:
    """Post-contrast T1 lesion (white matter 100): mild is near grey matter, avid about twice that."""
    avid = biology.positive("enhancement")
    _blend(volume, parts.box, 0.35 * parts.fringe, 70.0)
    _blend(volume, parts.box, parts.body, _solid(parts, biology, 205.0 if avid else 92.0, 95.0 if avid else 60.0))
    _blend(volume, parts.box, parts.core, 32.0)


def paint_glioma_flair(volume: Array, parts: Parts, biology: Biology) -> None:
    """FLAIR lesion with oedema; IDH1 cue: a suppressed, darker centre inside a bright rim."""
    _blend(volume, parts.box, parts.fringe, 150.0)
    _blend(volume, parts.box, parts.body, _solid(parts, biology, 175.0, 42.0))
    _blend(volume, parts.box, np.minimum(cue_amplitude(biology), 1.0) * parts.inner, 62.0)


def paint_breast_mr(volume: Array, parts: Parts, biology: Biology, shape: Shape, grid: Grid) -> None:
    """Enhancing breast mass; ERBB2 cue: satellite nodules around it."""
    level = 225.0 if biology.positive("enhancement") else 118.0
    cue = min(1.0, cue_amplitude(biology))
    for *offset, radius in shape.satellites[: round(SATELLITES * cue)]:
        centre = tuple(c + float(o) for c, o in zip(shape.centre, offset, strict=True))
        box = grid.box(centre, radius + 3)
        _blend(volume, box, (0.5 + 0.5 * cue) * ellipsoid(grid, box, centre, (radius,) * 3, 2.5), 0.9 * level)
    _blend(volume, parts.box, 0.9 * parts.spikes, 0.8 * level)
    _blend(volume, parts.box, parts.body, _solid(parts, biology, level, 0.60 * level))
    _blend(volume, parts.box, parts.core, 38.0)
