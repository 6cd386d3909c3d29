"""Cases on disk: a zip cannot leave its folder, ids cannot be paths, a failed add leaves nothing."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest

from app.case_files import CaseFiles
from app.store.database import Database
from encoders.errors import InputError


@pytest.fixture
def files(tmp_path: Path) -> CaseFiles:
    return CaseFiles(tmp_path / "home", Database(tmp_path / "home"))


def make_zip(path: Path, **members: str) -> Path:
    with zipfile.ZipFile(path, "w") as made:
        for name, content in members.items():
            made.writestr(name.replace("__", "/"), content)
    return path


def test_a_zip_becomes_a_case_and_its_outer_folder_is_dropped(files: CaseFiles, tmp_path: Path) -> None:
    archive = make_zip(tmp_path / "a.zip", **{"patient__record.json": "{}", "patient__notes__n.txt": "x"})
    case = files.add_zip(archive, title="A patient")
    folder = files.patient_folder(case.case_id)
    assert sorted(str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file()) == [
        "notes/n.txt",
        "record.json",
    ]
    assert files.cases() == (case,) and files.case(case.case_id) == case


@pytest.mark.parametrize("name", ["../outside.txt", "/absolute.txt", "a/../../outside.txt"])
def test_a_member_that_leaves_the_folder_is_refused_and_nothing_stays(
    files: CaseFiles, tmp_path: Path, name: str
) -> None:
    archive = tmp_path / "evil.zip"
    with zipfile.ZipFile(archive, "w") as made:
        made.writestr(zipfile.ZipInfo(name), "x")
    with pytest.raises(InputError, match="leave the folder"):
        files.add_zip(archive, title="evil")
    assert files.cases() == ()
    assert not (tmp_path / "home" / "outside.txt").exists()
    assert not list((tmp_path / "home" / "incoming").iterdir()) and not (tmp_path / "home" / "cases").exists()


def test_a_file_that_is_no_zip_is_refused(files: CaseFiles, tmp_path: Path) -> None:
    (tmp_path / "a.zip").write_text("not a zip", encoding="utf-8")
    with pytest.raises(InputError, match="not a readable zip"):
        files.add_zip(tmp_path / "a.zip", title="a")


def test_an_empty_zip_is_refused(files: CaseFiles, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="holds no files"):
        files.add_zip(make_zip(tmp_path / "a.zip"), title="a")


@pytest.mark.parametrize("bad", ["..", "../x", "A B", "/etc", "x" * 80, ""])
def test_an_id_is_never_a_path(files: CaseFiles, bad: str) -> None:
    with pytest.raises(InputError, match="not allowed"):
        files.case(bad)


def test_a_written_case_is_made_once(files: CaseFiles) -> None:
    calls: list[Path] = []
    for _ in range(2):
        files.add_written(calls.append, title="Demo", case_id="demo-synthetic")
    assert len(calls) == 1
    assert files.case("demo-synthetic").synthetic
