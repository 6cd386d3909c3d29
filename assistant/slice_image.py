"""One slice of a volume as a small picture: window, orientation, lesion outline, heatmap, PNG data URI.

Pictures are for reading beside a report, not for diagnosis: 8-bit, resampled to about 360 px.
Not known here: which slice or map to show (assistant/figures.py).
"""

from __future__ import annotations

import base64
import io
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from encoders.patient import ImagingModality, ImagingSeries, IntensityUnit

PICTURE_PX = 360
"""Length of the longer side of a picture."""

OUTLINE_RGB = (0, 190, 240)
HEAT_STOPS = np.array([0.0, 0.25, 0.5, 0.75, 1.0])
HEAT_RGB = np.array([(59, 15, 112), (140, 41, 129), (222, 73, 104), (254, 159, 109), (252, 253, 191)], dtype=float)
HEAT_OPACITY = 0.65
HEAT_FLOOR = 0.15
"""Map values below this stay transparent, so that the picture under them can be read."""

LETTERS = (("R", "L"), ("A", "P"), ("I", "S"))
"""LPS axis -> (letter towards negative, letter towards positive)."""


@dataclass(frozen=True)
class Window:
    """A grey window: ``low``..``high`` in the series' unit become black..white (white..black when ``inverted``)."""

    low: float
    high: float
    label: str
    inverted: bool = False

    def apply(self, values: NDArray[np.float32]) -> NDArray[np.uint8]:
        """(Y, X) in the series' unit -> (Y, X) uint8."""
        grey = np.clip((np.nan_to_num(values) - self.low) / max(self.high - self.low, 1e-6), 0, 1)
        return (255 * (1 - grey if self.inverted else grey)).astype(np.uint8)


def window_for(series: ImagingSeries) -> Window:
    """The usual window for what the series shows; MR has no scale of its own, so its own percentiles are used."""
    words = f"{series.role} {series.body_part or ''}".lower()
    if series.modality is ImagingModality.CT and series.unit is IntensityUnit.HU:
        if "chest" in words or "lung" in words or "thorax" in words:
            return Window(-1350, 150, "lung window, L -600 W 1500 HU")
        if "brain" in words or "head" in words:
            return Window(0, 80, "brain window, L 40 W 80 HU")
        return Window(-160, 240, "soft-tissue window, L 40 W 400 HU")
    if series.modality is ImagingModality.PT and series.unit is IntensityUnit.SUVBW:
        high = float(np.clip(np.percentile(series.volume, 99.9), 5, 15))
        return Window(0, high, f"SUVbw 0 to {high:.0f}, inverted", inverted=True)
    values = series.volume[np.isfinite(series.volume)]
    low, high = (float(x) for x in np.percentile(values, (1, 99.7))) if values.size else (0.0, 1.0)
    return Window(low, high, "window from 1st to 99.7th percentile", inverted=series.modality is ImagingModality.PT)


@dataclass(frozen=True)
class SliceView:
    """How to turn a (Y, X) slice for display: transpose, flips, pixel size after them, letters at the edges."""

    transpose: bool
    flip_vertical: bool
    flip_horizontal: bool
    spacing_mm: tuple[float, float]  # (vertical, horizontal) as displayed
    orientation: dict[str, str]


def orient_slice(series: ImagingSeries) -> SliceView:
    """Radiological display from the affine: patient left (or posterior) on the right, posterior (or inferior) below."""
    horizontal, vertical = series.affine_lps[:3, 0], series.affine_lps[:3, 1]
    spacing = (float(series.spacing_mm[1]), float(series.spacing_mm[2]))
    axis_h, axis_v = int(np.abs(horizontal).argmax()), int(np.abs(vertical).argmax())
    transpose = axis_v < axis_h
    if transpose:
        horizontal, vertical, spacing = vertical, horizontal, (spacing[1], spacing[0])
        axis_h, axis_v = axis_v, axis_h
    flip_h = bool(horizontal[axis_h] < 0)  # +L and +P belong on the right
    flip_v = bool(vertical[axis_v] < 0) if axis_v != 2 else bool(vertical[axis_v] > 0)  # +P or -S belongs below
    top, bottom = LETTERS[axis_v] if axis_v != 2 else LETTERS[axis_v][::-1]
    left, right = LETTERS[axis_h]
    return SliceView(transpose, flip_v, flip_h, spacing, {"left": left, "right": right, "top": top, "bottom": bottom})


def draw_slice(
    view: SliceView,
    pixels: NDArray[np.uint8],
    mask: NDArray[np.bool_],
    *,
    heat: NDArray[np.float32] | None = None,
    picture_px: int = PICTURE_PX,
    opacity: float = HEAT_OPACITY,
) -> tuple[Image.Image, dict[str, Any]]:
    """The slice at true aspect with the lesion outlined and, if given, the map over it.

    Parameters
    ----------
    pixels, mask, heat : (Y, X) on the same grid; heat in [0, 1]
    picture_px : length of the longer side; opacity : of the map where it is highest, in [0, 1]

    Returns
    -------
    RGB picture and {width, height (px), mm_per_px, orientation, scale_mm, scale_px}
    """
    grey = Image.fromarray(_turn(view, pixels))
    height_mm, width_mm = grey.height * view.spacing_mm[0], grey.width * view.spacing_mm[1]
    mm_per_px = max(height_mm, width_mm) / picture_px
    size = (max(1, round(width_mm / mm_per_px)), max(1, round(height_mm / mm_per_px)))
    rgb = np.asarray(grey.resize(size, Image.Resampling.BICUBIC).convert("RGB"), dtype=float)
    if heat is not None:
        heat_image = Image.fromarray(_turn(view, np.nan_to_num(heat).astype(np.float32)))
        rgb = _blend(rgb, np.asarray(heat_image.resize(size, Image.Resampling.BILINEAR)), opacity)
    soft = Image.fromarray(_turn(view, mask).astype(np.uint8) * 255).resize(size, Image.Resampling.BICUBIC)
    rgb[_outline(np.asarray(soft) > 127)] = OUTLINE_RGB
    scale_mm = next((s for s in (100, 50, 20, 10, 5, 2, 1) if s <= 0.3 * size[0] * mm_per_px), 1)
    geometry = {
        "width": size[0],
        "height": size[1],
        "mm_per_px": round(mm_per_px, 4),
        "orientation": view.orientation,
        "scale_mm": scale_mm,
        "scale_px": round(scale_mm / mm_per_px, 1),
    }
    return Image.fromarray(np.clip(rgb, 0, 255).astype(np.uint8)), geometry


def to_data_uri(picture: Image.Image) -> str:
    """PNG data URI; a 200-colour palette keeps a 360 px picture under 130 KB whatever it shows."""
    buffer = io.BytesIO()
    picture.quantize(colors=200, dither=Image.Dither.NONE).save(buffer, format="PNG", optimize=True)
    return "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode("ascii")


def _turn(view: SliceView, array: NDArray[Any]) -> NDArray[Any]:
    array = array.T if view.transpose else array
    array = array[::-1] if view.flip_vertical else array
    return np.ascontiguousarray(array[:, ::-1] if view.flip_horizontal else array)


def _blend(rgb: NDArray[np.float64], heat: NDArray[np.float32], opacity: float) -> NDArray[np.float64]:
    heat = np.clip(heat, 0, 1)
    colour = np.stack([np.interp(heat, HEAT_STOPS, HEAT_RGB[:, c]) for c in range(3)], axis=-1)  # (Y, X, 3)
    alpha = opacity * np.clip((heat - HEAT_FLOOR) / (1 - 2 * HEAT_FLOOR), 0, 1)[..., None]
    return rgb * (1 - alpha) + colour * alpha


def _outline(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Pixels just outside the mask (4-neighbourhood), so that the lesion itself stays uncovered."""
    grown = mask.copy()
    for axis in (0, 1):
        for step in (1, -1):
            shifted = np.roll(mask, step, axis=axis)
            edge = [slice(None), slice(None)]
            edge[axis] = slice(0, 1) if step == 1 else slice(-1, None)
            shifted[tuple(edge)] = False  # roll wraps round; the picture does not
            grown |= shifted
    return grown & ~mask
