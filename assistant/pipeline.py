"""The pipeline: one patient -> predict -> retrieve -> collect -> write and check each section -> report.

What this module does not know: how a prompt is worded (prompt.py), what makes a claim true (grounding.py), how a
section is rescued when the model fails (section_writer.py), what the report looks like (app/render/).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TypeVar

from assistant.collect import collect_evidence
from assistant.evidence import Ledger
from assistant.figures import build_figures
from assistant.grounding_judge import NliJudge, judge_versions
from assistant.key_slices import with_key_slices
from assistant.llm.chat_model import ChatModel
from assistant.reliance import measure_reliance
from assistant.report import SECTION_TITLES, Report
from assistant.report_identity import collect_versions, collect_warnings, content_id
from assistant.report_tables import (
    contradiction_table,
    missing_table,
    neighbour_table,
    prediction_table,
    similar_table,
    therapy_table,
)
from assistant.section_writer import SectionWriter
from encoders.patient import Patient, images_off
from encoders.prediction import PatientPrediction
from retrieval.passage import Retrieved

Progress = Callable[[str], None]
_T = TypeVar("_T")


@dataclass(frozen=True)
class CaseContext:
    """Everything known of one case before a language model is asked; the chat starts from it too.

    timings_s : seconds of each step that made it
    """

    patient: Patient
    prediction: PatientPrediction
    retrieved: Retrieved
    ledger: Ledger
    timings_s: Mapping[str, float] = field(default_factory=dict)


def prepare_case(patient: Patient, *, use_proposed: bool = False, progress: Progress | None = None) -> CaseContext:
    """Predict, retrieve and collect: the ledger of one patient.

    use_proposed : the networks also read series whose lesion only software outlined (encoders/lesion_candidates.py);
        every prediction that rests on one says so

    Raises
    ------
    UnavailableError: weights or the knowledge files are not there
    """
    from encoders.lesion_candidates import propose_lesions, with_proposed  # noqa: PLC0415
    from encoders.predict import predict  # noqa: PLC0415  loads torch; the report tables need neither
    from retrieval.search import retrieve  # noqa: PLC0415

    clock = _Clock(progress)
    if use_proposed:
        patient = with_proposed(patient, clock.step("propose lesions", lambda: propose_lesions(patient)))
    prediction = clock.step("predict", lambda: predict(patient))
    retrieved = clock.step("retrieve", lambda: retrieve(patient, prediction))
    ledger = clock.step("collect", lambda: collect_evidence(patient, prediction, retrieved))
    return CaseContext(patient, prediction, retrieved, ledger, clock.seconds)


def run(
    context_or_patient: CaseContext | Patient,
    llm: ChatModel,
    *,
    seed: int = 0,
    reliance: bool = False,
    judge: NliJudge | None = None,
    progress: Progress | None = None,
) -> Report:
    """Write the checked report of one case.

    Parameters
    ----------
    context_or_patient : a prepared case, or a patient to prepare first
    llm : any backend; nothing it writes is printed unchecked
    seed : handed to the backend
    reliance : also measure how the image-based statements follow the image (a few more seconds)
    judge : a second reader of each claim that passed the rules; what it withholds is counted and gives its reason

    Raises
    ------
    LLMUnreachableError: the backend's server does not answer
    """
    given = context_or_patient
    context = given if isinstance(given, CaseContext) else prepare_case(given, progress=progress)
    clock = _Clock(progress)
    cut_before = judge.premises_cut if judge is not None else 0
    llm = with_key_slices(llm, context.patient, context.prediction)
    soft = llm.soft_tokens(context.prediction.embeddings) if context.prediction.embeddings is not None else ()
    writer = SectionWriter(context.ledger, llm, soft, seed=seed, judge=judge)
    clock.step("ask the model", writer.ask_first)
    sections = tuple(clock.step(f"section {name}", lambda name=name: writer.write(name)) for name in SECTION_TITLES)
    figures = clock.step("figures", lambda: build_figures(context.patient, context.prediction, context.retrieved))
    relied = (
        clock.step("reliance", lambda: measure_reliance(context, llm, seed=seed, progress=progress).to_dict())
        if reliance
        else {}
    )
    versions = {**collect_versions(context, llm), **judge_versions(judge, cut_before)}
    return Report(
        report_id=content_id(context.patient.patient_id, versions, sections, context.ledger),
        case_id=context.patient.patient_id,
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        synthetic=context.patient.synthetic,
        versions=versions,
        sections=sections,
        evidence=tuple(context.ledger),
        therapies=therapy_table(context.ledger, context.retrieved),
        predictions=prediction_table(context.ledger, context.prediction),
        similar_cases=similar_table(context.ledger, context.retrieved),
        neighbour_survival=neighbour_table(context.ledger, context.retrieved),
        withheld=writer.withheld,
        contradictions=contradiction_table(context.ledger, context.patient, context.prediction),
        missing=missing_table(context.ledger),
        timings_s={k: round(v, 3) for k, v in {**context.timings_s, **clock.seconds}.items()},
        figures=figures,
        raw_claims=writer.raw_claims,
        warnings=collect_warnings(context),
        reliance=relied,
        image_functions=not images_off(context.patient),
    )


class _Clock:
    """Runs named steps, says each on the progress callback and keeps its seconds."""

    def __init__(self, progress: Progress | None) -> None:
        self._progress = progress
        self.seconds: dict[str, float] = {}

    def step(self, name: str, work: Callable[[], _T]) -> _T:
        if self._progress is not None:
            self._progress(name)
        start = time.perf_counter()
        result = work()
        self.seconds[name] = time.perf_counter() - start
        return result
