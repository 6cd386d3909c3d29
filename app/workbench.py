"""What the page and the API share: stored cases, one worker that writes reports, and the chat about a case.

One background thread writes one report at a time; its state is on disk, so a restart lists every job.
Not known here: HTTP (app/api.py) or widgets (app/chat_page.py).
"""

from __future__ import annotations

import json
import logging
import queue
import secrets
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from app.case_files import CaseFiles, StoredCase
from app.make_report import open_case, open_judge, open_llm, write_demo_case, write_report
from app.settings import Settings
from encoders.errors import InputError, RadomicaError

if TYPE_CHECKING:
    from assistant.pipeline import CaseContext

LOG = logging.getLogger("radomica")

OPEN_CASES = 4
"""Prepared cases kept in memory for the chat; the least used one goes first."""

DEMO_CASE = "demo-synthetic"
MAX_QUESTION = 2000


class Workbench:
    """Cases, report jobs and chat of one home folder. A job is a dict:

    {id, case_id, state: submitted | running | done | failed, progress, error, created, seed, llm}
    """

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.files = CaseFiles(settings.cases)
        self._jobs: dict[str, dict[str, Any]] = {}
        self._queue: queue.Queue[str | None] = queue.Queue()
        self._contexts: OrderedDict[str, CaseContext] = OrderedDict()
        self._marks: dict[str, str] = {}  # case -> state of the added documents when it was prepared
        self._llm: Any = None
        self._judge: Any = None
        self._preparing = threading.Lock()
        self._state = threading.Lock()
        self._worker: threading.Thread | None = None
        self._read_jobs()

    def start(self, *, with_demo: bool = True) -> None:
        """Start the worker; with ``with_demo`` the demo case is made first when there is none."""
        if self._worker is None:
            self._worker = threading.Thread(target=self._work, name="radomica-reports", daemon=True)
            self._worker.start()
        if with_demo and self.latest_report(DEMO_CASE) is None and not self._pending(DEMO_CASE):
            self.submit(DEMO_CASE)

    def stop(self) -> None:
        """Let the worker end after the job it is at."""
        if self._worker is not None:
            self._queue.put(None)
            self._worker.join(timeout=5)
            self._worker = None

    def cases(self) -> tuple[StoredCase, ...]:
        """Every stored case."""
        return self.files.cases()

    def jobs(self) -> tuple[dict[str, Any], ...]:
        """Every job, oldest first."""
        with self._state:
            return tuple(dict(j) for j in sorted(self._jobs.values(), key=lambda j: j["created"]))

    def job(self, job_id: str) -> dict[str, Any] | None:
        """One job, or None."""
        with self._state:
            return dict(self._jobs[job_id]) if job_id in self._jobs else None

    def submit(self, case_id: str, *, seed: int = 0) -> dict[str, Any]:
        """Queue a report of a stored case.

        Raises
        ------
        InputError: no such case.
        """
        if case_id != DEMO_CASE and self.files.case(case_id) is None:
            raise InputError(f"no case {case_id!r}; GET /v1/cases lists what is here.")
        job = {
            "id": f"report-{secrets.token_hex(6)}",
            "case_id": case_id,
            "state": "submitted",
            "progress": "waiting",
            "error": None,
            "created": datetime.now(UTC).isoformat(timespec="milliseconds"),
            "seed": seed,
            "llm": self.settings.llm,
        }
        with self._state:
            self._jobs[job["id"]] = job
        if self.files.case(case_id) is not None:
            self.files.write_job(job)
        self._queue.put(job["id"])
        return dict(job)

    def latest_report(self, case_id: str) -> dict[str, Any] | None:
        """The newest finished job of a case, or None."""
        done = [j for j in self.jobs() if j["case_id"] == case_id and j["state"] == "done"]
        return done[-1] if done else None

    def report_json(self, job: Mapping[str, Any]) -> dict[str, Any]:
        """report.json of a finished job."""
        path = self.files.report_folder(job["case_id"], job["id"]) / "report.json"
        return json.loads(path.read_text(encoding="utf-8"))

    def report_html(self, job: Mapping[str, Any]) -> str:
        """report.html of a finished job."""
        return (self.files.report_folder(job["case_id"], job["id"]) / "report.html").read_text(encoding="utf-8")

    def ask(
        self, case_id: str, question: str, history: Sequence[tuple[str, str]] = (), *, reliance: bool = False
    ) -> Iterator[Any]:
        """Stream the ChatEvents that answer a question about a case; ``reliance`` as assistant.chat.answer takes it.

        Raises
        ------
        InputError: no such case, or a question that is empty or over 2,000 characters.
        """
        asked = self.check_question(case_id, question)
        from assistant.chat import answer  # noqa: PLC0415  the models load with it

        case, model, judge = self.context(case_id), self.llm(), self.judge()
        return answer(asked, case, model, history=tuple(history), judge=judge, reliance=reliance)

    def check_question(self, case_id: str, question: str) -> str:
        """The question trimmed, if it may be asked; raises InputError."""
        asked = question.strip()
        if not asked or len(asked) > MAX_QUESTION:
            raise InputError(f"the question has {len(asked)} characters; allowed: 1 to {MAX_QUESTION}.")
        if self.files.case(case_id) is None:
            raise InputError(f"no case {case_id!r}; GET /v1/cases lists what is here.")
        return asked

    def context(self, case_id: str, *, progress: Callable[[str], None] | None = None) -> CaseContext:
        """The prepared case; read and encoded on first use, then kept until documents are added or removed."""
        with self._preparing:
            from retrieval.added_documents import documents_mark  # noqa: PLC0415  the models load with it

            mark = documents_mark()
            if case_id in self._contexts and self._marks.get(case_id) == mark:
                self._contexts.move_to_end(case_id)
                return self._contexts[case_id]
            made = open_case(self.files.patient_folder(case_id), progress=progress or LOG.debug)
            self._contexts[case_id], self._marks[case_id] = made, mark
            self._contexts.move_to_end(case_id)
            while len(self._contexts) > OPEN_CASES:
                self._contexts.popitem(last=False)
            return made

    def llm(self) -> Any:
        """The configured model, opened on first use."""
        with self._state:
            if self._llm is None:
                self._llm = open_llm(self.settings)
            return self._llm

    def judge(self) -> Any:
        """The NLI judge of the settings, opened on first use; None where none is asked for."""
        with self._state:
            if self._judge is None:
                self._judge = open_judge(self.settings)
            return self._judge

    def _pending(self, case_id: str) -> bool:
        return any(j["case_id"] == case_id and j["state"] in ("submitted", "running") for j in self.jobs())

    def _read_jobs(self) -> None:
        """Jobs from disk; what a stop cut off is failed, not forgotten."""
        for job in self.files.jobs():
            if job["state"] in ("submitted", "running"):
                job |= {"state": "failed", "error": "the server stopped before this report was written; ask again"}
                self.files.write_job(job)
            self._jobs[job["id"]] = job

    def _work(self) -> None:
        while (job_id := self._queue.get()) is not None:
            # A thread per job: an unforeseen error ends that thread, is logged by Python, and the worker goes on.
            one = threading.Thread(target=self._run, args=(job_id,), name=job_id, daemon=True)
            one.start()
            one.join()

    def _run(self, job_id: str) -> None:
        job = self.job(job_id)
        if job is None:
            return
        case_id = job["case_id"]
        failure = "this is a bug in Radomica; the server's log says where"
        try:
            self._change(job_id, state="running", progress="starting")
            if case_id == DEMO_CASE and self.files.case(case_id) is None:
                self._progress(job_id)("writing a synthetic patient")
                self.files.add_written(
                    lambda folder: write_demo_case(folder, seed=0), title="Demo patient (synthetic)", case_id=case_id
                )
            self._progress(job_id)("opening the language model")
            llm = self.llm()
            context = self.context(case_id, progress=self._progress(job_id))
            folder = self.files.report_folder(case_id, job_id)
            write_report(context, llm, folder, seed=job["seed"], progress=self._progress(job_id), judge=self.judge())
            failure = ""
            self._change(job_id, state="done", progress="done")
        except RadomicaError as error:
            failure = str(error)
        finally:  # anything else goes on to Python's own thread report, and the job still says that it failed
            if failure:
                self._change(job_id, state="failed", error=failure)

    def _progress(self, job_id: str) -> Callable[[str], None]:
        def say(text: str) -> None:
            with self._state:
                self._jobs[job_id]["progress"] = text

        return say

    def _change(self, job_id: str, **fields: Any) -> None:
        with self._state:
            self._jobs[job_id] |= fields
            job = dict(self._jobs[job_id])
        if self.files.case(job["case_id"]) is not None:
            self.files.write_job(job)
