"""The one entry of the encoders: patient -> embeddings, predictions, explanations, measurements.

    prediction = predict(patient)                  # with explanations
    prediction = predict(patient, explain=False)   # numbers only

Every subset of modalities works, none included. A task that cannot be predicted is in ``not_predicted`` with its
reason. What this module does not know: the outcome of the patient (never read), files, the report.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from encoders.explain.explain import explain_patient
from encoders.explain.shapley import shapley_values
from encoders.follow_up import follow_up
from encoders.fusion import EXPRESSION_TASKS, IMAGE_TASKS, Tokens, place_kind
from encoders.inputs import CANCER_CODES, MODALITIES, POOLED, Batch, PatientInputs, make_batch, read_inputs
from encoders.labels import task_words, unreadable_reason
from encoders.lesion_candidates import propose_lesions, with_proposed
from encoders.measure import measure_patient
from encoders.models import Models, load_models
from encoders.patient import Patient
from encoders.prediction import Embeddings, PatientPrediction, Prediction, SurvivalCurve
from encoders.radiology import lesion_segment
from encoders.survival import BIN_EDGES_MONTHS, survival_curve

__all__ = ["load_models", "predict"]

CURVE_MONTHS = 120.0
"""Survival curves are given up to here; later bins have few patients at risk."""


@dataclass(frozen=True)
class _Run:
    """One patient on the way through the model."""

    patient: Patient
    inputs: PatientInputs
    batch: Batch
    tokens: Tokens
    fused: Tensor
    models: Models

    @property
    def names(self) -> tuple[str, ...]:
        """Modalities present."""
        return tuple(m for m, p in zip(MODALITIES, self.inputs.present, strict=True) if p)

    @property
    def code(self) -> str | None:
        """The trained cancer the patient counts as."""
        return None if self.inputs.cancer == POOLED else CANCER_CODES[self.inputs.cancer]

    def stamp(self) -> dict[str, str]:
        """Card id and weight hash, for every Prediction."""
        return {"model_card": str(self.models.card["id"]), "weight_hash": self.models.sha256}

    def outside(self, modalities: tuple[str, ...]) -> dict[str, object]:
        """out_of_distribution, its score (1 = the limit) and reason, from the embeddings of some modalities."""
        calibration = self.models.calibration
        ratio = {m: float(calibration.ood_ratio(self.tokens.row(m), MODALITIES.index(m))) for m in modalities}
        limit = float(calibration.ood_limit) if len(modalities) > 1 else 1.0
        score = max(ratio.values()) / limit
        reasons = [self.inputs.cancer_reason] if self.inputs.cancer_reason else []
        if score > 1:
            reasons.append(f"unlike the training patients in: {', '.join(m for m in ratio if ratio[m] > limit)}")
        return {
            "out_of_distribution": bool(reasons),
            "out_of_distribution_score": score,
            "out_of_distribution_reason": "; ".join(reasons) or None,
        }


def predict(patient: Patient, *, models: Models | None = None, explain: bool = True) -> PatientPrediction:
    """Embed, predict, explain and measure one patient.

    Parameters
    ----------
    patient : any subset of modalities; its ``outcome`` is not read
    models : default: the shipped models, loaded once
    explain : False leaves ``attributions`` empty (well under a second); Shapley contributions are always given

    Returns
    -------
    PatientPrediction; ``embeddings`` is None when nothing could be encoded

    Raises
    ------
    UnavailableError: the shipped weights are missing or do not match their card
    """
    models = models or load_models()
    inputs = read_inputs(patient)
    versions = {str(models.card["id"]): models.sha256}
    measured = _measure(patient)
    if not any(inputs.present):
        reason = "no modality could be encoded: " + "; ".join(inputs.reasons.values())
        missing = {task: reason for task in ("survival", "cancer_type", *EXPRESSION_TASKS)}
        return PatientPrediction(
            embeddings=None,
            predictions=(),
            attributions=(),
            not_predicted=missing | _series_reasons(patient, inputs),
            versions=versions,
            series_choices=inputs.series_choices,
            **measured,
        )
    batch = make_batch([inputs], models.scale)
    with torch.no_grad():
        tokens = models.model.encode(batch)
        run = _Run(patient, inputs, batch, tokens, models.model.fuse(tokens), models)
        predictions, not_predicted = _predict_all(run)
    if _on_proposed_outline(patient, inputs):
        predictions = tuple(replace(p, on_proposed_outline="imaging" in p.inputs) for p in predictions)
    attributions = explain_patient(patient, inputs, batch, models) if explain else ()
    return PatientPrediction(
        embeddings=_embeddings(run),
        predictions=predictions,
        attributions=attributions,
        not_predicted=not_predicted | _series_reasons(patient, inputs),
        versions=versions,
        series_choices=inputs.series_choices,
        **measured,
    )


def _measure(patient: Patient) -> dict[str, Any]:
    """Measurements of outlined and of proposed lesions, and their change; the networks read outlined lesions only."""
    proposed = propose_lesions(patient)
    seen = with_proposed(patient, proposed)
    measurements = measure_patient(seen)
    changes, sums = follow_up(seen.imaging, measurements)
    return {"measurements": measurements, "follow_up": changes, "diameter_sums": sums, "proposed": proposed}


def _on_proposed_outline(patient: Patient, inputs: PatientInputs) -> bool:
    """Whether any series read was cut out around an outline that software proposed."""
    read = {crop.series_uid for crop in inputs.crops}
    found = [lesion_segment(series) for series in patient.imaging if series.series_uid in read]
    return any(segment is not None and segment.proposed for segment in found)


def _series_reasons(patient: Patient, inputs: PatientInputs) -> dict[str, str]:
    """ "series:FLAIR" -> why it was not encoded; series of one name are told apart by a number."""
    found: dict[str, str] = {}
    for series, choice in zip(patient.imaging, inputs.series_choices, strict=True):
        if choice.chosen:
            continue
        name = f"series:{series.role or series.modality.value}"
        number = next(n for n in itertools.count(1) if (name if n == 1 else f"{name} #{n}") not in found)
        found[name if number == 1 else f"{name} #{number}"] = choice.reason
    return found


def _embeddings(run: _Run) -> Embeddings:
    rows: dict[str, np.ndarray] = {}
    for name in run.names:
        value = run.tokens.imaging[0][run.tokens.real[0]] if name == "imaging" else run.tokens.row(name)
        rows[name] = value.numpy().astype(np.float32)
    return Embeddings(rows, run.fused[0].numpy().astype(np.float32), run.models.sha256)


def _predict_all(run: _Run) -> tuple[tuple[Prediction, ...], dict[str, str]]:
    predictions, missing = [_survival(run)], {}
    typed = tuple(name for name in run.names if name != "clinical")
    if typed:
        predictions.append(_cancer_type(run, typed))
    else:
        missing["cancer_type"] = "needs imaging, gene expression or alterations; none could be encoded"
    for found, why in (_image_tasks(run), _expression_tasks(run)):
        predictions += found
        missing |= why
    return tuple(predictions), missing


def _survival(run: _Run) -> Prediction:
    model, calibration = run.models.model, run.models.calibration
    risk = model.survival.risk(run.fused)
    low, high = (float(x) for x in calibration.risk_interval(run.fused))
    baseline = model.survival.baseline(run.batch.cancer)
    value = float(risk)
    place = run.models.percentile(value, run.code) if run.code else None
    return Prediction(
        task="survival",
        value=value,
        interval=(value + min(low, 0.0), value + max(high, 0.0)),
        percentile=place[0] if place else None,
        reference_cohort=f"{run.models.reference_name}, {run.code}" if place else None,
        n_reference=place[1] if place else None,
        inputs=run.names,
        contributions=_contributions(run),
        unimodal={m: float(model.unimodal[m].risk(run.tokens.row(m))) for m in run.names},
        curve=_curve(baseline, risk, (low, high)),
        **run.stamp(),
        **run.outside(run.names),
    )


def _curve(baseline: Tensor, risk: Tensor, change: tuple[float, float]) -> SurvivalCurve:
    """Curve of the risk with the curves of the risk interval around it (the upper risk is the lower curve)."""
    keep = [i for i, edge in enumerate(BIN_EDGES_MONTHS) if edge <= CURVE_MONTHS]

    def points(delta: float) -> np.ndarray:
        alive = survival_curve(baseline, risk + delta)[0].numpy()
        return np.concatenate([[1.0], alive]).astype(np.float32)[keep]

    return SurvivalCurve(
        months=np.asarray(BIN_EDGES_MONTHS, np.float32)[keep],
        survival_probability=points(0.0),
        lower=points(max(change[1], 0.0)),
        upper=points(min(change[0], 0.0)),
    )


def _contributions(run: _Run) -> Mapping[str, float]:
    """Shapley value of each present modality on the risk score."""
    tokens, model = run.tokens, run.models.model

    def evaluate(masks: Tensor) -> Tensor:
        many = Tokens(
            *(x.expand(len(masks), *x.shape[1:]) for x in (tokens.imaging, tokens.real)),
            *(getattr(tokens, m).expand(len(masks), -1) for m in MODALITIES[1:]),
            tokens.present.expand(len(masks), -1),
        )
        return model.survival.risk(model.fuse(many, masks))

    values, _, _ = shapley_values(evaluate, run.inputs.present)
    return {m: float(v) for m, v in zip(MODALITIES, values, strict=True) if m in run.names}


def _cancer_type(run: _Run, typed: tuple[str, ...]) -> Prediction:
    logits = run.models.model.cancer_logits(run.tokens) / run.models.calibration.temperature
    share = torch.softmax(logits, 1)[0]
    best = int(share.argmax())
    return Prediction(
        task="cancer_type",
        value=float(share[best]),
        label=CANCER_CODES[best],
        probability=float(share[best]),
        inputs=typed,
        **run.stamp(),
        **run.outside(typed),
    )


def _of_class(run: _Run, task: str, words: tuple[str, str], p: float, modality: str) -> Prediction:
    """Prediction of the likelier class; molecular labels carry their gene ("EGFR mutated")."""
    word = words[int(p > 0.5)]
    gene = f"{task.split(':', 1)[1]} " if task.startswith("molecular:") else ""
    value = max(p, 1 - p)
    return Prediction(
        task=task,
        value=value,
        label=gene + word,
        probability=value,
        inputs=(modality,),
        source_series_uid=_main_series(run, task) if modality == "imaging" else None,
        **run.stamp(),
        **run.outside((modality,)),
    )


def _main_series(run: _Run, task: str) -> str:
    """Series that weighs most in an image task; of equals, the one whose UID sorts last."""
    score = run.models.model.image_heads.score(run.batch.kind)[:, IMAGE_TASKS.index(task)].tolist()
    return max((s, c.series_uid) for s, c in zip(score, run.inputs.crops, strict=True))[1]


def _image_tasks(run: _Run) -> tuple[list[Prediction], dict[str, str]]:
    model, calibration = run.models.model, run.models.calibration
    kinds = {c.kind for c in run.inputs.crops}
    logits = model.image_heads(run.tokens.imaging, run.tokens.real, place_kind(run.batch))
    share = calibration.probabilities(logits, calibration.platt_image)[0]
    found, missing = [], {}
    for i, task in enumerate(IMAGE_TASKS):
        words = task_words(task, run.code) if run.code else None
        if run.code is not None and words is None:
            continue  # not a question in this cancer
        why = run.inputs.cancer_reason if words is None else unreadable_reason(task, kinds)
        if words is not None and not kinds:
            why = run.inputs.reasons["imaging"]
        if words is None or why is not None:
            missing[task] = str(why)
        else:
            found.append(_of_class(run, task, words, float(share[i]), "imaging"))
    return found, missing


def _expression_tasks(run: _Run) -> tuple[list[Prediction], dict[str, str]]:
    if run.inputs.expression is None:
        return [], {task: run.inputs.reasons["expression"] for task in EXPRESSION_TASKS}
    model, calibration = run.models.model, run.models.calibration
    share = calibration.probabilities(model.expression_heads(run.tokens.expression), calibration.platt_expression)[0]
    found = []
    for i, task in enumerate(EXPRESSION_TASKS):
        words = task_words(task, run.code or CANCER_CODES[0])
        if words is not None:
            found.append(_of_class(run, task, words, float(share[i]), "expression"))
    return found, {}
