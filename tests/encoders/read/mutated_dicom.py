"""Read seeded mutations of real DICOM files; in a process of its own, since a decoder that crashes would end pytest.

    python mutated_dicom.py OPEN_DATA WORK_FOLDER SEED COUNT

Prints one JSON object: how many were read and refused, the tracebacks, the slowest read (s) and the peak memory (MiB).
"""

from __future__ import annotations

import faulthandler
import json
import random
import resource
import shutil
import sys
import time
import traceback
from collections.abc import Callable
from pathlib import Path

from encoders.errors import RadomicaError
from encoders.read.folder import read_patient
from eval.imaging_reading import peak_kib

HANG_S = 60
"""The process is ended, with a traceback, when one file takes this long."""
MEMORY_BYTES = 12 * 1024**3
"""The address space the process may take; a header that makes the reader reserve more is a failure."""

BASES: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("pydicom_test_files/MR_small.dcm", ()),
    ("pydicom_test_files/MR_small_implicit.dcm", ()),
    ("pydicom_test_files/MR_small_bigendian.dcm", ()),
    ("pydicom_test_files/MR_small_RLE.dcm", ()),
    ("pydicom_test_files/MR_small_jp2klossless.dcm", ()),
    ("pydicom_test_files/MR_small_jpeg_ls_lossless.dcm", ()),
    ("pydicom_test_files/dicomdirtests/98892001/CT5N/2062", ("pydicom_test_files/dicomdirtests/98892001/CT5N/2392",)),
    ("pydicom_test_files/dicomdirtests/DICOMDIR", ("pydicom_test_files/MR_small.dcm",)),
    ("pydicom_data/emri_small_jpeg_ls_lossless.dcm", ()),
    ("dcmqi_seg/segmentations/23x38x3/multiframe/mf.dcm", ()),
    ("dicom2nifti_series/generic/compressed_jpeg/001/IM-0001-0001-0001.dcm", ()),
    ("dicom2nifti_series/philips_enhanced/fmri/001/IM-0001-9600-0001.dcm", ()),
    ("pet_acrin_flt/1.dcm", ()),
    ("highdicom/seg_image_ct_binary_single_frame.dcm", ("highdicom/ct_image.dcm",)),
    ("rt_utils/mock_data/rt.dcm", ("rt_utils/mock_data/ct_1.dcm", "rt_utils/mock_data/ct_2.dcm")),
)
"""A file to mutate, and the intact files that stand beside it."""


def _flip_header(data: bytearray, draw: random.Random) -> None:
    for _ in range(draw.randint(1, 12)):
        data[draw.randrange(132, min(len(data), 4000))] ^= 1 << draw.randrange(8)


def _flip_anywhere(data: bytearray, draw: random.Random) -> None:
    for _ in range(draw.randint(1, 40)):
        data[draw.randrange(len(data))] = draw.randrange(256)


def _cut_short(data: bytearray, draw: random.Random) -> None:
    del data[draw.randrange(len(data)) :]


def _cut_out(data: bytearray, draw: random.Random) -> None:
    start = draw.randrange(132, len(data))
    del data[start : start + draw.randint(1, 200)]


def _lie_about_lengths(data: bytearray, draw: random.Random) -> None:
    """Overwrite the length of a few elements (found by their group bytes) with a lie."""
    groups = (0x08, 0x10, 0x18, 0x20, 0x28)
    starts = [i for i in range(132, min(len(data), 6000) - 12, 2) if data[i] in groups and data[i + 1] == 0]
    for at in draw.sample(starts, min(len(starts), draw.randint(1, 3))):
        lie = draw.choice((b"\xff\xff\xff\xff", b"\xff\xff\xff\x7f", b"\x00\x00", b"\xfe\xff", b"\x01\x00"))
        data[at + 6 : at + 6 + len(lie)] = lie


def _lie_about_size(data: bytearray, draw: random.Random) -> None:
    """Rows, Columns, bits or frames that the pixels do not have."""
    tags = (b"\x10\x00", b"\x11\x00", b"\x00\x01", b"\x01\x01", b"\x02\x00")
    tag = b"\x28\x00" + draw.choice(tags)
    at = data.find(tag)
    if at >= 0:
        data[at + 8 : at + 10] = draw.choice((b"\xff\xff", b"\x00\x00", b"\x01\x00", b"\x00\x80", b"\x20\x00"))


def _remove_tag(data: bytearray, draw: random.Random) -> None:
    """Give a geometry, pixel or identity tag another number, so that it is absent."""
    numbers = (0x32, 0x37, 0x10, 0x11, 0x30, 0x16, 0x18, 0x60, 0x0E, 0x100, 0x102, 0x1052, 0x1053)
    for number in draw.sample(numbers, 3):
        for group in (0x08, 0x20, 0x28):
            at = data.find(bytes((group, 0)) + number.to_bytes(2, "little"), 132)
            if at >= 0:
                data[at + 2] ^= 0x80


MUTATIONS: tuple[Callable[[bytearray, random.Random], None], ...] = (
    *(_flip_header, _flip_anywhere, _cut_short, _cut_out, _lie_about_lengths, _lie_about_size, _remove_tag),
)


def main(open_data: Path, work: Path, seed: int, count: int) -> None:
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    root = open_data / "radiology"
    outcome: dict = {"read": 0, "refused": 0, "tracebacks": [], "slowest_s": 0.0, "slowest": ""}
    for number in range(count):
        draw = random.Random(f"{seed} {number}")
        name, beside = BASES[number % len(BASES)]
        mutate = MUTATIONS[(number // len(BASES)) % len(MUTATIONS)]
        data = bytearray((root / name).read_bytes())
        mutate(data, draw)
        folder = work / "patient"
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        (folder / "mutated.dcm").write_bytes(data)
        for other in beside:
            shutil.copyfile(root / other, folder / Path(other).name)
        faulthandler.dump_traceback_later(HANG_S, exit=True)
        label, start = f"{number} {name} {mutate.__name__}", time.process_time()
        try:
            read_patient(folder, allow_mixed_ids=True)
            outcome["read"] += 1
        except RadomicaError:
            outcome["refused"] += 1
        except BaseException:  # noqa: BLE001  every other error is what the test looks for
            outcome["tracebacks"].append(f"{label}\n{traceback.format_exc()}")
        took = time.process_time() - start
        if took > outcome["slowest_s"]:
            outcome |= {"slowest_s": took, "slowest": label}
    outcome["peak_mib"] = peak_kib() / 1024  # not ru_maxrss, which starts at the parent's peak
    sys.stdout.write(json.dumps(outcome))


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4]))
