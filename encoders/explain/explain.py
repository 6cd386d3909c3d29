"""Every explanation of one patient: genes on the risk, and Grad-CAM maps for the risk and the molecular label.

What this module does not know: words of the report, which explanation is worth showing.
"""

from __future__ import annotations

import torch
from torch import Tensor

from encoders.explain.image_targets import image_targets
from encoders.explain.integrated_gradients import integrated_gradients
from encoders.explain.maps import maps_of
from encoders.explain.methods import METHODS, REPORT_METHOD
from encoders.fusion import Tokens
from encoders.inputs import Batch, PatientInputs
from encoders.models import Models
from encoders.pathways import PANEL
from encoders.patient import Patient
from encoders.prediction import Attribution


def explain_patient(patient: Patient, inputs: PatientInputs, batch: Batch, models: Models) -> tuple[Attribution, ...]:
    """All attributions that the patient's modalities allow."""
    with torch.no_grad():
        tokens = models.model.encode(batch)
    out: list[Attribution] = []
    if inputs.expression is not None:
        out.append(explain_genes(inputs, batch, tokens, models))
    if inputs.crops:
        out += explain_images(patient, inputs, batch, tokens, models)
    return tuple(out)


def explain_genes(inputs: PatientInputs, batch: Batch, tokens: Tokens, models: Models) -> Attribution:
    """Integrated gradients of the risk score on the expression z-scores; one value per panel gene present."""
    model = models.model

    def risk(z: Tensor) -> Tensor:
        count = len(z)
        wide = Tokens(
            imaging=tokens.imaging.expand(count, -1, -1),
            real=tokens.real.expand(count, -1),
            expression=model.expression(z, batch.z_present.expand(count, -1)),
            alterations=tokens.alterations.expand(count, -1),
            clinical=tokens.clinical.expand(count, -1),
            present=tokens.present.expand(count, -1),
        )
        return model.survival.risk(model.fuse(wide))

    values, error = integrated_gradients(risk, batch.z)
    present = batch.z_present[0].tolist()
    return Attribution(
        task="survival",
        method="integrated gradients",
        baseline="mean expression of the reference cohort",
        values={gene: float(v) for gene, v, p in zip(PANEL, values, present, strict=True) if p},
        completeness_error=error,
    )


def explain_images(
    patient: Patient, inputs: PatientInputs, batch: Batch, tokens: Tokens, models: Models
) -> list[Attribution]:
    """``REPORT_METHOD`` maps of each image target for each series, in the series' own grid.

    Each carries both sanity tests and its overlap. In ``sanity`` the overlap passes when the map's peak lies in the
    lesion; its figure is the share of the map there.
    """
    targets = image_targets(inputs, batch, tokens, models)
    return [
        Attribution(
            task=one.task,
            method=one.title,
            baseline=one.method.meaning,
            values={},
            map=one.values,
            series_uid=one.series.series_uid,
            sanity={
                "weight_randomisation": one.randomisation,
                "deletion_curve": (one.deletion.passed, one.deletion.figure),
                "overlap_with_segment": (one.peak_inside, one.inside),
            },
        )
        for one in maps_of(patient, inputs, batch, models, targets, METHODS[REPORT_METHOD])
    ]
