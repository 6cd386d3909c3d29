"""An evidence opens the lines it rests on, of the patient's own folder alone; each file's outcome is told."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from app.file_outcomes import file_outcomes
from app.source_lines import source_excerpt
from encoders.errors import InputError

MAF = "# made by hand\nHugo_Symbol\tHGVSp_Short\nTP53\tp.R273H\nEGFR\tp.L858R\nKRAS\tp.G12C\n"


def evidence(file: str, place: str = "", quote: str = "") -> dict[str, Any]:
    return {"id": "M1", "source": {"file": file, "place": place}, "fields": {"quote": {"display": quote}}}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    inside = tmp_path / "patient"
    inside.mkdir()
    (inside / "somatic.maf").write_text(MAF, encoding="utf-8")
    (inside / "note.txt").write_text("Clinic note\n\nNever smoked.\nECOG 1 today.\n", encoding="utf-8")
    bundle = {"resourceType": "Bundle", "entry": [{"resource": {"resourceType": "Observation", "id": "ecog", "v": 1}}]}
    (inside / "record.json").write_text(json.dumps(bundle), encoding="utf-8")
    (inside / "scan.bin").write_bytes(b"\0\1\2")
    (tmp_path / "secret.txt").write_text("line\nof another case\n", encoding="utf-8")
    return inside


def test_a_row_opens_with_its_header(folder: Path) -> None:
    found = source_excerpt(evidence("somatic.maf", "line 4"), folder)
    assert [(line.number, line.hit) for line in found.lines] == [(n, n == 4) for n in (1, 2, 3, 4, 5)]
    assert found.lines[3].text == "EGFR\tp.L858R"


def test_a_quoted_sentence_is_found_in_its_note(folder: Path) -> None:
    found = source_excerpt(evidence("note.txt", quote="ECOG 1  today."), folder)
    assert [line.text for line in found.lines if line.hit] == ["ECOG 1 today."]


def test_a_record_opens_its_own_entry(folder: Path) -> None:
    found = source_excerpt(evidence("record.json", "Observation/ecog"), folder)
    assert json.loads("\n".join(line.text for line in found.lines))["id"] == "ecog"


@pytest.mark.parametrize("name", ["../secret.txt", "/etc/hostname", "", "gone.txt"])
def test_nothing_outside_the_folder_is_shown(folder: Path, name: str) -> None:
    with pytest.raises(InputError, match="not read from a file of this case"):
        source_excerpt(evidence(name), folder)


def test_what_is_not_text_is_named_not_shown(folder: Path) -> None:
    found = source_excerpt(evidence("scan.bin"), folder)
    assert found.lines == () and "not a text file" in found.about


def test_each_file_has_an_outcome_and_slices_are_one_row(folder: Path) -> None:
    (folder / "ct").mkdir()
    for n in range(5):
        (folder / "ct" / f"{n}.dcm").write_bytes(b"\0" * 128 + b"DICM" + b"\0" * 200)
    skipped = ("scan.bin: not a known format", "FHIR: 2 other Condition(s) not used")
    rows = {r.name: r for r in file_outcomes(folder, skipped)}
    assert (rows["ct/"].files, rows["ct/"].read_as, rows["ct/"].outcome) == (5, "DICOM", "read")
    assert (rows["scan.bin"].outcome, rows["scan.bin"].reason) == ("skipped", "not a known format")
    assert (rows["note.txt"].read_as, rows["note.txt"].outcome) == ("text", "read")
    assert (rows["FHIR"].outcome, rows["FHIR"].reason) == ("note", "2 other Condition(s) not used")


def test_a_damaged_file_is_told_with_the_reason(folder: Path) -> None:
    (folder / "empty.dcm").touch()
    found = next(r for r in file_outcomes(folder, ()) if r.name == "empty.dcm")
    assert found.outcome == "skipped" and "0 bytes" in found.reason
