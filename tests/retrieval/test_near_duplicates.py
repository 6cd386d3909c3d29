"""What is said twice is shown once; what differs in a number, a negation or an owner never is."""

from __future__ import annotations

import pytest

from retrieval.near_duplicates import without_near_duplicates
from retrieval.passage import Hit, Passage

TEXT = "Osimertinib is recommended as first-line treatment of EGFR-mutated advanced lung cancer at 80 mg once a day"


def hit(name: str, text: str, *, patient_id: str | None = None) -> Hit:
    return Hit(Passage(name, "Title", text, text, "source", patient_id=patient_id), 1.0, {})


def test_the_better_one_stays_and_names_the_other() -> None:
    kept = without_near_duplicates([hit("a", TEXT), hit("b", TEXT.replace("advanced ", "") + "."), hit("c", "Other.")])
    assert [(h.passage.passage_id, h.near_duplicates) for h in kept] == [("a", ("b",)), ("c", ())]


@pytest.mark.parametrize(
    "other",
    [
        TEXT.replace("80 mg", "160 mg"),
        TEXT.replace("is recommended", "is not recommended"),
        TEXT.replace("EGFR", "ERBB2").replace("lung", "breast").replace("Osimertinib", "Trastuzumab"),
    ],
)
def test_numbers_negations_and_subjects_keep_texts_apart(other: str) -> None:
    kept = without_near_duplicates([hit("a", TEXT), hit("b", other)])
    assert [h.passage.passage_id for h in kept] == ["a", "b"]


def test_a_note_is_no_duplicate_of_a_guideline_nor_of_another_patients_note() -> None:
    hits = [hit("a", TEXT), hit("b", TEXT, patient_id="A"), hit("c", TEXT, patient_id="B")]
    assert without_near_duplicates(hits) == tuple(hits)


def test_texts_without_words_stay() -> None:
    assert len(without_near_duplicates([hit("a", "?"), hit("b", "!")])) == 2
