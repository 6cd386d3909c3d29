"""What an answer rests on: sentences that go when the image is blanked or the omics are absent."""

from __future__ import annotations

import json
from dataclasses import replace
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest

from app.chat_events import AnswerText, answer_to_dict
from app.terminal_chat import talk
from assistant import pipeline
from assistant.answer_reliance import OMICS, answer_reliance, compare_answers, without_omics
from assistant.chat import answer
from assistant.collect import collect_evidence
from assistant.llm.chat_model import PromptStyle
from assistant.llm.scripted import ScriptedModel
from assistant.pipeline import CaseContext
from encoders.patient import Patient
from retrieval.passage import Retrieved


def stating() -> ScriptedModel:
    """A decoder that words nothing, so that every answer is the evidence's own sentence."""
    return ScriptedModel([], style=PromptStyle.COMPACT, evidence_types=frozenset())


@pytest.fixture
def case(toy: ModuleType, monkeypatch: pytest.MonkeyPatch) -> CaseContext:
    """The toy case; preparing a variant of it predicts as before and retrieves nothing."""

    def prepare(patient: Patient) -> CaseContext:
        parts = patient, replace(toy.toy_prediction(), embeddings=None), Retrieved((), (), ())
        return CaseContext(*parts, collect_evidence(*parts))

    monkeypatch.setattr(pipeline, "prepare_case", prepare)
    return prepare(toy.toy_patient())


def test_sentences_are_counted_by_what_they_say_not_by_word_order() -> None:
    own = ["The margin is smooth.", "EGFR p.L858R was found.", "The volume is 12 mL."]
    other = ["Found was EGFR p.L858R.", "The volume is 14 mL."]
    found = compare_answers("image blanked", own, other)
    assert found.kept == ("EGFR p.L858R was found.",)
    assert found.gone == ("The margin is smooth.", "The volume is 12 mL.")
    assert found.new == ("The volume is 14 mL.",)
    assert found.in_words() == "image blanked: 2 of 3 sentences change; told instead: The volume is 14 mL."
    assert found.to_dict()["changed_share"] == 0.667
    assert compare_answers("image blanked", [], []).to_dict()["changed_share"] is None


def test_without_omics_only_the_record_the_notes_and_the_images_are_left(toy: ModuleType) -> None:
    patient = toy.toy_patient()
    bare = without_omics(patient)
    assert [getattr(bare, name) for name in OMICS] == [None] * len(OMICS)
    assert bare.imaging == patient.imaging and bare.biomarkers == patient.biomarkers and bare.notes == patient.notes
    assert "left out" in bare.missing["variants"] and "variants" not in patient.missing


def test_each_variant_differs_from_the_case_in_its_one_modality(toy: ModuleType) -> None:
    asked: list[Patient] = []
    patient = toy.toy_patient()
    answer_reliance(["x"], patient, lambda c: asked.append(c.patient) or (), lambda p: SimpleNamespace(patient=p))
    blank, bare = asked
    assert blank.variants == patient.variants and all(np.ptp(s.volume) == 0 for s in blank.imaging)
    assert bare.variants is None and [s.series_uid for s in bare.imaging] == [s.series_uid for s in patient.imaging]


def test_a_modality_the_case_lacks_is_not_tried_and_that_is_said(toy: ModuleType) -> None:
    empty = toy.toy_patient(imaging=(), **dict.fromkeys(OMICS))
    image, omics = answer_reliance(["x"], empty, lambda c: (), lambda p: pytest.fail("prepared all the same"))
    assert image.in_words() == "image blanked: not tried, the case has no image"
    assert omics.in_words() == "omics absent: not tried, the case has no omics"


def test_an_answer_on_a_variant_rests_on_the_omics_and_not_on_the_image(case: CaseContext) -> None:
    plain = list(answer("Is EGFR mutated?", case, stating()))
    events = list(answer("Is EGFR mutated?", case, stating(), reliance=True))
    assert not any(e.kind == "reliance" for e in plain)
    assert [e.kind for e in events[-2:]] == ["reliance", "done"]
    shown = json.loads(json.dumps(answer_to_dict("Is EGFR mutated?", "TOY-1", events)))["reliance"]["variants"]
    assert [(v["change"], v["changed_share"]) for v in shown] == [("image blanked", 0.0), ("omics absent", 1.0)]
    assert any("sequencing" in text for text in shown[1]["new"])  # the abstention names the test
    text = AnswerText()
    for event in events:
        text.add(event)
    assert "image blanked: 0 of 1 sentences change; omics absent: 1 of 1" in text.final_note()
    assert "rests on" not in text.shown()


def test_the_terminal_chat_weighs_an_answer_on_request(case: CaseContext) -> None:
    said: list[str] = []
    typed = iter(["Is EGFR mutated?", "/reliance Is EGFR mutated?", "/quit"])
    talk(case, stating(), read=lambda prompt: next(typed), out=SimpleNamespace(write=said.append, flush=lambda: None))
    text = "".join(said)
    assert text.count("EGFR p.L858R (missense") == 2 and text.count("What the answer rests on: image blanked") == 1
