"""question -> passages; patient -> passages, therapy rows and similar cases. The only entry to retrieval.

Guideline passages and each patient's notes stand in separate indexes. A search without ``patient_id`` looks at
guidelines alone; one with it looks at guidelines and at that patient's notes, both limits being part of the
index call.

What this module does not know: how evidence is shown or cited; whether a passage answers a question (the
relevance floor only says that it is about the same thing).
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from encoders.errors import InputError, SettingsError, UnavailableError
from encoders.patient import Patient
from encoders.prediction import PatientPrediction
from retrieval.added_documents import added_documents, knowledge_folder
from retrieval.added_passages import ADDED_PLACES, is_added, of_unquoted_documents, quoting_for, with_added
from retrieval.builtin_vectors import builtin_vectors
from retrieval.corpus.builtin import load_passages, load_therapy_rows
from retrieval.embed import load_embedding, texts_sha256
from retrieval.index import Found, PassageIndex, embedded_text, scope
from retrieval.knowledge_store import KnowledgeStore, Loaded
from retrieval.near_duplicates import without_near_duplicates
from retrieval.notes import note_passages
from retrieval.passage import Hit, NeighbourSurvival, Query, Retrieved, SimilarCase, TherapyMatch
from retrieval.patient_scope import PatientPassages
from retrieval.queries import NOTE_QUESTIONS, about_other_genes, disease_words, guideline_queries, with_disease
from retrieval.rank_fusion import Fused, reciprocal_rank_fusion
from retrieval.relevance import RelevanceModel, relevance_model
from retrieval.rerank import rerank
from retrieval.similar_cases import neighbour_survival, similar_cases
from retrieval.therapy_imported import with_imported
from retrieval.therapy_rows import match_rows, untested_rows
from retrieval.therapy_store import sources_at
from retrieval.vector_store import guideline_passage_index

RELEVANCE_FLOOR = 0.30
"""Least cosine similarity of query and passage for a hit, chosen for the built-in MiniLM.

Of 0.20, 0.25 ... 0.40 the largest that kept every one of 125 questions of the NCI PDQ question-answer set with its own
answer (first 500 characters); it also kept 98 of 100 PubMedQA questions with their own abstract. The nearest
built-in passage of 30 everyday questions (bread, flights, chess) reached 0.17 at most. It tells a subject from
another, not an answer from a near miss: 31 % of PubMedQA's general medical questions still find a passage.
Another embedder (RADOMICA_EMBEDDER) has another scale; the floor is then only a guess.
Guidelines have a second floor, fitted on labelled questions (retrieval/relevance.py), that decides whether the best
passage is one the question asks for; notes are searched with this one alone.
"""

CANDIDATES = 50
"""Passages asked of each ranking before they are joined."""

MAX_GUIDELINES = 8
ADDED_DEPTH = 10
"""How far down each question's hits an added document is looked for; CANDIDATES stays what it is with it."""

MAX_NOTES = 4
MAX_QUERY_CHARACTERS = 2000

_patients = PatientPassages()


@dataclass(frozen=True)
class _Guidelines:
    """The index of built-in and added passages, and the state of the added ones it was made of."""

    weights_sha256: str
    fingerprint: str
    index: PassageIndex
    said: tuple[str, ...]


_guidelines: _Guidelines | None = None
_guidelines_lock = threading.Lock()


def guideline_index() -> tuple[PassageIndex, tuple[str, ...]]:
    """The index of the built-in and the added passages, and what a user should know about its cache.

    Built once, and again when documents were added or removed, by this process or another.
    """
    global _guidelines  # noqa: PLW0603  one index a process
    embedding = load_embedding()
    added, said = _added_guidelines(embedding.weights_sha256)
    key = (embedding.weights_sha256, added.fingerprint)
    with _guidelines_lock:
        if _guidelines is None or (_guidelines.weights_sha256, _guidelines.fingerprint) != key:
            passages = load_passages()
            vectors, told = builtin_vectors(embedding)
            parts = [vectors, added.vectors] if added.passages else [vectors]
            index = guideline_passage_index(
                (*passages, *added.passages), np.concatenate(parts), embedding.weights_sha256
            )
            _guidelines = _Guidelines(*key, index, told)
        return _guidelines.index, (*_guidelines.said, *said)


def _added_guidelines(weights_sha256: str) -> tuple[Loaded, tuple[str, ...]]:
    """The added passages of nobody in particular; a store that cannot be opened is said, and searched without."""
    try:
        added = added_documents().load(None, weights_sha256)
    except (SettingsError, InputError) as error:
        return Loaded((), np.zeros((0, 1), np.float32), "not opened", "not opened"), (
            f"added documents: not searched, {error}",
        )
    return added, tuple(f"added documents: {problem}" for problem in added.problems)


def add_notes(patient: Patient) -> int:
    """Index the patient's notes in memory under his id, in place of any before; returns the number of passages."""
    passages = note_passages(patient)
    vectors = (
        load_embedding().encode([embedded_text(p) for p in passages]) if passages else np.zeros((0, 1), np.float32)
    )
    _patients.set_notes(patient.patient_id, passages, vectors)
    return len(passages)


def forget_notes(patient_id: str) -> None:
    """Drop a patient's notes from memory; unknown ids are fine."""
    _patients.forget(patient_id)
    added_documents().forget(patient_id)


def search(query: Query) -> tuple[Hit, ...]:
    """Guideline passages, and with ``patient_id`` that patient's notes, that are about the query.

    A question limited to a disease is searched with the disease's name, unless notes are searched by it too.

    Returns
    -------
    At most ``query.k`` hits, best first, none of them below RELEVANCE_FLOOR; no guideline at all where the best one is
    unlikely to be asked for (retrieval/relevance.py). ``score`` is the weighted mean of cosine and share of words,
    ``ranks`` the place by vector and by word, ``near_duplicates`` what was left out because a hit says the same.

    Raises
    ------
    SettingsError: k below 1, or a query text above MAX_QUERY_CHARACTERS.
    ContractError: ``patient_id`` has no indexed notes (``add_notes`` or ``retrieve`` first).
    UnavailableError: the embedder is not there.
    """
    _check_query(query)
    if not query.text.strip():
        return ()
    embedding = load_embedding()
    if query.patient_id is None:
        query = replace(query, text=with_disease(query))
    vector = embedding.encode((query.text,))[0]
    return tuple(quoting_for(hit, vector, embedding.encode) for hit in _search(query, vector))


def search_documents(patient_id: str, text: str, *, k: int) -> tuple[Hit, ...]:
    """Passages of the documents added for one patient that are about ``text``; his notes and guidelines are left out.

    Returns
    -------
    At most ``k`` hits, best first; () where no document was added for this patient.

    Raises
    ------
    SettingsError: as ``search``; or the store has another form, or vectors of another embedder.
    InputError: a document's record is damaged.
    """
    _check_query(Query(text, patient_id=patient_id, k=k))
    if not KnowledgeStore(knowledge_folder(), patient_id=patient_id).records():
        return ()
    embedding = load_embedding()
    vector = embedding.encode((text,))[0]
    hits = _search_index(_index_of(patient_id), Query(text, k=k), vector, patient_id=patient_id)
    own = [h for h in hits if is_added(h)][:k]
    return tuple(quoting_for(h, vector, embedding.encode) for h in own)


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
    best_first = sorted(hits, key=lambda h: (-h.score, h.passage.passage_id))
    return rerank(query.text, best_first)[: query.k]


def _index_of(patient_id: str) -> PassageIndex:
    return _patients.index(patient_id, added_documents(), load_embedding().weights_sha256)


def _search_index(
    index: PassageIndex, query: Query, vector: NDArray[np.float32], *, patient_id: str | None
) -> list[Hit]:
    if not len(index):
        return []
    # A note is about its patient whatever its disease: only guidelines are limited by disease.
    filters = scope(patient_id=patient_id, oncotree_code=None if patient_id else query.oncotree_code)
    found = index.search(query.text, vector, filters, k=max(CANDIDATES, 2 * query.k))
    model = relevance_model(load_embedding().weights_sha256)
    order = fuse(found, model)
    if model is not None and patient_id is None and _chance(found, order, model) < model.floor:
        return []
    hits = [
        Hit(passage=index.passages[f.id], score=f.score, ranks=f.ranks)
        for f in order
        if found.cosine[f.id] >= RELEVANCE_FLOOR
    ]
    return list(without_near_duplicates(hits))


def _chance(found: Found, order: Sequence[Fused], model: RelevanceModel) -> float:
    """The probability that the first hit is asked for; 0 where there is none."""
    if not order:
        return 0.0
    first = order[0].id
    return model.probability(found.cosine[first], found.word[first], found.covered[first], found.rarity)


def fuse(found: Found, model: RelevanceModel | None) -> tuple[Fused, ...]:
    """Both rankings of one search as one: by the model's sum of scores, or by reciprocal ranks without one."""
    if model is None:
        return reciprocal_rank_fusion({"vector": found.by_vector, "word": found.by_word})
    ranks: dict[str, dict[str, int]] = {}
    for name, ids in (("vector", found.by_vector), ("word", found.by_word)):
        for place, item in enumerate(ids, start=1):
            ranks.setdefault(item, {})[name] = place
    fused = [Fused(i, model.score(found.cosine[i], found.word[i]), places) for i, places in ranks.items()]
    return tuple(sorted(fused, key=lambda f: (-f.score, f.id)))


def retrieve(patient: Patient, prediction: PatientPrediction | None) -> Retrieved:
    """All that is known about a patient's case: passages (guidelines and own notes), therapy rows, similar cases.

    Any modality may be absent; ``skipped`` says what could not be searched, and why.
    """
    skipped: list[str] = []
    built_in = match_rows(patient, load_therapy_rows())
    sources, problems = sources_at(knowledge_folder())
    therapies, left_out = with_imported(patient, built_in, sources)
    skipped += (*problems, *left_out, *_untested(patient))
    passages = _passages(patient, prediction, built_in, skipped)
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
        add_notes(patient)
    except UnavailableError as error:
        skipped.append(f"passages: {error}")
        return ()
    queries = guideline_queries(patient, prediction, therapies)
    vectors = load_embedding().encode([query.text for query in queries])  # one batch: many times faster than one by one
    guidelines = _guideline_hits(patient, queries, vectors)
    if not guidelines:
        skipped.append(f"guidelines: no passage is close enough to a question about {disease_words(patient)}")
    try:
        index = _index_of(patient.patient_id)
    except (SettingsError, InputError) as error:
        skipped.append(f"notes and documents of the patient: not searched, {error}")
        return guidelines
    if not len(index):
        reason = patient.missing.get(
            "notes", "no note in the record" if not patient.notes else "no sentence in the notes"
        )
        skipped.append(f"notes: {reason}")
        return guidelines
    asked = [Query(text=text, patient_id=patient.patient_id, k=MAX_NOTES) for text in NOTE_QUESTIONS]
    embedding = load_embedding()
    vectors = embedding.encode(NOTE_QUESTIONS)
    found = zip(asked, vectors, strict=True)
    own = _round_robin((_search_index(index, q, v, patient_id=q.patient_id) for q, v in found), MAX_NOTES)
    documents = added_documents().load(patient.patient_id, embedding.weights_sha256)
    further, left = of_unquoted_documents(documents, own, vectors, limit=MAX_NOTES)
    if left:
        skipped.append(f"documents of the patient: {left} of those added are not quoted, being least about the course")
    return guidelines + own + further


def _guideline_hits(patient: Patient, queries: Sequence[Query], vectors: NDArray[np.float32]) -> tuple[Hit, ...]:
    """The best of each question; added documents have a place among them and quote what fits the question."""
    answers = [
        [h for h in _search(replace(query, k=ADDED_DEPTH), vector) if not about_other_genes(patient, h.passage)]
        for query, vector in zip(queries, vectors, strict=True)
    ]
    best = _round_robin((hits[: q.k] for hits, q in zip(answers, queries, strict=True)), MAX_GUIDELINES)
    added = _round_robin(([h for h in hits if is_added(h)] for hits in answers), len(ADDED_PLACES))
    asked = {
        h.passage.passage_id: vector
        for hits, vector in reversed(list(zip(answers, vectors, strict=True)))
        for h in hits
    }
    chosen = with_added(best, added, limit=MAX_GUIDELINES)
    return tuple(quoting_for(h, asked[h.passage.passage_id], load_embedding().encode) for h in chosen)


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
    imported = [s.label for s in sources_at(knowledge_folder())[0]]
    if imported:
        found["imported_therapy_rows"] = "; ".join(imported)
    try:
        embedding = load_embedding()
        found["embedder"] = embedding.weights_sha256[:16]
        found["added_documents"] = _added_guidelines(embedding.weights_sha256)[0].content_sha256[:16]
    except UnavailableError as error:
        found["embedder"] = f"not loaded: {error}"
    return found
