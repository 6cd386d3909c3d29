"""Pixels of an ordered stack of DICOM planes -> float32 volume (Z, Y, X), rescaled plane by plane.

Uncompressed little-endian pixels are read straight from their place in the file; everything else (JPEG, JPEG-LS,
JPEG 2000, RLE, deflated, big endian) through pydicom and its decoders. Only one plane stands beside the volume.

What this module does not know: geometry, and what the numbers mean.
"""

from __future__ import annotations

import warnings
from collections import defaultdict
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import BinaryIO

import numpy as np
import pydicom
from numpy.typing import NDArray
from pydicom import Dataset
from pydicom.pixels import iter_pixels
from pydicom.uid import UID

from encoders.errors import InputError
from encoders.read.dicom_frame import DicomFile, Frame
from encoders.read.dicom_tags import BROKEN, text, whole
from encoders.read.slice_order import Stack

MAX_VOLUME_BYTES = 8 * 1024**3
"""A series that would fill more than this as float32 is refused."""
SMALL_FRAME_BYTES = 16 * 1024**2
MAX_COMPRESSION = 1000
"""A frame above SMALL_FRAME_BYTES may be this many times its compressed size; more is a header that lies."""
NATIVE = frozenset((pydicom.uid.ImplicitVRLittleEndian, pydicom.uid.ExplicitVRLittleEndian))


def read_volume(stack: Stack) -> NDArray[np.float32]:
    """Decode, rescale and stack the planes; grid slices without a plane are interpolated between their neighbours.

    Raises
    ------
    InputError: pixel data missing, cut short, in colour, not decodable, or too large (file named).
    """
    first = stack.frames[0]
    needed = 4 * stack.depth * first.shape[0] * first.shape[1]
    if needed > MAX_VOLUME_BYTES:
        raise InputError(
            f"{first.file.name}: the series would fill {needed / 1e9:.1f} GB ({stack.depth} slices of "
            f"{first.shape[0]} x {first.shape[1]}); at most {MAX_VOLUME_BYTES / 1e9:.1f} GB are allowed. "
            "Give a smaller reconstruction."
        )
    wanted: dict[int, dict[int, Frame]] = defaultdict(dict)
    slot_of: dict[tuple[int, int], int] = {}
    for frame, slot in zip(stack.frames, stack.slots, strict=True):
        wanted[id(frame.file)][frame.index] = frame
        slot_of[id(frame.file), frame.index] = slot
    files = {id(f.file): f.file for f in stack.frames}
    volume: NDArray[np.float32] | None = None
    for key, planes in wanted.items():
        for index, pixels in read_planes(files[key], planes):
            frame = planes[index]
            if volume is None:  # only now, when the pixels are seen to be as large as the header says
                volume = np.empty((stack.depth, *frame.shape), dtype=np.float32)
            rescale(pixels, frame.slope, frame.intercept, volume[slot_of[key, index]])
    if volume is None:
        raise broken(first.file.name, "no pixels")
    _fill_gaps(volume, stack.slots)
    return volume


def rescale(pixels: NDArray, slope: float, intercept: float, out: NDArray[np.float32]) -> None:
    """``out`` = pixels * slope + intercept, rounded to float32 once."""
    whole_numbers = pixels.dtype.kind in "iu" and pixels.dtype.itemsize <= 2
    if whole_numbers and slope == 1 and intercept == int(intercept) and abs(intercept) < 2**23:
        out[...] = pixels  # exact, as is the sum: all are whole numbers below 2**24
        if intercept:
            out += np.float32(intercept)
    else:
        out[...] = pixels.astype(np.float64) * slope + intercept


def read_planes(file: DicomFile, wanted: dict[int, Frame]) -> Iterator[tuple[int, NDArray]]:
    """(frame index, stored pixels (Y, X)) of the wanted frames of one file, not rescaled.

    Raises
    ------
    InputError: pixel data missing, cut short, in colour or not decodable (file named).
    """
    shape = next(iter(wanted.values())).shape
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # pydicom's remarks on padding and odd values; what matters is raised
        native = _native_dtype(file, shape)
        planes = _native(file, shape, native, sorted(wanted)) if native is not None else _decoded(file, sorted(wanted))
        seen = 0
        try:
            for index, pixels in planes:
                if pixels.shape != shape:
                    raise broken(file.name, f"pixels of shape {pixels.shape}; grey-scale planes of {shape} are needed")
                seen += 1
                yield index, pixels
        except InputError:
            raise
        except NotImplementedError as error:
            raise InputError(
                f"{file.name}: its pixels are stored as {_syntax_name(file)}, which cannot be decoded here. "
                "Export the series uncompressed or as JPEG 2000 lossless."
            ) from error
        except BROKEN as error:
            raise broken(file.name, error) from error
        except _rust_panics() as error:
            raise broken(file.name, error) from error
    if seen < len(wanted):
        raise broken(file.name, f"{seen} of {len(wanted)} frames hold pixels")


def _rust_panics() -> tuple[type[BaseException], ...]:
    """What pylibjpeg-rle raises on broken segments: a BaseException that no module exports, so it is found by name."""
    return tuple(kind for kind in BaseException.__subclasses__() if kind.__name__ == "PanicException")


def _native_dtype(file: DicomFile, shape: tuple[int, int]) -> np.dtype | None:
    """The stored dtype where pixels can be read straight from the file; None: pydicom is asked."""
    header = file.header
    bits, signed = whole(header, "BitsAllocated"), whole(header, "PixelRepresentation")
    if file.pixels_at is None or bits not in (8, 16, 32) or signed not in (0, 1):
        return None
    stored = whole(header, "BitsStored") or 0
    if whole(header, "SamplesPerPixel") != 1 or not 1 <= stored <= bits:
        return None
    fits = shape[0] * shape[1] * file.frames * bits // 8
    return np.dtype(f"<{'i' if signed else 'u'}{bits // 8}") if file.pixels_at[1] in (fits, fits + fits % 2) else None


def _native(
    file: DicomFile, shape: tuple[int, int], dtype: np.dtype, indices: list[int]
) -> Iterator[tuple[int, NDArray]]:
    start, _ = file.pixels_at or (0, 0)
    count = shape[0] * shape[1]
    spare = dtype.itemsize * 8 - (whole(file.header, "BitsStored") or 0)
    with file.path.open("rb") as handle:
        for index in indices:
            handle.seek(start + index * count * dtype.itemsize)
            pixels = np.fromfile(handle, dtype=dtype, count=count)
            if pixels.size < count:
                raise broken(file.name, f"{pixels.size} of {count} pixels are there")
            if spare:  # bits above BitsStored may hold overlays: drop them, and carry the sign
                pixels = (pixels << spare) >> spare
            yield index, pixels.reshape(shape)


def _decoded(file: DicomFile, indices: list[int]) -> Iterator[tuple[int, NDArray]]:
    _check_size(file)
    dataset = read_quietly(file.path, header_only=False)
    if file.frames == 1:
        yield 0, dataset.pixel_array
        return
    yield from zip(indices, iter_pixels(dataset, indices=indices), strict=True)


def _check_size(file: DicomFile) -> None:
    """Refuse a header whose frames are beyond what the file can hold, before a decoder reserves memory for them."""
    header = file.header
    numbers = [whole(header, t) or 0 for t in ("Rows", "Columns", "BitsAllocated")]
    needed = numbers[0] * numbers[1] * max(whole(header, "SamplesPerPixel") or 1, 1) * max(numbers[2], 8) // 8
    held = file.path.stat().st_size * MAX_COMPRESSION
    if needed * file.frames > max(held, SMALL_FRAME_BYTES):
        raise broken(
            file.name,
            f"{file.frames} frames of {numbers[0]} x {numbers[1]} cannot lie in {file.path.stat().st_size} bytes",
        )


def _fill_gaps(volume: NDArray[np.float32], slots: tuple[int, ...]) -> None:
    for below, above in pairwise(slots):
        for slot in range(below + 1, above):
            share = np.float32((slot - below) / (above - below))
            volume[slot] = volume[below] * (1 - share) + volume[above] * share


def read_quietly(path: Path, *, header_only: bool) -> Dataset:
    """dcmread without pydicom's remarks on oddly spelt values, which a reader of reports cannot act on."""
    with warnings.catch_warnings(), path.open("rb") as handle:
        warnings.simplefilter("ignore")
        return pydicom.dcmread(handle, stop_before_pixels=header_only, force=not has_magic(handle))


def has_magic(handle: BinaryIO) -> bool:
    """Whether "DICM" stands after the preamble; the handle is back at its start."""
    handle.seek(128)
    found = handle.read(4) == b"DICM"
    handle.seek(0)
    return found


def _syntax_name(file: DicomFile) -> str:
    uid = UID(text(getattr(file.header, "file_meta", Dataset()), "TransferSyntaxUID"))
    return f"{uid.name} ({uid})" if uid else "an unnamed transfer syntax"


def broken(name: str, error: object) -> InputError:
    """The error of a file whose bytes are cut short or make no sense."""
    said = str(error).split("\n")[0]
    kind = f"{type(error).__name__}: " if isinstance(error, BaseException) else ""
    return InputError(
        f"{name}: DICOM file is truncated or damaged ({kind}{said}). "
        "Export the series again, or remove this file to read the patient without it."
    )
