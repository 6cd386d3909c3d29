"""`radomica explain`: maps on disk for a real folder, and a clear word where there is nothing to explain."""

from __future__ import annotations

import contextlib
import io
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import pydicom
import pytest
import torch
from PIL import Image

from app.cli import run_command
from app.map_pictures import caption, key_slice, montage, overlay
from encoders import models as models_module
from encoders.explain.maps import HeatMap, heat_maps
from encoders.explain.methods import METHODS
from encoders.fusion import FusionConfig, FusionModel
from encoders.lesion_choice import lesion_mask
from encoders.models import Models, load_models
from encoders.synthetic.cohort import sample_case, write_case


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("case")
    write_case(sample_case(2, 99, "CCRCC"), made)
    return made


@pytest.fixture(scope="module")
def vit_models() -> Models:
    """The shipped models with an untrained small vision transformer as image encoder."""
    torch.manual_seed(0)
    model = FusionModel(FusionConfig(image_encoder="vit3d")).eval()
    for parameter in model.parameters():
        parameter.requires_grad_(False)
    return replace(load_models(), model=model)


@pytest.fixture(scope="module")
def one_map() -> HeatMap:
    return heat_maps(sample_case(2, 99, "CCRCC").patient)[0]


@pytest.fixture(scope="module")
def explained(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    """The folder that `radomica explain` wrote, and what it printed."""
    out = tmp_path_factory.mktemp("maps")
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        assert run_command(["explain", str(folder), "--out", str(out), "--json"]) == 0
    return out, json.loads(printed.getvalue())


def test_maps_are_written_in_every_format_and_listed(explained: tuple[Path, dict[str, Any]]) -> None:
    out, printed = explained
    written = json.loads((out / "summary.json").read_text())
    assert {**written, "folder": str(out)} == printed
    assert {m["task"] for m in written["maps"]} == {"survival", "molecular:BAP1"}
    named = set()
    page = (out / "index.html").read_text()
    for one in written["maps"]:
        files = one["files"]
        assert set(files) == {"nifti", "png", "montage", "dicom_seg", "secondary_capture"} and one["left_out"] == []
        assert 0.5 < nibabel.load(out / files["nifti"]).get_fdata().max() <= 1  # slices may pass beside the peak
        assert len(one["deletion_test"]["fall_marked_first"]) == len(one["deletion_test"]["fall_random"]) == 4
        assert -1 <= one["weight_randomisation_test"]["rank_correlation"] <= 1
        assert all(name in page for name in files.values())
        named |= set(files.values())
    assert {p.name for p in out.iterdir()} == named | {"summary.json", "index.html"}


def test_the_secondary_capture_shows_the_picture_and_names_its_slice(
    folder: Path, explained: tuple[Path, dict[str, Any]]
) -> None:
    out, printed = explained
    one = printed["maps"][0]
    capture = pydicom.dcmread(out / one["files"]["secondary_capture"])
    picture = np.asarray(Image.open(out / one["files"]["png"]).convert("RGB"))
    assert np.array_equal(capture.pixel_array, picture)
    (source,) = capture.SourceImageSequence
    assert capture.ReferencedSeriesSequence[0].SeriesInstanceUID == one["series_uid"]
    slices = {d.SOPInstanceUID: d for d in map(pydicom.dcmread, folder.rglob("*.dcm"))}
    shown = slices[source.ReferencedSOPInstanceUID]
    assert (shown.StudyInstanceUID, shown.PatientID) == (capture.StudyInstanceUID, capture.PatientID)
    assert "research use only" in capture.SeriesDescription and "research use only" in capture.DerivationDescription


def test_the_words_say_what_failed_and_stand_under_the_image(one_map: HeatMap) -> None:
    failed = replace(one_map, randomisation=(False, 0.9), deletion=replace(one_map.deletion, passed=False))
    passed = replace(one_map, randomisation=(True, 0.1), deletion=replace(one_map.deletion, passed=True))
    assert "FAILED: deletion, weight randomisation" in caption(failed)
    assert "FAILED" not in caption(passed)
    assert np.asarray(overlay(failed).picture).shape[0] > np.asarray(overlay(passed).picture).shape[0] - 1
    picture = np.asarray(overlay(passed).picture)
    assert (picture[-30:] == 255).mean() > 0.5  # the band is white, its words are black
    assert (picture[-30:] < 60).any()


def test_the_key_slice_is_the_lesions_largest_and_the_montage_holds_it_and_the_hottest(one_map: HeatMap) -> None:
    area = lesion_mask(one_map.series).sum(axis=(1, 2))
    assert area[key_slice(one_map)] == area.max() > 0
    assert overlay(one_map).slices == (key_slice(one_map),)
    shown = montage(one_map).slices
    assert key_slice(one_map) in shown and int(one_map.values.max(axis=(1, 2)).argmax()) in shown
    assert list(shown) == sorted(set(shown)) and len(shown) <= 9


def test_colour_stands_where_the_map_is_hot(one_map: HeatMap) -> None:
    """A map of one corner colours the same corner of the picture: the affine of this series flips nothing."""
    z = key_slice(one_map)
    depth, high, wide = one_map.values.shape
    corner = np.zeros((depth, high, wide), np.float32)
    corner[z, : high // 5, -wide // 5 :] = 1
    hot = np.asarray(overlay(replace(one_map, values=corner)).picture).astype(int)
    cold = np.asarray(overlay(replace(one_map, values=np.zeros_like(corner))).picture).astype(int)
    rows, columns = np.nonzero(np.abs(hot[: cold.shape[0]] - cold[: hot.shape[0]]).sum(2)[:360] > 60)
    assert rows.size > 100
    assert rows.max() < 0.3 * 360 and columns.min() > 0.7 * 360


@pytest.mark.parametrize("method", [m for m in METHODS if m not in ("occlusion", "integrated_gradients")])
def test_every_method_answers_in_the_grid_of_the_series(method: str, vit_models: Models) -> None:
    """Occlusion and integrated gradients take seconds: tests/encoders/explain has them on small encoders."""
    patient = sample_case(2, 99, "CCRCC").patient
    for one in heat_maps(patient, method=method, models=vit_models):
        assert one.values.shape == one.series.volume.shape
        assert one.values.min() >= 0 and one.values.max() <= 1
        assert 0 <= one.inside <= 1
        assert one.method.name == method
        assert ("attention, not attribution" in one.title) is (method == "rollout")
        assert ("FAILED" in one.title) is bool(one.failed)


def test_two_series_of_one_role_keep_their_own_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, one_map: HeatMap
) -> None:
    from app import make_maps  # noqa: PLC0415

    taken: set[str] = set()
    names = [make_maps._free_name(one_map, taken) for _ in range(3)]
    assert len(set(names)) == 3 and names[1] == f"{names[0]}-2"


def test_rollout_on_the_cnn_names_the_model_to_use(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command(["explain", str(folder), "--method", "rollout"]) == 2
    assert "fusion-vit3d" in capsys.readouterr().err


def test_the_model_is_the_one_asked_for(
    folder: Path, tmp_path: Path, vit_models: Models, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[Any] = []
    monkeypatch.setattr(models_module, "load_models", lambda place: (asked.append(place.name), vit_models)[1])
    args = ["explain", str(folder), "--model", "fusion-vit3d", "--method", "grad_rollout", "--out", str(tmp_path)]
    assert run_command(args) == 0
    assert asked == ["fusion_vit3d"]
    assert {m["method"] for m in json.loads((tmp_path / "summary.json").read_text())["maps"]} == {"grad_rollout"}


def test_an_unknown_method_or_model_names_the_allowed_ones(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command(["explain", str(folder), "--method", "magic"]) == 2
    assert "layercam" in capsys.readouterr().err
    assert run_command(["explain", str(folder), "--model", "magic"]) == 2
    assert "fusion-vit3d" in capsys.readouterr().err


def test_a_folder_without_a_lesion_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_case(sample_case(3, 99, "LUAD", imaging=False), tmp_path / "case")
    assert run_command(["explain", str(tmp_path / "case"), "--out", str(tmp_path / "maps")]) == 2
    assert "no series with a lesion segment" in capsys.readouterr().err
    assert not (tmp_path / "maps").exists()
