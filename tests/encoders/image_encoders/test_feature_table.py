"""Feature tables come back as they were written; what is ambiguous, missing or not a number is refused or counted."""

from __future__ import annotations

import importlib.util
import json

import numpy as np
import pytest

from encoders.errors import InputError, SettingsError, UnavailableError
from encoders.image_encoders.encode import NO_IMAGING, PatientEncoding, encode_patient
from encoders.image_encoders.feature_table import read_feature_table, write_feature_table
from encoders.image_encoders.golden import check_golden
from encoders.image_encoders.phantom import phantom
from encoders.image_encoders.registry import load_image_encoder
from encoders.patient import ImagingModality, Patient

CT, MR = phantom(ImagingModality.CT), phantom(ImagingModality.MR)
HAS_PYARROW = importlib.util.find_spec("pyarrow") is not None


@pytest.fixture
def encoded():
    """Two patients, three rows of the CNN, one series skipped."""
    encoder = load_image_encoder("cnn3d")
    rng = np.random.default_rng(0).normal(size=(3, encoder.card.width)).astype(np.float32)
    one = PatientEncoding("007", (CT.series_uid, MR.series_uid), ("CT", "MR"), rng[:2], {"1.9": "no lesion"})
    return [one, PatientEncoding("8", (None,), (None,), rng[2:], {})], encoder.card


@pytest.mark.parametrize("name", ["t.csv", "t.npz", "t.parquet"])
def test_round_trip_to_the_last_bit(tmp_path, encoded, name):
    encodings, card = encoded
    path = tmp_path / "new" / name
    if name.endswith("parquet") and not HAS_PYARROW:
        with pytest.raises(UnavailableError, match="needs the package pyarrow"):
            write_feature_table(path, encodings, card, {})
        return
    write_feature_table(path, encodings, card, {"skipped": {"007": {"1.9": "no lesion"}}})
    table = read_feature_table(path)
    assert table.keys == (("007", "phantom-CT"), ("007", "phantom-MR"), ("8", None))  # ids stay text
    assert np.array_equal(table.features, np.concatenate([e.vectors for e in encodings]))
    beside = json.loads((tmp_path / "new" / f"{name}.card.json").read_text())
    assert (
        beside["rows"] == 3 and beside["card"]["spec"] == "cnn3d" and beside["skipped"]["007"] == {"1.9": "no lesion"}
    )
    encoder = load_image_encoder(f"table:{path}")
    assert encoder.card.width == card.width and dict(encoder.card.recipe.settings)["made_by"] == "cnn3d"
    found = encode_patient(Patient("007", imaging=(MR, CT)), encoder)
    assert found.series_uids == ("phantom-MR", "phantom-CT")
    assert np.array_equal(found.vectors, encodings[0].vectors[::-1])
    whole = encode_patient(Patient("8", imaging=(CT,)), encoder)
    assert whole.series_uids == (None,) and np.array_equal(whole.vectors, encodings[1].vectors) and not whole.skipped


def csv_of(tmp_path, text, name="t.csv"):
    path = tmp_path / name
    path.write_text(text)
    return path


def test_missing_rows_are_named(tmp_path):
    table = csv_of(tmp_path, "patient_id,series_uid,a,b\np,phantom-CT,1,2\nq,phantom-CT,3,4\n")
    encoder = load_image_encoder(f"table:{table}")
    found = encode_patient(Patient("p", imaging=(CT, MR)), encoder)
    assert found.vectors.tolist() == [[1.0, 2.0]]
    assert found.skipped == {"phantom-MR": "t.csv has no row for this series"}
    stranger = encode_patient(Patient("r"), encoder)
    assert stranger.vectors.shape == (0, 2) and stranger.skipped == {NO_IMAGING: "t.csv has no row for patient r"}


def test_keys_of_one_kind(tmp_path):
    series_keyed = csv_of(tmp_path, "series_uid,a\nphantom-CT,5\n")
    by_series = load_image_encoder(f"table:{series_keyed}")
    assert by_series.encode(CT).tolist() == [5.0]
    assert encode_patient(Patient("any", imaging=(CT,)), by_series).vectors.tolist() == [[5.0]]
    with pytest.raises(InputError, match=r"phantom-MR: t\.csv has no row for it"):
        by_series.encode(MR)
    patient_keyed = csv_of(tmp_path, "patient_id,a\n01,5\n", "p.csv")
    by_patient = load_image_encoder(f"table:{patient_keyed}")
    assert encode_patient(Patient("01"), by_patient).vectors.tolist() == [[5.0]]
    assert encode_patient(Patient("1"), by_patient).vectors.shape == (0, 1)  # "01" is not 1
    with pytest.raises(InputError, match="is keyed by patient"):
        by_patient.encode(CT)


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ("patient_id,a\np,1\np,2\n", "1 keys stand in it more than once, first patient p"),
        ("patient_id,series_uid,a\np,s,1\np,s,1\n", "first patient p, series s"),
        ("patient_id,a,b\np,1,\n", r"1 cells are empty, NaN or infinite, first row 1 \(patient p\), column 'b'"),
        ("patient_id,a\np,nan\nq,1\n", "1 cells are empty, NaN"),
        ("patient_id,a\np,inf\n", "1 cells are empty, NaN or infinite"),
        ("patient_id,a\np,high\nq,1\n", "1 cells are empty, NaN"),
        ("patient_id,a,site\np,1,lung\n", "column 'site' holds no numbers"),
        ("patient_id,a,b\np,1,2\nq,1\n", "line 3 has 2 cells, its header 3"),
        ("patient_id,a,a\np,1,2\n", "column 'a' more than once"),
        ("a,b\n1,2\n", "neither patient_id nor series_uid"),
        ("patient_id,modality\np,CT\n", "no feature columns"),
        ("patient_id,a\n,1\n", "row 1 has no patient_id"),
        ("patient_id,a\n", "has no rows"),
        ("", "is empty"),
    ],
)
def test_tables_that_cannot_be_trusted_are_refused(tmp_path, text, match):
    with pytest.raises(InputError, match=match):
        read_feature_table(csv_of(tmp_path, text))


def test_npz_is_checked_and_never_unpickled(tmp_path):
    path = tmp_path / "t.npz"
    np.savez(path, features=np.zeros((2, 3)), patient_id=np.array(["p"]))
    with pytest.raises(InputError, match=r"features is \(2, 3\), but there are 3 names and keys of {'patient_id': 1}"):
        read_feature_table(path)
    np.savez(path, features=np.array([{}]), patient_id=np.array(["p"]))
    with pytest.raises(InputError, match="not an NPZ file of plain arrays"):
        read_feature_table(path)
    path.write_text("no")
    with pytest.raises(InputError, match="not an NPZ file"):
        read_feature_table(path)


def test_other_files_and_a_card_that_does_not_belong_are_refused(tmp_path):
    with pytest.raises(SettingsError, match=r"ends in \.csv, \.parquet, \.npz"):
        read_feature_table(tmp_path / "t.xlsx")
    with pytest.raises(InputError, match=r"t\.csv is not there"):
        read_feature_table(tmp_path / "t.csv")
    table = csv_of(tmp_path, "patient_id,a\np,1\n")
    for text, match in (('{"card": {"width": 1}, "rows": 2}', "do not belong together"), ("{", "is damaged")):
        (tmp_path / "t.csv.card.json").write_text(text)
        with pytest.raises(InputError, match=match):
            load_image_encoder(f"table:{table}")


def test_a_table_that_changed_since_its_first_use_is_reported(tmp_path, monkeypatch):
    monkeypatch.setenv("RADOMICA_HOME", str(tmp_path / "home"))
    table = csv_of(tmp_path, "patient_id,a\np,1\n")
    assert check_golden(load_image_encoder(f"table:{table}")).recorded_now
    csv_of(tmp_path, "patient_id,a\np,2\n")
    (line,) = check_golden(load_image_encoder(f"table:{table}")).differences
    assert line.startswith("weights_sha256 was")


def test_nothing_to_write_is_said(tmp_path, encoded):
    with pytest.raises(InputError, match="no table to write"):
        write_feature_table(tmp_path / "t.csv", [], encoded[1], {})
