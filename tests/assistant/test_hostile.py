"""The lying backend: its lies are many, deterministic and near the truth, and the checker stops every one."""

from __future__ import annotations

import random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from assistant.claim import Claim, Verdict
from assistant.evidence import Ledger
from assistant.grounding import check_claim
from assistant.llm.chat_model import ChatRequest, PromptStyle
from assistant.llm.hostile import CLAIMS_PER_ANSWER, LIES, HostileModel
from assistant.prompt import parse_claims


@pytest.mark.parametrize("kind", sorted(LIES))
def test_no_lie_of_any_kind_is_supported(toy_ledger: Ledger, kind: str) -> None:
    made = 0
    for seed in range(5):
        for item in toy_ledger:
            lie = LIES[kind](item, toy_ledger, random.Random(f"{seed}{item.id}"))
            if lie is None:
                continue
            made += 1
            assert check_claim(Claim(*lie), toy_ledger).verdict is not Verdict.SUPPORTED, lie
    assert made > 0, f"no evidence of the toy ledger allows {kind}"


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(seed=st.integers(0, 10**6), place=st.integers(0, 10**6))
def test_a_sentence_with_a_foreign_word_or_sign_is_never_supported(toy_ledger: Ledger, seed: int, place: int) -> None:
    rng = random.Random(seed)
    item = rng.choice(list(toy_ledger))
    words = item.text.split(" ")
    words.insert(
        place % (len(words) + 1), rng.choice(["benign", "cured", "17.3", "KRAS", "imatinib", "p.V600E", "PMID1", "нет"])
    )
    checked = check_claim(Claim(" ".join(words), (item.id,)), toy_ledger)
    assert checked.verdict is not Verdict.SUPPORTED, checked.text


@pytest.mark.parametrize("style", list(PromptStyle))
def test_answers_have_the_form_of_their_style_and_repeat_with_the_seed(toy_ledger: Ledger, style: PromptStyle) -> None:
    request = ChatRequest((), allowed_ids=("M1", "G1", "I1"))
    first, second = (HostileModel(toy_ledger, seed=3, style=style) for _ in range(2))
    answer = first.generate(request)
    assert answer == "".join(second.stream(request))
    assert len(first.told) == CLAIMS_PER_ANSWER
    assert len(parse_claims(answer, style)) == CLAIMS_PER_ANSWER
    assert {lie.kind for lie in first.told} <= set(LIES)
