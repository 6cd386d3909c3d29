"""A NIfTI file with the free texts of its header cleared: description, file and database names. The voxels stay.

A file with header extensions (they can hold a whole DICOM header) is not taken. Not removed: a face in a head scan.
Source: NIfTI-1.1 and NIfTI-2 header layout (nifti.nimh.nih.gov).
"""

from __future__ import annotations

import gzip
import struct
import zlib
from pathlib import Path

TEXTS = {348: ((4, 10), (14, 18), (148, 80), (228, 24), (328, 16)), 540: ((240, 80), (320, 24), (508, 16))}
"""Header size -> (offset, bytes) of its texts: NIfTI-1 data_type, db_name, descrip, aux_file, intent_name; NIfTI-2."""


def clear_header(path: Path, target: Path) -> str:
    """Write the file without its header's texts; "" or why it cannot be."""
    try:
        zipped = path.suffix == ".gz"
        data = bytearray(gzip.decompress(path.read_bytes()) if zipped else path.read_bytes())
    except (OSError, EOFError, zlib.error):
        return "damaged"
    if len(data) < 4:
        return "damaged"
    size = next((s for order in "<>" for s in TEXTS if struct.unpack(f"{order}i", data[:4])[0] == s), None)
    if size is None or len(data) < size + 4:
        return "no NIfTI header"
    if data[size] != 0:
        return "its header has extensions, which cannot be cleaned"
    for offset, length in TEXTS[size]:
        data[offset : offset + length] = bytes(length)
    target.write_bytes(gzip.compress(bytes(data), mtime=0) if zipped else bytes(data))
    return ""
