"""Calibration recovers what was done to the logits, and out-of-distribution limits hold their quantile."""

from __future__ import annotations

import math

import pytest
import torch

from encoders.calibration import Calibration, fit_bootstrap, fit_ood, fit_platt, fit_temperature, recalibrate_survival
from encoders.inputs import CANCER_CODES, MODALITIES
from encoders.survival import SurvivalHead


def outcomes(risk, generator):
    death = -torch.log(torch.rand(len(risk), generator=generator)) / (0.02 * torch.exp(risk))
    censor = torch.rand(len(risk), generator=generator) * 200
    return torch.minimum(death, censor), death <= censor


def test_platt_recovers_slope_and_offset_and_skips_unknown_tasks():
    generator = torch.Generator().manual_seed(0)
    true = torch.randn(20_000, generator=generator) * 2
    y = (torch.rand(20_000, generator=generator) < torch.sigmoid(true)).float()
    logits = torch.stack([(true - 0.5) / 0.4, true], 1)
    fitted = fit_platt(logits, torch.stack([y, torch.full_like(y, torch.nan)], 1))
    assert fitted[0].tolist() == pytest.approx([0.4, 0.5], abs=0.06)
    assert fitted[1].tolist() == [1.0, 0.0]


def test_temperature_recovers_overconfidence():
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(8000, 4, generator=generator) * 2
    y = torch.multinomial(torch.softmax(logits, 1), 1, generator=generator)[:, 0]
    assert fit_temperature(logits * 3, y).item() == pytest.approx(3, rel=0.1)


def test_recalibration_shrinks_a_risk_that_is_too_steep():
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(3000, 1, generator=generator)
    months, event = outcomes(0.7 * x[:, 0], generator)
    head = SurvivalHead(1, len(CANCER_CODES))
    with torch.no_grad():
        head.weight.weight.fill_(2.1)
    cancer = torch.zeros(3000, dtype=torch.long)
    scale = recalibrate_survival(head, x, cancer, months, event)
    assert scale == pytest.approx(1 / 3, rel=0.15)
    assert head.weight.weight.item() == pytest.approx(0.7, rel=0.15)


def test_interval_narrows_with_more_patients():
    widths = []
    for n in (200, 3200):
        generator = torch.Generator().manual_seed(1)
        x = torch.randn(n, 2, generator=generator)
        months, event = outcomes(0.7 * x[:, 0], generator)
        head = SurvivalHead(2, len(CANCER_CODES))
        calibration = Calibration(2)
        weights = fit_bootstrap(head, x, torch.zeros(n, dtype=torch.long), months, event, seed=0)
        calibration.boot_weight.copy_(weights)
        low, high = calibration.risk_interval(torch.tensor([[2.0, 0.0]]))
        assert low.item() < 0 < high.item()
        widths.append((high - low).item())
    assert widths[0] / widths[1] == pytest.approx(math.sqrt(3200 / 200), rel=0.5)


def test_ood_flags_one_percent_of_its_own_kind_and_all_strangers():
    generator = torch.Generator().manual_seed(0)

    def draw(n, shift=0.0):
        return {m: torch.randn(n, 5, generator=generator) * 2 + shift for m in MODALITIES}, torch.ones(n, 4).bool()

    calibration = Calibration(5)
    rows, present = draw(2000)
    fit_ood(calibration, (rows, present, torch.randint(4, (2000,), generator=generator)), draw(2000))
    fresh = calibration.ood_score(*draw(4000)) > calibration.ood_limit
    assert fresh.float().mean().item() == pytest.approx(0.01, abs=0.008)
    assert bool((calibration.ood_score(*draw(50, shift=20)) > calibration.ood_limit).all())


def test_ood_of_an_absent_modality_does_not_count():
    calibration = Calibration(2)
    calibration.ood_precision.copy_(torch.eye(2).expand(4, 2, 2))
    rows = {m: torch.zeros(1, 2) for m in MODALITIES} | {"clinical": torch.full((1, 2), 100.0)}
    hidden = torch.tensor([[True, True, True, False]])
    assert calibration.ood_score(rows, hidden).item() == 0
    assert calibration.ood_score(rows, torch.ones(1, 4).bool()).item() > 100
