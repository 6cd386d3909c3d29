"""After training: calibrated probabilities, risk intervals and out-of-distribution scores, on patients not trained on.

What this module does not know: networks' insides, words for classes, patients. All of it is buffers, so it is saved
in the same file as the weights and covered by the same hash.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from encoders.fusion import EXPRESSION_TASKS, IMAGE_TASKS
from encoders.inputs import CANCER_CODES, MODALITIES
from encoders.survival import N_BINS, SurvivalHead, bin_of, discrete_hazard_nll

N_BOOTSTRAP = 40
"""Refits of the survival head's last layer."""
OOD_QUANTILE = 0.99
"""Calibration patients above this quantile of the score are what "out of distribution" means."""


def _minimise(loss: Callable[[], Tensor], parameters: list[Tensor], steps: int = 60) -> None:
    optimiser = torch.optim.LBFGS(parameters, lr=0.5, max_iter=steps, line_search_fn="strong_wolfe")

    def closure() -> Tensor:
        optimiser.zero_grad()
        value = loss()
        value.backward()
        return value

    optimiser.step(closure)


class Calibration(nn.Module):
    """Buffers filled by the ``fit_`` functions below; neutral (identity, no interval, never OOD) until then.

    platt_image (tasks, 2), platt_expression (2, 2): logit' = a * logit + b; temperature (): cancer logits / t;
    boot_weight (S, D): refits of the risk weights, already centred on the trained ones;
    ood_mean (4, C, D), ood_precision (4, D, D), ood_unit (4,), ood_limit (): Mahalanobis distance per modality.
    """

    platt_image: Tensor
    platt_expression: Tensor
    temperature: Tensor
    boot_weight: Tensor
    ood_mean: Tensor
    ood_precision: Tensor
    ood_unit: Tensor
    ood_limit: Tensor

    def __init__(self, width: int) -> None:
        super().__init__()
        n, c = len(MODALITIES), len(CANCER_CODES)
        self.register_buffer("platt_image", torch.tensor([[1.0, 0.0]]).repeat(len(IMAGE_TASKS), 1))
        self.register_buffer("platt_expression", torch.tensor([[1.0, 0.0]]).repeat(len(EXPRESSION_TASKS), 1))
        self.register_buffer("temperature", torch.tensor(1.0))
        self.register_buffer("boot_weight", torch.zeros(N_BOOTSTRAP, width))
        self.register_buffer("ood_mean", torch.zeros(n, c, width))
        self.register_buffer("ood_precision", torch.zeros(n, width, width))
        self.register_buffer("ood_unit", torch.ones(n))
        self.register_buffer("ood_limit", torch.tensor(1.0))

    def probabilities(self, logits: Tensor, platt: Tensor) -> Tensor:
        """Logits (B, tasks) -> calibrated probability of class 1 (B, tasks)."""
        return torch.sigmoid(logits * platt[:, 0] + platt[:, 1])

    def risk_interval(self, fused: Tensor) -> tuple[Tensor, Tensor]:
        """(B, D) -> 2.5 % and 97.5 % quantiles (B,), (B,) of the risk's change over the refitted last layers."""
        change = fused @ self.boot_weight.T  # (B, S)
        low, high = torch.quantile(change, torch.tensor([0.025, 0.975]), dim=1)
        return low, high

    def ood_ratio(self, rows: Tensor, modality: int) -> Tensor:
        """(B, D) -> Mahalanobis distance to the nearest cancer's mean, in units of its calibration quantile (B,)."""
        away = rows.unsqueeze(1) - self.ood_mean[modality]  # (B, C, D)
        squared = ((away @ self.ood_precision[modality]) * away).sum(-1)
        return squared.clamp(min=0).sqrt().amin(1) / self.ood_unit[modality]

    def ood_score(self, rows: dict[str, Tensor], present: Tensor) -> Tensor:
        """Largest ratio over the modalities present (B,); ``rows`` maps modality -> (B, D)."""
        ratios = torch.stack([self.ood_ratio(rows[name], i) for i, name in enumerate(MODALITIES)], 1)
        return ratios.masked_fill(~present, 0.0).amax(1)


def fit_platt(logits: Tensor, target: Tensor) -> Tensor:
    """Platt scaling per task: (B, tasks) logits and 0/1/NaN targets -> (tasks, 2) slope and offset.

    References
    ----------
    Platt, Advances in Large Margin Classifiers, 1999. Deviation: a weak pull towards (1, 0); slopes stay positive.
    """
    out = torch.tensor([[1.0, 0.0]]).repeat(logits.shape[1], 1)
    for task in range(logits.shape[1]):
        known = ~torch.isnan(target[:, task])
        if int(known.sum()) < 20 or target[known, task].unique().numel() < 2:
            continue
        x, y = logits[known, task].detach(), target[known, task]
        log_slope, offset = torch.zeros((), requires_grad=True), torch.zeros((), requires_grad=True)

        def loss(x: Tensor = x, y: Tensor = y, s: Tensor = log_slope, o: Tensor = offset) -> Tensor:
            bce = nn.functional.binary_cross_entropy_with_logits(x * s.exp() + o, y)
            return bce + 0.01 * (s.square() + o.square())

        _minimise(loss, [log_slope, offset])
        out[task] = torch.stack([log_slope.exp(), offset]).detach()
    return out


def fit_temperature(logits: Tensor, target: Tensor) -> Tensor:
    """One temperature for softmax logits (B, C) and classes (B,) (Guo et al., ICML 2017)."""
    log_t = torch.zeros((), requires_grad=True)
    x = logits.detach()
    _minimise(lambda: nn.functional.cross_entropy(x / log_t.exp(), target) + 0.01 * log_t.square(), [log_t])
    return log_t.exp().detach()


def recalibrate_survival(head: SurvivalHead, features: Tensor, cancer: Tensor, months: Tensor, event: Tensor) -> float:
    """Scale the head's risk and shift each cancer's baseline to fit patients not trained on; returns the scale."""
    index, happened = bin_of(months, event)
    risk, baseline = head.risk(features).detach(), head.baseline(cancer).detach()
    log_scale = torch.zeros((), requires_grad=True)
    shift = torch.zeros(len(CANCER_CODES), requires_grad=True)

    def loss() -> Tensor:
        nll = discrete_hazard_nll(baseline + shift[cancer].unsqueeze(1), risk * log_scale.exp(), index, happened)
        return nll.mean() + 0.01 * (log_scale.square() + shift.square().sum())

    _minimise(loss, [log_scale, shift])
    with torch.no_grad():
        head.weight.weight.mul_(log_scale.exp())
        head.log_rate[:-1].add_(shift.unsqueeze(1))
    return log_scale.detach().exp().item()


def fit_bootstrap(
    head: SurvivalHead,
    features: Tensor,
    cancer: Tensor,
    months: Tensor,
    event: Tensor,
    *,
    seed: int,
    ridge: float = 0.003,
) -> Tensor:
    """Refit the last layer (ridge) on resampled patients; (S, D) changes of the weights around their mean.

    The interval they give covers the sampling of the last layer only, not of the encoders below it.
    """
    generator = torch.Generator().manual_seed(seed)
    index, happened = bin_of(months, event)
    x = features.detach()
    rate = head.log_rate.detach() + head.log_width
    refits = []
    for _ in range(N_BOOTSTRAP):
        pick = torch.randint(len(x), (len(x),), generator=generator)
        weight = head.weight.weight.detach()[0].clone().requires_grad_()
        base = rate.clone().requires_grad_()

        def loss(pick: Tensor = pick, weight: Tensor = weight, base: Tensor = base) -> Tensor:
            nll = discrete_hazard_nll(base[cancer[pick]], x[pick] @ weight, index[pick], happened[pick])
            return nll.mean() + ridge * weight.square().sum() + 0.01 * (base - rate).square().sum() / N_BINS

        _minimise(loss, [weight, base], steps=25)
        refits.append(weight.detach())
    stack = torch.stack(refits)
    return stack - stack.mean(0)


def fit_ood(
    calibration: Calibration,
    train: tuple[dict[str, Tensor], Tensor, Tensor],
    held: tuple[dict[str, Tensor], Tensor],
    *,
    shrinkage: float = 0.1,
) -> None:
    """Class means and shared covariance per modality from ``train`` (rows, present, cancer); limits from ``held``.

    References
    ----------
    Lee et al., NeurIPS 2018 (Mahalanobis distance to class-conditional means).
    """
    rows, present, cancer = train
    for i, name in enumerate(MODALITIES):
        x, c = rows[name][present[:, i]], cancer[present[:, i]]
        means = torch.stack(
            [x[c == k].mean(0) if bool((c == k).any()) else x.mean(0) for k in range(len(CANCER_CODES))]
        )
        residual = x - means[c]
        covariance = residual.T @ residual / max(len(x) - 1, 1)
        spread = covariance.diagonal().mean()
        covariance = (1 - shrinkage) * covariance + shrinkage * spread * torch.eye(x.shape[1])
        calibration.ood_mean[i] = means
        calibration.ood_precision[i] = torch.linalg.inv(covariance)
        away = calibration.ood_ratio(held[0][name], i)[held[1][:, i]]
        calibration.ood_unit[i] = torch.quantile(away, OOD_QUANTILE)
    calibration.ood_limit.copy_(torch.quantile(calibration.ood_score(*held), OOD_QUANTILE))
