"""One patient's passages: the notes of the patient folder (memory only) and the documents added for that patient.

An index is made for one patient id and handed out for that id alone. Documents deleted on disk are gone from the
next search on, in this process and in any other.
Not known here: guidelines; who may act for a patient.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from encoders.errors import ContractError
from retrieval.added_documents import AddedDocuments
from retrieval.index import PassageIndex
from retrieval.passage import Passage


@dataclass(frozen=True)
class _Notes:
    passages: tuple[Passage, ...]
    vectors: NDArray[np.float32]  # (K, D)


class PatientPassages:
    """Indexes by patient. Safe to use from several threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._notes: dict[str, _Notes] = {}
        self._indexes: dict[str, tuple[str, PassageIndex]] = {}  # with the fingerprint of the documents in it

    def set_notes(self, patient_id: str, passages: Sequence[Passage], vectors: NDArray[np.float32]) -> None:
        """Hold a patient's notes in memory, in place of any before.

        Raises
        ------
        ContractError: a passage is not this patient's.
        """
        if any(p.patient_id != patient_id for p in passages):
            raise ContractError("a note of another patient (or of nobody) was given; notes are held by patient.")
        with self._lock:
            self._notes[patient_id] = _Notes(tuple(passages), vectors)
            self._indexes.pop(patient_id, None)

    def forget(self, patient_id: str) -> None:
        """Drop all of a patient from memory; unknown ids are fine."""
        with self._lock:
            self._notes.pop(patient_id, None)
            self._indexes.pop(patient_id, None)

    def index(self, patient_id: str, documents: AddedDocuments, weights_sha256: str) -> PassageIndex:
        """The index of one patient's notes and documents, as they are now.

        Raises
        ------
        ContractError: nothing of this patient is known.
        SettingsError: the documents were embedded by another embedder.
        """
        added = documents.load(patient_id, weights_sha256)
        with self._lock:
            notes = self._notes.get(patient_id)
            kept = self._indexes.get(patient_id)
            if notes is None and not added.passages:
                self._indexes.pop(patient_id, None)
                raise ContractError(
                    f"no notes are indexed for patient {patient_id!r}; "
                    "call retrieve() or add_notes() for this patient first."
                )
            if kept is not None and kept[0] == added.fingerprint:
                return kept[1]
            parts = [notes.vectors] if notes is not None and notes.passages else []
            parts += [added.vectors] if added.passages else []
            passages = (*(notes.passages if notes is not None else ()), *added.passages)
            made = PassageIndex(passages, np.concatenate(parts) if parts else np.zeros((0, 1), np.float32))
            self._indexes[patient_id] = added.fingerprint, made
            return made
