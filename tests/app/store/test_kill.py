"""kill -9 while cases are uploaded and reports are queued: nothing acknowledged is lost, every job ends.

The report writer is a stub; files, database and queue are the real ones. The real server is killed by
`radomica eval server --only crash`.
"""

from __future__ import annotations

import multiprocessing
import os
import random
import signal
import time
import zipfile
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import app.deidentify  # noqa: F401  what the child needs is loaded before it is forked
import encoders.read.sniff  # noqa: F401
from app.audit import AuditLog
from app.case_files import CaseFiles
from app.report_jobs import ENDED, ReportJobs
from app.store.database import Database
from app.store.work import Work

UPLOADS, MOST_A_LIFE, LONGEST_WAIT_S = 50, 7, 0.04
ASKED = {"seed": 0, "llm": "stub", "owner": "local"}


def slow_report(files: CaseFiles) -> Callable[[dict[str, Any], Callable[[str], None]], None]:
    def write(job: dict[str, Any], progress: Callable[[str], None]) -> None:
        for step in range(3):
            progress(f"step {step}")
            time.sleep(0.01)
        folder = files.report_folder(job["case_id"], job["id"])
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "report.json").write_text("{}", encoding="utf-8")

    return write


def serve(home: Path, zips: list[Path], first: int, said: Connection) -> None:
    """The child: starts as the server does, then uploads and submits until it is killed; says what it acknowledged."""
    database = Database(home)
    files = CaseFiles(home, database)
    files.sweep()
    jobs = ReportJobs(Work(database), slow_report(files))
    jobs.start()
    log = AuditLog(database)
    said.send(("ready",))
    for number in range(first, UPLOADS):
        case = files.add_zip(zips[number % len(zips)], title=f"case {number}")
        said.send(("case", case.case_id, number))
        job = jobs.add(case.case_id, **ASKED, idempotency_key=f"key-{number}")
        said.send(("job", job["id"], number))
        log.append("local", "upload", case_id=case.case_id)
        time.sleep(random.uniform(0, 0.03))
    said.send(("all",))
    time.sleep(60)


def life(home: Path, zips: list[Path], first: int, rng: random.Random) -> list[tuple[Any, ...]]:
    """One server: started, killed a random moment after it acknowledged some uploads; all it acknowledged."""
    ours, theirs = multiprocessing.Pipe(duplex=False)
    child = multiprocessing.get_context("fork").Process(target=serve, args=(home, zips, first, theirs), daemon=True)
    child.start()
    theirs.close()
    wanted, told = min(rng.randint(1, MOST_A_LIFE), UPLOADS - first), []
    while sum(t[0] == "case" for t in told) < wanted:
        assert ours.poll(60), "the server to be killed does nothing"
        told.append(ours.recv())
    time.sleep(rng.uniform(0, LONGEST_WAIT_S))
    os.kill(child.pid, signal.SIGKILL)
    child.join()
    try:
        while True:
            told.append(ours.recv())
    except (EOFError, OSError):
        return told


def test_fifty_uploads_and_jobs_under_random_kills(tmp_path: Path) -> None:
    home, rng = tmp_path / "home", random.Random(7)
    zips = []
    for number in range(5):  # the same content comes again, so blobs are shared
        zips.append(tmp_path / f"{number}.zip")
        with zipfile.ZipFile(zips[-1], "w") as made:
            made.writestr("patient/note.txt", f"note of patient {number} " * 50)
            made.writestr("patient/shared.txt", "the same in every case")
    Database(home).close()
    cases: dict[str, int] = {}
    jobs: set[str] = set()
    lives = inside = 0
    while len(cases) < UPLOADS:
        told = life(home, zips, len(cases), rng)
        cases |= {t[1]: t[2] for t in told if t[0] == "case"}
        jobs |= {t[1] for t in told if t[0] == "job"}
        lives += 1
        inside += told[-1][0] != "all"
    assert lives >= 7 and inside >= lives - 1

    database = Database(home)
    files = CaseFiles(home, database)
    files.sweep()
    queue = ReportJobs(Work(database), slow_report(files))
    queue.start()
    end = time.monotonic() + 30
    while any(j["state"] not in ENDED for j in queue.jobs()) and time.monotonic() < end:
        time.sleep(0.05)
    known = {j["id"]: j for j in queue.jobs()}
    queue.stop()
    assert jobs <= set(known)
    assert {j["state"] for j in known.values()} <= {"done", "failed"}
    assert all(j["error"] for j in known.values() if j["state"] == "failed")
    assert set(cases) <= {c.case_id for c in files.cases()}
    for case_id, number in cases.items():
        note = files.patient_folder(case_id) / "note.txt"
        assert note.read_text(encoding="utf-8").startswith(f"note of patient {number % 5} ")
        assert sum(1 for line in files.kept.files(case_id) if files.blobs.path(line.sha256).is_file()) == 2
    assert not any(files.incoming_folder.glob("*"))
    assert len(set(files.blobs.hashes())) == 6
    assert AuditLog(database).verify().faults == ()
