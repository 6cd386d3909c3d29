"""Short patients written by hand: every option expected is offered, and none that must not appear is."""

from __future__ import annotations

from dataclasses import replace

import pytest

from encoders.errors import ContractError
from eval.therapy_vignettes import Vignette, faults, load_vignettes, vignette_from
from retrieval.corpus.builtin import load_therapy_rows


def test_there_are_at_least_150_over_at_least_20_cancers() -> None:
    found = load_vignettes()
    assert len(found) >= 150
    assert len({v.patient.oncotree_code for v in found}) >= 20


@pytest.mark.parametrize("vignette", load_vignettes(), ids=lambda v: v.vignette_id)
def test_the_options_are_those_expected(vignette: Vignette) -> None:
    assert faults(vignette, load_therapy_rows()) == ()


def test_a_vignette_that_expects_something_wrong_is_caught_in_each_way() -> None:
    good = next(v for v in load_vignettes() if v.vignette_id == "luad-l858r-first-line")
    bad = replace(
        good,
        offered=("sotorasib",),
        not_offered=("osimertinib",),
        against=("osimertinib",),
        because=(("gefitinib", "words that stand nowhere"),),
        off_label=("gefitinib",),
    )
    assert len(faults(bad, load_therapy_rows())) == 5


@pytest.mark.parametrize(
    "raw",
    [
        {"id": "x", "code": "LUAD"},
        {"id": "x", "code": "LUAD", "offered": ["a"], "smoker": True},
        {"id": "x", "code": "LUAD", "offered": ["a"], "untested": ["notes"]},
    ],
)
def test_a_line_without_expectation_or_with_an_unknown_field_is_refused(raw: dict[str, object]) -> None:
    with pytest.raises(ContractError, match="'x'"):
        vignette_from(raw)
