"""A case from upload to deletion: exported whole, deleted whole, and nothing of it in a log. Models are stand-ins."""

from __future__ import annotations

import json
import logging
import warnings
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest
from pydicom import dcmread
from pydicom.data import get_testdata_file

from app import workbench as workbench_module
from app.settings import Settings
from app.workbench import Workbench
from encoders.errors import InputError, UnavailableError
from eval.retrieval_made import WordEmbedder
from retrieval.knowledge_add import add_file
from retrieval.knowledge_record import Details
from retrieval.knowledge_store import KnowledgeStore

NEEDLES = ("Quillfeather", "zanzibar-grey cough", "qf-4471", "Overridden because quinoa", "is my rating tangerine")
PATIENT = "QF-PATIENT-9"


@pytest.fixture
def bench(fake_chain: Callable[..., None], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Workbench]:
    fake_chain()
    patient = SimpleNamespace(patient_id=PATIENT)
    monkeypatch.setattr(workbench_module, "open_case", lambda folder, progress: SimpleNamespace(patient=patient))
    monkeypatch.setenv("RADOMICA_KNOWLEDGE", str(tmp_path / "home" / "knowledge"))
    made = Workbench(Settings(home=tmp_path / "home"))
    made.start(with_demo=False)
    yield made
    made.stop()


def worked_on(bench: Workbench, archive: Path) -> str:
    """A case that was uploaded, reported, reviewed, asked about and rated; its id."""
    case = bench.files.add_zip(archive, title="Quillfeather, Jo")
    job = list(bench.wait_progress(bench.submit(case.case_id, idempotency_key="once")["id"], heartbeat_s=5))[-1]
    assert job["state"] == "done"
    bench.review(job["id"], "therapy-1", "override", "Overridden because quinoa")
    bench.feedback(case.case_id, "What of Quillfeather?", "zanzibar-grey cough", "down", "is my rating tangerine")
    bench.audit_log.append("local", "ask", case_id=case.case_id)
    return case.case_id


@pytest.fixture
def archive(made_zip: Callable[..., Path]) -> Path:
    return made_zip("a.zip", **{"p__qf-4471.txt": "Jo Quillfeather has a zanzibar-grey cough.", "p__same.txt": "same"})


def holding(folder: Path, needles: tuple[str, ...]) -> list[str]:
    """Files and names under a folder that hold a needle, in any case."""
    found = []
    for path in folder.rglob("*"):
        content = path.read_bytes().lower() if path.is_file() else b""
        found += [
            f"{path.name}: {n}" for n in needles if n.lower().encode() in content or n.lower() in path.name.lower()
        ]
    return found


def test_a_deleted_case_leaves_no_trace_but_the_line_that_it_was_deleted(
    bench: Workbench, archive: Path, made_zip: Callable[..., Path], tmp_path: Path
) -> None:
    case_id = worked_on(bench, archive)
    other = bench.files.add_zip(made_zip("b.zip", **{"p__same.txt": "same"}), title="Other")
    document = tmp_path / "letter.md"
    document.write_text("# Letter\n\nThe zanzibar-grey cough of Quillfeather was seen again in the clinic today.\n")
    store = KnowledgeStore(tmp_path / "home" / "knowledge", patient_id=PATIENT)
    add_file(store, document, WordEmbedder(), Details())
    assert len({f.split(": ")[1] for f in holding(tmp_path / "home", NEEDLES)}) == len(NEEDLES)

    done = bench.delete_case(case_id, by="anna")

    assert holding(tmp_path / "home", NEEDLES) == []
    assert (done["files"], done["blobs"], done["reports"], done["documents"]) == (2, 1, 1, 1)
    assert not bench.has_case(case_id) and bench.jobs() == () and (bench.files.patient_folder(other.case_id)).is_dir()
    lines = [(e.caller, e.action) for e in bench.audit_log.entries(case_id=case_id)]
    assert lines == [("local", "ask"), ("anna", "delete")] and bench.audit_log.verify().faults == ()
    with pytest.raises(InputError, match="no case"):
        bench.delete_case(case_id)


def test_documents_of_a_patient_whom_another_case_holds_stay(bench: Workbench, archive: Path, tmp_path: Path) -> None:
    first, second = worked_on(bench, archive), bench.files.add_zip(archive, title="again").case_id
    bench.context(second)
    document = tmp_path / "letter.md"
    document.write_text("# Letter\n\nSeen again in the clinic today, and everything is as it was before.\n")
    add_file(KnowledgeStore(tmp_path / "home" / "knowledge", patient_id=PATIENT), document, WordEmbedder(), Details())
    done = bench.delete_case(first)
    assert (done["documents"], done["documents_kept"], done["blobs"]) == (0, 1, 0)
    assert bench.delete_case(second)["documents"] == 1


def test_a_folder_that_names_another_users_patient_is_not_opened(bench: Workbench, archive: Path) -> None:
    """Documents added for a patient are found by the id the files name: anybody could name it."""
    held = bench.files.add_zip(archive, title="A", owner="ann")
    bench.context(held.case_id)
    named = bench.files.add_zip(archive, title="B", owner="ben")
    with pytest.raises(InputError, match="another user's case"):
        bench.context(named.case_id)
    again = bench.files.add_zip(archive, title="C", owner="ann")
    assert bench.context(again.case_id).patient.patient_id == PATIENT


def test_a_deletion_cut_off_goes_on_at_the_next_start(bench: Workbench, archive: Path, tmp_path: Path) -> None:
    case_id = worked_on(bench, archive)
    bench.files.kept.begin_delete(case_id)  # and then the kill
    assert not bench.has_case(case_id)
    bench.stop()
    again = Workbench(Settings(home=tmp_path / "home"))
    again.start(with_demo=False)
    again.stop()
    assert holding(tmp_path / "home", NEEDLES) == []
    assert [e.action for e in again.audit_log.entries(case_id=case_id)] == ["ask", "delete"]


def test_an_export_holds_everything_of_the_case(bench: Workbench, archive: Path) -> None:
    case_id = worked_on(bench, archive)
    path = bench.export_case(case_id)
    with zipfile.ZipFile(path) as made:
        names = {n.replace(bench.jobs()[0]["id"], "JOB") for n in made.namelist()}
        held = {n: made.read(n).decode() for n in made.namelist() if n.endswith((".json", ".jsonl", ".txt"))}
    assert names == {
        "case.json", "files/qf-4471.txt", "files/same.txt", "feedback.json", "audit.jsonl", "reports/JOB/job.json",
        "reports/JOB/reviews.json", "reports/JOB/report.json", "reports/JOB/report.html",
    }  # fmt: skip
    assert json.loads(held["feedback.json"])[0]["rating"] == "down"
    assert json.loads(held["case.json"])["identity_check"]["files"]
    assert '"override"' in next(v for n, v in held.items() if n.endswith("reviews.json"))
    assert json.loads(held["audit.jsonl"].splitlines()[0])["action"] == "ask"


def test_two_servers_cannot_share_a_home(bench: Workbench, tmp_path: Path) -> None:
    with pytest.raises(UnavailableError, match="another radomica serve"):
        Workbench(Settings(home=tmp_path / "home")).start(with_demo=False)


def test_no_patient_text_reaches_a_log(
    bench: Workbench, archive: Path, made_zip: Callable[..., Path], monkeypatch: pytest.MonkeyPatch, caplog, capfd,
    tmp_path: Path,
) -> None:  # fmt: skip
    """A whole session with its failures: a bad zip, a bug in the report writer, a DICOM file with odd values."""

    def bug(*args: object, **kwargs: object) -> None:
        raise ValueError("Quillfeather has a zanzibar-grey cough")

    with caplog.at_level(logging.DEBUG), warnings.catch_warnings(record=True) as warned:
        case_id = worked_on(bench, archive)
        monkeypatch.setattr(workbench_module, "write_report", bug)
        failed = list(bench.wait_progress(bench.submit(case_id)["id"], heartbeat_s=5))[-1]
        bad = made_zip("bad.zip", **{"..__Quillfeather.txt": "x"})
        with pytest.raises(InputError):
            bench.files.add_zip(bad, title="Quillfeather")
        odd = dcmread(get_testdata_file("CT_small.dcm"))
        odd.PatientName, odd.PatientID = "Quillfeather^Jo", "qf-4471"
        odd.save_as(tmp_path / "odd.dcm")
        raw = (tmp_path / "odd.dcm").read_bytes().replace(b"qf-4471", b"qf-\xff\xfe71")
        with zipfile.ZipFile(tmp_path / "odd.zip", "w") as made:
            made.writestr("qf-4471/odd.dcm", raw)
        bench.files.add_zip(tmp_path / "odd.zip", title="odd")
        for logger in ("uvicorn.error", "radomica"):
            logging.getLogger(logger).error("request failed", exc_info=ValueError("Quillfeather"))
        bench.delete_case(case_id)
        bench.stop()
    assert failed["state"] == "failed" and "Quillfeather" not in failed["error"]
    said = caplog.text + "".join(capfd.readouterr()) + "".join(str(w.message) for w in warned)
    assert "ValueError at" in said
    assert [n for n in (*NEEDLES, PATIENT) if n.lower() in said.lower()] == []


@pytest.mark.parametrize(
    ("arguments", "rule"),
    [
        (("therapy-1", "maybe", "why"), "allowed: accept, edit, override"),
        (("therapy-1", "override", " "), "needs a reason"),
        (("therapy-1", "edit", "why"), "edit needs the new text"),
        (("therapy-1", "accept", "", "text"), "only edit takes one"),
        (("no id\n", "accept", ""), "claim id"),
        (("therapy-1", "override", "x" * 20_001), "at most 20000"),
    ],
)
def test_a_review_that_says_too_little_is_refused(bench: Workbench, archive: Path, arguments, rule: str) -> None:
    job = bench.submit(bench.files.add_zip(archive, title="a").case_id)
    with pytest.raises(InputError, match=rule):
        bench.review(job["id"], *arguments)
    assert bench.reviews(job["id"]) == ()


def test_reviews_and_feedback_outlive_the_server(bench: Workbench, archive: Path, tmp_path: Path) -> None:
    case_id = worked_on(bench, archive)
    job_id = bench.jobs()[0]["id"]
    bench.review(job_id, "therapy-2", "edit", "wrong line", "second line", by="anna")
    again = Workbench(Settings(home=tmp_path / "home"))
    assert [(r["claim_id"], r["decision"], r["by"]) for r in again.reviews(job_id)] == [
        ("therapy-1", "override", "local"), ("therapy-2", "edit", "anna"),
    ]  # fmt: skip
    assert again.feedbacks(case_id)[0]["comment"] == "is my rating tangerine"
    assert again.job(job_id)["state"] == "done"


def test_a_deidentified_upload_keeps_no_name(bench: Workbench, made_zip: Callable[..., Path], tmp_path: Path) -> None:
    archive = made_zip("c.zip", **{"p__n.txt": "Patient name: Jo Quillfeather\nhas a cough.\n"})
    case = bench.files.add_zip(archive, title="c", deidentify=True)
    assert "[name]" in (bench.files.patient_folder(case.case_id) / "n.txt").read_text(encoding="utf-8")
    assert holding(tmp_path / "home", ("Quillfeather",)) == []
    assert bench.identity_check(case.case_id)["deidentified"]["changed"]["names"] == 1
