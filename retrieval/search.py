"""question -> passages; patient -> passages, therapy rows and similar cases. The only entry to retrieval.

Guideline passages and each patient's notes stand in separate indexes. A search without ``patient_id`` looks at
guidelines alone; one with it looks at guidelines and at that patient's notes, both limits being part of the
index call.

What this module does not know: how evidence is shown or cited; whether a passage answers a question (the
relevance floor only says that it is about the same thing).
"""

from __future__ import annotations

import threading
from collections.abc import Iterable
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from encoders.errors import ContractError, SettingsError, UnavailableError
from encoders.patient import Patient
from encoders.prediction import PatientPrediction
from retrieval.corpus.builtin import load_passages, load_therapy_rows
from retrieval.embed import cached_vectors, load_embedding, texts_sha256
from retrieval.index import PassageIndex, embedded_text, scope
from retrieval.notes import note_passages
from retrieval.passage import Hit, NeighbourSurvival, Query, Retrieved, SimilarCase, TherapyMatch
from retrieval.queries import NOTE_QUESTIONS, about_other_genes, disease_words, guideline_queries
from retrieval.rank_fusion import reciprocal_rank_fusion
from retrieval.similar_cases import neighbour_survival, similar_cases
from retrieval.therapy_rows import match_rows, untested_rows

RELEVANCE_FLOOR = 0.30
"""Least cosine similarity of query and passage for a hit, chosen for the built-in MiniLM.

Of 0.20, 0.25 ... 0.40 the largest that kept every one of 125 questions of the NCI PDQ question-answer set with its own
answer (first 500 characters); it also kept 98 of 100 PubMedQA questions with their own abstract. The nearest
built-in passage of 30 everyday questions (bread, flights, chess) reached 0.17 at most. It tells a subject from
another, not an answer from a near miss: 31 % of PubMedQA's general medical questions still find a passage.
Another embedder (RADOMICA_EMBEDDER) has another scale; the floor is then only a guess.
"""

CANDIDATES = 20
MAX_GUIDELINES = 8
MAX_NOTES = 4
MAX_QUERY_CHARACTERS = 2000

_notes: dict[str, PassageIndex] = {}
_notes_lock = threading.Lock()


@lru_cache(maxsize=1)
def guideline_index() -> tuple[PassageIndex, tuple[str, ...]]:
    """The index of the built-in passages, and what a user should know about its cache; built once a process."""
    passages = load_passages()
    vectors, said = cached_vectors([embedded_text(p) for p in passages], load_embedding())
    return PassageIndex(passages, vectors), said


def add_notes(patient: Patient) -> int:
    """Index the patient's notes in memory under his id, in place of any before; returns the number of passages."""
    passages = note_passages(patient)
    vectors = (
        load_embedding().encode([embedded_text(p) for p in passages]) if passages else np.zeros((0, 1), np.float32)
    )
    with _notes_lock:
        _notes[patient.patient_id] = PassageIndex(passages, vectors)
    return len(passages)


def forget_notes(patient_id: str) -> None:
    """Drop a patient's notes from memory; unknown ids are fine."""
    with _notes_lock:
        _notes.pop(patient_id, None)


def search(query: Query) -> tuple[Hit, ...]:
    """Guideline passages, and with ``patient_id`` that patient's notes, that are about the query.

    Returns
    -------
    At most ``query.k`` hits, best first; none where nothing reaches RELEVANCE_FLOOR. ``score`` is the fused
    score, ``ranks`` the place by vector and by word.

    Raises
    ------
    SettingsError: k below 1, or a query text above MAX_QUERY_CHARACTERS.
    ContractError: ``patient_id`` has no indexed notes (``add_notes`` or ``retrieve`` first).
    UnavailableError: the embedder is not there.
    """
    _check_query(query)
    if not query.text.strip():
        return ()
    return _search(query, load_embedding().encode((query.text,))[0])


def _check_query(query: Query) -> None:
    if query.k < 1:
        raise SettingsError(f"Query.k is {query.k}; it must be at least 1.")
    if len(query.text) > MAX_QUERY_CHARACTERS:
        raise SettingsError(
            f"the question has {len(query.text)} characters; at most {MAX_QUERY_CHARACTERS} are searched. Shorten it."
        )


def _search(query: Query, vector: NDArray[np.float32]) -> tuple[Hit, ...]:
    hits = _search_index(guideline_index()[0], query, vector, patient_id=None)
    if query.patient_id is not None:
        hits += _search_index(_index_of(query.patient_id), query, vector, patient_id=query.patient_id)
    return tuple(sorted(hits, key=lambda h: (-h.score, h.passage.passage_id)))[: query.k]


def _index_of(patient_id: str) -> PassageIndex:
    with _notes_lock:
        index = _notes.get(patient_id)
    if index is None:
        raise ContractError(
            f"no notes are indexed for patient {patient_id!r}; call retrieve() or add_notes() for this patient first."
        )
    return index


def _search_index(
    index: PassageIndex, query: Query, vector: NDArray[np.float32], *, patient_id: str | None
) -> list[Hit]:
    if not len(index):
        return []
    # A note is about its patient whatever its disease: only guidelines are limited by disease.
    filters = scope(patient_id=patient_id, oncotree_code=None if patient_id else query.oncotree_code)
    found = index.search(query.text, vector, filters, k=max(CANDIDATES, 2 * query.k))
    fused = reciprocal_rank_fusion({"vector": found.by_vector, "word": found.by_word})
    return [
        Hit(passage=index.passages[f.id], score=f.score, ranks=f.ranks)
        for f in fused
        if found.cosine[f.id] >= RELEVANCE_FLOOR
    ]


def retrieve(patient: Patient, prediction: PatientPrediction | None) -> Retrieved:
    """All that is known about a patient's case: passages (guidelines and own notes), therapy rows, similar cases.

    Any modality may be absent; ``skipped`` says what could not be searched, and why.
    """
    skipped: list[str] = []
    therapies = match_rows(patient, load_therapy_rows())
    skipped += _untested(patient)
    passages = _passages(patient, prediction, therapies, skipped)
    cases, survival = _similar(patient, prediction, skipped)
    if patient.oncotree_code is None:
        skipped.append(
            "guidelines by disease: the diagnosis has no OncoTree code, so passages of every disease were searched"
        )
    return Retrieved(
        passages=passages, therapies=therapies, similar_cases=cases, skipped=tuple(skipped), versions=_versions(),
        neighbour_survival=survival,
    )  # fmt: skip


def _untested(patient: Patient) -> list[str]:
    """One line a missing test: how many rows of the patient's disease wait for it."""
    waiting: dict[str, list[str]] = {}
    shown = {m.row.row_id for m in match_rows(patient, load_therapy_rows())}
    for row, reason in untested_rows(patient, load_therapy_rows()):
        if row.row_id not in shown:
            waiting.setdefault(reason, []).append(row.rule.text)
    return [f"therapy rows: {len(texts)} not judged, {reason}" for reason, texts in waiting.items()]


def _passages(
    patient: Patient,
    prediction: PatientPrediction | None,
    therapies: tuple[TherapyMatch, ...],
    skipped: list[str],
) -> tuple[Hit, ...]:
    try:
        skipped += guideline_index()[1]
        count = add_notes(patient)
    except UnavailableError as error:
        skipped.append(f"passages: {error}")
        return ()
    queries = guideline_queries(patient, prediction, therapies)
    vectors = load_embedding().encode([query.text for query in queries])  # one batch: many times faster than one by one
    guidelines = _round_robin(
        (
            [hit for hit in _search(query, vector) if not about_other_genes(patient, hit.passage)]
            for query, vector in zip(queries, vectors, strict=True)
        ),
        MAX_GUIDELINES,
    )
    if not guidelines:
        skipped.append(f"guidelines: no passage is close enough to a question about {disease_words(patient)}")
    if not count:
        reason = patient.missing.get(
            "notes", "no note in the record" if not patient.notes else "no sentence in the notes"
        )
        skipped.append(f"notes: {reason}")
        return guidelines
    index = _index_of(patient.patient_id)
    asked = [Query(text=text, patient_id=patient.patient_id, k=MAX_NOTES) for text in NOTE_QUESTIONS]
    found = zip(asked, load_embedding().encode(NOTE_QUESTIONS), strict=True)
    own = _round_robin((_search_index(index, q, v, patient_id=q.patient_id) for q, v in found), MAX_NOTES)
    return guidelines + own


def _round_robin(answers: Iterable[Iterable[Hit]], limit: int) -> tuple[Hit, ...]:
    """The best hit of each question, then the second of each ...; a passage once, at most ``limit``."""
    queues = [list(hits) for hits in answers]
    kept: dict[str, Hit] = {}
    for place in range(max((len(q) for q in queues), default=0)):
        for queue in queues:
            if place < len(queue) and len(kept) < limit:
                kept.setdefault(queue[place].passage.passage_id, queue[place])
    return tuple(kept.values())


def _similar(
    patient: Patient, prediction: PatientPrediction | None, skipped: list[str]
) -> tuple[tuple[SimilarCase, ...], NeighbourSurvival | None]:
    if prediction is None:
        skipped.append("similar cases: there is no prediction for this patient")
        return (), None
    try:
        cases = similar_cases(patient, prediction)
        survival = neighbour_survival(patient, prediction)
    except UnavailableError as error:
        skipped.append(f"similar cases: {error}")
        return (), None
    if not cases:
        skipped.append(f"similar cases: the reference cohort has no other case of {disease_words(patient)}")
        return (), None
    if survival.neighbours is None:
        skipped.append(f"survival of similar cases: {survival.reason}")
    return cases, survival


def _versions() -> dict[str, str]:
    """Hashes of what retrieval read; the embedder is left out where it could not be loaded."""
    rows = texts_sha256([repr(row) for row in load_therapy_rows()])
    passages = texts_sha256([repr(passage) for passage in load_passages()])
    found = {"therapy_rows": rows[:16], "passages": passages[:16]}
    try:
        found["embedder"] = load_embedding().weights_sha256[:16]
    except UnavailableError as error:
        found["embedder"] = f"not loaded: {error}"
    return found
