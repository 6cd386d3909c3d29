"""Report figures as data: key slices (PNG data URIs), survival curve, contribution and gene bars, similar outcomes.

``build_figures`` turns arrays into small JSON-able values that any renderer can draw; app/render/ draws them.
Not known here: layout, colours of a page, or what the claims say. Not checked: whether a heatmap is a good
explanation (the Attribution carries its own sanity figures, which travel with the picture).
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from sksurv.nonparametric import kaplan_meier_estimator

import encoders
from assistant.slice_image import draw_slice, orient_slice, to_data_uri, window_for
from encoders.lesion_candidates import with_proposed
from encoders.patient import ImagingModality, ImagingSeries, Patient
from encoders.prediction import Attribution, Measurement, PatientPrediction, Prediction
from retrieval.passage import Retrieved

MAX_SERIES = 4
"""Series drawn in one report; others are named in ``skipped``."""

MAX_GENES = 10
HORIZON_MONTHS = 60.0
"""Curves are drawn to five years; the first two, which the report speaks of, stay readable."""

REFERENCE_COHORT = Path(encoders.__file__).parent / "weights" / "fusion" / "reference_cohort.json"


def build_figures(patient: Patient, prediction: PatientPrediction, retrieved: Retrieved) -> dict[str, Any]:
    """Everything a report draws, as plain JSON values.

    Returns
    -------
    dict with keys
        slices : list, one per encoded series: ``plain`` and ``heatmap`` (PNG data URI or None), width/height in px,
            ``mm_per_px``, slice_number (1-based), sop_uid, role, window, orientation letters
        survival : {months, probability, lower, upper, cohort} or None; probabilities in [0, 1]
        contributions : [{modality, value, unimodal}] on the log relative hazard, or []
        genes : [{name, value}] on the log relative hazard, largest first, or []
        similar : [{case_id, similarity, followup_months, event}]
        skipped : what is not drawn, each with its reason
    """
    patient = with_proposed(patient, prediction.proposed)
    skipped: list[str] = []
    survival = _first(prediction.predictions, "survival")
    return {
        "slices": _slices(patient, prediction, skipped),
        "survival": _survival(patient, survival, skipped),
        "contributions": _contributions(survival),
        **_genes(patient, prediction.attributions),
        "similar": [
            {
                "case_id": c.case_id,
                "similarity": round(float(c.similarity), 4),
                "followup_months": round(float(c.followup_months), 1),
                "event": bool(c.event),
            }
            for c in retrieved.similar_cases
        ],
        "skipped": skipped,
    }


def _first(predictions: Sequence[Prediction], task: str) -> Prediction | None:
    return next((p for p in predictions if p.task == task), None)


def _slices(patient: Patient, prediction: PatientPrediction, skipped: list[str]) -> list[dict[str, Any]]:
    encoded = {p.source_series_uid for p in prediction.predictions} | {a.series_uid for a in prediction.attributions}
    encoded |= {m.series_uid for m in prediction.measurements}
    chosen = [s for s in patient.imaging if s.series_uid in encoded] or list(patient.imaging)
    chosen.sort(key=lambda series: series.modality is ImagingModality.PT)  # anatomy first, stable otherwise
    for series in chosen[MAX_SERIES:]:
        skipped.append(f"{series.role or series.modality}: not drawn, a report shows at most {MAX_SERIES} series")
    return [_slice(s, prediction, skipped) for s in chosen[:MAX_SERIES]]


def _slice(series: ImagingSeries, prediction: PatientPrediction, skipped: list[str]) -> dict[str, Any]:
    measurement = next((m for m in prediction.measurements if m.series_uid == series.series_uid), None)
    heat = series_heatmap(series, prediction.attributions)
    index = _key_slice(series, measurement, heat)
    window = window_for(series)
    mask = np.zeros(series.volume.shape[1:], dtype=bool)
    for segment in series.segments:
        mask |= segment.mask[index]
    view = orient_slice(series)
    pixels = window.apply(series.volume[index])
    plain, geometry = draw_slice(view, pixels, mask)
    overlay = (
        draw_slice(view, pixels, mask, heat=heat.map[index])[0] if heat is not None and heat.map is not None else None
    )
    if overlay is None:
        skipped.append(f"{series.role or series.modality}: no heatmap was computed for this series")
    sop = series.sop_instance_uids
    return {
        "series_uid": series.series_uid,
        "role": series.role or str(series.modality),
        "modality": str(series.modality),
        "date": series.date,
        "slice_index": index,
        "slice_number": index + 1,
        "slice_count": int(series.volume.shape[0]),
        "sop_uid": sop[index] if index < len(sop) else None,
        "window": window.label,
        "outlined": bool(mask.any()),
        "outline": ", ".join(s.label for s in series.segments if s.mask[index].any()),
        "proposed": bool(measurement.proposed) if measurement else False,
        "plain": to_data_uri(plain),
        "heatmap": to_data_uri(overlay) if overlay is not None else None,
        "heatmap_task": heat.task if heat else None,
        "heatmap_method": heat.method if heat else None,
        "heatmap_sanity": _sanity(heat),
        **geometry,
    }


def series_heatmap(series: ImagingSeries, attributions: Sequence[Attribution]) -> Attribution | None:
    """The map of this series: the survival one when there is one, else the first."""
    maps = [a for a in attributions if a.series_uid == series.series_uid and a.map is not None]
    maps = [a for a in maps if a.map is not None and a.map.shape == series.volume.shape]
    return next((a for a in maps if a.task == "survival"), maps[0] if maps else None)


def _sanity(attribution: Attribution | None) -> dict[str, dict[str, Any]]:
    if attribution is None or not attribution.sanity:
        return {}
    return {name: {"passed": bool(ok), "figure": round(float(x), 4)} for name, (ok, x) in attribution.sanity.items()}


def _key_slice(series: ImagingSeries, measurement: Measurement | None, heat: Attribution | None) -> int:
    """Largest lesion area; without a lesion the hottest slice of the map; without a map the middle one."""
    depth = series.volume.shape[0]
    if measurement is not None and 0 <= measurement.key_slice < depth:
        return int(measurement.key_slice)
    areas = sum((s.mask.sum(axis=(1, 2)) for s in series.segments), start=np.zeros(depth))
    if areas.any():
        return int(areas.argmax())
    if heat is not None and heat.map is not None and heat.map.any():
        return int(heat.map.sum(axis=(1, 2)).argmax())
    return depth // 2


def _survival(patient: Patient, prediction: Prediction | None, skipped: list[str]) -> dict[str, Any] | None:
    if prediction is None or prediction.curve is None:
        skipped.append("survival curve: no survival prediction was made")
        return None
    curve = prediction.curve
    horizon = min(HORIZON_MONTHS, float(curve.months.max()))
    months = np.unique(np.append(curve.months[curve.months <= horizon], horizon))
    lines = {"probability": curve.survival_probability, "lower": curve.lower, "upper": curve.upper}
    return {
        "months": _rounded(months, 2),
        **{name: _rounded(np.interp(months, curve.months, values), 4) for name, values in lines.items()},
        "cohort": _cohort_curve(patient.oncotree_code, horizon, skipped),
    }


def _cohort_curve(oncotree_code: str | None, horizon: float, skipped: list[str]) -> dict[str, Any] | None:
    """Kaplan-Meier curve of the reference cohort's patients with the same cancer.

    References
    ----------
    Kaplan & Meier, J Am Stat Assoc 1958, doi:10.1080/01621459.1958.10501452.
    """
    if not REFERENCE_COHORT.is_file():
        skipped.append("cohort curve: the reference cohort is not installed")
        return None
    rows = json.loads(REFERENCE_COHORT.read_text(encoding="utf-8"))
    rows = [r for r in rows if r["oncotree_code"] == oncotree_code]
    if len(rows) < 10:
        skipped.append(f"cohort curve: {len(rows)} reference patients have this cancer; 10 are needed")
        return None
    event = np.array([bool(r["event"]) for r in rows])
    months = np.array([float(r["followup_months"]) for r in rows])
    time, probability = kaplan_meier_estimator(event, months)
    keep = time <= horizon
    time, probability = time[keep], probability[keep]
    step = max(1, len(time) // 80)  # 80 steps are finer than a pixel of the drawing
    return {"months": _rounded(time[::step], 2), "probability": _rounded(probability[::step], 4), "n": len(rows)}


def _contributions(prediction: Prediction | None) -> list[dict[str, Any]]:
    if prediction is None or not prediction.contributions:
        return []
    unimodal = prediction.unimodal or {}
    rows = [
        {"modality": m, "value": round(float(v), 4), "unimodal": _optional(unimodal, m)}
        for m, v in prediction.contributions.items()
    ]
    return sorted(rows, key=lambda r: -abs(r["value"]))


def _optional(values: Mapping[str, float], name: str) -> float | None:
    return round(float(values[name]), 4) if name in values else None


def _genes(patient: Patient, attributions: Sequence[Attribution]) -> dict[str, Any]:
    """Gene bars from the table attribution whose names are mostly measured genes, survival first."""
    measured = set(patient.expression.genes) if patient.expression is not None else set()
    tables = [
        a
        for a in sorted(attributions, key=lambda a: a.task != "survival")
        if a.map is None and a.values and 2 * len(measured & set(a.values)) >= len(a.values)
    ]
    if not tables:
        return {"genes": [], "genes_about": None}
    table = tables[0]
    top = sorted(table.values.items(), key=lambda item: -abs(item[1]))[:MAX_GENES]
    about = {"task": table.task, "method": table.method, "baseline": table.baseline}
    if table.completeness_error is not None:
        about["completeness_error"] = float(f"{table.completeness_error:.2g}")
    return {"genes": [{"name": n, "value": round(float(v), 5)} for n, v in top], "genes_about": about}


def _rounded(values: Sequence[float] | np.ndarray, digits: int) -> list[float]:
    return [round(float(v), digits) for v in values]
