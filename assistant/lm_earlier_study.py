"""Synthetic patients with what their cohort lacks: an earlier study, a second lesion, no outline.

The ledger then holds lesion_change, lesion_sum, series_verdict and proposed_lesion, so that the embedded decoder meets
their lines as the whole chain writes them. An earlier study is a copy of the outlined series with another outline and
date: it says nothing of how lesions grow, and a compact line holds no size.

Not known here: lines, pairs, or how changes are measured (encoders/follow_up.py).
"""

from __future__ import annotations

import random
from dataclasses import replace
from datetime import date, timedelta

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from encoders.errors import ContractError
from encoders.patient import ImagingSeries, Patient, Segment

SECOND_LABEL = "Lesion 2"
COURSES = ("grown", "shrunk", "same", "sum", "new", "vanished", "no outline")
"""What a training patient may get: an earlier study (with a second lesion in both, now or before), or no outline."""

_IN_PLANE = np.zeros((3, 3, 3), dtype=bool)
_IN_PLANE[1] = ndimage.generate_binary_structure(2, 1)
_SHIFT = 24  # voxels between a lesion and its copy: wider than all but the largest outlines


def earlier_series(series: ImagingSeries, *, grown_by: int, days: int = 120) -> ImagingSeries:
    """A copy of a series ``days`` before it, its first outline ``grown_by`` in-plane voxels smaller (below 0: larger).

    Raises
    ------
    ContractError: the series has no outline or no date.
    """
    if not series.segments or series.date is None:
        raise ContractError(f"series {series.role!r} has no outline or no date; an earlier study needs both.")
    outline = series.segments[0]
    changed = replace(outline, mask=_resized(outline.mask, -grown_by))
    day = date.fromisoformat(series.date) - timedelta(days=days)
    return replace(
        series, series_uid=f"{series.series_uid}.1", date=day.isoformat(), segments=(changed,), sop_instance_uids=()
    )


def _resized(mask: NDArray[np.bool_], voxels: int) -> NDArray[np.bool_]:
    """A mask wider (above 0) or narrower by so many in-plane voxels; never empty."""
    if voxels == 0:
        return mask
    change = ndimage.binary_dilation if voxels > 0 else ndimage.binary_erosion
    found: NDArray[np.bool_] = change(mask, _IN_PLANE, iterations=abs(voxels))
    return found if found.any() else mask


def with_course(patient: Patient, course: str, rng: random.Random) -> Patient:
    """The patient with one of ``COURSES``; unchanged where no series is outlined.

    Raises
    ------
    ContractError: ``course`` is none of them.
    """
    if course not in COURSES:
        raise ContractError(f"course {course!r} is unknown; allowed: {', '.join(COURSES)}.")
    outlined = [s for s in patient.imaging if s.segments]
    if not outlined:
        return patient
    if course == "no outline":
        return replace(patient, imaging=tuple(replace(s, segments=()) for s in patient.imaging))
    voxels = {"grown": 1, "shrunk": -1}.get(course, 0) * rng.randint(1, 3)
    now = outlined[0]
    before = earlier_series(now, grown_by=voxels, days=rng.randint(40, 300))
    if course in ("sum", "new"):
        now = _with_second(now)
    if course in ("sum", "vanished"):
        before = _with_second(before)
    others = tuple(now if s.series_uid == now.series_uid else s for s in patient.imaging)
    return replace(patient, imaging=(*others, before))


def _with_second(series: ImagingSeries) -> ImagingSeries:
    first = series.segments[0]
    second = Segment(SECOND_LABEL, np.roll(first.mask, _SHIFT, axis=2), first.source)
    return replace(series, segments=(*series.segments, second))
