"""Integrated gradients of a scalar prediction on gene expression, and on the voxels of lesion crops.

The baselines: the reference cohort's mean profile (genes), each crop's surroundings everywhere (voxels).
What this module does not know: which genes matter in biology, what a target means.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from captum.attr import IntegratedGradients
from torch import Tensor

from encoders.errors import ContractError
from encoders.explain.crop_map import CropEncoder, Target
from encoders.explain.occlusion import surroundings

DEFAULT_STEPS = 64
_POINTS_AT_ONCE = 8  # a crop's graph is tens of MB


def integrated_gradients(
    function: Callable[[Tensor], Tensor],
    x: Tensor,
    *,
    baseline: Tensor | None = None,
    steps: int = DEFAULT_STEPS,
    at_once: int | None = None,
) -> tuple[Tensor, float]:
    """Attribute function(x) - function(baseline) to the entries of one input.

    Parameters
    ----------
    function : (B, G) -> (B,)
    x : (1, G) float; baseline : (1, G), default zeros
    at_once : points of the path evaluated together (default: all of them); fewer need less memory

    Returns
    -------
    (G,) attributions and the completeness error |sum - (f(x) - f(baseline))|

    References
    ----------
    Sundararajan, Taly & Yan, ICML 2017; computed by captum (Kokhlikyan et al., arXiv 2009.07896), Gauss-Legendre.
    """
    if x.ndim != 2 or len(x) != 1:
        raise ContractError(f"integrated gradients got shape {tuple(x.shape)}; the rule is (1, G).")
    start = torch.zeros_like(x) if baseline is None else baseline
    values = IntegratedGradients(function).attribute(
        x, start, n_steps=steps, method="gausslegendre", internal_batch_size=at_once
    )
    with torch.no_grad():
        difference = float(function(x) - function(start))
    values = values.detach()[0]
    return values, abs(float(values.sum(dtype=torch.float64)) - difference)


def image_integrated_gradients(
    encoder: CropEncoder, crops: Tensor, kind: Tensor, target: Target, *, steps: int = DEFAULT_STEPS
) -> tuple[Tensor, float, float]:
    """Integrated gradients of the target on the voxels of all series of one patient.

    The baseline is each crop filled with its surroundings (the median of its six faces): "nothing there".

    Parameters
    ----------
    crops : (N, 1, 32, 32, 32), all series of one patient; kind : (N,) int

    Returns
    -------
    (N, 32, 32, 32) attributions in the target's unit; completeness error |sum - difference| over all series together;
    the difference, target - target(baseline)

    Raises
    ------
    ContractError: no series.

    References
    ----------
    Sundararajan, Taly & Yan, ICML 2017.
    """
    if not len(crops):
        raise ContractError("integrated gradients on an image got no series; the rule is at least one crop.")
    shape = crops.shape

    def of_flat(flat: Tensor) -> Tensor:
        return torch.stack([target(encoder(one.view(shape), kind)) for one in flat])

    baseline = surroundings(crops).view(-1, 1, 1, 1, 1).expand(shape).reshape(1, -1)
    values, error = integrated_gradients(
        of_flat, crops.reshape(1, -1), baseline=baseline, steps=steps, at_once=_POINTS_AT_ONCE
    )
    with torch.no_grad():
        ends = of_flat(torch.cat([crops.reshape(1, -1), baseline]))
    return values.view(shape)[:, 0], error, float(ends[0] - ends[1])
