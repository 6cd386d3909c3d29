"""The patient's neighbours in the reference cohort, by cosine similarity of fused embeddings (FAISS, inner product).

A case that is the patient himself (same id, or the same embedding to half precision) is never returned.

What this module does not know: how embeddings are made; similarity is the model's, not biological proof, and
the outcomes of a handful of neighbours are no forecast.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import faiss
import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load_file

import encoders
from encoders.errors import ContractError, UnavailableError
from encoders.patient import Patient
from encoders.prediction import PatientPrediction
from encoders.vocabulary import APPEARANCE, EXPRESSION_PROFILES, MOLECULAR_LABELS
from retrieval.passage import SimilarCase
from retrieval.variant_class import variant_class

REFERENCE_FOLDER = Path(encoders.__file__).parent / "weights" / "fusion"
COHORT = "synthetic reference cohort"
DEFAULT_K = 5
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
    if prediction.embeddings is None:
        raise UnavailableError("no embedding of this patient: no modality could be encoded.")
    cohort = reference or load_reference()
    query = np.asarray(prediction.embeddings.fused, np.float32)
    if query.shape != (cohort.fused.shape[1],):
        raise ContractError(
            f"the patient's embedding has shape {query.shape}, the reference cohort {cohort.fused.shape[1]} columns; "
            "weights and cohort come from two training runs: reinstall, or train again."
        )
    allowed = np.flatnonzero(_comparable(patient, query, cohort)).astype(np.int64)
    length = float(np.linalg.norm(query))
    if not len(allowed) or not np.isfinite(length) or length == 0:
        return ()
    index = faiss.IndexFlatIP(cohort.fused.shape[1])
    index.add(unit_rows(cohort.fused))
    scope = faiss.SearchParameters(sel=faiss.IDSelectorBatch(allowed))
    similarity, row = index.search((query / length)[np.newaxis], min(k, len(allowed)), params=scope)  # (1, k)
    own = patient_features(patient, prediction)
    return tuple(_case(cohort, int(i), float(s), own) for s, i in zip(similarity[0], row[0], strict=True) if i >= 0)


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
    shared = (feature_words(name, value) for name, value in features.items() if own.get(name) == value)
    return SimilarCase(
        case_id=str(case["case_id"]),
        similarity=min(max(similarity, -1.0), 1.0),
        oncotree_code=str(case["oncotree_code"]),
        shared=tuple(sorted(shared, key=_telling)),
        followup_months=float(case["followup_months"]),
        event=bool(case["event"]),
        features=features,
        cohort=cohort.name,
        synthetic=cohort.synthetic,
    )


def _telling(words: str) -> tuple[bool, str]:
    """Tumour features before age and sex, and presence before absence."""
    return words.endswith((" sex", " years")) or " not " in words, words


def feature_words(name: str, value: str) -> str:
    """A shared feature as it is read: "EGFR altered", "spiculated margin", "high proliferation", "stage IIIA"."""
    if name in APPEARANCE or name in EXPRESSION_PROFILES:
        attribute = name.replace("_", " ")
        return f"{attribute} {value}" if value in ("absent", "present") else f"{value} {attribute}"
    if name == "sex":
        return f"{value} sex"
    if name == "age":
        return (
            f"age {value.removesuffix('s')} to {int(value.removesuffix('s')) + 9} years"
            if value[:-1].isdigit()
            else value
        )
    if name in ("stage", "grade"):
        return value if name in value.lower() else f"{name} {value}"
    return f"{name} {value}"


def patient_features(patient: Patient, prediction: PatientPrediction) -> Mapping[str, str]:
    """The patient's features under the names of reference_cohort.json: recorded where recorded, else predicted.

    Appearance and expression words are the model's reading; genes count as "altered" or "not altered" only
    where they were tested.
    """
    known = {"sex": patient.sex, "stage": patient.diagnosis.stage, "grade": patient.diagnosis.grade}
    if patient.age_years is not None:
        known["age"] = f"{10 * int(patient.age_years // 10)}s"
    found = {name: value for name, value in known.items() if value}
    for predicted in prediction.predictions:
        kind, _, name = predicted.task.partition(":")
        if kind in ("appearance", "expression") and predicted.label:
            found[name] = predicted.label
    for gene, (cancer, positive) in MOLECULAR_LABELS.items():
        state = _gene_state(patient, gene, positive)
        if state is not None and patient.oncotree_code in (None, cancer):
            found[gene] = state
    return found


def _gene_state(patient: Patient, gene: str, positive: str) -> str | None:
    if positive == "amplified":
        if patient.copy_number is None:
            return None
        altered = any(c.gene == gene and c.call == "amplification" for c in patient.copy_number)
    else:
        if patient.variants is None:
            return None
        altered = any(v.gene == gene and variant_class(v) is not None for v in patient.variants)
    return "altered" if altered else "not altered"
