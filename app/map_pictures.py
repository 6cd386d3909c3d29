"""Pictures of a heat map: its colours over the key slice, and a montage of the slices it lies on, words burned in.

Every picture says research use only, what the map explains, by which method, and which sanity tests it failed.
Not known here: how a map is made, or where a picture is written.
"""

from __future__ import annotations

import textwrap
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from assistant.slice_image import draw_slice, orient_slice, window_for
from encoders.explain.maps import HeatMap
from encoders.lesion_choice import lesion_mask

RESEARCH_USE = "Radomica: research use only, not for diagnosis."
MONTAGE_SLICES, _COLUMNS = 9, 3
_FONT_PX, _MARGIN = 13, 6


@dataclass(frozen=True)
class MapPicture:
    """picture : RGB; slices : indices on axis Z of the slices shown; edges : letters, as the series lies in it."""

    picture: Image.Image
    slices: tuple[int, ...]
    edges: dict[str, str]


def caption(one: HeatMap) -> str:
    """What the map explains, by which method, what its brightest colour means, which tests it failed."""
    what = one.series.role or one.series.modality.value
    told = f"Heat map of the {one.task.replace(':', ' ')} prediction on {what} by {one.title}."
    return f"{told} Scale: {one.method.meaning}."


def key_slice(one: HeatMap) -> int:
    """Index of the slice with the largest area of lesion; the report shows the same one."""
    return int(lesion_mask(one.series).sum(axis=(1, 2)).argmax())


def overlay(one: HeatMap) -> MapPicture:
    """The key slice with the lesion's outline and the map over it."""
    index = key_slice(one)
    return MapPicture(_with_words(_tile(one, index), caption(one)), (index,), orient_slice(one.series).orientation)


def montage(one: HeatMap) -> MapPicture:
    """Slices through the map, evenly spaced, the key slice and the hottest one always among them."""
    hot = np.flatnonzero(one.values.max(axis=(1, 2)) > 0)
    first, last = (int(hot[0]), int(hot[-1])) if hot.size else (0, len(one.values) - 1)
    must = {key_slice(one), int(one.values.max(axis=(1, 2)).argmax())}
    even = np.unique(np.linspace(first, last, MONTAGE_SLICES - len(must)).round().astype(int))
    slices = tuple(sorted(must | {int(i) for i in even}))
    tiles = [_tile(one, i) for i in slices]
    width, height = tiles[0].size
    columns = min(_COLUMNS, len(tiles))
    sheet = Image.new("RGB", (columns * width, -(-len(tiles) // columns) * height))
    for place, tile in enumerate(tiles):
        sheet.paste(tile, (place % columns * width, place // columns * height))
    return MapPicture(_with_words(sheet, caption(one)), slices, orient_slice(one.series).orientation)


def _tile(one: HeatMap, index: int) -> Image.Image:
    """One slice at true aspect with its number and the letters of its edges."""
    series, view = one.series, orient_slice(one.series)
    pixels = window_for(series).apply(series.volume[index])
    picture, _ = draw_slice(view, pixels, lesion_mask(series)[index], heat=one.values[index])
    draw, font = ImageDraw.Draw(picture), ImageFont.load_default(_FONT_PX)
    wide, high = picture.size
    draw.text((4, 2), f"slice {index + 1} of {len(series.volume)}", font=font, fill="white", stroke_width=1,
              stroke_fill="black")  # fmt: skip
    for edge, place, anchor in (("left", (3, high // 2), "lm"), ("right", (wide - 3, high // 2), "rm"),
                                ("top", (wide // 2, 2), "ma"), ("bottom", (wide // 2, high - 3), "md")):  # fmt: skip
        draw.text(place, view.orientation[edge], font=font, fill="white", anchor=anchor, stroke_width=1,
                  stroke_fill="black")  # fmt: skip
    return picture


def _with_words(picture: Image.Image, words: str) -> Image.Image:
    """The picture over a band of text; the words never cover the image."""
    font = ImageFont.load_default(_FONT_PX)
    letters = max(20, int((picture.width - 2 * _MARGIN) / font.getlength("n")))
    lines = [RESEARCH_USE, *textwrap.wrap(words, letters)]
    line_px = _FONT_PX + 4
    out = Image.new("RGB", (picture.width, picture.height + len(lines) * line_px + 2 * _MARGIN), "white")
    out.paste(picture, (0, 0))
    draw = ImageDraw.Draw(out)
    for i, line in enumerate(lines):
        draw.text((_MARGIN, picture.height + _MARGIN + i * line_px), line, font=font, fill="black")
    return out
