"""A server over the stand-in chain with the hand-made case's report done; one for a test file."""

from __future__ import annotations

import io
import time
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from types import SimpleNamespace

import pytest
from fastapi.testclient import TestClient

from app import workbench
from app.api import make_app
from app.settings import Settings
from assistant.evidence import Ledger
from assistant.report import Report
from encoders.patient import Note, Patient, SourceLocator
from encoders.prediction import PatientPrediction
from retrieval.notes import note_passages
from retrieval.passage import Hit, Passage, Query

DEMO = "demo-synthetic"


@pytest.fixture(scope="session")
def zipped() -> Callable[..., bytes]:
    """Makes a zip of small files: name=text."""

    def make(**members: str) -> bytes:
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w") as made:
            for name, content in members.items():
                made.writestr(name, content)
        return buffer.getvalue()

    return make


@pytest.fixture(scope="session")
def ended() -> Callable[..., dict]:
    """Waits for a job's end and gives it."""
    return _ended


def _ended(client: TestClient, job_id: str, **options: object) -> dict:
    """The job when it has ended."""
    end = time.monotonic() + 90
    while time.monotonic() < end:
        job = client.get(f"/v1/reports/{job_id}", **options).json()
        if job["state"] in ("done", "failed", "cancelled"):
            return job
        time.sleep(0.1)
    raise AssertionError(f"job {job_id} did not end")


@pytest.fixture(scope="module")
def module_patch() -> Iterator[pytest.MonkeyPatch]:
    with pytest.MonkeyPatch.context() as patch:
        yield patch


@pytest.fixture(scope="module")
def served(
    install_chain: Callable[..., None],
    module_patch: pytest.MonkeyPatch,
    tmp_path_factory: pytest.TempPathFactory,
    patient: Patient,
    prediction: PatientPrediction,
    report: Report,
) -> Iterator[TestClient]:
    """A client of the API, the demo case's report done."""
    install_chain(module_patch)
    noted = replace(patient, notes=(NOTE,))
    context = SimpleNamespace(patient=noted, prediction=prediction, ledger=Ledger(report.evidence))
    module_patch.setattr(workbench, "open_case", lambda folder, **_: context)
    module_patch.setattr("encoders.predict.predict", lambda patient, **_: prediction)
    module_patch.setattr("retrieval.search.add_notes", lambda patient: 0)
    module_patch.setattr("retrieval.search.search", found)
    settings = Settings(home=tmp_path_factory.mktemp("home"))
    with TestClient(make_app(settings, with_page=False)) as client:
        _ended(client, client.get("/v1/reports").json()["reports"][0]["id"])
        yield client


NOTE = Note("Has smoked 20 cigarettes a day for 30 years.", SourceLocator("notes/a.txt", "line 1"))


def found(query: Query) -> tuple[Hit, ...]:
    """A guideline passage; with a patient also his note and one of another case with the same patient id."""
    guideline = Passage("p1", "Stage III NSCLC", "Osimertinib after CRT.", "Osimertinib.", "Summary", pmid="38828946")
    (own,) = note_passages(Patient(query.patient_id or "nobody", notes=(NOTE,)))
    own = replace(own, passage_id="n1")
    other = replace(own, passage_id="n2", text="A note of somebody else's case.")
    return tuple(Hit(p, 0.5, {}) for p in ((guideline, own, other) if query.patient_id else (guideline,)))[: query.k]


@pytest.fixture(scope="module")
def job_id(served: TestClient) -> str:
    """The demo case's finished report."""
    return served.get(f"/v1/cases/{DEMO}").json()["latest_report"]
