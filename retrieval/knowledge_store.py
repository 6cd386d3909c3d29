"""Added documents on disk: passages and vectors, whole or not at all, whatever moment the program is killed at.

    knowledge/store.json                           form of the store, whose it is
    knowledge/documents/<id>/document.json         versions; renaming it in place is the moment a change counts
    knowledge/documents/<id>/<segment>.jsonl .npy  passages and vectors (K, D) of one version, never changed
    knowledge/documents/<id>/<segment>.therapies.json  imported therapy rows (retrieval/therapy_store.py); no passages
    knowledge/patients/<hash>/...                  the same, of one patient: opened only with that patient's id

One writer at a time (a lock the system drops when the writer dies); readers need no lock.
Not known here: files to read (retrieval/knowledge_add.py), ranking, encryption: what lies here is as safe as the disk.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any, Protocol

import numpy as np
from filelock import FileLock, Timeout
from numpy.typing import NDArray

from encoders.errors import ContractError, InputError, SettingsError, UnavailableError
from retrieval.knowledge_files import remove_folder, sweep, write_durably
from retrieval.knowledge_record import DocumentRecord, Version
from retrieval.knowledge_rows import embedded_sha256, npy_bytes, passage_of
from retrieval.passage import Passage

FORMAT = 1
LOCK_SECONDS = 600.0
HEAD, RECORD, STATEMENTS = "store.json", "document.json", ".therapies.json"
ENDINGS = (".jsonl", ".npy", STATEMENTS)
_ID = re.compile(r"[a-z0-9][a-z0-9-]*")
REEMBED = "radomica knowledge update --reembed"
MAX_RELOADS = 50
"""A reader begins again when a writer changes the store under it, this often at most."""


class TextEmbedder(Protocol):
    """What makes the vectors: retrieval.embed.PassageEmbedding, or any other with a name and a hash of its weights."""

    model_name: str
    weights_sha256: str

    def encode(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """(K, D) float32, each row of length 1."""
        ...


@dataclass(frozen=True)
class Loaded:
    """What is searched: passages with their vectors (K, D), and documents that could not be opened, one line each.

    fingerprint : changes with every change of the store; content_sha256 : of the documents read and their details
    """

    passages: tuple[Passage, ...]
    vectors: NDArray[np.float32]
    fingerprint: str
    content_sha256: str = "none"
    problems: tuple[str, ...] = ()


class KnowledgeStore:
    """The documents of everybody, or those of one patient (``patient_id``); the folder is made on the first write.

    Raises
    ------
    SettingsError: the folder was written by another form of this store.
    ContractError: the folder is another patient's.
    """

    def __init__(self, root: Path, *, patient_id: str | None = None) -> None:
        if patient_id is not None and not patient_id.strip():
            raise InputError("the patient id is empty; give the id that the patient's own files use.")
        self.root = root
        self.patient_id = patient_id
        self.folder = root if patient_id is None else root / "patients" / owner_hash(patient_id)
        self._documents = self.folder / "documents"
        self._swept = False
        self._contents: dict[str, str] | None = None  # hash of a file -> its document
        self._opened: dict[tuple[str, str, str], tuple[tuple[Passage, ...], NDArray[np.float32]]] = {}
        self._check_form()

    # ---- reading ----------------------------------------------------------------------------------------------

    def records(self) -> tuple[DocumentRecord, ...]:
        """Every document, by id."""
        found = []
        for path in self._record_files():
            try:
                found.append(DocumentRecord.from_json(path.read_text(encoding="utf-8"), path.parent.name))
            except FileNotFoundError:  # removed since it was listed
                continue
        return tuple(found)

    def _record_files(self) -> list[Path]:
        """The records that count; a folder on its way out (its name begins with a dot) does not."""
        try:
            names = sorted(name for name in os.listdir(self._documents) if not name.startswith("."))
        except FileNotFoundError:  # nothing was ever added, or a patient was deleted while this was read
            return []
        return [path for name in names if (path := self._documents / name / RECORD).is_file()]

    def record(self, document_id: str) -> DocumentRecord | None:
        """One document, or None."""
        if not _ID.fullmatch(document_id):
            return None
        try:
            text = (self._documents / document_id / RECORD).read_text(encoding="utf-8")
        except FileNotFoundError:
            return None
        return DocumentRecord.from_json(text, document_id)

    def fingerprint(self) -> str:
        """Changes with every change of the store; costs one stat a document."""
        digest = hashlib.sha256()
        for path in self._record_files():
            try:
                seen = path.stat()
            except FileNotFoundError:
                continue
            digest.update(f"{path.parent.name}:{seen.st_ino}:{seen.st_mtime_ns}:{seen.st_size};".encode())
        return digest.hexdigest()

    def change_mark(self) -> str:
        """Changes with every change that counts, for one stat whatever the size of the store."""
        try:
            seen = (self.folder / HEAD).stat()
        except FileNotFoundError:
            return "none"
        return f"{seen.st_ino}:{seen.st_mtime_ns}"

    def load(self, weights_sha256: str) -> Loaded:
        """Passages and vectors of the current version of every document.

        Raises
        ------
        SettingsError: another form of store; vectors of another embedder than ``weights_sha256``.
        UnavailableError: writers change the store faster than it can be read.
        """
        self._check_form()
        for _ in range(MAX_RELOADS):
            before = self.fingerprint()
            loaded = self._load(before, weights_sha256)
            if self.fingerprint() == before:
                return loaded
        raise UnavailableError("the added documents change faster than they can be read; wait for the other command.")

    def _load(self, fingerprint: str, weights_sha256: str) -> Loaded:
        passages: list[Passage] = []
        vectors: list[NDArray[np.float32]] = []
        problems: list[str] = []
        records = self.records()
        check_embedder(records, weights_sha256)
        opened: dict[tuple[str, str, str], tuple[tuple[Passage, ...], NDArray[np.float32]]] = {}
        for record in records:
            key = (record.document_id, record.current.segment, repr(record.current.details))
            try:
                opened[key] = self._opened.get(key) or self._open(record)
            except (OSError, ValueError) as error:
                problems.append(f"{record.document_id}: left out, {error}")
                continue
            if opened[key][0]:
                passages += opened[key][0]
                vectors.append(opened[key][1])
        self._opened = opened
        joined = np.concatenate(vectors) if vectors else np.zeros((0, 1), np.float32)
        return Loaded(tuple(passages), joined, fingerprint, _content_sha256(records), tuple(problems))

    def _open(self, record: DocumentRecord) -> tuple[tuple[Passage, ...], NDArray[np.float32]]:
        """The passages of a document's current version and their vectors; raises OSError or ValueError."""
        rows, matrix = self.segment(record.document_id, record.current)
        found = tuple(passage_of(row, record.document_id, record.current, self.patient_id) for row in rows)
        if rows and embedded_sha256(found[0]) != rows[0]["embedded_sha256"]:
            raise ValueError(f"embedded in another form; run {REEMBED}.")
        return found, matrix

    def segment(self, document_id: str, version: Version) -> tuple[list[dict[str, Any]], NDArray[np.float32]]:
        """Rows and vectors of one version.

        Raises
        ------
        ValueError: a file is missing, cut short or does not fit the other.
        OSError: a file cannot be read.
        """
        folder = self._documents / document_id
        for ending, size in version.sizes.items():
            path = folder / f"{version.segment}{ending}"
            if not path.is_file() or path.stat().st_size != size:
                raise ValueError(f"{path.name} is missing or cut short; run radomica knowledge update.")
        text = (folder / f"{version.segment}.jsonl").read_text(encoding="utf-8")
        rows = [json.loads(line) for line in text.split("\n") if line]
        matrix = np.load(folder / f"{version.segment}.npy", mmap_mode="r", allow_pickle=False)
        if matrix.ndim != 2 or len(rows) != len(matrix) or len(rows) != version.passages:
            raise ValueError(f"{len(rows)} passages with vectors {matrix.shape}; run radomica knowledge update.")
        return rows, matrix

    def attached(self, document_id: str, version: Version, ending: str) -> bytes:
        """A further file of one version; raises ValueError where it is missing or cut short."""
        path = self._documents / document_id / f"{version.segment}{ending}"
        if not path.is_file() or path.stat().st_size != version.sizes[ending]:
            raise ValueError(f"{path.name} is missing or cut short; run radomica knowledge update.")
        return path.read_bytes()

    def with_content(self, sha256: str) -> DocumentRecord | None:
        """The document whose current version was read from a file of this hash; the list is made once and kept."""
        if self._contents is None:
            self._contents = {r.current.sha256: r.document_id for r in self.records()}
        document_id = self._contents.get(sha256)
        record = self.record(document_id) if document_id else None
        return record if record is not None and record.current.sha256 == sha256 else None

    def is_whole(self, document_id: str, version: Version) -> bool:
        """Whether the files of a version are there in their full size and fit each other."""
        try:
            self.segment(document_id, version)
        except (OSError, ValueError):
            return False
        return True

    def rows(self, record: DocumentRecord) -> list[dict[str, Any]]:
        """The stored passages of a document's current version; raises InputError where its files are broken."""
        try:
            return [dict(row) for row in self.segment(record.document_id, record.current)[0]]
        except (OSError, ValueError) as error:
            raise InputError(f"{record.document_id}: {error}") from error

    def vectors_by_text(self, record: DocumentRecord | None, weights_sha256: str) -> dict[str, NDArray[np.float32]]:
        """Hash of an embedded text -> its vector (D,), of every version of a document that this embedder made."""
        found: dict[str, NDArray[np.float32]] = {}
        for version in record.versions if record is not None else ():
            if version.weights_sha256 != weights_sha256:
                continue
            try:
                rows, matrix = self.segment(record.document_id, version)
            except (OSError, ValueError):  # a broken version is no source; its texts are embedded again, and counted
                continue
            found |= {row["embedded_sha256"]: matrix[i] for i, row in enumerate(rows)}
        return found

    # ---- writing ----------------------------------------------------------------------------------------------

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Hold the only writer's place; what an earlier writer left unfinished is swept away first.

        Raises
        ------
        UnavailableError: another command has been writing for LOCK_SECONDS.
        """
        self.root.mkdir(parents=True, exist_ok=True)
        try:
            with FileLock(self.root / ".lock", timeout=LOCK_SECONDS):
                if not self._swept:
                    self._sweep()
                    self._swept = True
                yield
        except Timeout as error:
            raise UnavailableError("another radomica knowledge command is writing; wait until it ends.") from error

    def write_segment(
        self,
        document_id: str,
        rows: Sequence[Mapping[str, Any]],
        vectors: NDArray[np.float32],
        attached: Mapping[str, bytes] = MappingProxyType({}),
    ) -> str:
        """Store passages and vectors, not yet part of any document; returns the segment's name. Needs ``writing``.

        attached : ending (of ENDINGS) -> bytes of a further file of the segment
        """
        if vectors.ndim != 2 or len(rows) != len(vectors) or not np.isfinite(vectors).all():
            raise ContractError(f"{len(rows)} passages came with vectors {vectors.shape}; the rule is (K, D), finite.")
        self._write_form()
        text = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows).encode("utf-8")
        raw = npy_bytes(vectors)
        segment = hashlib.sha256(b"".join((text, raw, *attached.values()))).hexdigest()[:16]
        folder = self._documents / document_id
        write_durably(folder / f"{segment}.jsonl", text)
        write_durably(folder / f"{segment}.npy", raw)
        for ending, data in attached.items():
            write_durably(folder / f"{segment}{ending}", data)
        return segment

    def sizes(self, document_id: str, segment: str) -> dict[str, int]:
        """Bytes of a segment's files, by ending."""
        folder = self._documents / document_id
        paths = {ending: folder / f"{segment}{ending}" for ending in ENDINGS}
        return {ending: path.stat().st_size for ending, path in paths.items() if path.is_file()}

    def commit(self, record: DocumentRecord) -> None:
        """Make a record the document's: from here on the change is there, for every reader. Needs ``writing``."""
        write_durably(self._documents / record.document_id / RECORD, record.to_json())
        self._mark_change()
        if self._contents is not None:
            self._contents[record.current.sha256] = record.document_id

    def remove(self, document_id: str) -> None:
        """Remove a document with all its versions; their bytes are deleted when this returns. Needs ``writing``."""
        if not _ID.fullmatch(document_id) or not (self._documents / document_id / RECORD).is_file():
            raise InputError(f"no document {document_id!r}; radomica knowledge list shows the ids.")
        remove_folder(self._documents / document_id)
        self._mark_change()
        self._opened = {key: kept for key, kept in self._opened.items() if key[0] != document_id}

    def remove_patient(self) -> bool:
        """Remove all of this patient's documents; False where there were none. Needs ``writing``."""
        if self.patient_id is None:
            raise ContractError("remove_patient needs a store opened with a patient id.")
        there = self.folder.is_dir()
        if there:
            remove_folder(self.folder)
        self._opened = {}
        return there

    def _mark_change(self) -> None:
        """Tell readers to look again; the clock's own resolution is coarser than two quick changes."""
        self._write_form()
        now = time.time_ns()
        os.utime(self.folder / HEAD, ns=(now, now))

    def _sweep(self) -> None:
        for folder in (self.root, self.root / "patients", self.folder, self._documents):
            sweep(folder)
        for folder in sorted(self._documents.iterdir()) if self._documents.is_dir() else ():
            sweep(folder)
            try:
                record = self.record(folder.name)
            except InputError:  # damaged by something else than a kill: shown by ``records``, never deleted unasked
                continue
            if record is None:
                remove_folder(folder)
                continue
            used = {f"{v.segment}{ending}" for v in record.versions for ending in v.sizes} | {RECORD}
            for path in folder.iterdir():
                if path.name not in used:
                    path.unlink()

    def _check_form(self) -> None:
        path = self.folder / HEAD
        try:
            found = json.loads(path.read_text(encoding="utf-8"))
            form, owner = found["format"], found["owner"]
        except FileNotFoundError:  # nothing was ever added, or all was deleted
            return
        except (ValueError, KeyError, TypeError) as error:
            raise SettingsError(f"{path}: not the head of a knowledge store; move the folder away.") from error
        if form != FORMAT:
            raise SettingsError(
                f"{self.folder}: a knowledge store of form {form}; this Radomica reads form {FORMAT}. "
                "Move the folder away and add the documents again."
            )
        if owner != (owner_hash(self.patient_id) if self.patient_id is not None else ""):
            raise ContractError("this store of documents is not the one of the patient asked for.")

    def _write_form(self) -> None:
        path = self.folder / HEAD
        if not path.is_file():
            owner = owner_hash(self.patient_id) if self.patient_id is not None else ""
            write_durably(path, json.dumps({"format": FORMAT, "owner": owner}) + "\n")


def owner_hash(patient_id: str) -> str:
    """Names a patient's folder without naming the patient."""
    return hashlib.sha256(f"patient:{patient_id}".encode()).hexdigest()[:32]


def check_embedder(records: Sequence[DocumentRecord], weights_sha256: str) -> None:
    """Raise SettingsError where a document's vectors were made by another embedder."""
    other = [r.current for r in records if r.current.passages and r.current.weights_sha256 != weights_sha256]
    if other:
        raise SettingsError(
            f"{len(other)} of {len(records)} added documents have vectors of the embedder {other[0].embedder!r} "
            f"({other[0].weights_sha256[:12]}), the embedder now has {weights_sha256[:12]}. "
            f"Run {REEMBED}, or set RADOMICA_EMBEDDER as it was."
        )


def _content_sha256(records: Sequence[DocumentRecord]) -> str:
    """One hash of the current versions and what is said of them; "none" where there is no document."""
    if not records:
        return "none"
    said = [[r.document_id, r.current.sha256, r.current.rules, repr(r.current.details)] for r in records]
    return hashlib.sha256(json.dumps(said).encode()).hexdigest()
