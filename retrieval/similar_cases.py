"""The patient's neighbours in the reference cohort, by cosine similarity of fused embeddings (FAISS behind LlamaIndex).

A case that is the patient himself (same id, or the same embedding to half precision) is never returned. A few
neighbours are listed; the survival of more of them is drawn beside that of all cases of the cancer.

What this module does not know: how embeddings are made; similarity is the model's, not biological proof, and
the outcomes of neighbours are no forecast: they were treated as the cohort was, not as this patient will be.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from llama_index.core.vector_stores.types import VectorStoreQuery
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load_file

import encoders
from encoders.errors import ContractError, UnavailableError
from encoders.kaplan_meier import LEAST_CASES, KaplanMeier, fit_kaplan_meier
from encoders.patient import Patient
from encoders.prediction import PatientPrediction
from retrieval.case_features import differing_features, patient_features, shared_features
from retrieval.index import ScopedFaissStore
from retrieval.metadata_columns import MetadataColumns
from retrieval.passage import NeighbourSurvival, SimilarCase
from retrieval.vector_index import VectorIndex

REFERENCE_FOLDER = Path(encoders.__file__).parent / "weights" / "fusion"
COHORT = "synthetic reference cohort"
DEFAULT_K = 5
"""Neighbours listed one by one."""
CURVE_K = 30
"""Neighbours whose survival is drawn, at most half of the comparable cases: a choice among them, not all of them."""
SAME_EMBEDDING = 2.0**-9
"""Largest difference, relative to the largest value, that half-precision storage and arithmetic can make."""


@dataclass(frozen=True)
class ReferenceCohort:
    """fused : (N, D) float32 as stored; cases : N rows of reference_cohort.json in the same order."""

    fused: NDArray[np.float32]
    cases: tuple[Mapping[str, Any], ...]
    name: str
    synthetic: bool


@lru_cache(maxsize=2)
def load_reference(folder: Path = REFERENCE_FOLDER) -> ReferenceCohort:
    """Read reference_cohort.{safetensors,json} and, for its name, card.json.

    Raises
    ------
    UnavailableError: a file is missing or cannot be read; ContractError: the two do not fit each other.
    """
    try:
        fused = np.asarray(load_file(folder / "reference_cohort.safetensors")["fused"], np.float32)
        cases = tuple(json.loads((folder / "reference_cohort.json").read_text(encoding="utf-8")))
    except (OSError, KeyError, SafetensorError, json.JSONDecodeError) as error:
        raise UnavailableError(
            f"the reference cohort in {folder.name}/ cannot be read ({type(error).__name__}); "
            "reinstall, or make it with `radomica train fusion`."
        ) from error
    if fused.ndim != 2 or len(fused) != len(cases):
        raise ContractError(
            f"reference_cohort.safetensors has shape {fused.shape}, reference_cohort.json {len(cases)} cases; "
            "both come from one training run: train again."
        )
    card = _card(folder)
    return ReferenceCohort(
        fused=fused,
        cases=cases,
        name=str(card.get("reference_cohort", {}).get("name") or COHORT),
        synthetic=bool(card.get("synthetic", True)),
    )


def _card(folder: Path) -> Mapping[str, Any]:
    path = folder / "card.json"
    return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}


def similar_cases(
    patient: Patient,
    prediction: PatientPrediction,
    *,
    k: int = DEFAULT_K,
    reference: ReferenceCohort | None = None,
) -> tuple[SimilarCase, ...]:
    """The ``k`` nearest reference cases of the patient's own cancer, most similar first.

    The cancer is the recorded OncoTree code; a patient whose code has no reference case gets none, a patient
    without a code is compared with every case. The limit is given to FAISS as an IDSelector.

    Raises
    ------
    UnavailableError: there is no embedding of the patient, or no reference cohort.
    ContractError: the embedding's width is not the cohort's (weights of two training runs).
    """
    cohort = reference or load_reference()
    rows, similarity = _nearest(_query(prediction, cohort), _allowed(patient, prediction, cohort), k, cohort)
    own = patient_features(patient, prediction)
    return tuple(_case(cohort, int(i), float(s), own) for i, s in zip(rows, similarity, strict=True))


def neighbour_survival(
    patient: Patient,
    prediction: PatientPrediction,
    *,
    k: int = CURVE_K,
    reference: ReferenceCohort | None = None,
) -> NeighbourSurvival:
    """Kaplan-Meier curves of the ``k`` nearest cases and of all comparable ones, by the rules of ``similar_cases``.

    Raises
    ------
    UnavailableError, ContractError: as ``similar_cases``.
    """
    cohort = reference or load_reference()
    query, allowed = _query(prediction, cohort), _allowed(patient, prediction, cohort)
    rows, _ = _nearest(query, allowed, min(k, len(allowed) // 2), cohort)
    enough = len(rows) >= LEAST_CASES
    reason = "" if enough else (
        f"{len(rows)} neighbours of {len(allowed)} comparable reference cases, of which they are at most half; "
        f"a survival curve needs {LEAST_CASES}"
    )  # fmt: skip
    return NeighbourSurvival(
        neighbours=_curve(cohort, rows) if enough else None,
        reference=_curve(cohort, allowed) if len(allowed) >= LEAST_CASES else None,
        oncotree_code=patient.oncotree_code,
        cohort=cohort.name,
        synthetic=cohort.synthetic,
        reason=reason,
    )


def _curve(cohort: ReferenceCohort, rows: NDArray[np.int64]) -> KaplanMeier:
    cases = [cohort.cases[int(i)] for i in rows]
    return fit_kaplan_meier(
        np.array([float(c["followup_months"]) for c in cases]), np.array([bool(c["event"]) for c in cases])
    )


def _query(prediction: PatientPrediction, cohort: ReferenceCohort) -> NDArray[np.float32]:
    """(D,) float32 of the patient, known to fit the cohort."""
    if prediction.embeddings is None:
        raise UnavailableError("no embedding of this patient: no modality could be encoded.")
    query = np.asarray(prediction.embeddings.fused, np.float32)
    if query.shape != (cohort.fused.shape[1],):
        raise ContractError(
            f"the patient's embedding has shape {query.shape}, the reference cohort {cohort.fused.shape[1]} columns; "
            "weights and cohort come from two training runs: reinstall, or train again."
        )
    return query


def _allowed(patient: Patient, prediction: PatientPrediction, cohort: ReferenceCohort) -> NDArray[np.int64]:
    return np.flatnonzero(_comparable(patient, _query(prediction, cohort), cohort)).astype(np.int64)


def _nearest(
    query: NDArray[np.float32], allowed: NDArray[np.int64], k: int, cohort: ReferenceCohort
) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Rows and cosine similarities of the ``k`` nearest of the allowed cases, most similar first."""
    length = float(np.linalg.norm(query))
    k = min(k, len(allowed))
    if k < 1 or not np.isfinite(length) or length == 0:
        return np.empty(0, np.int64), np.empty(0, np.float32)
    wanted = VectorStoreQuery(
        query_embedding=(query / length).tolist(), similarity_top_k=k, node_ids=[str(row) for row in allowed]
    )
    found = case_store(cohort).query(wanted)
    return np.asarray([int(i) for i in found.ids or ()], np.int64), np.asarray(found.similarities or (), np.float32)


def case_store(cohort: ReferenceCohort) -> ScopedFaissStore:
    """The cases behind the interface that passages are searched through; ids are rows, metadata disease and case."""
    metadata = [{"oncotree": [str(c["oncotree_code"])], "case_id": str(c["case_id"])} for c in cohort.cases]
    return ScopedFaissStore(VectorIndex.build(unit_rows(cohort.fused)), MetadataColumns(metadata))


def unit_rows(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    """(N, D) rows scaled to length 1; a row of zeros stays."""
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.ascontiguousarray(vectors / np.where(lengths > 0, lengths, 1), np.float32)


def _comparable(patient: Patient, query: NDArray[np.float32], cohort: ReferenceCohort) -> NDArray[np.bool_]:
    """(N,) True where a case is of the patient's cancer and not the patient."""
    code = patient.oncotree_code
    same_cancer = np.asarray([code is None or c["oncotree_code"] == code for c in cohort.cases], bool)
    same_id = np.asarray([c["case_id"] == patient.patient_id for c in cohort.cases], bool)
    limit = SAME_EMBEDDING * max(float(np.abs(query).max(initial=0)), 1e-6)
    same_embedding = np.abs(cohort.fused - query).max(axis=1, initial=0) <= limit
    return same_cancer & ~same_id & ~same_embedding


def _case(cohort: ReferenceCohort, row: int, similarity: float, own: Mapping[str, str]) -> SimilarCase:
    case = cohort.cases[row]
    features = {str(k): str(v) for k, v in case.get("features", {}).items()}
    return SimilarCase(
        case_id=str(case["case_id"]),
        similarity=min(max(similarity, -1.0), 1.0),
        oncotree_code=str(case["oncotree_code"]),
        shared=shared_features(own, features),
        followup_months=float(case["followup_months"]),
        event=bool(case["event"]),
        features=features,
        cohort=cohort.name,
        synthetic=cohort.synthetic,
        differing=differing_features(own, features),
    )
