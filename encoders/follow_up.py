"""What became of each lesion since an earlier study: matched only where that is plain, else said to be unmatched.

A series of the current study is compared with the newest earlier series that shows the same (encoders/series_choice.py)
and holds an outlined lesion. Two outlines are taken for one lesion when (1) both carry the same label and no other
outline of either series does, or (2) each series holds exactly one lesion and their labels do not speak against it
(another number, side or organ). Everything else is new, vanished or unmatched; nothing is guessed.

What this module does not know or check: registration (positions are not compared), whether an outline without a partner
was forgotten, RECIST's target lesions and response, new lesions that nobody outlined.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from encoders.lesion_change import LesionChange, lesion_change
from encoders.lesion_size import is_node
from encoders.patient import ImagingSeries
from encoders.prediction import DiameterSum, FollowUpStatus, LesionFollowUp, Measurement
from encoders.series_choice import show_the_same

MOST_SUMMED = 5
"""Most lesions in a sum of diameters (RECIST 1.1, target lesions in all)."""
_TELLING = re.compile(
    r"\d+|left|right|(?<![a-z])[lr](?![a-z])|upper|middle|lower|liver|lungs?|brain|bone|adrenal|kidney|spleen|breast|node|nodal",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class _Study:
    """One series and its measured lesions."""

    series: ImagingSeries
    found: tuple[Measurement, ...]


def follow_up(
    imaging: Sequence[ImagingSeries], measurements: Sequence[Measurement]
) -> tuple[tuple[LesionFollowUp, ...], tuple[DiameterSum, ...]]:
    """Every current lesion compared with the study before it.

    Parameters
    ----------
    imaging : the patient's series
    measurements : of those series (encoders/measure.py); proposed outlines are not compared

    Returns
    -------
    (one LesionFollowUp per lesion, or per series where lesions cannot be told apart; one DiameterSum per pair of series
    with two matched lesions or more)
    """
    confirmed = [m for m in measurements if not m.proposed]
    studies = [_Study(s, tuple(m for m in confirmed if m.series_uid == s.series_uid)) for s in imaging]
    prior = {m.series_uid for m in confirmed if m.prior}
    rows: list[LesionFollowUp] = []
    sums: list[DiameterSum] = []
    for now in _one_of_each([s for s in studies if s.found and s.series.series_uid not in prior]):
        earlier = _earlier(now, studies)
        if not earlier:
            continue
        with_lesions = [s for s in earlier if s.found]
        if not with_lesions:
            rows.append(_row(now, earlier[0], FollowUpStatus.NOT_COMPARED, basis="it has no outlined lesion"))
            continue
        made = _compare(now, with_lesions[0], with_lesions[1:])
        rows += made
        sums += _sum(made)
    return tuple(rows), tuple(sums)


def _one_of_each(studies: Sequence[_Study]) -> list[_Study]:
    """Of series that show the same at one date, the one with the thinnest slices (then the lowest UID)."""
    kept: list[_Study] = []
    for study in sorted(studies, key=lambda s: (s.series.spacing_mm[0], s.series.series_uid)):
        if not any(k.series.date == study.series.date and show_the_same(k.series, study.series) for k in kept):
            kept.append(study)
    order = [s.series.series_uid for s in studies]
    return sorted(kept, key=lambda s: order.index(s.series.series_uid))


def _earlier(now: _Study, studies: Sequence[_Study]) -> list[_Study]:
    """Series of earlier dates that show the same, newest first; of one date, those with lesions first."""
    date = now.series.date
    found = [
        s for s in studies
        if date and s.series.date and s.series.date < date and show_the_same(now.series, s.series)
    ]  # fmt: skip
    found = _one_of_each([s for s in found if s.found]) + [s for s in found if not s.found]
    return sorted(found, key=lambda s: (s.series.date or "", bool(s.found)), reverse=True)


def _row(now: _Study, before: _Study, status: FollowUpStatus, **more: object) -> LesionFollowUp:
    return LesionFollowUp(
        series_uid=now.series.series_uid,
        prior_series_uid=before.series.series_uid,
        date_now=now.series.date or "",
        date_before=before.series.date or "",
        status=status,
        counts=(len(before.found), len(now.found)),
        **more,  # type: ignore[arg-type]
    )


def _compare(now: _Study, before: _Study, older: Sequence[_Study]) -> list[LesionFollowUp]:
    pairs, new, gone = _matched(before.found, now.found)
    rows = [_changed(now, before, older, pair) for pair in pairs]
    if new and gone:  # which of them is which cannot be told: a renamed lesion looks like a new and a vanished one
        why = f"{len(gone)} outlined before and {len(new)} outlined now bear different labels"
        return [*rows, _row(now, before, FollowUpStatus.NOT_MATCHED, basis=why)]
    rows += [_row(now, before, FollowUpStatus.NEW, label=m.segment_label) for m in new]
    return rows + [_row(now, before, FollowUpStatus.VANISHED, label=m.segment_label) for m in gone]


def _key(label: str) -> str:
    return " ".join(re.split(r"[\s_\-.]+", label.strip().lower()))


def _telling(label: str) -> set[str]:
    return {w.lower() for w in _TELLING.findall(label)}


Pair = tuple[Measurement, Measurement, str]


def _matched(
    before: Sequence[Measurement], now: Sequence[Measurement]
) -> tuple[list[Pair], list[Measurement], list[Measurement]]:
    """(pairs with their basis, lesions of now without a partner, lesions of before without one)."""
    counts = [Counter(_key(m.segment_label) for m in found) for found in (before, now)]
    unique = {key for key in counts[0] if counts[0][key] == counts[1].get(key) == 1}
    by_key = {_key(m.segment_label): m for m in before}
    pairs = [
        (by_key[_key(m.segment_label)], m, "same label, borne by one lesion in each study")
        for m in now
        if _key(m.segment_label) in unique
    ]
    if not pairs and len(before) == len(now) == 1:
        telling = [_telling(found[0].segment_label) for found in (before, now)]
        if telling[0] == telling[1] or not all(telling):
            return [(before[0], now[0], "the only outlined lesion in each study")], [], []
    new = [m for m in now if _key(m.segment_label) not in unique]
    return pairs, new, [m for m in before if _key(m.segment_label) not in unique]


def _size(found: Measurement, *, node: bool) -> float:
    return found.short_axis_mm if node else found.longest_axial_diameter_mm


def _changed(now: _Study, before: _Study, older: Sequence[_Study], pair: Pair) -> LesionFollowUp:
    first, last, basis = pair
    label = last.segment_label
    if first.note or last.note:
        why = "a diameter was not taken on axial slices"
        return _row(now, before, FollowUpStatus.NOT_COMPARED, label=label, basis=why)
    node = is_node(first.segment_label) and is_node(label)
    return _row(
        now,
        before,
        FollowUpStatus.COMPARED,
        label=label,
        measure="short axis" if node else "longest diameter",
        change=_change(first, last, older, node=node),
        basis=basis,
    )


def _change(first: Measurement, last: Measurement, older: Sequence[_Study], *, node: bool) -> LesionChange:
    """The change from ``first``; growth is judged from the smallest size of any study in which the label is unique."""
    before = _size(first, node=node)
    key = _key(first.segment_label)
    sizes = [before]
    for study in older:
        same = [m for m in study.found if _key(m.segment_label) == key and not m.note]
        sizes += [_size(same[0], node=node)] if len(same) == 1 else []
    return lesion_change(before, _size(last, node=node), smallest_mm=min(sizes))


def _sum(rows: Sequence[LesionFollowUp]) -> list[DiameterSum]:
    compared = [(r, r.change) for r in rows if r.change is not None]
    if len(compared) < 2:
        return []
    compared.sort(key=lambda pair: -pair[1].before_mm)
    summed = [change for _, change in compared[:MOST_SUMMED]]
    row = compared[0][0]
    return [
        DiameterSum(
            series_uid=row.series_uid,
            prior_series_uid=row.prior_series_uid,
            date_now=row.date_now,
            date_before=row.date_before,
            count=len(summed),
            before_mm=sum(c.before_mm for c in summed),
            now_mm=sum(c.now_mm for c in summed),
            left_out=len(compared) - len(summed),
        )
    ]
