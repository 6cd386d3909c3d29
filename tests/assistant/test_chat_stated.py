"""A chat question about evidence the decoder was not trained to word is answered by the evidence's own sentence."""

from __future__ import annotations

from types import ModuleType

from assistant.chat import answer
from assistant.collect import collect_evidence
from assistant.llm.chat_model import PromptStyle
from assistant.llm.scripted import ScriptedModel
from assistant.pipeline import CaseContext


def test_the_change_is_stated_without_asking_the_decoder(toy: ModuleType) -> None:
    parts = toy.toy_patient(), toy.toy_prediction(), toy.toy_retrieved()
    context = CaseContext(*parts, collect_evidence(*parts))
    model = ScriptedModel([], style=PromptStyle.COMPACT, evidence_types=frozenset({"lesion"}))
    events = list(answer("Has the lesion grown?", context, model))
    said = [e.text for e in events if e.kind == "claim"]
    change, total = context.ledger.of_type("lesion_change", "lesion_sum")
    assert said == [change.text, total.text]
    assert model.requests == [] and events[-1].kind == "done" and not any(e.kind == "abstain" for e in events)


def test_evidence_of_both_kinds_is_stated_and_asked_for(toy: ModuleType) -> None:
    parts = toy.toy_patient(), toy.toy_prediction(), toy.toy_retrieved()
    context = CaseContext(*parts, collect_evidence(*parts))
    (stated,) = context.ledger.of_type("gene_attribution")
    (worded,) = context.ledger.of_type("contribution")
    model = ScriptedModel(
        [f"{worded.text} [{worded.id}]"], style=PromptStyle.COMPACT, evidence_types=frozenset({"contribution"})
    )
    said = [e.text for e in answer("What drives the prediction?", context, model) if e.kind == "claim"]
    assert stated.text in said and worded.text in said
    assert all(stated.id not in r.allowed_ids for r in model.requests)
