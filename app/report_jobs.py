"""The queue of report jobs: one worker, each job's state on disk, changes told to whoever waits.

A job is a dict: {id, case_id, owner, state: submitted | running | done | failed | cancelled, progress, error, created,
seed, llm, starts}. After a kill, what was submitted is queued again and what was running is started once more; a job
that was cut off twice fails and says so. Not known here: how a report is written (app/workbench.py).
"""

from __future__ import annotations

import logging
import queue
import secrets
import threading
from collections.abc import Callable, Iterator
from typing import Any

from app.quiet_errors import frames_of
from app.store.tables import now
from app.store.work import Work
from encoders.errors import InputError, RadomicaError

LOG = logging.getLogger("radomica")

ENDED = ("done", "failed", "cancelled")
MAX_STARTS = 2
"""A job that was running when the server was killed is started once more, then no more."""

HEARTBEAT_S = 15.0
"""A waiting reader hears of a job at least this often, so that one who has left is noticed."""

BUG = "this is a bug in Radomica; the server's log says where"
CUT_OFF = (
    "the server stopped twice while this report was written; ask again, and see the server's log if it stops again"
)
CANCELLED = "cancelled by its reader"

Progress = Callable[[str], None]


class _CancelledError(Exception):
    """Raised out of a job's own progress call."""


class ReportJobs:
    """Jobs of one home; ``run(job, progress)`` writes a report or raises."""

    def __init__(self, work: Work, run: Callable[[dict[str, Any], Progress], None]) -> None:
        self._work, self._run_one = work, run
        self._changed = threading.Condition()
        self._jobs = {j["id"]: j for j in work.jobs()}
        self._cancelled: set[str] = set()
        self._queue: queue.Queue[str | None] = queue.Queue()
        self._worker: threading.Thread | None = None
        self._running: str | None = None

    def jobs(self) -> tuple[dict[str, Any], ...]:
        """Every job, oldest first."""
        with self._changed:
            return tuple(dict(j) for j in sorted(self._jobs.values(), key=lambda j: j["created"]))

    def job(self, job_id: str) -> dict[str, Any] | None:
        """One job, or None."""
        with self._changed:
            return dict(self._jobs[job_id]) if job_id in self._jobs else None

    def add(
        self, case_id: str, *, seed: int, llm: str, owner: str, idempotency_key: str | None = None
    ) -> dict[str, Any]:
        """Queue a report; on disk when this returns. Raises what Work.add_job raises."""
        asked = {
            "id": f"report-{secrets.token_hex(6)}", "case_id": case_id, "owner": owner, "state": "submitted",
            "progress": "waiting", "error": None, "created": now(), "seed": seed, "llm": llm, "starts": 0,
        }  # fmt: skip
        job = self._work.add_job(asked, idempotency_key=idempotency_key)
        if job["id"] != asked["id"]:
            return self.job(job["id"]) or job
        with self._changed:
            self._jobs[job["id"]] = dict(job)
            self._changed.notify_all()
        self._queue.put(job["id"])
        return job

    def cancel(self, job_id: str) -> dict[str, Any]:
        """Give up a job: at once where it waits, at its next step where it runs; an ended one stays as it is.

        Raises
        ------
        InputError: no such job.
        """
        with self._changed:
            job = self._jobs.get(job_id)
            if job is None:
                raise InputError(f"no report {job_id[:80]!r}; GET /v1/reports lists what is here.")
            if job["state"] == "submitted":
                self._change(job_id, state="cancelled", progress="cancelled", error=CANCELLED)
            elif job["state"] == "running":
                self._cancelled.add(job_id)
                job["progress"] = "cancelling"
                self._changed.notify_all()
            return dict(self._jobs[job_id])

    def changes(self, job_id: str, *, heartbeat_s: float = HEARTBEAT_S) -> Iterator[dict[str, Any]]:
        """The job now and after each change, until it has ended; the same again where nothing changed for a while.

        Raises
        ------
        InputError: no such job.
        """
        if self.job(job_id) is None:
            raise InputError(f"no report {job_id[:80]!r}; GET /v1/reports lists what is here.")
        told: dict[str, Any] | None = None
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._jobs.get(job_id) != told, timeout=heartbeat_s)  # noqa: B023
                job = dict(self._jobs[job_id]) if job_id in self._jobs else None
            if job is None:  # its case was deleted
                return
            yield job
            told = job
            if job["state"] in ENDED:
                return

    def start(self) -> None:
        """Take up what an earlier server left, and start the worker."""
        if self._worker is not None:
            return
        self._recover()
        _log_jobs_by_place()
        self._worker = threading.Thread(target=self._work_on, name="radomica-reports", daemon=True)
        self._worker.start()

    def stop(self, *, wait_s: float = 5.0) -> None:
        """Let the worker end after the job it is at; one that takes longer is put back and started again next time."""
        if self._worker is None:
            return
        self._queue.put(None)
        self._worker.join(timeout=wait_s)
        self._worker = None
        with self._changed:
            cut = self._running
            if cut is not None and self._jobs[cut]["state"] == "running":
                self._work.change_job(cut, state="submitted", starts=self._jobs[cut]["starts"] - 1)

    def forget_case(self, case_id: str, *, wait_s: float = 60.0) -> bool:
        """Drop the jobs of a case being deleted; False where one still runs after ``wait_s``."""
        mine = [j["id"] for j in self.jobs() if j["case_id"] == case_id]
        for job_id in mine:
            self.cancel(job_id)
        with self._changed:
            ended = self._changed.wait_for(lambda: self._running not in mine, timeout=wait_s)
            if ended:
                for job_id in mine:
                    self._jobs.pop(job_id, None)
            self._changed.notify_all()
        return ended

    def _recover(self) -> None:
        """Jobs from disk: the submitted wait again, the running are started once more or failed."""
        with self._changed:
            self._jobs = {j["id"]: j for j in self._work.jobs()}
            for job in sorted(self._jobs.values(), key=lambda j: j["created"]):
                if job["state"] == "running" and job["starts"] >= MAX_STARTS:
                    self._change(job["id"], state="failed", error=CUT_OFF)
                elif job["state"] in ("submitted", "running"):
                    self._change(job["id"], state="submitted", progress="waiting, after a restart of the server")
                    self._queue.put(job["id"])

    def _work_on(self) -> None:
        while (job_id := self._queue.get()) is not None:
            # A thread per job: an unforeseen error ends that thread, and the worker goes on.
            one = _JobThread(target=self._take, args=(job_id,), name=job_id, daemon=True)
            one.start()
            one.join()

    def _take(self, job_id: str) -> None:
        with self._changed:
            job = self._jobs.get(job_id)
            if job is None or job["state"] != "submitted":
                return
            self._running = job_id
            self._change(job_id, state="running", progress="starting", starts=job["starts"] + 1)
            job = dict(job)
        ending = {"state": "failed", "error": BUG}
        try:
            self._run_one(job, self._progress(job_id))
            ending = {"state": "done", "progress": "done"}
        except _CancelledError:
            ending = {"state": "cancelled", "progress": "cancelled", "error": CANCELLED}
        except RadomicaError as error:
            ending = {"state": "failed", "error": str(error)}
        finally:  # anything else goes on to the thread's own report, and the job still says that it failed
            with self._changed:
                self._running = None
                self._cancelled.discard(job_id)
                self._change(job_id, **ending)

    def _progress(self, job_id: str) -> Progress:
        def say(text: str) -> None:
            with self._changed:
                if job_id in self._cancelled:
                    raise _CancelledError
                self._jobs[job_id]["progress"] = text
                self._changed.notify_all()

        return say

    def _change(self, job_id: str, **fields: Any) -> None:
        """Change a job on disk, then for its readers; the condition is held."""
        self._work.change_job(job_id, **fields)
        if job_id in self._jobs:
            self._jobs[job_id] |= fields
        self._changed.notify_all()


def _log_jobs_by_place() -> None:
    """Make it so for the whole process; other threads are reported as before."""
    global _hook_before  # noqa: PLW0603  the process has one hook
    if threading.excepthook is not _log_by_place:
        _hook_before = threading.excepthook
        threading.excepthook = _log_by_place


def _log_by_place(args: threading.ExceptHookArgs) -> None:
    """An unforeseen error of a job, logged by where it came from, never by its words: they may be a patient's."""
    if args.thread is not None and isinstance(args.thread, _JobThread):
        LOG.error("%s failed: %s", args.thread.name, frames_of(args.exc_value))
    else:
        _hook_before(args)


class _JobThread(threading.Thread):
    """The thread of one job."""


_hook_before = threading.excepthook
