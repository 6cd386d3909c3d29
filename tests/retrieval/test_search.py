"""Search and retrieve with the built-in passages and the pinned MiniLM."""

from __future__ import annotations

from dataclasses import replace
from itertools import combinations

import numpy as np
import pytest
import torch

from encoders.errors import ContractError, SettingsError, UnavailableError
from encoders.patient import Biomarker, CopyNumber, Diagnosis, Note, Patient, SourceLocator, Variant
from encoders.prediction import PatientPrediction
from retrieval import search as search_module
from retrieval.corpus.builtin import load_passages
from retrieval.embed import load_embedding
from retrieval.index import embedded_text, scope
from retrieval.passage import Query
from retrieval.queries import about_other_genes, guideline_queries, with_disease
from retrieval.search import MAX_GUIDELINES, MAX_NOTES, add_notes, forget_notes, guideline_index, retrieve, search

HERE = SourceLocator("a.tsv", "row 1")
NOTHING = PatientPrediction(None, (), (), (), {}, {})


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)


def note(text: str, file: str = "note.txt") -> Note:
    return Note(text, SourceLocator(file), date="2025-01-01", title="Clinic letter")


def egfr_patient(patient_id: str = "A") -> Patient:
    return Patient(
        patient_id,
        oncotree_code="LUAD",
        diagnosis=Diagnosis(stage="IV"),
        variants=(Variant("EGFR", "p.L858R", "Missense_Mutation", HERE),),
        copy_number=(CopyNumber("EGFR", "amplification", HERE),),
        fusions=(),
        biomarkers=(Biomarker("PD-L1", 60.0, HERE, unit="%"),),
        notes=(note("The cough improved on treatment. She walks two kilometres a day."),),
    )


def test_every_builtin_passage_retrieves_itself() -> None:
    """By its statement; the stored vectors are used for the texts, one batch for the statements."""
    index, _ = guideline_index()
    passages = load_passages()
    vectors = load_embedding().encode([p.statement for p in passages])
    everything = scope(patient_id=None, oncotree_code=None)
    first = [index.search(p.statement, v, everything, k=1) for p, v in zip(passages, vectors, strict=True)]
    recall_vector = np.mean([f.by_vector[0] == p.passage_id for f, p in zip(first, passages, strict=True)])
    recall_word = np.mean([f.by_word[0] == p.passage_id for f, p in zip(first, passages, strict=True)])
    assert recall_vector >= 0.95
    assert recall_word >= 0.95


@pytest.mark.parametrize("text", ["how do I bake bread", "cheap flights to Rome in summer", "", "   ", "?!"])
def test_what_is_not_oncology_finds_nothing(text: str) -> None:
    assert search(Query(text)) == ()


def test_an_oncology_question_finds_its_passage() -> None:
    assert search(Query("vorasidenib in IDH-mutant low-grade glioma"))[0].passage.passage_id == "difg-indigo"
    hits = search(Query("first-line treatment", oncotree_code="CCRCC", k=5))
    assert hits
    assert all(not h.passage.oncotree or {"CCRCC", "RCC", "KIDNEY"} & set(h.passage.oncotree) for h in hits)
    assert list(hits) == sorted(hits, key=lambda h: -h.score)


def test_one_patient_never_sees_another_nor_guidelines_a_note() -> None:
    secret = "The lymph node biopsy of the lung cancer showed resistance to osimertinib in April."
    add_notes(Patient("A", notes=(note(secret, "a.txt"),)))
    add_notes(Patient("B", notes=(note(secret, "b.txt"),)))
    for asked, owners in (("A", {None, "A"}), ("B", {None, "B"}), (None, {None})):
        hits = search(Query(secret, patient_id=asked, k=50))
        assert {h.passage.patient_id for h in hits} == owners
    forget_notes("B")
    with pytest.raises(ContractError, match="no notes are indexed for patient 'B'"):
        search(Query(secret, patient_id="B"))


def test_notes_given_again_replace_the_earlier_ones() -> None:
    add_notes(Patient("A", notes=(note("Progression in the liver was seen."),)))
    add_notes(Patient("A", notes=(note("Stable disease in the liver was seen."),)))
    own = [h for h in search(Query("liver disease", patient_id="A", k=50)) if h.passage.patient_id]
    assert [h.passage.statement for h in own] == ["Stable disease in the liver was seen."]


def test_retrieve_for_a_whole_patient() -> None:
    found = retrieve(egfr_patient(), NOTHING)
    guidelines = [h for h in found.passages if h.passage.patient_id is None]
    own = [h for h in found.passages if h.passage.patient_id == "A"]
    assert 3 <= len(guidelines) <= MAX_GUIDELINES
    assert 1 <= len(own) <= MAX_NOTES
    ids = [h.passage.passage_id for h in guidelines]
    assert len(set(ids)) == len(ids)
    assert any("EGFR" in embedded_text(h.passage) and "osimertinib" in h.passage.text.lower() for h in guidelines)
    assert all(not h.passage.oncotree or {"LUAD", "NSCLC"} & set(h.passage.oncotree) for h in guidelines)
    assert any("osimertinib" in m.row.drugs and not m.excluded for m in found.therapies)
    assert any(s.startswith("similar cases: no embedding") for s in found.skipped)
    assert found == retrieve(egfr_patient(), NOTHING)


@pytest.mark.parametrize(
    ("text", "code", "searched"),
    [
        ("first-line treatment?", "LUAD", "first-line treatment in lung adenocarcinoma"),
        ("adenocarcinoma of the lung: first line", "LUAD", "adenocarcinoma of the lung: first line"),
        ("first-line treatment", None, "first-line treatment"),
    ],
)
def test_a_question_limited_to_a_disease_is_searched_with_its_name(text: str, code: str | None, searched: str) -> None:
    assert with_disease(Query(text, oncotree_code=code)) == searched


def test_a_question_the_passages_do_not_answer_finds_nothing() -> None:
    for text in ("treatment of acute otitis media in children", "does aspirin prevent migraine", "how do I bake bread"):
        assert search(Query(text)) == search(Query(text, oncotree_code="LUAD")) == ()


def test_questions_differ_by_what_is_known() -> None:
    texts = [q.text for q in guideline_queries(egfr_patient(), NOTHING)]
    assert len(set(texts)) == len(texts) >= 5
    assert any("EGFR" in t for t in texts)
    assert any("second-line" in q.text or "first-line" in q.text for q in guideline_queries(Patient("x"), None))


@pytest.mark.parametrize(
    ("title", "other"),
    [
        ("KRAS-mutated lung adenocarcinoma", True),
        ("EGFR-mutated lung cancer", False),
        ("Lung cancer without EGFR or ALK alteration", True),
        ("EGFR T790M lung cancer after a first EGFR inhibitor", False),
        ("KRAS G12C lung cancer: sotorasib", True),
        ("Lung adenocarcinoma: which genes to test", False),
    ],
)
def test_passages_about_alterations_the_patient_does_not_have(title: str, other: bool) -> None:
    passage = replace(load_passages()[0], title=title)
    assert about_other_genes(egfr_patient(), passage) is other
    assert about_other_genes(replace(egfr_patient(), variants=None), passage) is False


def test_any_subset_of_modalities_can_be_missing() -> None:
    whole = egfr_patient()
    absent = {
        "oncotree_code": None,
        "variants": None,
        "copy_number": None,
        "fusions": None,
        "biomarkers": (),
        "notes": (),
        "diagnosis": Diagnosis(),
    }
    removed = [dict(c) for n in (1, 2, len(absent)) for c in combinations(absent.items(), n)]
    for changes in removed[::4] + removed[-1:]:
        found = retrieve(replace(whole, **changes), NOTHING)
        assert len({h.passage.passage_id for h in found.passages}) == len(found.passages)
        if "notes" in changes:
            assert any(s.startswith("notes:") for s in found.skipped)
        if "oncotree_code" in changes:
            assert any("no OncoTree code" in s for s in found.skipped)
        if "variants" in changes:
            assert not any(k.startswith("variant:") for m in found.therapies for k in m.alteration_keys)


def test_without_an_embedder_the_rest_is_still_retrieved(monkeypatch: pytest.MonkeyPatch) -> None:
    def absent(spec: str | None = None) -> None:
        raise UnavailableError("the embedder is not there.")

    monkeypatch.setattr(search_module, "load_embedding", absent)
    found = retrieve(egfr_patient(), None)
    assert found.passages == ()
    assert found.therapies
    assert "passages: the embedder is not there." in found.skipped
    assert "similar cases: there is no prediction for this patient" in found.skipped


def test_bad_queries_are_refused() -> None:
    with pytest.raises(SettingsError, match="must be at least 1"):
        search(Query("EGFR", k=0))
    with pytest.raises(SettingsError, match="Shorten it"):
        search(Query("EGFR " * 1000))
