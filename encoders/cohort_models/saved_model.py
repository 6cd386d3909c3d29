"""A cohort's survival or label model on disk: tensors and a card, through encoders/checkpoints.py.

A kernel model is made of its training patients: the file holds their standardised features and outcomes, the card their
ids, which it says, and both must be kept like the cohort itself. What this module does not know: how a model was
validated.
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
from encoders.cohort_models.label_model import CalibratedLabel, models_without_folds
from encoders.cohort_models.likelihoods import BernoulliLikelihood, CoxLikelihood, Likelihood
from encoders.cohort_models.multi_kernel import MultiKernelModel, assemble
from encoders.cohort_models.survival_model import CalibratedSurvival
from encoders.errors import UnavailableError

PATIENT_DATA = (
    "holds the standardised features, the outcomes and the ids of the training patients: keep it like the cohort itself"
)
ARCHITECTURE, LABEL_ARCHITECTURE = "multi-kernel Cox", "multi-kernel logistic"
Arrays = dict[str, NDArray[Any]]


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
    arrays: Arrays = {
        "months": outcome[0],
        "event": outcome[1],
        "calibration.slope": np.array([model.slope]),
        "calibration.months": model.months,
        "calibration.cumulative_hazard": model.cumulative_hazard,
        "calibration.out_of_fold": model.out_of_fold,
        "calibration.ood_limit": np.array([model.ood_limit]),
    }
    return _save(folder, model.model, arrays, design, {**card, "architecture": ARCHITECTURE})


def save_label(folder: Path, model: CalibratedLabel, design: Design, card: Mapping[str, Any]) -> str:
    """Write model.safetensors and card.json into ``folder``; returns the SHA-256 of the weights.

    card : must say id, training, metrics, limits
    """
    arrays: Arrays = {
        "label": model.label,
        "calibration.slope_intercept": np.array([model.slope, model.intercept]),
        "calibration.out_of_fold": model.out_of_fold,
        "calibration.fold_of": model.fold_of,
        "calibration.ood_limit": np.array([model.ood_limit]),
    }
    return _save(folder, model.model, arrays, design, {**card, "architecture": LABEL_ARCHITECTURE})


def load_survival(folder: Path) -> tuple[CalibratedSurvival, Design, Mapping[str, Any]]:
    """The model, the columns it reads, and its card.

    Raises
    ------
    UnavailableError: files missing, the hash differs from the card's, or it is a model of another kind
    """
    array, card = _load(folder, ARCHITECTURE)
    kernel = _kernel_model(array, card, CoxLikelihood(array["months"], array["event"]))
    model = CalibratedSurvival(
        model=kernel,
        slope=float(array["calibration.slope"][0]),
        months=array["calibration.months"],
        cumulative_hazard=array["calibration.cumulative_hazard"],
        out_of_fold=array["calibration.out_of_fold"],
        ood_limit=float(array["calibration.ood_limit"][0]),
    )
    return model, Design.from_inputs(card["inputs"]), card


def load_label(folder: Path) -> tuple[CalibratedLabel, Design, Mapping[str, Any]]:
    """The model, the columns it reads, and its card; its inner models are fitted again from the saved patients.

    Raises
    ------
    UnavailableError: files missing, the hash differs from the card's, or it is a model of another kind
    """
    array, card = _load(folder, LABEL_ARCHITECTURE)
    kernel = _kernel_model(array, card, BernoulliLikelihood(array["label"]))
    slope, intercept = map(float, array["calibration.slope_intercept"])
    fold_of = array["calibration.fold_of"]
    model = CalibratedLabel(
        model=kernel,
        slope=slope,
        intercept=intercept,
        out_of_fold=array["calibration.out_of_fold"],
        fold_of=fold_of,
        label=array["label"],
        inner=models_without_folds(kernel, fold_of),
        ood_limit=float(array["calibration.ood_limit"][0]),
    )
    return model, Design.from_inputs(card["inputs"]), card


def _save(folder: Path, kernel: MultiKernelModel, arrays: Arrays, design: Design, card: Mapping[str, Any]) -> str:
    arrays = {**arrays, "weights": np.array(list(kernel.weights.values()))}
    for name, scaler in kernel.scalers.items():
        arrays |= {f"{name}.keep": scaler.keep, f"{name}.mean": scaler.mean, f"{name}.sd": scaler.sd}
        arrays[f"{name}.rows"] = kernel.training[name]
    tensors = {name: torch.from_numpy(np.array(value, order="C")) for name, value in arrays.items()}
    inputs = {**design.to_inputs(), "fitted_blocks": list(kernel.scalers), "effects": list(kernel.weights)}
    return save_checkpoint(folder, tensors, {**card, "inputs": inputs, "patient_data": PATIENT_DATA})


def _load(folder: Path, architecture: str) -> tuple[Arrays, Mapping[str, Any]]:
    checkpoint = load_checkpoint(folder)
    if checkpoint.card["architecture"] != architecture:
        raise UnavailableError(
            f"{folder} holds a {checkpoint.card['architecture']} model, not a {architecture} one; give the folder of "
            "such a run."
        )
    return {name: tensor.numpy() for name, tensor in checkpoint.tensors.items()}, checkpoint.card


def _kernel_model(array: Arrays, card: Mapping[str, Any], likelihood: Likelihood) -> MultiKernelModel:
    said = card["inputs"]
    names = said["fitted_blocks"]
    scalers = {n: BlockScaler(array[f"{n}.keep"], array[f"{n}.mean"], array[f"{n}.sd"]) for n in names}
    return assemble(
        scalers,
        {n: array[f"{n}.rows"] for n in names},
        likelihood,
        dict(zip(said["effects"], map(float, array["weights"]), strict=True)),
        ignored=frozenset(said["blocks"]) - frozenset(names),
        probation=frozenset(said.get("on_probation", ())),
    )
