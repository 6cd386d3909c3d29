"""Questions about an earlier study and about intensities reach the evidence that answers them."""

from __future__ import annotations

import pytest

from assistant.evidence import Ledger
from assistant.question_routing import route


@pytest.mark.parametrize(
    ("question", "kind"),
    [
        ("Has the lesion grown?", "lesion_change"),
        ("Has the tumour got bigger since the last CT?", "lesion_change"),
        ("How large was it before?", "lesion_change"),
        ("Did it shrink?", "lesion_change"),
        ("What is the SUVpeak?", "lesion_intensity"),
        ("How big is the tumour?", "lesion"),
        ("Is the tumour proliferating?", "expression_profile"),
        ("What was the response to prior therapy?", "treatment"),
    ],
)
def test_a_question_goes_to_the_evidence_that_answers_it(question: str, kind: str, toy_ledger: Ledger) -> None:
    found = route(question, toy_ledger).evidence
    assert found and found[0].type == kind


def test_a_named_figure_limits_the_answer_to_what_holds_it(toy_ledger: Ledger) -> None:
    assert [set(e.fields) & {"suv_peak", "p10"} for e in route("What is the SUVpeak?", toy_ledger).evidence] == [
        {"suv_peak"}
    ]


def test_without_an_earlier_study_the_answer_names_what_is_missing(toy_ledger: Ledger) -> None:
    bare = Ledger(tuple(e for e in toy_ledger if e.type not in ("lesion_change", "lesion_sum")))
    found = route("Has the lesion grown?", bare)
    assert found.evidence == () and "earlier scan" in found.test
