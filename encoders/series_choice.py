"""Which series of a patient the networks read, and why each other one is not.

A series is read when its verdict is not "refused", a lesion is outlined in it, it belongs to the current time point
(the latest date with such a series and the ``TIME_POINT_DAYS`` before it, so that a CT and the PET of the next week
are read together; earlier studies are priors and are never mixed into one prediction), and no better series of that
time point shows the same thing: same body region and kind. "Better" is ``PREFERENCES``, in order.

What this module does not know: pixels, the patient's cancer, treatment between two studies, registration (series of
one time point are taken as of one time; whether their slices lie on each other is only asked where both name the same
frame of reference).
"""

from __future__ import annotations

import datetime
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from encoders.body_region import find_region, overlapping
from encoders.lesion_choice import lesions, why_no_lesion
from encoders.patient import ImagingModality, ImagingSeries, IntensityUnit, SeriesVerdict
from encoders.series_kind import SERIES_KINDS, series_kind

TIME_POINT_DAYS = 28
"""Studies at most this many days apart are of one time point: RECIST 1.1 lets the baseline span four weeks (Eisenhauer
et al., Eur J Cancer 2009, 10.1016/j.ejca.2008.10.026)."""


class StudyTime(StrEnum):
    """Where a series' study stands in the patient's time line; undated counts as of the time that is read."""

    CURRENT = "current"
    PRIOR = "prior"
    NEWER = "newer"
    UNDATED = "undated"


@dataclass(frozen=True)
class SeriesChoice:
    """Whether one series is read by the networks.

    reason : why not; or, when it was chosen over others or beside a newer study, that; "" when there was no choice
    study : relative to the study that is read
    """

    series_uid: str
    chosen: bool
    reason: str
    study: StudyTime


@dataclass(frozen=True)
class _Preference:
    """rank : smaller is better; words(worse, better) : why the worse one is not read."""

    rank: Callable[[ImagingSeries], float]
    words: Callable[[ImagingSeries, ImagingSeries], str]


THICKNESS_STEP_MM, REACH_STEP_MM = 0.5, 20.0
"""Slices count as equally thick, and stacks as equally long, within these steps."""
_SHARP = re.compile(
    r"^[bhiu][rlfvcpu]?[6-9]\d|^b[6-9]\d|^h[6-9]\d|^bl5[7-9]|lung|bone|edge|detail|sharp|^fc(?:3\d|5\d|8\d)|^y[abcd]$|^l$",
    re.IGNORECASE,
)
"""Convolution kernels that sharpen (Siemens B60 to B90, Br/Bl 6x up; GE LUNG, BONE, EDGE; Canon FC3x, FC5x; Philips L,
YA to YD): they multiply noise, and the networks were trained without them."""
_DERIVED = frozenset(("DERIVED", "SECONDARY", "MPR", "REFORMATTED"))


def is_sharp(kernel: str) -> bool:
    """Whether a reconstruction kernel sharpens, by its name; an unknown name does not."""
    return any(_SHARP.search(part.strip()) for part in kernel.split("\\"))


def _reach_mm(series: ImagingSeries) -> float:
    return series.volume.shape[0] * series.spacing_mm[0]


def _date_order(series: ImagingSeries) -> float:
    """Smaller = later; undated last."""
    return -datetime.date.fromisoformat(series.date).toordinal() if series.date else 1.0


PREFERENCES: tuple[_Preference, ...] = (
    _Preference(
        lambda s: float(s.validity.verdict is SeriesVerdict.DOUBTFUL),
        lambda worse, _: f"its validity is doubtful ({worse.validity.reasons[0] if worse.validity.reasons else ''})",
    ),
    _Preference(
        lambda s: float(all(segment.proposed for segment in lesions(s))),
        lambda *_: "its lesion outline is only proposed",
    ),
    _Preference(
        lambda s: float(s.modality is not ImagingModality.MR and s.unit is IntensityUnit.ARBITRARY),
        lambda *_: "its intensities have no unit",
    ),
    _Preference(
        lambda s: float(not _DERIVED.isdisjoint(s.header.image_type)), lambda *_: "it is derived from another series"
    ),
    _Preference(
        lambda s: round(s.spacing_mm[0] / THICKNESS_STEP_MM),
        lambda worse, better: f"thicker slices ({worse.spacing_mm[0]:.1f} against {better.spacing_mm[0]:.1f} mm)",
    ),
    _Preference(
        lambda s: -round(_reach_mm(s) / REACH_STEP_MM),
        lambda worse, better: f"fewer slices ({worse.volume.shape[0]} against {better.volume.shape[0]})",
    ),
    _Preference(lambda s: float(is_sharp(s.header.kernel)), lambda worse, _: f"sharp kernel ({worse.header.kernel})"),
    _Preference(_date_order, lambda worse, better: f"{worse.date or 'undated'}, the other {better.date}"),
)
"""What makes one series of the same thing better than another. Presence of a lesion outline was asked before."""


def choose_series(imaging: Sequence[ImagingSeries]) -> tuple[SeriesChoice, ...]:
    """One SeriesChoice per series, in the order given; the choice does not depend on that order."""
    dates = _study_dates(imaging)
    why_not = [_unreadable(series) for series in imaging]
    readable = [i for i, reason in enumerate(why_not) if not reason]
    current = max((d for i in readable if (d := dates[i])), default=None)
    times = [_time(date, current) for date in dates]
    newest = max((d for d in dates if d), default=None)
    for i in readable:
        why_not[i] = _other_study(times[i], dates[i], current)
    candidates = sorted((i for i in readable if not why_not[i]), key=lambda i: _rank(imaging[i]))
    read: list[int] = []
    rivals: dict[int, int] = {}
    for i in candidates:
        better = next((j for j in read if show_the_same(imaging[i], imaging[j])), None)
        if better is None:
            read.append(i)
        else:
            rivals[better] = rivals.get(better, 0) + 1
            why_not[i] = _why_worse(imaging[i], imaging[better])
    told = ""
    if newest and current and newest > current:
        told = f"a newer study of {newest} holds no series that can be read, so this one of {current} is read"
    return tuple(
        SeriesChoice(s.series_uid, i in read, why_not[i] or _why_chosen(s, rivals.get(i, 0), told), times[i])
        for i, s in enumerate(imaging)
    )


def show_the_same(a: ImagingSeries, b: ImagingSeries) -> bool:
    """Whether two series of one study show the same thing: kind and body region, and slices that meet.

    Two series of unknown region count as of the same. MR outside the trained kinds is compared by its role.
    """
    if series_kind(a) != series_kind(b):
        return False
    if SERIES_KINDS[series_kind(a)] == "MR other" and a.role.lower() != b.role.lower():
        return False
    shared = a.frame_of_reference_uid is not None and a.frame_of_reference_uid == b.frame_of_reference_uid
    if shared and not _boxes_meet(a, b):
        return False
    regions = (find_region(a).regions, find_region(b).regions)
    return overlapping(*regions) or not all(regions)


def _boxes_meet(a: ImagingSeries, b: ImagingSeries) -> bool:
    boxes = []
    for series in (a, b):
        z, y, x = series.volume.shape
        corners = np.array([[i, j, k, 1.0] for i in (0, x - 1) for j in (0, y - 1) for k in (0, z - 1)])
        places = (corners @ series.affine_lps.T)[:, :3]
        boxes.append((places.min(axis=0), places.max(axis=0)))
    (low_a, high_a), (low_b, high_b) = boxes
    return bool((low_a <= high_b).all() and (low_b <= high_a).all())


def _study_dates(imaging: Sequence[ImagingSeries]) -> list[str | None]:
    """The date of each series' study: the earliest among the series that share its study UID."""
    of_study: dict[str, str] = {}
    for series in imaging:
        if series.header.study_uid and series.date:
            known = of_study.get(series.header.study_uid, series.date)
            of_study[series.header.study_uid] = min(known, series.date)
    return [of_study.get(s.header.study_uid, s.date) for s in imaging]


def _unreadable(series: ImagingSeries) -> str:
    if series.validity.verdict is SeriesVerdict.REFUSED:
        return f"refused: {'; '.join(series.validity.reasons)}"
    return "" if lesions(series) else why_no_lesion(series)


def _time(date: str | None, current: str | None) -> StudyTime:
    if date is None:
        return StudyTime.CURRENT if current is None else StudyTime.UNDATED
    if current is None or date > current:
        return StudyTime.NEWER
    days = (datetime.date.fromisoformat(current) - datetime.date.fromisoformat(date)).days
    return StudyTime.CURRENT if days <= TIME_POINT_DAYS else StudyTime.PRIOR


def _other_study(time: StudyTime, date: str | None, current: str | None) -> str:
    if time is StudyTime.PRIOR:
        return f"of an earlier study ({date}) than the one read ({current}): a prior, not mixed into one prediction"
    return ""


def _rank(series: ImagingSeries) -> tuple[float | str, ...]:
    return (*(p.rank(series) for p in PREFERENCES), series.series_uid)


def _called(series: ImagingSeries) -> str:
    name = series.role or series.modality.value
    return f"{name} ({series.volume.shape[0]} slices of {series.spacing_mm[0]:.1f} mm)"


def _why_worse(worse: ImagingSeries, better: ImagingSeries) -> str:
    found = next(
        (p.words(worse, better) for p in PREFERENCES if p.rank(worse) != p.rank(better)), "no difference found"
    )
    return f"{_called(better)} shows the same and is read instead: {found}"


def _why_chosen(series: ImagingSeries, rivals: int, newer: str) -> str:
    over = ""
    if rivals:
        region = find_region(series)
        shown = f" of the {region.words}" if region.regions else ""
        over = f"chosen over {rivals} other series{shown} that show the same"
    return "; ".join(part for part in (over, newer) if part)
