"""The chat says only what the check passed, abstains with the test that would answer, and retries once."""

from __future__ import annotations

import json
from types import SimpleNamespace

import pytest

from assistant.chat import ChatEvent, answer
from assistant.claim import Verdict
from assistant.evidence import Ledger
from assistant.llm.chat_model import ChatRequest, PromptStyle
from assistant.llm.scripted import ScriptedModel
from assistant.question_routing import named_entities, rank_topics, route
from encoders.errors import InputError


def ask(question: str, ledger: Ledger, llm: ScriptedModel, **options: object) -> list[ChatEvent]:
    patient = SimpleNamespace(patient_id="TOY-1")
    context = SimpleNamespace(ledger=ledger, patient=patient, prediction=SimpleNamespace(embeddings=None))
    return list(answer(question, context, llm, **options))  # type: ignore[arg-type]


def compact(*answers: object, **options: bool) -> ScriptedModel:
    return ScriptedModel(answers, style=PromptStyle.COMPACT, **options)  # type: ignore[arg-type]


def kinds(events: list[ChatEvent]) -> list[str]:
    return [e.kind for e in events if e.kind != "step"]


def first(ledger: Ledger, kind: str) -> str:
    return ledger.of_type(kind)[0].id


def test_a_supported_claim_is_said_with_its_citation(toy_ledger: Ledger) -> None:
    lesion = first(toy_ledger, "lesion")
    llm = compact(f"The longest diameter on {{{lesion}.series}} is {{{lesion}.longest_diameter}}. [{lesion}]")
    events = ask("How large is the tumour?", toy_ledger, llm)
    assert kinds(events) == ["claim", "done"]
    said = next(e for e in events if e.kind == "claim")
    assert said.citations == (lesion,) and said.verdict is Verdict.SUPPORTED
    assert toy_ledger[lesion].fields["longest_diameter"].display in said.text


def test_a_lie_is_withheld_retried_once_and_then_its_evidence_is_quoted(toy_ledger: Ledger) -> None:
    lesion = first(toy_ledger, "lesion")
    llm = compact(f"The longest diameter is 999 mm. [{lesion}]", f"The volume is 999 mL. [{lesion}]")
    events = ask("How large is the tumour?", toy_ledger, llm)
    assert kinds(events) == ["withheld", "withheld", "claim", "done"]
    assert (events[-2].text, events[-2].citations) == (toy_ledger[lesion].text, (lesion,))
    assert len(llm.requests) == 2
    assert all(e.reason for e in events if e.kind == "withheld")


def test_a_retry_that_is_right_is_said(toy_ledger: Ledger) -> None:
    lesion = first(toy_ledger, "lesion")
    llm = compact(f"It is 999 mm. [{lesion}]", f"The volume is {{{lesion}.volume}}. [{lesion}]")
    assert kinds(ask("What is the volume of the lesion?", toy_ledger, llm)) == ["withheld", "claim", "done"]


def test_the_value_asked_for_is_quoted_where_the_answer_leaves_it_out(toy_ledger: Ledger) -> None:
    lesion = first(toy_ledger, "lesion")
    said = f"The longest diameter is {{{lesion}.longest_diameter}}. [{lesion}]"
    events = ask("What is the volume of the lesion?", toy_ledger, compact(said))
    assert kinds(events) == ["claim", "claim", "done"]
    assert toy_ledger[lesion].fields["volume"].display in events[-2].text


def test_a_model_that_finds_no_evidence_abstains(toy_ledger: Ledger) -> None:
    events = ask("How large is the tumour?", toy_ledger, compact("no evidence"))
    assert kinds(events) == ["abstain", "done"]


@pytest.mark.parametrize(
    ("question", "test"),
    [
        ("Are there brain metastases?", "an MR of the brain"),
        ("Is there a germline mutation?", "a germline genetic test"),
        ("What is the dose of osimertinib?", "current label"),
        ("What is the weather like?", "a source other than this patient's case"),
    ],
)
def test_what_no_ledger_holds_is_abstained_from_without_asking_the_model(
    question: str, test: str, toy_ledger: Ledger
) -> None:
    llm = compact()
    events = ask(question, toy_ledger, llm)
    assert kinds(events) == ["abstain", "done"] and llm.requests == []
    assert test in next(e.text for e in events if e.kind == "abstain")


@pytest.mark.parametrize(
    ("question", "topic", "kind"),
    [
        ("What does the lesion look like?", "appearance", "appearance"),
        ("Is the border irregular?", "margin", "appearance"),
        ("What size is the mass?", "size", "lesion"),
        ("Is EGFR mutated?", "variants", "variant"),
        ("Which genes are amplified?", "copy number", "copy_number"),
        ("Why is the risk so high?", "why this risk", "contribution"),
        ("How good is the prognosis?", "risk", "survival"),
        ("Which therapies are options?", "therapy options", "therapy"),
        ("What happened to comparable patients?", "similar cases", "neighbour_survival"),
        ("How did similar patients do?", "similar cases", "neighbour_survival"),
        ("Which data are missing?", "missing data", "absent"),
        ("What did she receive before?", "prior treatment", "treatment"),
        ("PD-L1?", "biomarkers", "biomarker"),
    ],
)
def test_questions_find_their_evidence(question: str, topic: str, kind: str, toy_ledger: Ledger) -> None:
    found = route(question, toy_ledger)
    assert (found.topic, found.evidence[0].type) == (topic, kind)


def test_a_named_gene_limits_the_evidence_to_it(toy_ledger: Ledger) -> None:
    assert named_entities("Is TP53 mutated?", toy_ledger) == ("TP53",)
    (item,) = route("Is TP53 mutated?", toy_ledger).evidence
    assert item.fields["gene"].display == "TP53"


def test_a_gene_the_case_does_not_speak_of_is_abstained_from(toy_ledger: Ledger) -> None:
    found = route("Is PIK3CA mutated?", toy_ledger)
    assert found.evidence == () and "PIK3CA" in found.test


def test_a_named_biomarker_is_answered_alone(toy_ledger: Ledger) -> None:
    found = route("What is the PD-L1 expression?", toy_ledger)
    assert [e.fields["name"].display for e in found.evidence] == ["PD-L1"]


def test_a_known_phrasing_finds_its_topic(toy_ledger: Ledger) -> None:
    assert rank_topics("is there necrosis")[0][0] == "necrosis"
    assert rank_topics("is there necrosis")[0][1] > 0.5


def test_a_general_model_sees_more_evidence_and_the_history(toy_ledger: Ledger) -> None:
    lesion = first(toy_ledger, "lesion")
    body = {"claims": [{"text": f"The volume is {{{lesion}.volume}}.", "citations": [lesion]}]}
    llm = ScriptedModel([json.dumps(body)])
    events = ask("How large is it?", toy_ledger, llm, history=(("Who is it?", "A patient."),))
    assert kinds(events) == ["claim", "done"]
    request: ChatRequest = llm.requests[0]
    assert len(request.allowed_ids) > 4
    assert "Earlier question: Who is it?" in request.messages[1].parts[0].text  # type: ignore[union-attr]


@pytest.mark.parametrize("question", ["", "   ", "x" * 2001])
def test_an_empty_or_endless_question_is_refused(question: str, toy_ledger: Ledger) -> None:
    with pytest.raises(InputError, match="allowed: 1 to 2,000"):
        ask(question, toy_ledger, compact())
