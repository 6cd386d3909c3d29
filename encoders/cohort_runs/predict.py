"""Predictions of a finished run's model for patients of a cohort: score, probabilities, interval, flag, reasons.

What this module does not know: how the model was validated (its card tells). Not checked: the same person under another
id; a patient of the same id as a training patient is marked, because such a score is not held out.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.stats import percentileofscore

from encoders.checkpoints import load_checkpoint
from encoders.cohort_models.attribution import integrated_gradients
from encoders.cohort_models.design import Design
from encoders.cohort_models.label_model import CalibratedLabel
from encoders.cohort_models.multi_kernel import Blocks
from encoders.cohort_models.neighbours import NONE, nearest, outcome_of_neighbours
from encoders.cohort_models.saved_model import ARCHITECTURE, LABEL_ARCHITECTURE, load_label, load_survival
from encoders.cohort_models.shapley import block_shapley
from encoders.cohort_models.survival_model import CalibratedSurvival
from encoders.cohort_runs.adapt_cohort import adapt
from encoders.cohort_runs.fold_checks import HORIZONS_MONTHS
from encoders.cohort_runs.trust import COVERAGE
from encoders.cohorts.cohort import Cohort
from encoders.errors import InputError, UnavailableError

NOTICE = "Research use only. Not a medical device."
TOP = 10
LISTED_NEIGHBOURS = 5
Model = CalibratedSurvival | CalibratedLabel


@dataclass(frozen=True)
class RunModel:
    """outcome : (months, event) of the training patients, months NaN for a label; ids : theirs, in the same order."""

    model: Model
    design: Design
    card: Mapping[str, Any]
    outcome: tuple[NDArray[np.float64], NDArray[np.bool_]]
    ids: tuple[str, ...]


def load_run_model(run: Path) -> RunModel:
    """The model of all patients of a run folder.

    Raises
    ------
    UnavailableError: no model there, a model of another kind, or one saved before training ids were kept.
    """
    checkpoint = load_checkpoint(run / "model")
    kind = checkpoint.card["architecture"]
    if kind not in (ARCHITECTURE, LABEL_ARCHITECTURE):
        raise UnavailableError(
            f"{run.name} holds a {kind} model; predictions are made by {ARCHITECTURE} and {LABEL_ARCHITECTURE} models. "
            "Train one with `radomica train cohort` and no --model."
        )
    training = checkpoint.card["training"]
    if "patient_ids" not in training or "clinical_units" not in training:
        raise UnavailableError(f"{run.name} was made before ids and units were kept; `radomica train cohort` it again.")
    ids = tuple(training["patient_ids"])
    if kind == ARCHITECTURE:
        model, design, card = load_survival(run / "model")
        months, event = (checkpoint.tensors[name].numpy() for name in ("months", "event"))
        return RunModel(model, design, card, (months, event.astype(bool)), ids)
    label, design, card = load_label(run / "model")
    return RunModel(label, design, card, (np.full(len(ids), np.nan), label.label), ids)


def predict_cohort(run: RunModel, cohort: Cohort, patient_ids: Sequence[str] | None = None) -> dict[str, Any]:
    """Plain JSON values: what the model is, what was missing, and one entry a patient (default: all of the cohort).

    Raises
    ------
    InputError: ids that are not in the cohort, another unit than was fitted, or nobody with a block the model reads.
    """
    asked = list(cohort.patient_ids if patient_ids is None else dict.fromkeys(patient_ids))
    foreign = sorted(set(asked) - set(cohort.patient_ids))
    if foreign:
        raise InputError(f"{len(foreign)} ids are not in cohort {cohort.name}: {', '.join(foreign[:5])}.")
    found = adapt(cohort, run.design, run.card["training"]["clinical_units"], asked)
    blocks = run.design.values(found.cohort, asked)
    have = np.any([np.isfinite(blocks[n]).any(axis=1) for n in run.model.model.scalers if n in blocks], axis=0)
    if not np.any(have):
        reads = ", ".join(run.model.model.scalers)
        raise InputError(f"no patient of {cohort.name} has any of the blocks that the model reads ({reads}).")
    ids = [p for p, known in zip(asked, have, strict=True) if known]
    left_out = [p for p, known in zip(asked, have, strict=True) if not known]
    rows = _predictions(run, {name: values[have] for name, values in blocks.items()}, ids)
    return {
        "research_use": NOTICE,
        "model": run.card["id"],
        "weights_sha256": run.card["sha256"],
        "predicted": run.card["training"]["task"],
        "positive": run.card["training"]["positive"],
        "cohort": cohort.name,
        "interval_coverage": COVERAGE,
        "patients_in_training": sum(row["in_training"] for row in rows),
        "patients_without_any_block": left_out,
        **found.said,
        "patients": rows,
    }


def _predictions(run: RunModel, blocks: Blocks, ids: list[str]) -> list[dict[str, Any]]:
    model = run.model
    told = _of_label(model, blocks) if isinstance(model, CalibratedLabel) else _of_survival(model, blocks)
    novelty = model.out_of_distribution(blocks)
    shapley = block_shapley(model.model, blocks)
    top = _top_attributions(run, blocks)
    near = _neighbours(run, blocks, ids)
    training = set(run.ids)
    return [
        {
            "patient_id": patient,
            "in_training": patient in training,
            **told[i],
            "out_of_distribution": bool(novelty[i] > model.ood_limit),
            "out_of_distribution_score": float(novelty[i]),
            "out_of_distribution_limit": model.ood_limit,
            "missing_blocks": [n for n in model.model.scalers if not _has(blocks, n, i)],
            "block_shapley": {n: model.slope * float(v[i]) for n, v in shapley.values.items()},
            "top_attributions": top[i],
            "neighbours": near[i],
        }
        for i, patient in enumerate(ids)
    ]


def _has(blocks: Blocks, name: str, row: int) -> bool:
    return name in blocks and bool(np.isfinite(blocks[name][row]).any())


def _percentiles(scores: NDArray[np.float64], training: NDArray[np.float64]) -> list[float]:
    return [float(percentileofscore(training, score, kind="mean")) for score in scores]


def _of_survival(model: CalibratedSurvival, blocks: Blocks) -> list[dict[str, Any]]:
    score, (low, high) = model.risk_score(blocks), model.interval(blocks, COVERAGE)
    inside = [h for h in HORIZONS_MONTHS if h <= model.months[-1]]
    curves = model.survival_probability(blocks, np.array(inside, np.float64))
    early, late = model.event_time_interval(blocks, COVERAGE)
    percentile = _percentiles(score, model.slope * model.out_of_fold)
    return [
        {
            "risk_score": float(score[i]),
            "risk_score_interval": [float(low[i]), float(high[i])],
            "percentile_among_training": percentile[i],
            "survival_probability": {f"{h:g} months": float(curves[i, k]) for k, h in enumerate(inside)},
            "event_time_interval_months": [_finite(early[i]), _finite(late[i])],
        }
        for i in range(len(score))
    ]


def _of_label(model: CalibratedLabel, blocks: Blocks) -> list[dict[str, Any]]:
    odds, share, (low, high) = model.log_odds(blocks), model.probability(blocks), model.interval(blocks, COVERAGE)
    p = model.p_values(blocks)
    percentile = _percentiles(odds, model.slope * model.out_of_fold + model.intercept)
    return [
        {
            "probability": float(share[i]),
            "probability_interval": [float(low[i]), float(high[i])],
            "log_odds": float(odds[i]),
            "percentile_among_training": percentile[i],
            "prediction_set": [word for word, value in zip(("no", "yes"), p[i], strict=True) if value > 1 - COVERAGE],
        }
        for i in range(len(odds))
    ]


def _finite(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None


def _top_attributions(run: RunModel, blocks: Blocks) -> list[list[dict[str, Any]]]:
    """Of every patient the columns of largest |attribution|, in the unit of the calibrated score, with their value."""
    found = integrated_gradients(run.model.model, blocks)
    names = [(block, feature) for block in found.values for feature in run.design.blocks[block]]
    every = run.model.slope * np.hstack(list(found.values.values()))
    size = len(every)
    given = np.hstack([blocks.get(b, np.full((size, found.values[b].shape[1]), np.nan)) for b in found.values])

    def told(i: int, j: int) -> dict[str, Any]:
        block, feature = names[j]
        return {"block": block, "feature": feature, "value": _finite(given[i, j]), "attribution": float(every[i, j])}

    order = np.argsort(-np.abs(every), axis=1, kind="stable")[:, :TOP]
    return [[told(i, j) for j in order[i] if every[i, j] != 0] for i in range(size)]


def _neighbours(run: RunModel, blocks: Blocks, ids: list[str]) -> list[dict[str, Any]]:
    found = nearest(run.model.model, blocks, ids=run.ids, new_ids=ids)
    months, event = run.outcome
    survival = isinstance(run.model, CalibratedSurvival)
    curves = outcome_of_neighbours(found, months, event) if survival else (None,) * len(ids)
    rows = []
    for i, curve in enumerate(curves):
        chosen = found.index[i][found.index[i] != NONE]
        listed = [
            {
                "patient_id": run.ids[j],
                "similarity": float(found.similarity[i][k]),
                **({"followup_months": float(months[j])} if survival else {}),
                "event" if survival else "label": bool(event[j]),
            }
            for k, j in enumerate(chosen[:LISTED_NEIGHBOURS])
        ]
        row: dict[str, Any] = {"n": len(chosen), "events": int(event[chosen].sum()), "nearest": listed}
        if curve is not None:
            row["median_months"] = curve.median_months
            shares = {f"{h:g} months": curve.share_at(h) for h in HORIZONS_MONTHS}
            row["survival_share"] = {h: vars(s) for h, s in shares.items() if s is not None}
        rows.append(row)
    return rows


def as_table(found: Mapping[str, Any]) -> pd.DataFrame:
    """One row a patient; blocks and times spread over columns, lists as JSON, the notice in the last column."""
    rows = []
    for patient in found["patients"]:
        row: dict[str, Any] = {}
        for key, value in patient.items():
            if isinstance(value, dict) and key in ("survival_probability", "block_shapley"):
                row |= {f"{key}.{name}": part for name, part in value.items()}
            elif isinstance(value, list | dict):
                row[key] = json.dumps(value, ensure_ascii=False)
            else:
                row[key] = value
        rows.append({**row, "note": found["research_use"]})
    return pd.DataFrame(rows)
