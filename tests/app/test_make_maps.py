"""`radomica explain`: maps on disk for a real folder, and a clear word where there is nothing to explain."""

from __future__ import annotations

import json
from pathlib import Path

import nibabel
import pytest

from app.cli import run_command
from encoders.explain.maps import METHODS, heat_maps
from encoders.synthetic.cohort import sample_case, write_case


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("case")
    write_case(sample_case(2, 99, "CCRCC"), made)
    return made


def test_maps_are_written_in_three_formats(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command(["explain", str(folder), "--out", str(tmp_path), "--json"]) == 0
    maps = json.loads(capsys.readouterr().out)["maps"]
    assert {m["task"] for m in maps} == {"survival", "molecular:BAP1"}
    for one in maps:
        assert set(one["files"]) == {"nifti", "png", "dicom_seg"} and one["left_out"] == ""
        assert nibabel.load(one["files"]["nifti"]).get_fdata().max() == pytest.approx(1.0, abs=0.2)


@pytest.mark.parametrize("method", [m for m in METHODS if m != "occlusion"])  # occlusion takes seconds: its own tests
def test_every_method_answers_in_the_grid_of_the_series(method: str) -> None:
    patient = sample_case(2, 99, "CCRCC").patient
    for one in heat_maps(patient, method=method):
        assert one.values.shape == one.series.volume.shape
        assert one.values.min() >= 0 and one.values.max() <= 1
        assert 0 <= one.inside <= 1


def test_an_unknown_method_names_the_allowed_ones(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command(["explain", str(folder), "--method", "magic"]) == 2
    assert "layercam" in capsys.readouterr().err


def test_a_folder_without_a_lesion_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_case(sample_case(3, 99, "LUAD", imaging=False), tmp_path / "case")
    assert run_command(["explain", str(tmp_path / "case"), "--out", str(tmp_path / "maps")]) == 2
    assert "no series with a lesion segment" in capsys.readouterr().err
    assert not (tmp_path / "maps").exists()
