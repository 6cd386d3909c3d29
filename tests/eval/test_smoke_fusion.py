"""The probability behind an AUC is of the positive class, whichever label the model put first."""

from __future__ import annotations

import pytest

from encoders.errors import ContractError
from eval.smoke_fusion import measure_patient, positive_probability


@pytest.mark.parametrize(
    ("label", "value", "expected"),
    [("EGFR mutated", 0.9, 0.9), ("EGFR not mutated", 0.9, 0.1), ("ERBB2 amplified", 0.6, 0.6),
     ("ERBB2 not amplified", 0.6, 0.4)],
)  # fmt: skip
def test_a_negative_label_is_turned_round(label: str, value: float, expected: float) -> None:
    assert positive_probability(label, value) == pytest.approx(expected)


def test_a_prediction_without_a_label_is_refused() -> None:
    with pytest.raises(ContractError, match="no label"):
        positive_probability(None, 0.5)


def test_shipped_models_rank_altered_patients_above_others() -> None:
    found = [measure_patient(i, seed=61) for i in range(16)]
    known = [(r.truth[g], r.molecular[g]) for r in found for g in r.molecular if g in r.truth]
    altered = [p for truth, p in known if truth]
    others = [p for truth, p in known if not truth]
    assert altered and others
    assert sum(a > b for a in altered for b in others) > 0.7 * len(altered) * len(others)
