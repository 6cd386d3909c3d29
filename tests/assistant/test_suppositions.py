"""Questions that suppose something else of the patient, without "what if"."""

from __future__ import annotations

from types import ModuleType

import pytest

from assistant.collect import collect_evidence
from assistant.evidence import Ledger
from assistant.question_routing import classify
from assistant.question_types import QuestionType
from assistant.suppositions import supposes
from encoders.patient import Diagnosis


@pytest.fixture(scope="module")
def stage_two(toy: ModuleType) -> Ledger:
    patient = toy.toy_patient(diagnosis=Diagnosis(stage="II"))
    return collect_evidence(patient, toy.toy_prediction(), toy.toy_retrieved())


@pytest.mark.parametrize(
    "question",
    [
        "Which options at stage IV?",
        "With stage IV, which options has she?",
        "Would sotorasib open up with KRAS G12C?",
        "Were she MSI-H, which drugs would she get?",
        "Let's say BRAF V600E were there, what then?",
        "In case of a MET exon 14 skipping variant, what changes?",
        "Picture him with metastatic disease, stage IV. What comes within reach?",
        "Say the performance status drops to 3. Consequence for the outlook?",
        "Should a BRAF V600E surface on repeat testing, which drugs come in?",
        "Would osimertinib stay on the list without the EGFR mutation?",
    ],
)
def test_what_the_record_does_not_hold_is_supposed(question: str, stage_two: Ledger) -> None:
    assert supposes(question, stage_two)
    assert classify(question, stage_two).question_type is QuestionType.WHAT_IF


@pytest.mark.parametrize(
    "question",
    [
        "Which options at stage II?",  # it is stage II
        "Is KRAS G12C there?",
        "Would you give osimertinib for EGFR L858R?",  # it has L858R
        "Would sotorasib work?",  # names no change
        "Were there any variants in KRAS, NRAS or BRAF?",
        "Which stage is it?",
    ],
)
def test_what_the_record_holds_or_is_asked_for_is_not(question: str, stage_two: Ledger) -> None:
    assert not supposes(question, stage_two)


def test_another_stage_than_none_is_no_supposition(toy: ModuleType) -> None:
    patient = toy.toy_patient(diagnosis=Diagnosis(grade="2"))
    assert not supposes("Options at stage IV?", collect_evidence(patient, toy.toy_prediction(), toy.toy_retrieved()))
