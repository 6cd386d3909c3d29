"""Patients kept apart: queries across patients while documents are added and deleted, and traces after a delete.

Every query asks, with one patient's scope (or nobody's), for a sentence that stands in another patient's document,
word for word. What comes back must be the asker's. Two writers add and delete meanwhile; after each delete the bytes
of every file of the store are read for what was deleted. Documents are made, vectors are hashed words; a part of the
queries goes through the shipped search with the shipped embedder. NOT measured: other processes' memory.
"""

from __future__ import annotations

import random
import tempfile
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path

from encoders.errors import ContractError
from eval.benchmark import Better, Progress, Row
from eval.retrieval_made import WordEmbedder, made_text
from retrieval.added_documents import AddedDocuments, delete_patient, documents_at
from retrieval.index import scope
from retrieval.knowledge_add import add_file
from retrieval.knowledge_record import Details
from retrieval.knowledge_store import KnowledgeStore
from retrieval.passage import Passage, Query
from retrieval.patient_scope import PatientPassages

QUERIES, SHIPPED_QUERIES = 10_000, 200
PATIENTS, STABLE = 12, 4
"""Of the patients the first STABLE are never deleted: their own sentences must be found."""

OWN_FOUND = 0.99
PARAGRAPHS = 2
K = 10


@dataclass
class Tally:
    """Counts over one run; ``leaks`` and ``traces`` hold a line for each fault."""

    queries: int = 0
    answered: int = 0
    own: int = 0
    own_found: int = 0
    writes: int = 0
    deletes: int = 0
    leaks: list[str] = field(default_factory=list)
    traces: list[str] = field(default_factory=list)
    writer_errors: list[str] = field(default_factory=list)


def scope_rows(*, seed: int, progress: Progress = None, queries: int = QUERIES) -> tuple[Row, ...]:
    """One row a promise: nothing of another patient, own sentences found, no trace after a delete."""
    started = time.monotonic()
    tally = query_beside_writers(queries, seed=seed, progress=progress)
    middle = time.monotonic()
    shipped = shipped_leaks(SHIPPED_QUERIES, seed=seed)
    note = f"beside {tally.writes} adds and {tally.deletes} deletes; {tally.answered} queries found something"
    first = [f"; first: {lines[0]}" if lines else "" for lines in (tally.leaks, tally.traces)]
    return (
        Row("scope.passages_of_others", len(tally.leaks), 0, Better.LOWER, tally.queries, middle - started,
            note=note + first[0]),
        Row("scope.own_found", tally.own_found / max(tally.own, 1), OWN_FOUND, Better.HIGHER, tally.own, 0.0),
        Row("scope.traces_after_delete", len(tally.traces), 0, Better.LOWER, tally.deletes, 0.0, note=first[1]),
        Row("scope.writers_failed", len(tally.writer_errors), 0, Better.LOWER, tally.writes + tally.deletes, 0.0),
        Row("scope.shipped_search_of_others", shipped, 0, Better.LOWER, SHIPPED_QUERIES, time.monotonic() - middle),
    )  # fmt: skip


def query_beside_writers(queries: int, *, seed: int, progress: Progress = None) -> Tally:
    """Ask ``queries`` times across patients while two writers add and delete."""
    tally = Tally()
    with tempfile.TemporaryDirectory(prefix="radomica-scope-") as folder:
        world = _World(Path(folder))
        for patient in world.patients:
            world.add(patient, 0)
        stop = threading.Event()
        writers = [threading.Thread(target=world.write, args=(n, seed, stop, tally), daemon=True) for n in range(2)]
        for writer in writers:
            writer.start()
        rng = random.Random(seed)
        try:
            while tally.queries < queries:
                if progress and tally.queries % 1000 == 0:
                    progress(f"query {tally.queries} of {queries}")
                world.ask(rng, tally)
        finally:
            stop.set()
            for writer in writers:
                writer.join()
    return tally


class _World:
    """Patients with made documents in one store, and what is asked and written."""

    def __init__(self, folder: Path) -> None:
        self.root, self.sources = folder / "knowledge", folder / "sources"
        self.patients = tuple(f"PT-{n:03d}" for n in range(PATIENTS))
        self.documents, self.passages = AddedDocuments(self.root), PatientPassages()
        self.embedder = WordEmbedder()
        self._busy = {patient: threading.Lock() for patient in self.patients}  # one writer a patient at a time

    def sentence(self, rng: random.Random, patient: str) -> str:
        """A sentence of the patient's first document, as it stands there."""
        lines = made_text(self._name(patient), 0, paragraphs=PARAGRAPHS).split("\n")
        return rng.choice([line for line in lines if line.endswith(".")])

    @staticmethod
    def _name(patient: str) -> str:
        return f"{patient}-name"

    def add(self, patient: str, version: int) -> None:
        """Add one document of a patient, from a file of its own."""
        path = self.sources / patient / f"letter-{version}.md"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(made_text(self._name(patient), version, paragraphs=PARAGRAPHS), encoding="utf-8")
        add_file(KnowledgeStore(self.root, patient_id=patient), path, self.embedder, Details())

    def write(self, number: int, seed: int, stop: threading.Event, tally: Tally) -> None:
        """A writer: adds to and deletes patients until told to stop."""
        rng = random.Random(f"{seed}/writer{number}")
        while not stop.is_set():
            patient = rng.choice(self.patients[STABLE:])
            with self._busy[patient]:
                try:
                    if rng.random() < 0.3:
                        self._delete(patient, tally)
                    else:
                        self.add(patient, rng.randrange(3))
                        tally.writes += 1
                except (OSError, ContractError) as error:
                    tally.writer_errors.append(str(error))

    def _delete(self, patient: str, tally: Tally) -> None:
        done = delete_patient(self.root, patient)
        self.passages.forget(patient)
        self.documents.forget(patient)
        tally.deletes += 1
        tally.traces += done.traces
        if self._found(patient, self._name(patient)):
            tally.traces.append(f"{patient} is still searched")

    def ask(self, rng: random.Random, tally: Tally) -> None:
        """One query across patients; every tenth with nobody's scope, every tenth for one's own sentence."""
        asker, other = rng.sample(self.patients, 2)
        place = tally.queries % 10
        tally.queries += 1
        if place == 1:
            own = rng.choice(self.patients[:STABLE])
            wanted = self.sentence(rng, own)
            tally.own += 1
            tally.own_found += any(wanted in p.text for p in self._found(own, wanted))
            return
        asked = None if place == 0 else asker
        found = self._found(asked, self.sentence(rng, other))
        tally.answered += bool(found)
        tally.leaks += [f"{asked} got {p.passage_id}" for p in found if p.patient_id != asked or other in p.text]

    def _found(self, patient: str | None, text: str) -> list[Passage]:
        if patient is None:
            return list(self.documents.load(None, self.embedder.weights_sha256).passages)
        try:
            index = self.passages.index(patient, self.documents, self.embedder.weights_sha256)
        except ContractError:  # deleted: there is nothing of this patient
            return []
        vector = self.embedder.encode((text,))[0]
        found = index.search(text, vector, scope(patient_id=patient, oncotree_code=None), k=K)
        return [index.passages[i] for i in dict.fromkeys((*found.by_vector, *found.by_word))]


def shipped_leaks(queries: int, *, seed: int) -> int:
    """Passages of others among the hits of the shipped search, with the shipped embedder, over ``queries`` queries."""
    from retrieval.embed import load_embedding  # noqa: PLC0415  loads the model
    from retrieval.search import forget_notes, search  # noqa: PLC0415

    rng = random.Random(seed)
    leaks = 0
    with tempfile.TemporaryDirectory(prefix="radomica-scope-") as folder, documents_at(Path(folder) / "knowledge"):
        world = _World(Path(folder))
        world.embedder = load_embedding()
        for patient in world.patients[:STABLE]:
            world.add(patient, 0)
        for _ in range(queries):
            asker, other = rng.sample(world.patients[:STABLE], 2)
            asked = rng.choice((asker, None))
            hits = search(Query(world.sentence(rng, other), patient_id=asked, k=K))
            leaks += sum(h.passage.patient_id not in (None, asked) or other in h.passage.text for h in hits)
        for patient in world.patients[:STABLE]:
            forget_notes(patient)
    return leaks
