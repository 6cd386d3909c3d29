"""The added documents as the search sees them: loaded once, loaded again when the store on disk has changed.

Where they lie: RADOMICA_KNOWLEDGE, else RADOMICA_HOME/knowledge. A document given with ``--patient ID`` is reached
through that id alone: no function here gives the documents of two patients, or of a patient and of nobody.
Not known here: ranking; how passages are indexed.
"""

from __future__ import annotations

import json
import os
import threading
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from encoders.errors import ContractError
from retrieval.embed import home_folder
from retrieval.knowledge_files import files_holding
from retrieval.knowledge_store import HEAD, KnowledgeStore, Loaded, owner_hash

FOLDER_VARIABLE = "RADOMICA_KNOWLEDGE"

OPEN_PATIENTS = 8
"""Patients whose documents stay in memory; the least used goes first."""

NEEDLE_CHARACTERS, MIN_NEEDLE_CHARACTERS = 60, 16


def knowledge_folder() -> Path:
    """RADOMICA_KNOWLEDGE, else ``knowledge`` in the data home; not created here."""
    own = os.environ.get(FOLDER_VARIABLE, "").strip()
    return Path(own).expanduser() if own else home_folder() / "knowledge"


@contextmanager
def documents_at(root: Path) -> Iterator[None]:
    """Use the added documents under ``root`` for the time of the block, in this process and those it starts.

    A benchmark uses an empty folder: its figures must not depend on what the user has added.
    """
    before = os.environ.get(FOLDER_VARIABLE)
    os.environ[FOLDER_VARIABLE] = str(root)
    try:
        yield
    finally:
        if before is None:
            del os.environ[FOLDER_VARIABLE]
        else:
            os.environ[FOLDER_VARIABLE] = before


class AddedDocuments:
    """The added documents under one folder. Safe to use from several threads."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._lock = threading.Lock()
        self._kept: OrderedDict[str | None, tuple[KnowledgeStore, str, Loaded]] = OrderedDict()

    def load(self, patient_id: str | None, weights_sha256: str) -> Loaded:
        """Passages and vectors of nobody's documents (None) or of one patient's; as they are on disk now.

        Raises
        ------
        SettingsError: the store has another form, or vectors of another embedder.
        """
        with self._lock:
            store, mark, loaded = self._kept.pop(patient_id, (None, "", None))
            if store is None:
                store = KnowledgeStore(self._root, patient_id=patient_id)
            now = store.change_mark()  # before loading: a change while it loads is then seen by the next search
            if loaded is None or mark != now or loaded.problems:
                loaded = store.load(weights_sha256)
            if any(p.patient_id != patient_id for p in loaded.passages):
                raise ContractError("a store gave a passage of another patient; this is a bug.")
            self._kept[patient_id] = store, now, loaded
            patients = [owner for owner in self._kept if owner is not None]
            for owner in patients[: len(patients) - OPEN_PATIENTS]:
                del self._kept[owner]
            return loaded

    def forget(self, patient_id: str) -> None:
        """Drop a patient's documents from memory; unknown ids are fine."""
        with self._lock:
            self._kept.pop(patient_id, None)


_by_root: dict[Path, AddedDocuments] = {}
_by_root_lock = threading.Lock()


def added_documents() -> AddedDocuments:
    """The documents of the folder in use, one object a process and folder."""
    root = knowledge_folder()
    with _by_root_lock:
        return _by_root.setdefault(root, AddedDocuments(root))


def documents_mark() -> str:
    """Changes with every change of any added document, of nobody or of a patient; for what keeps a case in memory."""
    root = knowledge_folder()
    patients = root / "patients"
    names = sorted(os.listdir(patients)) if patients.is_dir() else []
    heads = [root / HEAD, *(patients / name / HEAD for name in names)]
    seen = []
    for path in heads:
        try:
            seen.append(f"{path.parent.name}:{path.stat().st_ino}:{path.stat().st_mtime_ns}")
        except FileNotFoundError:
            continue
    return ";".join(seen)


@dataclass(frozen=True)
class Deletion:
    """What became of a patient's documents.

    documents, passages : how many were there; traces : files that still hold a piece of them (none, or it failed)
    files_read_bytes : how much was searched for traces
    """

    documents: int
    passages: int
    traces: tuple[str, ...]
    files_read_bytes: int


def delete_patient(root: Path, patient_id: str, *, searched: Sequence[Path] = ()) -> Deletion:
    """Delete a patient's documents, vectors and caches, then look for traces in the bytes of every file.

    searched : further folders whose files are read for traces, beside the store's own (a cache of vectors)
    Looked for: the beginning of each passage's longest line, each whole vector, document ids, and the name of the
    patient's folder. A text that stands in a guideline too is a trace in that guideline's file.
    """
    store = KnowledgeStore(root, patient_id=patient_id)
    with store.writing():
        records = store.records()
        needles = patient_needles(store)
        store.remove_patient()
    added_documents().forget(patient_id)
    looked = [files_holding(folder, needles) for folder in (root, *searched) if folder.is_dir()]
    traces = [path for found, _ in looked for path in found]
    read = sum(size for _, size in looked)
    passages = sum(r.current.passages for r in records)
    return Deletion(len(records), passages, tuple(str(p) for p in traces), read)


def patient_needles(store: KnowledgeStore) -> list[bytes]:
    """Byte strings that only this patient's documents should hold."""
    needles = [owner_hash(store.patient_id or "").encode()]
    for record in store.records():
        needles.append(record.document_id.encode())
        for version in record.versions:
            if not store.is_whole(record.document_id, version):
                continue
            rows, vectors = store.segment(record.document_id, version)
            needles += [form.encode() for row in rows for form in _as_stored(row["text"])]
            needles += [vector.tobytes() for vector in vectors]
    return needles


def _as_stored(text: str) -> Iterator[str]:
    """The beginning of a text's longest line, as it is and as JSON writes it; very short ones are no proof."""
    line = max(text.split("\n"), key=len)[:NEEDLE_CHARACTERS]
    if len(line) >= MIN_NEEDLE_CHARACTERS:
        yield from dict.fromkeys((line, json.dumps(line)[1:-1], json.dumps(line, ensure_ascii=False)[1:-1]))
