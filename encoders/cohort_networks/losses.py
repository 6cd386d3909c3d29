"""Every loss of the cohort networks, each on its own and named; combined only with stated weights.

All are negative log-likelihoods (or distances), lower = better, weighted means over patients. What this module does
not know: networks, where a weight comes from. Not checked: proportional hazards, independent censoring.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor
from torch.nn import functional

from encoders.errors import ContractError, SettingsError


def cox_loss(risk: Tensor, months: Tensor, event: Tensor, weight: Tensor) -> Tensor:
    """Negative log partial likelihood with Breslow's ties, per (weighted) event: over all patients given at once.

    -sum_i w_i e_i (f_i - log sum_{months_j >= months_i} w_j exp f_j) / sum_i w_i e_i

    Parameters
    ----------
    risk : (B,) float, log relative hazard; months (B,); event (B,) bool, True = happened; weight (B,) >= 0

    Returns
    -------
    () float, nats; 0 where no patient of weight above 0 has an event (nothing can be ordered)

    References
    ----------
    Cox, J R Stat Soc B 1972, 10.1111/j.2517-6161.1972.tb00899.x; Breslow, discussion of the same paper.
    """
    deaths = weight * event
    if float(deaths.sum()) == 0:
        return 0.0 * risk.sum()
    _, group, size = torch.unique(-months, return_inverse=True, return_counts=True)
    order = torch.argsort(group, stable=True)
    # Weight 0 leaves a patient out of every risk set; -inf would give NaN gradients.
    log_hazard = torch.where(weight > 0, risk + weight.clamp(min=1e-30).log(), torch.full_like(risk, -1e9))
    at_risk = torch.logcumsumexp(log_hazard[order], 0)[size.cumsum(0) - 1]  # (groups,)
    return (deaths * (at_risk[group] - risk)).sum() / deaths.sum()


def hazard_targets(months: Tensor, event: Tensor, edges_months: Tensor) -> tuple[Tensor, Tensor]:
    """Bins lived through (B, T) and bin of the event (B, T), both 0/1; edges (T + 1,) from 0.

    A censored patient has lived through a bin when the follow-up reaches its middle; an event after the last edge
    counts as lived through all bins.
    """
    start, end = edges_months[:-1], edges_months[1:]
    follow = months.unsqueeze(1)
    within = event.bool().unsqueeze(1) & (follow > start) & (follow <= end)
    within |= event.bool().unsqueeze(1) & (follow <= 0) & (start == start[0])  # an event at time 0 is in the first bin
    middle = (start + end) / 2
    lived = torch.where(event.bool().unsqueeze(1), follow > end, follow >= middle)
    return lived.to(months.dtype), within.to(months.dtype)


def discrete_hazard_loss(logits: Tensor, lived: Tensor, within: Tensor, weight: Tensor) -> Tensor:
    """Negative log-likelihood of discrete-time hazards sigmoid(logits), weighted mean over patients.

    Parameters
    ----------
    logits, lived, within : (B, T); weight : (B,)

    References
    ----------
    Gensheimer & Narasimhan, PeerJ 2019, 10.7717/peerj.6257 (censoring at the middle of a bin as there).
    """
    each = -(lived * functional.logsigmoid(-logits) + within * functional.logsigmoid(logits)).sum(1)
    return (weight * each).sum() / weight.sum()


def binary_loss(logit: Tensor, label: Tensor, weight: Tensor) -> Tensor:
    """Cross-entropy in nats of log odds (B,) and labels 0/1 (B,), weighted mean."""
    each = functional.binary_cross_entropy_with_logits(logit, label.to(logit.dtype), reduction="none")
    return (weight * each).sum() / weight.sum()


def class_loss(logits: Tensor, label: Tensor, weight: Tensor) -> Tensor:
    """Cross-entropy in nats of logits (B, C) and class indices (B,), weighted mean."""
    each = functional.cross_entropy(logits, label.long(), reduction="none")
    return (weight * each).sum() / weight.sum()


def multi_label_loss(logits: Tensor, labels: Tensor, weight: Tensor) -> Tensor:
    """Binary cross-entropy over the labels that are known: logits (B, L), labels (B, L) 0/1 or NaN = not known.

    Returns
    -------
    () float, nats per known label, weighted; 0 where none is known
    """
    known = torch.isfinite(labels)
    each = functional.binary_cross_entropy_with_logits(logits, labels.nan_to_num(), reduction="none")
    share = known * weight.unsqueeze(1)
    return (each * share).sum() / share.sum().clamp(min=1e-12)


def ordinal_log_probability(cumulative: Tensor) -> Tensor:
    """Cumulative logits of P(grade > k) (B, C - 1), falling in k -> log P(grade) (B, C).

    sigmoid(a) - sigmoid(b) = sigmoid(a) sigmoid(-b) (1 - exp(b - a)), exact and stable.
    """
    inner = functional.logsigmoid(cumulative[:, :-1]) + functional.logsigmoid(-cumulative[:, 1:])
    inner = inner + torch.log(-torch.expm1(cumulative[:, 1:] - cumulative[:, :-1]))
    return torch.cat([functional.logsigmoid(-cumulative[:, :1]), inner, functional.logsigmoid(cumulative[:, -1:])], 1)


def ordinal_loss(cumulative: Tensor, grade: Tensor, weight: Tensor) -> Tensor:
    """Negative log-likelihood of a cumulative link model: logits (B, C - 1), grade (B,) int 0..C-1, weighted mean.

    References
    ----------
    McCullagh, J R Stat Soc B 1980, 10.1111/j.2517-6161.1980.tb01109.x (proportional odds).
    """
    each = -ordinal_log_probability(cumulative).gather(1, grade.long().unsqueeze(1)).squeeze(1)
    return (weight * each).sum() / weight.sum()


def contrastive_loss(left: Tensor, right: Tensor, log_temperature: Tensor) -> Tensor:
    """Symmetric InfoNCE of paired embeddings (B, D): the same patient's two blocks attract, other patients' repel.

    Returns
    -------
    () float, nats; 0 for fewer than two pairs (nothing to tell apart)

    References
    ----------
    van den Oord et al., arXiv 1807.03748; Radford et al., ICML 2021, arXiv 2103.00020 (CLIP).
    """
    if len(left) < 2:
        return 0.0 * (left.sum() + right.sum())
    similarity = functional.normalize(left, dim=1) @ functional.normalize(right, dim=1).T * torch.exp(-log_temperature)
    same = torch.arange(len(left), device=left.device)
    return (functional.cross_entropy(similarity, same) + functional.cross_entropy(similarity.T, same)) / 2


def gaussian_kl(mean: Tensor, log_variance: Tensor) -> Tensor:
    """KL divergence from N(0, 1) of diagonal Gaussians, (B, Z) -> (B,) nats.

    References
    ----------
    Kingma & Welling, ICLR 2014, arXiv 1312.6114, appendix B.
    """
    return 0.5 * (mean.square() + log_variance.exp() - 1 - log_variance).sum(1)


def combine(losses: Mapping[str, Tensor], weights: Mapping[str, float]) -> Tensor:
    """Sum of named losses times their stated weights.

    Raises
    ------
    SettingsError: a loss without a stated weight; nothing is summed silently.
    ContractError: no loss at all.
    """
    if not losses:
        raise ContractError("no loss was given; a network needs at least its task's.")
    unstated = sorted(set(losses) - set(weights))
    if unstated:
        raise SettingsError(f"losses {', '.join(unstated)} have no weight; state each in loss_weights.")
    return torch.stack([weights[name] * value for name, value in losses.items()]).sum()
