"""What each tool of the chat does with the open case, and the registry of them.

Most tools choose from the case's ledger. Three can add to the answer's own ledger: what rank left out (when a gene or
drug is asked for that only it mentions), guideline passages found by the question's words, and what-if differences.
Not known here: schemas and limits (tools.py), which call answers what (agent_plan.py).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from assistant.collect import number_after, reserve_evidence
from assistant.collect_draft import Draft
from assistant.collect_patient import draft_documents
from assistant.collect_retrieval import draft_retrieved
from assistant.evidence import Evidence, Ledger
from assistant.lm_questions import TOPICS
from assistant.question_routing import answers_topic, topic_evidence
from assistant.tools import (
    CompareLesions,
    Differences,
    Explain,
    MatchTherapyRows,
    MeasureLesion,
    Narrowed,
    PatientFacts,
    Predict,
    SearchGuidelines,
    SimilarCases,
    TherapyRows,
    Tool,
    ToolResult,
    ToolSession,
    WhatIfArguments,
)
from assistant.what_if import ask_what_if
from encoders.errors import InputError, SettingsError
from retrieval.passage import Query, Retrieved


def _chosen(session: ToolSession, topic: str, asked: Narrowed) -> tuple[tuple[Evidence, ...], tuple[str, ...]]:
    """(evidence of a topic, ids that were added for it): the ledger's, else what rank left out of it."""
    found = topic_evidence(asked.about, topic, session.ledger, asked.names)
    if found or not asked.names or not session.ledger.left_out:
        return found, ()
    if session.reserve is None:
        context = session.context
        session.reserve = reserve_evidence(session.ledger, context.patient, context.prediction, context.retrieved)
    found = topic_evidence(asked.about, topic, Ledger(session.reserve), asked.names)
    session.add(found)
    return found, tuple(e.id for e in found)


def _result(found: tuple[Evidence, ...], added: tuple[str, ...] = (), note: str = "") -> ToolResult:
    return ToolResult(
        evidence_ids=tuple(e.id for e in found), added=added, types=tuple(e.type for e in found), note=note
    )


def patient_facts(session: ToolSession, asked: PatientFacts) -> ToolResult:
    """Facts of the record and of the molecular tests."""
    return _result(*_chosen(session, asked.topic, asked))


def measure_lesion(session: ToolSession, asked: MeasureLesion) -> ToolResult:
    """Measurements and looks of the outlined lesions."""
    return _result(*_chosen(session, asked.topic, asked))


def compare_lesions(session: ToolSession, asked: CompareLesions) -> ToolResult:
    """Lesions now against an earlier study."""
    return _result(*_chosen(session, "change", asked))


def predict(session: ToolSession, asked: Predict) -> ToolResult:
    """Predictions of the case."""
    return _result(*_chosen(session, asked.topic, asked))


def explain(session: ToolSession, asked: Explain) -> ToolResult:
    """Explanations of the predictions."""
    return _result(*_chosen(session, asked.topic, asked))


def similar_cases(session: ToolSession, asked: SimilarCases) -> ToolResult:
    """Similar cases and their outcome."""
    return _result(*_chosen(session, "similar cases", asked))


def match_therapy_rows(session: ToolSession, asked: MatchTherapyRows) -> TherapyRows:
    """Therapy rows that concern the patient, offered ones first."""
    topics = {"offered": ("therapy options",), "excluded": ("excluded therapies",)}
    found: tuple[Evidence, ...] = ()
    added: tuple[str, ...] = ()
    for topic in topics.get(asked.status, ("therapy options", "excluded therapies")):
        chosen, new = _chosen(session, topic, asked)
        found, added = (*found, *chosen), (*added, *new)
    offered = sum(answers_topic(e, TOPICS["therapy options"]) for e in found)
    base = _result(found, added)
    return TherapyRows(**base.model_dump(), offered=offered, excluded=len(found) - offered)


def search_guidelines(session: ToolSession, asked: SearchGuidelines) -> ToolResult:
    """Guideline passages: the ledger's, else the index searched with the query, limited to the patient's disease.

    The documents added for this patient are searched each time, for this patient's id alone.
    """
    found = topic_evidence(asked.about, "guidelines", session.ledger, asked.names)
    own, said = _own_documents(session, asked)
    if found:
        return _result((*found, *own), tuple(e.id for e in own), said)
    from retrieval.search import search  # noqa: PLC0415  loads the index, which few questions need

    hits = search(Query(asked.query, oncotree_code=session.context.patient.oncotree_code, k=asked.k))
    new = _add_new(session, draft_retrieved(Retrieved(hits, (), ())), asked.names)
    told = f"{len(hits)} passages found in the index, {len(new)} fit"
    return _result((*new, *own), tuple(e.id for e in (*new, *own)), "; ".join(t for t in (told, said) if t))


def _own_documents(session: ToolSession, asked: SearchGuidelines) -> tuple[tuple[Evidence, ...], str]:
    """Quotations from documents added for the open case, and what to say of the search."""
    from retrieval.search import search_documents  # noqa: PLC0415  as above

    try:
        hits = search_documents(session.case_id, asked.query, k=asked.k)
    except (SettingsError, InputError) as error:
        return (), f"documents of the patient: not searched, {error}"
    new = _add_new(session, draft_documents([h.passage for h in hits]), asked.names)
    return new, f"{len(new)} quotations from documents of the patient" if new else ""


def _add_new(session: ToolSession, drafts: Iterable[Draft], names: tuple[str, ...]) -> tuple[Evidence, ...]:
    """Put the drafts that mention every name and are not there yet into the answer's ledger."""
    held = {e.text for e in session.ledger}
    new = number_after(session.ledger, [d for d in drafts if d.text not in held and _mentions_all(d.text, names)])
    session.add(new)
    return new


def _mentions_all(text: str, names: tuple[str, ...]) -> bool:
    return all(re.search(rf"(?i)\b{re.escape(name)}\b", text) for name in names)


def what_if(session: ToolSession, asked: WhatIfArguments) -> Differences:
    """Predict and match a changed copy of the patient; the difference, always hypothetical."""
    from encoders.predict import predict as predict_patient  # noqa: PLC0415  loads torch
    from retrieval.corpus.builtin import load_therapy_rows  # noqa: PLC0415

    context = session.context
    found = ask_what_if(
        context.patient,
        asked.changes,
        context.prediction,
        lambda patient: predict_patient(patient, explain=False),
        load_therapy_rows(),
    )
    new = number_after(session.ledger, found.drafts)
    session.add(new)
    ids = tuple(e.id for e in new)
    note = f"{len(found.left_out)} more rows change: {'; '.join(found.left_out)}" if found.left_out else ""
    effects = tuple(e.fields["effect"].display for e in new)
    types = tuple(e.type for e in new)
    return Differences(evidence_ids=ids, added=ids, types=types, note=note, change=found.change, effects=effects)


TOOLS: Mapping[str, Tool] = {
    tool.name: tool
    for tool in (
        Tool("search_guidelines", "Guideline passages for the patient's disease.", SearchGuidelines, ToolResult,
             search_guidelines, timeout_s=30.0),
        Tool("match_therapy_rows", "Structured therapy evidence matched to the patient: offered or excluded, and why.",
             MatchTherapyRows, TherapyRows, match_therapy_rows),
        Tool("patient_facts", "Facts of the record and the molecular tests.", PatientFacts, ToolResult, patient_facts),
        Tool("measure_lesion", "Size, intensity and look of the lesions.", MeasureLesion, ToolResult, measure_lesion),
        Tool("compare_lesions", "Change of the lesions since an earlier study.", CompareLesions, ToolResult,
             compare_lesions),
        Tool("predict", "Predicted survival risk, molecular status or cancer type.", Predict, ToolResult, predict),
        Tool("explain", "What drives a prediction.", Explain, ToolResult, explain),
        Tool("similar_cases", "Similar cases of the reference cohort and their outcome.", SimilarCases, ToolResult,
             similar_cases),
        Tool("what_if", "Risk and therapy options if the stage, ECOG, a biomarker, a variant, a fusion or an earlier "
             "drug were different.", WhatIfArguments, Differences, what_if, timeout_s=60.0),
    )
}  # fmt: skip
"""Every tool by its name."""
