"""The tables of a report: therapies, predictions, similar cases, gaps and contradictions as plain JSON values.

Built from the same objects as the ledger and linked to it by evidence ids. Not known here: any wording of claims.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from assistant.collect_conflicts import conflict_statement
from assistant.contradictions import find_contradictions, predicted_label
from assistant.evidence import Evidence, Ledger
from encoders.patient import Patient
from encoders.prediction import PatientPrediction, Prediction
from retrieval.passage import Retrieved, TherapyMatch

CURVE_MONTHS = 60.0
SHARE_MONTHS = (12.0, 36.0)
RISK_MONTHS = (0.0, 12.0, 24.0, 36.0, 48.0, 60.0)
"""How far the curves of similar cases are drawn, when shares are told, and where the numbers at risk stand."""

_PREDICTION_TYPES = {"survival": "survival", "cancer_type": "cancer_type_prediction"}


def _shown(item: Evidence, name: str) -> str | None:
    found = item.fields.get(name)
    return found.display if found else None


def therapy_table(ledger: Ledger, retrieved: Retrieved) -> tuple[Mapping[str, Any], ...]:
    """One row per therapy evidence, offered first, with the molecular evidence it rests on."""
    matches = {m.row.row_id: m for m in retrieved.therapies}
    rows = [_therapy(item, matches.get(item.source.row_id or ""), ledger) for item in ledger.of_type("therapy")]
    return tuple(sorted(rows, key=lambda r: r["status"] != "offered"))


def _therapy(item: Evidence, match: TherapyMatch | None, ledger: Ledger) -> dict[str, Any]:
    rests_on = [e.id for key in (match.alteration_keys if match else ()) for e in _behind(key, ledger)]
    cautions = item.fields.get("contraindications")
    return {
        "drug": _shown(item, "drug"),
        "biomarker": _shown(item, "biomarker"),
        "disease": _shown(item, "disease"),
        "direction": _shown(item, "direction"),
        "level": match.row.level if match else _shown(item, "level"),
        "level_system": _shown(item, "level_system"),
        "line": _shown(item, "line"),
        "approval": _shown(item, "approval"),
        "trial": _shown(item, "trial"),
        "status": _shown(item, "status") or "",
        "evidence_ids": [item.id, *dict.fromkeys(rests_on)],
        "contraindications": list(cautions.value) if cautions and isinstance(cautions.value, tuple) else [],
        "monitoring": list(match.row.monitoring) if match else [],
        "imported_from": match.row.imported_from if match else None,
        "linked": list(match.links) if match else [],
        "row_source": {"row_id": item.source.row_id, "pmid": item.source.pmid, "reviewed": item.source.date,
                       "source": item.source.place},
    }  # fmt: skip


def _behind(key: str, ledger: Ledger) -> list[Evidence]:
    """Molecular evidence of an alteration key ("variant:EGFR:p.L858R", "fusion:EML4-ALK", "biomarker:PD-L1")."""
    kind, _, rest = key.partition(":")
    gene, _, change = rest.partition(":")
    wanted = {
        "variant": {"gene": gene, **({"variant": change} if change else {})},
        "copy_number": {"gene": gene},
        "fusion": {"name": rest},
        "biomarker": {"name": rest},
    }.get(kind, {})
    return (
        [e for e in ledger.of_type(kind) if wanted and all(_shown(e, n) == v for n, v in wanted.items())]
        if wanted
        else []
    )


def prediction_table(ledger: Ledger, prediction: PatientPrediction) -> tuple[Mapping[str, Any], ...]:
    """Every prediction with its calibration, interval, inputs, single-modality values and evidence id."""
    return tuple(_prediction(p, ledger) for p in prediction.predictions)


def _prediction(predicted: Prediction, ledger: Ledger) -> dict[str, Any]:
    shown = predicted_label(predicted)[0] if predicted.task.startswith("molecular:") else predicted.label
    return {
        "task": predicted.task,
        "label": shown,
        "value": finite(predicted.value),
        "probability": finite(predicted.probability),
        "interval": [finite(v) for v in predicted.interval] if predicted.interval else None,
        "percentile": finite(predicted.percentile),
        "reference_cohort": predicted.reference_cohort,
        "n_reference": predicted.n_reference,
        "out_of_distribution": bool(predicted.out_of_distribution),
        "inputs": list(predicted.inputs),
        "contributions": {k: finite(v) for k, v in (predicted.contributions or {}).items()},
        "unimodal": {k: finite(v) for k, v in (predicted.unimodal or {}).items()},
        "model_card": predicted.model_card,
        "weight_hash": predicted.weight_hash,
        "evidence_id": _evidence_of(predicted.task, ledger),
    }


def _evidence_of(task: str, ledger: Ledger) -> str | None:
    name, _, subject = task.partition(":")
    if name in _PREDICTION_TYPES:
        return next((e.id for e in ledger.of_type(_PREDICTION_TYPES[name])), None)
    kinds = {"molecular": ("molecular_prediction", "gene"), "appearance": ("appearance", "attribute"),
             "expression": ("expression_profile", "attribute")}  # fmt: skip
    if name not in kinds:
        return None
    kind, field = kinds[name]
    return next((e.id for e in ledger.of_type(kind) if _shown(e, field) == subject.replace("_", " ")), None)


def finite(value: float | None) -> float | None:
    """A JSON number, or None where there is none."""
    if value is None or not math.isfinite(float(value)):
        return None
    return round(float(value), 6)


def similar_table(ledger: Ledger, retrieved: Retrieved) -> tuple[Mapping[str, Any], ...]:
    """Every similar case found, with its outcome and whether it is synthetic."""
    by_case = {e.source.row_id: e.id for e in ledger.of_type("similar_case")}
    return tuple(
        {
            "case_id": c.case_id,
            "similarity": finite(c.similarity),
            "oncotree_code": c.oncotree_code,
            "shared": list(c.shared),
            "differing": list(c.differing),
            "followup_months": finite(c.followup_months),
            "event": bool(c.event),
            "cohort": c.cohort,
            "synthetic": bool(c.synthetic),
            "evidence_id": by_case.get(c.case_id),
        }
        for c in retrieved.similar_cases
    )


def neighbour_table(ledger: Ledger, retrieved: Retrieved) -> Mapping[str, Any]:
    """Kaplan-Meier curves of the nearest cases and of all comparable ones; empty without a reference cohort."""
    found = retrieved.neighbour_survival
    if found is None:
        return {}
    shown = {"neighbours": found.neighbours, "reference": found.reference}
    return {
        "cohort": found.cohort,
        "synthetic": bool(found.synthetic),
        "oncotree_code": found.oncotree_code,
        "reason": found.reason,
        "evidence_id": next((e.id for e in ledger.of_type("neighbour_survival")), None),
        **{k: c.to_dict(CURVE_MONTHS, SHARE_MONTHS, RISK_MONTHS) if c is not None else None for k, c in shown.items()},
    }


def missing_table(ledger: Ledger) -> tuple[Mapping[str, str], ...]:
    """What is not there, why, what it would change and which test would answer."""
    names = ("modality", "reason", "would_change", "test")
    return tuple({**{n: _shown(e, n) or "" for n in names}, "evidence_id": e.id} for e in ledger.of_type("absent"))


def contradiction_table(
    ledger: Ledger, patient: Patient, prediction: PatientPrediction
) -> tuple[Mapping[str, Any], ...]:
    """Every contradiction found, also those the ledger had no room for."""
    by_text = {e.text: e.id for e in ledger.of_type("conflict")}
    return tuple(
        {"kind": c.kind, "statement": c.statement, "first": c.first, "second": c.second,
         "evidence_id": by_text.get(conflict_statement(c))}
        for c in find_contradictions(patient, prediction)
    )  # fmt: skip
