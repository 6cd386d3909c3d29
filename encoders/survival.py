"""Discrete-time proportional hazards: hazards, likelihood, survival curves, and the head that makes risks.

Sign convention, everywhere: ``risk_score`` is a log relative hazard, higher = earlier event; ``event`` True = happened;
the loss is a negative log-likelihood, lower = better.

What this module does not know: what the features are, which cancer an index stands for, competing risks.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from encoders.errors import ContractError

BIN_EDGES_MONTHS: tuple[float, ...] = (0, 3, 6, 9, 12, 18, 24, 30, 36, 48, 60, 84, 120, 180, 240, 360)
"""Edges of the time bins: bin t is (edge[t], edge[t + 1]]; follow-up beyond the last edge is censored there."""
N_BINS = len(BIN_EDGES_MONTHS) - 1


def bin_of(months: Tensor, event: Tensor) -> tuple[Tensor, Tensor]:
    """Follow-up in months (B,) and event (B,) -> bin index (B,) in 0..T-1 and event within the bins (B,).

    A patient censored inside a bin counts as censored at that bin's start (bin index - 1), because being alive
    through the whole bin was not seen; ``-1`` means censored before the first bin ended (no information).
    """
    if bool((months < 0).any()):
        raise ContractError(f"follow-up of {float(months.min())} months; it must be 0 or more. Correct the outcome.")
    edges = torch.tensor(BIN_EDGES_MONTHS[1:], dtype=months.dtype, device=months.device)
    index = torch.bucketize(months, edges)  # first edge >= months
    beyond = index >= N_BINS
    event = event.bool() & ~beyond
    index = index.clamp(max=N_BINS - 1)
    finished = months >= edges[index]  # censored exactly at or beyond the bin's end: the whole bin was seen
    return torch.where(event | finished, index, index - 1), event


def hazard(baseline: Tensor, risk: Tensor) -> Tensor:
    """hazard_t = 1 - exp(-exp(baseline_t + risk)): grouped proportional hazards.

    Parameters
    ----------
    baseline : (B, T) float, log cumulative baseline hazard of each bin
    risk : (B,) float, log relative hazard

    Returns
    -------
    (B, T) float in (0, 1); P(event in bin t | alive before t)

    References
    ----------
    Prentice & Gloeckler, Biometrics 1978 (complementary log-log model of grouped survival).
    """
    return -torch.expm1(-torch.exp(baseline + risk.unsqueeze(-1)))


def discrete_hazard_nll(baseline: Tensor, risk: Tensor, bin_index: Tensor, event: Tensor) -> Tensor:
    """Negative log-likelihood of the grouped proportional-hazards model, per patient.

    event in bin k: -log hazard_k + sum_{t<k} H_t; censored after bin k: sum_{t<=k} H_t, H_t = exp(baseline_t + risk)

    Parameters
    ----------
    baseline : (B, T) float
    risk : (B,) float
    bin_index : (B,) int in -1..T-1; bin of the event, or the last bin seen whole (-1: none)
    event : (B,) bool; True = happened

    Returns
    -------
    (B,) float, nats, not averaged

    Raises
    ------
    ContractError: an index outside -1..T-1, or an event with index -1
    """
    bins = baseline.shape[1]
    wrong = (bin_index < -1) | (bin_index >= bins) | (event & (bin_index < 0))
    if bool(wrong.any()):
        at = int(wrong.nonzero()[0])
        raise ContractError(
            f"bin_index[{at}] = {int(bin_index[at])} is outside {0 if bool(event[at]) else -1}..{bins - 1} "
            f"(T = {bins}); re-bin follow-up."
        )
    cumulative = torch.exp((baseline + risk.unsqueeze(-1)).clamp(max=30))  # (B, T)
    steps = torch.arange(bins, device=baseline.device)
    last = bin_index.unsqueeze(-1)
    survived = steps < last + (~event).long().unsqueeze(-1)  # event: t < k; censored: t <= k
    log_alive = -(cumulative * survived).sum(1)
    at_event = cumulative.gather(1, last.clamp(min=0)).squeeze(1)
    log_hazard = torch.log(-torch.expm1(-at_event) + 1e-12)
    return -(log_alive + torch.where(event, log_hazard, torch.zeros_like(log_hazard)))


def survival_curve(baseline: Tensor, risk: Tensor) -> Tensor:
    """P(alive after bin t) (B, T): starts at most 1, never rises, stays in [0, 1]."""
    return torch.exp(-torch.exp((baseline + risk.unsqueeze(-1)).clamp(max=30)).cumsum(1))


class SurvivalHead(nn.Module):
    """Features (B, D) -> risk (B,), with a baseline per cancer and a pooled one (the last row).

    ``baseline`` row c is a log hazard per month plus the log of the bin's width.
    """

    log_width: Tensor

    def __init__(self, width: int, n_cancers: int) -> None:
        super().__init__()
        self.weight = nn.Linear(width, 1, bias=False)
        nn.init.zeros_(self.weight.weight)
        self.log_rate = nn.Parameter(torch.full((n_cancers + 1, N_BINS), math.log(0.02)))
        edges = torch.tensor(BIN_EDGES_MONTHS, dtype=torch.float32)
        self.register_buffer("log_width", torch.log(edges[1:] - edges[:-1]), persistent=False)

    def risk(self, features: Tensor) -> Tensor:
        """(B, D) -> (B,), log relative hazard; higher = earlier event."""
        return self.weight(features).squeeze(-1)

    def baseline(self, cancer: Tensor) -> Tensor:
        """Cancer index (B,) in 0..C (C = pooled) -> (B, T)."""
        return self.log_rate[cancer] + self.log_width

    def roughness(self) -> Tensor:
        """Mean squared step between neighbouring bins' log hazards: a prior for bins with few events."""
        return (self.log_rate[:, 1:] - self.log_rate[:, :-1]).square().mean()
