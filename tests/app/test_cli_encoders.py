"""radomica encoders and radomica encode: what they print, write and refuse."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from app.cli import run_command
from encoders import radiology
from encoders.image_encoders.encode import encode_patient
from encoders.image_encoders.feature_table import read_feature_table
from encoders.image_encoders.registry import BUILT_IN, load_image_encoder
from encoders.read.folder import read_patient
from encoders.synthetic.cohort import write_cohort


@pytest.fixture(scope="module")
def cohort(tmp_path_factory) -> Path:
    """Two synthetic patients, and a folder of which nothing can be read."""
    folder = tmp_path_factory.mktemp("cohort")
    write_cohort(2, folder, 41)
    (folder / "zz-empty").mkdir()
    return folder


def said(capsys) -> dict:
    return json.loads(capsys.readouterr().out)


def test_list_names_every_shipped_encoder_and_hub_models_with_their_licence(capsys):
    assert run_command(["encoders", "list", "--json"]) == 0
    rows = {row["spec"]: row for row in said(capsys)["encoders"]}
    assert set(BUILT_IN) < set(rows)
    assert rows["cnn3d"]["width"] == 128 and rows["cnn3d"]["input"] == "lesion cube, 64 mm (CT, PT, MR)"
    assert rows["hf:microsoft/rad-dino"]["licence"] == "MIT"
    assert "Health AI Developer Foundations" in rows["hf:google/medsiglip-448"]["licence"]
    assert run_command(["encoders", "list"]) == 0
    assert "radiomics" in capsys.readouterr().out


def test_show_says_the_preprocessing(capsys):
    assert run_command(["encoders", "show", "cnn3d"]) == 0
    text = capsys.readouterr().out
    for words in ("-1000 to 400 (HU)", "0 to 20 (SUVbw)", "recipe version", "Apache-2.0", "synthetic patients only"):
        assert words in text
    assert run_command(["encoders", "show", "radiomics", "--json"]) == 0
    found = said(capsys)
    assert found["width"] == len(found["feature_names"]) and found["missing"] is None


def test_check_is_0_when_all_is_as_recorded_and_1_when_it_is_not(capsys, monkeypatch):
    assert run_command(["encoders", "check", "--json"]) == 0
    assert said(capsys)["ok"] is True
    monkeypatch.setattr(radiology, "MR_LIMIT", 3.0)
    assert run_command(["encoders", "check", "--json"]) == 1
    found = {row["spec"]: row for row in said(capsys)["checks"]}
    assert not found["cnn3d"]["ok"] and "inputs of MR" in found["cnn3d"]["found"] and found["radiomics"]["ok"]


def test_a_cohort_becomes_a_table_that_is_read_back(cohort, tmp_path, capsys):
    out = tmp_path / "features.csv"
    assert run_command(["encode", str(cohort), "--encoder", "cnn3d", "--out", str(out), "--json"]) == 0
    found = said(capsys)
    patients = [read_patient(p) for p in sorted(cohort.iterdir()) if p.is_dir() and p.name != "zz-empty"]
    assert found["patients"] == 2 and found["patients_not_read"]["zz-empty"]
    encoder, table = load_image_encoder("cnn3d"), load_image_encoder(f"table:{out}")
    for patient in patients:
        known, back = encode_patient(patient, encoder), encode_patient(patient, table)
        assert known.series_uids == back.series_uids and np.array_equal(known.vectors, back.vectors)
    assert found["rows"] == len(read_feature_table(out).keys)


def test_what_is_skipped_is_counted_and_listed(cohort, tmp_path, capsys):
    case = next(p for p in sorted(cohort.iterdir()) if (p / "imaging").is_dir() or any(p.rglob("*.dcm")))
    copy = tmp_path / "case"
    shutil.copytree(case, copy)
    patient = read_patient(copy)
    segments = {s.source.file for series in patient.imaging for s in series.segments}
    for name in segments:
        (copy / name).unlink()
    assert run_command(["encode", str(copy), "--encoder", "radiomics", "--out", str(tmp_path / "t.npz")]) == 2
    assert "nothing could be encoded: no lesion segment in series" in capsys.readouterr().err


def test_a_changed_recipe_encodes_nothing(cohort, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(radiology, "HU_RANGE", (-1000.0, 500.0))
    out = tmp_path / "t.csv"
    assert run_command(["encode", str(cohort), "--encoder", "cnn3d", "--out", str(out)]) == 1
    assert "is not what was recorded: recipe_version was" in capsys.readouterr().err
    assert not out.exists()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--encoder", "cnn3d", "--out", "t.xlsx"], "ends in .csv, .parquet, .npz"),
        (["--encoder", "nothing", "--out", "t.csv"], "no image encoder is called 'nothing'"),
    ],
)
def test_bad_arguments_are_refused(cohort, capsys, arguments, words):
    assert run_command(["encode", str(cohort), *arguments]) == 2
    assert words in capsys.readouterr().err
    assert run_command(["encode", str(cohort / "absent"), *arguments]) == 2
