"""The pictures of an item, put before its question for a backend that reads images.

VQA-RAD, SLAKE and PathVQA ask about a picture by its file name; the files lie in a folder beside the question file, or
in one that is named. A backend that reads no images is asked without them, and the run says so: its figures are those
of the question's words alone. Not known here: how an item is asked otherwise (ask.py).

References
----------
Lau et al., Sci Data 2018, 10.1038/sdata.2018.251 (VQA-RAD).
"""

from __future__ import annotations

import base64
import io
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

from PIL import Image, UnidentifiedImageError

from assistant.llm.chat_model import ChatRequest, ImagePart, Message
from encoders.errors import ContractError
from eval.suites.ask import Reply
from eval.suites.item import Item

LONGEST_SIDE_PX = 896
"""Larger pictures are made smaller, as vision models do anyway."""
MOST_PIXELS = 64_000_000


class WithPictures:
    """A ``Reply`` that shows each item's pictures to the backend behind it.

    reply : what answers; folder : where pictures lie, searched for the name with all its folders; shown : whether the
    backend reads images
    """

    def __init__(self, reply: Reply, folder: Path, *, shown: bool) -> None:
        self._reply, self._folder, self._shown = reply, folder.resolve(), shown

    def __call__(self, item: Item, request: ChatRequest) -> str:
        """The backend's answer.

        Raises
        ------
        ContractError: a picture is not in the folder or is none; the item then counts as one without an answer.
        """
        names = [name for name in item.images if name]
        if self._shown and names:
            request = with_pictures(request, [picture_part(self._folder, name) for name in names])
        return self._reply(item, request)

    def versions(self) -> dict[str, str]:
        """The backend's, and whether it was shown pictures."""
        known: dict[str, str] = getattr(self._reply, "versions", dict)()
        return known | {"pictures": "shown" if self._shown else "not shown: this backend reads no images"}

    def __getattr__(self, name: str) -> Any:
        return getattr(self._reply, name)


def with_pictures(request: ChatRequest, pictures: Iterable[ImagePart]) -> ChatRequest:
    """The request with pictures before the words of its last message."""
    *earlier, last = request.messages
    return replace(request, messages=(*earlier, Message(last.role, (*pictures, *last.parts))))


def picture_part(folder: Path, name: str) -> ImagePart:
    """A picture as PNG, at most LONGEST_SIDE_PX on its longer side.

    Raises
    ------
    ContractError: no such file in the folder, no picture, or over 64 million pixels.
    """
    path = (folder / name).resolve()
    if not path.is_relative_to(folder) or not path.is_file():
        raise ContractError(f"picture {name[:120]!r} is not in the folder of pictures; give it with --pictures.")
    try:
        with Image.open(path) as opened:
            if opened.width * opened.height > MOST_PIXELS:
                raise ContractError(f"picture {name[:120]!r} has {opened.width} x {opened.height} pixels; too many.")
            picture = opened.convert("RGB")
    except (UnidentifiedImageError, OSError, Image.DecompressionBombError) as error:
        raise ContractError(f"picture {name[:120]!r} cannot be read ({type(error).__name__}).") from error
    picture.thumbnail((LONGEST_SIDE_PX, LONGEST_SIDE_PX))
    made = io.BytesIO()
    picture.save(made, "PNG")
    return ImagePart("data:image/png;base64," + base64.b64encode(made.getvalue()).decode("ascii"))
