"""Trained models in memory: load the fusion weights once, with their reference cohort.

What this module does not know: patients. It trusts nothing but the SHA-256 of the weight file.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, fields
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from encoders.calibration import Calibration
from encoders.checkpoints import load_checkpoint
from encoders.errors import UnavailableError
from encoders.fusion import FusionConfig, FusionModel
from encoders.inputs import CANCER_CODES
from encoders.omics import ExpressionScale
from encoders.registry import entry


@dataclass(frozen=True)
class Models:
    """The fusion model with what surrounds it. reference_risk : cancer code -> sorted risks of the reference cohort."""

    model: FusionModel
    calibration: Calibration
    scale: ExpressionScale
    card: Mapping[str, Any]
    sha256: str
    reference_name: str
    reference_risk: Mapping[str, NDArray[np.float32]]

    def percentile(self, risk: float, code: str) -> tuple[float, int] | None:
        """(0..100 mid-rank of ``risk`` among the reference patients of that cancer, their number); None without any."""
        known = self.reference_risk.get(code)
        if known is None or len(known) == 0:
            return None
        below, upto = np.searchsorted(known, risk, "left"), np.searchsorted(known, risk, "right")
        return float(50 * (below + upto) / len(known)), len(known)


def _part(tensors: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {name[len(prefix) :]: value for name, value in tensors.items() if name.startswith(prefix)}


def _fill(module: nn.Module, tensors: Mapping[str, Tensor], prefix: str, folder: Path) -> None:
    """Put tensors into ``module``; names and shapes must be exactly its own."""
    given, needed = _part(tensors, prefix), module.state_dict()
    wrong = sorted(given.keys() ^ needed.keys())
    wrong += sorted(n for n in given.keys() & needed.keys() if given[n].shape != needed[n].shape)
    if wrong:
        raise UnavailableError(
            f"the weights in {folder} do not fit this version: {len(wrong)} tensors differ, first {wrong[0]!r}. "
            "Reinstall, or retrain with `radomica train fusion`."
        )
    module.load_state_dict(given)


def _reference(folder: Path) -> dict[str, NDArray[np.float32]]:
    path = folder / "reference_cohort.json"
    if not path.is_file():
        return {}
    risks: dict[str, list[float]] = {code: [] for code in CANCER_CODES}
    for row in json.loads(path.read_text(encoding="utf-8")):
        risks[row["oncotree_code"]].append(row["risk_score"])
    return {code: np.sort(np.asarray(values, np.float32)) for code, values in risks.items() if values}


def _config(card: Mapping[str, Any]) -> FusionConfig:
    known = {f.name for f in fields(FusionConfig)}
    values = {name: value for name, value in card["architecture"].items() if name in known}
    return FusionConfig(**{"local_contrast": False, **values, "planes": tuple(values["planes"])})


def read_models(folder: Path) -> Models:
    """Load weights, calibration, scale and reference risks from ``folder``.

    Raises
    ------
    UnavailableError: files missing, hash mismatch, or weights of another version
    """
    checkpoint = load_checkpoint(folder)
    config = _config(checkpoint.card)
    model, calibration = FusionModel(config), Calibration(config.width)
    _fill(model, checkpoint.tensors, "model.", folder)
    _fill(calibration, checkpoint.tensors, "calibration.", folder)
    scale = ExpressionScale(**{name: t.numpy() for name, t in _part(checkpoint.tensors, "scale.").items()})
    model.image.to(memory_format=torch.channels_last_3d)
    for parameter in model.parameters():
        parameter.requires_grad_(False)
    return Models(
        model=model.eval(),
        calibration=calibration.eval(),
        scale=scale,
        card=checkpoint.card,
        sha256=checkpoint.sha256,
        reference_name=str(checkpoint.card.get("reference_cohort", {}).get("name", "")),
        reference_risk=_reference(folder),
    )


@lru_cache(maxsize=4)
def _cached(folder: Path) -> Models:
    return read_models(folder)


def load_models(folder: Path | None = None) -> Models:
    """The models in ``folder`` (default: those shipped), read once per process."""
    return _cached(Path(folder) if folder is not None else entry("fusion").folder)
