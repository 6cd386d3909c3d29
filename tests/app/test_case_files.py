"""Cases on disk: a zip cannot leave its folder, ids cannot be paths, a failed add leaves nothing."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest

from app.case_files import CaseFiles
from encoders.errors import InputError


def make_zip(path: Path, **members: str) -> Path:
    with zipfile.ZipFile(path, "w") as made:
        for name, content in members.items():
            made.writestr(name.replace("__", "/"), content)
    return path


def test_a_zip_becomes_a_case_and_its_outer_folder_is_dropped(tmp_path: Path) -> None:
    files = CaseFiles(tmp_path / "cases")
    archive = make_zip(tmp_path / "a.zip", **{"patient__record.json": "{}", "patient__notes__n.txt": "x"})
    case = files.add_zip(archive, title="A patient")
    folder = files.patient_folder(case.case_id)
    assert sorted(str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file()) == [
        "notes/n.txt",
        "record.json",
    ]
    assert files.cases() == (case,) and files.case(case.case_id) == case


@pytest.mark.parametrize("name", ["../outside.txt", "/absolute.txt", "a/../../outside.txt"])
def test_a_member_that_leaves_the_folder_is_refused_and_nothing_stays(tmp_path: Path, name: str) -> None:
    archive = tmp_path / "evil.zip"
    with zipfile.ZipFile(archive, "w") as made:
        made.writestr(zipfile.ZipInfo(name), "x")
    files = CaseFiles(tmp_path / "home" / "cases")
    with pytest.raises(InputError, match="leave the folder"):
        files.add_zip(archive, title="evil")
    assert files.cases() == ()
    assert not (tmp_path / "home" / "outside.txt").exists()
    assert list((tmp_path / "home" / "cases").iterdir()) == []


def test_a_file_that_is_no_zip_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.zip").write_text("not a zip", encoding="utf-8")
    with pytest.raises(InputError, match="not a readable zip"):
        CaseFiles(tmp_path / "cases").add_zip(tmp_path / "a.zip", title="a")


def test_an_empty_zip_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="holds no files"):
        CaseFiles(tmp_path / "cases").add_zip(make_zip(tmp_path / "a.zip"), title="a")


@pytest.mark.parametrize("bad", ["..", "../x", "A B", "/etc", "x" * 80, ""])
def test_an_id_is_never_a_path(tmp_path: Path, bad: str) -> None:
    with pytest.raises(InputError, match="not allowed"):
        CaseFiles(tmp_path).case(bad)


def test_a_written_case_is_made_once(tmp_path: Path) -> None:
    files, calls = CaseFiles(tmp_path / "cases"), []
    for _ in range(2):
        files.add_written(calls.append, title="Demo", case_id="demo-synthetic")
    assert len(calls) == 1
    assert files.case("demo-synthetic").synthetic
