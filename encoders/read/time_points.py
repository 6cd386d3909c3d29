"""Slices of one series that share positions -> the volumes they belong to, of which one is read and none are mixed.

A series may hold several time points, b-values, echoes or acquisitions of the same place. Which tags set them apart is
found, not assumed: tags are tried in ``VOLUME_TAGS`` order, and one counts only when it lowers the number of slices
that share a position within a volume and makes no more volumes than the most crowded position has slices (an
acquisition number that changes from slice to slice makes more, and is no volume's mark).

What this module does not know: pixels; private tags (b-values of old Siemens and GE files); which phase a radiologist
would choose. The volume on whose images a segment was drawn is read, else the fullest, else the first.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence

from encoders.read.dicom_frame import FRAME_VOLUME_TAGS, VOLUME_TAGS, Frame

MOST_SHOWN = 6
"""Volumes named in a warning."""

ImageReference = tuple[str, int]
"""SOP Instance UID and frame number from 1; 0 = the whole instance."""

_Groups = Mapping[tuple[str, ...], list[Frame]]


def one_volume(
    frames: Sequence[Frame], levels: Mapping[int, int], drawn_on: frozenset[ImageReference], warnings: list[str]
) -> list[Frame]:
    """The frames of one volume; all of them when no position is shared, or no tag tells the volumes apart.

    Parameters
    ----------
    levels : id(frame) -> number of its position along the normal
    drawn_on : images that segments or contours of the patient refer to
    """
    most = max(Counter(levels[id(f)] for f in frames).values())
    if most == 1:
        return list(frames)
    tags, groups = _separate(frames, levels, most)
    if len(groups) == 1:
        return list(frames)
    ordered = sorted(groups, key=_in_order)
    drawn = {key: sum(_is_drawn_on(f, drawn_on) for f in groups[key]) for key in ordered}
    chosen = min(ordered, key=lambda key: (-drawn[key], _repeats(groups[key], levels) > 0, -len(groups[key])))
    why = "the one outlined" if drawn[chosen] else "the first" if chosen == ordered[0] else "the first of the fullest"
    shown = ", ".join(f"{' '.join(key)}: {len(groups[key])} slices" for key in ordered[:MOST_SHOWN])
    more = ", ..." if len(ordered) > MOST_SHOWN else ""
    warnings.append(
        f"{len(frames) - len(groups[chosen])} of {len(frames)} slices share a position with another: {len(ordered)} "
        f"volumes by {' and '.join(tags)} ({shown}{more}); {' '.join(chosen)}, {why}, was read, the others set apart"
    )
    return groups[chosen]


def _separate(frames: Sequence[Frame], levels: Mapping[int, int], most: int) -> tuple[list[str], _Groups]:
    """The tags that tell the volumes apart and the frames by their values."""
    used: list[str] = []
    best: _Groups = {(): list(frames)}
    repeats = _repeats(frames, levels)
    marks = {id(f): f.volume_marks for f in frames}
    for tag in (*VOLUME_TAGS, *FRAME_VOLUME_TAGS):
        if not repeats:
            break
        trial: dict[tuple[str, ...], list[Frame]] = defaultdict(list)
        for frame in frames:
            trial[tuple(marks[id(frame)].get(t, "") for t in (*used, tag))].append(frame)
        left = sum(_repeats(group, levels) for group in trial.values())
        if len(trial) <= most and left < repeats:
            used, best, repeats = [*used, tag], trial, left
    return used, best


def _repeats(frames: Sequence[Frame], levels: Mapping[int, int]) -> int:
    """How many of the frames lie where another of them lies."""
    return len(frames) - len({levels[id(f)] for f in frames})


def _in_order(key: tuple[str, ...]) -> tuple[tuple[float, str], ...]:
    """Numbers by value, then words."""
    return tuple((float(part), "") if _is_number(part) else (float("inf"), part) for part in key)


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _is_drawn_on(frame: Frame, drawn_on: frozenset[ImageReference]) -> bool:
    return (frame.uid, frame.index + 1) in drawn_on or (frame.uid, 0) in drawn_on
