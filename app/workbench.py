"""What the page and the API share: stored cases, the queue that writes reports, and the chat about a case.

Everything acknowledged is on disk: cases, jobs, reviews, feedback, the audit log.
Not known here: HTTP (app/api.py), widgets (app/chat_page.py), who may do what (app/access.py asks ``may_use``).
"""

from __future__ import annotations

import gc
import json
import re
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from filelock import FileLock, Timeout

from app.access import Caller, local_caller
from app.audit import AuditLog
from app.case_delete import purge_case
from app.case_export import write_case_zip
from app.case_files import CASE_ID, CaseFiles, StoredCase
from app.make_report import open_case, open_judge, open_llm, write_demo_case, write_report
from app.quiet_errors import keep_values_out_of_logs
from app.report_jobs import HEARTBEAT_S, Progress, ReportJobs
from app.settings import Settings
from app.store.database import Database
from app.store.first_home import import_first_home
from app.store.people import People
from app.store.tables import LOCAL
from app.store.work import Work
from encoders.errors import InputError, UnavailableError

if TYPE_CHECKING:
    from assistant.pipeline import CaseContext

OPEN_CASES = 4
"""Prepared cases kept in memory for the chat; the least used one goes first."""

DEMO_CASE = "demo-synthetic"
MAX_QUESTION, MAX_WORDS = 2000, 20_000
DECISIONS = ("accept", "edit", "override")
RATINGS = ("up", "down")
CLAIM_ID = re.compile(r"[\w.:-]{1,80}")


class Workbench:
    """Cases, report jobs and chat of one home folder. For the form of a job see app/report_jobs.py."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.database = Database(settings.home, settings.database_url)
        self.files = CaseFiles(settings.home, self.database)
        self.people = People(self.database)
        self.audit_log = AuditLog(self.database)
        self._work = Work(self.database)
        self.files.claim()
        import_first_home(self.files)
        self._jobs = ReportJobs(self._work, self._write)
        self._contexts: OrderedDict[str, CaseContext] = OrderedDict()
        self._marks: dict[str, str] = {}  # case -> state of the added documents when it was prepared
        self._llm: Any = None
        self._judge: Any = None
        self._preparing = threading.Lock()
        self._state = threading.Lock()
        self._one_server = FileLock(settings.home / "server.lock")
        self._settled = False  # whether the collector was told to leave alone what stays

    def start(self, *, with_demo: bool = True) -> None:
        """Start the worker; with ``with_demo`` the demo case is made first when there is none.

        Raises
        ------
        UnavailableError: another server uses this home.
        """
        try:
            self.settings.home.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._one_server.acquire(timeout=0)
        except Timeout as error:
            raise UnavailableError(
                "another radomica serve uses this data home; stop it, or give this one its own RADOMICA_HOME."
            ) from error
        keep_values_out_of_logs()
        for case_id in self.files.kept.being_deleted():
            self._purge(case_id)
        self.files.sweep()
        self._jobs.start()
        if with_demo and self.latest_report(DEMO_CASE) is None and not self._pending(DEMO_CASE):
            self.submit(DEMO_CASE)

    def stop(self) -> None:
        """Let the worker end after the job it is at, and give back the home."""
        self._jobs.stop()
        self._one_server.release()

    def caller(self) -> Caller:
        """The local user of this machine, for code that no request calls."""
        return local_caller(self.audit_log)

    def cases(self, caller: Caller | None = None) -> tuple[StoredCase, ...]:
        """Every stored case; with ``caller`` those that the caller may see."""
        return self.files.kept.cases(None if caller is None or caller.local else caller.name)

    def has_case(self, case_id: str) -> bool:
        """Whether there is such a case; any text may be asked."""
        return bool(CASE_ID.fullmatch(case_id)) and self.files.case(case_id) is not None

    def may_use(self, caller: Caller, case_id: str, *, write: bool = False) -> bool:
        """Whether the case is there and the caller's to use; any text may be asked."""
        if not self.has_case(case_id):
            return False
        return caller.local or self.files.kept.may_use(caller.name, case_id, write=write)

    def jobs(self) -> tuple[dict[str, Any], ...]:
        """Every job, oldest first."""
        return self._jobs.jobs()

    def job(self, job_id: str) -> dict[str, Any] | None:
        """One job, or None."""
        return self._jobs.job(job_id)

    def submit(
        self, case_id: str, *, seed: int = 0, owner: str = LOCAL, idempotency_key: str | None = None
    ) -> dict[str, Any]:
        """Queue a report of a stored case; on disk when this returns. The same key of the same owner: the same job.

        Raises
        ------
        InputError: no such case; the key was used for another request.
        """
        if case_id == DEMO_CASE and self.files.case(case_id) is None:
            self.files.add_empty_demo(case_id, title="Demo patient (synthetic)")  # its job writes it: seconds
        if self.files.case(case_id) is None:
            raise InputError(f"no case {case_id!r}; GET /v1/cases lists what is here.")
        return self._jobs.add(case_id, seed=seed, llm=self.settings.llm, owner=owner, idempotency_key=idempotency_key)

    def cancel(self, job_id: str) -> dict[str, Any]:
        """Give up a job: at once where it waits, at its next step where it runs; raises InputError for none such."""
        return self._jobs.cancel(job_id)

    def wait_progress(self, job_id: str, *, heartbeat_s: float = HEARTBEAT_S) -> Iterator[dict[str, Any]]:
        """The job now and after each change until it has ended; the same again every ``heartbeat_s`` without one."""
        return self._jobs.changes(job_id, heartbeat_s=heartbeat_s)

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

    def review(
        self, job_id: str, claim_id: str, decision: str, reason: str, text: str | None = None, *, by: str = LOCAL
    ) -> dict[str, Any]:
        """Keep what a person decided about one claim: accept, edit (with the new ``text``) or override.

        Raises
        ------
        InputError: no such report; another decision; an edit without text; an edit or override without reason.
        """
        if self.job(job_id) is None:
            raise InputError(f"no report {job_id[:80]!r}; GET /v1/reports lists what is here.")
        if decision not in DECISIONS:
            raise InputError(f"decision {decision[:40]!r} is not known; allowed: {', '.join(DECISIONS)}.")
        if not CLAIM_ID.fullmatch(claim_id):
            raise InputError("the claim id is not one; take it from the report.")
        if decision != "accept" and not reason.strip():
            raise InputError(f"{decision} needs a reason; say why in a few words.")
        if (decision == "edit") != bool(text and text.strip()):
            raise InputError("edit needs the new text, and only edit takes one.")
        _check_length(reason, text or "")
        kept = {"decision": decision, "reason": reason.strip(), "text": text, "by": by}
        return self._work.add_review(job_id, claim_id, kept)

    def reviews(self, job_id: str) -> tuple[dict[str, Any], ...]:
        """Every decision on a report's claims, oldest first."""
        return self._work.reviews(job_id)

    def feedback(
        self, case_id: str, question: str, answer: str, rating: str, comment: str = "", by: str = LOCAL
    ) -> None:
        """Keep thumbs up or down on one answer.

        Raises
        ------
        InputError: no such case, another rating, or a text over 20,000 characters.
        """
        if not self.has_case(case_id):
            raise InputError(f"no case {case_id[:80]!r}; GET /v1/cases lists what is here.")
        if rating not in RATINGS:
            raise InputError(f"rating {rating[:40]!r} is not known; allowed: {', '.join(RATINGS)}.")
        _check_length(question, answer, comment)
        kept = {"question": question, "answer": answer, "rating": rating, "comment": comment, "by": by}
        self._work.add_feedback(case_id, kept)

    def feedbacks(self, case_id: str) -> tuple[dict[str, Any], ...]:
        """All feedback about a case, oldest first."""
        return self._work.feedback(case_id)

    def answered(self, owner: str, key: str, request: str) -> str | None:
        """The result kept for this caller, Idempotency-Key and request; InputError where the request is another."""
        return self._work.answered(owner, key, request)

    def remember(self, owner: str, key: str, request: str, *, case_id: str, result_id: str) -> None:
        """Keep the result of a request under its caller's Idempotency-Key."""
        self._work.remember(owner, key, request, case_id=case_id, result_id=result_id)

    def identity_check(self, case_id: str) -> dict[str, Any] | None:
        """What the check of names, dates and burned-in text found at import: counts, never values."""
        return self.files.kept.identity_check(case_id)

    def export_case(self, case_id: str) -> Path:
        """A zip of everything kept of a case: files, reports, reviews, feedback, its lines of the audit log.

        The caller deletes it when it is sent; the next start would.

        Raises
        ------
        InputError: no such case.
        """
        if not self.has_case(case_id):
            raise InputError(f"no case {case_id[:80]!r}; GET /v1/cases lists what is here.")
        jobs = [j for j in self.jobs() if j["case_id"] == case_id]
        reviews = {j["id"]: self.reviews(j["id"]) for j in jobs}
        return write_case_zip(
            self.files, case_id, jobs=jobs, reviews=reviews, feedback=self.feedbacks(case_id),
            audit=self.audit_log.entries(case_id=case_id), identity_check=self.identity_check(case_id),
        )  # fmt: skip

    def delete_case(self, case_id: str, *, by: str = LOCAL) -> dict[str, Any]:
        """Delete a case wholly: files, reports, reviews, added documents of its patient, what is in memory.

        The audit log keeps that it was deleted, by whom, and how many files. Documents of a patient whom another
        case holds too stay, and the answer says so. Deletion that a kill cuts off goes on at the next start.

        Raises
        ------
        InputError: no such case. UnavailableError: its report is still being written; it goes when that has ended.
        """
        if not self.has_case(case_id):
            raise InputError(f"no case {case_id[:80]!r}; GET /v1/cases lists what is here.")
        self.files.kept.begin_delete(case_id)
        if not self._jobs.forget_case(case_id):
            raise UnavailableError("a report of this case is still being written; it is deleted at the next start.")
        return self._purge(case_id, by=by)

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
            options = {} if self.settings.images else {"images": False}
            made = open_case(self.files.patient_folder(case_id), progress=progress or _silent, **options)
            self._note_patient(case_id, made)
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

    def _note_patient(self, case_id: str, context: CaseContext) -> None:
        """Keep whose files these are: what is deleted with the case is found by this id.

        Raises
        ------
        InputError: another user's case is of this patient. Documents added for a patient are found by the id its files
        name, so a folder that names somebody else's patient would read them.
        """
        patient = getattr(context, "patient", None)
        if patient is None:
            return
        if self.files.kept.held_by_another(case_id, patient.patient_id):
            raise InputError(
                "another user's case is of the patient these files name; ask for access to it (radomica user grant), "
                "or give this patient an id of its own."
            )
        if self.files.kept.patient_id(case_id) != patient.patient_id:
            self.files.kept.set_patient_id(case_id, patient.patient_id)

    def _purge(self, case_id: str, *, by: str = LOCAL) -> dict[str, Any]:
        with self._preparing:
            self._contexts.pop(case_id, None)
            self._marks.pop(case_id, None)
        return purge_case(self.files, self.database, self.audit_log, case_id, by=by)

    def _pending(self, case_id: str) -> bool:
        return any(j["case_id"] == case_id and j["state"] in ("submitted", "running") for j in self.jobs())

    def _write(self, job: dict[str, Any], progress: Progress) -> None:
        """Write one report."""
        if job["case_id"] == DEMO_CASE and not self.files.kept.files(DEMO_CASE):
            progress("writing a synthetic patient")
            self.files.fill_demo(DEMO_CASE, lambda folder: write_demo_case(folder, seed=0))
        progress("opening the language model")
        llm = self.llm()
        context = self.context(job["case_id"], progress=progress)
        folder = self.files.report_folder(job["case_id"], job["id"])
        write_report(context, llm, folder, seed=job["seed"], progress=progress, judge=self.judge())
        if not self._settled:
            self._settled = True
            gc.freeze()  # models and libraries stay; a collector that looks through them stops every thread


def _check_length(*texts: str) -> None:
    longest = max(map(len, texts))
    if longest > MAX_WORDS:
        raise InputError(f"a text has {longest} characters; allowed: at most {MAX_WORDS}.")


def _silent(_: str) -> None:
    """Progress nobody asked for; it may name a patient's files, so it is not logged."""
