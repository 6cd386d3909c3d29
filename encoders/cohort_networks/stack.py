"""Late fusion: out-of-fold scores of members -> one score, with weights that are never negative.

A member is a network of one block, or (hybrid) the attention network of all blocks. The weights minimise the task's
own loss on scores of patients the member did not see, with a ridge; so the second stage is a ridge Cox model, or a
ridge logistic one. For every set of members a patient can have, the weights are fitted anew from the same scores.

What this module does not know: how members were trained.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.optimize import minimize
from torch import Tensor

from encoders.cohort_networks.losses import combine
from encoders.cohort_networks.outcomes import Offset, Target, Task
from encoders.cohort_networks.settings import TASK

PRIOR_SD = 0.5
"""Prior standard deviation of a weight of a score with SD 1: the ridge. .5 = a log hazard of half a unit an SD."""
RIDGE = "ridge"


@dataclass(frozen=True)
class Stack:
    """The second stage of a stack of members.

    scores : (N, members, K) out-of-fold scores of the training patients, SD 1 a member, 0 where a member is not
        available to a patient
    target : the training patients' outcomes (kept, because weights are fitted for each pattern when first asked for)
    scale : (members,) SD that scores were divided by
    """

    task: Task
    scores: Tensor
    target: Target
    scale: Tensor
    _fitted: dict[tuple[bool, ...], tuple[Tensor, Offset]] = field(default_factory=dict, repr=False, compare=False)

    def weights(self, available: tuple[bool, ...]) -> Tensor:
        """(members,) weights, 0 or more, for patients with these members available."""
        return self._fit(available)[0]

    def outputs(self, scores: Tensor, available: NDArray[np.bool_]) -> Tensor:
        """Members' centred scores (B, members, K), available (B, members) -> outputs of the task, differentiable."""
        scaled = scores / self.scale.view(1, -1, 1)
        patterns, which = np.unique(available, axis=0, return_inverse=True)
        found, order = [], []
        for i, pattern in enumerate(patterns):
            members = torch.as_tensor(np.flatnonzero(which.ravel() == i))
            weight, offset = self._fit(tuple(bool(a) for a in pattern))
            found.append(offset((scaled[members] * weight.view(1, -1, 1)).sum(1)))
            order.append(members)
        return torch.cat(found)[torch.argsort(torch.cat(order))]

    def _fit(self, available: tuple[bool, ...]) -> tuple[Tensor, Offset]:
        if available not in self._fitted:
            self._fitted[available] = _fit_weights(self.task, self.scores, self.target, available)
        return self._fitted[available]


def make_stack(task: Task, scores: Tensor, available: Tensor, target: Target) -> Stack:
    """From centred out-of-fold scores (N, members, K) and available (N, members) bool."""
    shown = available.unsqueeze(2)
    count = (shown.sum((0, 2)) * scores.shape[2]).clamp(min=1)
    scale = ((scores.square() * shown).sum((0, 2)) / count).sqrt().clamp(min=1e-6)
    return Stack(task, torch.where(shown, scores, 0.0) / scale.view(1, -1, 1), target, scale)


@torch.enable_grad()
def _fit_weights(task: Task, scores: Tensor, target: Target, available: tuple[bool, ...]) -> tuple[Tensor, Offset]:
    """L-BFGS-B on the task's loss plus the ridge, in float64; weights of members not available are 0."""
    use = torch.tensor(available)
    offset = Offset(task).double()
    x = scores.double()
    outcome = {name: value.double() if value.is_floating_point() else value for name, value in target.items()}
    counted = outcome["event"] if "event" in outcome else torch.ones(len(x))
    ridge = 1 / (2 * PRIOR_SD**2 * max(float((counted * outcome["weight"]).sum()), 1.0))
    members, rest = int(use.sum()), offset.bias.numel()

    def value(point: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        weight = torch.zeros(len(use), dtype=torch.float64)
        free = torch.tensor(point[:members], requires_grad=True)
        weight = weight.masked_scatter(use, free)
        with torch.no_grad():
            offset.bias.copy_(torch.tensor(point[members:]))
        offset.bias.grad = None
        losses = {
            TASK: task.loss(offset((x * weight.view(1, -1, 1)).sum(1)), outcome),
            RIDGE: weight.square().sum(),
        }
        total = combine(losses, {TASK: 1.0, RIDGE: ridge})
        total.backward()
        slope = np.zeros(rest) if offset.bias.grad is None else offset.bias.grad.numpy().copy()
        return float(total.detach()), np.concatenate([free.grad.numpy(), slope])

    start = np.concatenate([np.full(members, 0.1), offset.bias.detach().numpy()])
    found = minimize(value, start, jac=True, method="L-BFGS-B", bounds=[(0, None)] * members + [(None, None)] * rest)
    weight = torch.zeros(len(use)).masked_scatter(use, torch.tensor(found.x[:members], dtype=torch.float32))
    with torch.no_grad():
        offset.bias.copy_(torch.tensor(found.x[members:]))
    return weight, offset.float().requires_grad_(False)
