"""Several DICOM files and a text that says what they are, as one zip; the same files give the same bytes.

Not known here: what is in the files.
"""

from __future__ import annotations

import io
import zipfile
from collections.abc import Mapping, Sequence

from assistant.report import RESEARCH_USE

_EPOCH = (1980, 1, 1, 0, 0, 0)
"""The earliest time a zip can hold; no time of ours is meant."""


def pack(title: str, files: Mapping[str, bytes], left_out: Sequence[str]) -> bytes:
    """A zip of ``files`` and README.txt, which lists them and everything left out with its reason."""
    lines = [title, RESEARCH_USE, "", f"{len(files)} file(s):", *files, "", f"{len(left_out)} left out:"]
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in {"README.txt": "\n".join([*lines, *left_out, ""]).encode(), **files}.items():
            archive.writestr(zipfile.ZipInfo(name, _EPOCH), data, zipfile.ZIP_DEFLATED)
    return packed.getvalue()
