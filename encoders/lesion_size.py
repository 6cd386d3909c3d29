"""How large a lesion is: diameters by RECIST 1.1, and whether RECIST 1.1 calls it measurable.

Diameters lie between the outer edges of the pixels (a row of n pixels of s mm measures n * s). What this module does
not know or check: whether the segment is the tumour; the choice of target lesions; slice thickness (the distance
between slices stands for it); blastic bone, cystic and irradiated lesions, which RECIST 1.1 treats apart.

References
----------
Eisenhauer et al., Eur J Cancer 2009, 10.1016/j.ejca.2008.10.026.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import ConvexHull
from scipy.spatial.distance import pdist, squareform

from encoders.errors import InputError
from encoders.patient import ImagingModality, ImagingSeries, Segment

AXIAL_COSINE = 0.9
"""Axis Z counts as axial when it points within about 25 degrees of the patient's feet-head axis."""
MEASURABLE_MM, MEASURABLE_NODE_MM = 10.0, 15.0
"""Least longest diameter of a measurable lesion, and least short axis of a measurable lymph node (RECIST 1.1)."""
THIN_SLICE_MM = 5.0
"""Above this slice thickness a measurable lesion spans at least two slice thicknesses (RECIST 1.1)."""
_NODE = re.compile(r"(?:^|[^a-z])(?:lymph\w*|nodes?|nodal|lns?|\w*adenopath\w*|gtv[-_ ]?n\d*)(?:$|[^a-z])", re.I)


@dataclass(frozen=True)
class AxialDiameters:
    """Longest in-plane diameter of a lesion and the short axis perpendicular to it, on the same slice.

    slice_index : index on axis Z of that slice
    """

    longest_mm: float
    short_axis_mm: float
    slice_index: int


def diameters(mask: NDArray[np.bool_], spacing_mm: tuple[float, float]) -> tuple[float, float]:
    """Longest diameter of a slice mask (Y, X) and the longest chord perpendicular to it, both in mm.

    Parameters
    ----------
    mask : (Y, X) bool, at least one pixel
    spacing_mm : (y, x)

    References
    ----------
    Therasse et al., J Natl Cancer Inst 2000 (bidimensional measurement). Deviation: the chord need not lie inside the
    lesion where its outline is concave.
    """
    y, x = np.nonzero(mask)
    step = np.array(spacing_mm)
    centres = np.stack([y, x], 1) * step
    half = step / 2
    edges = np.concatenate([centres + half * np.array(s) for s in ((1, 0), (-1, 0), (0, 1), (0, -1))])
    hull = edges[ConvexHull(edges).vertices]
    distance = squareform(pdist(hull))
    a, b = np.unravel_index(int(distance.argmax()), distance.shape)
    along = (hull[b] - hull[a]) / distance[a, b]
    across = np.array([-along[1], along[0]])
    return float(distance[a, b]), _longest_chord(edges @ along, edges @ across, float(step.min()))


def _longest_chord(position: NDArray[np.float64], offset: NDArray[np.float64], width: float) -> float:
    """Greatest spread of ``offset`` among points of nearly equal ``position`` (bins of ``width``)."""
    index = np.floor((position - position.min()) / width + 0.25).astype(int)
    low = np.full(index.max() + 1, np.inf)
    high = np.full(index.max() + 1, -np.inf)
    np.minimum.at(low, index, offset)
    np.maximum.at(high, index, offset)
    return float(np.max(high - low))


def is_axial(series: ImagingSeries) -> bool:
    """Axis Z points within about 25 degrees of the patient's feet-head axis."""
    normal = series.affine_lps[:3, 2]
    return bool(abs(normal[2]) >= AXIAL_COSINE * float(np.linalg.norm(normal)))


def recist_diameters(series: ImagingSeries, segment: Segment) -> AxialDiameters | None:
    """The longest diameter over all slices and its perpendicular (RECIST 1.1); None when the mask is empty.

    Raises
    ------
    InputError: the slices are not axial, so a diameter in them is not the one RECIST measures on axial images.

    Notes
    -----
    RECIST measures a lymph node by its short axis and any other lesion by its longest diameter; which one a segment is
    is not known here.
    """
    if not is_axial(series):
        raise InputError(
            "the slices are not axial; resample the series to axial slices before taking RECIST diameters."
        )
    return in_plane_diameters(series, segment)


def in_plane_diameters(series: ImagingSeries, segment: Segment) -> AxialDiameters | None:
    """As ``recist_diameters``, in whatever plane the slices lie. Of equally long slices, the one of longer short axis,
    then the lowest."""
    best: tuple[float, float, int] | None = None
    for bound, z in sorted(_bounds(segment.mask, series.spacing_mm[1:]), key=lambda b: (-b[0], b[1])):
        if best is not None and bound < best[0]:
            break
        longest, short = diameters(segment.mask[z], series.spacing_mm[1:])
        if best is None or (longest, short, -z) > (best[0], best[1], -best[2]):
            best = longest, short, z
    return AxialDiameters(best[0], min(best[1], best[0]), best[2]) if best else None


def _bounds(mask: NDArray[np.bool_], spacing_mm: tuple[float, float]) -> list[tuple[float, int]]:
    """(diagonal of the slice's bounding box in mm, slice) of each filled slice: no diameter there is longer."""
    found = []
    for z in np.flatnonzero(mask.any(axis=(1, 2))):
        y, x = (np.flatnonzero(mask[z].any(axis=axis)) for axis in (1, 0))
        sides = ((at[-1] - at[0] + 1) * step for at, step in zip((y, x), spacing_mm, strict=True))
        found.append((float(np.hypot(*sides)), int(z)))
    return found


def is_node(label: str) -> bool:
    """Whether a segment's label says it is a lymph node ("LN 4R", "axillary node", "GTVn1"; not "nodule")."""
    return _NODE.search(label) is not None


def why_not_measurable(series: ImagingSeries, label: str, *, longest_mm: float, short_axis_mm: float) -> str | None:
    """Why RECIST 1.1 does not call a lesion measurable; None when it does.

    Parameters
    ----------
    label : of the segment; one that names a lymph node is judged by its short axis
    longest_mm, short_axis_mm : as ``recist_diameters`` gives them
    """
    thickness = series.spacing_mm[0]
    if series.modality not in (ImagingModality.CT, ImagingModality.MR):
        return f"{series.modality.value} gives no diameter by RECIST"
    if not is_axial(series):
        return "the slices are not axial"
    if is_node(label):
        least = MEASURABLE_NODE_MM
        return None if short_axis_mm >= least else f"a node's short axis is below {least:.0f} mm"
    least = MEASURABLE_MM if thickness <= THIN_SLICE_MM else max(MEASURABLE_MM, 2 * thickness)
    if longest_mm >= least:
        return None
    slices = f" for slices {thickness:.1f} mm apart" if thickness > THIN_SLICE_MM else ""
    return f"the longest diameter is below {least:.0f} mm{slices}"
