"""A synthetic patient written to disk and read back, and its report by the real pipeline with a scripted model."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from assistant.collect import collect_evidence
from assistant.llm.chat_model import ChatRequest
from assistant.llm.scripted import ScriptedModel
from assistant.pipeline import CaseContext, run
from assistant.report import Report
from encoders.measure import measure_patient
from encoders.patient import Patient
from encoders.prediction import PatientPrediction
from encoders.read.folder import read_patient
from encoders.synthetic.cohort import sample_case, write_case
from retrieval.corpus.builtin import load_therapy_rows
from retrieval.passage import Retrieved
from retrieval.therapy_rows import match_rows

RADIOLOGY = Path(__file__).parents[3].parent / "shared/data/open/radiology"
Made = dict[str, Any]


@pytest.fixture
def radiology() -> Path:
    """The folder of shared real images; tests that need it skip where it is absent."""
    if not RADIOLOGY.is_dir():
        pytest.skip("the shared real images are not beside this repository")
    return RADIOLOGY


@pytest.fixture(scope="session")
def case_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A lung cancer patient with CT, PET and their SEGs, omics, record and notes."""
    folder = tmp_path_factory.mktemp("case")
    write_case(sample_case(0, 4711, "LUAD"), folder)
    return folder


@pytest.fixture(scope="session")
def make_report(prediction: PatientPrediction) -> Callable[[Patient], Made]:
    """A patient -> what report.json holds, as the pipeline writes it when the model quotes its evidence.

    The survival prediction is the hand-made one; measurements, evidence, therapies and checks are real.
    """

    def honest(request: ChatRequest) -> str:
        return json.dumps({"claims": [{"text": texts[i], "citations": [i]} for i in request.allowed_ids]})

    texts: dict[str, str] = {}

    def make(patient: Patient) -> Made:
        survival = replace(prediction, predictions=prediction.predictions[:1], attributions=(),
                           measurements=measure_patient(patient))  # fmt: skip
        retrieved = Retrieved((), match_rows(patient, load_therapy_rows()), ())
        ledger = collect_evidence(patient, survival, retrieved)
        texts.update({e.id: e.text for e in ledger})
        context = CaseContext(patient, survival, retrieved, ledger)
        return json.loads(json.dumps(run(context, ScriptedModel([honest], repeat_last=True)).to_dict()))

    return make


@pytest.fixture(scope="session")
def real(case_folder: Path, make_report: Callable[[Patient], Made]) -> Made:
    """report.json of the patient in ``case_folder``."""
    return make_report(read_patient(case_folder))


@pytest.fixture(scope="session")
def hand(report: Report) -> Made:
    """report.json of the hand-made case: every kind of evidence, hostile texts, pictures, a withheld claim."""
    return json.loads(json.dumps(report.to_dict()))


@pytest.fixture(scope="session")
def bare(bare_report: Report) -> Made:
    """report.json with one fact and nothing else."""
    return json.loads(json.dumps(bare_report.to_dict()))
