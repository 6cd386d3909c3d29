"""Slices of one series, in any order -> one stack along the slice normal, with what is odd about it.

Rules: slices of another orientation are set apart; the same SOP instance twice counts once; of several volumes (time
points, b-values: time_points.py) one is read; of slices that still share a position the first acquired stays. A short
gap is filled by linear interpolation, so that every slice keeps its true place; a long one ends the stack. Uneven steps
keep their slices, and the error of place is told in mm.

What this module does not know: pixels and units.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from encoders.read.dicom_frame import Frame
from encoders.read.time_points import ImageReference, one_volume

SAME_POSITION_MM = 0.01
"""Positions closer than this along the normal are one slice position."""
SAME_PLANE = 1e-3
"""Orientation cosines and spacings that differ by no more than this are the same."""
UNEVEN_SHARE = 0.02
"""Steps that differ from the median by more than this share are uneven."""
GAP_SHARE = 1.5
"""A step longer than this many median steps means slices are missing."""
MOST_FILLED = 3
"""A gap of up to this many missing slices is filled; a longer one ends the stack."""
TILT_DEGREES = 0.5
"""The slice step may lean this far from the normal before it is called a tilt."""


@dataclass(frozen=True)
class Stack:
    """Frames in order along the normal; spacing (z, y, x) in mm; affine (x, y, z, 1) -> LPS mm.

    slots : the grid slice of each frame; grid slices that no frame takes are to be filled in between
    depth : number of grid slices
    """

    frames: tuple[Frame, ...]
    slots: tuple[int, ...]
    depth: int
    spacing_mm: tuple[float, float, float]
    affine_lps: NDArray[np.float64]
    warnings: tuple[str, ...]


def order_slices(frames: Sequence[Frame], drawn_on: frozenset[ImageReference] = frozenset()) -> Stack:
    """Sort the slices of one series (at least one) by position along their normal.

    drawn_on : images that segments or contours refer to; of several volumes, theirs is read
    """
    warnings: list[str] = []
    frames = _one_orientation(_one_of_each(frames, warnings), warnings)
    first = frames[0]
    normal = first.normal / np.linalg.norm(first.normal)
    heights = {id(f): float(np.dot(f.position, normal)) for f in frames}
    frames = one_volume(frames, _levels(frames, heights), drawn_on, warnings)
    ordered = sorted(frames, key=lambda f: (heights[id(f)], *f.acquired, f.file.name))
    ordered = _one_a_position(ordered, heights, warnings)
    if len(ordered) == 1:
        step, slots = normal * _thickness(ordered[0], warnings), (0,)
    else:
        ordered, slots = _slots(ordered, heights, warnings)
        step = _step(ordered, slots, normal, warnings)
    affine = np.eye(4)
    affine[:3, 0] = np.multiply(first.along_row, first.spacing_mm[1])
    affine[:3, 1] = np.multiply(first.along_column, first.spacing_mm[0])
    affine[:3, 2] = step
    affine[:3, 3] = ordered[0].position
    spacing = (float(step @ normal), *first.spacing_mm)
    return Stack(tuple(ordered), slots, slots[-1] + 1, spacing, affine, tuple(warnings))


def _one_of_each(frames: Sequence[Frame], warnings: list[str]) -> list[Frame]:
    kept = list({(f.uid or f.file.name, f.index): f for f in reversed(frames)}.values())[::-1]
    if len(kept) < len(frames):
        warnings.append(f"{len(frames) - len(kept)} file(s) repeat a slice (same SOP instance) and were read once")
    return kept


def _one_orientation(frames: Sequence[Frame], warnings: list[str]) -> list[Frame]:
    """The frames of the plane most share; the first such plane where two are as common."""
    planes: list[list[Frame]] = []
    for frame in frames:
        home = next((p for p in planes if _same_plane(p[0], frame)), None)
        if home is None:
            planes.append([frame])
        else:
            home.append(frame)
    kept = max(planes, key=len)
    if len(kept) < len(frames):
        warnings.append(
            f"{len(frames) - len(kept)} of {len(frames)} slices have another orientation, spacing or size; set apart"
        )
    return kept


def _same_plane(a: Frame, b: Frame) -> bool:
    if a.shape != b.shape:
        return False
    pairs = zip(
        (*a.along_row, *a.along_column, *a.spacing_mm), (*b.along_row, *b.along_column, *b.spacing_mm), strict=True
    )
    return all(abs(x - y) <= SAME_PLANE for x, y in pairs)


def _levels(frames: Sequence[Frame], heights: Mapping[int, float]) -> dict[int, int]:
    """id(frame) -> number of its position, counted along the normal."""
    levels: dict[int, int] = {}
    level, last = -1, -np.inf
    for key in sorted((id(f) for f in frames), key=lambda k: heights[k]):
        if heights[key] - last >= SAME_POSITION_MM:
            level, last = level + 1, heights[key]
        levels[key] = level
    return levels


def _one_a_position(frames: Sequence[Frame], heights: dict[int, float], warnings: list[str]) -> list[Frame]:
    kept: list[Frame] = []
    for frame in frames:
        if kept and heights[id(frame)] - heights[id(kept[-1])] < SAME_POSITION_MM:
            continue
        kept.append(frame)
    if len(kept) < len(frames):
        warnings.append(
            f"{len(frames) - len(kept)} of {len(frames)} slices share a position with another "
            "(doubled slices, or volumes that no tag tells apart); the first acquired was read"
        )
    return kept


def _thickness(frame: Frame, warnings: list[str]) -> float:
    """How far a lone slice reaches along the normal, mm."""
    if frame.thickness_mm is not None:
        return frame.thickness_mm
    stand_in = frame.spacing_mm[0]
    warnings.append(f"one slice without SliceThickness; {stand_in:g} mm (its pixel spacing) stands in for it")
    return stand_in


def _slots(frames: list[Frame], heights: dict[int, float], warnings: list[str]) -> tuple[list[Frame], tuple[int, ...]]:
    """Number the grid slices, leaving room for missing ones; a gap too long to fill ends the run."""
    steps = np.diff([heights[id(f)] for f in frames])
    median = float(np.median(steps))
    runs: list[list[tuple[Frame, int]]] = [[(frames[0], 0)]]
    for at, step in enumerate(steps):
        missing = round(step / median) - 1 if step > GAP_SHARE * median else 0
        if missing:
            told = f"slices are missing: {step:.2f} mm between slices {at + 1} and {at + 2} (usual {median:.2f} mm)"
            filled = missing <= MOST_FILLED
            done = f"{missing} filled by linear interpolation" if filled else "too many to fill"
            warnings.append(f"{told}; {done}")
            if not filled:
                runs.append([(frames[at + 1], 0)])
                continue
        runs[-1].append((frames[at + 1], runs[-1][-1][1] + 1 + missing))
    longest = max(runs, key=len)
    if len(longest) < len(frames):
        warnings.append(
            f"the longest run without a long gap was read: {len(longest)} of {len(frames)} slices; the others set apart"
        )
    return [frame for frame, _ in longest], tuple(slot for _, slot in longest)


def _step(
    frames: Sequence[Frame], slots: tuple[int, ...], normal: NDArray[np.float64], warnings: list[str]
) -> NDArray[np.float64]:
    """The vector (mm, LPS) from one grid slice to the next: the mean from the first slice to the last."""
    positions = np.array([f.position for f in frames])
    if len(frames) == 1:
        return normal * _thickness(frames[0], warnings)
    step = (positions[-1] - positions[0]) / slots[-1]
    along = float(step @ normal)
    steps = np.diff(positions @ normal) / np.diff(slots)
    median = float(np.median(steps))
    off = float(np.linalg.norm(positions - positions[0] - np.outer(slots, step), axis=1).max())
    if (np.abs(steps - median) > UNEVEN_SHARE * median).any():
        warnings.append(
            f"slice steps are uneven: {steps.min():.2f} to {steps.max():.2f} mm; their mean {along:.2f} mm is used, "
            f"so that slices lie up to {off:.2f} mm from their place"
        )
    elif off > max(UNEVEN_SHARE * median, SAME_POSITION_MM) * 5:
        warnings.append(f"slices do not lie on one line; they lie up to {off:.2f} mm from their place")
    tilt = float(np.degrees(np.arccos(np.clip(along / np.linalg.norm(step), -1, 1))))
    if tilt > TILT_DEGREES:
        warnings.append(
            f"the gantry was tilted by {tilt:.1f} degrees; the affine is sheared, the volume is not resampled"
        )
    return step
