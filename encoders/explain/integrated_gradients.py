"""Integrated gradients of a scalar prediction on gene expression.

What this module does not know: which genes matter in biology; the baseline is the reference cohort's mean profile.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from captum.attr import IntegratedGradients
from torch import Tensor

from encoders.errors import ContractError

DEFAULT_STEPS = 64


def integrated_gradients(
    function: Callable[[Tensor], Tensor], x: Tensor, *, baseline: Tensor | None = None, steps: int = DEFAULT_STEPS
) -> tuple[Tensor, float]:
    """Attribute function(x) - function(baseline) to the entries of one input.

    Parameters
    ----------
    function : (B, G) -> (B,)
    x : (1, G) float; baseline : (1, G), default zeros

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
    values = IntegratedGradients(function).attribute(x, start, n_steps=steps, method="gausslegendre")
    with torch.no_grad():
        difference = float(function(x) - function(start))
    values = values.detach()[0]
    return values, abs(float(values.sum(dtype=torch.float64)) - difference)
