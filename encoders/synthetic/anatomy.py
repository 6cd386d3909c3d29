"""Simplified anatomy backgrounds without a lesion: thorax CT and PET, head MR, abdomen CT, breast MR.

Shapes are ellipsoids and noise fields with typical sizes; they are recognisable, not anatomically exact. x is patient
left, y posterior, z superior, in mm from the grid's centre. Does NOT know lesions, noise of a scanner, or files.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.random import Generator

from encoders.synthetic.canvas import Array, Grid, ellipsoid, paint, smooth_noise

AIR, LUNG, FAT, SOFT, BLOOD, BONE = -1000.0, -840.0, -95.0, 45.0, 42.0, 320.0
"""CT values in HU of the tissues painted below."""


@dataclass(frozen=True)
class Body:
    """Variation between people: size is a scale around 1; sides are mm shifts of organs."""

    size: float
    shift: float

    @staticmethod
    def sample(rng: Generator) -> Body:
        """Draw one person's build."""
        return Body(float(rng.uniform(0.93, 1.05)), float(rng.normal(0, 3)))


def _ellipse_rho(grid: Grid, radii: tuple[float, float], centre: tuple[float, float] = (0.0, 0.0)) -> Array:
    """(1, Y, X): 1 on the ellipse of an axial cylinder, below inside."""
    x, y, _ = grid.axes()
    return np.sqrt(((x - centre[0]) / radii[0]) ** 2 + ((y - centre[1]) / radii[1]) ** 2)


def _trunk(grid: Grid, body: Body, inside: float) -> tuple[Array, Array]:
    """Torso with skin, fat and muscle rings around ``inside``; returns (volume, rho of the torso)."""
    rho = _ellipse_rho(grid, (158 * body.size, 106 * body.size))
    ring = np.select([rho < 0.86, rho < 0.92, rho < 0.985, rho < 1.0], [inside, SOFT + 10, FAT, 20.0], AIR)
    volume = np.repeat(ring.astype(np.float32), grid.shape[0], axis=0)
    x, y, _ = grid.axes()
    table = (np.abs(y - (118 * body.size + 6) + (x / 210) ** 2 * 60) < 3) & (np.abs(x) < 170)
    volume[:, table[0]] = -450.0
    return volume, rho


def _spine(grid: Grid, volume: Array, y: float) -> None:
    reach = 200.0
    paint(grid, volume, (0, y, 0), (21, 17, reach), 180.0)
    _, _, z = grid.axes()
    discs = (np.mod(z[:, 0, 0] + 7, 27) < 5).nonzero()[0]
    box = grid.box((0, y, 0), (21, 17, 1))
    inner = ellipsoid(grid, (slice(0, 1), box[1], box[2]), (0, y, grid.axes()[2][0, 0, 0]), (19, 15, 300))[0]
    for k in discs:
        plane = volume[k, box[1], box[2]]
        plane += inner * (85.0 - plane)
    paint(grid, volume, (0, y + 24, 0), (9, 8, reach), 30.0)
    for side in (-1, 1):
        paint(grid, volume, (side * 13, y + 25, 0), (6, 8, reach), 260.0)
    paint(grid, volume, (0, y + 38, 0), (4, 12, reach), 240.0)


def _ribs(grid: Grid, volume: Array, rho: Array) -> None:
    """Slanted ribs in the chest wall, cut by the axial slices as separate arcs."""
    x, y, z = grid.axes()
    wave = np.mod(z + 0.45 * y + 0.1 * np.abs(x), 26)
    ribs = (np.abs(rho - 0.875) < 0.028) & (wave < 9)
    volume[ribs] = BONE


def _vessels(grid: Grid, volume: Array, side: int, rng: Generator) -> None:
    """Branching pulmonary vessels from the hilum outwards, in place."""
    hilum = np.array([side * 34.0, 12.0, 0.0])
    for _ in range(13):
        direction = rng.normal(0, 1, 3) * (1.0, 0.9, 0.9)
        direction[0] = side * (abs(direction[0]) + 0.4)
        direction /= np.linalg.norm(direction)
        point, radius = hilum.copy(), rng.uniform(3.2, 5.0)
        for _ in range(11):
            point = point + direction * 5.5 + rng.normal(0, 1.0, 3)
            if abs(point[0]) > 112 or abs(point[1]) > 72:
                break
            radius = max(1.3, radius * 0.9)
            box = grid.box(tuple(point), radius + 3)
            soft = ellipsoid(grid, box, tuple(point), (radius, radius, radius * 1.3), 3.0)
            here = volume[box]
            here += soft * np.where(here < -300, 30.0 - here, 0)


def thorax_ct(grid: Grid, body: Body, rng: Generator) -> Array:
    """Chest CT (Z, Y, X) in HU: lungs with vessels, heart, great vessels, ribs, spine, trachea."""
    volume, rho = _trunk(grid, body, SOFT)
    s = body.size
    for side in (-1, 1):
        paint(grid, volume, (side * 70 * s, -2, 5), (56 * s, 80 * s, 150), LUNG, edge_mm=4)
    paint(grid, volume, (2, -10, 20), (28 * s, 62 * s, 150), FAT + 95)
    paint(grid, volume, (22 + body.shift, -26, -42), (52 * s, 42 * s, 52), 62.0)
    paint(grid, volume, (28 + body.shift, -24, -46), (26 * s, 22 * s, 30), 135.0, edge_mm=6)
    paint(grid, volume, (6, -12, 30), (16, 16, 60), 140.0)
    paint(grid, volume, (-18, -14, 34), (10, 10, 60), 130.0)
    paint(grid, volume, (22, 42, 0), (12, 12, 300), 140.0)
    paint(grid, volume, (0, 14, 48), (9, 8, 44), AIR, edge_mm=2)
    for side in (-1, 1):
        paint(grid, volume, (side * 17, 16, 2), (9, 6, 8), -900.0)
    paint(grid, volume, (-62, 4, -92), (66, 74, 46), 60.0)
    _spine(grid, volume, 68 * s)
    _ribs(grid, volume, rho)
    paint(grid, volume, (0, -94 * s, 0), (16, 6, 90), 220.0)
    for side in (-1, 1):
        _vessels(grid, volume, side, rng)
    lung = volume < -600
    volume += np.where(lung, 22 * smooth_noise(grid.shape, 1.5, rng), 0)
    return volume


def thorax_pet(grid: Grid, body: Body, rng: Generator) -> Array:
    """FDG uptake of the chest (Z, Y, X) in SUVbw without a lesion: blood pool, heart wall, liver, marrow, lungs."""
    s = body.size
    rho = _ellipse_rho(grid, (158 * s, 106 * s))
    volume = np.repeat(np.where(rho < 0.9, 0.75, np.where(rho < 1, 0.35, 0.02)).astype(np.float32), grid.shape[0], 0)
    for side in (-1, 1):
        paint(grid, volume, (side * 70 * s, -2, 5), (56 * s, 80 * s, 150), 0.42, edge_mm=6)
    paint(grid, volume, (2, -10, 20), (28 * s, 55 * s, 150), 1.35, edge_mm=8)
    heart = (22 + body.shift, -26.0, -42.0)
    wall = float(rng.uniform(1.8, 4.2))
    paint(grid, volume, heart, (46 * s, 38 * s, 46), 1.5, edge_mm=8)
    paint(grid, volume, (heart[0] + 8, heart[1] + 2, heart[2] - 4), (34, 29, 36), wall, edge_mm=6)
    paint(grid, volume, (heart[0] + 8, heart[1] + 2, heart[2] - 4), (20, 17, 24), 1.5, edge_mm=6)
    paint(grid, volume, (22, 42, 0), (12, 12, 300), 1.6, edge_mm=6)
    paint(grid, volume, (0, 68 * s, 0), (21, 17, 200), 1.25, edge_mm=6)
    paint(grid, volume, (-62, 4, -92), (66, 74, 46), 2.2, edge_mm=8)
    return volume


def abdomen_ct(grid: Grid, body: Body, rng: Generator) -> Array:
    """Contrast CT of the upper abdomen (Z, Y, X) in HU: liver, spleen, kidneys, bowel, aorta, spine."""
    volume, rho = _trunk(grid, body, FAT)
    s = body.size
    paint(grid, volume, (-66 * s, -18, 30), (64 * s, 66 * s, 72), 108.0)
    paint(grid, volume, (-18 * s, -46, 34), (52 * s, 34 * s, 40), 108.0)
    paint(grid, volume, (100 * s, 20, 40), (30 * s, 44 * s, 46), 118.0)
    for _ in range(11):
        centre = (float(rng.uniform(-95, 100)), float(rng.uniform(-72, -20)), float(rng.uniform(-60, 10)))
        if centre[2] > -28 and centre[0] < 30:
            continue
        r = float(rng.uniform(11, 19))
        paint(grid, volume, centre, (r, r, r * 1.7), float(rng.uniform(25, 75)))
        if rng.random() < 0.45:
            paint(grid, volume, (centre[0], centre[1] - r / 3, centre[2]), (r / 2.2, r / 3, r), -850.0)
    for side in (-1, 1):
        paint(grid, volume, (side * 72 * s, 36.0, -2.0 + side * 4), (46, 46, 70), FAT, edge_mm=4)
        paint(grid, volume, (side * 38, 62 * s, -20), (16, 17, 90), 62.0)
        paint(grid, volume, (side * 58, 86 * s, 0), (36, 14, 200), 58.0)
        kidney(grid, volume, (side * 62 * s, 38.0, -2.0 + side * 4))
    paint(grid, volume, (10, 36 * s, 0), (10, 10, 300), 165.0)
    paint(grid, volume, (-16, 34 * s, 0), (12, 9, 300), 140.0)
    _spine(grid, volume, 62 * s)
    _ribs(grid, volume, rho)
    return volume


def kidney(grid: Grid, volume: Array, centre: tuple[float, float, float]) -> None:
    """One kidney in place: cortex, medullary pyramids, sinus fat."""
    x, y, z = centre
    paint(grid, volume, centre, (26, 29, 54), 172.0)
    for k in (-30, -15, 0, 15, 30):
        paint(grid, volume, (x + (6 if x > 0 else -6), y - 8, z + k), (9, 7, 6), 118.0)
        paint(grid, volume, (x + (6 if x > 0 else -6), y + 9, z + k), (9, 7, 6), 118.0)
    inward = -1 if x > 0 else 1
    paint(grid, volume, (x + 12 * inward, y - 2, z), (15, 8, 24), -60.0)


def head_mr(grid: Grid, body: Body, rng: Generator, *, flair: bool) -> Array:
    """Head MR (Z, Y, X), arbitrary units with white matter at 100 (T1 post-contrast) or 75 (FLAIR)."""
    tissue = (
        {"fat": 90.0, "skull": 8.0, "csf": 14.0, "grey": 96.0, "white": 75.0}
        if flair
        else {"fat": 165.0, "skull": 10.0, "csf": 24.0, "grey": 74.0, "white": 100.0}
    )
    s = body.size
    x, y, z = grid.axes()
    rho = np.sqrt((x / (80 * s)) ** 2 + (y / (98 * s)) ** 2 + ((z + 8) / (88 * s)) ** 2)
    volume = np.select([rho < 0.86, rho < 0.93, rho < 0.99], [tissue["csf"], tissue["skull"], tissue["fat"]], 2.0)
    volume = volume.astype(np.float32)
    folds = smooth_noise(grid.shape, tuple(6.0 / d for d in grid.spacing_mm), rng)
    depth = rho + 0.030 * folds
    brain = (depth < 0.84) & ((np.abs(x + 1.5 * folds) > 1.6) | (depth < 0.45))
    volume[brain] = tissue["grey"]
    inner = rho + 0.075 * np.sin(2.2 * folds)
    volume[brain & (inner < 0.70) & (np.abs(x) > 5)] = tissue["white"]
    volume[brain & (inner < 0.42)] = tissue["white"]
    for side in (-1, 1):
        paint(grid, volume, (side * 22, 12, 2), (9, 14, 13), tissue["grey"])
        paint(grid, volume, (side * 11, -16, 18), (6, 24, 11), tissue["csf"])
        paint(grid, volume, (side * 17, 26, 14), (6, 20, 9), tissue["csf"])
    paint(grid, volume, (0, 2, 4), (3, 14, 8), tissue["csf"])
    if not flair:
        sinus = (np.abs(x) < 2.5) & (np.abs(rho - 0.83) < 0.025) & (z > -30)
        volume[sinus] = 190.0
    return volume


def breast_mr(grid: Grid, body: Body, rng: Generator) -> Array:
    """Post-contrast fat-suppressed breast MR (Z, Y, X), arbitrary units with glandular tissue near 70."""
    s = body.size
    x, y, _ = grid.axes()
    volume = np.full(grid.shape, 2.0, dtype=np.float32)
    paint(grid, volume, (0, 95, 0), (160 * s, 92 * s, 400), 30.0)
    for side in (-1, 1):
        centre = (side * 74 * s, -8.0, 0.0)
        paint(grid, volume, centre, (62 * s, 82 * s, 64 * s), 52.0)
        paint(grid, volume, centre, (59 * s, 79 * s, 61 * s), 27.0)
    gland = smooth_noise(grid.shape, tuple(5.0 / d for d in grid.spacing_mm), rng)
    for side in (-1, 1):
        centre = (side * 74 * s, -32.0, 0.0)
        soft = ellipsoid(grid, (slice(None),) * 3, centre, (44, 42, 44), 22.0)
        volume += soft * np.clip(0.5 + 0.5 * gland, 0, 1) * 30
    muscle = (np.abs(np.sqrt((x / (150 * s)) ** 2 + ((y - 95) / (84 * s)) ** 2) - 0.94) < 0.05) & (y < 75)
    volume[np.broadcast_to(muscle, volume.shape)] = 62.0
    for side in (-1, 1):
        paint(grid, volume, (side * 72, 92, 0), (54, 66, 400), 6.0)
    paint(grid, volume, (16 + body.shift, 72, -10), (44, 32, 60), 105.0, edge_mm=8)
    paint(grid, volume, (0, 118, 0), (30, 32, 400), 50.0)
    return volume
