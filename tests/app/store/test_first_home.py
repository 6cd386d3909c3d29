"""A home of the first form, with case.json and job.json files, is taken over once and whole."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from app.case_files import CaseFiles
from app.store.database import Database
from app.store.first_home import import_first_home
from app.store.work import Work
from encoders.errors import InputError, UnavailableError

CASE = {"case_id": "case-0a", "title": "Old", "created": "2026-01-02T10:00:00+00:00", "origin": "upload",
        "synthetic": False}  # fmt: skip


@pytest.fixture
def old_home(tmp_path: Path) -> Path:
    folder = tmp_path / "home" / "cases" / "case-0a"
    (folder / "case-0a" / "notes").mkdir(parents=True)
    (folder / "case-0a" / "notes" / "n.txt").write_text("a note", encoding="utf-8")
    (folder / "case.json").write_text(json.dumps(CASE), encoding="utf-8")
    for number, state in enumerate(("done", "running", "submitted")):
        job = {"id": f"report-{number}", "case_id": "case-0a", "state": state, "progress": "", "error": None,
               "created": f"2026-01-02T1{number}:00:00.000+00:00", "seed": number, "llm": "embedded"}  # fmt: skip
        report = folder / "reports" / job["id"]
        report.mkdir(parents=True)
        (report / "job.json").write_text(json.dumps(job), encoding="utf-8")
        (report / "report.json").write_text('{"x": 1}', encoding="utf-8")
    return tmp_path / "home"


def test_nothing_of_it_is_lost_and_it_happens_once(old_home: Path) -> None:
    database = Database(old_home)
    files = CaseFiles(old_home, database)
    assert import_first_home(files) == 1
    assert import_first_home(files) == 0
    case = files.case("case-0a")
    assert (case.title, case.created, case.owner) == ("Old", CASE["created"], "local")
    assert (files.patient_folder("case-0a") / "notes" / "n.txt").read_text(encoding="utf-8") == "a note"
    assert [(j["id"], j["state"], j["starts"], j["seed"]) for j in Work(database).jobs()] == [
        ("report-0", "done", 0, 0), ("report-1", "running", 1, 1), ("report-2", "submitted", 0, 2),
    ]  # fmt: skip
    assert (files.report_folder("case-0a", "report-0") / "report.json").is_file()
    files.sweep()
    assert [f.name for f in files.kept.files("case-0a")] == ["notes/n.txt"]


def test_a_patient_folder_that_is_lost_is_made_again(old_home: Path) -> None:

    files = CaseFiles(old_home, Database(old_home))
    import_first_home(files)
    shutil.rmtree(old_home / "cases" / "case-0a" / "case-0a")
    assert (files.patient_folder("case-0a") / "notes" / "n.txt").read_text(encoding="utf-8") == "a note"


def test_a_damaged_case_is_named_and_left_as_it_is(old_home: Path) -> None:
    path = old_home / "cases" / "case-0a" / "case.json"
    path.write_text("{", encoding="utf-8")
    with pytest.raises(InputError, match=r"case\.json: not readable as JSON"):
        import_first_home(CaseFiles(old_home, Database(old_home)))
    assert path.read_text(encoding="utf-8") == "{"


def test_the_files_of_another_database_are_never_swept(files: CaseFiles, made_zip, tmp_path: Path) -> None:
    case = files.add_zip(made_zip(a="1"), title="a")
    with pytest.raises(UnavailableError, match="another database"):
        CaseFiles(files.home, Database(tmp_path / "elsewhere")).sweep()
    with pytest.raises(UnavailableError, match="another database"):  # nothing was ever swept here, and there are files
        files.sweep()
    assert len(list(files.blobs.hashes())) == 1 and (files.patient_folder(case.case_id) / "a").is_file()


def test_a_sweep_removes_what_no_case_names(files: CaseFiles, made_zip) -> None:
    files.sweep()
    case = files.add_zip(made_zip(a="1"), title="a")
    lost = files.blobs.path("ab" * 32)
    lost.parent.mkdir(parents=True)
    lost.write_bytes(b"of an upload that was killed")
    (files.folder / "case-killed").mkdir()
    (files.incoming_folder / "new-x").mkdir(parents=True)
    assert files.sweep() == 2
    assert not lost.exists() and not files.incoming_folder.exists()
    assert (files.patient_folder(case.case_id) / "a").read_text(encoding="utf-8") == "1"
