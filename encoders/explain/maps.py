"""Heat maps of one patient by a named method, each in its series' grid, with how much of it lies in the lesion.

What this module does not know: files (export.py), words of the report.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from encoders.errors import SettingsError
from encoders.explain.explain import image_targets, in_series
from encoders.explain.grad_cam import CamWeights, Target, grad_cam
from encoders.explain.occlusion import image_gradients, occlusion_map
from encoders.explain.sanity import deletion_curve
from encoders.inputs import make_batch, read_inputs
from encoders.lesion_choice import lesion_mask
from encoders.models import Models, load_models
from encoders.patient import ImagingSeries, Patient
from encoders.radiology import ImageEncoder

Method = Callable[[ImageEncoder, Tensor, Tensor, Target], Tensor]


def _scaled(raw: Tensor) -> Tensor:
    """What raises the target alone, each map divided by its own maximum; all 0 where nothing raises it."""
    kept = torch.relu(raw)
    peak = kept.amax(dim=(1, 2, 3), keepdim=True)
    return torch.where(peak > 0, kept / peak.clamp(min=1e-12), torch.zeros_like(kept))


METHODS: Mapping[str, Method] = {
    "layercam": lambda e, c, k, t: grad_cam(e, c, k, t, form=CamWeights.LAYER),
    "gradcam": lambda e, c, k, t: grad_cam(e, c, k, t, form=CamWeights.MEAN),
    "gradcam++": lambda e, c, k, t: grad_cam(e, c, k, t, form=CamWeights.PLUS_PLUS),
    "occlusion": lambda e, c, k, t: _scaled(occlusion_map(e, c, k, t)),
    "gradients": lambda e, c, k, t: _scaled(image_gradients(e, c, k, t)[0]),
}
"""Name -> maps (N, 32, 32, 32) in [0, 1] on the crops."""


@dataclass(frozen=True)
class HeatMap:
    """One map. values : (Z, Y, X) float32 in [0, 1] on the grid of ``series``.

    inside : share of the map's total inside the lesion's segment; peak_inside : whether its maximum lies there
    deletion : (passed, figure) of the deletion test (sanity.py)
    """

    task: str
    method: str
    series: ImagingSeries
    values: NDArray[np.float32]
    inside: float
    peak_inside: bool
    deletion: tuple[bool, float]


def heat_maps(patient: Patient, *, method: str = "layercam", models: Models | None = None) -> tuple[HeatMap, ...]:
    """Maps of the risk and of the molecular label for every series with a lesion; () when there is none.

    Raises
    ------
    SettingsError: no method of that name.
    """
    if method not in METHODS:
        raise SettingsError(f"no explanation method {method!r}; allowed: {', '.join(METHODS)}.")
    inputs = read_inputs(patient)
    if not inputs.crops:
        return ()
    models = models or load_models()
    batch = make_batch([inputs], models.scale)
    with torch.no_grad():
        tokens = models.model.encode(batch)
    encoder, found = models.model.image, []
    for task, target in image_targets(inputs, batch, tokens, models).items():
        maps = METHODS[method](encoder, batch.crops, batch.kind, target)
        deleted = deletion_curve(encoder, batch.crops, batch.kind, target, maps)
        for i, series, values in in_series(patient, inputs, task, maps):
            inside, at_peak = _overlap(values, series)
            found.append(HeatMap(task, method, series, values, inside, at_peak, deleted[i]))
    return tuple(found)


def _overlap(values: NDArray[np.float32], series: ImagingSeries) -> tuple[float, bool]:
    """(share of the map's total inside the lesions, whether its maximum lies there)."""
    mask, total = lesion_mask(series), float(values.sum(dtype=np.float64))
    if total == 0:
        return 0.0, False
    return float(values[mask].sum(dtype=np.float64)) / total, peak_inside(values, mask)


def peak_inside(values: NDArray[np.float32], mask: NDArray[np.bool_]) -> bool:
    """Whether the largest value of a map lies in ``mask``; False for a map that is 0 everywhere."""
    return bool(values.max() > 0 and mask[np.unravel_index(int(values.argmax()), values.shape)])
