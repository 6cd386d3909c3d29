"""Brackets can only hold what the ledger holds, whatever the model prefers."""

from __future__ import annotations

import random

import torch

from assistant.llm.reference_grammar import ReferenceGrammar
from assistant.lm_model import train_tokenizer

TEXTS = ["M1 variant gene variant\nG12 therapy drug\n{M1.gene} {M1.variant} {G12.drug}. [M1] [G12]"] * 4
REFERABLE = {"M1": ("gene", "variant"), "G12": ("drug",), "F3": ()}


def finish(start: str, seed: int) -> str:
    """Continue ``start`` with random logits under the grammar until the bracket closes."""
    tokenizer = train_tokenizer(TEXTS)
    grammar = ReferenceGrammar(tokenizer, [REFERABLE])
    generator = torch.Generator().manual_seed(seed)
    ids = tokenizer(start, add_special_tokens=False).input_ids
    for _ in range(40):
        scores = grammar(torch.tensor([ids]), torch.randn(1, len(tokenizer), generator=generator))
        ids = [*ids, int(scores[0].argmax())]
        text = tokenizer.decode(ids)
        if text.endswith(("]", "}")):
            return text[len(start) :]
    raise AssertionError("the bracket never closed")


def test_random_logits_still_give_an_id_of_the_ledger() -> None:
    found = {finish("Found. [", seed) for seed in range(30)}
    assert found == {"M1]", "G12]", "F3]"}


def test_random_logits_still_give_a_field_of_that_id() -> None:
    found = {finish("Found {", seed) for seed in range(30)}
    assert found == {"M1.gene}", "M1.variant}", "G12.drug}"}


def test_text_outside_brackets_is_left_alone_and_not_counted() -> None:
    tokenizer = train_tokenizer(TEXTS)
    grammar = ReferenceGrammar(tokenizer, [REFERABLE, REFERABLE])
    ids = torch.tensor([tokenizer("gene [M1]", add_special_tokens=False).input_ids] * 2)
    scores = torch.randn(2, len(tokenizer), generator=torch.Generator().manual_seed(random.Random(0).randrange(9)))
    assert torch.equal(grammar(ids, scores.clone()), scores)
    assert grammar.interventions == 0


def test_a_changed_choice_is_counted() -> None:
    tokenizer = train_tokenizer(TEXTS)
    grammar = ReferenceGrammar(tokenizer, [REFERABLE])
    scores = torch.zeros(1, len(tokenizer))
    scores[0, tokenizer(".", add_special_tokens=False).input_ids[0]] = 5.0
    grammar(torch.tensor([tokenizer("[", add_special_tokens=False).input_ids]), scores)
    assert grammar.interventions == 1
