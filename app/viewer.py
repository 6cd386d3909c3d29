"""A case's images for the page: one slice in any plane, window and overlay, as PNG; which lesions lie on it.

A slice keeps the series' own grid: planes are the array's axes, each taken for the body plane it lies nearest to, and
the caption says how far it is tilted. Nothing is registered: a PET is laid over a series of its own frame of reference
only, and two studies are linked by position in one frame, else by millimetres from their lesions.
Volumes lie in unnamed temporary files mapped into memory, so that no case holds one in memory and nothing is left on
the disk when the server ends, however it ends.

Not known here: HTTP (app/routes/viewer.py), how the page looks (app/page/viewer.js). NOT checked: whether a display is
fit for diagnosis; it is not (8 bits, any screen).
"""

from __future__ import annotations

import io
import tempfile
import threading
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from assistant.slice_image import Window, draw_slice, orient_slice, window_for
from encoders.errors import InputError
from encoders.patient import ImagingModality, ImagingSeries, IntensityUnit, Patient

if TYPE_CHECKING:
    from app.workbench import Workbench

PLANES = ("axial", "coronal", "sagittal")
_NORMAL = {"axial": 2, "coronal": 1, "sagittal": 0}
"""Plane -> LPS axis that it is perpendicular to."""

OPEN_CASES = 4
"""Cases whose volumes stay mapped; the least used one goes first."""

SHORTEST_PX, LONGEST_PX = 512, 768
PET_TOP_SUV = 10.0
OFF = "image functions are switched off by a setting"


@dataclass(frozen=True)
class WindowPreset:
    """A usual grey window of CT, in HU."""

    key: str
    label: str
    level: float
    width: float


CT_PRESETS = (
    WindowPreset("lung", "Lung", -600, 1500),
    WindowPreset("soft", "Soft tissue", 40, 400),
    WindowPreset("bone", "Bone", 400, 1800),
    WindowPreset("brain", "Brain", 40, 80),
    WindowPreset("liver", "Liver", 60, 160),
)


@dataclass(frozen=True)
class SliceRequest:
    """What to draw. ``window`` and ``level`` in the series' unit, both or neither; ``overlay`` is "", "heat" or the
    UID of a PET; ``suv_max`` its brightest value; ``opacity`` of the overlay, 0 to 1."""

    plane: str
    index: int
    window: float | None = None
    level: float | None = None
    outline: bool = True
    overlay: str = ""
    suv_max: float = PET_TOP_SUV
    opacity: float = 0.6


@dataclass(frozen=True)
class OpenImages:
    """A case's series, volumes mapped from disk, and what its reader said of the files."""

    series: tuple[ImagingSeries, ...]
    skipped: tuple[str, ...]
    warnings: tuple[str, ...]

    def of(self, series_uid: str) -> ImagingSeries:
        """The series of a UID; raises InputError."""
        found = next((s for s in self.series if s.series_uid == series_uid), None)
        if found is None:
            known = len(self.series)
            raise InputError(f"this case has no series {series_uid[:80]!r}; the list of its series names {known}.")
        return found


class Viewer:
    """Opened images of the workbench's cases."""

    def __init__(self, workbench: Workbench) -> None:
        self.workbench = workbench
        self._open: OrderedDict[str, OpenImages] = OrderedDict()
        self._reading = threading.Lock()

    def images(self, case_id: str) -> OpenImages:
        """A case's series, read on first use.

        Raises
        ------
        InputError: image functions are off; or what encoders.read.folder.read_patient raises.
        """
        if not getattr(self.workbench.settings, "images", True):
            raise InputError(f"{OFF}; start the server without it to see images.")
        self.forget_deleted()
        with self._reading:
            if case_id not in self._open:
                self._open[case_id] = _open_images(self.workbench.files.patient_folder(case_id))
            self._open.move_to_end(case_id)
            while len(self._open) > OPEN_CASES:
                self._open.popitem(last=False)
            return self._open[case_id]

    def opened(self) -> tuple[str, ...]:
        """Ids of the cases whose volumes are mapped, the least used first."""
        return tuple(self._open)

    def forget_deleted(self) -> None:
        """Give up the volumes of cases that are no longer stored."""
        with self._reading:
            for gone in [c for c in self._open if self.workbench.files.case(c) is None]:
                del self._open[gone]

    def slice_png(self, case_id: str, series_uid: str, asked: SliceRequest) -> bytes:
        """One slice as PNG.

        Raises
        ------
        InputError: no such series, plane, slice or overlay; or as ``images``.
        """
        images = self.images(case_id)
        series = images.of(series_uid)
        heat = None
        if asked.overlay == "heat":
            heat = self._heat_map(case_id, series)
        elif asked.overlay:
            heat = images.of(asked.overlay)
        return draw_png(series, asked, heat)

    def _heat_map(self, case_id: str, series: ImagingSeries) -> NDArray[np.float32]:
        from assistant.figures import series_heatmap  # noqa: PLC0415  the models load with the context

        found = series_heatmap(series, self.workbench.context(case_id).prediction.attributions)
        if found is None or found.map is None:
            raise InputError(f"no heat map was computed for {title_of(series)}; switch the heat map off.")
        return found.map


def title_of(series: ImagingSeries) -> str:
    """What a reader calls the series."""
    return series.role or str(series.modality)


def array_axis(series: ImagingSeries, plane: str) -> int:
    """Axis of the volume (Z, Y, X) that a plane's slices are counted along: that nearest to the plane's normal."""
    from scipy.optimize import linear_sum_assignment  # noqa: PLC0415

    if plane not in PLANES:
        raise InputError(f"plane is {plane[:20]!r}; allowed: {', '.join(PLANES)}.")
    steps = series.affine_lps[:3, :3] / np.linalg.norm(series.affine_lps[:3, :3], axis=0)
    lps, columns = linear_sum_assignment(-np.abs(steps))
    column = int(columns[list(lps).index(_NORMAL[plane])])
    return 2 - column


def along(series: ImagingSeries, axis: int) -> ImagingSeries:
    """The series with another axis as the one its slices are counted along; views only, nothing is copied."""
    order = (axis, *(k for k in range(3) if k != axis))
    affine = series.affine_lps.copy()
    for new, old in enumerate(order):
        affine[:3, 2 - new] = series.affine_lps[:3, 2 - old]
    return replace(
        series,
        volume=series.volume.transpose(order),
        spacing_mm=tuple(series.spacing_mm[k] for k in order),
        affine_lps=affine,
        segments=tuple(replace(s, mask=s.mask.transpose(order)) for s in series.segments),
        sop_instance_uids=(),
    )


def plane_facts(series: ImagingSeries, plane: str) -> dict[str, Any]:
    """{count, key, spacing_mm, first_mm, step_mm, anchor, tilt_degrees, segments} of a plane's slices.

    key : slice with the most lesion, else the middle one; first_mm + index * step_mm : position of a slice's centre on
    the patient's axis (LPS, mm); anchor : True when ``key`` is a lesion's; segments : [first, last] slice of each
    segment, None where it has no voxel
    """
    axis = array_axis(series, plane)
    shown, lps = along(series, axis), _NORMAL[plane]
    step = shown.affine_lps[:3, 2]
    depth, rows, columns = shown.volume.shape
    centre = shown.affine_lps @ np.array([(columns - 1) / 2, (rows - 1) / 2, 0, 1])
    extents, area = [], np.zeros(depth)
    for segment in shown.segments:
        size = segment.mask.sum(axis=(1, 2))
        held = np.flatnonzero(size)
        extents.append([int(held[0]), int(held[-1])] if held.size else None)
        area += size
    cosine = abs(step[lps]) / float(np.linalg.norm(step))
    return {
        "count": depth,
        "key": int(area.argmax()) if area.any() else depth // 2,
        "anchor": bool(area.any()),
        "spacing_mm": round(float(shown.spacing_mm[0]), 3),
        "first_mm": round(float(centre[lps]), 3),
        "step_mm": round(float(step[lps]), 4),
        "tilt_degrees": round(float(np.degrees(np.arccos(min(1.0, cosine)))), 1),
        "segments": extents,
    }


def default_window(series: ImagingSeries) -> Window:
    """The window a series opens with."""
    return window_for(series)


def draw_png(series: ImagingSeries, asked: SliceRequest, over: NDArray[np.float32] | ImagingSeries | None) -> bytes:
    """One slice at true aspect as PNG; ``over`` is a map on the series' grid in [0, 1], or a PET.

    Raises
    ------
    InputError: no such plane or slice, a window that is not above 0, a PET of another frame of reference.
    """
    axis = array_axis(series, asked.plane)
    shown = along(series, axis)
    depth = shown.volume.shape[0]
    if not 0 <= asked.index < depth:
        raise InputError(f"slice {asked.index} of the {asked.plane} plane; {title_of(series)} has 0 to {depth - 1}.")
    values = np.asarray(shown.volume[asked.index], dtype=np.float32)
    mask = np.zeros(values.shape, dtype=bool)
    if asked.outline:
        for segment in shown.segments:
            mask |= segment.mask[asked.index]
    heat = None
    if isinstance(over, ImagingSeries):
        heat = _pet_on(shown, asked.index, series, over, asked.suv_max)
    elif over is not None:
        order = (axis, *(k for k in range(3) if k != axis))
        heat = np.asarray(over.transpose(order)[asked.index], dtype=np.float32)
    view = orient_slice(shown)
    longest_mm = max(n * mm for n, mm in zip(values.shape, shown.spacing_mm[1:], strict=True))
    pixels = int(np.clip(round(longest_mm / min(shown.spacing_mm[1:])), SHORTEST_PX, LONGEST_PX))
    grey = _window(series, asked).apply(values)
    picture, _ = draw_slice(view, grey, mask, heat=heat, picture_px=pixels, opacity=asked.opacity)
    packed = io.BytesIO()
    (picture if heat is not None or mask.any() else picture.convert("L")).save(packed, format="PNG", compress_level=1)
    return packed.getvalue()


def edge_letters(series: ImagingSeries, plane: str) -> dict[str, Any]:
    """{left, right, top, bottom, width_mm, height_mm} of a plane as it is shown."""
    shown = along(series, array_axis(series, plane))
    view = orient_slice(shown)
    rows, columns = shown.volume.shape[1:]
    if view.transpose:
        rows, columns = columns, rows
    return {**view.orientation, "width_mm": round(columns * view.spacing_mm[1], 1),
            "height_mm": round(rows * view.spacing_mm[0], 1)}  # fmt: skip


def overlays_for(series: ImagingSeries, all_series: tuple[ImagingSeries, ...]) -> list[ImagingSeries]:
    """PET series that may be laid over this one: in SUV, and of the same frame of reference."""
    frame = series.frame_of_reference_uid
    return [
        pet
        for pet in all_series
        if pet.modality is ImagingModality.PT
        and pet.unit is IntensityUnit.SUVBW
        and series.modality is not ImagingModality.PT
        and frame is not None
        and pet.frame_of_reference_uid == frame
    ]


def _window(series: ImagingSeries, asked: SliceRequest) -> Window:
    usual = default_window(series)
    if asked.window is None or asked.level is None:
        return usual
    if asked.window <= 0:
        raise InputError(f"the window is {asked.window:g}; it must be above 0.")
    half = asked.window / 2
    return Window(asked.level - half, asked.level + half, "", inverted=usual.inverted)


def _pet_on(
    shown: ImagingSeries, index: int, series: ImagingSeries, pet: ImagingSeries, suv_max: float
) -> NDArray[np.float32]:
    """The PET at the voxel centres of one shown slice, linear between its voxels, as a share of ``suv_max``."""
    from scipy.ndimage import map_coordinates  # noqa: PLC0415

    if not overlays_for(series, (pet,)):
        raise InputError(
            f"{title_of(pet)} cannot be laid over {title_of(series)}; "
            "it must be a PET in SUV of the same frame of reference."
        )
    rows, columns = np.indices(shown.volume.shape[1:], dtype=np.float64)
    to_pet = np.linalg.inv(pet.affine_lps) @ shown.affine_lps  # (x, y, z, 1) of the slice -> (x, y, z, 1) of the PET
    voxels = np.stack([columns, rows, np.full_like(rows, index), np.ones_like(rows)], axis=0)
    x, y, z, _ = np.tensordot(to_pet, voxels, axes=1)
    taken = map_coordinates(pet.volume, np.stack([z, y, x]), order=1, cval=0.0)
    return (taken / max(suv_max, 1e-3)).astype(np.float32)


def _open_images(folder: Path) -> OpenImages:
    """Read a folder once; keep its volumes and masks in unnamed files."""
    from encoders.lesion_candidates import propose_lesions, with_proposed  # noqa: PLC0415
    from encoders.read.folder import read_patient  # noqa: PLC0415

    patient: Patient = read_patient(folder)
    patient = with_proposed(patient, propose_lesions(patient))
    kept = tuple(
        replace(
            s,
            volume=_mapped(s.volume),
            segments=tuple(replace(one, mask=_mapped(one.mask)) for one in s.segments),
        )
        for s in patient.imaging
    )
    return OpenImages(kept, patient.skipped, patient.warnings)


def _mapped(array: NDArray[Any]) -> NDArray[Any]:
    """The array in a temporary file that has no name; the mapping alone keeps it."""
    with tempfile.TemporaryFile(prefix="radomica-") as file:
        copy = np.memmap(file, dtype=array.dtype, mode="w+", shape=array.shape)
        copy[...] = array
        return copy


def lesion_measures(report: Mapping[str, Any] | None) -> dict[tuple[str, str], list[tuple[str, str]]]:
    """(series UID, lesion label) -> (name, value) of what the report's evidence measured."""
    from app.render.tables import LESION_COLUMNS, lesion_rows  # noqa: PLC0415

    if report is None:
        return {}
    evidence = {e["id"]: e for e in report["evidence"]}
    found = {}
    for row in lesion_rows(evidence):
        source = evidence[row["ids"][0]]["source"]
        shown = [(title, row[key]) for key, title in LESION_COLUMNS if row[key] and key not in ("series", "date")]
        found[(str(source.get("series_uid", "")), row["name"])] = [*shown, ("Evidence", ", ".join(row["ids"]))]
    return found
