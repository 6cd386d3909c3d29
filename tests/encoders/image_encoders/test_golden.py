"""A golden output stays what it was, and sees every kind of change: preprocessing, weights, arithmetic, revision."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch

from app.cli import run_command
from encoders import radiology
from encoders.errors import UnavailableError
from encoders.image_encoders import golden
from encoders.image_encoders.golden import check_golden, compute_golden, differences, stored_golden
from encoders.image_encoders.phantom import phantom
from encoders.image_encoders.registry import BUILT_IN, card_of, load_image_encoder
from encoders.patient import ImagingModality
from encoders.radiomics import settings


@pytest.mark.parametrize("spec", BUILT_IN)
def test_the_shipped_encoders_are_what_was_recorded(spec):
    """After training shipped weights anew: `radomica encoders check SPEC --record`."""
    if card_of(spec)[1] is not None:
        pytest.skip(f"the weights of {spec} are not shipped")
    assert check_golden(load_image_encoder(spec), shipped=True).differences == ()


def test_the_phantom_is_asymmetric():
    """Else a flipped axis would not show: no flip of the cube gives the cube back."""
    cube = radiology.crop_lesion(phantom(ImagingModality.CT)).image
    for axis in range(3):
        assert np.abs(cube - np.flip(cube, axis)).mean() > 0.01
    assert np.abs(cube - cube.transpose(0, 2, 1)).mean() > 0.01


@pytest.mark.parametrize(
    ("name", "value", "modality"),
    [("HU_RANGE", (-1000.0, 410.0), "CT"), ("SUV_RANGE", (0.0, 21.0), "PT"), ("CROP_SPACING_MM", 2.1, "MR")],
)
def test_a_changed_preprocessing_constant_is_seen(monkeypatch, capsys, name, value, modality):
    monkeypatch.setattr(radiology, name, value)
    found = check_golden(load_image_encoder("cnn3d"), shipped=True).differences
    assert any(line.startswith("recipe_version was") for line in found)
    assert any(line.startswith(f"inputs of {modality}") for line in found)
    assert run_command(["encoders", "check", "cnn3d"]) == 1
    assert "DIFFERS" in capsys.readouterr().out


def test_a_change_that_no_constant_tells_is_seen_in_the_inputs(monkeypatch):
    original = radiology.map_coordinates
    monkeypatch.setattr(radiology, "map_coordinates", lambda *a, **k: original(*a, **{**k, "order": 0}))
    found = check_golden(load_image_encoder("cnn3d"), shipped=True).differences
    assert not any("recipe_version" in line for line in found)
    assert any(line.startswith("inputs of CT") for line in found)


def test_changed_radiomics_settings_are_seen(monkeypatch):
    changed = {**settings.SETTINGS_BY_UNIT, settings.IntensityUnit.HU: settings.RadiomicsSettings(bin_width=20.0)}
    for module in ("encoders.image_encoders.radiomics_encoder", "encoders.radiomics.encode"):
        monkeypatch.setattr(f"{module}.SETTINGS_BY_UNIT", changed)
    found = check_golden(load_image_encoder("radiomics"), shipped=True).differences
    assert any("recipe_version" in line for line in found) and any("inputs of CT" in line for line in found)
    assert not any("inputs of MR" in line for line in found)


def test_other_weights_show_in_the_outputs_alone():
    encoder = load_image_encoder("cnn3d")
    known = compute_golden(encoder)

    class Other(torch.nn.Module):
        def forward(self, crops, kind):
            return encoder.network(crops, kind) * 1.01

    changed = type(encoder)(encoder.card, Other(), "cpu")
    found = differences(known, compute_golden(changed))
    assert found and all(line.startswith("outputs of") for line in found)


def test_a_shipped_encoder_without_a_golden_output_is_no_first_use(monkeypatch, tmp_path):
    monkeypatch.setattr(golden, "SHIPPED", tmp_path / "none.json")
    monkeypatch.setenv("RADOMICA_HOME", str(tmp_path))
    assert check_golden(load_image_encoder("cnn3d"), shipped=True).differences == (
        "no golden output is shipped for it",
    )


def test_recording_anew_keeps_the_others_and_a_damaged_file_is_named(monkeypatch, tmp_path, capsys):
    file = tmp_path / "golden.json"
    file.write_text(golden.SHIPPED.read_text())
    monkeypatch.setattr(golden, "SHIPPED", file)
    monkeypatch.setattr(radiology, "HU_RANGE", (-1000.0, 500.0))
    before = stored_golden("radiomics")
    assert run_command(["encoders", "check", "cnn3d", "--record", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["checks"][0]["state"] == "recorded"
    assert check_golden(load_image_encoder("cnn3d"), shipped=True).ok and stored_golden("radiomics") == before
    for text in ("{", "[]", '{"cnn3d": {"inputs": 3}}'):
        file.write_text(text)
        with pytest.raises(UnavailableError, match=r"golden\.json of the golden outputs is damaged"):
            stored_golden("cnn3d")
