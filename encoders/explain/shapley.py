"""Exact Shapley values of the modalities a patient has: what each adds to a prediction.

An absent modality is its learned missing token; with M present modalities all 2^M subsets are evaluated. What this
module does not know: what is predicted. It says how the model uses a modality, not what causes the outcome.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import product
from math import factorial

import torch
from torch import Tensor


def subset_masks(present: Sequence[bool]) -> Tensor:
    """Every subset of the present modalities: (2^M, n) bool, the empty set first, all present last."""
    choices = [(False, True) if p else (False,) for p in present]
    return torch.tensor(list(product(*choices)), dtype=torch.bool)


def shapley_values(evaluate: Callable[[Tensor], Tensor], present: Sequence[bool]) -> tuple[Tensor, float, float]:
    """Shapley value of each present modality.

    Parameters
    ----------
    evaluate : (S, n) bool masks -> (S,) values of the prediction with those modalities shown
    present : n flags

    Returns
    -------
    (n,) float values (0 where absent), f(all shown), f(none shown); the values sum to f(all) - f(none)

    References
    ----------
    Shapley, Contributions to the Theory of Games II, 1953; Lundberg & Lee, NeurIPS 2017.
    """
    masks = subset_masks(present)
    value = {tuple(mask): float(v) for mask, v in zip(masks.tolist(), evaluate(masks).tolist(), strict=True)}
    players = [i for i, p in enumerate(present) if p]
    total = factorial(len(players))
    out = torch.zeros(len(present), dtype=torch.float64)
    for mask, with_others in value.items():
        size = sum(mask)
        for i in players:
            if mask[i]:
                continue
            larger = (*mask[:i], True, *mask[i + 1 :])
            weight = factorial(size) * factorial(len(players) - size - 1) / total
            out[i] += weight * (value[larger] - with_others)
    return out, value[tuple(present)], value[tuple([False] * len(present))]
