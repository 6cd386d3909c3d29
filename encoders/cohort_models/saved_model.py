"""A cohort's survival model on disk: tensors and a card, through encoders/checkpoints.py.

A kernel model is made of its training patients: the file holds their standardised features and outcomes, which its card
says, and must be kept like the cohort itself. What this module does not know: how a model was validated.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from encoders.checkpoints import load_checkpoint, save_checkpoint
from encoders.cohort_models.design import Design
from encoders.cohort_models.kernels import Array, BlockScaler
from encoders.cohort_models.likelihoods import CoxLikelihood
from encoders.cohort_models.multi_kernel import assemble
from encoders.cohort_models.survival_model import CalibratedSurvival

PATIENT_DATA = (
    "holds the standardised features and the outcomes of the training patients: keep it like the cohort itself"
)
ARCHITECTURE = "multi-kernel Cox"


def save_survival(
    folder: Path,
    model: CalibratedSurvival,
    design: Design,
    outcome: tuple[Array, NDArray[np.bool_]],
    card: Mapping[str, Any],
) -> str:
    """Write model.safetensors and card.json into ``folder``; returns the SHA-256 of the weights.

    outcome : months (N,) and event (N,) the model was fitted to; card : must say id, training, metrics, limits
    """
    kernel = model.model
    arrays: dict[str, NDArray[Any]] = {
        "months": outcome[0],
        "event": outcome[1],
        "weights": np.array(list(kernel.weights.values())),
        "calibration.slope": np.array([model.slope]),
        "calibration.months": model.months,
        "calibration.cumulative_hazard": model.cumulative_hazard,
        "calibration.out_of_fold": model.out_of_fold,
        "calibration.ood_limit": np.array([model.ood_limit]),
    }
    for name, scaler in kernel.scalers.items():
        arrays |= {f"{name}.keep": scaler.keep, f"{name}.mean": scaler.mean, f"{name}.sd": scaler.sd}
        arrays[f"{name}.rows"] = kernel.training[name]
    tensors = {name: torch.from_numpy(np.ascontiguousarray(value)) for name, value in arrays.items()}
    inputs = {
        "blocks": {name: list(features) for name, features in design.blocks.items()},
        "fitted_blocks": list(kernel.scalers),
        "effects": list(kernel.weights),
        "numbers": list(design.numbers),
        "categories": {name: list(words) for name, words in design.categories.items()},
    }
    return save_checkpoint(
        folder, tensors, {**card, "architecture": ARCHITECTURE, "inputs": inputs, "patient_data": PATIENT_DATA}
    )


def load_survival(folder: Path) -> tuple[CalibratedSurvival, Design, Mapping[str, Any]]:
    """The model, the columns it reads, and its card.

    Raises
    ------
    UnavailableError: files missing, or the hash differs from the card's
    """
    checkpoint = load_checkpoint(folder)
    array = {name: tensor.numpy() for name, tensor in checkpoint.tensors.items()}
    said = checkpoint.card["inputs"]
    names = said["fitted_blocks"]
    scalers = {n: BlockScaler(array[f"{n}.keep"], array[f"{n}.mean"], array[f"{n}.sd"]) for n in names}
    rows = {n: array[f"{n}.rows"] for n in names}
    kernel = assemble(
        scalers,
        rows,
        CoxLikelihood(array["months"], array["event"]),
        dict(zip(said["effects"], map(float, array["weights"]), strict=True)),
        ignored=frozenset(said["blocks"]) - frozenset(names),
    )
    model = CalibratedSurvival(
        model=kernel,
        slope=float(array["calibration.slope"][0]),
        months=array["calibration.months"],
        cumulative_hazard=array["calibration.cumulative_hazard"],
        out_of_fold=array["calibration.out_of_fold"],
        ood_limit=float(array["calibration.ood_limit"][0]),
    )
    design = Design(
        blocks={name: tuple(features) for name, features in said["blocks"].items()},
        numbers=tuple(said["numbers"]),
        categories={name: tuple(words) for name, words in said["categories"].items()},
    )
    return model, design, checkpoint.card
