"""Every file of the shared radiology data, alone: read, set apart or refused as written down in the table beside this.

radiology_outcomes.tsv is ours: path, outcome, and for what is read its shape (Z x Y x X) and unit, else a key phrase of
the reason. The checks against dicom_manifest.csv (decoded by pydicom alone) are independent of the table.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path

import pytest

from encoders.errors import InputError
from encoders.patient import ImagingSeries
from encoders.read.dicom import READ_MODALITIES, read_header, read_imaging
from encoders.read.rtstruct import attach_structures
from encoders.read.segments import attach_segments
from encoders.read.sniff import FileKind, sniff

TABLE = Path(__file__).with_name("radiology_outcomes.tsv")


@dataclass(frozen=True)
class Found:
    """What became of one file; ``told`` holds every reason and warning."""

    outcome: str  # read, apart, refused, index, other
    shape: str
    unit: str
    told: str
    series: ImagingSeries | None = None


def read_alone(path: Path, name: str) -> Found:
    """Read one file as if it were the whole folder."""
    try:
        sniffed = sniff(path, name)
        if sniffed.kind is not FileKind.DICOM:
            return Found("other", "", "", sniffed.reason)
        header = read_header(path, name)
        if header is None:
            return Found("index", "", "", "")
        reading = read_imaging([header])
        series, unplaced = attach_segments(reading.series, reading.segmentations)
        series, unfilled = attach_structures(series, reading.structure_sets)
    except InputError as error:
        return Found("refused", "", "", str(error))
    if series:
        shape = " x ".join(str(n) for n in series[0].volume.shape)
        return Found("read", shape, series[0].unit.value, " | ".join(series[0].warnings), series[0])
    return Found("apart", "", "", " | ".join((*reading.skipped, *unplaced, *unfilled)))


@pytest.fixture(scope="module")
def found() -> dict[str, Found]:
    root = Path(__file__).parents[3].parent / "shared/data/open/radiology"
    if not root.is_dir():
        pytest.skip("the shared real data are not beside this repository")
    paths = [p for p in sorted(root.rglob("*")) if p.is_file()]
    return {(name := p.relative_to(root).as_posix()): read_alone(p, name) for p in paths}


@pytest.fixture(scope="module")
def manifest(found: dict[str, Found]) -> list[dict[str, str]]:
    root = Path(__file__).parents[3].parent / "shared/data/open/radiology"
    with (root / "dicom_manifest.csv").open(encoding="utf-8") as handle:
        return list(csv.DictReader(handle))


def test_each_file_has_the_outcome_written_down_for_it(found):
    with TABLE.open(encoding="utf-8") as handle:
        rows = list(csv.DictReader(handle, delimiter="\t"))
    assert {r["path"] for r in rows} == set(found), "the shared files changed; write down the new ones"
    for row in rows:
        one = found[row["path"]]
        assert (one.outcome, one.shape, one.unit) == (row["outcome"], row["shape"], row["unit"]), row["path"]
        assert row["reason"] in one.told, row["path"]


def test_every_listed_dicom_is_seen_as_dicom(found, manifest):
    unseen = [r["path"] for r in manifest if found[r["path"]].outcome == "other"]
    assert unseen == ["pydicom_test_files/no_meta.dcm"]  # its first byte is lost


def test_what_pydicom_decodes_of_a_read_modality_is_read_or_its_geometry_is_missing(found, manifest):
    for row in manifest:
        if row["modality"] in READ_MODALITIES and row["pixel_array_with_pydicom3_pylibjpeg"] == "ok":
            one = found[row["path"]]
            apart = one.outcome == "apart" and ("geometry is not known" in one.told or "localizer" in one.told)
            assert one.outcome == "read" or apart, (row["path"], one.told)


def test_what_pydicom_cannot_decode_is_never_read(found, manifest):
    rows = [r for r in manifest if r["pixel_array_with_pydicom3_pylibjpeg"] not in ("ok", "none")]
    assert len(rows) >= 5
    assert [r["path"] for r in rows if found[r["path"]].outcome == "read"] == []


def test_read_files_have_the_listed_size_and_value_range(found, manifest):
    checked = 0
    for row in manifest:
        series = found[row["path"]].series
        if series is None or int(row["frames"] or 1) > 1:
            continue
        root = Path(__file__).parents[3].parent / "shared/data/open/radiology"
        header = read_header(root / row["path"], row["path"]).header
        slope = float(getattr(header, "RescaleSlope", 1))
        intercept = float(getattr(header, "RescaleIntercept", 0))
        assert series.volume.shape == (1, int(row["rows"]), int(row["columns"]))
        if series.unit.value != "SUVbw":  # whose scale has its own tests
            assert series.volume.min() == pytest.approx(float(row["min"]) * slope + intercept), row["path"]
            assert series.volume.max() == pytest.approx(float(row["max"]) * slope + intercept), row["path"]
        checked += 1
    assert checked > 100


def test_every_refusal_and_every_set_apart_has_its_reason_and_names_the_file(found):
    for name, one in found.items():
        if one.outcome == "refused":
            assert name in one.told
        if one.outcome == "apart":
            assert len(one.told) > 20
