"""How fast, and in how much memory, a 300-slice CT series is read, beside MONAI and SimpleITK.

One made-up series (512 x 512, signed 16 bit, uncompressed, one file a slice, files in no order) is written to a
temporary folder and read in turn by Radomica, MONAI's LoadImage (its pydicom reader) and SimpleITK's series reader.
Radomica ends with float32 HU in slice order; MONAI and SimpleITK end with their own arrays, SimpleITK cast to float32.
Peak memory is that of a fresh process that reads the series once, above what it held before.

Not known here: compressed series, network drives, readers other than these two.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, generate_uid

from encoders.patient import ImagingSeries
from encoders.read.dicom import read_header, read_imaging
from eval.benchmark import Better, Progress, Row

SLICES, SIDE = 300, 512
REPEATS = 5
MEMORY_BAR = 2.5
"""Peak memory over the size of the float32 volume."""

_CHILD = """
import sys
from pathlib import Path
from eval.imaging_reading import peak_kib, read_series
before = peak_kib()
volume = read_series(Path(sys.argv[1])).volume
print((peak_kib() - before) * 1024 / volume.nbytes)
"""


def reading_rows(*, seed: int = 0, slices: int = SLICES, progress: Progress = None) -> tuple[Row, ...]:
    """Three rows: time over MONAI's, time over SimpleITK's (medians of interleaved repeats), peak memory."""
    rng = np.random.default_rng(seed)
    with tempfile.TemporaryDirectory(prefix="radomica-ct-") as made:
        folder = Path(made)
        write_ct_series(folder, slices, rng)
        rows = [*_speed_rows(folder, slices, progress), _memory_row(folder, slices)]
    return tuple(rows)


def write_ct_series(folder: Path, slices: int, rng: np.random.Generator) -> None:
    """Write ``slices`` axial CT slices, 1 mm apart, with file names in an order of their own."""
    series, study, frame = generate_uid(), generate_uid(), generate_uid()
    noise = rng.integers(-1000, 1500, size=(SIDE, SIDE), dtype=np.int16)
    names = rng.permutation(slices)
    for k in range(slices):
        made = _slice_header(k, series, study, frame)
        made.PixelData = np.roll(noise, k, axis=0).tobytes()
        made.save_as(folder / f"{names[k]:05d}.dcm", enforce_file_format=True)


def _slice_header(k: int, series: str, study: str, frame: str) -> FileDataset:
    """The tags of one slice: what a scanner writes that readers look at, and some that they must pass over."""
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID = CTImageStorage, generate_uid()
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    made = FileDataset(None, {}, file_meta=meta, preamble=b"\0" * 128)
    made.SOPClassUID, made.SOPInstanceUID = meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID
    made.StudyInstanceUID, made.SeriesInstanceUID, made.FrameOfReferenceUID = study, series, frame
    made.PatientID, made.Modality, made.InstanceNumber, made.SeriesNumber = "made-up", "CT", k + 1, 2
    made.ImageType = ["ORIGINAL", "PRIMARY", "AXIAL"]
    made.StudyDate = made.SeriesDate = made.AcquisitionDate = made.ContentDate = "20240301"
    made.StudyTime = made.SeriesTime = made.AcquisitionTime = made.ContentTime = "100000"
    made.Manufacturer, made.ManufacturerModelName, made.SoftwareVersions = "made up", "made up", "1"
    made.StudyDescription, made.SeriesDescription, made.BodyPartExamined = "CT", "CT chest", "CHEST"
    made.KVP, made.XRayTubeCurrent, made.ExposureTime, made.ConvolutionKernel = 120, 200, 500, "B30f"
    made.SliceThickness, made.SpacingBetweenSlices, made.GantryDetectorTilt, made.TableHeight = 1.0, 1.0, 0.0, 150.0
    made.PatientPosition, made.PositionReferenceIndicator, made.SliceLocation = "HFS", "", float(k)
    made.ImagePositionPatient, made.ImageOrientationPatient = [-180.0, -180.0, float(k)], [1, 0, 0, 0, 1, 0]
    made.SamplesPerPixel, made.PhotometricInterpretation, made.PixelSpacing = 1, "MONOCHROME2", [0.7, 0.7]
    made.Rows = made.Columns = SIDE
    made.BitsAllocated, made.BitsStored, made.HighBit, made.PixelRepresentation = 16, 16, 15, 1
    made.WindowCenter, made.WindowWidth, made.RescaleIntercept, made.RescaleSlope = 40, 400, 0, 1
    made.RescaleType = "HU"
    protocol = Dataset()
    protocol.CodeValue, protocol.CodingSchemeDesignator, protocol.CodeMeaning = "1", "99MADEUP", "chest"
    made.ProcedureCodeSequence = [protocol]
    return made


def read_series(folder: Path) -> ImagingSeries:
    """Read the one series of ``folder`` with Radomica."""
    files = [read_header(p, p.name) for p in sorted(folder.iterdir())]
    (series,) = read_imaging([f for f in files if f is not None]).series
    return series


def _with_monai(folder: Path) -> np.ndarray:
    from monai.transforms import LoadImage  # noqa: PLC0415  measured only

    return LoadImage(reader="PydicomReader", image_only=True)(folder).numpy()


def _with_simpleitk(folder: Path) -> np.ndarray:
    import SimpleITK  # noqa: PLC0415  a development extra

    reader = SimpleITK.ImageSeriesReader()
    reader.SetFileNames(SimpleITK.ImageSeriesReader.GetGDCMSeriesFileNames(str(folder)))
    return SimpleITK.GetArrayFromImage(SimpleITK.Cast(reader.Execute(), SimpleITK.sitkFloat32))


def _speed_rows(folder: Path, slices: int, say: Progress) -> list[Row]:
    others: dict[str, Callable[[Path], np.ndarray]] = {"monai": _with_monai, "simpleitk": _with_simpleitk}
    notes: dict[str, str] = {}
    expected = read_series(folder).volume
    for name in tuple(others):
        try:
            sample = others[name](folder)
        except ImportError as error:
            notes[name] = f"not installed here ({error.name}); install the dev extra"
            continue
        if sample.size != expected.size or float(sample.sum(dtype=np.float64)) != float(expected.sum(dtype=np.float64)):
            notes[name] = "read other voxels than Radomica"
    measured = [n for n in others if n not in notes]
    seconds: dict[str, list[float]] = {n: [] for n in ("radomica", *measured)}
    cpu: dict[str, list[float]] = {n: [] for n in seconds}
    for repeat in range(REPEATS):
        for name, wall in seconds.items():
            start, start_cpu = time.perf_counter(), time.process_time()
            read_series(folder) if name == "radomica" else others[name](folder)
            wall.append(time.perf_counter() - start)
            cpu[name].append(time.process_time() - start_cpu)
        if say:
            say(f"repeat {repeat + 1} of {REPEATS}: " + ", ".join(f"{n} {t[-1]:.2f} s" for n, t in seconds.items()))
    ours = statistics.median(seconds["radomica"])
    rows = []
    for name in others:
        theirs = statistics.median(seconds[name]) if name in seconds else None
        told = notes.get(name) or (
            f"Radomica {ours:.2f} s ({statistics.median(cpu['radomica']):.2f} s of processor), "
            f"{name} {theirs:.2f} s ({statistics.median(cpu[name]):.2f} s of processor)"
        )
        rows.append(
            Row(
                id=f"imaging.read_ct{slices}_time_over_{name}",
                value=None if theirs is None else ours / theirs,
                bar=1.0,
                better=Better.LOWER,
                n=REPEATS,
                seconds=sum(map(sum, seconds.values())),
                note=told,
            )
        )
    return rows


def peak_kib() -> int:
    """The largest resident size (KiB) this process has had.

    Raises
    ------
    OSError: the system does not tell (only Linux does, in /proc).
    """
    lines = Path("/proc/self/status").read_text(encoding="utf-8").splitlines()
    return int(next(line.split()[1] for line in lines if line.startswith("VmHWM")))


def _memory_row(folder: Path, slices: int) -> Row:
    start = time.perf_counter()
    root = Path(__file__).resolve().parents[1]
    done = subprocess.run(
        [sys.executable, "-c", _CHILD, str(folder)], capture_output=True, text=True, cwd=root, check=False
    )
    return Row(
        id=f"imaging.read_ct{slices}_peak_memory_over_volume",
        value=float(done.stdout) if done.returncode == 0 else None,
        bar=MEMORY_BAR,
        better=Better.LOWER,
        n=1,
        seconds=time.perf_counter() - start,
        note="" if done.returncode == 0 else done.stderr.strip().splitlines()[-1],
    )
