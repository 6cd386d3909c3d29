"""Report jobs: what a kill leaves is taken up again, once; cancel, follow, submit twice."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from app.report_jobs import ENDED, ReportJobs
from app.store.cases import Cases, StoredCase
from app.store.database import Database
from app.store.tables import now
from app.store.work import Work
from encoders.errors import InputError

ASKED = {"seed": 0, "llm": "embedded", "owner": "local"}


@pytest.fixture
def work(database: Database) -> Work:
    Cases(database).add(StoredCase("case-a", "A", now(), "upload"), ())
    return Work(database)


@pytest.fixture
def started(work: Work) -> Iterator[Callable[..., ReportJobs]]:
    """Starts a queue whose jobs run ``run``; all are stopped after the test."""
    made: list[ReportJobs] = []

    def start(run: Callable[..., Any] = lambda job, progress: None) -> ReportJobs:
        jobs = ReportJobs(work, run)
        jobs.start()
        made.append(jobs)
        return jobs

    yield start
    for jobs in made:
        jobs.stop()


def ended(jobs: ReportJobs, job_id: str) -> dict[str, Any]:
    return list(jobs.changes(job_id, heartbeat_s=5))[-1]


def left_by_a_kill(work: Work, *, state: str, starts: int) -> str:
    """A job as a killed server leaves it on disk."""
    job = {"id": f"report-{state}-{starts}", "case_id": "case-a", "state": state, "progress": "", "error": None,
           "created": now(), "starts": starts, **ASKED}  # fmt: skip
    return work.add_job(job)["id"]


@pytest.mark.parametrize(("state", "starts"), [("submitted", 0), ("running", 1)])
def test_a_job_cut_off_is_taken_up_again(work: Work, started, state: str, starts: int) -> None:
    job_id = left_by_a_kill(work, state=state, starts=starts)
    job = ended(started(), job_id)
    assert job["state"] == "done" and job["starts"] == starts + 1
    assert work.jobs()[0] == job


def test_a_job_cut_off_twice_fails_and_says_so(work: Work, started) -> None:
    job_id = left_by_a_kill(work, state="running", starts=2)
    job = started().job(job_id)
    assert job["state"] == "failed" and "stopped twice" in job["error"]


def test_a_stop_in_the_middle_puts_the_job_back(work: Work, started) -> None:
    go_on = threading.Event()
    jobs = started(lambda job, progress: go_on.wait(20))
    job = jobs.add("case-a", **ASKED)
    while jobs.job(job["id"])["state"] != "running":
        time.sleep(0.01)
    jobs.stop(wait_s=0.05)
    assert (work.jobs()[0]["state"], work.jobs()[0]["starts"]) == ("submitted", 0)
    go_on.set()


def test_every_change_is_told_and_the_last_is_the_end(started) -> None:
    step = threading.Event()

    def run(job: dict[str, Any], progress: Callable[[str], None]) -> None:
        for text in ("reading", "writing"):
            step.wait(10)
            progress(text)
            time.sleep(0.05)

    jobs = started(run)
    job = jobs.add("case-a", **ASKED)
    told = []
    for change in jobs.changes(job["id"], heartbeat_s=5):
        told.append(change["progress"])
        step.set()
    assert told[-3:] == ["reading", "writing", "done"]


def test_a_waiting_reader_hears_of_a_silent_job(started) -> None:
    go_on = threading.Event()
    jobs = started(lambda job, progress: go_on.wait(20))
    heard = jobs.changes(jobs.add("case-a", **ASKED)["id"], heartbeat_s=0.02)
    states = [next(heard)["state"] for _ in range(5)]
    assert states[-1] == "running" and states.count("running") > 1
    go_on.set()


def test_cancel_ends_a_waiting_job_at_once_and_a_running_one_at_its_next_step(work: Work, started) -> None:
    begun, go_on = threading.Event(), threading.Event()

    def run(job: dict[str, Any], progress: Callable[[str], None]) -> None:
        begun.set()
        go_on.wait(20)
        progress("the next step")

    jobs = started(run)
    running, waiting = jobs.add("case-a", **ASKED), jobs.add("case-a", **ASKED)
    begun.wait(10)
    assert jobs.cancel(waiting["id"])["state"] == "cancelled"
    assert jobs.cancel(running["id"])["progress"] == "cancelling"
    go_on.set()
    assert ended(jobs, running["id"])["state"] == "cancelled"
    assert {j["state"] for j in work.jobs()} == {"cancelled"}
    assert jobs.cancel(running["id"])["state"] == "cancelled"
    with pytest.raises(InputError, match="no report"):
        jobs.cancel("report-none")


def test_the_same_key_gives_the_same_job_and_never_another_request(started) -> None:
    jobs = started()
    first = jobs.add("case-a", **ASKED, idempotency_key="k")
    assert jobs.add("case-a", **ASKED, idempotency_key="k")["id"] == first["id"]
    assert jobs.add("case-a", **{**ASKED, "owner": "anna"}, idempotency_key="k")["id"] != first["id"]
    with pytest.raises(InputError, match="another request"):
        jobs.add("case-a", **{**ASKED, "seed": 7}, idempotency_key="k")
    assert len(jobs.jobs()) == 2


def test_a_bug_fails_the_job_and_the_log_has_its_place_and_not_its_words(started, caplog) -> None:
    def run(job: dict[str, Any], progress: Callable[[str], None]) -> None:
        raise KeyError("DOE^JANE")

    jobs = started(run)
    with caplog.at_level(logging.ERROR, logger="radomica"):
        job = ended(jobs, jobs.add("case-a", **ASKED)["id"])
        jobs.stop()
    assert job["state"] == "failed" and "bug" in job["error"]
    assert "KeyError at test_jobs.py" in caplog.text and "DOE" not in caplog.text


def test_a_job_of_no_case_is_refused(started) -> None:
    with pytest.raises(InputError, match="no case"):
        started().add("case-none", **ASKED)


def test_the_states_a_job_ends_in() -> None:
    assert set(ENDED) == {"done", "failed", "cancelled"}


def test_deleting_a_case_drops_its_jobs(started) -> None:
    go_on = threading.Event()

    def run(job: dict[str, Any], progress: Callable[[str], None]) -> None:
        go_on.wait(20)
        progress("on")

    jobs = started(run)
    job = jobs.add("case-a", **ASKED)
    while jobs.job(job["id"])["state"] != "running":
        time.sleep(0.01)
    assert not jobs.forget_case("case-a", wait_s=0.05)
    go_on.set()
    assert jobs.forget_case("case-a", wait_s=10) and jobs.jobs() == ()
