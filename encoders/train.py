"""Train the fusion model: cohort -> image encoder -> fusion -> calibration -> weights, card and reference cohort.

Command: ``radomica train fusion --n N --seed S --out DIR [--cohort DIR]``.

What this module does not know: the report, the language model. Held-out figures in the card come from a third cohort
(seed + 2) that neither training (seed) nor calibration (seed + 1) saw.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from encoders.atomic_write import write_atomically
from encoders.calibration import (
    Calibration,
    fit_bootstrap,
    fit_ood,
    fit_platt,
    fit_temperature,
    recalibrate_survival,
)
from encoders.checkpoints import save_checkpoint
from encoders.errors import SettingsError
from encoders.fusion import EXPRESSION_TASKS, IMAGE_TASKS, FusionConfig, FusionModel, Tokens, place_kind
from encoders.inputs import CANCER_CODES, MODALITIES
from encoders.omics import ExpressionScale
from encoders.pathways import MIN_PANEL_GENES, PANEL, PATHWAYS
from encoders.radiology import CROP_SPACING_MM, CROP_VOXELS, HU_RANGE, LOCAL_CONTRAST, SERIES_KINDS, SUV_RANGE
from encoders.survival import BIN_EDGES_MONTHS
from encoders.train_metrics import held_out_metrics
from encoders.train_stages import Prepared, TrainConfig, prepare, train_fusion_stage, train_image_encoder
from encoders.training_cohort import TrainingCohort, fit_scale, read_cohort, sample_cohort

Progress = Callable[[str], None] | None
MIN_PATIENTS = 80
MODEL_ID = {"cnn3d": "radomica-fusion-synthetic-v1", "vit3d": "radomica-fusion-vit3d-synthetic-v1"}
"""Image encoder -> id on the model card."""


@dataclass(frozen=True)
class Trained:
    """A trained model with what it needs to predict, and its held-out metrics."""

    model: FusionModel
    calibration: Calibration
    scale: ExpressionScale
    metrics: dict[str, Any]

    def tensors(self) -> dict[str, Tensor]:
        """Every tensor that is saved, by name."""
        out = {f"model.{name}": value for name, value in self.model.state_dict().items()}
        out |= {f"calibration.{name}": value for name, value in self.calibration.state_dict().items()}
        return out | {f"scale.{name}": torch.from_numpy(value) for name, value in asdict(self.scale).items()}


@torch.no_grad()
def _everything_shown(model: FusionModel, data: Prepared) -> tuple[Tokens, Tensor]:
    """Tokens and fused (B, D) of a prepared cohort with nothing dropped."""
    model.eval()
    every = torch.arange(len(data.real))
    tokens = data.tokens(model, every, 0, data.batch.present, torch.ones_like(data.batch.z_present))
    return tokens, model.fuse(tokens)


def calibrate(model: FusionModel, train: Prepared, held: Prepared, *, seed: int) -> Calibration:
    """Fill a Calibration from ``held`` (probabilities, baselines, limits) and ``train`` (last-layer refits)."""
    calibration = Calibration(model.config.width)
    tokens, fused = _everything_shown(model, held)
    train_tokens, train_fused = _everything_shown(model, train)
    targets, batch = held.targets, held.batch
    outcome = (targets.cancer, targets.months, targets.event)
    scale = recalibrate_survival(model.survival, fused, *outcome)
    for name in MODALITIES:
        recalibrate_survival(model.unimodal[name], tokens.row(name), *outcome)
    with torch.no_grad():
        image_logits = model.image_heads(tokens.imaging, tokens.real, place_kind(batch))
        expression_logits = model.expression_heads(tokens.expression)
        cancer_logits = model.cancer_logits(tokens)
    calibration.platt_image.copy_(fit_platt(image_logits, targets.image))
    calibration.platt_expression.copy_(fit_platt(expression_logits, targets.expression))
    calibration.temperature.copy_(fit_temperature(cancer_logits, targets.cancer))
    fitted = train.targets
    weights = fit_bootstrap(model.survival, train_fused, fitted.cancer, fitted.months, fitted.event, seed=seed)
    calibration.boot_weight.copy_(weights * scale)
    with torch.no_grad():
        rows = {name: tokens.row(name) for name in MODALITIES}
        train_rows = {name: train_tokens.row(name) for name in MODALITIES}
        fit_ood(calibration, (train_rows, train.batch.present, fitted.cancer), (rows, batch.present))
    return calibration.eval()


def fit(
    train_cohort: TrainingCohort,
    calibration_cohort: TrainingCohort,
    test_cohort: TrainingCohort,
    *,
    config: TrainConfig,
    seed: int,
    progress: Progress = None,
) -> tuple[Trained, Prepared]:
    """Train on three cohorts already in memory; also returns the calibration cohort prepared (the reference cohort)."""
    torch.manual_seed(seed)
    model = FusionModel(FusionConfig(image_encoder=config.image_encoder))
    scale = fit_scale(train_cohort)
    train_image_encoder(model, train_cohort, scale, config=config, seed=seed, progress=progress)
    train = prepare(model, train_cohort, scale, views=config.views, device=config.device)
    held = prepare(model, calibration_cohort, scale, device=config.device)
    train_fusion_stage(model, train, held, config=config, seed=seed, progress=progress)
    calibration = calibrate(model, train, held, seed=seed)
    metrics = held_out_metrics(model, calibration, test_cohort, scale)
    if progress is not None:
        progress(f"held-out: {json.dumps(metrics)}")
    return Trained(model, calibration, scale, metrics), held


def _card(
    trained: Trained, *, config: TrainConfig, seed: int, n: int, sources: list[str], seconds: float
) -> dict[str, Any]:
    return {
        "id": MODEL_ID[config.image_encoder],
        "architecture": {
            **asdict(trained.model.config),
            "parameters": sum(p.numel() for p in trained.model.parameters()),
        },
        "inputs": {
            "imaging": {
                "crop_voxels": CROP_VOXELS,
                "crop_spacing_mm": CROP_SPACING_MM,
                "series_kinds": SERIES_KINDS,
                "ct_window_hu": HU_RANGE,
                "pet_window_suvbw": SUV_RANGE,
                "mr": "asinh of half the robust z-score of the series",
                "local_contrast_voxels_and_gain": LOCAL_CONTRAST,
            },
            "expression": {"panel_genes": len(PANEL), "pathways": list(PATHWAYS), "min_panel_genes": MIN_PANEL_GENES},
            "survival_bin_edges_months": BIN_EDGES_MONTHS,
        },
        "outputs": {"image": IMAGE_TASKS, "expression": EXPRESSION_TASKS, "cancer_type": CANCER_CODES},
        "training": {
            **asdict(config),
            "seed": seed,
            "command": f"radomica train fusion --image {config.image_encoder} --epochs {config.image_epochs} --n {n} "
            f"--seed {seed} --out DIR",
            "data": sources,
            "seconds": round(seconds),
        },
        "metrics": trained.metrics,
        "limits": "Trained on synthetic patients only. Research use only; no figure here speaks about real patients.",
        "synthetic": True,
    }


def _write_reference(folder: Path, trained: Trained, held: Prepared, cohort: TrainingCohort) -> None:
    """reference_cohort.safetensors ("fused" (N, D) float16) and .json, in the same row order."""
    from safetensors.torch import save  # noqa: PLC0415

    _, fused = _everything_shown(trained.model, held)
    with torch.no_grad():
        risk = trained.model.survival.risk(fused)
    rows = [
        {
            "case_id": known.case_id,
            "oncotree_code": known.oncotree_code,
            "followup_months": round(known.followup_months, 2),
            "event": known.event,
            "risk_score": round(float(risk[i]), 4),
            "features": dict(known.features or {}),
        }
        for i, known in enumerate(cohort.labels)
    ]
    write_atomically(folder / "reference_cohort.safetensors", save({"fused": fused.half().contiguous()}))
    text = "[\n" + ",\n".join(json.dumps(row, sort_keys=True) for row in rows) + "\n]\n"
    write_atomically(folder / "reference_cohort.json", text.encode())


def _cohorts(
    n: int, seed: int, cohort: Path | None, progress: Progress
) -> tuple[TrainingCohort, TrainingCohort, TrainingCohort]:
    """Training, calibration and test cohorts: three seeds, or a 70/15/15 split of a folder."""
    if cohort is None:
        if n < MIN_PATIENTS:
            raise SettingsError(f"--n is {n}; training needs at least {MIN_PATIENTS} patients.")
        sizes = (n, max(n // 5, 40), max(n // 6, 40))
        first, second, third = (sample_cohort(m, seed + i, progress=progress) for i, m in enumerate(sizes))
        return first, second, third
    every = read_cohort(cohort, progress=progress)
    if len(every) < MIN_PATIENTS:
        raise SettingsError(f"{cohort} has {len(every)} patients; training needs at least {MIN_PATIENTS}.")
    order = np.random.default_rng(seed).permutation(len(every))[: n if n > 0 else len(every)]
    cuts = np.split(order, [int(0.7 * len(order)), int(0.85 * len(order))])
    first, second, third = (
        TrainingCohort(tuple(every.inputs[i] for i in c), tuple(every.labels[i] for i in c), f"{every.source}, {name}")
        for c, name in zip(cuts, ("70 % train", "15 % calibration", "15 % test"), strict=True)
    )
    return first, second, third


def train_fusion(
    *,
    n: int,
    seed: int,
    out: Path,
    cohort: Path | None = None,
    config: TrainConfig | None = None,
    progress: Progress = None,
) -> dict[str, Any]:
    """Train and write model.safetensors, card.json and the reference cohort into ``out``; returns the metrics.

    Parameters
    ----------
    n : training patients (calibration and test patients are sampled beside them: a fifth and a sixth)
    seed : of the cohorts and the weights; use other seeds for held-out evaluation than seed .. seed + 2
    out : folder, made when absent
    cohort : folder of a written cohort, split 70/15/15, instead of sampling
    """
    started = time.monotonic()
    config = config or TrainConfig()
    cohorts = _cohorts(n, seed, Path(cohort) if cohort is not None else None, progress)
    trained, held = fit(*cohorts, config=config, seed=seed, progress=progress)
    write_trained(Path(out), trained, held, cohorts, config=config, seed=seed, seconds=time.monotonic() - started)
    return trained.metrics


def write_trained(
    out: Path,
    trained: Trained,
    held: Prepared,
    cohorts: tuple[TrainingCohort, TrainingCohort, TrainingCohort],
    *,
    config: TrainConfig,
    seed: int,
    seconds: float,
) -> str:
    """Write weights, card and reference cohort; returns the weights' SHA-256."""
    sources = [c.source for c in cohorts]
    card = _card(trained, config=config, seed=seed, n=len(cohorts[0]), sources=sources, seconds=seconds)
    card["reference_cohort"] = {"name": cohorts[1].source, "n": len(cohorts[1])}
    digest = save_checkpoint(out, trained.tensors(), card)
    _write_reference(out, replace(trained), held, cohorts[1])
    return digest
