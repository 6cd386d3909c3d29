"""Candidate lesions in a series that holds no lesion outline: proposed by software, never confirmed by a person.

Two kinds of series are searched, others give none:

- PET in SUVbw: connected voxels of at least 4.0 that fill 1 mL or more; each outline is cut to 41 % of its own maximum
  where that is higher. Physiological uptake (brain, heart, kidney, bladder, bowel) is NOT excluded.
- CT of the chest in HU: solid, compact regions enclosed by lung. A nodule on the pleura or mediastinum is found only as
  far as closing the lung by ``CLOSING_MM`` takes it in; ground glass is not searched.

What this module does not know: the patient's cancer, whether a candidate is a lesion.

Measured (`radomica eval imaging --only candidates`, 60 held-out synthetic lung patients without their outlines): on CT
60 of 60 found with 1.2 false candidates a case; on PET 36 of the 36 that reach SUV 4.0 anywhere, none of the 24 that do
not, with 0.02 false. One real lung CT with an outlined tumour (68 mL, on the mediastinum): missed, one vessel proposed.

References
----------
PET: Barrington et al., J Nucl Med 2021 (fixed threshold of SUV 4.0); Boellaard et al., Eur J Nucl Med Mol Imaging 2015,
10.1007/s00259-014-2961-x (41 % of the maximum). CT: Hu et al., IEEE Trans Med Imaging 2001, 10.1109/42.929615 (lung by
threshold, connected parts and closing; deviation: one fixed threshold); MacMahon et al., Radiology 2017,
10.1148/radiol.2017161659 (solid nodules above 8 mm are the ones worked up, hence the least size).
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from encoders.body_region import BodyRegion, find_region, overlapping
from encoders.lesion_choice import lesions
from encoders.patient import ImagingModality, ImagingSeries, IntensityUnit, Patient, Segment, SeriesVerdict

MOST_CANDIDATES = 5
"""Most candidates of one series."""
PET_SUV, PET_SHARE, PET_LEAST_ML = 4.0, 0.41, 1.0
LUNG_BELOW_HU, LEAST_LUNG_ML = -400.0, 300.0
"""Air and lung lie below; less enclosed air than this is no chest."""
SOLID_HU = -300.0
"""Solid tissue lies above; ground glass and vessels too thin for their voxels below."""
CLOSING_MM = 12.0
"""Radius by which the lung is closed, to take nodules at its edge in."""
OPENINGS_MM = (4.0, 6.0, 8.0, 10.0)
"""Radii by which solid tissue is opened in turn: a nodule parts from its vessels at a small one, from the chest wall or
mediastinum that closing took in at a larger one. The smallest that leaves a compact piece decides."""
LEAST_NODULE_MM, LEAST_COMPACTNESS = 8.0, 0.25
"""Least diameter of the sphere of the candidate's volume; least share of the smallest sphere round it that it fills."""
LEAST_LUNG_AROUND, RIM_MM = 0.65, (1.0, 6.0)
"""Least share of the voxels this far around a candidate that are lung: a bulge of the mediastinum has less."""
WORKING_MM = 2.0
"""CT is thinned to about this spacing before it is searched."""

Mask = NDArray[np.bool_]


def propose_lesions(patient: Patient) -> tuple[tuple[str, Segment], ...]:
    """(series UID, outline) of every candidate in the patient's newest study.

    A series is searched when it holds no lesion, is not refused (encoders/read/validity.py), and no series is later.
    """
    dates = [s.date for s in patient.imaging if s.date]
    newest = max(dates, default=None)
    return tuple(
        (series.series_uid, candidate)
        for series in patient.imaging
        if (series.date in (None, newest)) and series.validity.verdict is not SeriesVerdict.REFUSED
        for candidate in find_candidates(series)
    )


def with_proposed(patient: Patient, proposed: tuple[tuple[str, Segment], ...]) -> Patient:
    """The patient with the proposed outlines added to their series."""
    if not proposed:
        return patient
    series = [
        replace(s, segments=(*s.segments, *(c for uid, c in proposed if uid == s.series_uid))) for s in patient.imaging
    ]
    return replace(patient, imaging=tuple(series))


def find_candidates(series: ImagingSeries) -> tuple[Segment, ...]:
    """At most ``MOST_CANDIDATES`` proposed outlines, the most conspicuous first; () when the series holds a lesion.

    PET candidates go by their maximum, CT candidates by their volume.
    """
    if lesions(series):
        return ()
    if series.modality is ImagingModality.PT and series.unit is IntensityUnit.SUVBW:
        masks = _hot_regions(series)
    elif series.modality is ImagingModality.CT and series.unit is IntensityUnit.HU:
        masks = _lung_nodules(series)
    else:
        return ()
    return tuple(
        Segment(f"Proposed lesion {n}", mask, series.source, proposed=True)
        for n, mask in enumerate(masks[:MOST_CANDIDATES], start=1)
    )


def _voxel_ml(spacing_mm: tuple[float, ...]) -> float:
    return float(np.prod(spacing_mm)) / 1000


def _hot_regions(series: ImagingSeries) -> list[Mask]:
    pieces, count = ndimage.label(series.volume >= PET_SUV, np.ones((3, 3, 3)))
    found: list[tuple[float, Mask]] = []
    for number, box in enumerate(ndimage.find_objects(pieces), start=1):
        piece = pieces[box] == number
        if piece.sum() * _voxel_ml(series.spacing_mm) < PET_LEAST_ML:
            continue
        highest = float(series.volume[box][piece].max())
        mask = np.zeros(series.volume.shape, bool)
        mask[box] = piece & (series.volume[box] >= PET_SHARE * highest)
        found.append((highest, mask))
    return [mask for _, mask in sorted(found, key=lambda item: -item[0])] if count else []


def _lung_nodules(series: ImagingSeries) -> list[Mask]:
    regions = find_region(series).regions
    if regions and not overlapping(regions, (BodyRegion.CHEST,)):
        return []
    steps = [max(1, round(WORKING_MM / s)) for s in series.spacing_mm]
    seen = series.volume[:: steps[0], :: steps[1], :: steps[2]]
    spacing = tuple(s * n for s, n in zip(series.spacing_mm, steps, strict=True))
    lung = _lung(seen, spacing)
    if lung is None:
        return []
    solid = lung & (seen > SOLID_HU)
    found = [n for n in _compact_pieces(solid, spacing) if _lung_around(n, seen, spacing) >= LEAST_LUNG_AROUND]
    found.sort(key=lambda nodule: -int(nodule.sum()))
    return [_full_size(nodule, series, steps) for nodule in found]


def _compact_pieces(solid: Mask, spacing_mm: tuple[float, ...]) -> list[Mask]:
    """Pieces of solid tissue as compact as a nodule, each parted from its neighbours by the least opening that does."""
    depth = ndimage.distance_transform_edt(solid, sampling=spacing_mm)
    least = np.pi / 6 * LEAST_NODULE_MM**3 / 1000 / _voxel_ml(spacing_mm)
    taken = np.zeros_like(solid)
    found: list[Mask] = []
    for radius in OPENINGS_MM:
        pieces, _ = ndimage.label(depth > radius)
        for number, box in enumerate(ndimage.find_objects(pieces), start=1):
            core = pieces[box] == number
            if taken[box][core].any():
                continue
            nodule = _grown(core, box, solid, radius, spacing_mm)
            if nodule.sum() >= least and _compactness(nodule, spacing_mm) >= LEAST_COMPACTNESS:
                found.append(nodule)
                taken |= nodule
    return found


def _lung(volume: NDArray[np.float32], spacing_mm: tuple[float, ...]) -> Mask | None:
    """The lungs with what they enclose, or None: air that reaches no side of the slices, closed by ``CLOSING_MM``."""
    pieces, count = ndimage.label(volume < LUNG_BELOW_HU)
    if not count:
        return None
    sides = [pieces[:, 0], pieces[:, -1], pieces[:, :, 0], pieces[:, :, -1]]
    sizes = np.bincount(pieces.ravel())
    sizes[np.unique(np.concatenate([s.ravel() for s in sides]))] = 0
    sizes[0] = 0
    air = np.isin(pieces, np.flatnonzero(sizes * _voxel_ml(spacing_mm) >= LEAST_LUNG_ML / 3))
    if air.sum() * _voxel_ml(spacing_mm) < LEAST_LUNG_ML:
        return None
    away = ndimage.distance_transform_edt(~air, sampling=spacing_mm) <= CLOSING_MM
    closed = ndimage.distance_transform_edt(away, sampling=spacing_mm) > CLOSING_MM
    return np.stack([ndimage.binary_fill_holes(plane) for plane in closed | air])


def _grown(core: Mask, box: tuple[slice, ...], solid: Mask, radius_mm: float, spacing_mm: tuple[float, ...]) -> Mask:
    """The solid tissue near a core (given in its box): what opening by ``radius_mm`` took off it, no long vessel."""
    reach = [int(np.ceil(1.5 * radius_mm / s)) for s in spacing_mm]
    wide = tuple(
        slice(max(0, b.start - r), min(n, b.stop + r)) for b, r, n in zip(box, reach, solid.shape, strict=True)
    )
    seed = np.zeros([w.stop - w.start for w in wide], bool)
    seed[tuple(slice(b.start - w.start, b.stop - w.start) for b, w in zip(box, wide, strict=True))] = core
    near = ndimage.distance_transform_edt(~seed, sampling=spacing_mm) <= 1.3 * radius_mm
    grown = np.zeros_like(solid)
    grown[wide] = solid[wide] & near
    return grown


def _compactness(mask: Mask, spacing_mm: tuple[float, ...]) -> float:
    """Share of the sphere about the mask's centre, through its farthest voxel, that the mask fills; 1 = a ball."""
    points = np.argwhere(mask) * spacing_mm
    radius = float(np.linalg.norm(points - points.mean(0), axis=1).max()) + float(np.mean(spacing_mm)) / 2
    return float(mask.sum() * np.prod(spacing_mm) / (4 / 3 * np.pi * radius**3))


def _lung_around(mask: Mask, volume: NDArray[np.float32], spacing_mm: tuple[float, ...]) -> float:
    """Share of the voxels ``RIM_MM`` from the mask that are lung."""
    reach = [int(np.ceil(RIM_MM[1] / s)) + 1 for s in spacing_mm]
    points = np.argwhere(mask)
    box = tuple(
        slice(max(0, low - r), high + 1 + r) for low, high, r in zip(points.min(0), points.max(0), reach, strict=True)
    )
    away = ndimage.distance_transform_edt(~mask[box], sampling=spacing_mm)
    rim = (away > RIM_MM[0]) & (away <= RIM_MM[1])
    return float((volume[box][rim] < LUNG_BELOW_HU).mean()) if rim.any() else 0.0


def _full_size(mask: Mask, series: ImagingSeries, steps: list[int]) -> Mask:
    """A mask on thinned voxels in the series' own grid, kept to solid tissue."""
    full = mask
    for axis, step in enumerate(steps):
        full = np.repeat(full, step, axis)
    z, y, x = series.volume.shape
    return full[:z, :y, :x] & (series.volume > SOLID_HU)
