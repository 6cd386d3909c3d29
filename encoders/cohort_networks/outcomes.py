"""What a network is to learn of each patient, and the task that follows: scores -> outputs -> loss, risk, probability.

An outcome holds arrays of N patients; ``task_of`` makes the task fitted to it (time bins, class names) and its target
tensors. Scores are what networks and stacks give; an ``Offset`` turns them into the outputs a loss reads.

What this module does not know: features, networks.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from encoders.cohort_models.likelihoods import CoxLikelihood
from encoders.cohort_networks.losses import (
    binary_loss,
    class_loss,
    cox_loss,
    discrete_hazard_loss,
    hazard_targets,
    multi_label_loss,
    ordinal_log_probability,
    ordinal_loss,
)
from encoders.errors import InputError, SettingsError

Array = NDArray[np.float64]
Target = Mapping[str, Tensor]
COX, HAZARD, CLASSES, LABELS, RESPONSE = "cox", "discrete hazard", "classes", "labels", "response"
TASKS: tuple[str, ...] = (COX, HAZARD, CLASSES, LABELS, RESPONSE)
RESPONSE_GRADES: tuple[str, ...] = ("PD", "SD", "PR", "CR")
"""RECIST 1.1 best response, worst first (Eisenhauer et al., Eur J Cancer 2009, 10.1016/j.ejca.2008.10.026)."""


@dataclass(frozen=True)
class SurvivalOutcome:
    """Follow-up (N,) months and event (N,) True = happened; loss "cox" or "discrete hazard" with ``time_bins``."""

    months: Array
    event: NDArray[np.bool_]
    loss: str = COX
    time_bins: int = 10
    weight: Array | None = None


@dataclass(frozen=True)
class ClassOutcome:
    """Class index (N,) int into ``classes`` (two or more names)."""

    label: NDArray[np.integer]
    classes: tuple[str, ...] = ("no", "yes")
    weight: Array | None = None


@dataclass(frozen=True)
class LabelsOutcome:
    """Several yes/no labels at once: values (N, L) 0, 1 or NaN = not known."""

    values: Array
    labels: tuple[str, ...]
    weight: Array | None = None


@dataclass(frozen=True)
class ResponseOutcome:
    """Best response (N,) int into ``RESPONSE_GRADES``: 0 PD, 1 SD, 2 PR, 3 CR."""

    grade: NDArray[np.integer]
    weight: Array | None = None


Outcome = SurvivalOutcome | ClassOutcome | LabelsOutcome | ResponseOutcome


@dataclass(frozen=True)
class Task:
    """A task fitted to an outcome.

    kind : one of ``TASKS``; also the name of its loss
    names : of the outputs: classes, labels, response grades
    edges_months : (T + 1) edges of the time bins ("discrete hazard")
    start : where the offset starts, from the frequencies among the fitted patients
    """

    kind: str
    names: tuple[str, ...] = ()
    edges_months: tuple[float, ...] = ()
    start: tuple[float, ...] = field(default=())

    @property
    def n_scores(self) -> int:
        """Width K of the scores a network gives."""
        if self.kind == HAZARD:
            return len(self.edges_months) - 1
        if self.kind == LABELS:
            return len(self.names)
        return len(self.names) if self.kind == CLASSES and len(self.names) > 2 else 1

    def loss(self, outputs: Tensor, target: Target) -> Tensor:
        """Weighted mean loss () of outputs (B, ...) as ``Offset`` gives them."""
        weight = target["weight"]
        if self.kind == COX:
            return cox_loss(outputs[:, 0], target["months"], target["event"], weight)
        if self.kind == HAZARD:
            return discrete_hazard_loss(outputs, target["lived"], target["within"], weight)
        if self.kind == LABELS:
            return multi_label_loss(outputs, target["labels"], weight)
        if self.kind == RESPONSE:
            return ordinal_loss(outputs, target["label"], weight)
        if self.n_scores == 1:
            return binary_loss(outputs[:, 0], target["label"], weight)
        return class_loss(outputs, target["label"], weight)

    def score(self, outputs: Tensor) -> Tensor:
        """One number a patient (B,): risk score (higher = earlier event), log odds of the second class, or a response
        score (higher = better response); (B, K) logits where there are more classes or labels."""
        if self.kind == HAZARD:
            width = torch.diff(outputs.new_tensor(self.edges_months))
            # Months lived within the bins, from the last edge down: more months lost = higher risk.
            return width.sum() - (self.probability(outputs) * width).sum(1)
        if self.kind == RESPONSE:
            return outputs.mean(1)
        return outputs[:, 0] if self.n_scores == 1 and self.kind != LABELS else outputs

    def probability(self, outputs: Tensor) -> Tensor:
        """Survival to the end of each bin (B, T); classes or grades (B, C), sum 1; labels (B, L).

        Raises
        ------
        InputError: a Cox task, which has no baseline hazard; calibrate it with the cohort's survival model.
        """
        if self.kind == COX:
            raise InputError("a Cox network gives risk scores alone; train the discrete hazard loss for probabilities.")
        if self.kind == HAZARD:
            return torch.exp(functional.logsigmoid(-outputs).cumsum(1))
        if self.kind == RESPONSE:
            return ordinal_log_probability(outputs).exp()
        if self.kind == LABELS:
            return torch.sigmoid(outputs)
        if self.n_scores == 1:
            return torch.cat([torch.sigmoid(-outputs), torch.sigmoid(outputs)], 1)
        return torch.softmax(outputs, 1)

    def as_json(self) -> dict[str, Any]:
        """For a model card."""
        return asdict(self)


class Offset(nn.Module):
    """Scores (B, K) -> outputs: the bias of each bin, class or label; or the thresholds between response grades."""

    def __init__(self, task: Task) -> None:
        super().__init__()
        self.kind = task.kind
        self.bias = nn.Parameter(torch.tensor(task.start, dtype=torch.float32))  # Cox: empty
        if self.kind == RESPONSE:
            steps = torch.diff(self.bias.data).clamp(min=0.05)
            self.bias.data[1:] = torch.log(torch.expm1(steps))

    def forward(self, scores: Tensor) -> Tensor:
        """Response: (B, 1) -> cumulative logits of P(grade > k) (B, C - 1), falling by construction."""
        if self.kind == COX:
            return scores
        if self.kind == RESPONSE:
            steps = functional.softplus(self.bias[1:]).clamp(min=1e-4)
            return scores - torch.cat([self.bias[:1], self.bias[:1] + steps.cumsum(0)])
        return scores + self.bias


def task_of(outcome: Outcome) -> tuple[Task, dict[str, Tensor]]:
    """The task of an outcome and its target tensors (first axis N), float32.

    Raises
    ------
    InputError: an outcome nothing can be learned from (fewer than 2 events, one class alone, a label without both
    values), of unequal lengths, or with an impossible value or weight.
    SettingsError: a survival loss that is not known, or fewer than 2 time bins.
    """
    if isinstance(outcome, SurvivalOutcome):
        task, target = _survival(outcome)
    elif isinstance(outcome, ClassOutcome):
        task, target = _classes(np.asarray(outcome.label), outcome.classes)
    elif isinstance(outcome, ResponseOutcome):
        task, target = _response(np.asarray(outcome.grade))
    else:
        task, target = _labels(np.asarray(outcome.values, np.float64), outcome.labels)
    size = len(next(iter(target.values())))
    weight = np.ones(size) if outcome.weight is None else np.asarray(outcome.weight, np.float64)
    if weight.shape != (size,) or not np.isfinite(weight).all() or (weight < 0).any() or not weight.any():
        raise InputError(f"sample weights of shape {weight.shape} for {size} patients; allowed: (N,), 0 or more each.")
    return task, {**target, "weight": torch.tensor(weight, dtype=torch.float32)}


def strata(target: Target) -> NDArray[np.int64]:
    """(N,) groups to stratify a split by: event, class or grade; one group for several labels."""
    for name in ("event", "label"):
        if name in target:
            return target[name].cpu().numpy().astype(np.int64)
    return np.zeros(len(target["weight"]), np.int64)


def _survival(outcome: SurvivalOutcome) -> tuple[Task, dict[str, Tensor]]:
    CoxLikelihood(outcome.months, outcome.event)  # its checks of times and events
    months = torch.tensor(np.asarray(outcome.months), dtype=torch.float32)
    event = torch.tensor(np.asarray(outcome.event, bool))
    target = {"months": months, "event": event}
    if outcome.loss == COX:
        return Task(COX), target
    if outcome.loss != HAZARD or outcome.time_bins < 2:
        raise SettingsError(
            f"survival loss {outcome.loss!r} with {outcome.time_bins} bins; allowed: {COX}, {HAZARD} (2 bins or more)."
        )
    inner = np.quantile(np.asarray(outcome.months)[outcome.event], np.linspace(0, 1, outcome.time_bins + 1)[1:])
    edges = torch.tensor(np.unique(np.concatenate([[0.0], inner])), dtype=torch.float32)
    lived, within = hazard_targets(months, event, edges)
    share = (within.sum(0) + 0.5) / (within.sum(0) + lived.sum(0) + 1)
    start = tuple(torch.logit(share).tolist())
    return Task(HAZARD, edges_months=tuple(edges.tolist()), start=start), {**target, "lived": lived, "within": within}


def _classes(label: NDArray[np.integer], classes: tuple[str, ...]) -> tuple[Task, dict[str, Tensor]]:
    counts = _counted(label, classes)
    share = counts / counts.sum()
    start = (float(np.log(share[1] / share[0])),) if len(classes) == 2 else tuple(np.log(share).tolist())
    return Task(CLASSES, classes, start=start), {"label": torch.tensor(label.astype(np.int64))}


def _counted(label: NDArray[np.integer], classes: tuple[str, ...]) -> Array:
    """Patients of each class, all above 0."""
    if len(classes) < 2 or label.ndim != 1 or not np.isin(label, np.arange(len(classes))).all():
        raise InputError(
            f"class indices must be (N,) in 0..{len(classes) - 1} ({', '.join(classes)}); 2 classes or more."
        )
    counts = np.bincount(label.astype(np.int64), minlength=len(classes)).astype(np.float64)
    if (counts == 0).any():
        absent = [name for name, n in zip(classes, counts, strict=True) if n == 0]
        raise InputError(f"no patient of class {', '.join(absent)}; leave the class out or give patients of it.")
    return counts


def _response(grade: NDArray[np.integer]) -> tuple[Task, dict[str, Tensor]]:
    if grade.ndim != 1 or not np.isin(grade, np.arange(4)).all() or len(np.unique(grade)) < 2:
        raise InputError(
            f"response grades {sorted(set(grade.ravel().tolist()))[:6]}; allowed: 0..3 ({', '.join(RESPONSE_GRADES)}), "
            "at least two different ones."
        )
    counts = np.bincount(grade.astype(np.int64), minlength=4) + 0.5
    below = np.cumsum(counts)[:-1] / counts.sum()  # P(grade <= k), the threshold at score 0
    start = tuple(np.log(below / (1 - below)).tolist())
    return Task(RESPONSE, RESPONSE_GRADES, start=start), {"label": torch.tensor(grade.astype(np.int64))}


def _labels(values: Array, labels: tuple[str, ...]) -> tuple[Task, dict[str, Tensor]]:
    if values.ndim != 2 or values.shape[1] != len(labels):
        raise InputError(f"label values of shape {values.shape} for {len(labels)} labels; the rule is (N, L).")
    known = np.isfinite(values)
    if not np.isin(values[known], (0.0, 1.0)).all():
        raise InputError("label values must be 0, 1 or NaN (not known).")
    yes, count = np.where(known, values, 0).sum(0), known.sum(0)
    useless = [name for name, y, n in zip(labels, yes, count, strict=True) if y in (0, n)]
    if useless:
        raise InputError(f"labels {', '.join(useless)} have one value alone; leave them out.")
    start = tuple(np.log(yes / (count - yes)).tolist())
    return Task(LABELS, labels, start=start), {"labels": torch.tensor(values, dtype=torch.float32)}
