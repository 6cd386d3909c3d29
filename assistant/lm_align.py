"""Align the adapters before joint training: each soft token starts as the word it stands for.

One slot a perceived attribute. The slot's target is the decoder's own embedding of the finding word plus that of the
attribute's name, so that reading soft tokens is, at first, the same as reading text. Joint training then goes on from
there; without this step a small decoder spends most of its run not looking at the tokens at all.

Not known here: the pairs and the loss of joint training (assistant/lm_train.py).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn
from transformers import LlamaForCausalLM, PreTrainedTokenizerFast

from assistant.lm_cases import LMCase

SLOTS: Mapping[str, tuple[tuple[str, ...], ...]] = {
    "imaging": (("margin",), ("necrosis",), ("texture",), ("enhancement", "uptake")),
    "expression": (("proliferation",), ("immune_infiltration",)),
}
"""Modality -> attributes of each soft token, in order; tokens beyond the slots are left free."""

BATCH = 64


def align_adapters(
    model: LlamaForCausalLM,
    adapters: nn.ModuleDict,
    tokenizer: PreTrainedTokenizerFast,
    cases: Sequence[LMCase],
    *,
    steps: int,
    noise: Mapping[str, float],
    seed: int,
) -> dict[str, float]:
    """Train each adapter towards its words; returns modality -> last mean squared error, 1 = as far as zero is.

    noise : modality -> standard deviation of the Gaussian noise added to the rows
    """
    generator = torch.Generator().manual_seed(seed)
    table = model.get_input_embeddings().weight.detach()  # (V, H)
    errors: dict[str, float] = {}
    for modality, adapter in adapters.items():
        known = [c for c in cases if modality in c.embeddings]
        if not known or modality not in SLOTS:
            continue
        rows, real, targets, told = _targets(known, modality, table, tokenizer)
        optimiser = torch.optim.AdamW(adapter.parameters(), lr=2e-3, weight_decay=0.05)
        adapter.train()
        for _ in range(steps):
            chosen = torch.randint(len(known), (min(BATCH, len(known)),), generator=generator)
            noisy = rows[chosen] + noise.get(modality, 0.0) * torch.randn(rows[chosen].shape, generator=generator)
            made = adapter(noisy, real[chosen])[:, : targets.shape[1]]  # (b, slots, H)
            wanted, weight = targets[chosen], told[chosen].unsqueeze(-1)
            loss = ((made - wanted) ** 2 * weight).sum() / (wanted**2 * weight).sum()
            optimiser.zero_grad(set_to_none=True)
            loss.backward()
            optimiser.step()
            errors[modality] = float(loss.detach())
    return errors


def _targets(
    cases: Sequence[LMCase], modality: str, table: Tensor, tokenizer: PreTrainedTokenizerFast
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """(rows (N, K, D), real rows (N, K), targets (N, slots, H), which slots are told (N, slots))."""
    slots = SLOTS[modality]
    most = max(len(c.embeddings[modality]) for c in cases)
    width = cases[0].embeddings[modality].shape[1]
    rows = torch.zeros(len(cases), most, width)
    real = torch.zeros(len(cases), most, dtype=torch.bool)
    targets = torch.zeros(len(cases), len(slots), table.shape[1])
    told = torch.zeros(len(cases), len(slots))
    for i, case in enumerate(cases):
        found = torch.from_numpy(case.embeddings[modality])
        rows[i, : len(found)], real[i, : len(found)] = found, True
        for j, attributes in enumerate(slots):
            for attribute in attributes:
                word = case.findings[modality].get(attribute)
                if word is not None:
                    targets[i, j] = _vector(f" {word}", table, tokenizer) + _vector(f" {attribute}", table, tokenizer)
                    told[i, j] = 1.0
    return rows, real, targets, told


def _vector(text: str, table: Tensor, tokenizer: PreTrainedTokenizerFast) -> Tensor:
    """Mean embedding of a text's tokens, (H,)."""
    ids = tokenizer(text.replace("_", " "), add_special_tokens=False).input_ids
    return table[torch.tensor(ids)].mean(0)
