"""Predictions and their explanations as evidence.

Thresholds that name a risk group or an agreement stand here once, so that text and fields cannot differ.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

import numpy as np

from assistant.collect_draft import Draft, ordinal, percent, percent_range, quantity, word
from assistant.collect_imaging import ON_PROPOSED, series_name
from assistant.collect_patient import disease_name
from assistant.contradictions import molecular_agreement, predicted_label, predicted_type_code
from assistant.contradictions_tumour import same_lineage
from assistant.evidence import EvidenceSource, Field
from encoders.lesion_choice import lesion_mask
from encoders.patient import Patient
from encoders.prediction import Attribution, PatientPrediction, Prediction, SurvivalCurve

LOW_RISK_BELOW, HIGH_RISK_FROM = 100 / 3, 200 / 3
"""Percentiles of the reference cohort's risk score that bound the middle third."""

TOP_GENES = 3


def draft_predictions(patient: Patient, prediction: PatientPrediction) -> Iterator[Draft]:
    """Every P and X evidence of the case; what rests on a proposed outline says so."""
    for predicted in prediction.predictions:
        for draft in _of_prediction(patient, predicted):
            yield _on_proposed(draft) if predicted.on_proposed_outline else draft
    proposed = any(p.on_proposed_outline for p in prediction.predictions)
    for attribution in prediction.attributions:
        if attribution.map is not None:
            heat = _heatmap(patient, attribution)
            yield _on_proposed(heat) if proposed else heat
        elif _is_gene_level(patient, attribution):
            yield _genes(attribution)


def _of_prediction(patient: Patient, predicted: Prediction) -> Iterator[Draft]:
    if predicted.task == "survival":
        yield _survival(predicted)
        if predicted.contributions:
            yield _contribution(predicted)
    elif predicted.task == "cancer_type":
        yield _cancer_type(patient, predicted)
    elif predicted.task.startswith("molecular:"):
        yield _molecular(patient, predicted)


def _on_proposed(draft: Draft) -> Draft:
    return replace(draft, text=f"{draft.text.rstrip('.')}{ON_PROPOSED}.")


def risk_group(percentile: float) -> str:
    """The third of the reference cohort a percentile falls in."""
    if percentile < LOW_RISK_BELOW:
        return "low"
    return "high" if percentile >= HIGH_RISK_FROM else "intermediate"


def _source(predicted: Prediction) -> EvidenceSource:
    return EvidenceSource(row_id=f"{predicted.model_card} {predicted.weight_hash[:12]}".strip(), place=predicted.task)


def _at(curve: SurvivalCurve, month: float, values: np.ndarray) -> float | None:
    return float(np.interp(month, curve.months, values)) if curve.months[-1] >= month - 1e-6 else None


def _survival(predicted: Prediction) -> Draft:
    fields: dict[str, Field] = {}
    text = "The survival model"
    if predicted.percentile is not None:
        fields["risk_group"] = word(risk_group(predicted.percentile))
        whole = round(predicted.percentile)
        fields["percentile"] = Field(value=whole, display=f"{ordinal(whole)} percentile", unit="percentile")
        text += f" places the patient in the {fields['risk_group'].display} risk group, at the "
        text += f"{fields['percentile'].display} of risk"
        if predicted.reference_cohort:
            fields["cohort"] = word(predicted.reference_cohort)
            text += f" in {predicted.reference_cohort}"
    else:
        text += " gives no percentile"
    curve = predicted.curve
    for month in (12, 24):
        if curve is None:
            break
        chance = _at(curve, month, curve.survival_probability)
        low, high = _at(curve, month, curve.lower), _at(curve, month, curve.upper)
        if chance is None or low is None or high is None:
            continue
        fields[f"survival_{month}m"] = percent(chance)
        fields[f"interval_{month}m"] = percent_range(low, high)
        text += f"; predicted {month}-month survival {fields[f'survival_{month}m'].display}"
        text += f" (95 % interval {fields[f'interval_{month}m'].display})"
    reliable = "unlike the reference cohort" if predicted.out_of_distribution else "within the reference range"
    fields["reliability"] = word(reliable)
    text += f"; the input is {reliable}."
    return Draft("survival", text, fields, _source(predicted), rank=85, label="survival")


def _contribution(predicted: Prediction) -> Draft:
    values = predicted.contributions or {}
    total = sum(abs(v) for v in values.values()) or 1.0
    ordered = sorted(values, key=lambda m: -abs(values[m]))
    top = ordered[0]
    direction = "raises" if values[top] > 0 else "lowers"
    names = {m: m.replace("_", " ") for m in ordered}
    shares = tuple(f"{names[m]} {100 * abs(values[m]) / total:.0f} %" for m in ordered)
    fields = {
        "top_modality": word(names[top]),
        "direction": word(direction),
        "shares": Field(value=shares, display=", ".join(shares), unit="%"),
    }
    text = f"{names[top].capitalize()} contributes most to the survival prediction and {direction} the predicted risk; "
    text += f"share of the total contribution: {fields['shares'].display}."
    return Draft("contribution", text, fields, _source(predicted), rank=50, label="contribution of each modality")


def _cancer_type(patient: Patient, predicted: Prediction) -> Draft:
    code = predicted_type_code(predicted)
    name = disease_name(code) or "unknown"
    fields: dict[str, Field] = {"label": word(name)}
    text = f"The model predicts the cancer type {name}"
    if predicted.probability is not None:
        fields["probability"] = quantity(predicted.probability, None, digits=2)
        text += f", probability {fields['probability'].display}"
    if patient.oncotree_code is None:
        agreement = "no cancer type is recorded"
    else:
        same = same_lineage(code or "", patient.oncotree_code)  # the record may name a kind of it: IDC is BRCA
        agreement = "agrees with the record" if same else "disagrees with the record"
    fields["agreement"] = word(agreement)
    rank = 45 + 40 * agreement.startswith("disagrees")
    return Draft(
        "cancer_type_prediction", f"{text}; {agreement}.", fields, _source(predicted), rank=rank, label="cancer type"
    )


def _molecular(patient: Patient, predicted: Prediction) -> Draft:
    gene = predicted.task.partition(":")[2]
    label, chance = predicted_label(predicted)
    source = "imaging alone" if set(predicted.inputs) <= {"imaging"} else ", ".join(predicted.inputs)
    agreement = molecular_agreement(patient, gene, label)
    fields: dict[str, Field] = {
        "gene": word(gene), "label": word(label), "probability": quantity(chance, None, digits=2),
        "input": word(source), "agreement": word(agreement),
    }  # fmt: skip
    text = f"From {source} the model predicts {gene} {label}, probability {fields['probability'].display}; {agreement}."
    rank = 62 + 20 * agreement.startswith("disagrees")
    return Draft("molecular_prediction", text, fields, _source(predicted), rank=rank, label=f"{gene} from {source}")


def _is_gene_level(patient: Patient, attribution: Attribution) -> bool:
    if patient.expression is None or not attribution.values:
        return False
    genes = set(patient.expression.genes)
    return any(name in genes for name in attribution.values)


def _genes(attribution: Attribution) -> Draft:
    ordered = sorted(attribution.values.items(), key=lambda pair: -abs(pair[1]))
    raising = tuple(g for g, v in ordered if v > 0)[:TOP_GENES]
    lowering = tuple(g for g, v in ordered if v < 0)[:TOP_GENES]
    fields: dict[str, Field] = {}
    parts = []
    if raising:
        fields["genes_raising"] = Field(value=raising, display=", ".join(raising))
        parts.append(f"genes raising it most: {fields['genes_raising'].display}")
    if lowering:
        fields["genes_lowering"] = Field(value=lowering, display=", ".join(lowering))
        parts.append(f"genes lowering it most: {fields['genes_lowering'].display}")
    if attribution.completeness_error is not None:
        fields["completeness_error"] = quantity(attribution.completeness_error, None, digits=3)
        parts.append(f"completeness error {fields['completeness_error'].display}")
    text = (
        f"Explanation of the {attribution.task.replace(':', ' ')} prediction by {attribution.method.replace('_', ' ')}"
    )
    source = EvidenceSource(place=f"{attribution.task}, baseline {attribution.baseline}")
    return Draft("gene_attribution", f"{text}; {'; '.join(parts)}.", fields, source, rank=40, label="gene attribution")


def _heatmap(patient: Patient, attribution: Attribution) -> Draft:
    series = next((s for s in patient.imaging if s.series_uid == attribution.series_uid), None)
    name = series_name(series) if series else "the image"
    fields: dict[str, Field] = {"series": word(name)}
    text = f"Heat map of the {attribution.task.replace(':', ' ')} prediction on {name}"
    heat = attribution.map
    if series is not None and heat is not None and heat.shape == series.volume.shape:
        inside = lesion_mask(series)
        total = float(heat.sum())
        if total > 0 and inside.any():
            fields["overlap"] = percent(float(heat[inside].sum()) / total)
            text += f": {fields['overlap'].display} of its weight lies inside the lesion"
    deletion = _named(attribution.sanity or {}, "deletion")
    if deletion is not None:
        fields["deletion_test"] = word(f"{'passed' if deletion[0] else 'failed'} ({deletion[1]:.2f})")
        text += f"; deletion test {fields['deletion_test'].display}"
    source = EvidenceSource(series_uid=attribution.series_uid, place=attribution.task)
    return Draft("heatmap", f"{text}.", fields, source, rank=35, label=f"heat map on {name}")


def _named(sanity: Mapping[str, tuple[bool, float]], part: str) -> tuple[bool, float] | None:
    return next((v for k, v in sanity.items() if part in k), None)
